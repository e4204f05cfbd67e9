//! What happens by the slot clock alone: leases, delays, lives, keys and waits that end.

use super::Queues;
use super::error::Error;
use super::held::State;
use super::label::QueueId;
use super::limits::DUE_MAX;
use crate::time::SlotClock;

impl Queues {
    /// Does what is due by now, in the order of time: at the same time items before those who wait.
    /// What is left after [`DUE_MAX`] is done in the next slot.
    pub(super) fn do_what_is_due(&mut self) {
        for _ in 0..DUE_MAX {
            let item = self.due.first().copied().filter(|(at, _)| *at <= self.clock);
            let wait = self.waits.due().filter(|at| *at <= self.clock);
            match (item, wait) {
                (Some((at, queue)), wait) if wait.is_none_or(|wait| at <= wait) => self.do_one(queue, at),
                (_, Some(wait)) => {
                    let Some(ticket) = self.waits.take_late(wait) else { return };
                    self.complete(ticket, &Err(Error::Empty));
                }
                (_, None) => return,
            }
        }
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
                    if held.expires_at <= at {
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
