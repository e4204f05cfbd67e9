//! The bytes of a packet: a header, then frames up to the end.
//!
//! ```text
//! version 1 | cluster 8 | sender 1 | boot 16 | number 8 | epoch 8 | frame | frame | …
//! ```
//! Fixed numbers are little-endian, counts and marks are LEB128. The header names the sender and its
//! boot; `number` rises with every packet of that boot, so that a copy is known as one. Whether the
//! header is true is the business of the seal around the datagram (`net`), which also keeps out
//! what was changed on the way.
//!
//! A cell has a head of fixed size, so that it can be filled before it is known how long it gets,
//! and the packet around it can be kept as it was sent: a cell is copied once, when it is written.
//!
//! Nothing here trusts a length, and a packet is taken as a whole or not at all.

use super::options::{RANGES_MAX, TRAILER_MAX};
use crate::ids::{BootId, ClusterId, MEMBERS_MAX, MemberId};
use bytes::BufMut;
use core::ops::Range;
use xxhash_rust::xxh3::xxh3_64;

/// The version of the peer protocol.
pub(super) const VERSION: u8 = 1;
/// The length of a header.
pub(super) const HEADER: usize = 42;
/// The length of a [`Frame::To`].
pub(super) const TO: usize = 9;
/// What precedes the bytes of a cell: type, number, length.
pub(super) const CELL_HEAD: usize = 11;
/// What precedes the bytes of a note: type, length.
pub(super) const NOTE_HEAD: usize = 3;
/// The longest varint.
const VARINT_MAX: usize = 10;
/// A mark or a head below 2^35, which no epoch lives to see the end of.
const MARK_LENGTH: usize = 5;
/// What is set aside for the tail of a packet: marks of both kinds, heads of both kinds, the trailer.
pub(super) const TAIL_MAX: usize =
    (2 + (MEMBERS_MAX - 1) * (1 + MARK_LENGTH)) + 3 * (1 + MARK_LENGTH) + (2 + TRAILER_MAX);

const NUMBER_AT: usize = 26;
const EPOCH_AT: usize = 34;

const CELL: u8 = 1;
const TO_BOOT: u8 = 2;
const STREAM_CELL: u8 = 3;
const MARKS: u8 = 4;
const STREAM_MARK: u8 = 5;
const NACK: u8 = 6;
const STREAM_NACK: u8 = 7;
const HEAD: u8 = 8;
const STREAM_HEAD: u8 = 9;
const NOTE: u8 = 10;
const TRAILER: u8 = 11;
const CHALLENGE: u8 = 12;
const PROOF: u8 = 13;
const PROBE: u8 = 14;
const ECHO: u8 = 15;
const HELLO: u8 = 16;
const PADDING: u8 = 17;

/// Not a header, or not frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What a packet opens with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u8,
    pub(super) cluster: [u8; 8],
    pub(super) sender: u8,
    pub(super) boot: BootId,
    pub(super) number: u64,
    pub(super) epoch: u64,
}

/// Which of a replica's two kinds of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The one stream of the epoch, to all its members.
    Broadcast,
    /// The stream to one peer.
    Pair,
}

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
    /// Zeros up to the end, to try the path with a full datagram.
    Padding,
}

/// The tag of a cluster.
pub(super) fn cluster_tag(cluster: ClusterId) -> [u8; 8] {
    xxh3_64(&cluster.0).to_le_bytes()
}

/// The tag of a boot.
pub(super) fn boot_tag(boot: BootId) -> u64 {
    xxh3_64(&boot.0)
}

/// The header of a packet whose number and epoch are still to come, see [`seal_header`].
pub(super) fn opening(cluster: ClusterId, sender: MemberId, boot: BootId) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0] = VERSION;
    header[1..9].copy_from_slice(&cluster_tag(cluster));
    header[9] = sender.number();
    header[10..NUMBER_AT].copy_from_slice(&boot.0);
    header
}

/// Writes number and epoch into the header of `packet`.
pub(super) fn seal_header(packet: &mut [u8], number: u64, epoch: u64) {
    packet[NUMBER_AT..EPOCH_AT].copy_from_slice(&number.to_le_bytes());
    packet[EPOCH_AT..HEADER].copy_from_slice(&epoch.to_le_bytes());
}

/// The head of a cell.
pub(super) fn cell_head(kind: Kind, number: u64, length: u16) -> [u8; CELL_HEAD] {
    let mut head = [0; CELL_HEAD];
    head[0] = match kind {
        Kind::Broadcast => CELL,
        Kind::Pair => STREAM_CELL,
    };
    head[1..9].copy_from_slice(&number.to_le_bytes());
    head[9..].copy_from_slice(&length.to_le_bytes());
    head
}

pub(super) fn put_to(into: &mut impl BufMut, boot: u64) {
    into.put_u8(TO_BOOT);
    into.put_u64_le(boot);
}

pub(super) fn put_marks(into: &mut impl BufMut, marks: impl Iterator<Item = (MemberId, u64)> + Clone) {
    into.put_u8(MARKS);
    into.put_u8(marks.clone().fold(0, |n, _| n + 1));
    for (member, mark) in marks {
        into.put_u8(member.number());
        put_varint(into, mark);
    }
}

pub(super) fn put_stream_mark(into: &mut impl BufMut, mark: u64) {
    into.put_u8(STREAM_MARK);
    put_varint(into, mark);
}

