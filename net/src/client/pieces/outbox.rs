//! What one side has to say that is longer than a datagram, until the other side has it.

use super::{GIVE_UP, MESSAGE_BYTES_MAX, PIECE_BYTES_MIN, Piece, RECEIPT_BITS, Receipt};
use bytes::Bytes;
use ftq_core::session::message::RequestName;
use ftq_core::time::{Span, Time};
use std::collections::VecDeque;

/// What is under way at once: less than the buffer of any socket.
const WINDOW_BYTES: usize = 96 << 10;

/// No smaller window, however large the pieces: a receiver answers every few.
const WINDOW_MIN: u32 = 2;

/// So many pieces go out again when nothing was heard.
const AGAIN: u32 = 8;

/// The first pause before that; it doubles …
const PAUSE_FIRST: Span = Span::millis(40);

/// … up to this.
const PAUSE_MAX: Span = Span::millis(640);

/// A piece that a receipt does not name goes out again no sooner than this after it went.
const QUIET: Span = Span::millis(10);

/// What may wait in one outbox; a further message is lost, and sent again by who wants it answered.
const OUTBOX_BYTES: usize = 64 << 20;

/// Messages of one outbox that are under way at once; the others wait. Well below what an inbox has room for, so that a
/// receiver never takes one for the stalest while its pieces still come.
const UNDER_WAY_MAX: usize = 4;

/// Messages on their way to one receiver.
#[derive(Debug, Default)]
pub(in super::super) struct Outbox {
    last: u64,
    /// In the order in which they came; the first few are under way.
    cuts: VecDeque<Cut>,
    bytes: usize,
    /// When anything of any of them arrived last, or when the first one came.
    moved_at: Time,
}

#[derive(Debug)]
struct Cut {
    transfer: u64,
    name: RequestName,
    bytes: Bytes,
    piece_bytes: usize,
    /// By piece: whether it has arrived, and when it went out last.
    pieces: Vec<(bool, Time)>,
    upto: u32,
    next: u32,
    again: VecDeque<u32>,
    pause: Span,
    due: Time,
    /// When anything of it arrived last, or when it began.
    moved_at: Time,
}

impl Outbox {
    /// Begins to send a message in pieces of so many bytes. One about the same request that is still on its
    /// way is the same message; what does not fit is lost.
    pub(in super::super) fn send(&mut self, now: Time, name: RequestName, bytes: Bytes, piece_bytes: usize) {
        if self.holds(name) || bytes.len() > MESSAGE_BYTES_MAX || self.bytes + bytes.len() > OUTBOX_BYTES {
            return;
        }
        if self.cuts.is_empty() {
            self.moved_at = now;
        }
        assert!(piece_bytes >= PIECE_BYTES_MIN, "a datagram holds the shortest piece");
        self.last += 1;
        self.bytes += bytes.len();
        let count = bytes.len().div_ceil(piece_bytes).max(2);
        self.cuts.push_back(Cut {
            transfer: self.last,
            name,
            piece_bytes,
            pieces: vec![(false, now); count],
            bytes,
            upto: 0,
            next: 0,
            again: VecDeque::new(),
            pause: PAUSE_FIRST,
            due: now + PAUSE_FIRST,
            moved_at: now,
        });
    }

    /// The receiver says what it has.
    pub(in super::super) fn receipt(&mut self, now: Time, receipt: &Receipt) {
        let Some(place) = self.cuts.iter().position(|cut| cut.transfer == receipt.transfer) else { return };
        if self.cuts[place].receipt(now, receipt) {
            self.moved_at = now;
        }
        if self.cuts[place].is_there() {
            self.drop(now, place);
        }
    }

    /// The next piece to send.
    pub(in super::super) fn poll(&mut self, now: Time) -> Option<Piece> {
        self.cuts.iter_mut().take(UNDER_WAY_MAX).find_map(|cut| cut.poll(now))
    }

    /// Time has passed.
    pub(in super::super) fn tick(&mut self, now: Time) {
        let given_up = |place: usize, cut: &Cut| {
            // One that waits is in no hurry, as long as those before it arrive.
            let moved_at = if place < UNDER_WAY_MAX { cut.moved_at } else { cut.moved_at.max(self.moved_at) };
            now.since(moved_at) >= GIVE_UP
        };
        let stale: Vec<usize> =
            (0..).zip(&self.cuts).filter(|(place, cut)| given_up(*place, cut)).map(|(place, _)| place).collect();
        stale.into_iter().rev().for_each(|place| self.drop(now, place));
        let under_way = self.cuts.iter_mut().take(UNDER_WAY_MAX);
        under_way.filter(|cut| cut.due <= now).for_each(|cut| cut.repeat(now));
    }

