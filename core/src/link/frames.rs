//! A packet as it is read: frames, one after the other, without a copy.
//!
//! Nothing here trusts a length, allocates, or panics; a packet is taken as a whole or not at all.

use super::options::{RANGES_MAX, TRAILER_MAX};
use super::packet::{
    CELL, CHALLENGE, ECHO, HEAD, HEADER, HELLO, Kind, MARKS, NACK, NOTE, PADDING, PROBE, PROOF, SKIPPED_FROM,
    STREAM_CELL, STREAM_HEAD, STREAM_MARK, STREAM_NACK, TO_BOOT, TRAILER, VARINT_MAX, VERSIONS, Versions,
};
use crate::ids::{BootId, MEMBERS_MAX, MemberId};
use core::ops::Range;

/// Not a header, or not frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// One part of a packet. Ranges are places in the datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A cell of the sender's broadcast stream, or of its stream to the boot that `To` named.
    Cell { kind: Kind, number: u64, body: Range<usize> },
    /// The boot of the receiver for which the pair frames behind this one hold.
    To { boot: u64 },
    /// The sender has these streams of the epoch up to these cells; the one about the reader.
    Marks { mine: Option<u64> },
    /// The sender has the reader's stream to it up to this cell.
    StreamMark { mark: u64 },
    /// The sender lacks these cells of the reader's stream, see [`ranges`].
    Nack { kind: Kind, ranges: Range<usize> },
    /// The last cell that the sender has sent.
    Head { kind: Kind, number: u64 },
    /// A message for itself.
    Note { body: Range<usize> },
    /// What the layer above puts on every packet.
    Trailer { body: Range<usize> },
    /// Prove that you are this boot.
    Challenge { boot: BootId, nonce: u64 },
    /// The proof.
    Proof { nonce: u64 },
    /// Answer at once, with marks and this stamp.
    Probe { stamp: u64 },
    /// The stamp of a probe.
    Echo { stamp: u64 },
    /// The sender believes no boot of the reader: say something.
    Hello,
    /// The versions that the sender speaks.
    Versions(Versions),
    /// Something that a newer sender says and this build does not know.
    Unknown,
    /// Zeros up to the end, to try the path with a full datagram.
    Padding,
}

/// The frames of a datagram, in order. Ends after the first that is malformed.
#[derive(Clone, Debug)]
pub(super) struct Frames<'a> {
    reader: Reader<'a>,
    me: MemberId,
}

impl<'a> Frames<'a> {
    /// The frames of `datagram`, as `me` reads them.
    pub(super) fn new(datagram: &'a [u8], me: MemberId) -> Frames<'a> {
        Frames { reader: Reader::new(datagram, HEADER), me }
    }

    /// Whether all of it is frames.
    pub(super) fn check(&self) -> Result<(), Malformed> {
        self.clone().try_for_each(|frame| frame.map(|_| ()))
    }

    fn frame(&mut self) -> Result<Frame, Malformed> {
        let r = &mut self.reader;
        Ok(match r.u8()? {
            CELL => Frame::Cell { kind: Kind::Broadcast, number: r.number()?, body: r.body16()? },
            STREAM_CELL => Frame::Cell { kind: Kind::Pair, number: r.number()?, body: r.body16()? },
            TO_BOOT => Frame::To { boot: r.number()? },
            MARKS => {
                let mut mine = None;
                for _ in 0..r.count(MEMBERS_MAX)? {
                    let (member, mark) = (r.u8()?, r.varint()?);
                    if member == self.me.number() {
                        mine = Some(mark);
                    }
                }
                Frame::Marks { mine }
            }
            STREAM_MARK => Frame::StreamMark { mark: r.varint()? },
            NACK => Frame::Nack { kind: Kind::Broadcast, ranges: r.ranges()? },
            STREAM_NACK => Frame::Nack { kind: Kind::Pair, ranges: r.ranges()? },
            HEAD => Frame::Head { kind: Kind::Broadcast, number: r.varint()? },
            STREAM_HEAD => Frame::Head { kind: Kind::Pair, number: r.varint()? },
            NOTE => Frame::Note { body: r.body16()? },
            TRAILER => {
                let length = r.count(TRAILER_MAX)?;
                Frame::Trailer { body: r.body(length)? }
            }
            CHALLENGE => Frame::Challenge { boot: BootId(r.array()?), nonce: r.number()? },
            PROOF => Frame::Proof { nonce: r.number()? },
            PROBE => Frame::Probe { stamp: r.varint()? },
            ECHO => Frame::Echo { stamp: r.varint()? },
            HELLO => Frame::Hello,
            PADDING => {
                r.at = r.bytes.len();
                Frame::Padding
            }
            VERSIONS => Frame::Versions(Versions { oldest: r.u8()?, newest: r.u8()? }),
            SKIPPED_FROM.. => {
                r.body16()?;
                Frame::Unknown
            }
            _ => return Err(Malformed),
        })
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<Frame, Malformed>;

    fn next(&mut self) -> Option<Result<Frame, Malformed>> {
        if self.reader.at >= self.reader.bytes.len() {
            return None;
        }
        let frame = self.frame();
        if frame.is_err() {
            self.reader.at = self.reader.bytes.len();
        }
        Some(frame)
    }
}

/// The ranges of a nack that was read, first and last cell of each.
pub(super) fn ranges(bytes: &[u8]) -> impl Iterator<Item = (u64, u64)> + '_ {
    let mut reader = Reader::new(bytes, 0);
    core::iter::from_fn(move || {
        let first = reader.varint().ok()?;
        Some((first, first.saturating_add(reader.varint().ok()?)))
    })
}

/// Reads off the front; it never copies and never allocates.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader of `bytes` from `at` on.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Reader<'a> {
        Reader { bytes, at }
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        let byte = *self.bytes.get(self.at).ok_or(Malformed)?;
        self.at += 1;
        Ok(byte)
    }

    fn count(&mut self, max: usize) -> Result<usize, Malformed> {
        let n = usize::from(self.u8()?);
        if n > max { Err(Malformed) } else { Ok(n) }
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let (value, length) = varint(&self.bytes[self.at..])?;
        self.at += length;
        Ok(value)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.bytes.get(self.at..self.at + N).ok_or(Malformed)?;
        self.at += N;
        bytes.try_into().map_err(|_| Malformed)
    }

    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn body(&mut self, length: usize) -> Result<Range<usize>, Malformed> {
        let body = self.at..self.at + length;
        if body.end > self.bytes.len() {
            return Err(Malformed);
        }
        self.at = body.end;
        Ok(body)
    }

    fn body16(&mut self) -> Result<Range<usize>, Malformed> {
        let length = u16::from_le_bytes(self.array()?);
        self.body(usize::from(length))
    }

    fn ranges(&mut self) -> Result<Range<usize>, Malformed> {
        let n = self.count(RANGES_MAX)?;
        let from = self.at;
        for _ in 0..n {
            self.varint()?;
            self.varint()?;
        }
        Ok(from..self.at)
    }
}

