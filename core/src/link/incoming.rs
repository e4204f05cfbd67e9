//! A stream as its receiver sees it: cells in any order in, messages in the sender's order out.
//!
//! ```text
//!   taken ────────┐ next          top
//!   1 2 3 … 17 18 │ 19  20  21  22  23        held: 20, 21, 23; missing: 19, 22
//! ```
//! What always holds: every cell below `next` was taken exactly once, in order; the mark, `next - 1`,
//! is contiguous; cells above are held, within bounds; a gap, once known, is asked for until it is
//! filled. A message that lies within one cell is a slice of it.

use super::frames::{Malformed, varint};
use super::gap::Gap;
use super::options::{CELLS_AHEAD_MAX, MESSAGE_MAX, RANGES_MAX, RESEND_MAX, RING_BYTES};
use super::pace::Pace;
use crate::time::{Span, Time};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

/// A message longer than a cell gets this much memory in advance: a declared length earns no more.
const FORETOLD_MAX: usize = 64 << 10;

/// One sender's stream.
#[derive(Debug)]
pub(super) struct Incoming {
    /// The first cell that is missing.
    next: u64,
    /// The last cell that the sender is known to have sent.
    head: u64,
    /// Cells from `next` on that came too early.
    held: VecDeque<Option<Bytes>>,
    held_bytes: usize,
    /// A message of which the end is still to come.
    partial: Option<Partial>,
    /// The sender's cells don't hold messages; nothing more is taken.
    broken: bool,
    gap: Gap,
}

#[derive(Debug)]
struct Partial {
    body: Vec<u8>,
    missing: usize,
}

/// What became of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is new.
    New,
    /// It was here before.
    Again,
    /// Its number is far ahead of anything that an honest sender can have sent.
    Absurd,
    /// It, or one before it, breaks the stream.
    Broken,
}

impl Default for Incoming {
    fn default() -> Incoming {
        Incoming {
            next: 1,
            head: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            partial: None,
            broken: false,
            gap: Gap::default(),
        }
    }
}

impl Incoming {
    /// A cell has come. The messages that it completes go to `deliver`.
    pub(super) fn take(
        &mut self,
        now: Time,
        pace: Pace,
        number: u64,
        cell: Bytes,
        deliver: &mut impl FnMut(Bytes),
    ) -> Taken {
        if self.broken {
            return Taken::Broken;
        }
        if number < self.next {
            return if number == 0 { Taken::Absurd } else { Taken::Again };
        }
        let Ok(ahead) = usize::try_from(number - self.next) else { return Taken::Absurd };
        if number - self.next >= CELLS_AHEAD_MAX || (ahead > 0 && self.held_bytes + cell.len() > RING_BYTES) {
            return Taken::Absurd;
        }
        if ahead == 0 && self.held.is_empty() {
            self.next += 1;
            if self.messages(cell, deliver).is_err() {
                return self.break_off(now);
            }
            self.gap.advanced(now, pace, self.mark(), self.top());
            return Taken::New;
        }
        if self.held.len() <= ahead {
            self.held.resize(ahead + 1, None);
        }
        if self.held[ahead].is_some() {
            return Taken::Again;
        }
        self.held_bytes += cell.len();
        self.held[ahead] = Some(cell);
        self.gap.came(number);
        if ahead > 0 {
            self.gap.known(now, pace.reorder(), self.mark(), self.top());
            return Taken::New;
        }
        while let Some(Some(_)) = self.held.front() {
            let Some(Some(cell)) = self.held.pop_front() else { break };
            self.held_bytes -= cell.len();
            self.next += 1;
            if self.messages(cell, deliver).is_err() {
                return self.break_off(now);
            }
        }
        self.gap.advanced(now, pace, self.mark(), self.top());
        Taken::New
    }

    /// The sender says that it has sent up to `head`. A probe says so after a wait: what is missing
    /// then is not just late. The answer is whether `head` can be true.
    pub(super) fn heard_head(&mut self, now: Time, pace: Pace, head: u64, probed: bool) -> bool {
        let utmost = self.next.saturating_add(CELLS_AHEAD_MAX) - 1;
        self.head = self.head.max(head.min(utmost));
        if !self.broken {
            let patience = if probed { Span::ZERO } else { pace.reorder() };
            self.gap.known(now, patience, self.mark(), self.top());
        }
        head <= utmost
    }

    /// The layer above knows that at least one more cell was sent: what is missing is asked for at once.
    pub(super) fn hasten(&mut self, now: Time, pace: Pace) {
        let head = self.top().max(self.next);
        self.heard_head(now, pace, head, true);
    }

