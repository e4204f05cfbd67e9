//! The plain items of one priority of a queue, in segments of many.
//!
//! ```text
//!         sealed                         sealed                open
//! [ popped | item item item ] [ item item item item ] [ item item ···
//!          ^ behind
//! ```
//!
//! A segment is one buffer: each item with its length in front, and how much later than the one before it
//! it stands and came. Items go onto the open segment; when the next one would make it larger than a
//! piece of a snapshot, it is sealed and never changes again, so that a snapshot takes it as it is.
//! Items leave the first segment by moving `behind`, and the segment goes with its last item. What
//! holds always:
//! - no segment is without items; `behind` stands in the first one, where an item begins;
//! - positions rise, and times do not fall;
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

/// The most bytes that stand in front of an item.
const HEAD_BYTES_MAX: usize = 30;

/// Which item it is, and when it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Its position in the queue.
    pub(super) position: u64,
    /// The slot clock when it came into the queue, in milliseconds.
    pub(super) came_ms: u64,
}

/// A segment that does not change any more.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// The stamp of the item before its first one.
    pub(super) base: Stamp,
    pub(super) bytes: Bytes,
}

/// The plain items of one priority, first in, first out.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    sealed: VecDeque<Segment>,
    open: Vec<u8>,
    /// The stamp of the item before the first one of the open segment.
    open_base: Stamp,
    behind: usize,
    /// The stamp of the item before the first one.
    passed: Stamp,
    /// The stamp of the last item.
    last: Stamp,
}

/// An item as it stands in a segment.
struct Record {
    stamp: Stamp,
    start: usize,
    end: usize,
}

impl Backlog {
    /// A backlog out of the segments of a snapshot. Gives every item in turn; segments that break what
    /// holds always are refused.
    pub(super) fn of_segments(
        sealed: VecDeque<Segment>,
        open_base: Stamp,
        open: Vec<u8>,
        behind: usize,
        mut each: impl FnMut(Stamp, &[u8]),
    ) -> Result<Backlog, Malformed> {
        let mut backlog = Backlog { sealed, open, open_base, behind, ..Backlog::default() };
        let (mut passed, mut last) = (None, Stamp::default());
        for (base, bytes) in backlog.segments() {
            if bytes.is_empty() || passed.is_some_and(|_| base != last) {
                return Err(Malformed);
            }
            let (mut at, mut stamp) = (0, base);
            while at < bytes.len() {
                if passed.is_none() && at >= behind {
                    if at > behind {
                        return Err(Malformed);
                    }
                    passed = Some(stamp);
                }
                let record = record(bytes, at, stamp).ok_or(Malformed)?;
                if passed.is_some() {
                    each(record.stamp, &bytes[record.start..record.end]);
                }
                (at, stamp) = (record.end, record.stamp);
            }
            last = stamp;
            if passed.is_none() {
                return Err(Malformed);
            }
        }
        let whole = backlog.open.len() < PIECE_BYTES_MAX && (passed.is_some() || behind == 0);
        (backlog.passed, backlog.last) = (passed.unwrap_or_default(), last);
        if backlog.open.is_empty() {
            backlog.open_base = last;
        }
        if whole { Ok(backlog) } else { Err(Malformed) }
    }

    /// Puts an item at the end.
    pub(super) fn push(&mut self, stamp: Stamp, item: &[u8]) {
        if self.is_empty() {
            self.last = Stamp::default();
            (self.open_base, self.passed) = (self.last, self.last);
        }
        let mut head = Head::default();
        head.put(item.len() as u64);
        head.put(stamp.position - self.last.position);
        head.put(stamp.came_ms - self.last.came_ms);
        let bytes = head.len + item.len();
        if !self.open.is_empty() && self.open.len() + bytes > PIECE_BYTES_MAX {
            self.seal();
        }
        if bytes >= PIECE_BYTES_MAX {
            self.open.reserve_exact(bytes);
        }
        self.open.extend_from_slice(&head.bytes[..head.len]);
        self.open.extend_from_slice(item);
        self.last = stamp;
        if self.open.len() >= PIECE_BYTES_MAX {
            self.seal();
        }
    }

    /// Takes the first item. Out of a sealed segment it is shared, out of the open one copied.
    pub(super) fn pop(&mut self) -> Option<(Stamp, Bytes)> {
        let (record, item) = self.top()?;
        self.behind = record.end;
        self.passed = record.stamp;
        self.leave_behind();
        Some((record.stamp, item))
    }

