//! What a simulated disk holds, and what each job does to it once it is durable.
//!
//! Always: the log has no hole; `base <= snapshot <= delivered <= end`, where the snapshot is the
//! newest durable one (or slot 0); a job is in here whole, or an `Append` with its first slots only.

use super::faults::Counts;
use ftq_core::ids::{Ballot, Configuration, Digest, Slot, StoreId, View};
use ftq_core::store::{Condition, Fetch, Fetched, Heard, Job, Mark, Opened, SlotRecord, Snapshot};
use std::collections::VecDeque;

/// A slot that has become durable together with the log view: what a mark may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// The log view.
    pub view: Ballot,
    /// The slot.
    pub slot: Slot,
    /// The chained digest there.
    pub digest: Digest,
}

/// A disk. A clone of it is an old copy of the directory.
#[derive(Clone, Debug)]
pub struct Disk {
    store: StoreId,
    ordinal: u64,
    promise: Ballot,
    view: View,
    configuration: Option<Configuration>,
    snapshot: Option<Snapshot>,
    /// The slot below the first one that is kept.
    base: Slot,
    slots: VecDeque<SlotRecord>,
    delivered: Slot,
    heard: Vec<Heard>,
    facts: Vec<Fact>,
    pub(super) counts: Counts,
}

impl Disk {
    /// A disk that nothing was ever written to.
    pub fn create(store: StoreId) -> Disk {
        Disk {
            store,
            ordinal: 0,
            promise: Ballot::default(),
            view: View::default(),
            configuration: None,
            snapshot: None,
            base: Slot(0),
            slots: VecDeque::new(),
            delivered: Slot(0),
            heard: Vec::new(),
            facts: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// One more record of the journal.
    pub(super) fn record(&mut self) {
        self.ordinal += 1;
    }

    /// The number of the last record.
    pub fn ordinal(&self) -> u64 {
        self.ordinal
    }

    /// Makes a job durable. Of an `Append` only the first `slots_max` slots.
    pub(super) fn apply(&mut self, job: Job, slots_max: usize) {
        match job {
            Job::Append { generation: _, slots } => self.append(slots.into_iter().take(slots_max)),
            Job::Promise { ballot } => {
                self.promise = self.promise.max(ballot);
                self.counts.promises += 1;
            }
            Job::Install { generation: _, view, configuration, keep, slots } => {
                self.install(view, configuration, keep, slots);
            }
            Job::CatchUp { generation: _, slots } => self.catch_up(slots),
            Job::Adopt { generation: _, snapshot } => self.adopt(snapshot),
            Job::Deliver { upto } => self.delivered = self.delivered.max(upto.min(self.end())),
            Job::Snapshot { snapshot } => {
                self.counts.snapshots += 1;
                if snapshot.slot > self.snapshot_slot() {
                    assert!(snapshot.slot <= self.delivered, "a snapshot covers only delivered slots");
                    self.snapshot = Some(snapshot);
                }
            }
            Job::Heard { marks } => self.heard = marks,
            Job::Cut { below } => {
                assert!(below <= self.snapshot_slot().next(), "a snapshot covers what is cut off");
                while self.base.next() < below {
                    self.slots.pop_front();
                    self.base = self.base.next();
                    self.counts.trimmed += 1;
                }
            }
        }
    }

    fn append(&mut self, slots: impl Iterator<Item = SlotRecord>) {
        for record in slots {
            self.facts.push(Fact { view: self.view.ballot, slot: record.slot, digest: record.digest });
            self.counts.appended += 1;
            self.push(record);
        }
    }

    /// All of the log moves to the new view; the facts leave out what was delivered before, which is
    /// committed anyway.
    fn install(&mut self, view: View, configuration: Configuration, keep: Slot, slots: Vec<SlotRecord>) {
        assert!(keep >= self.base, "an install builds on a slot that is there");
        assert!(keep <= self.end(), "an install builds on a slot that is there");
        self.counts.installs += 1;
        self.counts.cut_by_install += self.truncate(keep);
        self.view = view;
        self.configuration = Some(configuration);
        slots.into_iter().for_each(|record| self.push(record));
        let above = self.delivered.next().min(self.end()).max(self.base.next());
        for slot in above.0..=self.end().0 {
            let digest = self.digest_at(Slot(slot)).expect("a slot above the base is there");
            self.facts.push(Fact { view: self.view.ballot, slot: Slot(slot), digest });
        }
    }

    fn catch_up(&mut self, slots: Vec<SlotRecord>) {
        self.counts.catch_ups += 1;
        for record in slots {
            let slot = record.slot;
            if slot > self.base && self.digest_at(slot) != Some(record.digest) {
                self.counts.cut_by_catch_up += self.truncate(slot.previous());
                self.push(record);
            }
            self.delivered = self.delivered.max(slot);
        }
    }

    fn adopt(&mut self, snapshot: Snapshot) {
        assert!(snapshot.slot >= self.delivered, "an adopted snapshot reaches beyond what was delivered");
        self.counts.adopted += 1;
        self.slots.clear();
        self.base = snapshot.slot;
        self.delivered = snapshot.slot;
        self.configuration = Some(snapshot.configuration.clone());
        self.snapshot = Some(snapshot);
    }

    fn push(&mut self, record: SlotRecord) {
        assert_eq!(record.slot, self.end().next(), "slots rise by one");
        self.slots.push_back(record);
    }

    /// Takes out what is above `keep` and says how many slots that were.
    fn truncate(&mut self, keep: Slot) -> u64 {
        let mut cut = 0;
        while self.end() > keep {
            self.slots.pop_back();
            cut += 1;
        }
        if self.delivered > keep {
            self.counts.delivered_cut += self.delivered.0 - keep.0;
            self.delivered = keep;
        }
        cut
    }

    /// The facts that are new since this was asked last. An install that keeps the log states it anew
    /// for its view, from the first slot on that was not delivered. Caught-up slots make no facts:
    /// they count for no view.
    pub fn take_facts(&mut self) -> impl Iterator<Item = Fact> + '_ {
        self.facts.drain(..)
    }

    /// What a replica finds when it opens this disk.
    pub(super) fn opened(&self) -> Opened {
        assert!(self.base <= self.snapshot_slot(), "the log begins above its snapshot");
        assert!(self.snapshot_slot() <= self.delivered && self.delivered <= self.end(), "the log has a hole");
        let above = |from: Slot, upto: Slot| {
            self.slots.range(self.index(from)..self.index(upto)).cloned().collect::<Vec<SlotRecord>>()
        };
        Opened {
            store: self.store,
            promise: self.promise,
            view: self.view.clone(),
            configuration: self.configuration.clone(),
            snapshot: self.snapshot.clone(),
            delivered: above(self.snapshot_slot(), self.delivered),
            tail: above(self.delivered, self.end()),
            condition: Condition::Whole,
            shown: Mark { ordinal: self.ordinal, promise: self.promise, view: self.view.ballot, end: self.end() },
            heard: self.heard.clone(),
        }
    }

    /// Reads something back.
    pub(super) fn fetched(&self, fetch: Fetch) -> Fetched {
        match fetch {
            Fetch::Slots { from, bytes_max } => {
                let mut slots = Vec::new();
                let mut bytes = 0;
                if from > self.base && from <= self.delivered {
                    for record in self.slots.range(self.index(from.previous())..self.index(self.delivered)) {
                        slots.push(record.clone());
                        bytes += record.content.len();
                        if bytes >= bytes_max {
                            break;
                        }
                    }
                }
                Fetched::Slots(slots)
            }
            Fetch::Piece { slot, index } => Fetched::Piece(self.piece(slot, index)),
        }
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

    /// The store's id.
    pub fn store(&self) -> StoreId {
        self.store
    }

    /// The highest durable promise.
    pub fn promise(&self) -> Ballot {
        self.promise
    }

    /// The durable log view.
    pub fn log_view(&self) -> Ballot {
        self.view.ballot
    }

    /// The durable view.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The end of the durable log.
    pub fn end(&self) -> Slot {
        Slot(self.base.0 + self.slots.len() as u64)
    }

    /// The slot below the first one that is kept.
    pub fn base(&self) -> Slot {
        self.base
    }

    /// Up to where the durable log is known to be committed.
    pub fn delivered(&self) -> Slot {
        self.delivered
    }

    /// The slot of the newest durable snapshot, or slot 0.
    pub fn snapshot_slot(&self) -> Slot {
        self.snapshot.as_ref().map_or(Slot(0), |snapshot| snapshot.slot)
    }

    /// The durable chained digest at a slot, if that slot (or the snapshot that ends there) is kept.
    pub fn digest_at(&self, slot: Slot) -> Option<Digest> {
        let kept = slot.0.checked_sub(self.base.0 + 1).and_then(|at| self.slots.get(usize::try_from(at).ok()?));
        let snapshot = self.snapshot.as_ref().filter(|snapshot| snapshot.slot == slot);
        kept.map(|record| record.digest).or(snapshot.map(|snapshot| snapshot.digest))
    }

    /// What has happened to it.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}