    /// When to tick.
    pub(in super::super) fn deadline(&self) -> Option<Time> {
        let under_way = self.cuts.iter().take(UNDER_WAY_MAX);
        under_way.map(|cut| cut.due.min(cut.moved_at + GIVE_UP)).min()
    }

    /// Gives up the message that came last: least of it has gone. Which request it was about.
    pub(in super::super) fn give_way(&mut self, now: Time) -> Option<RequestName> {
        let name = self.cuts.back()?.name;
        self.drop(now, self.cuts.len() - 1);
        Some(name)
    }

    /// Whether a message about this request is on its way.
    pub(in super::super) fn holds(&self, name: RequestName) -> bool {
        self.cuts.iter().any(|cut| cut.name == name)
    }

    /// What is on its way or waits, in bytes.
    pub(in super::super) fn kept(&self) -> usize {
        self.bytes
    }

    fn drop(&mut self, now: Time, place: usize) {
        let Some(cut) = self.cuts.remove(place) else { return };
        self.bytes -= cut.bytes.len();
        // One that has waited so far is under way from now on.
        if let Some(next) = self.cuts.get_mut(UNDER_WAY_MAX - 1).filter(|next| next.next == 0) {
            next.moved_at = now;
            next.due = now + next.pause;
        }
    }
}

impl Cut {
    fn count(&self) -> u32 {
        u32::try_from(self.pieces.len()).unwrap_or(u32::MAX)
    }

    fn is_there(&self) -> bool {
        self.upto == self.count()
    }

    fn window(&self) -> u32 {
        u32::try_from(WINDOW_BYTES / self.piece_bytes).unwrap_or(u32::MAX).max(WINDOW_MIN)
    }

    /// Takes a receipt; whether anything new has arrived.
    fn receipt(&mut self, now: Time, receipt: &Receipt) -> bool {
        let before = self.pieces.iter().filter(|(there, _)| *there).count();
        let named = receipt.upto.saturating_add(RECEIPT_BITS).min(self.next);
        let mut highest = receipt.upto.min(self.next);
        for index in self.upto..named {
            if receipt.holds(index) {
                self.pieces[index as usize].0 = true;
                highest = highest.max(index);
            }
        }
        while self.pieces.get(self.upto as usize).is_some_and(|(there, _)| *there) {
            self.upto += 1;
        }
        for index in self.upto..highest {
            let (there, sent_at) = self.pieces[index as usize];
            if !there && now.since(sent_at) >= QUIET && !self.again.contains(&index) {
                self.again.push_back(index);
            }
        }
        let moved = self.pieces.iter().filter(|(there, _)| *there).count() > before;
        if moved {
            self.moved_at = now;
            self.pause = PAUSE_FIRST;
            self.due = now + self.pause;
        }
        moved
    }

    fn poll(&mut self, now: Time) -> Option<Piece> {
        while let Some(index) = self.again.pop_front() {
            if !self.pieces[index as usize].0 {
                return Some(self.piece(now, index));
            }
        }
        if self.next < self.count() && self.next - self.upto < self.window() {
            self.next += 1;
            return Some(self.piece(now, self.next - 1));
        }
        None
    }

    fn piece(&mut self, now: Time, index: u32) -> Piece {
        self.pieces[index as usize].1 = now;
        // Two pieces at least, the first of them full; a message of one would have gone whole.
        let from = (index as usize * self.piece_bytes).min(self.bytes.len());
        let to = (from + self.piece_bytes).min(self.bytes.len());
        Piece { transfer: self.transfer, index, count: self.count(), bytes: self.bytes.slice(from..to) }
    }

    fn repeat(&mut self, now: Time) {
        let silent = (self.upto..self.next).filter(|index| !self.pieces[*index as usize].0);
        self.again = silent.take(AGAIN as usize).collect();
        self.pause = self.pause.times(2).min(PAUSE_MAX);
        self.due = now + self.pause;
    }
}
