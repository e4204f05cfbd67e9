//! One queue: its label, its settings, its items and their positions.
//!
//! ```text
//!            ┌───────────── ready ─────────────┐      take       ┌────────┐  ack
//! push ────▶ │ plain: backlogs by priority     │ ──────────────▶ │ leased │ ─────▶ gone
//!   │        │ held: came back, dead letter,   │ ◀────────────── └────────┘
//!   │        │       has a time to live        │  nack, lease      │    │ too many deliveries
//!   │        └─────────────────────────────────┘  is over          │    └────▶ dead letter elsewhere
//!   │ delay  ┌─────────┐      ▲                   nack with delay  │
//!   └──────▶ │ delayed │ ─────┘ ◀─────────────────────────────────-┘
//!            └─────────┘
//! ```
//!
//! Positions count the items of the queue from 1 and are never used again. What is ready goes out by
//! rising (priority, position), whether it is kept plain or held, so an item that comes back has its
//! old place. What the queue adds to the digest is kept, so that ending it is O(1) for the digest.

use super::answer::{Delivery, Seen, Size, Statistics, Totals};
use super::backlog::{Backlog, Stamp};
use super::digest::{self, Sum};
use super::held::{Held, State};
use super::keys::Keys;
use super::label::{Label, QueueId, Receipt};
use super::limits::{HELD_CHARGE, ITEM_CHARGE, PRIORITIES, QUEUE_CHARGE};
use super::options::Settings;
use super::room::Room;
use crate::machine::stretches::Stretches;
use crate::session::message::SessionId;
use crate::time::SlotClock;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

/// One queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) id: QueueId,
    pub(super) label: Label,
    label_hash: u128,
    pub(super) settings: Settings,
    pub(super) paused: bool,
    /// The position of the next item.
    pub(super) next: u64,
    pub(super) totals: Totals,
    pub(super) keys: Keys,
    /// The plain items, by rising priority; mostly one level, which may be empty.
    pub(super) levels: Vec<Level>,
    pub(super) ready: BTreeMap<(u8, u64), Box<Held>>,
    pub(super) delayed: BTreeMap<u64, Box<Held>>,
    pub(super) leased: BTreeMap<u64, Box<Held>>,
    /// When something has to be done about a held item, and its position.
    due: BTreeSet<(SlotClock, u64)>,
    /// For snapshots: of the held items, by state, those that are ready by priority too.
    pub(super) stretches: Stretches<(State, u8, u64)>,
    pub(super) plain: Portion,
    pub(super) held: Portion,
}

/// The plain items of one priority.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) priority: u8,
    pub(super) backlog: Backlog,
}

/// What is known of many items, so that nobody has to walk them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Portion {
    pub(super) count: u64,
    bytes: u64,
    sum: Sum,
}

/// The item that goes out next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front {
    priority: u8,
    position: u64,
    bytes: usize,
    plain: bool,
}

/// A lease that begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) session: SessionId,
    pub(super) until: SlotClock,
    pub(super) token: u64,
}

impl Queue {
    /// A queue without items.
    pub(super) fn new(id: QueueId, label: Label) -> Queue {
        Queue {
            id,
            label_hash: xxh3_128(label.as_bytes()),
            label,
            settings: Settings::default(),
            paused: false,
            next: 1,
            totals: Totals::default(),
            keys: Keys::default(),
            levels: Vec::new(),
            ready: BTreeMap::new(),
            delayed: BTreeMap::new(),
            leased: BTreeMap::new(),
            due: BTreeSet::new(),
            stretches: Stretches::default(),
            plain: Portion::default(),
            held: Portion::default(),
        }
    }

    /// Puts a plain item at the end of its priority.
    pub(super) fn push(&mut self, priority: u8, came_ms: u64, item: &[u8]) {
        let stamp = Stamp { position: self.next, came_ms };
        self.next += 1;
        self.totals.pushed += 1;
        self.plain.add(item.len(), digest::item(self.id, stamp.position, priority, came_ms, item));
        self.level(priority).push(stamp, item);
    }

    /// Puts an item at the end of which more is known.
    pub(super) fn push_held(&mut self, state: State, held: Box<Held>) {
        let position = self.next;
        self.next += 1;
        self.totals.pushed += 1;
        self.place(state, position, held);
    }

    /// Takes the item that goes out next for good.
    pub(super) fn pop(&mut self, front: Front) -> (u64, Bytes) {
        self.totals.popped += 1;
        if front.plain {
            let (stamp, item) = self.pop_plain(front.priority);
            return (stamp.position, item);
        }
        let held = self.lift(State::Ready, front.priority, front.position).expect("what is in front is there");
        (front.position, Bytes::from(held.item))
    }

    /// Gives the item that goes out next out under a lease.
    pub(super) fn take(&mut self, front: Front, lease: Lease) -> Delivery {
        let (mut held, item) = if front.plain {
            let (stamp, item) = self.pop_plain(front.priority);
            (Box::new(Held::new(&item, front.priority, stamp.came_ms)), item)
        } else {
            let held = self.lift(State::Ready, front.priority, front.position).expect("what is in front is there");
            let item = Bytes::copy_from_slice(&held.item);
            (held, item)
        };
        held.deliveries = held.deliveries.saturating_add(1);
        (held.session, held.until, held.token) = (lease.session, lease.until, lease.token);
        let deliveries = u64::from(held.deliveries);
        self.place(State::Leased, front.position, held);
        Delivery { receipt: Receipt { position: front.position, token: lease.token }, deliveries, item }
    }

