//! The envelope of a datagram between replicas, unsealed: for loopback only.
//!
//! ```text
//! | packet of the link ... | cluster tag, 4 bytes | checksum, 8 bytes |   both little-endian
//! ```
//!
//! The tag keeps two clusters apart that were given each other's addresses by mistake; the checksum
//! finds damage. Neither keeps out somebody who means harm: whoever can send from a member's address can
//! speak for it. So nobody but this machine may be able to reach the port.

use bytes::Bytes;
use ftq_core::ids::ClusterId;
use std::fmt;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const TAG_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 8;

/// What the envelope adds to a packet.
pub const ENVELOPE_BYTES: usize = TAG_BYTES + CHECKSUM_BYTES;

/// Makes and opens the envelopes of one cluster.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    tag: [u8; TAG_BYTES],
    seed: u64,
}

/// Why a datagram was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is shorter than an envelope.
    Short,
    /// It is of another cluster.
    OtherCluster,
    /// It was damaged on its way.
    Damaged,
}

impl Envelope {
    /// The envelopes of this cluster.
    pub fn new(cluster: ClusterId) -> Envelope {
        let hash = xxh3_64(&cluster.0).to_le_bytes();
        let [a, b, c, d, ..] = hash;
        Envelope { tag: [a, b, c, d], seed: u64::from_le_bytes(hash) }
    }

    /// Puts a packet into `datagram`, in place of what was there.
    pub fn wrap(&self, packet: &[u8], datagram: &mut Vec<u8>) {
        datagram.clear();
        datagram.extend_from_slice(packet);
        datagram.extend_from_slice(&self.tag);
        let checksum = xxh3_64_with_seed(datagram, self.seed);
        datagram.extend_from_slice(&checksum.to_le_bytes());
    }

    /// Takes the packet out of a datagram.
    pub fn open(&self, mut datagram: Bytes) -> Result<Bytes, Refused> {
        let packet = datagram.len().checked_sub(ENVELOPE_BYTES).ok_or(Refused::Short)?;
        let checked = packet + TAG_BYTES;
        if datagram[packet..checked] != self.tag {
            return Err(Refused::OtherCluster);
        }
        if datagram[checked..] != xxh3_64_with_seed(&datagram[..checked], self.seed).to_le_bytes() {
            return Err(Refused::Damaged);
        }
        datagram.truncate(packet);
        Ok(datagram)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Short => "too short",
            Refused::OtherCluster => "of another cluster",
            Refused::Damaged => "damaged",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(cluster: u8, packet: &[u8]) -> Vec<u8> {
        let mut datagram = vec![9; 3];
        Envelope::new(ClusterId([cluster; 16])).wrap(packet, &mut datagram);
        datagram
    }

    #[test]
    fn a_packet_comes_out_as_it_went_in() {
        for packet in [&b""[..], b"x", &[7; 1400]] {
            let opened = Envelope::new(ClusterId([1; 16])).open(wrapped(1, packet).into());
            assert_eq!(opened, Ok(Bytes::copy_from_slice(packet)));
        }
    }

    #[test]
    fn another_cluster_is_told_from_damage() {
        let ours = Envelope::new(ClusterId([1; 16]));
        assert_eq!(ours.open(wrapped(2, b"hello").into()), Err(Refused::OtherCluster));
        assert_eq!(ours.open(Bytes::from_static(b"too short")), Err(Refused::Short));
        let whole = wrapped(1, b"hello");
        for bit in 0..whole.len() * 8 {
            let mut bent = whole.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(ours.open(bent.into()).is_err(), "bit {bit}");
        }
    }
}
