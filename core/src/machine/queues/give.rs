//! Giving items out: pops and takes, at once or after a wait.

use super::answer::{Answer, Reply};
use super::error::Error;
use super::label::QueueId;
use super::limits::{LEASE_MS_MAX, NUMBER_MAX, WAIT_MS_MAX, WAITS_MAX, millis};
use super::queue::{Lease, Room};
use super::waits::Ask;
use super::{Queues, counted};
use alloc::vec::Vec;

impl Queues {
    /// Somebody wants items: gives what is there, else the error; without a reply he waits.
    pub(super) fn ask(&mut self, id: QueueId, ask: Ask, wait_ms: u64) -> Option<Reply> {
        match self.may_ask(id, ask, wait_ms) {
            Ok(()) => {}
            Err(Error::Empty | Error::Paused) if wait_ms > 0 => {
                if self.waits.len() >= WAITS_MAX {
                    return Some(Err(Error::TooManyWaits));
                }
                self.waits.insert(id, ask, self.clock + millis(wait_ms));
                return None;
            }
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(self.give(id, ask)))
    }

    /// Gives what has become ready to those who wait for it, in the order of asking.
    pub(super) fn serve(&mut self, id: QueueId) {
        while self.waits.any(id) && self.has_something(id) {
            let Some(ask) = self.waits.take_first(id) else { return };
            let exhausted = ask.lease_ms.is_some() && self.next_token > NUMBER_MAX;
            let reply = if exhausted { Err(Error::NumberExhausted) } else { Ok(self.give(id, ask)) };
            self.complete(ask.ticket, &reply);
        }
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

    /// Gives what is there: something is.
    fn give(&mut self, id: QueueId, ask: Ask) -> Answer {
        match ask.lease_ms {
            None => self.give_for_good(id, ask.count),
            Some(lease_ms) => self.give_on_lease(id, ask, lease_ms),
        }
    }

    fn give_for_good(&mut self, id: QueueId, count: u64) -> Answer {
        let popped = self.change(id, |queue| {
            let (mut items, mut room) = (Vec::new(), Room::default());
            while let Some(front) =
                queue.front().filter(|front| (items.len() as u64) < count && room.fits(front.bytes()))
            {
                items.push(queue.pop(front));
            }
            items
        });
        Answer::Popped(popped.expect("the queue that is asked"))
    }

    fn give_on_lease(&mut self, id: QueueId, ask: Ask, lease_ms: u64) -> Answer {
        let (session, until) = (ask.ticket.session, self.clock + millis(lease_ms));
        let mut token = self.next_token;
        let taken = self.change(id, |queue| {
            let (mut deliveries, mut room) = (Vec::new(), Room::default());
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
        self.leases_began(session, id, taken.len() as u64);
        Answer::Taken(taken)
    }
}
