//! What a replica says of itself all the time, and what it takes from what others say of themselves.

use crate::ids::{MemberId, MemberSet};
use crate::replica::Event;
use crate::time::{Span, Time};

use super::message::{Heartbeat, Message};
use super::{Group, Output};

/// Where there is room on the disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Here, and on a quorum.
    Enough,
    /// On a quorum, and not here.
    Elsewhere,
    /// On too few.
    Nowhere,
}

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
        let (snapshot, state) = self.snapshots.taken();
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
            snapshot,
            state,
            order: self.options.order,
            nearly_full: self.is_nearly_full,
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
        self.compare_order(now);
        self.tell_if_removed(now, from);
        self.compare_state(now);
    }

    /// Who was told another order can't take part in a view with this replica; who is outnumbered by such is wrong.
    fn compare_order(&mut self, now: Time) {
        let differs = |m: &MemberId| self.detector.fresh(now, *m).is_some_and(|h| h.order != self.options.order);
        let differing: MemberSet =
            self.log.electorate().set().without(self.options.me).iter().filter(differs).collect();
        if !differing.minus(self.differing).is_empty() {
            let is_outnumbered = self.log.electorate().may_form_view(differing);
            self.event(Event::Disordered { members: differing, mine: self.options.order, is_outnumbered });
        }
        self.differing = differing;
    }

    /// Whether the disks have room for what makes the state grow: this one's, and those of a quorum. Without a view
    /// nothing is known of the others' disks, and so nothing is said of any.
    pub(crate) fn room(&self, now: Time) -> Room {
        if !self.is_serving(now) {
            return Room::Enough;
        }
        let with_room = self.view().set().minus(self.nearly_full(now));
        match (self.electorate.is_quorum(with_room), self.is_nearly_full) {
            (true, false) => Room::Enough,
            (true, true) => Room::Elsewhere,
            (false, _) => Room::Nowhere,
        }
    }

    /// Whose disks are nearly full, as far as they are heard.
    pub fn nearly_full(&self, now: Time) -> MemberSet {
        let others = self.detector.peers().map(|(member, _)| member);
        let full =
            others.filter(|m| self.detector.fresh(now, *m).is_some_and(|h| h.nearly_full)).collect::<MemberSet>();
        if self.is_nearly_full { full.with(self.options.me) } else { full }
    }

    /// The age of the oldest job that the store has not finished.
    pub fn job_age(&self, now: Time) -> Span {
        self.backlog.age(now)
    }
}