    /// Puts a held item into a state.
    pub(super) fn place(&mut self, state: State, position: u64, held: Box<Held>) {
        self.held.add(held.item.len(), held.sum(self.id, position, state));
        self.touch(state, held.priority, position);
        if let Some(at) = held.due(state) {
            self.due.insert((at, position));
        }
        let before = match state {
            State::Ready => self.ready.insert((held.priority, position), held),
            State::Delayed => self.delayed.insert(position, held),
            State::Leased => self.leased.insert(position, held),
        };
        assert!(before.is_none(), "position {position} is in queue {} once", self.id);
    }

    /// Takes a held item out of a state.
    pub(super) fn lift(&mut self, state: State, priority: u8, position: u64) -> Option<Box<Held>> {
        let held = match state {
            State::Ready => self.ready.remove(&(priority, position)),
            State::Delayed => self.delayed.remove(&position),
            State::Leased => self.leased.remove(&position),
        }?;
        self.held.take(held.item.len(), held.sum(self.id, position, state));
        self.touch(state, held.priority, position);
        if let Some(at) = held.due(state) {
            self.due.remove(&(at, position));
        }
        Some(held)
    }

    /// Drops what is ready or delayed; how many items.
    pub(super) fn purge(&mut self) -> u64 {
        let mut purged = core::mem::take(&mut self.plain).count;
        self.levels = Vec::new();
        while let Some((priority, position)) = self.ready.first_key_value().map(|(key, _)| *key) {
            purged += u64::from(self.lift(State::Ready, priority, position).is_some());
        }
        while let Some(position) = self.delayed.first_key_value().map(|(key, _)| *key) {
            purged += u64::from(self.lift(State::Delayed, 0, position).is_some());
        }
        self.totals.purged += purged;
        purged
    }

    /// The item that goes out next.
    pub(super) fn front(&self) -> Option<Front> {
        let plain = self.levels.iter().find_map(|level| {
            let (stamp, bytes) = level.backlog.front()?;
            Some(Front { priority: level.priority, position: stamp.position, bytes, plain: true })
        });
        let held = self.ready.first_key_value().map(|((priority, position), held)| Front {
            priority: *priority,
            position: *position,
            bytes: held.item.len(),
            plain: false,
        });
        plain.into_iter().chain(held).min_by_key(|front| (front.priority, front.position))
    }

    /// The item that goes out next, left in place.
    pub(super) fn top(&self) -> Option<(u64, Bytes)> {
        let front = self.front()?;
        let item = if front.plain {
            self.levels.iter().find_map(|level| level.backlog.peek())?.1
        } else {
            Bytes::copy_from_slice(&self.ready.get(&(front.priority, front.position))?.item)
        };
        Some((front.position, item))
    }

    /// What is ready behind a place, in its order: at most so many items, and no more bytes than an
    /// answer holds.
    pub(super) fn browse(&self, after: (u8, u64), count: usize) -> Vec<Seen> {
        let mut all = Vec::new();
        for priority in after.0..PRIORITIES {
            let behind = if priority == after.0 { after.1 } else { 0 };
            let mut level = self.browse_level(priority, behind, count - all.len());
            level.sort_by_key(|seen| seen.position);
            all.append(&mut level);
            if all.len() >= count {
                break;
            }
        }
        let mut room = Room::unkept();
        all.into_iter().take(count).take_while(|seen| room.fits(seen.item.len())).collect()
    }

    /// The first items of one priority: as many of the held ones and of the plain ones as may be wanted, and
    /// of each the first that does not fit any more.
    fn browse_level(&self, priority: u8, behind: u64, count: usize) -> Vec<Seen> {
        let mut level = Vec::new();
        let mut room = Room::unkept();
        for ((_, position), held) in self.ready.range((priority, behind.saturating_add(1))..=(priority, u64::MAX)) {
            let (deliveries, item) = (u64::from(held.deliveries), Bytes::copy_from_slice(&held.item));
            level.push(Seen { priority, position: *position, deliveries, item });
            if level.len() == count || !room.fits(held.item.len()) {
                break;
            }
        }
        let (mut room, most) = (Room::unkept(), level.len() + count);
        if let Some(found) = self.levels.iter().find(|level| level.priority == priority) {
            found.backlog.scan(behind, |stamp, item| {
                let (position, item) = (stamp.position, Bytes::copy_from_slice(item));
                let fits = room.fits(item.len());
                level.push(Seen { priority, position, deliveries: 0, item });
                fits && level.len() < most
            });
        }
        level
    }

    /// The first held item that something is due for, up to this moment.
    pub(super) fn due_by(&self, at: SlotClock) -> Option<u64> {
        self.due.first().filter(|(due, _)| *due <= at).map(|(_, position)| *position)
    }

