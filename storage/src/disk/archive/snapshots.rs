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

pub(super) const HEAD_KEY: [u8; 1] = [b's'];
const PREFIX: u8 = b'p';

/// What one value of a piece holds; the checksum needs room too.
pub(super) const CHUNK_BYTES: usize = VALUE_BYTES_MAX - 8;

/// How many unfinished pieces are taken out before the next sync.
const KEYS_AT_ONCE: usize = 256;

/// Every member there ever was may have a position: ids are 1 to 63.
const POSITIONS_MAX: usize = 63;

/// A piece that is in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) digest: u128,
    pub(super) bytes: usize,
}

/// The newest snapshot, without the bytes of its pieces.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The snapshot without its pieces.
    pub(super) head: Snapshot,
    /// Whether it replaced the log, as another replica's does.
    pub(super) adopted: bool,
    pub(super) pieces: Vec<Piece>,
    /// Where the table of pieces is kept.
    pub(super) table: Piece,
}

impl Kept {
    /// Where it ends.
    pub(super) fn point(&self) -> Point {
        Point { slot: self.head.slot, digest: self.head.digest }
    }

    /// How much of it there is.
    pub(super) fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.bytes as u64).sum()
    }

    /// The digests under which its bytes are kept.
    pub(super) fn digests(&self) -> BTreeSet<u128> {
        self.pieces.iter().chain([&self.table]).map(|piece| piece.digest).collect()
    }
}

impl Archive {
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
            keys.iter().try_for_each(|key| self.remove(key))?;
            self.sync()?;
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
    pub(super) fn encode(&self) -> Vec<u8> {
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

pub(super) fn key(digest: u128, part: u32) -> [u8; 21] {
    let mut key = [PREFIX; 21];
    key[1..17].copy_from_slice(&digest.to_be_bytes());
    key[17..].copy_from_slice(&part.to_be_bytes());
    key
}

fn damaged(what: &str) -> Trouble {
    Trouble::Damaged(what.to_owned())
}
