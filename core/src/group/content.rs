//! The bytes of a slot: which requests it orders, and their bodies.
//!
//! `count of ranges, { origin, first number, count }, { length, body }`. The bodies follow in the order
//! of the ranges. A slot without ranges may hold a [`Notice`](super::notice::Notice) instead. The same
//! requests give the same bytes on every replica, so a digest stands for them.

use crate::ids::{Ballot, ClusterId, Digest, MEMBERS_MAX, MemberId, Slot};
use crate::time::SlotClock;
use crate::wire::{Malformed, Reader, Writer};
use alloc::vec::Vec;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use super::notice::Notice;

/// The most requests that a slot may order: a session is named by its slot and 16 bits of position.
const REQUESTS_MAX: u64 = 1 << 16;

/// Some requests of one origin, in its order: numbers `from` to `from + count - 1` of the slot's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The origin.
    pub origin: MemberId,
    /// The first number.
    pub from: u64,
    /// How many.
    pub count: u64,
}

/// The requests of a slot, read one after the other.
#[derive(Clone, Debug)]
pub struct Requests {
    ranges: [Option<Range>; MEMBERS_MAX],
    at: usize,
    taken: u64,
    bodies: Reader,
}

/// The digest that stands before the first slot.
pub fn genesis(cluster: ClusterId) -> Digest {
    Digest(xxh3_128(&cluster.0))
}

/// The chained digest of a slot that follows a log with digest `before`.
pub fn chain(before: Digest, slot: Slot, view: Ballot, clock: SlotClock, content: &[u8]) -> Digest {
    let mut link = [0u8; 16 + 8 + 8 + 1 + 16 + 8 + 16];
    link[..16].copy_from_slice(&before.0.to_le_bytes());
    link[16..24].copy_from_slice(&slot.0.to_le_bytes());
    link[24..32].copy_from_slice(&view.number.to_le_bytes());
    link[32] = view.proposer.map_or(0, MemberId::number);
    link[33..49].copy_from_slice(&view.store.0);
    link[49..57].copy_from_slice(&clock.0.to_le_bytes());
    link[57..].copy_from_slice(&xxh3_128(content).to_le_bytes());
    Digest(xxh3_128(&link))
}

/// Begins the bytes of a slot with its ranges; the bodies are to follow.
pub fn begin(ranges: impl ExactSizeIterator<Item = Range>, size_hint: usize) -> Writer {
    let mut w = Writer::onto(Vec::with_capacity(size_hint + 1 + ranges.len() * 12));
    w.u64(ranges.len() as u64);
    for range in ranges {
        w.member(range.origin).u64(range.from).u64(range.count);
    }
    w
}

/// The requests of a slot with these bytes.
pub fn requests(content: &Bytes) -> Result<Requests, Malformed> {
    let mut bodies = Reader::new(content.clone());
    let mut ranges = [None; MEMBERS_MAX];
    let n = bodies.count(MEMBERS_MAX)?;
    let mut total = 0u64;
    for range in ranges.iter_mut().take(n) {
        let next = Range { origin: bodies.member()?, from: bodies.u64()?, count: bodies.u64()? };
        let end = next.from.checked_add(next.count).ok_or(Malformed)?;
        total = next.count.checked_add(total).ok_or(Malformed)?;
        if next.from == 0 || end == next.from || total > REQUESTS_MAX {
            return Err(Malformed);
        }
        *range = Some(next);
    }
    if n == 0 && bodies.remaining() > 0 {
        Notice::decode(&mut bodies)?;
    }
    Ok(Requests { ranges, at: 0, taken: 0, bodies })
}

impl Requests {
    /// The ranges of the slot.
    pub fn ranges(&self) -> impl Iterator<Item = Range> + '_ {
        self.ranges.iter().flatten().copied()
    }

    /// How many requests the slot orders.
    pub fn total(&self) -> u64 {
        self.ranges().map(|range| range.count).sum()
    }
}

/// One request: its origin, its number there, its body.
impl Iterator for Requests {
    type Item = (MemberId, u64, Bytes);

    fn next(&mut self) -> Option<(MemberId, u64, Bytes)> {
        let mut range = self.ranges.get(self.at).copied().flatten()?;
        while self.taken == range.count {
            self.at += 1;
            self.taken = 0;
            range = self.ranges.get(self.at).copied().flatten()?;
        }
        let body = self.bodies.bytes().ok()?;
        self.taken += 1;
        Some((range.origin, range.from + self.taken - 1, body))
    }
}

/// So many slots that order nothing, from the first one on, and the view that they were sequenced in.
#[cfg(test)]
pub(crate) fn empty_slots(cluster: ClusterId, n: u64) -> (Ballot, Vec<crate::store::SlotRecord>) {
    let store = crate::ids::StoreId([2; 16]);
    let view = Ballot { number: 1, proposer: MemberId::new(2), store };
    let mut digest = genesis(cluster);
    let next = |n| {
        let content = begin([].into_iter(), 0).into_bytes();
        digest = chain(digest, Slot(n), view, SlotClock(n), &content);
        crate::store::SlotRecord { slot: Slot(n), view, clock: SlotClock(n), digest, content }
    };
    (view, (1..=n).map(next).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from outside never add up to nonsense: an empty range, one from nought, one past the end.
    #[test]
    fn ranges_that_make_no_sense_are_refused() {
        let origin = MemberId::new(1).unwrap();
        for (from, count) in [(0, 1), (1, 0), (u64::MAX, 2), (1, u64::MAX), (1, REQUESTS_MAX + 1)] {
            let w = begin([Range { origin, from, count }].into_iter(), 0);
            assert_eq!(requests(&w.into_bytes()).err(), Some(Malformed), "{from} {count}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let a = MemberId::new(1).unwrap();
        let b = MemberId::new(3).unwrap();
        let ranges = [Range { origin: a, from: 7, count: 2 }, Range { origin: b, from: 1, count: 1 }];
        let mut w = begin(ranges.into_iter(), 10);
        w.bytes(b"x").bytes(b"").bytes(b"zz");
        let requests = requests(&w.into_bytes()).unwrap();
        assert_eq!(requests.total(), 3);
        let all: Vec<_> = requests.map(|(m, n, body)| (m, n, body.len())).collect();
        assert_eq!(all, [(a, 7, 1), (a, 8, 0), (b, 1, 2)]);
    }
}
