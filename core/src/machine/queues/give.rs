//! Giving items out: pops and takes, at once or after a wait. An answer is no longer than there is room for;
//! where not even one item fits, nothing is given and whoever asked has to ask again.

use super::answer::Answer;
use super::error::Error;
use super::label::QueueId;
use super::limits::{LEASE_MS_MAX, NUMBER_MAX, WAIT_MS_MAX, WAITS_MAX, millis};
use super::queue::Lease;
use super::room::Room;
use super::waits::Ask;
use super::{Executed, Queues, counted};
use crate::machine::{Completion, Ticket};
use alloc::vec::Vec;

impl Queues {
    /// Somebody wants items: gives what is there, else the error, or he waits.
    pub(super) fn ask(&mut self, id: QueueId, ask: Ask, wait_ms: u64, room: usize) -> Executed {
        match self.may_ask(id, ask, wait_ms) {
            Ok(()) => self.give(id, ask, room).map_or(Executed::NoRoom, |answer| Executed::Answered(Ok(answer))),
            Err(Error::Empty | Error::Paused) if wait_ms > 0 => {
                if self.waits.len() >= WAITS_MAX {
                    return Executed::Answered(Err(Error::TooManyWaits));
                }
                self.waits.insert(id, ask, self.clock + millis(wait_ms));
                Executed::Waits
            }
            Err(error) => Executed::Answered(Err(error)),
        }
    }

    /// A queue may have got something ready: who waits there is served when it is asked who is.
    pub(super) fn serve(&mut self, id: QueueId) {
        if self.waits.any(id) {
            self.unserved.insert(id);
        }
    }

    /// Serves whoever has waited longest for what has become ready; the queue with the lowest id goes first.
    pub(super) fn serve_next(&mut self, mut room: impl FnMut(Ticket) -> usize) -> Option<Completion> {
        while let Some(id) = self.unserved.first().copied() {
            let Some(ask) = self.has_something(id).then(|| self.waits.take_first(id)).flatten() else {
                self.unserved.remove(&id);
                continue;
            };
            let exhausted = ask.lease_ms.is_some() && self.next_token > NUMBER_MAX;
            let reply = if exhausted {
                Some(Err(Error::NumberExhausted))
            } else {
                self.give(id, ask, room(ask.ticket)).map(Ok)
            };
            return Some(Completion::of(ask.ticket, reply.as_ref()));
        }
        None
    }

    /// Whether there is something to be had, and it may be asked for so.
    fn may_ask(&self, id: QueueId, ask: Ask, wait_ms: u64) -> Result<(), Error> {
        let queue = self.queue(id)?;
        counted(ask.count)?;
        let lease = ask.lease_ms.is_none_or(|lease| (1..=LEASE_MS_MAX).contains(&lease));
        if !lease || wait_ms > WAIT_MS_MAX {
            return Err(Error::BadOption);
        }
        if ask.lease_ms.is_some() && self.next_token > NUMBER_MAX {
            return Err(Error::NumberExhausted);
        }
        if queue.paused {
            return Err(Error::Paused);
        }
        queue.front().map(drop).ok_or(Error::Empty)
    }

    fn has_something(&self, id: QueueId) -> bool {
        self.queues.get(&id).is_some_and(|queue| !queue.paused && queue.front().is_some())
    }

    /// Gives what is there, and something is, unless there is no room for it.
    fn give(&mut self, id: QueueId, ask: Ask, room: usize) -> Option<Answer> {
        let front = self.queues.get(&id)?.front()?;
        let room = Room::of(room);
        if !room.clone().fits(front.bytes()) {
            return None;
        }
        Some(match ask.lease_ms {
            None => self.give_for_good(id, ask.count, room),
            Some(lease_ms) => self.give_on_lease(id, ask, lease_ms, room),
        })
    }

    fn give_for_good(&mut self, id: QueueId, count: u64, mut room: Room) -> Answer {
        let popped = self.change(id, |queue| {
            let mut items = Vec::new();
            while let Some(front) =
                queue.front().filter(|front| (items.len() as u64) < count && room.fits(front.bytes()))
            {
                items.push(queue.pop(front));
            }
            items
        });
        Answer::Popped(popped.expect("the queue that is asked"))
    }

    fn give_on_lease(&mut self, id: QueueId, ask: Ask, lease_ms: u64, mut room: Room) -> Answer {
        let (session, until) = (ask.ticket.session, self.clock + millis(lease_ms));
        let mut token = self.next_token;
        let taken = self.change(id, |queue| {
            let mut deliveries = Vec::new();
            while let Some(front) = queue.front().filter(|front| {
                let wanted = (deliveries.len() as u64) < ask.count && token <= NUMBER_MAX;
                wanted && room.fits(front.bytes())
            }) {
                deliveries.push(queue.take(front, Lease { session, until, token }));
                token += 1;
            }
            deliveries
        });
        let taken = taken.expect("the queue that is asked");
        self.next_token = token;
        self.leases.begin(session, id, taken.iter().map(|delivery| delivery.receipt.position));
        Answer::Taken(taken)
    }
}
