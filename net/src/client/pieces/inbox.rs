//! What comes in pieces, until it is whole.

use super::{GIVE_UP, MESSAGE_BYTES_MAX, Malformed, Piece, RECEIPT_BITS, Receipt};
use bytes::{Bytes, BytesMut};
use ftq_core::time::Time;
use std::collections::{BTreeMap, VecDeque};

/// What one inbox keeps: the largest message in the shortest pieces, and half as much again. For more the stalest goes.
const INBOX_BYTES: usize = 16 << 20;

/// A receipt after so many pieces …
const RECEIPT_EVERY: u32 = 8;

/// … or so many bytes of them: a sender has few large ones under way, and would wait for its pause.
const RECEIPT_BYTES: usize = 32 << 10;

/// Messages of one sender that may be incomplete at once; a further one takes the place of the stalest.
const PARTS_MAX: usize = 8;

/// Messages that were completed last: their late pieces are answered, not collected.
const DONE_KEPT: usize = 64;

/// What keeping a piece costs beside its bytes.
const PIECE_COST: usize = 128;

/// Messages of one sender that are not complete.
#[derive(Debug, Default)]
pub(in super::super) struct Inbox {
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
    /// What has come since the last receipt: pieces, and their bytes.
    untold: (u32, usize),
    touched_at: Time,
}

/// What became of a piece.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Taken {
    /// What to tell the sender.
    pub(in super::super) receipt: Option<Receipt>,
    /// The message that it completed.
    pub(in super::super) message: Option<Bytes>,
}

impl Inbox {
    /// Takes a piece; an error if it does not fit to what is there of its message.
    pub(in super::super) fn take(&mut self, now: Time, piece: Piece) -> Result<Taken, Malformed> {
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
        let place = self.keep_to_bound(place);
        let part = &mut self.parts[place];
        if part.pieces.len() == part.count as usize {
            let part = self.parts.swap_remove(place);
            self.done.push_back((part.transfer, part.count));
            if self.done.len() > DONE_KEPT {
                self.done.pop_front();
            }
            return Ok(Taken { receipt: Some(part.receipt()), message: Some(part.whole()) });
        }
        let (pieces, bytes) = part.untold;
        let owed = !fresh || pieces >= RECEIPT_EVERY || bytes >= RECEIPT_BYTES || index + 1 == part.count;
        if owed {
            part.untold = (0, 0);
        }
        Ok(Taken { receipt: owed.then(|| part.receipt()), message: None })
    }

    /// Time has passed: what nobody goes on with is given up.
    pub(in super::super) fn tick(&mut self, now: Time) {
        self.parts.retain(|part| now.since(part.touched_at) < GIVE_UP);
    }

    /// When to tick.
    pub(in super::super) fn deadline(&self) -> Option<Time> {
        self.parts.iter().map(|part| part.touched_at + GIVE_UP).min()
    }

    /// What it keeps, in bytes.
    pub(in super::super) fn kept(&self) -> usize {
        self.parts.iter().map(|part| part.bytes + part.pieces.len() * PIECE_COST).sum()
    }

    /// Gives up the message that was gone on with least lately. Whether there was one.
    pub(in super::super) fn give_way(&mut self) -> bool {
        let stalest = self.parts.iter().enumerate().min_by_key(|(_, part)| part.touched_at);
        let stalest = stalest.map(|(place, _)| place);
        stalest.map(|stalest| self.parts.swap_remove(stalest)).is_some()
    }

    /// Gives up others until what is kept is within its bound; where this part is then.
    fn keep_to_bound(&mut self, place: usize) -> usize {
        // The largest message alone is below the bound, so this part stays.
        self.parts.swap(0, place);
        while self.kept() > INBOX_BYTES && self.parts.len() > 1 {
            let others = (1..self.parts.len()).min_by_key(|place| self.parts[*place].touched_at);
            others.map(|stalest| self.parts.swap_remove(stalest));
        }
        0
    }

    fn begin(&mut self, now: Time, piece: &Piece) -> usize {
        if self.parts.len() >= PARTS_MAX {
            self.give_way();
        }
        self.parts.push(Part {
            transfer: piece.transfer,
            count: piece.count,
            pieces: BTreeMap::new(),
            bytes: 0,
            upto: 0,
            untold: (0, 0),
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
        self.untold = (self.untold.0 + 1, self.untold.1 + piece.bytes.len());
        self.pieces.insert(piece.index, piece.bytes);
        self.touched_at = now;
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
