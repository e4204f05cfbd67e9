//! Reading a journal back: from the oldest record that the mark needs to the last valid one.
//!
//! ```text
//! oldest ──valid──valid──valid──✗            the last valid record is followed by a bad one at ✗:
//!                        ^ known to be synced
//!    ✗ at or below it: damage                ✗ above it: a torn tail, cut
//! ```
//!
//! What is known to be synced comes from the mark, and from valid records behind ✗: each says what was
//! synced when it was written.

use super::mark::Mark;
use super::record::{ALIGNMENT, HEADER_BYTES, Header, Place, Record};
use super::ring::Ring;
use super::standing::Standing;
use crate::disk::error::{OpenError, Part};
use bytes::Bytes;
use ftq_core::ids::StoreId;
use std::io;
use std::path::Path;

/// What a journal holds.
pub(super) struct Found {
    /// The mark that it was read from.
    pub(super) mark: Mark,
    /// What stands after its last record.
    pub(super) standing: Standing,
    /// Where the next record goes.
    pub(super) head: Place,
}

/// Why it can't be read.
pub(super) enum Trouble {
    /// What was synced is not there.
    Damaged(String),
    /// The system refused a read.
    Io(io::Error),
}

impl Trouble {
    /// The same for the one who opens the store.
    pub(super) fn at(self, path: &Path) -> OpenError {
        match self {
            Trouble::Damaged(what) => OpenError::damaged(Part::Journal, what),
            Trouble::Io(error) => OpenError::io("read", path)(error),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Io(error)
    }
}

/// Reads it.
pub(super) fn replay(ring: &Ring, store: StoreId) -> Result<Found, Trouble> {
    let marks = [Mark::parse(&ring.read_mark(0)?), Mark::parse(&ring.read_mark(1)?)];
    let Some(mark) = marks.into_iter().flatten().max_by_key(|mark| mark.number) else {
        return Err(Trouble::Damaged("neither of its marks can be read".to_owned()));
    };
    if mark.store != store {
        return Err(Trouble::Damaged(format!("it belongs to store {:?}", mark.store)));
    }
    let mut standing = mark.standing.clone();
    let mut head = mark.oldest;
    let mut boot = mark.boot;
    let within = |place: Place| place.offset - mark.oldest.offset;
    while let Some((header, record)) = expected(ring, head, ring.area_bytes() - within(head))? {
        // Records up to the mark's are applied to what stood after them. That comes to the same: for each
        // field that they set the last of them has set what the mark holds.
        if standing.apply(record, head).is_err() {
            return Err(Trouble::Damaged(format!("record {} does not follow the one before it", head.ordinal)));
        }
        boot = header.boot;
        head = header.next(head);
        if within(head) > ring.area_bytes() {
            return Err(Trouble::Damaged(format!("record {} is written over itself", head.ordinal)));
        }
    }
    let synced = mark.ordinal.max(claimed(ring, head, mark.oldest, [mark.boot, boot])?);
    if head.ordinal <= synced {
        return Err(Trouble::Damaged(format!("record {} is bad, and {synced} was synced", head.ordinal)));
    }
    Ok(Found { mark, standing, head })
}

/// The record at a place, if it is the one that belongs there and is whole.
fn expected(ring: &Ring, at: Place, bytes_max: u64) -> Result<Option<(Header, Record)>, Trouble> {
    if bytes_max < HEADER_BYTES as u64 {
        return Ok(None);
    }
    let Some(header) = Header::parse(&ring.read(at.offset, HEADER_BYTES)?) else { return Ok(None) };
    if header.ordinal != at.ordinal || header.chain != at.chain || header.record_bytes() > bytes_max {
        return Ok(None);
    }
    let bytes = ring.read(at.offset, usize::try_from(header.record_bytes()).unwrap_or(HEADER_BYTES))?;
    if !header.fits(&bytes) {
        return Ok(None);
    }
    let Ok(record) = header.record(&bytes) else {
        return Err(Trouble::Damaged(format!("record {} is whole and can't be understood", at.ordinal)));
    };
    Ok(Some((header, record)))
}

/// What the whole records behind a bad one say was synced, 0 if there are none. Only those count that
/// one of these openings wrote: a client can't know its number, so it can't smuggle a record in.
fn claimed(ring: &Ring, bad: Place, oldest: Place, boots: [u64; 2]) -> Result<u64, Trouble> {
    let free = ring.area_bytes() - (bad.offset - oldest.offset);
    let bytes: Bytes = ring.read(bad.offset, usize::try_from(free).unwrap_or(0))?;
    let mut synced = 0;
    for at in (ALIGNMENT..bytes.len()).step_by(ALIGNMENT) {
        let Some(header) = Header::parse(&bytes[at..]) else { continue };
        let is_later = header.ordinal > bad.ordinal && boots.contains(&header.boot) && header.synced >= bad.ordinal;
        let length = usize::try_from(header.record_bytes()).unwrap_or(usize::MAX);
        if is_later && bytes.get(at..at.saturating_add(length)).is_some_and(|record| header.fits(record)) {
            synced = synced.max(header.synced);
        }
    }
    Ok(synced)
}
