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
//! Always: what is kept of pieces that came is bounded by what came, and by bytes and a number of messages for
//! each sender. Of what is to be sent a few messages are under way at once, fewer than a receiver keeps.

mod inbox;
mod outbox;

pub(super) use inbox::Inbox;
pub(super) use outbox::Outbox;

use super::fields::{Fields, Malformed, array, bin, int};
use bytes::Bytes;
use ftq_core::time::Span;

/// The longest message: the largest request, and what stands around it.
pub const MESSAGE_BYTES_MAX: usize = (8 << 20) + 1_024;

/// The shortest piece, but for the last: it bounds how many a message has.
pub(super) const PIECE_BYTES_MIN: usize = 512;

/// The most pieces of a message.
pub(super) const PIECES_MAX: u32 = 16_386;

/// Pieces that one receipt can name above the first missing one.
const RECEIPT_BITS: u32 = 256;

/// A message of which nothing more arrives for so long is given up, on both sides.
const GIVE_UP: Span = Span::secs(5);

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
        let last = piece.index.checked_add(1) == Some(piece.count);
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