    /// When something is due.
    pub(super) fn due(&self) -> Option<SlotClock> {
        self.due.first().map(|(at, _)| *at).into_iter().chain(self.keys.due()).min()
    }

    /// The state that a position is held in, with its priority.
    pub(super) fn state_of(&self, position: u64) -> Option<(State, u8)> {
        if let Some(held) = self.leased.get(&position) {
            return Some((State::Leased, held.priority));
        }
        if let Some(held) = self.delayed.get(&position) {
            return Some((State::Delayed, held.priority));
        }
        let mut priorities = 0..PRIORITIES;
        priorities.find(|priority| self.ready.contains_key(&(*priority, position))).map(|found| (State::Ready, found))
    }

    /// How many items there are, in every state.
    pub(super) fn len(&self) -> u64 {
        self.plain.count + self.held.count
    }

    /// How many bytes they have.
    pub(super) fn bytes(&self) -> u64 {
        self.plain.bytes + self.held.bytes
    }

    /// How many items there are.
    pub(super) fn size(&self) -> Size {
        let (leased, delayed) = (self.leased.len() as u64, self.delayed.len() as u64);
        Size { ready: self.plain.count + self.ready.len() as u64, leased, delayed }
    }

    /// How it is, with so many that wait.
    pub(super) fn statistics(&self, waiting: u64, clock: SlotClock) -> Statistics {
        Statistics {
            label: self.label.clone(),
            size: self.size(),
            waiting,
            bytes: self.bytes(),
            oldest_ms: self.oldest().map(|came_ms| (clock.0 / 1_000).saturating_sub(came_ms)),
            paused: self.paused,
            totals: self.totals,
            settings: self.settings.clone(),
        }
    }

    /// What it adds to the sum of all elements.
    pub(super) fn sum(&self) -> Sum {
        let mut numbers = [0; 15];
        (numbers[0], numbers[1], numbers[2]) = (self.id.0, self.next, u64::from(self.paused));
        numbers[3..10].copy_from_slice(&self.totals.numbers());
        let optional = |number: Option<u64>| number.unwrap_or(0);
        numbers[10] = optional(self.settings.items_max);
        numbers[11] = optional(self.settings.bytes_max);
        numbers[12] = optional(self.settings.deliveries_max);
        numbers[13] = optional(self.settings.dead_letters.map(|queue| queue.0));
        numbers[14] = self.settings.key_window_ms;
        let mut sum = digest::queue(numbers, self.label_hash);
        sum += self.plain.sum;
        sum += self.held.sum;
        sum += self.keys.sum();
        sum
    }

    /// What it is charged.
    pub(super) fn charge(&self) -> u64 {
        let items = self.plain.count * ITEM_CHARGE + self.held.count * HELD_CHARGE + self.bytes();
        charge_of_queue(&self.label) + items + self.keys.charge()
    }

    fn pop_plain(&mut self, priority: u8) -> (Stamp, Bytes) {
        let at = self.levels.iter().position(|level| level.priority == priority).expect("a level for what is in front");
        let (stamp, item) = self.levels[at].backlog.pop().expect("what is in front is there");
        self.plain.take(item.len(), digest::item(self.id, stamp.position, priority, stamp.came_ms, &item));
        if self.levels.len() > 1 && self.levels[at].backlog.is_empty() {
            self.levels.remove(at);
        }
        (stamp, item)
    }

    fn level(&mut self, priority: u8) -> &mut Backlog {
        let at = self.levels.partition_point(|level| level.priority < priority);
        if self.levels.get(at).is_none_or(|level| level.priority > priority) {
            // One that is empty makes room, so that there is no second empty one.
            self.levels.retain(|level| !level.backlog.is_empty());
            let at = self.levels.partition_point(|level| level.priority < priority);
            self.levels.insert(at, Level { priority, backlog: Backlog::default() });
            return &mut self.levels[at].backlog;
        }
        &mut self.levels[at].backlog
    }

    /// When the oldest item that is ready came; positions rise with time.
    fn oldest(&self) -> Option<u64> {
        let plain = self.levels.iter().filter_map(|level| level.backlog.front().map(|(stamp, _)| stamp));
        let held = (0..PRIORITIES).filter_map(|priority| {
            let ((_, position), held) = self.ready.range((priority, 0)..=(priority, u64::MAX)).next()?;
            Some(Stamp { position: *position, came_ms: held.came_ms })
        });
        plain.chain(held).min_by_key(|stamp| stamp.position).map(|stamp| stamp.came_ms)
    }
}

impl Portion {
    pub(super) fn add(&mut self, bytes: usize, sum: Sum) {
        self.count += 1;
        self.bytes += bytes as u64;
        self.sum += sum;
    }

    fn take(&mut self, bytes: usize, sum: Sum) {
        self.count -= 1;
        self.bytes -= bytes as u64;
        self.sum -= sum;
    }
}

impl Front {
    /// How long the item is.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What a queue with this label is charged before it has items.
pub(super) fn charge_of_queue(label: &Label) -> u64 {
    QUEUE_CHARGE + label.as_bytes().len() as u64
}
