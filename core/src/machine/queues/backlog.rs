//! The items of one queue, in segments of many.
//!
//! ```text
//!         sealed                         sealed                open
//! [ popped | item item item ] [ item item item item ] [ item item ···
//!          ^ behind
//! ```
//!
//! A segment is one buffer: each item with its length in front. Items go onto the open segment; when the
//! next one would make it larger than a piece of a snapshot, it is sealed and never changes again, so
//! that a snapshot takes it as it is. Items leave the first segment by moving `behind`, and the segment
//! goes with its last item. What holds always:
//! - no segment is without items; `behind` stands in the first one, where an item begins;
//! - a segment of several items fits a piece; an item that does not fit one is a segment of its own;
//! - the same history gives the same segments, also with a snapshot taken and restored in it.

use super::snapshot::PIECE_BYTES_MAX;
use crate::wire::Malformed;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

/// How many bytes of popped items a first segment carries before it is made anew without them, unless
/// more than that is still in it: so the copy is paid for by the pops, and what is popped never takes
/// more than this or as much as what is left.
const BEHIND_BYTES_MAX: usize = 512;

/// The items of one queue, first in, first out.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    sealed: VecDeque<Bytes>,
    open: Vec<u8>,
    behind: usize,
}

impl Backlog {
    /// A backlog out of the segments of a snapshot: whether they hold what they should is for
    /// [`Backlog::check`] to say.
    pub(super) fn of_segments(sealed: VecDeque<Bytes>, open: Vec<u8>, behind: usize) -> Backlog {
        Backlog { sealed, open, behind }
    }

    /// Puts an item at the end.
    pub(super) fn push(&mut self, item: &[u8]) {
        let (length, width) = length_in_front(item.len());
        let record = width + item.len();
        if !self.open.is_empty() && self.open.len() + record > PIECE_BYTES_MAX {
            self.seal();
        }
        if record >= PIECE_BYTES_MAX {
            self.open.reserve_exact(record);
        }
        self.open.extend_from_slice(&length[..width]);
        self.open.extend_from_slice(item);
        if self.open.len() >= PIECE_BYTES_MAX {
            self.seal();
        }
    }

    /// Takes the first item.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let item = self.top()?;
        self.behind = self.behind + length_in_front(item.len()).1 + item.len();
        self.leave_behind();
        Some(item)
    }

    /// The first item. Out of a sealed segment it is shared, out of the open one copied.
    pub(super) fn top(&self) -> Option<Bytes> {
        let first = self.first();
        let (start, end) = record(first, self.behind)?;
        Some(match self.sealed.front() {
            Some(segment) => segment.slice(start..end),
            None => Bytes::copy_from_slice(&first[start..end]),
        })
    }

    /// How long the first item is.
    pub(super) fn top_len(&self) -> Option<usize> {
        record(self.first(), self.behind).map(|(start, end)| end - start)
    }

    /// Gives every item in turn, and says how many there are. Segments that break what holds always are
    /// refused.
    pub(super) fn check(&self, mut each: impl FnMut(&[u8])) -> Result<u64, Malformed> {
        let mut items = 0;
        let open = (!self.open.is_empty()).then_some(self.open.as_slice());
        let mut at = self.behind;
        for segment in self.sealed.iter().map(Bytes::as_ref).chain(open) {
            if at >= segment.len() {
                return Err(Malformed);
            }
            while at < segment.len() {
                let (start, end) = record(segment, at).ok_or(Malformed)?;
                each(&segment[start..end]);
                items += 1;
                at = end;
            }
            at = 0;
        }
        if at == 0 && self.open.len() < PIECE_BYTES_MAX { Ok(items) } else { Err(Malformed) }
    }

    /// The segments that do not change any more, the first one first.
    pub(super) fn sealed(&self) -> &VecDeque<Bytes> {
        &self.sealed
    }

    /// The segment that items go onto.
    pub(super) fn open(&self) -> &[u8] {
        &self.open
    }

    /// How many bytes at the start of the first segment are popped.
    pub(super) fn behind(&self) -> usize {
        self.behind
    }

    fn first(&self) -> &[u8] {
        self.sealed.front().map_or(self.open.as_slice(), Bytes::as_ref)
    }

    fn seal(&mut self) {
        let mut segment = core::mem::take(&mut self.open);
        segment.shrink_to_fit();
        self.sealed.push_back(Bytes::from(segment));
    }

    /// Lets go of the first segment, or of the popped part of it, when it is time to.
    fn leave_behind(&mut self) {
        let first = self.first();
        if self.behind == first.len() {
            self.behind = 0;
            if self.sealed.pop_front().is_none() {
                self.open.clear();
                self.open.shrink_to(BEHIND_BYTES_MAX);
            }
        } else if self.behind > BEHIND_BYTES_MAX && self.behind > first.len() / 2 {
            let rest = first[self.behind..].to_vec();
            self.behind = 0;
            match self.sealed.front_mut() {
                Some(segment) => *segment = Bytes::from(rest),
                None => self.open = rest,
            }
        }
    }
}

/// An item's length as it stands in front of it (a varint), and how many bytes of it count.
fn length_in_front(item: usize) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    let mut rest = item as u64;
    let mut width = 0;
    while rest >= 0x80 {
        bytes[width] = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
        width += 1;
    }
    bytes[width] = (rest & 0x7f) as u8;
    (bytes, width + 1)
}

/// Where the item that begins at `at` starts and ends behind its length; `None` if there is none.
fn record(segment: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut length = 0usize;
    for (n, byte) in segment.get(at..)?.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            let start = at + n + 1;
            // A length that is written longer than it must be would make `pop` step differently.
            let shortest = length_in_front(length).1 == n + 1;
            return (shortest && length <= segment.len() - start).then_some((start, start + length));
        }
    }
    None
}