    /// The first item.
    pub(super) fn peek(&self) -> Option<(Stamp, Bytes)> {
        self.top().map(|(record, item)| (record.stamp, item))
    }

    /// The stamp of the first item, and how long it is.
    pub(super) fn front(&self) -> Option<(Stamp, usize)> {
        let record = record(self.first(), self.behind, self.passed)?;
        Some((record.stamp, record.end - record.start))
    }

    /// Whether there is no item.
    pub(super) fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.open.is_empty()
    }

    /// Gives the items behind a position in turn, until `each` has enough.
    pub(super) fn scan(&self, after: u64, mut each: impl FnMut(Stamp, &[u8]) -> bool) {
        let first = (self.passed, &self.first()[self.behind..]);
        let later = self.segments().skip(1);
        let mut segments = core::iter::once(first).chain(later).peekable();
        while let Some((base, bytes)) = segments.next() {
            // The next segment begins behind the last item of this one.
            if segments.peek().is_some_and(|(next, _)| next.position <= after) {
                continue;
            }
            let (mut at, mut stamp) = (0, base);
            while let Some(record) = record(bytes, at, stamp) {
                if record.stamp.position > after && !each(record.stamp, &bytes[record.start..record.end]) {
                    return;
                }
                (at, stamp) = (record.end, record.stamp);
            }
        }
    }

    /// The segments that do not change any more, the first one first.
    pub(super) fn sealed(&self) -> &VecDeque<Segment> {
        &self.sealed
    }

    /// The segment that items go onto, and the stamp of the item before its first one.
    pub(super) fn open(&self) -> (Stamp, &[u8]) {
        (self.open_base, &self.open)
    }

    /// How many bytes at the start of the first segment are popped.
    pub(super) fn behind(&self) -> usize {
        self.behind
    }

    fn top(&self) -> Option<(Record, Bytes)> {
        let first = self.first();
        let record = record(first, self.behind, self.passed)?;
        let item = match self.sealed.front() {
            Some(segment) => segment.bytes.slice(record.start..record.end),
            None => Bytes::copy_from_slice(&first[record.start..record.end]),
        };
        Some((record, item))
    }

    /// All segments with items in them, each with its base.
    fn segments(&self) -> impl Iterator<Item = (Stamp, &[u8])> {
        let open = (!self.open.is_empty()).then_some((self.open_base, self.open.as_slice()));
        self.sealed.iter().map(|segment| (segment.base, segment.bytes.as_ref())).chain(open)
    }

    fn first(&self) -> &[u8] {
        self.sealed.front().map_or(self.open.as_slice(), |segment| segment.bytes.as_ref())
    }

    fn seal(&mut self) {
        let mut bytes = core::mem::take(&mut self.open);
        bytes.shrink_to_fit();
        self.sealed.push_back(Segment { base: self.open_base, bytes: Bytes::from(bytes) });
        self.open_base = self.last;
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
                Some(segment) => *segment = Segment { base: self.passed, bytes: Bytes::from(rest) },
                None => (self.open, self.open_base) = (rest, self.passed),
            }
        }
    }
}

/// What stands in front of an item, while it is written: varints.
#[derive(Default)]
struct Head {
    bytes: [u8; HEAD_BYTES_MAX],
    len: usize,
}

impl Head {
    fn put(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes[self.len] = (value & 0x7f) as u8 | 0x80;
            self.len += 1;
            value >>= 7;
        }
        self.bytes[self.len] = (value & 0x7f) as u8;
        self.len += 1;
    }
}

/// The item that begins at `at`, behind one with the stamp `before`; `None` if there is none.
fn record(segment: &[u8], at: usize, before: Stamp) -> Option<Record> {
    let mut start = at;
    let length = usize::try_from(varint(segment, &mut start)?).ok()?;
    let later = varint(segment, &mut start)?;
    let position = before.position.checked_add(later).filter(|_| later > 0)?;
    let came_ms = before.came_ms.checked_add(varint(segment, &mut start)?)?;
    let end = start.checked_add(length).filter(|end| *end <= segment.len())?;
    Some(Record { stamp: Stamp { position, came_ms }, start, end })
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for n in 0..9 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            // A number that is written longer than it must be would not be written so again.
            return (n == 0 || byte != 0).then_some(value);
        }
    }
    None
}
