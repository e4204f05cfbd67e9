//! What a simulated disk holds, and what each job does to it once it is durable.
//!
//! Always: in a whole store the accepted slots of the journal follow the delivered ones of the archive, and
//! none is missing between; a job is in here whole, or an `Append`, a `CatchUp` or a `Deliver` with its first
//! slots only.

use super::faults::Counts;
use super::{Archive, Journal, Point};
use ftq_core::chance::Chance;
use ftq_core::ids::{Ballot, Configuration, Digest, Slot, StoreId, View};
use ftq_core::store::{Condition, Fetch, Fetched, Generation, Heard, Job, Opened, SlotRecord, Snapshot};

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
    pub(super) store: StoreId,
    pub(super) journal: Journal,
    pub(super) archive: Archive,
    /// The journal is lost, and nobody has noticed so far.
    pub(super) lost_journal: bool,
    /// A journal was lost, and no view was installed since.
    pub(super) forgetful: bool,
    pub(super) forgotten: bool,
    pub(super) facts: Vec<Fact>,
    pub(super) counts: Counts,
}

impl Disk {
    /// A disk that nothing was ever written to.
    pub fn create(store: StoreId) -> Disk {
        Disk {
            store,
            journal: Journal::default(),
            archive: Archive::default(),
            lost_journal: false,
            forgetful: false,
            forgotten: false,
            facts: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// A disk with a store that begins another cluster, with this promise and this snapshot.
    pub fn begin(store: StoreId, promise: Ballot, snapshot: Snapshot) -> Disk {
        let mut disk = Disk::create(store);
        disk.apply(Job::Promise { ballot: promise }, usize::MAX);
        disk.apply(Job::Adopt { generation: Generation(0), snapshot }, usize::MAX);
        disk
    }

    /// The journal's sync begins with a mark that tells of what was synced before.
    pub(super) fn begin_group(&mut self) {
        self.journal.begin_group(self.archive.end);
    }

    /// Makes a job durable. Of slots only the first `slots_max`.
    pub(super) fn apply(&mut self, job: Job, slots_max: usize) {
        match job {
            Job::Append { generation: _, slots } => {
                self.journal.record(false);
                self.append(slots.into_iter().take(slots_max));
            }
            Job::Promise { ballot } => {
                self.journal.promise = self.journal.promise.max(ballot);
                self.journal.record(true);
                self.counts.promises += 1;
            }
            Job::Electorate { electorate } => {
                self.journal.electorate = Some(electorate);
                self.journal.record(true);
            }
            Job::Install { generation: _, view, configuration, keep, slots } => {
                self.install(view, configuration, keep, slots);
                self.journal.record(true);
                self.forgetful = false;
            }
            Job::CatchUp { generation: _, slots } => {
                self.catch_up(slots.into_iter().take(slots_max).collect());
                self.journal.record(false);
            }
            Job::Adopt { generation: _, snapshot } => {
                self.counts.adopted += 1;
                let configuration = snapshot.configuration.clone();
                self.archive.adopt(snapshot);
                self.rebase(Some(configuration));
                self.journal.record(true);
            }
            Job::Deliver { upto } => self.deliver(upto, slots_max),
            Job::Snapshot { snapshot } => {
                self.counts.snapshots += 1;
                self.archive.save(snapshot);
            }
            Job::Heard { marks } => self.archive.heard = marks,
            Job::Cut { below } => self.counts.trimmed += self.archive.cut(below),
        }
    }

    fn append(&mut self, slots: impl Iterator<Item = SlotRecord>) {
        for record in slots {
            self.facts.push(Fact { view: self.log_view(), slot: record.slot, digest: record.digest });
            self.counts.appended += 1;
            self.journal.push(record);
        }
    }

    /// All of the log moves to the new view; the facts leave out what was delivered before, which is
    /// committed anyway.
    fn install(&mut self, view: View, configuration: Configuration, keep: Slot, slots: Vec<SlotRecord>) {
        assert!(keep >= self.base(), "an install builds on a slot that is there");
        assert!(keep <= self.end(), "an install builds on a slot that is there");
        self.counts.installs += 1;
        self.counts.cut_by_install += self.truncate(keep);
        self.journal.view = view;
        self.journal.configuration = Some(configuration);
        slots.into_iter().for_each(|record| self.journal.push(record));
        let above = self.delivered().next().min(self.end()).max(self.base().next());
        for slot in above.0..=self.end().0 {
            let digest = self.digest_at(Slot(slot)).expect("a slot above the base is there");
            self.facts.push(Fact { view: self.log_view(), slot: Slot(slot), digest });
        }
    }

    /// Slots that others have committed go into the archive, and with them those that were accepted below.
    fn catch_up(&mut self, slots: Vec<SlotRecord>) {
        self.counts.catch_ups += 1;
        let differs = |record: &&SlotRecord| {
            record.slot > self.base() && self.digest_at(record.slot).is_some_and(|digest| digest != record.digest)
        };
        if let Some(slot) = slots.iter().find(differs).map(|record| record.slot) {
            self.counts.cut_by_catch_up += self.truncate(slot.previous());
        }
        let Some(first) = slots.first().map(|first| first.slot) else { return };
        if slots.last().is_some_and(|last| last.slot > self.archive.end.slot) {
            self.deliver(first.previous(), usize::MAX);
        }
        for record in slots {
            if record.slot > self.archive.end.slot {
                self.archive.push(record);
            }
        }
        self.rebase(None);
    }

    /// Accepted slots up to `upto` move into the archive, at most so many.
    fn deliver(&mut self, upto: Slot, slots_max: usize) {
        let end = self.archive.end.slot;
        let accepted = self.journal.above(end).take_while(|record| record.slot <= upto).take(slots_max);
        accepted.cloned().collect::<Vec<_>>().into_iter().for_each(|record| self.archive.push(record));
    }

    /// The journal follows an archive that did not grow out of it. If nothing accepted chains onto an adopted
    /// snapshot, the cluster is the snapshot's.
    fn rebase(&mut self, adopted: Option<Configuration>) {
        let reaches_beyond = self.archive.end.slot > self.journal.base.slot;
        self.counts.cut_by_rebase += self.journal.rebase(self.archive.end);
        let is_empty = self.journal.end() == self.journal.base.slot;
        if let Some(configuration) = adopted.filter(|_| reaches_beyond && is_empty) {
            self.journal.configuration = Some(configuration);
        }
    }

    /// Takes out what is above `keep` and says how many slots that were.
    fn truncate(&mut self, keep: Slot) -> u64 {
        let accepted = self.journal.end().0.saturating_sub(keep.0.max(self.archive.end.slot.0));
        let delivered = if self.is_hollow() { 0 } else { self.archive.truncate(keep) };
        self.counts.delivered_cut += delivered;
        if delivered > 0 {
            self.journal.retreat(self.archive.end);
        }
        self.journal.truncate(keep);
        accepted + delivered
    }

    /// What a store notices when it opens this disk: what was lost, and what the two parts say of each other.
    pub(super) fn notice(&mut self, chance: &mut Chance) {
        if std::mem::take(&mut self.lost_journal) {
            self.store = StoreId(chance.bytes16());
            self.forgetful = true;
        }
        if !self.is_hollow() {
            self.rebase(None);
        }
        self.journal.settle();
    }

    /// The facts that are new since this was asked last. An install that keeps the log states it anew
    /// for its view, from the first slot on that was not delivered. Caught-up slots make no facts:
    /// they count for no view.
    pub fn take_facts(&mut self) -> impl Iterator<Item = Fact> + '_ {
        self.facts.drain(..)
    }

    /// What a replica finds when it opens this disk.
    pub(super) fn opened(&self) -> Opened {
        let snapshot = self.archive.snapshot.clone();
        let known = self.journal.configuration.clone();
        Opened {
            store: self.store,
            promise: self.journal.promise,
            view: self.journal.view.clone(),
            configuration: known.or_else(|| snapshot.as_ref().map(|snapshot| snapshot.configuration.clone())),
            electorate: self.journal.electorate.clone(),
            delivered: self.archive.above(self.snapshot_slot()).cloned().collect(),
            tail: self.journal.above(self.archive.end.slot).cloned().collect(),
            snapshot,
            condition: self.condition(),
            shown: self.journal.shown(),
            heard: self.archive.heard.clone(),
        }
    }

    /// Reads something back.
    pub(super) fn fetched(&self, fetch: Fetch) -> Fetched {
        self.archive.fetched(fetch)
    }

    /// What has become of it.
    pub fn condition(&self) -> Condition {
        let Point { slot, digest } = self.journal.base;
        if self.is_hollow() {
            Condition::Hollow { base: slot, digest }
        } else if self.forgetful || self.lost_journal {
            Condition::Forgetful
        } else {
            Condition::Whole
        }
    }

    /// Whether the archive ends below what the journal builds on.
    fn is_hollow(&self) -> bool {
        self.archive.end.slot < self.journal.base.slot
    }

    /// Whether it has ever held less than what it had said was durable: its member counts against the fault
    /// budget, until the cluster has admitted or rebuilt it and says so by [`Disk::forgive`].
    pub fn has_forgotten(&self) -> bool {
        self.forgotten
    }

    /// The cluster counts on this disk again.
    pub fn forgive(&mut self) {
        self.forgotten = false;
    }

    /// The number of the journal's last record.
    pub fn ordinal(&self) -> u64 {
        self.journal.ordinal
    }

    /// What it has written down of other stores.
    pub fn heard(&self) -> &[Heard] {
        &self.archive.heard
    }

    /// The store's id.
    pub fn store(&self) -> StoreId {
        self.store
    }

    /// The highest durable promise.
    pub fn promise(&self) -> Ballot {
        self.journal.promise
    }

    /// The durable log view.
    pub fn log_view(&self) -> Ballot {
        self.journal.view.ballot
    }

    /// The configuration as of the durable view, if there is one.
    pub fn configuration(&self) -> Option<&Configuration> {
        self.journal.configuration.as_ref()
    }

    /// The durable view.
    pub fn view(&self) -> &View {
        &self.journal.view
    }

    /// The end of the durable log.
    pub fn end(&self) -> Slot {
        self.journal.end().max(self.archive.end.slot)
    }

    /// The slot below the first one from which on everything up to the end is kept.
    pub fn base(&self) -> Slot {
        if self.is_hollow() { self.journal.base.slot } else { self.archive.base() }
    }

    /// Up to where the durable log is known to be committed, as far as it is here.
    pub fn delivered(&self) -> Slot {
        self.archive.end.slot
    }

    /// The slot of the newest durable snapshot, or slot 0.
    pub fn snapshot_slot(&self) -> Slot {
        self.archive.snapshot_point().slot
    }

    /// How many slots are accepted and not delivered.
    pub(super) fn accepted(&self) -> u64 {
        self.end().0 - self.delivered().max(self.journal.base.slot).0
    }

    /// The durable chained digest at a slot, if that slot (or the snapshot that ends there) is kept.
    pub fn digest_at(&self, slot: Slot) -> Option<Digest> {
        let accepted = Some(slot).filter(|slot| *slot > self.journal.base.slot);
        self.archive.digest_at(slot).or_else(|| self.journal.digest_at(accepted?))
    }

    /// What has happened to it.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}