    /// If it is time to ask: the missing cells to ask for, first and last of each range.
    pub(super) fn ask<'a>(
        &mut self,
        now: Time,
        pace: Pace,
        ranges: &'a mut [(u64, u64); RANGES_MAX],
    ) -> &'a [(u64, u64)] {
        let Some((from, to)) = self.gap.due(now, self.mark()) else { return &[] };
        let (found, covered) = self.missing(from, to, ranges);
        self.gap.asked(now, pace, covered);
        // What one nack could not hold, or what was found missing since, waits its own allowance.
        self.gap.known(now, pace.reorder(), self.mark(), self.top());
        &ranges[..found]
    }

    /// The last cell below which nothing is missing.
    pub(super) fn mark(&self) -> u64 {
        self.next - 1
    }

    /// Since when it is known that a cell is missing.
    pub(super) fn gap_since(&self) -> Option<Time> {
        self.gap.since()
    }

    /// When to [`Incoming::ask`].
    pub(super) fn deadline(&self) -> Option<Time> {
        self.gap.deadline()
    }

    /// The last cell that is known to exist.
    fn top(&self) -> u64 {
        self.head.max(self.next - 1 + self.held.len() as u64)
    }

    /// Fills in the missing ranges from `from` to `to`, as far as one nack goes. The answer is how
    /// many there are, and up to where they say it all.
    fn missing(&self, from: u64, to: u64, ranges: &mut [(u64, u64); RANGES_MAX]) -> (usize, u64) {
        let (mut found, mut cells) = (0, 0);
        for number in from..=to {
            let ahead = usize::try_from(number - self.next).unwrap_or(usize::MAX);
            if self.held.get(ahead).is_some_and(Option::is_some) {
                continue;
            }
            if cells == RESEND_MAX {
                return (found, number - 1);
            }
            match ranges[..found].last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                Some(_) if found == RANGES_MAX => return (found, number - 1),
                Some(_) | None => {
                    ranges[found] = (number, number);
                    found += 1;
                }
            }
            cells += 1;
        }
        (found, to.max(self.mark()))
    }

    /// Takes a cell apart.
    fn messages(&mut self, cell: Bytes, deliver: &mut impl FnMut(Bytes)) -> Result<(), Malformed> {
        let mut at = 0;
        if let Some(mut partial) = self.partial.take() {
            at = partial.missing.min(cell.len());
            partial.body.extend_from_slice(&cell[..at]);
            partial.missing -= at;
            if partial.missing > 0 {
                self.partial = Some(partial);
                return Ok(());
            }
            deliver(Bytes::from(partial.body));
        }
        while at < cell.len() {
            let (length, prefix) = varint(&cell[at..])?;
            let length = usize::try_from(length).map_err(|_| Malformed)?;
            if length > MESSAGE_MAX {
                return Err(Malformed);
            }
            at += prefix;
            let rest = cell.len() - at;
            if length <= rest {
                deliver(cell.slice(at..at + length));
                at += length;
            } else {
                let mut body = Vec::with_capacity(length.min(FORETOLD_MAX));
                body.extend_from_slice(&cell[at..]);
                self.partial = Some(Partial { body, missing: length - rest });
                at = cell.len();
            }
        }
        Ok(())
    }

    fn break_off(&mut self, now: Time) -> Taken {
        self.broken = true;
        self.partial = None;
        self.held = VecDeque::new();
        self.held_bytes = 0;
        self.gap.give_up(now);
        Taken::Broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn at(us: u64) -> Time {
        Time(us)
    }

    fn take(stream: &mut Incoming, now: u64, number: u64, cell: &'static [u8]) -> (Taken, Vec<Vec<u8>>) {
        let mut out = Vec::new();
        let cell = Bytes::from_static(cell);
        let taken = stream.take(at(now), Pace::default(), number, cell, &mut |m| out.push(m.to_vec()));
        (taken, out)
    }

    fn ask(stream: &mut Incoming, now: u64) -> Vec<(u64, u64)> {
        stream.ask(at(now), Pace::default(), &mut [(0, 0); RANGES_MAX]).to_vec()
    }

    #[test]
    fn cells_in_any_order_give_messages_in_order_once() {
        let mut stream = Incoming::default();
        assert_eq!(take(&mut stream, 0, 3, b"\x01c").1, Vec::<Vec<u8>>::new());
        assert_eq!(take(&mut stream, 0, 1, b"\x01a\x00").1, [b"a".to_vec(), vec![]]);
        assert_eq!(take(&mut stream, 0, 3, b"\x01c").0, Taken::Again);
        assert_eq!(take(&mut stream, 0, 2, b"\x01b").1, [b"b".to_vec(), b"c".to_vec()]);
        assert_eq!(take(&mut stream, 0, 2, b"\x01b").0, Taken::Again);
        assert_eq!((stream.mark(), stream.gap_since(), stream.deadline()), (3, None, None));
    }

    #[test]
    fn a_message_over_several_cells_is_put_together() {
        let mut stream = Incoming::default();
        assert!(take(&mut stream, 0, 1, b"\x05ab").1.is_empty());
        assert!(take(&mut stream, 0, 2, b"cd").1.is_empty());
        assert_eq!(take(&mut stream, 0, 3, b"e\x01f").1, [b"abcde".to_vec(), b"f".to_vec()]);
    }

    #[test]
    fn a_gap_is_asked_for_after_the_allowance_and_then_with_back_off() {
        let mut stream = Incoming::default();
        take(&mut stream, 0, 2, b"");
        take(&mut stream, 500, 5, b"");
        assert_eq!(stream.deadline(), Some(at(1_000)));
        assert_eq!(ask(&mut stream, 999), []);
        assert_eq!(ask(&mut stream, 1_000), [(1, 1)]);
        assert_eq!(ask(&mut stream, 2_000), [(3, 4)], "what came up later has its own allowance");
        assert_eq!(stream.deadline(), Some(at(11_000)));
        assert_eq!(ask(&mut stream, 11_000), [(1, 1), (3, 4)]);
        assert_eq!(stream.deadline(), Some(at(31_000)));
        assert_eq!(ask(&mut stream, 31_000).len(), 2);
        assert_eq!(stream.deadline(), Some(at(71_000)));
        take(&mut stream, 32_000, 1, b"");
        assert_eq!(stream.gap_since(), Some(at(32_000)));
        take(&mut stream, 32_000, 3, b"");
        take(&mut stream, 32_000, 4, b"");
        assert_eq!((stream.mark(), stream.gap_since(), stream.deadline()), (5, None, None));
    }

    #[test]
    fn a_probe_is_believed_at_once_and_a_head_after_the_allowance() {
        let mut stream = Incoming::default();
        assert!(stream.heard_head(at(0), Pace::default(), 2, false));
        assert_eq!(stream.deadline(), Some(at(1_000)));
        assert!(stream.heard_head(at(10), Pace::default(), 3, true));
        assert_eq!(ask(&mut stream, 10), [(1, 3)]);
    }

    #[test]
    fn one_nack_is_bounded_and_the_rest_follows() {
        let mut stream = Incoming::default();
        assert!(stream.heard_head(at(0), Pace::default(), 150, true));
        assert_eq!(ask(&mut stream, 0), [(1, 64)]);
        assert_eq!(ask(&mut stream, 1_000), [(65, 128)]);
        assert_eq!(ask(&mut stream, 2_000), [(129, 150)]);
        assert_eq!(stream.deadline(), Some(at(10_000)));
        assert_eq!(ask(&mut stream, 10_000), [(1, 64)], "nothing came: again from the start");
        assert_eq!(ask(&mut stream, 11_000), [(65, 128)]);
        let mut holes = Incoming::default();
        for number in 1..=40 {
            take(&mut holes, 0, number * 2, b"");
        }
        assert_eq!(ask(&mut holes, 1_000).len(), RANGES_MAX);
        assert_eq!(ask(&mut holes, 2_000).len(), RANGES_MAX);
        assert_eq!(ask(&mut holes, 3_000).len(), 8);
    }

    #[test]
    fn absurd_numbers_are_refused_and_heads_cut_to_what_can_be() {
        let mut stream = Incoming::default();
        assert_eq!(take(&mut stream, 0, 0, b"").0, Taken::Absurd);
        assert_eq!(take(&mut stream, 0, u64::MAX, b"").0, Taken::Absurd);
        assert_eq!(take(&mut stream, 0, 1 + CELLS_AHEAD_MAX, b"").0, Taken::Absurd);
        assert!(!stream.heard_head(at(0), Pace::default(), u64::MAX, true));
        assert_eq!(stream.top(), CELLS_AHEAD_MAX);
        assert_eq!(ask(&mut stream, 0), [(1, 64)]);
    }

    #[test]
    fn what_is_held_is_bounded_but_the_next_cell_is_always_welcome() {
        let mut stream = Incoming::default();
        let cell = Bytes::from(vec![0; 60_000]);
        let mut take = |number| stream.take(at(0), Pace::default(), number, cell.clone(), &mut |_| ());
        let held = (2..1_000).filter(|number| take(*number) == Taken::New).count();
        assert_eq!(held, RING_BYTES / 60_000);
        assert_eq!(take(1), Taken::New);
    }

    #[test]
    fn a_declared_length_beyond_the_bound_breaks_the_stream() {
        let mut stream = Incoming::default();
        assert_eq!(take(&mut stream, 0, 1, b"\xff\xff\xff\xff\x0f").0, Taken::Broken);
        assert_eq!(take(&mut stream, 0, 2, b"\x01a").0, Taken::Broken);
        let mut cut = Incoming::default();
        assert_eq!(take(&mut cut, 0, 1, b"\x80").0, Taken::Broken, "a length is never cut in two");
    }
}