/// The varint that `bytes` begin with, and its length.
pub(super) fn varint(bytes: &[u8]) -> Result<(u64, usize), Malformed> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().take(VARINT_MAX).copied().enumerate() {
        if at == VARINT_MAX - 1 && byte > 1 {
            return Err(Malformed);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((value, at + 1));
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    use super::super::packet::*;
    use super::*;
    use crate::ids::ClusterId;
    use alloc::vec::Vec;
    use bytes::BufMut;

    fn member(n: u8) -> MemberId {
        MemberId::new(n).unwrap()
    }

    fn read(packet: &[u8]) -> Result<Vec<Frame>, Malformed> {
        Frames::new(packet, member(2)).collect()
    }

    /// One packet with every frame in it.
    fn full() -> Vec<u8> {
        let mut packet = opening(ClusterId([7; 16]), member(3), BootId([9; 16])).to_vec();
        stamp(&mut packet, Stamp { version: 1, number: 5, epoch: 6 });
        put_to(&mut packet, 77);
        packet.put_slice(&cell_head(Kind::Broadcast, 300, 2));
        packet.put_slice(b"ab");
        packet.put_slice(&cell_head(Kind::Pair, 1, 0));
        put_marks(&mut packet, [(member(1), 4), (member(2), 500)].into_iter());
        put_stream_mark(&mut packet, 12);
        put_nack(&mut packet, Kind::Broadcast, &[(1, 1), (1_000, 1_003)]);
        put_nack(&mut packet, Kind::Pair, &[]);
        put_head(&mut packet, Kind::Broadcast, u64::MAX);
        put_head(&mut packet, Kind::Pair, 0);
        put_note(&mut packet, b"note");
        put_trailer(&mut packet, b"t");
        put_challenge(&mut packet, BootId([1; 16]), 3);
        put_proof(&mut packet, 3);
        put_probe(&mut packet, 1_000);
        put_echo(&mut packet, 1_000);
        put_hello(&mut packet);
        put_versions(&mut packet, Versions { oldest: 1, newest: 3 });
        packet.put_slice(&[200, 2, 0, 7, 7]);
        put_padding(&mut packet, 20);
        packet
    }

    #[test]
    fn what_was_written_is_read() {
        let packet = full();
        let header = Header::read(&packet).unwrap();
        assert_eq!(header.version, 1);
        assert_eq!(header.cluster, cluster_tag(ClusterId([7; 16])));
        assert_eq!((header.sender, header.boot), (3, BootId([9; 16])));
        assert_eq!((header.number, header.epoch), (5, 6));
        let frames = read(&packet).unwrap();
        assert_eq!(frames.len(), 19);
        assert_eq!(frames[0], Frame::To { boot: 77 });
        let Frame::Cell { kind: Kind::Broadcast, number: 300, body } = frames[1].clone() else { panic!() };
        assert_eq!(&packet[body], b"ab");
        assert_eq!(frames[3], Frame::Marks { mine: Some(500) });
        let Frame::Nack { kind: Kind::Broadcast, ranges: r } = frames[5].clone() else { panic!() };
        assert!(ranges(&packet[r]).eq([(1, 1), (1_000, 1_003)]));
        assert_eq!(frames[7], Frame::Head { kind: Kind::Broadcast, number: u64::MAX });
        assert_eq!(frames[16], Frame::Versions(Versions { oldest: 1, newest: 3 }));
        assert_eq!(frames[17], Frame::Unknown, "it is skipped, by its length");
        assert_eq!(frames[18], Frame::Padding);
    }

    #[test]
    fn a_packet_cut_anywhere_is_frames_or_malformed_but_never_a_panic() {
        let packet = full();
        for cut in 0..packet.len() {
            let _ = Header::read(&packet[..cut]);
            let _ = read(&packet[..cut]);
        }
        for at in HEADER..packet.len() {
            for bit in 0..8 {
                let mut changed = packet.clone();
                changed[at] ^= 1 << bit;
                let _ = read(&changed);
            }
        }
    }

    #[test]
    fn varints_are_as_long_as_foretold() {
        for value in [0usize, 1, 127, 128, 16_383, 16_384, 1 << 24, usize::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value as u64);
            assert_eq!(bytes.len(), varint_length(value));
            assert_eq!(varint(&bytes), Ok((value as u64, bytes.len())));
        }
        assert_eq!(varint(&[0xff; 10]), Err(Malformed));
        assert_eq!(varint(&[0x80]), Err(Malformed));
    }
}
