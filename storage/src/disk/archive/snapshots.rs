//! Snapshots as values: pieces under their digests, a table of them, and one value that names the newest.
//!
//! ```text
//! 'p' · digest of the piece · part   ─▶ bytes
//! 's'                                ─▶ slot · digest · clock · configuration · positions · state ·
//!                                       adopted? · table (digest, length), itself kept like a piece
//! ```
//!
//! Always: the value at 's' is written after everything that it names was synced, and what only the
//! former one named is taken out after the new one was synced. So a crash leaves the old snapshot or
//! the new one, and perhaps pieces that nobody names, which go when the archive is opened.

use super::{Archive, Trouble, VALUE_BYTES_MAX};
use crate::disk::journal::Point;
use bytes::{BufMut, Bytes, BytesMut};
use ftq_core::ids::Slot;
use ftq_core::store::{Position, Snapshot};
use ftq_core::time::SlotClock;
use ftq_core::wire::{Malformed, Reader, Writer};
use std::collections::BTreeSet;
use xxhash_rust::xxh3::xxh3_128_with_seed;

const HEAD_KEY: [u8; 1] = [b's'];
const PREFIX: u8 = b'p';

/// What one value of a piece holds; the checksum needs room too.
const CHUNK_BYTES: usize = VALUE_BYTES_MAX - 8;

/// How many values are taken out before the next sync.
const KEYS_AT_ONCE: usize = 256;

/// Every member there ever was may have a position: ids are 1 to 63.
const POSITIONS_MAX: usize = 63;

/// A piece that is in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    digest: u128,
    bytes: usize,
}

/// The newest snapshot, without the bytes of its pieces.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The snapshot without its pieces.
    pub(super) head: Snapshot,
    /// Whether it replaced the log, as another replica's does.
    pub(super) adopted: bool,
    pieces: Vec<Piece>,
    /// Where the table of pieces is kept.
    table: Piece,
}

impl Kept {
    /// Where it ends.
    pub(super) fn point(&self) -> Point {
        Point { slot: self.head.slot, digest: self.head.digest }
    }

    /// The digests under which its bytes are kept.
    fn digests(&self) -> BTreeSet<u128> {
        self.pieces.iter().chain([&self.table]).map(|piece| piece.digest).collect()
    }
}

impl Archive {
    /// Makes this replica's own snapshot the newest one. Durable when this returns.
    pub(in crate::disk) fn save(&mut self, snapshot: Snapshot) -> Result<(), Trouble> {
        if self.snapshot.as_ref().is_some_and(|kept| kept.head.slot >= snapshot.slot) {
            return Ok(());
        }
        if snapshot.slot > self.end.slot {
            return Err(Trouble::Differs);
        }
        self.replace(snapshot, false)
    }

    /// Makes another replica's snapshot the newest one and drops the log. Durable when this returns.
    pub(in crate::disk) fn adopt(&mut self, snapshot: Snapshot) -> Result<(), Trouble> {
        let base = Point { slot: snapshot.slot, digest: snapshot.digest };
        if base.slot < self.end.slot || (base.slot == self.end.slot && base.digest != self.end.digest) {
            return Err(Trouble::Differs);
        }
        self.replace(snapshot, true)?;
        self.end = base;
        self.drop_log()
    }

    fn replace(&mut self, mut snapshot: Snapshot, adopted: bool) -> Result<(), Trouble> {
        let former = self.snapshot.as_ref().map(Kept::digests).unwrap_or_default();
        let mut present = former.clone();
        let mut pieces = Vec::with_capacity(snapshot.pieces.len());
        for bytes in std::mem::take(&mut snapshot.pieces) {
            pieces.push(self.keep(&bytes, &mut present)?);
        }
        let mut w = Writer::new();
        for piece in &pieces {
            w.raw(&piece.digest.to_le_bytes()).u64(piece.bytes as u64);
        }
        let table = self.keep(w.as_slice(), &mut present)?;
        let kept = Kept { head: snapshot, adopted, pieces, table };
        self.values.sync()?;
        self.values.put(&HEAD_KEY, &kept.encode())?;
        self.values.sync()?;
        let gone: Vec<u128> = former.difference(&kept.digests()).copied().collect();
        self.snapshot = Some(kept);
        for digest in gone {
            self.forget(digest)?;
        }
        self.values.sync()
    }

    /// Writes a piece unless it is there.
    fn keep(&mut self, bytes: &[u8], present: &mut BTreeSet<u128>) -> Result<Piece, Trouble> {
        let piece = Piece { digest: xxh3_128_with_seed(bytes, self.salt), bytes: bytes.len() };
        if present.insert(piece.digest) {
            for (part, chunk) in (0u32..).zip(bytes.chunks(CHUNK_BYTES)) {
                self.values.put(&key(piece.digest, part), chunk)?;
            }
        }
        Ok(piece)
    }

    fn forget(&mut self, digest: u128) -> Result<(), Trouble> {
        let keys = self.values.db.scan_prefix(&key(digest, 0)[..17]).keys().collect::<Result<Vec<_>, _>>()?;
        keys.iter().try_for_each(|key| self.values.remove(key))
    }

