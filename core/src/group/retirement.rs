//! A replica that is told to stop hands its turns over: the others form a view without it at once, instead of
//! missing it after a failure timeout.
//!
//! Always: who retires proposes nothing and is no candidate for a view. It still promises, answers and gives its
//! log away: the view that does without it may need all of that.

use crate::ids::{MemberId, MemberSet};
use crate::replica::Event;
use crate::time::Time;

use super::Group;
use super::message::Message;

impl Group {
    /// From now on this replica tells the others to go on without it.
    pub(crate) fn retire(&mut self, now: Time) {
        self.retires_at = Some(now);
        self.step_retirement(now);
    }

    /// Whether it has said that it retires.
    pub(super) fn is_retiring(&self) -> bool {
        self.retires_at.is_some()
    }

    /// Whether a later view goes on without this replica, or this one takes part in none. `None` if it is needed:
    /// without it the others are no quorum.
    pub(crate) fn is_replaced(&self, now: Time) -> Option<bool> {
        let me = self.options.me;
        let takes_part = self.view().participant(me).is_some_and(|p| p.boot == self.boot);
        if !takes_part || self.hears_live_view(now) {
            return Some(true);
        }
        let able =
            |m: &MemberId| self.detector.is_fit(now, *m) && self.detector.fresh(now, *m).is_some_and(|h| h.whole);
        let electorate = self.log.electorate();
        let others: MemberSet = self.admitted(now, electorate).without(me).iter().filter(able).collect();
        electorate.may_form_view(others).then_some(false)
    }

    /// Whether all others together could go on without this replica.
    pub(crate) fn is_replaceable(&self) -> bool {
        let electorate = self.log.electorate();
        electorate.may_form_view(electorate.set().without(self.options.me))
    }

    /// Says it again: a note may be lost.
    pub(super) fn step_retirement(&mut self, now: Time) {
        if self.retires_at.is_some_and(|at| now >= at) {
            self.retires_at = Some(now + self.options.timing.repeat);
            self.note(self.peers(), Message::Retiring);
        }
    }

    pub(super) fn on_retiring(&mut self, now: Time, from: MemberId) {
        if self.detector.retires(from) {
            self.event(Event::Retires { member: from });
            self.consider_change(now);
        }
    }
}
