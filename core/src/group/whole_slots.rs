//! A body that does not come, since its origin is dead or the way from there is bad: whoever has sequenced the slot
//! that names it holds it, and gives the whole slot (RULES L11).
//!
//! Always: such a slot is what its sequence said, by its digest; it counts like one that was put together here.

use crate::ids::{Ballot, MemberSet};
use crate::store::SlotRecord;
use crate::time::Time;
use alloc::vec::Vec;

use super::Group;
use super::message::Message;

impl Group {
    /// Asks the sequencer for the slot that waits for bodies, once their origins had time to say them again.
    pub(super) fn step_whole_slots(&mut self, now: Time) {
        let (end, timing) = (self.log.end(), self.options.timing);
        let waits = self.opened && !self.ordering.lacks(end).is_empty();
        if !waits || now.since(self.progress_at) < timing.body() || now < self.asks_whole_at {
            return;
        }
        if let Some(sequencer) = self.view().sequencer(end.next()) {
            self.asks_whole_at = now + timing.repeat_tail();
            self.note(MemberSet::of(sequencer), Message::WantTail(self.view().ballot, end.next()));
        }
    }

    /// Slots of the present view as another member has them.
    pub(super) fn on_whole_slots(&mut self, now: Time, ballot: Ballot, slots: Vec<SlotRecord>) {
        if !self.opened || ballot != self.view().ballot {
            return;
        }
        for record in slots {
            let next = self.log.end().next();
            if self.fits(self.ordering.notice_of(next)) && self.ordering.take_whole(&self.log, &record) {
                self.append(now, record);
            }
        }
    }
}
