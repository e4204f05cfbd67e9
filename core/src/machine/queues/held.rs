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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// When the lease or the delay ends; 0 if there is none.
    pub(super) until: SlotClock,
    /// Whose lease it is; 0 if there is none.
    pub(super) session: SessionId,
    /// The token of the lease; 0 if there is none.
    pub(super) token: u64,
    /// Whether it is a dead letter: those live for ever.
    is_dead: bool,
    /// For a dead letter the queue that it came from, else when its time to live is over: one word for both,
    /// as there are many of these.
    origin_or_end: u64,
}

impl Held {
    /// An item that was never given out, in no state yet.
    pub(super) fn new(item: &[u8], priority: u8, came_ms: u64) -> Held {
        Held {
            item: Box::from(item),
            priority,
            deliveries: 0,
            came_ms,
            is_dead: false,
            origin_or_end: NEVER.0,
            until: SlotClock(0),
            session: SessionId(0),
            token: 0,
        }
    }

    /// It lives no longer than this.
    pub(super) fn expire(&mut self, at: SlotClock) {
        self.origin_or_end = at.0;
    }

    /// It becomes a dead letter of this queue.
    pub(super) fn die(&mut self, origin: QueueId, came_ms: u64) {
        (self.is_dead, self.origin_or_end) = (true, origin.0);
        (self.came_ms, self.deliveries) = (came_ms, 0);
    }

    /// When its time to live is over.
    pub(super) fn expires_at(&self) -> SlotClock {
        if self.is_dead { NEVER } else { SlotClock(self.origin_or_end) }
    }

    /// The queue that it was a dead letter of; 0 if it is none.
    pub(super) fn origin(&self) -> QueueId {
        QueueId(if self.is_dead { self.origin_or_end } else { 0 })
    }

    /// When something has to be done about it: a lease or a delay ends, or its time is over. A lease
    /// outlives the time of its item.
    pub(super) fn due(&self, state: State) -> Option<SlotClock> {
        let at = match state {
            State::Leased => self.until,
            State::Delayed => self.until.min(self.expires_at()),
            State::Ready => self.expires_at(),
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
            self.expires_at().0,
            self.until.0,
            self.session.0,
            self.token,
            self.origin().0,
        ];
        digest::held(numbers, &self.item)
    }

    /// For a snapshot.
    pub(super) fn write(&self, position: u64, w: &mut Writer) {
        w.u64(position).u8(self.priority).u64(u64::from(self.deliveries)).u64(self.came_ms);
        w.u64(self.expires_at().0.wrapping_add(1)).u64(self.until.0).u64(self.session.0).u64(self.token);
        w.u64(self.origin().0).bytes(&self.item);
    }

    /// Reads what [`Held::write`] wrote.
    pub(super) fn read(r: &mut Reader) -> Result<(u64, Held), Malformed> {
        let position = r.u64()?;
        let priority = r.u8()?;
        let deliveries = u32::try_from(r.u64()?).map_err(|_| Malformed)?;
        let came_ms = r.u64()?;
        let expires_at = SlotClock(r.u64()?.wrapping_sub(1));
        let (until, session, token) = (SlotClock(r.u64()?), SessionId(r.u64()?), r.u64()?);
        let origin = QueueId(r.u64()?);
        let mut held = Held { deliveries, until, session, token, ..Held::new(&r.bytes()?, priority, came_ms) };
        held.is_dead = origin != QueueId(0);
        held.origin_or_end = if held.is_dead { origin.0 } else { expires_at.0 };
        if held.expires_at() == expires_at { Ok((position, held)) } else { Err(Malformed) }
    }
}
