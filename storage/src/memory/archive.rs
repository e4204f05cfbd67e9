//! The archive of a simulated disk: what is delivered.
//!
//! Always: the log has no hole; `base <= snapshot <= end`, where the snapshot is the newest one (or slot 0).

use super::journal::Point;
use ftq_core::ids::{Digest, Slot};
use ftq_core::store::{Fetch, Fetched, Heard, SlotRecord, Snapshot};
use std::collections::VecDeque;

/// Delivered slots and the newest snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Archive {
    pub(super) snapshot: Option<Snapshot>,
    /// The slot below the first one that is kept.
    base: Slot,
    slots: VecDeque<SlotRecord>,
    pub(super) end: Point,
    pub(super) heard: Vec<Heard>,
}

impl Archive {
    /// A delivered slot right behind the end.
    pub(super) fn push(&mut self, record: SlotRecord) {
        assert_eq!(record.slot, self.end.slot.next(), "delivered slots rise by one");
        self.end = Point { slot: record.slot, digest: record.digest };
        self.slots.push_back(record);
    }

    /// Takes out what is above `keep`, and says how many slots that were. Nothing should ever do that.
    pub(super) fn truncate(&mut self, keep: Slot) -> u64 {
        let before = self.slots.len();
        while self.end.slot > keep && self.slots.pop_back().is_some() {
            let end = self.slots.back().map(|last| Point { slot: last.slot, digest: last.digest });
            self.end = end.unwrap_or_else(|| self.snapshot_point());
        }
        (before - self.slots.len()) as u64
    }

    /// This replica's own snapshot, if it is newer.
    pub(super) fn save(&mut self, snapshot: Snapshot) {
        if snapshot.slot > self.snapshot_point().slot {
            assert!(snapshot.slot <= self.end.slot, "a snapshot covers only delivered slots");
            self.snapshot = Some(snapshot);
        }
    }

    /// Another replica's snapshot, which replaces everything.
    pub(super) fn adopt(&mut self, snapshot: Snapshot) {
        assert!(snapshot.slot >= self.end.slot, "an adopted snapshot reaches beyond what was delivered");
        self.slots.clear();
        self.base = snapshot.slot;
        self.end = Point { slot: snapshot.slot, digest: snapshot.digest };
        self.snapshot = Some(snapshot);
    }

    /// Gives up slots below `below` and says how many.
    pub(super) fn cut(&mut self, below: Slot) -> u64 {
        assert!(below <= self.snapshot_point().slot.next(), "a snapshot covers what is cut off");
        let before = self.slots.len();
        while self.base.next() < below && self.slots.pop_front().is_some() {
            self.base = self.base.next();
        }
        (before - self.slots.len()) as u64
    }

    /// The slot below the first one that is kept.
    pub(super) fn base(&self) -> Slot {
        self.base
    }

    /// Where the newest snapshot ends, or slot 0.
    pub(super) fn snapshot_point(&self) -> Point {
        self.snapshot
            .as_ref()
            .map_or(Point::default(), |snapshot| Point { slot: snapshot.slot, digest: snapshot.digest })
    }

    /// The delivered slots above `slot`, which is not below `base`.
    pub(super) fn above(&self, slot: Slot) -> impl Iterator<Item = &SlotRecord> {
        self.slots.range(self.index(slot)..)
    }

    /// The digest of a slot that is kept, or at which the snapshot ends.
    pub(super) fn digest_at(&self, slot: Slot) -> Option<Digest> {
        let kept = slot.0.checked_sub(self.base.0 + 1).and_then(|at| self.slots.get(usize::try_from(at).ok()?));
        let snapshot = self.snapshot.as_ref().filter(|snapshot| snapshot.slot == slot);
        kept.map(|record| record.digest).or(snapshot.map(|snapshot| snapshot.digest))
    }

    /// Reads something back.
    pub(super) fn fetched(&self, fetch: Fetch) -> Fetched {
        match fetch {
            Fetch::Slots { from, bytes_max } => Fetched::Slots(self.from(from, bytes_max)),
            Fetch::Oldest { bytes_max } => Fetched::Slots(self.from(self.base.next(), bytes_max)),
            Fetch::Piece { slot, index } => Fetched::Piece(self.piece(slot, index)),
        }
    }

    fn from(&self, from: Slot, bytes_max: usize) -> Vec<SlotRecord> {
        let mut slots = Vec::new();
        let mut bytes = 0;
        if from > self.base && from <= self.end.slot {
            for record in self.above(from.previous()) {
                slots.push(record.clone());
                bytes += record.content.len();
                if bytes >= bytes_max {
                    break;
                }
            }
        }
        slots
    }

    fn piece(&self, slot: Slot, index: u32) -> Option<(Snapshot, u32, bytes::Bytes)> {
        let snapshot = self.snapshot.as_ref().filter(|snapshot| snapshot.slot == slot)?;
        let piece = snapshot.pieces.get(usize::try_from(index).ok()?)?.clone();
        let count = u32::try_from(snapshot.pieces.len()).ok()?;
        let head = Snapshot {
            configuration: snapshot.configuration.clone(),
            positions: snapshot.positions.clone(),
            pieces: Vec::new(),
            ..*snapshot
        };
        Some((head, count, piece))
    }

    /// How many of the slots that are kept are at or below `slot`.
    fn index(&self, slot: Slot) -> usize {
        usize::try_from(slot.0 - self.base.0).expect("an index into memory")
    }
}
