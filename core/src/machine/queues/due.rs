//! What is due: leases of sessions that are gone, and what the slot clock ends: leases, delays, lives, keys
//! and waits.

use super::Queues;
use super::error::Error;
use super::held::State;
use super::label::QueueId;
use super::limits::DUE_MAX;
use crate::time::SlotClock;

impl Queues {
    /// Does the next thing that is due, if this slot may do one more: leases of sessions that are gone, then
    /// all else in the order of time, at the same time items before those who wait.
    pub(super) fn do_next(&mut self) -> bool {
        if self.done_in_slot == DUE_MAX {
            return false;
        }
        let item = self.due.first().copied().filter(|(at, _)| *at <= self.clock);
        let wait = self.waits.due().filter(|at| *at <= self.clock);
        match (self.leases.next_orphan(), item, wait) {
            (Some((queue, position)), _, _) => {
                let touched = self.give_back(queue, position, self.clock, SlotClock(0));
                self.serve(touched);
            }
            (None, Some((at, queue)), wait) if wait.is_none_or(|wait| at <= wait) => self.do_one(queue, at),
            (None, _, Some(wait)) => {
                let Some(ticket) = self.waits.take_late(wait) else { return false };
                self.complete(ticket, &Err(Error::Empty));
            }
            (None, _, None) => return false,
        }
        self.done_in_slot += 1;
        true
    }

    /// Does the first thing that is due in a queue at this moment: keys before items.
    fn do_one(&mut self, id: QueueId, at: SlotClock) {
        let forgotten = self.change(id, |queue| queue.keys.forget(id, at));
        let Ok(queue) = self.queue(id) else { return };
        if forgotten == Ok(true) {
            return;
        }
        let due = queue.due_by(at).and_then(|position| Some((position, queue.state_of(position)?)));
        let (position, (state, priority)) = due.expect("something is due in a queue that says so");
        let touched = match state {
            State::Leased => self.give_back(id, position, at, SlotClock(0)),
            State::Delayed | State::Ready => {
                let done = self.change(id, |queue| {
                    let mut held = queue.lift(state, priority, position)?;
                    if held.expires_at() <= at {
                        queue.totals.expired += 1;
                    } else {
                        held.release();
                        queue.place(State::Ready, position, held);
                    }
                    Some(())
                });
                done.expect("a queue that is there");
                id
            }
        };
        self.serve(touched);
    }
}
