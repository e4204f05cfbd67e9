//! Messages that are longer than a datagram: cut into pieces, and sent until all of them are there.
//!
//! ```text
//!           ── [6, transfer, index, count, bytes] ──▶ inbox ──▶ message
//!  outbox                                               │
//!           ◀── [7, transfer, upto, bits] ──────────────┘   all below `upto`, and these above it
//! ```
//! The receiver says what it has after every few pieces, when one comes again and when all are there. The
//! sender keeps a window of pieces under way, sends again what a receipt shows to be missing, and, when
//! nothing is heard, the first few after a pause that doubles. A message whose receiver shows no progress
//! is given up; whoever waits for an answer asks again anyway.
//!
//! Always: what is kept of pieces that came is bounded by what came, and by a number of messages for each sender.

use super::fields::{Fields, Malformed, array, bin, int};
use bytes::{Bytes, BytesMut};
use ftq_core::session::message::RequestName;
use ftq_core::time::{Span, Time};
use std::collections::{BTreeMap, VecDeque};

/// The longest message: the largest request, and what stands around it.
pub const MESSAGE_BYTES_MAX: usize = (8 << 20) + 1_024;

/// The shortest piece, but for the last: it bounds how many a message has.
pub(super) const PIECE_BYTES_MIN: usize = 512;

/// The most pieces of a message.
pub(super) const PIECES_MAX: u32 = 16_386;

/// What is under way at once: less than the buffer of any socket.
const WINDOW_BYTES: usize = 96 << 10;

/// No smaller window, however large the pieces: a receiver answers every few.
const WINDOW_MIN: u32 = 2;

/// A receipt after so many pieces.
const RECEIPT_EVERY: u32 = 8;

/// Pieces that one receipt can name above the first missing one.
const RECEIPT_BITS: u32 = 256;

/// So many pieces go out again when nothing was heard.
const AGAIN: u32 = 8;

/// The first pause before that; it doubles …
const PAUSE_FIRST: Span = Span::millis(40);
/// … up to this.
const PAUSE_MAX: Span = Span::millis(640);

/// A piece that a receipt does not name goes out again no sooner than this after it went.
const QUIET: Span = Span::millis(10);

/// A message of which nothing more arrives for so long is given up, on both sides.
const GIVE_UP: Span = Span::secs(5);

/// What may wait in one outbox; a further message is lost, and sent again by who wants it answered.
const OUTBOX_BYTES: usize = 64 << 20;

/// Messages of one sender that may be incomplete at once; a further one takes the place of the stalest.
const PARTS_MAX: usize = 8;

/// Messages that were completed last: their late pieces are answered, not collected.
const DONE_KEPT: usize = 64;

/// What keeping a piece costs beside its bytes.
const PIECE_COST: usize = 128;

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) transfer: u64,
    pub(super) index: u32,
    pub(super) count: u32,
    pub(super) bytes: Bytes,
}

/// What a receiver has of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) transfer: u64,
    /// All pieces below this one are there.
    pub(super) upto: u32,
    /// Bit `n % 8` of byte `n / 8`: piece `upto + n` is there too.
    pub(super) bits: Bytes,
}

/// The kind of a [`Piece`].
pub(super) const PIECE: u8 = 6;
/// The kind of a [`Receipt`].
pub(super) const RECEIPT: u8 = 7;

impl Piece {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 32);
        array(&mut out, 5, PIECE);
        int(&mut out, self.transfer);
        int(&mut out, self.index.into());
        int(&mut out, self.count.into());
        bin(&mut out, &self.bytes);
        out
    }

    pub(super) fn decode(fields: &mut Fields) -> Result<Piece, Malformed> {
        let piece = Piece { transfer: fields.int()?, index: fields.int()?, count: fields.int()?, bytes: fields.bin()? };
        let last = piece.index + 1 == piece.count;
        let long_enough = last || piece.bytes.len() >= PIECE_BYTES_MIN;
        if piece.count < 2 || piece.count > PIECES_MAX || piece.index >= piece.count || !long_enough {
            return Err(Malformed::TooLarge);
        }
        Ok(piece)
    }
}

impl Receipt {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        array(&mut out, 4, RECEIPT);
        int(&mut out, self.transfer);
        int(&mut out, self.upto.into());
        bin(&mut out, &self.bits);
        out
    }

    pub(super) fn decode(fields: &mut Fields) -> Result<Receipt, Malformed> {
        let receipt = Receipt { transfer: fields.int()?, upto: fields.int()?, bits: fields.bin()? };
        let too_many = receipt.bits.len() > RECEIPT_BITS as usize / 8;
        if receipt.upto > PIECES_MAX || too_many { Err(Malformed::TooLarge) } else { Ok(receipt) }
    }

    fn holds(&self, index: u32) -> bool {
        let Some(bit) = index.checked_sub(self.upto) else { return true };
        self.bits.get(bit as usize / 8).is_some_and(|byte| byte & 1 << (bit % 8) != 0)
    }
}

