//! A stream as its sender sees it: messages in, numbered cells out, kept until nobody lacks them.
//!
//! ```text
//!   freed │ kept: first … head │ open
//!         ▲ least mark         ▲ closed by flush, or when full
//! ```
//! What always holds: a closed cell never changes; it is freed when the mark of *every* accounted
//! member has passed it, not before; a mark never goes back and never passes the head. The open cell
//! is written into the packet that will carry it, and the kept cell is a slice of that packet.

use super::options::{CELL_COST, PROBE_MAX};
use super::pace::Pace;
use super::packet::{CELL_HEAD, Kind, Stamp, cell_head, put_varint, stamp, varint_length};
use crate::ids::{MemberId, MemberSet};
use crate::time::{Span, Time};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};

/// Packets are cut from buffers of this size, so that most of them cost no allocation.
pub(super) const SLAB_BYTES: usize = 32 << 10;

/// One stream to one or more members.
#[derive(Debug)]
pub(super) struct Outgoing {
    kind: Kind,
    /// What the packet of a cell opens with.
    opening: Vec<u8>,
    /// The most bytes of a cell.
    cell_max: usize,
    /// The packet of the open cell; empty if none is open.
    open: BytesMut,
    /// The cells that somebody lacks.
    kept: VecDeque<Kept>,
    /// The number of the first of them.
    first: u64,
    /// What all closed cells have cost, and those that are freed.
    spent: u64,
    freed: u64,
    accounts: Vec<Account>,
    probe_at: Option<Time>,
    probe_after: Span,
}

#[derive(Debug)]
struct Kept {
    cell: Bytes,
    /// What this one and all before it have cost.
    spent: u64,
    /// To whom it was sent again, and since when that holds.
    again_to: MemberSet,
    again_at: Time,
}

/// What a member has.
#[derive(Debug)]
struct Account {
    member: MemberId,
    mark: u64,
    /// Whether it has told a mark at all.
    heard: bool,
}

/// What is still to be written of a message.
#[derive(Debug)]
pub(super) struct Unwritten<'a> {
    body: &'a [u8],
    begun: bool,
}

/// What became of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marked {
    /// It said nothing new.
    Still,
    /// It passed cells, or was the member's first.
    Moved {
        /// Nothing was heard before of what this member has.
        first: bool,
    },
    /// It is above what was ever sent.
    Absurd,
}

impl<'a> Unwritten<'a> {
    /// All of `message`.
    pub(super) fn new(message: &'a [u8]) -> Unwritten<'a> {
        Unwritten { body: message, begun: false }
    }
}

impl Outgoing {
    /// A stream to `members` whose packets begin with `opening` and whose cells have at most
    /// `cell_max` bytes.
    pub(super) fn new(kind: Kind, opening: Vec<u8>, cell_max: usize, members: impl Iterator<Item = MemberId>) -> Self {
        assert!(cell_max > 128 && u16::try_from(cell_max).is_ok());
        Outgoing {
            kind,
            opening,
            cell_max,
            open: BytesMut::new(),
            kept: VecDeque::new(),
            first: 1,
            spent: 0,
            freed: 0,
            accounts: members.map(|member| Account { member, mark: 0, heard: false }).collect(),
            probe_at: None,
            probe_after: Span::ZERO,
        }
    }

    /// Writes as much of a message as the open cell takes. If that is not all, the cell has to be
    /// closed first.
    pub(super) fn write(&mut self, message: &mut Unwritten<'_>) -> bool {
        if self.open.is_empty() {
            self.begin();
        }
        let room = self.cell_max - self.open_bytes();
        if !message.begun {
            let length = message.body.len();
            // A message that goes on in the next cell is copied by its receivers: only what is long,
            // or would leave much of a packet empty, is cut. A length is never cut.
            if varint_length(length) + length > room && room < self.cell_max / 4 {
                return false;
            }
            put_varint(&mut self.open, length as u64);
            message.begun = true;
        }
        let n = message.body.len().min(self.cell_max - self.open_bytes());
        self.open.put_slice(&message.body[..n]);
        message.body = &message.body[n..];
        message.body.is_empty()
    }

    /// Closes the open cell: the packet that carries it, with `tail` behind the cell.
    pub(super) fn close(&mut self, stamped: Stamp, tail: &[u8]) -> Bytes {
        assert!(!self.open.is_empty() && !self.accounts.is_empty());
        let number = self.head() + 1;
        let body_at = self.opening.len() + CELL_HEAD;
        let body_end = self.open.len();
        let length = u16::try_from(body_end - body_at).expect("a cell is shorter than cell_max");
        self.open[self.opening.len()..body_at].copy_from_slice(&cell_head(self.kind, number, length));
        stamp(&mut self.open, stamped);
        self.open.put_slice(tail);
        let packet = self.open.split().freeze();
        let cell = packet.slice(body_at..body_end);
        self.spent += (cell.len() + CELL_COST) as u64;
        self.kept.push_back(Kept { cell, spent: self.spent, again_to: MemberSet::EMPTY, again_at: Time(0) });
        packet
    }

