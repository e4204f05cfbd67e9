//! The pops and takes that wait, by queue in the order of asking.

use super::digest::{self, Sum};
use super::label::QueueId;
use crate::machine::Ticket;
use crate::session::message::SessionId;
use crate::time::SlotClock;
use crate::wire::{Malformed, Reader, Writer};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// What somebody wants from a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// Who.
    pub(super) ticket: Ticket,
    /// The most items.
    pub(super) count: u64,
    /// How long the lease is; none for a pop.
    pub(super) lease_ms: Option<u64>,
}

/// Whoever waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wait {
    ask: Ask,
    until: SlotClock,
}

/// All that wait.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// How many have ever waited: numbers them in the order of asking.
    asked: u64,
    waits: BTreeMap<(QueueId, u64), Wait>,
    tickets: BTreeMap<Ticket, (QueueId, u64)>,
    due: BTreeSet<(SlotClock, u64, QueueId)>,
    sum: Sum,
}

impl Waits {
    /// One more waits, behind all others.
    pub(super) fn insert(&mut self, queue: QueueId, ask: Ask, until: SlotClock) {
        self.asked += 1;
        self.admit(queue, self.asked, Wait { ask, until });
    }

    /// Whoever has waited longest at a queue waits no more.
    pub(super) fn take_first(&mut self, queue: QueueId) -> Option<Ask> {
        let key = *self.of(queue).next()?.0;
        self.remove(key).map(|wait| wait.ask)
    }

    /// Whose time was over first, up to this moment, waits no more.
    pub(super) fn take_late(&mut self, at: SlotClock) -> Option<Ticket> {
        let (_, number, queue) = self.due.first().filter(|(due, _, _)| *due <= at).copied()?;
        self.remove((queue, number)).map(|wait| wait.ask.ticket)
    }

    /// Nobody waits for this answer any more; whether somebody did.
    pub(super) fn abandon(&mut self, ticket: Ticket) -> bool {
        let Some(key) = self.tickets.get(&ticket).copied() else { return false };
        self.remove(key).is_some()
    }

    /// No request of this session waits any more.
    pub(super) fn end_session(&mut self, session: SessionId) {
        let first = Ticket { session, number: 0 };
        let last = Ticket { session, number: u64::MAX };
        let keys: Vec<_> = self.tickets.range(first..=last).map(|(_, key)| *key).collect();
        for key in keys {
            self.remove(key);
        }
    }

    /// Whether anybody waits at a queue.
    pub(super) fn any(&self, queue: QueueId) -> bool {
        self.of(queue).next().is_some()
    }

    /// How many wait at a queue.
    pub(super) fn count(&self, queue: QueueId) -> u64 {
        self.of(queue).count() as u64
    }

    /// How many wait at all.
    pub(super) fn len(&self) -> usize {
        self.waits.len()
    }

    /// When the next one's time is over.
    pub(super) fn due(&self) -> Option<SlotClock> {
        self.due.first().map(|(at, _, _)| *at)
    }

    /// What they add to the digest.
    pub(super) fn sum(&self) -> Sum {
        self.sum
    }

    /// How many have ever waited.
    pub(super) fn asked(&self) -> u64 {
        self.asked
    }

    /// For a snapshot.
    pub(super) fn write(&self, w: &mut Writer) {
        w.u64(self.asked).u64(self.waits.len() as u64);
        for ((queue, number), Wait { ask, until }) in &self.waits {
            w.u64(queue.0).u64(*number).u64(ask.ticket.session.0).u64(ask.ticket.number).u64(ask.count);
            w.u64(ask.lease_ms.unwrap_or(0)).u64(until.0);
        }
    }

    /// Reads what [`Waits::write`] wrote.
    pub(super) fn read(r: &mut Reader) -> Result<Waits, Malformed> {
        let mut waits = Waits { asked: r.u64()?, ..Waits::default() };
        for _ in 0..r.u64()? {
            let (queue, number) = (QueueId(r.u64()?), r.u64()?);
            let ticket = Ticket { session: SessionId(r.u64()?), number: r.u64()? };
            let count = r.u64()?;
            let lease_ms = Some(r.u64()?).filter(|lease| *lease > 0);
            let wait = Wait { ask: Ask { ticket, count, lease_ms }, until: SlotClock(r.u64()?) };
            let known = waits.waits.contains_key(&(queue, number)) || waits.tickets.contains_key(&ticket);
            if known || number > waits.asked {
                return Err(Malformed);
            }
            waits.admit(queue, number, wait);
        }
        Ok(waits)
    }

    fn of(&self, queue: QueueId) -> impl Iterator<Item = (&(QueueId, u64), &Wait)> {
        self.waits.range((queue, 0)..=(queue, u64::MAX))
    }

    fn admit(&mut self, queue: QueueId, number: u64, wait: Wait) {
        self.sum += wait.sum(queue, number);
        self.due.insert((wait.until, number, queue));
        self.tickets.insert(wait.ask.ticket, (queue, number));
        self.waits.insert((queue, number), wait);
    }

    fn remove(&mut self, key: (QueueId, u64)) -> Option<Wait> {
        let wait = self.waits.remove(&key)?;
        self.sum -= wait.sum(key.0, key.1);
        self.due.remove(&(wait.until, key.1, key.0));
        self.tickets.remove(&wait.ask.ticket);
        Some(wait)
    }
}

impl Wait {
    fn sum(&self, queue: QueueId, number: u64) -> Sum {
        let Ask { ticket, count, lease_ms } = self.ask;
        digest::wait([queue.0, number, ticket.session.0, ticket.number, count, lease_ms.unwrap_or(0), self.until.0])
    }
}
