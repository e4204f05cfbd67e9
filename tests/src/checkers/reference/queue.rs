//! A queue as a newcomer would write it: a list of items.

use bytes::Bytes;
use ftq_core::machine::queues::{BATCH_ITEMS_MAX, Error, Label, NUMBER_MAX, QueueId, Settings, Size, Totals};
use ftq_core::session::message::SessionId;
use ftq_core::time::SlotClock;

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    Delayed { until: SlotClock },
    Leased { session: SessionId, token: u64, until: SlotClock },
}

/// An item.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) position: u64,
    pub(super) priority: u8,
    pub(super) came_ms: u64,
    pub(super) item: Bytes,
    pub(super) deliveries: u64,
    pub(super) expires: Option<SlotClock>,
    pub(super) state: State,
    pub(super) origin: Option<QueueId>,
    /// Nothing is known of it but its place.
    pub(super) plain: bool,
}

/// A queue: its items by rising position.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) label: Label,
    pub(super) settings: Settings,
    pub(super) paused: bool,
    pub(super) last: u64,
    pub(super) items: Vec<Item>,
    pub(super) keys: Vec<(Label, u64, u64, SlotClock)>,
    pub(super) totals: Totals,
}

impl Queue {
    /// What is ready, in the order in which it goes out.
    pub(super) fn in_order(&self) -> Vec<&Item> {
        let mut ready: Vec<&Item> = self.items.iter().filter(|item| item.state == State::Ready).collect();
        ready.sort_by_key(|item| (item.priority, item.position));
        ready
    }

    pub(super) fn at(&self, position: u64) -> usize {
        self.items.iter().position(|item| item.position == position).expect("an item that was found")
    }

    pub(super) fn size(&self) -> Size {
        let leased = self.items.iter().filter(|item| matches!(item.state, State::Leased { .. })).count() as u64;
        let delayed = self.items.iter().filter(|item| matches!(item.state, State::Delayed { .. })).count() as u64;
        Size { ready: self.items.len() as u64 - leased - delayed, leased, delayed }
    }

    /// Whether so much more may come in.
    pub(super) fn takes(&self, count: u64, bytes: u64) -> Result<(), Error> {
        let has: u64 = self.items.iter().map(|item| item.item.len() as u64).sum();
        let full = self.settings.items_max.is_some_and(|max| self.items.len() as u64 + count > max)
            || self.settings.bytes_max.is_some_and(|max| has + bytes > max);
        if full {
            return Err(Error::QueueFull);
        }
        if count > NUMBER_MAX - self.last { Err(Error::NumberExhausted) } else { Ok(()) }
    }
}

impl Item {
    pub(super) fn due(&self) -> Option<SlotClock> {
        match self.state {
            State::Ready => self.expires,
            State::Delayed { until } => Some(self.expires.map_or(until, |expires| until.min(expires))),
            State::Leased { until, .. } => Some(until),
        }
    }
}

/// The items of an answer: how long it may be, and the bytes of the items so far.
pub(super) struct Room {
    most: usize,
    items: Vec<usize>,
}

impl Room {
    /// What an answer may have that is no longer than this.
    pub(super) fn of(most: usize) -> Room {
        Room { most, items: Vec::new() }
    }

    /// What an answer may have that nobody keeps.
    pub(super) fn unkept() -> Room {
        Room::of(usize::MAX)
    }

    /// Whether one more fits, which is then in.
    pub(super) fn fits(&mut self, bytes: usize) -> bool {
        let with: usize = self.items.iter().sum::<usize>() + bytes + 32;
        let fits = with <= self.most.saturating_sub(32) && (self.items.is_empty() || with <= 48 << 10);
        if fits {
            self.items.push(bytes + 32);
        }
        fits
    }
}

pub(super) fn counted(count: u64) -> Result<usize, Error> {
    usize::try_from(count).ok().filter(|count| (1..=BATCH_ITEMS_MAX).contains(count)).ok_or(Error::BadCount)
}