    fn load(&self, piece: Piece) -> Result<Bytes, Trouble> {
        let mut bytes = BytesMut::new();
        for part in 0.. {
            if bytes.len() >= piece.bytes {
                break;
            }
            let chunk = self.values.read(&key(piece.digest, part))?.filter(|chunk| !chunk.is_empty());
            bytes.put(chunk.ok_or_else(|| damaged("a piece of the snapshot is missing"))?);
        }
        if xxh3_128_with_seed(&bytes, self.salt) == piece.digest {
            Ok(bytes.freeze())
        } else {
            Err(damaged("a piece of the snapshot is not what was written"))
        }
    }

    /// Reads what names the newest snapshot.
    pub(super) fn load_head(&self) -> Result<Option<Kept>, Trouble> {
        let Some(body) = self.values.read(&HEAD_KEY)? else { return Ok(None) };
        let mut kept = Kept::parse(body).map_err(|Malformed| damaged("the snapshot's head can't be read"))?;
        let mut r = Reader::new(self.load(kept.table)?);
        while r.remaining() > 0 {
            let mut read = || -> Result<Piece, Malformed> {
                Ok(Piece { digest: u128::from_le_bytes(r.array()?), bytes: r.count(usize::MAX)? })
            };
            kept.pieces.push(read().map_err(|Malformed| damaged("the snapshot's table can't be read"))?);
        }
        Ok(Some(kept))
    }

    /// Takes out the pieces that the newest snapshot does not name.
    pub(super) fn sweep_pieces(&mut self) -> Result<(), Trouble> {
        let named = self.snapshot.as_ref().map(Kept::digests).unwrap_or_default();
        let is_named = |key: &[u8]| {
            let digest = key.get(1..17).and_then(|digest| digest.try_into().ok()).map(u128::from_be_bytes);
            digest.is_some_and(|digest| named.contains(&digest))
        };
        let mut gone = Vec::new();
        for key in self.values.db.scan_prefix([PREFIX]).keys() {
            let key = key?;
            if !is_named(&key) {
                gone.push(key);
            }
        }
        for keys in gone.chunks(KEYS_AT_ONCE) {
            keys.iter().try_for_each(|key| self.values.remove(key))?;
            self.values.sync()?;
        }
        Ok(())
    }

    /// The newest snapshot with its pieces.
    pub(super) fn load_snapshot(&self) -> Result<Option<Snapshot>, Trouble> {
        let Some(kept) = &self.snapshot else { return Ok(None) };
        let pieces = kept.pieces.iter().map(|piece| self.load(*piece)).collect::<Result<_, _>>()?;
        Ok(Some(Snapshot { pieces, ..kept.head.clone() }))
    }

    /// A piece of the snapshot at `slot`, if that is the newest one.
    pub(super) fn piece(&self, slot: Slot, index: u32) -> Result<Option<(Snapshot, u32, Bytes)>, Trouble> {
        let Some(kept) = self.snapshot.as_ref().filter(|kept| kept.head.slot == slot) else { return Ok(None) };
        let piece = usize::try_from(index).ok().and_then(|index| kept.pieces.get(index));
        let (Some(piece), Ok(count)) = (piece, u32::try_from(kept.pieces.len())) else { return Ok(None) };
        Ok(Some((kept.head.clone(), count, self.load(*piece)?)))
    }
}

impl Kept {
    fn encode(&self) -> Vec<u8> {
        let head = &self.head;
        let mut w = Writer::new();
        w.slot(head.slot).digest(head.digest).u64(head.clock.0).configuration(&head.configuration);
        w.u64(head.positions.len() as u64);
        for position in &head.positions {
            w.member(position.origin).ballot(position.view).u64(position.number);
        }
        w.digest(head.state).u8(u8::from(self.adopted));
        w.raw(&self.table.digest.to_le_bytes()).u64(self.table.bytes as u64);
        w.into_vec()
    }

    /// Without the pieces, which are in the table.
    fn parse(body: Bytes) -> Result<Kept, Malformed> {
        let mut r = Reader::new(body);
        let mut head = Snapshot {
            slot: r.slot()?,
            digest: r.digest()?,
            clock: SlotClock(r.u64()?),
            configuration: r.configuration()?,
            ..Snapshot::default()
        };
        for _ in 0..r.count(POSITIONS_MAX)? {
            head.positions.push(Position { origin: r.member()?, view: r.ballot()?, number: r.u64()? });
        }
        head.state = r.digest()?;
        let adopted = r.u8()? == 1;
        let table = Piece { digest: u128::from_le_bytes(r.array()?), bytes: r.count(usize::MAX)? };
        Ok(Kept { head, adopted, pieces: Vec::new(), table })
    }
}

fn key(digest: u128, part: u32) -> [u8; 21] {
    let mut key = [PREFIX; 21];
    key[1..17].copy_from_slice(&digest.to_be_bytes());
    key[17..].copy_from_slice(&part.to_be_bytes());
    key
}

fn damaged(what: &str) -> Trouble {
    Trouble::Damaged(what.to_owned())
}
