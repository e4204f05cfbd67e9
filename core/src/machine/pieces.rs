//! A state's bytes, cut into the pieces of a snapshot and put together again.
//!
//! A piece fits one value of the archive and some forty datagrams, so a transfer that was broken off
//! goes on where it was.

use crate::wire::Malformed;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

/// The largest piece: what the archive takes as one value.
pub const PIECE_BYTES_MAX: usize = 48 << 10;

/// Cuts `state` into pieces that share its memory. Every piece but the last is full, and there is always one.
pub fn cut(state: Vec<u8>) -> Vec<Bytes> {
    let mut rest = Bytes::from(state);
    let mut pieces = Vec::with_capacity(rest.len() / PIECE_BYTES_MAX + 1);
    while rest.len() > PIECE_BYTES_MAX {
        pieces.push(rest.split_to(PIECE_BYTES_MAX));
    }
    pieces.push(rest);
    pieces
}

/// Puts together what [`cut`] made, and nothing else.
pub fn join(pieces: &[Bytes]) -> Result<Bytes, Malformed> {
    let (last, full) = pieces.split_last().ok_or(Malformed)?;
    if full.iter().any(|piece| piece.len() != PIECE_BYTES_MAX) || last.len() > PIECE_BYTES_MAX {
        return Err(Malformed);
    }
    let mut state = BytesMut::with_capacity(full.len() * PIECE_BYTES_MAX + last.len());
    pieces.iter().for_each(|piece| state.extend_from_slice(piece));
    Ok(state.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_can_be_joined() {
        for len in [0, 1, PIECE_BYTES_MAX, PIECE_BYTES_MAX + 1, 3 * PIECE_BYTES_MAX] {
            let state: Vec<u8> = (0..=250).cycle().take(len).collect();
            let pieces = cut(state.clone());
            assert_eq!(pieces.len(), len.div_ceil(PIECE_BYTES_MAX).max(1));
            assert_eq!(join(&pieces).unwrap(), state);
        }
        assert_eq!(join(&[]), Err(Malformed));
        assert_eq!(join(&[Bytes::from_static(b"a"), Bytes::from_static(b"b")]), Err(Malformed));
    }
}