    /// A member says that it has everything up to `mark`.
    pub(super) fn marked(&mut self, member: MemberId, mark: u64) -> Marked {
        let head = self.head();
        let Some(account) = self.accounts.iter_mut().find(|a| a.member == member) else { return Marked::Still };
        if mark > head {
            return Marked::Absurd;
        }
        let first = !account.heard;
        if mark <= account.mark && !first {
            return Marked::Still;
        }
        account.heard = true;
        account.mark = account.mark.max(mark);
        let least = self.accounts.iter().map(|a| a.mark).min().unwrap_or(head);
        while self.first <= least {
            let freed = self.kept.pop_front().expect("what is above the least mark is kept");
            self.freed = freed.spent;
            self.first += 1;
        }
        if least == head {
            self.probe_at = None;
        }
        Marked::Moved { first }
    }

    /// The cells from `first` to `last` that `to` was not sent again just now; they count as sent
    /// again. Stops when `send` says so.
    pub(super) fn again(
        &mut self,
        now: Time,
        pace: Pace,
        to: MemberId,
        first: u64,
        last: u64,
        mut send: impl FnMut(u64, &Bytes) -> bool,
    ) {
        for number in first.max(self.first)..=last.min(self.head()) {
            let kept = usize::try_from(number - self.first).ok().and_then(|at| self.kept.get_mut(at));
            let Some(kept) = kept else { return };
            if now.since(kept.again_at) >= pace.quiet() {
                kept.again_to = MemberSet::EMPTY;
            }
            if kept.again_to.contains(to) {
                continue;
            }
            if !send(number, &kept.cell) {
                return;
            }
            if kept.again_to.is_empty() {
                kept.again_at = now;
            }
            kept.again_to.insert(to);
        }
    }

    /// Cells were sent for the first time: the end of the burst is probed after `wait`.
    pub(super) fn watch(&mut self, now: Time, wait: Span) {
        self.probe_after = wait;
        self.probe_at = Some(now + wait);
    }

    /// Whom to probe now; the next time will be later.
    pub(super) fn probe(&mut self, now: Time) -> MemberSet {
        if self.probe_at.is_none_or(|at| at > now) {
            return MemberSet::EMPTY;
        }
        let lacking = self.lacking();
        self.probe_after = Span(self.probe_after.0 * 2).min(PROBE_MAX);
        self.probe_at = (!lacking.is_empty()).then(|| now + self.probe_after);
        lacking
    }

    /// The last closed cell.
    pub(super) fn head(&self) -> u64 {
        self.first - 1 + self.kept.len() as u64
    }

    /// Whether a cell is open.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// What somebody lacks, the open cell included, in bytes.
    pub(super) fn unmarked(&self) -> usize {
        let closed = usize::try_from(self.spent - self.freed).unwrap_or(usize::MAX);
        closed + if self.is_open() { self.open_bytes() + CELL_COST } else { 0 }
    }

    /// What `member` lacks of the closed cells, in bytes.
    pub(super) fn behind(&self, member: MemberId) -> u64 {
        let Some(account) = self.accounts.iter().find(|a| a.member == member) else { return 0 };
        if account.mark < self.first {
            return self.spent - self.freed;
        }
        let at = usize::try_from(account.mark - self.first).ok();
        self.spent - at.and_then(|at| self.kept.get(at)).map_or(self.spent, |kept| kept.spent)
    }

    /// Who lacks a closed cell.
    pub(super) fn lacking(&self) -> MemberSet {
        let head = self.head();
        self.accounts.iter().filter(|a| a.mark < head).map(|a| a.member).collect()
    }

    /// The one member for which alone the oldest cell is kept.
    pub(super) fn alone(&self) -> Option<MemberId> {
        let mut without = self.accounts.iter().filter(|a| a.mark < self.first);
        let alone = without.next()?.member;
        (without.next().is_none() && !self.kept.is_empty()).then_some(alone)
    }

    /// When to [`Outgoing::probe`].
    pub(super) fn deadline(&self) -> Option<Time> {
        self.probe_at
    }

    fn begin(&mut self) {
        let packet_max = self.opening.len() + CELL_HEAD + self.cell_max + super::packet::TAIL_MAX;
        slab(&mut self.open, packet_max);
        self.open.put_slice(&self.opening);
        self.open.put_bytes(0, CELL_HEAD);
    }

