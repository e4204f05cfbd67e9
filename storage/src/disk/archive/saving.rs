//! A snapshot becomes the newest one, a few pieces at a time, while the log goes on.
//!
//! ```text
//! save ─▶ next ─▶ pieces … pieces ─sync─▶ head ─sync─▶ Snapshotted ─▶ what only the former one named is taken out
//! ```
//!
//! Always: one snapshot is written at a time; of those that wait only the newest is kept, since it covers the others.

use super::snapshots::{CHUNK_BYTES, HEAD_KEY, Kept, Piece, key};
use super::{Archive, Step, Trouble};
use crate::disk::journal::Point;
use bytes::Bytes;
use ftq_core::store::Snapshot;
use ftq_core::wire::Writer;
use std::collections::{BTreeSet, VecDeque};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// What one step writes, about: a millisecond or two of sled's and the disk's time.
const STEP_BYTES: usize = 256 << 10;

/// A piece that is there already only has to be compared, which is so much cheaper.
const COMPARED_SHARE: usize = 32;

/// How many pieces that nobody names go in one step.
const FORGOTTEN_PER_STEP: usize = 32;

/// The snapshots under way.
#[derive(Default)]
pub(super) struct Saving {
    /// Pieces that nobody names any more.
    gone: Vec<u128>,
    work: Option<Work>,
    next: Option<Snapshot>,
}

/// A snapshot, as far as it is written.
struct Work {
    head: Snapshot,
    adopted: bool,
    rest: VecDeque<Bytes>,
    pieces: Vec<Piece>,
    /// What is in the database: the pieces of the former snapshot, and those of this one so far.
    present: BTreeSet<u128>,
}

impl Archive {
    /// This replica's own snapshot is to become the newest one, step by step.
    pub(in crate::disk) fn save(&mut self, snapshot: Snapshot) -> Result<(), Trouble> {
        if snapshot.slot > self.end.slot {
            return Err(Trouble::Differs);
        }
        self.saving.next = Some(snapshot);
        Ok(())
    }

    /// Makes another replica's snapshot the newest one and drops the log. Durable when this returns.
    pub(in crate::disk) fn adopt(&mut self, snapshot: Snapshot) -> Result<(), Trouble> {
        let base = Point { slot: snapshot.slot, digest: snapshot.digest };
        if base.slot < self.end.slot || (base.slot == self.end.slot && base.digest != self.end.digest) {
            return Err(Trouble::Differs);
        }
        self.abandon();
        self.saving.work = Some(self.begin(snapshot, true));
        while self.saving.work.is_some() || !self.saving.gone.is_empty() {
            self.step_saving()?;
        }
        self.end = base;
        self.drop_log()
    }

    /// Writes a little of a snapshot; nothing if there is none to write.
    pub(super) fn step_saving(&mut self) -> Result<Option<Step>, Trouble> {
        if !self.saving.gone.is_empty() {
            return self.forget().map(|()| Some(Step::Working));
        }
        if self.saving.work.is_none() {
            let newest = self.snapshot.as_ref().map(|kept| kept.head.slot);
            let next = self.saving.next.take().filter(|next| Some(next.slot) > newest);
            self.saving.work = next.map(|next| self.begin(next, false));
        }
        let Some(mut work) = self.saving.work.take() else { return Ok(None) };
        let mut bytes = 0;
        while bytes < STEP_BYTES
            && let Some(piece) = work.rest.pop_front()
        {
            let (piece, is_new) = self.keep(&piece, &mut work.present)?;
            bytes += if is_new { piece.bytes } else { piece.bytes / COMPARED_SHARE };
            work.pieces.push(piece);
        }
        if work.rest.is_empty() {
            return self.finish(work).map(Some);
        }
        self.saving.work = Some(work);
        Ok(Some(Step::Working))
    }

    fn begin(&self, mut snapshot: Snapshot, adopted: bool) -> Work {
        let rest = std::mem::take(&mut snapshot.pieces).into();
        let present = self.snapshot.as_ref().map(Kept::digests).unwrap_or_default();
        Work { head: snapshot, adopted, rest, pieces: Vec::new(), present }
    }

    /// All pieces are written: the snapshot becomes the newest one.
    fn finish(&mut self, work: Work) -> Result<Step, Trouble> {
        let Work { head, adopted, rest: _, pieces, mut present } = work;
        let mut w = Writer::new();
        for piece in &pieces {
            w.raw(&piece.digest.to_le_bytes()).u64(piece.bytes as u64);
        }
        let (table, _) = self.keep(w.as_slice(), &mut present)?;
        let kept = Kept { head, adopted, pieces, table };
        self.sync()?;
        self.put(&HEAD_KEY, &kept.encode())?;
        self.sync()?;
        let slot = kept.head.slot;
        let named = kept.digests();
        self.saving.gone.extend(present.difference(&named));
        self.snapshot = Some(kept);
        Ok(Step::Snapshotted(slot))
    }

    /// Another replica's snapshot goes before all that was begun here.
    fn abandon(&mut self) {
        self.saving.next = None;
        if let Some(work) = self.saving.work.take() {
            let named = self.snapshot.as_ref().map(Kept::digests).unwrap_or_default();
            self.saving.gone.extend(work.present.difference(&named));
        }
    }

    /// Writes a piece unless it is there; whether it was not.
    fn keep(&mut self, bytes: &[u8], present: &mut BTreeSet<u128>) -> Result<(Piece, bool), Trouble> {
        let piece = Piece { digest: xxh3_128_with_seed(bytes, self.salt), bytes: bytes.len() };
        let is_new = present.insert(piece.digest);
        if is_new {
            for (part, chunk) in (0u32..).zip(bytes.chunks(CHUNK_BYTES)) {
                self.put(&key(piece.digest, part), chunk)?;
            }
        }
        Ok((piece, is_new))
    }

    /// Takes out a few of the pieces that nobody names.
    fn forget(&mut self) -> Result<(), Trouble> {
        for _ in 0..FORGOTTEN_PER_STEP {
            let Some(digest) = self.saving.gone.pop() else { break };
            let keys = self.values.db.scan_prefix(&key(digest, 0)[..17]).keys().collect::<Result<Vec<_>, _>>()?;
            keys.iter().try_for_each(|key| self.remove(key))?;
        }
        self.sync()
    }
}
