//! An item about which more is known than its place: it is leased, delayed, returned or a dead letter, or it
//! has a time to live.

use super::digest::{self, Sum};
use super::label::QueueId;
use crate::session::message::SessionId;
use crate::time::SlotClock;
use crate::wire::{Malformed, Reader, Writer};
use alloc::boxed::Box;

/// A moment that never comes.
pub(super) const NEVER: SlotClock = SlotClock(u64::MAX);

/// Where such an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// In its place in the order.
    Ready = 0,
    /// Not ready before a moment.
    Delayed = 1,
    /// Given out.
    Leased = 2,
}

/// Such an item, without its position.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) item: Box<[u8]>,
    pub(super) priority: u8,
    /// How often it was given out.
    pub(super) deliveries: u32,
    /// The slot clock when it came into the queue, in milliseconds.
    pub(super) came_ms: u64,
    /// When its time to live is over.
    pub(super) expires_at: SlotClock,
    /// When the lease or the delay ends; 0 if there is none.
    pub(super) until: SlotClock,
    /// Whose lease it is; 0 if there is none.
    pub(super) session: SessionId,
    /// The token of the lease; 0 if there is none.
    pub(super) token: u64,
    /// The queue that it was a dead letter of; 0 if it is none.
    pub(super) origin: QueueId,
}

impl Held {
    /// An item that was never given out, in no state yet.
    pub(super) fn new(item: &[u8], priority: u8, came_ms: u64) -> Held {
        Held {
            item: Box::from(item),
            priority,
            deliveries: 0,
            came_ms,
            expires_at: NEVER,
            until: SlotClock(0),
            session: SessionId(0),
            token: 0,
            origin: QueueId(0),
        }
    }

    /// When something has to be done about it: a lease or a delay ends, or its time is over. A lease
    /// outlives the time of its item.
    pub(super) fn due(&self, state: State) -> Option<SlotClock> {
        let at = match state {
            State::Leased => self.until,
            State::Delayed => self.until.min(self.expires_at),
            State::Ready => self.expires_at,
        };
        (at != NEVER).then_some(at)
    }

    /// It has no lease and no delay any more.
    pub(super) fn release(&mut self) {
        (self.until, self.session, self.token) = (SlotClock(0), SessionId(0), 0);
    }

    /// What it adds to the digest.
    pub(super) fn sum(&self, queue: QueueId, position: u64, state: State) -> Sum {
        let kind = u64::from(self.priority) << 40 | (state as u64) << 32 | u64::from(self.deliveries);
        let numbers = [
            queue.0,
            position,
            kind,
            self.came_ms,
            self.expires_at.0,
            self.until.0,
            self.session.0,
            self.token,
            self.origin.0,
        ];
        digest::held(numbers, &self.item)
    }

    /// For a snapshot.
    pub(super) fn write(&self, position: u64, w: &mut Writer) {
        w.u64(position).u8(self.priority).u64(u64::from(self.deliveries)).u64(self.came_ms);
        w.u64(self.expires_at.0.wrapping_add(1)).u64(self.until.0).u64(self.session.0).u64(self.token);
        w.u64(self.origin.0).bytes(&self.item);
    }

    /// Reads what [`Held::write`] wrote.
    pub(super) fn read(r: &mut Reader) -> Result<(u64, Held), Malformed> {
        let position = r.u64()?;
        let held = Held {
            priority: r.u8()?,
            deliveries: u32::try_from(r.u64()?).map_err(|_| Malformed)?,
            came_ms: r.u64()?,
            expires_at: SlotClock(r.u64()?.wrapping_sub(1)),
            until: SlotClock(r.u64()?),
            session: SessionId(r.u64()?),
            token: r.u64()?,
            origin: QueueId(r.u64()?),
            item: Box::from(&r.bytes()?[..]),
        };
        Ok((position, held))
    }
}