pub(super) fn put_nack(into: &mut impl BufMut, kind: Kind, ranges: &[(u64, u64)]) {
    debug_assert!(ranges.len() <= RANGES_MAX);
    into.put_u8(match kind {
        Kind::Broadcast => NACK,
        Kind::Pair => STREAM_NACK,
    });
    into.put_u8(ranges.iter().fold(0, |n, _| n + 1));
    for (first, last) in ranges {
        put_varint(into, *first);
        put_varint(into, last - first);
    }
}

pub(super) fn put_head(into: &mut impl BufMut, kind: Kind, number: u64) {
    into.put_u8(match kind {
        Kind::Broadcast => HEAD,
        Kind::Pair => STREAM_HEAD,
    });
    put_varint(into, number);
}

pub(super) fn put_note(into: &mut impl BufMut, message: &[u8]) {
    into.put_u8(NOTE);
    into.put_u16_le(u16::try_from(message.len()).expect("a note fits a datagram"));
    into.put_slice(message);
}

pub(super) fn put_trailer(into: &mut impl BufMut, bytes: &[u8]) {
    into.put_u8(TRAILER);
    into.put_u8(u8::try_from(bytes.len()).expect("a trailer is short"));
    into.put_slice(bytes);
}

pub(super) fn put_challenge(into: &mut impl BufMut, boot: BootId, nonce: u64) {
    into.put_u8(CHALLENGE);
    into.put_slice(&boot.0);
    into.put_u64_le(nonce);
}

pub(super) fn put_proof(into: &mut impl BufMut, nonce: u64) {
    into.put_u8(PROOF);
    into.put_u64_le(nonce);
}

pub(super) fn put_probe(into: &mut impl BufMut, stamp: u64) {
    into.put_u8(PROBE);
    put_varint(into, stamp);
}

pub(super) fn put_echo(into: &mut impl BufMut, stamp: u64) {
    into.put_u8(ECHO);
    put_varint(into, stamp);
}

pub(super) fn put_hello(into: &mut impl BufMut) {
    into.put_u8(HELLO);
}

pub(super) fn put_padding(into: &mut impl BufMut, length: usize) {
    into.put_u8(PADDING);
    into.put_bytes(0, length.saturating_sub(1));
}

/// A varint.
#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
pub(super) fn put_varint(into: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        into.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    into.put_u8(value as u8);
}

/// How long `value` is as a varint.
pub(super) fn varint_length(value: usize) -> usize {
    let bits = (usize::BITS - (value | 1).leading_zeros()) as usize;
    bits.div_ceil(7)
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

impl Header {
    /// The header of `datagram`.
    pub(super) fn read(datagram: &[u8]) -> Result<Header, Malformed> {
        let mut reader = Reader { bytes: datagram, at: 0 };
        Ok(Header {
            version: reader.u8()?,
            cluster: reader.array()?,
            sender: reader.u8()?,
            boot: BootId(reader.array()?),
            number: u64::from_le_bytes(reader.array()?),
            epoch: u64::from_le_bytes(reader.array()?),
        })
    }
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
        Frames { reader: Reader { bytes: datagram, at: HEADER }, me }
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
    let mut reader = Reader { bytes, at: 0 };
    core::iter::from_fn(move || {
        let first = reader.varint().ok()?;
        Some((first, first.saturating_add(reader.varint().ok()?)))
    })
}

/// Reads off the front; it never copies and never allocates.
#[derive(Clone, Debug)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn u8(&mut self) -> Result<u8, Malformed> {
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

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.bytes.get(self.at..self.at + N).ok_or(Malformed)?;
        self.at += N;
        bytes.try_into().map_err(|_| Malformed)
    }

    fn number(&mut self) -> Result<u64, Malformed> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn member(n: u8) -> MemberId {
        MemberId::new(n).unwrap()
    }

    fn read(packet: &[u8]) -> Result<Vec<Frame>, Malformed> {
        Frames::new(packet, member(2)).collect()
    }

    /// One packet with every frame in it.
    fn full() -> Vec<u8> {
        let mut packet = opening(ClusterId([7; 16]), member(3), BootId([9; 16])).to_vec();
        seal_header(&mut packet, 5, 6);
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
        put_padding(&mut packet, 20);
        packet
    }

    #[test]
    fn what_was_written_is_read() {
        let packet = full();
        let header = Header::read(&packet).unwrap();
        assert_eq!(header.version, VERSION);
        assert_eq!(header.cluster, cluster_tag(ClusterId([7; 16])));
        assert_eq!((header.sender, header.boot), (3, BootId([9; 16])));
        assert_eq!((header.number, header.epoch), (5, 6));
        let frames = read(&packet).unwrap();
        assert_eq!(frames.len(), 17);
        assert_eq!(frames[0], Frame::To { boot: 77 });
        let Frame::Cell { kind: Kind::Broadcast, number: 300, body } = frames[1].clone() else { panic!() };
        assert_eq!(&packet[body], b"ab");
        assert_eq!(frames[3], Frame::Marks { mine: Some(500) });
        let Frame::Nack { kind: Kind::Broadcast, ranges: r } = frames[5].clone() else { panic!() };
        assert!(ranges(&packet[r]).eq([(1, 1), (1_000, 1_003)]));
        assert_eq!(frames[7], Frame::Head { kind: Kind::Broadcast, number: u64::MAX });
        assert_eq!(frames[16], Frame::Padding);
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