    fn open_bytes(&self) -> usize {
        self.open.len() - self.opening.len() - CELL_HEAD
    }
}

/// Makes sure that a packet fits into `buffer`, which is empty.
pub(super) fn slab(buffer: &mut BytesMut, packet_max: usize) {
    if buffer.capacity() < packet_max {
        // Takes the old buffer again if nobody holds a part of it.
        buffer.reserve(SLAB_BYTES.max(packet_max));
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::{HEADER, Stamp, opening};
    use super::*;
    use crate::ids::{BootId, ClusterId};

    const STAMP: Stamp = Stamp { version: 1, number: 1, epoch: 1 };

    fn member(n: u8) -> MemberId {
        MemberId::new(n).unwrap()
    }

    fn stream() -> Outgoing {
        let opening = opening(ClusterId([0; 16]), member(1), BootId([0; 16])).to_vec();
        Outgoing::new(Kind::Broadcast, opening, 1_000, [member(2), member(3)].into_iter())
    }

    /// Writes one message and closes every cell that it touches.
    fn send(stream: &mut Outgoing, message: &[u8]) {
        let mut rest = Unwritten::new(message);
        while !stream.write(&mut rest) {
            stream.close(STAMP, b"");
        }
        stream.close(STAMP, b"");
    }

    #[test]
    fn a_cell_is_kept_until_the_last_member_has_it() {
        let mut stream = stream();
        for _ in 0..3 {
            send(&mut stream, b"x");
        }
        assert_eq!(stream.marked(member(2), 3), Marked::Moved { first: true });
        assert_eq!((stream.behind(member(2)), stream.behind(member(3))), (0, 3 * 258));
        assert_eq!((stream.unmarked(), stream.alone()), (3 * 258, Some(member(3))));
        assert_eq!(stream.marked(member(3), 1), Marked::Moved { first: true });
        assert_eq!((stream.unmarked(), stream.behind(member(3))), (2 * 258, 2 * 258));
        assert_eq!(stream.marked(member(3), 3), Marked::Moved { first: false });
        assert_eq!((stream.unmarked(), stream.alone()), (0, None));
    }

    #[test]
    fn a_mark_never_goes_back_and_never_passes_the_head() {
        let mut stream = stream();
        send(&mut stream, b"x");
        send(&mut stream, b"y");
        stream.marked(member(2), 2);
        assert_eq!(stream.marked(member(2), 1), Marked::Still);
        assert_eq!(stream.marked(member(2), 3), Marked::Absurd);
        assert_eq!(stream.marked(member(9), 1), Marked::Still);
        assert_eq!(stream.behind(member(2)), 0);
    }

    #[test]
    fn small_messages_share_a_cell_and_large_ones_span_cells() {
        let mut stream = stream();
        for _ in 0..9 {
            assert!(stream.write(&mut Unwritten::new(&[7; 100])));
        }
        assert!(!stream.write(&mut Unwritten::new(&[7; 100])), "it would be cut for little");
        let packet = stream.close(STAMP, b"tail");
        assert_eq!(packet.len(), HEADER + CELL_HEAD + 909 + 4);
        let mut large = Unwritten::new(&[8; 2_500]);
        let mut cells = 1;
        while !stream.write(&mut large) {
            stream.close(STAMP, b"");
            cells += 1;
        }
        assert_eq!(cells, 3);
    }

    #[test]
    fn the_same_cell_goes_to_the_same_member_once_in_a_while() {
        let mut stream = stream();
        send(&mut stream, b"x");
        let mut again = |now: u64, to: u8| {
            let mut sent = 0;
            stream.again(Time(now), Pace::default(), member(to), 0, 99, |_, _| {
                sent += 1;
                true
            });
            sent
        };
        assert_eq!((again(10_000, 2), again(11_000, 2), again(11_000, 3)), (1, 0, 1));
        assert_eq!((again(12_000, 2), again(12_500, 2)), (1, 0));
    }

    #[test]
    fn the_tail_is_probed_while_somebody_lacks_it() {
        let mut stream = stream();
        send(&mut stream, b"x");
        stream.watch(Time(0), Span::millis(5));
        assert_eq!(stream.probe(Time(4_999)), MemberSet::EMPTY);
        assert_eq!(stream.probe(Time(5_000)).len(), 2);
        assert_eq!(stream.deadline(), Some(Time(15_000)));
        stream.marked(member(2), 1);
        assert_eq!(stream.probe(Time(15_000)), MemberSet::of(member(3)));
        stream.marked(member(3), 1);
        assert_eq!(stream.deadline(), None);
    }
}
