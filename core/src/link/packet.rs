//! The bytes of a packet: a header, then frames up to the end.
//!
//! ```text
//! version 1 | cluster 8 | sender 1 | boot 16 | number 8 | epoch 8 | frame | frame | …
//! ```
//! The version is the newest that every peer has said to speak, so that replicas are upgraded one at a
//! time. What a version may add without a new number: frames of [`SKIPPED_FROM`] and above, which have a
//! length and are skipped by who does not know them. Version [`ASIDE`] is none of the link's: who runs the
//! link says something of its own under it.
//!
//! Fixed numbers are little-endian, counts and marks are LEB128. The header names the sender and its
//! boot; `number` rises with every packet of that boot, so that a copy is known as one. Whether the
//! header is true is the business of the seal around the datagram (`net`), which also keeps out
//! what was changed on the way.
//!
//! A cell has a head of fixed size, so that it can be filled before it is known how long it gets,
//! and the packet around it can be kept as it was sent: a cell is copied once, when it is written.
//!
//! How it is read: see `frames`.

use super::frames::{Malformed, Reader};
use super::options::{RANGES_MAX, TRAILER_MAX};
use crate::ids::{BootId, ClusterId, MEMBERS_MAX, MemberId};
use bytes::BufMut;
use xxhash_rust::xxh3::xxh3_64;

/// The versions of the peer protocol that this build speaks.
pub const SPOKEN: Versions = Versions { oldest: 1, newest: 1 };
/// The version of packets that are not the link's. They are never given to it; one that is is refused.
pub const ASIDE: u8 = 0;
/// Frames of this kind and above have a length of two bytes behind the kind.
pub(super) const SKIPPED_FROM: u8 = 64;
/// The length of a header.
pub const HEADER: usize = 42;
/// The length of a [`Frame::To`].
pub(super) const TO: usize = 9;
/// What precedes the bytes of a cell: type, number, length.
pub(super) const CELL_HEAD: usize = 11;
/// What precedes the bytes of a note: type, length.
pub(super) const NOTE_HEAD: usize = 3;
/// The longest varint.
pub(super) const VARINT_MAX: usize = 10;
/// A mark or a head below 2^35, which no epoch lives to see the end of.
const MARK_LENGTH: usize = 5;
/// What is set aside for the tail of a packet: marks of both kinds, heads of both kinds, the trailer.
pub(super) const TAIL_MAX: usize =
    (2 + (MEMBERS_MAX - 1) * (1 + MARK_LENGTH)) + 3 * (1 + MARK_LENGTH) + (2 + TRAILER_MAX);

const SENDER_AT: usize = 9;
const BOOT_AT: usize = 10;
const NUMBER_AT: usize = 26;
const EPOCH_AT: usize = 34;

pub(super) const CELL: u8 = 1;
pub(super) const TO_BOOT: u8 = 2;
pub(super) const STREAM_CELL: u8 = 3;
pub(super) const MARKS: u8 = 4;
pub(super) const STREAM_MARK: u8 = 5;
pub(super) const NACK: u8 = 6;
pub(super) const STREAM_NACK: u8 = 7;
pub(super) const HEAD: u8 = 8;
pub(super) const STREAM_HEAD: u8 = 9;
pub(super) const NOTE: u8 = 10;
pub(super) const TRAILER: u8 = 11;
pub(super) const CHALLENGE: u8 = 12;
pub(super) const PROOF: u8 = 13;
pub(super) const PROBE: u8 = 14;
pub(super) const ECHO: u8 = 15;
pub(super) const HELLO: u8 = 16;
pub(super) const PADDING: u8 = 17;
pub(super) const VERSIONS: u8 = 18;

/// The versions of the protocol that somebody speaks, the oldest to the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The oldest.
    pub oldest: u8,
    /// The newest.
    pub newest: u8,
}

/// What names a packet for ever: nobody makes two of the same name. The seal around it hangs on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketName {
    cluster: [u8; 8],
    /// The number of the member that made it.
    pub sender: u8,
    /// The boot that made it.
    pub boot: BootId,
    /// Its number within that boot.
    pub number: u64,
}

/// What is written into the header of a packet when it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) version: u8,
    pub(super) number: u64,
    pub(super) epoch: u64,
}

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

/// What a cluster is called in packets.
pub fn cluster_tag(cluster: ClusterId) -> [u8; 8] {
    xxh3_64(&cluster.0).to_le_bytes()
}

/// The tag of a boot.
pub(super) fn boot_tag(boot: BootId) -> u64 {
    xxh3_64(&boot.0)
}

/// The header of a packet that is still to be stamped, see [`stamp`].
pub(super) fn opening(cluster: ClusterId, sender: MemberId, boot: BootId) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[1..SENDER_AT].copy_from_slice(&cluster_tag(cluster));
    header[SENDER_AT] = sender.number();
    header[BOOT_AT..NUMBER_AT].copy_from_slice(&boot.0);
    header
}

/// The header of a packet of version [`ASIDE`]. As with every packet, nobody makes two of one boot and number: so it
/// takes a boot of its own beside the link's.
pub fn opening_aside(cluster: ClusterId, sender: MemberId, boot: BootId, number: u64) -> [u8; HEADER] {
    let mut header = opening(cluster, sender, boot);
    stamp(&mut header, Stamp { version: ASIDE, number, epoch: 0 });
    header
}

/// Writes version, number and epoch into the header of `packet`.
pub(super) fn stamp(packet: &mut [u8], stamp: Stamp) {
    packet[0] = stamp.version;
    packet[NUMBER_AT..EPOCH_AT].copy_from_slice(&stamp.number.to_le_bytes());
    packet[EPOCH_AT..HEADER].copy_from_slice(&stamp.epoch.to_le_bytes());
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

pub(super) fn put_versions(into: &mut impl BufMut, versions: Versions) {
    into.put_u8(VERSIONS);
    into.put_u8(versions.oldest);
    into.put_u8(versions.newest);
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

impl Versions {
    /// Whether this is one of them.
    pub fn contains(self, version: u8) -> bool {
        (self.oldest..=self.newest).contains(&version)
    }
}

impl PacketName {
    /// The name of a packet; none if it is shorter than a header.
    pub fn read(packet: &[u8]) -> Option<PacketName> {
        let header = Header::read(packet).ok()?;
        Some(PacketName { cluster: header.cluster, sender: header.sender, boot: header.boot, number: header.number })
    }

    /// Whether it says that it is of this cluster.
    pub fn is_of(&self, cluster: ClusterId) -> bool {
        self.cluster == cluster_tag(cluster)
    }

    /// What its cluster is called in a packet.
    pub fn cluster(&self) -> [u8; 8] {
        self.cluster
    }
}

impl Header {
    /// The header of `datagram`.
    pub(super) fn read(datagram: &[u8]) -> Result<Header, Malformed> {
        let mut reader = Reader::new(datagram, 0);
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
