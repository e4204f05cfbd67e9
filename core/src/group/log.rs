//! The part of the log that is held in memory: all that is not delivered, and a while of what is.
//!
//! Always: `base <= delivered <= committed <= end`, the slots rise by one from `base + 1`, and each
//! digest chains onto the one before it. What is committed is never cut.

use crate::ids::{ClusterId, Configuration, Digest, MemberId, Slot, StoreId};
use crate::store::{SlotRecord, Snapshot};
use crate::time::SlotClock;
use alloc::collections::VecDeque;

use super::content;
use super::notice::Notices;
use crate::electorate::Electorate;

/// How many delivered slots stay in memory, for members that are a little behind.
const KEPT_SLOTS: usize = 1_024;

/// How many bytes of delivered slots stay in memory.
const KEPT_BYTES: usize = 8 << 20;

/// The log in memory.
#[derive(Clone, Debug)]
pub struct Log {
    base: Slot,
    base_digest: Digest,
    base_clock: SlotClock,
    slots: VecDeque<SlotRecord>,
    bytes: usize,
    committed: Slot,
    delivered: Slot,
    notices: Notices,
}

impl Log {
    /// The log of a cluster before its first slot.
    pub fn new(cluster: ClusterId, configuration: Configuration) -> Log {
        Log {
            base: Slot(0),
            base_digest: content::genesis(cluster),
            base_clock: SlotClock(0),
            slots: VecDeque::new(),
            bytes: 0,
            committed: Slot(0),
            delivered: Slot(0),
            notices: Notices::new(Electorate::of(configuration)),
        }
    }

    /// Starts over behind a snapshot. Of the slots above it those stay that chain onto it.
    pub fn rebase(&mut self, snapshot: &Snapshot) {
        assert!(snapshot.slot >= self.committed, "a snapshot never takes back what is committed");
        let chains = self.digest_at(snapshot.slot) == Some(snapshot.digest);
        self.slots.retain(|record| chains && record.slot > snapshot.slot);
        self.bytes = self.slots.iter().map(|record| record.content.len()).sum();
        self.base = snapshot.slot;
        self.base_digest = snapshot.digest;
        self.base_clock = snapshot.clock;
        self.committed = snapshot.slot;
        self.delivered = snapshot.slot;
        self.begin_with(Electorate::of(snapshot.configuration.clone()));
    }

    /// What lies below the base is here again: it says with which clock that ends, and what the configuration is there.
    pub fn follow(&mut self, below: &Log) {
        self.base_clock = below.end_clock();
        self.go_by(below.notices.clone());
    }

    /// The slots that are held do not say what the electorate is: it is this one.
    pub fn begin_with(&mut self, electorate: Electorate) {
        self.go_by(Notices::new(electorate));
    }

    /// What lies below the slots that are held says this.
    fn go_by(&mut self, below: Notices) {
        self.notices = below;
        self.slots.iter().for_each(|record| self.notices.push(record.slot, &record.content));
    }

    /// Appends the next slot.
    pub fn push(&mut self, record: SlotRecord) {
        assert_eq!(record.slot, self.end().next(), "the log has no holes");
        self.bytes += record.content.len();
        self.notices.push(record.slot, &record.content);
        self.slots.push_back(record);
    }

    /// Cuts everything above `keep`; says how many slots that were.
    pub fn truncate(&mut self, keep: Slot) -> u64 {
        assert!(keep >= self.committed, "what is committed is never cut");
        let mut cut = 0;
        while self.end() > keep {
            if let Some(record) = self.slots.pop_back() {
                self.bytes -= record.content.len();
                cut += 1;
            }
        }
        self.notices.truncate(keep);
        cut
    }

    /// Everything up to `slot` is committed.
    pub fn commit(&mut self, slot: Slot) {
        assert!(slot <= self.end(), "only what is held can be committed here");
        self.committed = self.committed.max(slot);
    }

    /// The next committed slot to apply.
    pub fn deliver(&mut self) -> Option<SlotRecord> {
        if self.delivered == self.committed {
            return None;
        }
        self.notices.settle(self.delivered);
        self.delivered = self.delivered.next();
        self.get(self.delivered).cloned()
    }

    /// Forgets old delivered slots that the store has.
    pub fn trim(&mut self, archived: Slot) {
        let last = archived.min(self.delivered);
        while self.base < last {
            let spare = usize::try_from(last.0 - self.base.0).unwrap_or(usize::MAX);
            if spare <= KEPT_SLOTS && self.bytes <= KEPT_BYTES {
                return;
            }
            let Some(record) = self.slots.pop_front() else { return };
            self.bytes -= record.content.len();
            self.base = record.slot;
            self.base_digest = record.digest;
            self.base_clock = record.clock;
        }
    }

    /// The last slot.
    pub fn end(&self) -> Slot {
        self.slots.back().map_or(self.base, |record| record.slot)
    }

    /// The digest at the end.
    pub fn end_digest(&self) -> Digest {
        self.slots.back().map_or(self.base_digest, |record| record.digest)
    }

    /// The clock at the end.
    pub fn end_clock(&self) -> SlotClock {
        self.slots.back().map_or(self.base_clock, |record| record.clock)
    }

    /// Up to where it is committed.
    pub fn committed(&self) -> Slot {
        self.committed
    }

    /// Up to where it was handed to the machine.
    pub fn delivered(&self) -> Slot {
        self.delivered
    }

    /// The last slot that is no longer in memory.
    pub fn base(&self) -> Slot {
        self.base
    }

    /// A slot in memory.
    pub fn get(&self, slot: Slot) -> Option<&SlotRecord> {
        let index = slot.0.checked_sub(self.base.0 + 1)?;
        self.slots.get(usize::try_from(index).ok()?)
    }

    /// The digest at a slot, if it is still known.
    pub fn digest_at(&self, slot: Slot) -> Option<Digest> {
        if slot == self.base { Some(self.base_digest) } else { self.get(slot).map(|record| record.digest) }
    }

    /// The slots in memory from `from` on.
    pub fn from(&self, from: Slot) -> impl Iterator<Item = &SlotRecord> {
        let skip = usize::try_from(from.0.saturating_sub(self.base.0 + 1)).unwrap_or(usize::MAX);
        self.slots.iter().skip(skip)
    }

    /// The electorate by the whole log.
    pub fn electorate(&self) -> &Electorate {
        self.notices.now()
    }

    /// Whether some configuration that this log has proven has a seat for this store.
    pub fn has_seated(&self, member: MemberId, store: StoreId) -> bool {
        self.notices.sealed().any(|sealed| !sealed.is_founding() && sealed.seats(member, store))
    }

    /// The electorate by the slots up to this one, which is not below the last one delivered.
    pub fn electorate_at(&self, slot: Slot) -> Electorate {
        self.notices.at(slot)
    }

    /// The electorate by the slots up to this one, if it is a later one than `known`, and the first slot by which it is.
    pub fn electorate_later_than(&self, known: &Electorate, slot: Slot) -> Option<(Slot, Electorate)> {
        self.notices.later_at(slot, known)
    }

    /// The electorate by a log that keeps the slots up to this one, and has these behind it.
    pub fn electorate_with(&self, keep: Slot, slots: &[SlotRecord]) -> Electorate {
        let mut notices = self.notices.clone();
        notices.truncate(keep);
        slots.iter().for_each(|record| notices.push(record.slot, &record.content));
        notices.now().clone()
    }

    /// Bytes of the slots that are not committed.
    pub fn uncommitted_bytes(&self) -> usize {
        self.from(self.committed.next()).map(|record| record.content.len()).sum()
    }
}