/// Messages on their way to one receiver.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    last: u64,
    cuts: VecDeque<Cut>,
    bytes: usize,
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
    pub(super) fn send(&mut self, now: Time, name: RequestName, bytes: Bytes, piece_bytes: usize) {
        let under_way = self.cuts.iter().any(|cut| cut.name == name);
        if under_way || bytes.len() > MESSAGE_BYTES_MAX || self.bytes + bytes.len() > OUTBOX_BYTES {
            return;
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
    pub(super) fn receipt(&mut self, now: Time, receipt: &Receipt) {
        let Some(place) = self.cuts.iter().position(|cut| cut.transfer == receipt.transfer) else { return };
        self.cuts[place].receipt(now, receipt);
        if self.cuts[place].is_there() {
            self.drop(place);
        }
    }

    /// The next piece to send.
    pub(super) fn poll(&mut self, now: Time) -> Option<Piece> {
        self.cuts.iter_mut().find_map(|cut| cut.poll(now))
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Time) {
        while let Some(stale) = self.cuts.iter().position(|cut| now.since(cut.moved_at) >= GIVE_UP) {
            self.drop(stale);
        }
        self.cuts.iter_mut().filter(|cut| cut.due <= now).for_each(|cut| cut.repeat(now));
    }

    /// When to tick.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.cuts.iter().map(|cut| cut.due.min(cut.moved_at + GIVE_UP)).min()
    }

    fn drop(&mut self, place: usize) {
        if let Some(cut) = self.cuts.remove(place) {
            self.bytes -= cut.bytes.len();
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

    fn receipt(&mut self, now: Time, receipt: &Receipt) {
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
        if self.pieces.iter().filter(|(there, _)| *there).count() > before {
            self.moved_at = now;
            self.pause = PAUSE_FIRST;
            self.due = now + self.pause;
        }
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

/// Messages of one sender that are not complete.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    parts: Vec<Part>,
    done: VecDeque<(u64, u32)>,
}

#[derive(Debug)]
struct Part {
    transfer: u64,
    count: u32,
    pieces: BTreeMap<u32, Bytes>,
    bytes: usize,
    upto: u32,
    untold: u32,
    touched_at: Time,
}

/// What became of a piece.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// What to tell the sender.
    pub(super) receipt: Option<Receipt>,
    /// The message that it completed.
    pub(super) message: Option<Bytes>,
}

impl Inbox {
    /// Takes a piece; an error if it does not fit to what is there of its message.
    pub(super) fn take(&mut self, now: Time, piece: Piece) -> Result<Taken, Malformed> {
        if let Some((transfer, count)) = self.done.iter().find(|(transfer, _)| *transfer == piece.transfer) {
            let receipt = Receipt { transfer: *transfer, upto: *count, bits: Bytes::new() };
            return Ok(Taken { receipt: Some(receipt), message: None });
        }
        self.tick(now);
        let place = match self.parts.iter().position(|part| part.transfer == piece.transfer) {
            Some(place) => place,
            None => self.begin(now, &piece),
        };
        let part = &mut self.parts[place];
        if part.count != piece.count || part.bytes + piece.bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Malformed::TooLarge);
        }
        let index = piece.index;
        let fresh = part.add(now, piece);
        if part.pieces.len() == part.count as usize {
            let part = self.parts.swap_remove(place);
            self.done.push_back((part.transfer, part.count));
            if self.done.len() > DONE_KEPT {
                self.done.pop_front();
            }
            return Ok(Taken { receipt: Some(part.receipt()), message: Some(part.whole()) });
        }
        let owed = !fresh || part.untold >= RECEIPT_EVERY || index + 1 == part.count;
        if owed {
            part.untold = 0;
        }
        Ok(Taken { receipt: owed.then(|| part.receipt()), message: None })
    }

    /// Time has passed: what nobody goes on with is given up.
    pub(super) fn tick(&mut self, now: Time) {
        self.parts.retain(|part| now.since(part.touched_at) < GIVE_UP);
    }

    /// When to tick.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.parts.iter().map(|part| part.touched_at + GIVE_UP).min()
    }

    /// What it keeps, in bytes.
    pub(super) fn kept(&self) -> usize {
        self.parts.iter().map(|part| part.bytes + part.pieces.len() * PIECE_COST).sum()
    }

    fn begin(&mut self, now: Time, piece: &Piece) -> usize {
        let stalest = self.parts.iter().enumerate().min_by_key(|(_, part)| part.touched_at).map(|(place, _)| place);
        if let Some(stalest) = stalest.filter(|_| self.parts.len() >= PARTS_MAX) {
            self.parts.swap_remove(stalest);
        }
        self.parts.push(Part {
            transfer: piece.transfer,
            count: piece.count,
            pieces: BTreeMap::new(),
            bytes: 0,
            upto: 0,
            untold: 0,
            touched_at: now,
        });
        self.parts.len() - 1
    }
}

impl Part {
    /// Whether it is new.
    fn add(&mut self, now: Time, piece: Piece) -> bool {
        if self.pieces.contains_key(&piece.index) {
            return false;
        }
        self.bytes += piece.bytes.len();
        self.pieces.insert(piece.index, piece.bytes);
        self.touched_at = now;
        self.untold += 1;
        while self.pieces.contains_key(&self.upto) {
            self.upto += 1;
        }
        true
    }

    fn receipt(&self) -> Receipt {
        let mut bits = [0u8; RECEIPT_BITS as usize / 8];
        let mut length = 0;
        for index in self.pieces.range(self.upto..).map(|(index, _)| index - self.upto) {
            let Some(byte) = bits.get_mut(index as usize / 8) else { break };
            *byte |= 1 << (index % 8);
            length = index as usize / 8 + 1;
        }
        Receipt { transfer: self.transfer, upto: self.upto, bits: Bytes::copy_from_slice(&bits[..length]) }
    }

    fn whole(self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.bytes);
        self.pieces.into_values().for_each(|piece| whole.extend_from_slice(&piece));
        whole.freeze()
    }
}
