//! What a replica says of itself all the time, and what it takes from what others say of themselves.

use crate::ids::{MemberId, MemberSet};
use crate::time::{Span, Time};

use super::message::{Heartbeat, Message};
use super::{Group, Output};

impl Group {
    /// Says that it is there when it is time to.
    pub(super) fn beat(&mut self, now: Time) {
        if now < self.heartbeat_at {
            return;
        }
        self.heartbeat_at = now + self.options.timing.heartbeat;
        let padded = now.since(self.padded_at) >= self.options.timing.pad_every || self.padded_at == Time(0);
        if padded {
            self.padded_at = now;
        }
        let waits_for = if now.since(self.progress_at) > self.options.timing.failure {
            self.ordering.lacks(self.log.end())
        } else {
            MemberSet::EMPTY
        };
        let heartbeat = Heartbeat {
            store: self.store,
            shown: self.shown,
            mark: self.own_mark(),
            configuration: self.log.electorate().sealed.number,
            seated: self.was_seated,
            whole: self.is_whole(),
            view: self.view().ballot,
            active: self.active,
            open: self.opened,
            highest: self.highest,
            end: self.log.end(),
            committed: self.log.committed(),
            hears: self.detector.heard(now),
            job_age_ms: self.job_age(now).0 / 1_000,
            waits_for,
            slow: self.slow(now),
            snapshot: self.snapshot,
            state: self.state,
            rules: self.options.rules,
        };
        let to = self.peers();
        if !to.is_empty() {
            self.out.push_back(Output::Note { to, message: Message::Heartbeat(heartbeat), padded });
        }
    }

    pub(super) fn on_heartbeat(&mut self, now: Time, from: MemberId, heartbeat: Heartbeat) {
        self.raise_highest(heartbeat.highest);
        if self.active && heartbeat.active && heartbeat.view > self.view().ballot {
            // Whoever is in that view has promised it, and this replica has not: it was left out.
            self.leave_view();
        }
        self.hear_mark(from, heartbeat.store, heartbeat.shown, heartbeat.mark);
        self.detector.heartbeat(now, from, heartbeat, self.log.committed());
        self.tell_if_removed(now, from);
        self.compare_state(now);
    }

    /// The age of the oldest job that the store has not finished.
    pub(super) fn job_age(&self, now: Time) -> Span {
        self.outstanding.front().map_or(Span::ZERO, |(_, since)| now.since(*since))
    }
}
