//! What the newest snapshot of a replica is, and one that is taken because somebody asks: `[68, …]`, `[69, …]`.
//!
//! A snapshot costs what has changed since the last one. It is of what was applied last, at this replica alone: the
//! log below it goes when all take theirs, at the slots where they do so by themselves (RULES S17).

use super::fields::{FIELDS_MAX, id, member};
use super::{Asking, Replica, SNAPSHOT, TAKE_SNAPSHOT};
use crate::ids::{Digest, MemberId, Slot};
use crate::machine::Machine;
use crate::pack::{Packer, Unpacker};
use crate::session::message::{Refusal, RequestName};
use crate::store::{SlotRecord, Snapshot};
use crate::time::{SlotClock, Span, Time};
use crate::wire::Malformed;
use alloc::vec::Vec;
use bytes::Bytes;

/// How many clients may wait for a snapshot to be durable.
const TAKERS_MAX: usize = 16;

/// After this a snapshot may be possible that was not: others may have fetched the last one.
const LATER: Refusal = Refusal::Busy { after_ms: 250 };

/// The newest snapshot of a replica, and what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotSeen {
    /// Who answers.
    pub me: MemberId,
    /// The last slot that is applied.
    pub applied: Slot,
    /// The slot of the newest snapshot; 0 while there is none.
    pub slot: Slot,
    /// The slot of the newest one that is durable: it lies below `slot` while that is being written.
    pub durable: Slot,
    /// The chained digest of the log at `slot`.
    pub digest: Digest,
    /// The digest of the state there.
    pub state: Digest,
    /// How old it is by the log's clock, which stands still without a quorum.
    pub age_ms: u64,
    /// In how many pieces it is kept.
    pub pieces: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// By itself a replica takes one at every slot that this divides.
    pub every: u64,
}

/// What came of asking for a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotTaken {
    /// One at this slot is durable.
    Taken(Slot),
    /// The newest one is of this slot, and nothing was applied since.
    AlreadyThere(Slot),
}

/// What is known of the newest snapshot without reading it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::replica) struct Outline {
    slot: Slot,
    digest: Digest,
    state: Digest,
    clock: SlotClock,
    pieces: u64,
    bytes: u64,
}

/// A client that waits for a snapshot to be durable.
#[derive(Clone, Copy, Debug)]
pub(in crate::replica) struct Taking {
    asking: Asking,
    slot: Slot,
    until: Time,
}

impl Outline {
    /// What there is to say of this snapshot.
    pub(in crate::replica) fn of(snapshot: &Snapshot) -> Outline {
        let Snapshot { slot, digest, state, clock, pieces, .. } = snapshot;
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        Outline { slot: *slot, digest: *digest, state: *state, clock: *clock, pieces: pieces.len() as u64, bytes }
    }
}

impl<M: Machine> Replica<M> {
    pub(super) fn see_snapshot(&self, now: Time) -> SnapshotSeen {
        let Outline { slot, digest, state, clock, pieces, bytes } = self.outline;
        SnapshotSeen {
            me: self.options.me,
            applied: self.group.log().delivered(),
            slot,
            durable: self.group.durable_snapshot(),
            digest,
            state,
            age_ms: if slot == Slot(0) { 0 } else { self.group.clock_reading(now).0.saturating_sub(clock.0) / 1_000 },
            pieces,
            bytes,
            every: self.options.snapshot_every,
        }
    }

    /// A client wants a snapshot of what is applied now.
    pub(super) fn snapshot_now(&mut self, now: Time, asking: Asking, wait: Span) {
        self.taking.retain(|taking| now < taking.until);
        if let Some(known) = self.taking.iter_mut().find(|known| known.asking.nonce == asking.nonce) {
            known.asking = asking;
            return;
        }
        let delivered = self.group.log().delivered();
        let name = RequestName::Read(asking.nonce);
        if !self.group.has_state() {
            return self.refuse_client(asking.client, name, Refusal::NoQuorum);
        }
        if delivered == self.outline.slot && self.group.durable_snapshot() == delivered {
            return self.answer_inquiry(asking, SnapshotTaken::AlreadyThere(delivered).encode());
        }
        if self.taking.len() >= TAKERS_MAX || self.replay.is_under_way() {
            return self.refuse_client(asking.client, name, LATER);
        }
        if delivered > self.outline.slot {
            let Some(record) = self.group.log().get(delivered).filter(|_| self.group.may_snapshot(now)).cloned() else {
                return self.refuse_client(asking.client, name, LATER);
            };
            self.take_snapshot(now, &record);
        }
        self.taking.push(Taking { asking, slot: delivered, until: now + wait });
    }

