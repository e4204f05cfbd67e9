//! The keys of a queue's pushes, each for a while: what was pushed under it is not pushed again.

use super::digest::{self, Sum};
use super::label::{Label, QueueId};
use super::limits::KEY_CHARGE;
use super::snapshot::{begins_stretch, stretch};
use crate::machine::stretches::{Budget, Stretches, between};
use crate::time::SlotClock;
use crate::wire::{Malformed, Reader, Writer};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bytes::Bytes;

/// What was pushed under a key, and until when the key is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keyed {
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) until: SlotClock,
}

/// The keys that a queue knows.
#[derive(Debug, Default)]
pub(super) struct Keys {
    keys: BTreeMap<Label, Keyed>,
    due: BTreeSet<(SlotClock, Label)>,
    /// For snapshots.
    stretches: Stretches<Option<Label>>,
    bytes: u64,
    sum: Sum,
}

impl Keys {
    /// Takes a new key in.
    pub(super) fn insert(&mut self, queue: QueueId, key: Label, keyed: Keyed) {
        self.sum += digest::key(queue, &key, keyed.first, keyed.count, keyed.until.0);
        self.bytes += key.as_bytes().len() as u64;
        self.due.insert((keyed.until, key.clone()));
        self.stretches.begin(&key, begins_stretch(&key));
        let before = self.keys.insert(key, keyed);
        assert!(before.is_none(), "a key that is known is not taken in again");
    }

    /// Forgets the first key that is due at this moment; whether there was one.
    pub(super) fn forget(&mut self, queue: QueueId, at: SlotClock) -> bool {
        let Some((until, key)) = self.due.first().filter(|(until, _)| *until <= at).cloned() else { return false };
        let keyed = self.keys.remove(&key).expect("a key for each entry");
        self.due.remove(&(until, key.clone()));
        self.stretches.end(&key);
        self.bytes -= key.as_bytes().len() as u64;
        self.sum -= digest::key(queue, &key, keyed.first, keyed.count, until.0);
        true
    }

    /// What was pushed under this key.
    pub(super) fn find(&self, key: &Label) -> Option<Keyed> {
        self.keys.get(key).copied()
    }

    /// When the next one is forgotten.
    pub(super) fn due(&self) -> Option<SlotClock> {
        self.due.first().map(|(until, _)| *until)
    }

    /// What they add to the digest.
    pub(super) fn sum(&self) -> Sum {
        self.sum
    }

    /// What they are charged.
    pub(super) fn charge(&self) -> u64 {
        self.keys.len() as u64 * KEY_CHARGE + self.bytes
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.keys.len() as u64
    }

    /// For a snapshot: all of them.
    pub(super) fn write(&self, w: &mut Writer) {
        self.keys.iter().for_each(|(key, keyed)| keyed.write(key, w));
    }

    /// For a snapshot: all of them, in pieces.
    pub(super) fn pieces(&mut self, budget: &mut Budget) -> Vec<Bytes> {
        let keys = &self.keys;
        self.stretches.pieces(budget, |from, upto| {
            stretch(|w| keys.range::<Label, _>(between(from, upto)).for_each(|(key, keyed)| keyed.write(key, w)))
        })
    }

    /// Reads one that was written; they come by rising key.
    pub(super) fn read(&mut self, queue: QueueId, r: &mut Reader) -> Result<(), Malformed> {
        let key = Label::read(r)?;
        if self.keys.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(Malformed);
        }
        self.insert(queue, key, Keyed { first: r.u64()?, count: r.u64()?, until: SlotClock(r.u64()?) });
        Ok(())
    }
}

impl Keyed {
    fn write(&self, key: &Label, w: &mut Writer) {
        w.bytes(key.as_bytes()).u64(self.first).u64(self.count).u64(self.until.0);
    }
}

/// What a key is charged.
pub(super) fn charge_of_key(key: &Label) -> u64 {
    KEY_CHARGE + key.as_bytes().len() as u64
}