    /// The machine is where this slot has brought it: a snapshot of that goes to the store.
    pub(in crate::replica) fn take_snapshot(&mut self, now: Time, record: &SlotRecord) {
        let pieces = self.machine.snapshot();
        let state = self.machine.digest();
        let (slot, digest, clock) = (record.slot, record.digest, record.clock);
        let snapshot = Snapshot { slot, digest, clock, state, pieces, ..Snapshot::default() };
        self.outline = Outline::of(&snapshot);
        self.group.take_snapshot(now, record, snapshot);
    }

    /// Tells those who wait for a snapshot that is durable now.
    pub(in crate::replica) fn settle_snapshots(&mut self) {
        let durable = self.group.durable_snapshot();
        let done: Vec<Taking> = self.taking.extract_if(.., |taking| taking.slot <= durable).collect();
        for Taking { asking, .. } in done {
            self.answer_inquiry(asking, SnapshotTaken::Taken(durable).encode());
        }
    }
}

impl SnapshotSeen {
    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        w.array(11).uint(SNAPSHOT).uint(id(self.me)).uint(self.applied.0).uint(self.slot.0).uint(self.durable.0);
        w.digest(self.digest).digest(self.state);
        w.uint(self.age_ms).uint(self.pieces).uint(self.bytes).uint(self.every);
        w.into_bytes()
    }

    /// Reads what [`SnapshotSeen::encode`] wrote. A newer replica may say more behind that.
    pub fn decode(bytes: Bytes) -> Result<SnapshotSeen, Malformed> {
        let mut r = Unpacker::new(bytes);
        if r.array(FIELDS_MAX)? < 11 || r.uint()? != SNAPSHOT {
            return Err(Malformed);
        }
        Ok(SnapshotSeen {
            me: member(&mut r)?,
            applied: Slot(r.uint()?),
            slot: Slot(r.uint()?),
            durable: Slot(r.uint()?),
            digest: r.digest()?,
            state: r.digest()?,
            age_ms: r.uint()?,
            pieces: r.uint()?,
            bytes: r.uint()?,
            every: r.uint()?,
        })
    }
}

impl SnapshotTaken {
    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let (n, slot) = match self {
            SnapshotTaken::Taken(slot) => (0, slot),
            SnapshotTaken::AlreadyThere(slot) => (1, slot),
        };
        let mut w = Packer::new();
        w.array(3).uint(TAKE_SNAPSHOT).uint(n).uint(slot.0);
        w.into_bytes()
    }

    /// Reads what [`SnapshotTaken::encode`] wrote.
    pub fn decode(bytes: Bytes) -> Result<SnapshotTaken, Malformed> {
        let mut r = Unpacker::new(bytes);
        if r.array(FIELDS_MAX)? < 3 || r.uint()? != TAKE_SNAPSHOT {
            return Err(Malformed);
        }
        match (r.uint()?, Slot(r.uint()?)) {
            (0, slot) => Ok(SnapshotTaken::Taken(slot)),
            (1, slot) => Ok(SnapshotTaken::AlreadyThere(slot)),
            (_, _) => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_snapshot_comes_back_as_it_went() {
        let seen = SnapshotSeen {
            me: MemberId::new(3).unwrap(),
            applied: Slot(12_345),
            slot: Slot(12_000),
            durable: Slot(10_000),
            digest: Digest(u128::MAX / 3),
            state: Digest(7),
            age_ms: 300,
            pieces: 2,
            bytes: 70_000,
            every: 10_000,
        };
        let bytes = seen.encode();
        assert_eq!(SnapshotSeen::decode(bytes.clone()), Ok(seen));
        for end in 0..bytes.len() {
            assert_eq!(SnapshotSeen::decode(bytes.slice(..end)), Err(Malformed));
        }
        for taken in [SnapshotTaken::Taken(Slot(300)), SnapshotTaken::AlreadyThere(Slot(7))] {
            assert_eq!(SnapshotTaken::decode(taken.encode()), Ok(taken));
            assert_eq!(SnapshotTaken::decode(taken.encode().slice(..2)), Err(Malformed));
        }
    }
}
