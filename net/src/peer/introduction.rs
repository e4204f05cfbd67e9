//! What replicas say to find each other: whom they know, and that they are there.
//!
//! It goes beside the link's packets, with a header and a seal like theirs, but with the version of the header that is
//! none of the link's, and with a boot of its own, so that no nonce is used by both. A build that does not know it
//! leaves it aside. Behind the header, numbers little-endian:
//!
//! ```text
//! 1 | asks 24 | answers 24 | count 1 | member 1, address 16, port 2 | … | zeros up to 354
//! ```
//! `asks` wants an answer, `answers` is the `asks` that is answered; zeros for neither. An address is IPv6, or IPv4 as IPv6
//! has it. Who says its own is to be found there, and else where it was heard from.
//!
//! Always: it has one length, so nobody is sent more than came from there.

use ftq_core::ids::MemberId;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The length of a nonce.
pub const NONCE_BYTES: usize = 24;

/// The most addresses that one tells: a cluster's, and as many again that come and go.
pub const TOLD_MAX: usize = 16;

/// Its layout. What is added stands behind what is here and keeps the number.
const LAYOUT: u8 = 1;

const MEMBER_BYTES: usize = 1 + 16 + 2;
const HEAD_BYTES: usize = 1 + 2 * NONCE_BYTES + 1;

/// Its length.
pub const INTRODUCTION_BYTES: usize = HEAD_BYTES + TOLD_MAX * MEMBER_BYTES;

/// What only who receives at one address can know.
pub(super) type AddressNonce = [u8; NONCE_BYTES];

/// No nonce.
pub(super) const NOTHING: AddressNonce = [0; NONCE_BYTES];

/// An introduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// To be sent back by who is there.
    pub asks: AddressNonce,
    /// What was asked.
    pub answers: AddressNonce,
    /// Where members are, at most [`TOLD_MAX`].
    pub told: Vec<(MemberId, SocketAddr)>,
}

impl Introduction {
    /// Its bytes, behind what stands in `packet` already.
    pub fn encode(&self, packet: &mut Vec<u8>) {
        assert!(self.told.len() <= TOLD_MAX, "there is no room for more");
        let end = packet.len() + INTRODUCTION_BYTES;
        packet.push(LAYOUT);
        packet.extend_from_slice(&self.asks);
        packet.extend_from_slice(&self.answers);
        packet.push(u8::try_from(self.told.len()).unwrap_or(u8::MAX));
        for (member, address) in &self.told {
            let ip = match address.ip() {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            packet.push(member.number());
            packet.extend_from_slice(&ip.octets());
            packet.extend_from_slice(&address.port().to_le_bytes());
        }
        packet.resize(end, 0);
    }

    /// What these bytes say.
    pub fn decode(bytes: &[u8]) -> Option<Introduction> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let (layout, head) = head.split_first()?;
        let (asks, head) = head.split_first_chunk()?;
        let (answers, count) = head.split_first_chunk()?;
        let count = usize::from(*count.first()?);
        if *layout != LAYOUT || bytes.len() < INTRODUCTION_BYTES || count > TOLD_MAX {
            return None;
        }
        let (told, _) = rest.as_chunks::<MEMBER_BYTES>();
        let told = told.iter().take(count).map(decode_member).collect::<Option<Vec<_>>>()?;
        Some(Introduction { asks: *asks, answers: *answers, told })
    }
}

/// A member, and an address at which one can be.
fn decode_member(bytes: &[u8; MEMBER_BYTES]) -> Option<(MemberId, SocketAddr)> {
    let (number, rest) = bytes.split_first()?;
    let (ip, port) = rest.split_first_chunk::<16>()?;
    let ip = Ipv6Addr::from(*ip).to_canonical();
    let port = u16::from_le_bytes(port.try_into().ok()?);
    let can_be = !ip.is_unspecified() && !ip.is_multicast() && port != 0;
    MemberId::new(*number).filter(|_| can_be).map(|member| (member, SocketAddr::new(ip, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(n: u8, address: &str) -> (MemberId, SocketAddr) {
        (MemberId::new(n).expect("an id"), address.parse().expect("an address"))
    }

    fn introduction() -> Introduction {
        let told = vec![told(1, "192.0.2.1:7411"), told(4, "[2001:db8::4]:700")];
        Introduction { asks: [7; NONCE_BYTES], answers: NOTHING, told }
    }

    fn bytes(introduction: &Introduction) -> Vec<u8> {
        let mut bytes = Vec::new();
        introduction.encode(&mut bytes);
        bytes
    }

    #[test]
    fn it_has_its_bytes_and_one_length() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let golden = [
            "01",
            &"07".repeat(24),
            &"00".repeat(24),
            "02",
            "01",
            "00000000000000000000ffffc0000201",
            "f31c",
            "04",
            "20010db8000000000000000000000004",
            "bc02",
            &"00".repeat(14 * 19),
        ];
        assert_eq!(hex(&bytes(&introduction())), golden.concat());
        let nothing = Introduction { told: Vec::new(), ..introduction() };
        assert_eq!(bytes(&nothing).len(), INTRODUCTION_BYTES);
    }

    #[test]
    fn what_was_said_is_read_and_more_may_stand_behind_it() {
        let whole = bytes(&introduction());
        assert_eq!(Introduction::decode(&whole), Some(introduction()));
        assert_eq!(Introduction::decode(&[&whole[..], b"more"].concat()), Some(introduction()));
        for end in 0..whole.len() {
            assert_eq!(Introduction::decode(&whole[..end]), None, "{end}");
        }
    }

    #[test]
    fn what_nobody_can_be_is_refused() {
        let nowhere = ["0.0.0.0:7411", "[::]:7411", "239.1.2.3:7411", "[ff02::1]:7411", "192.0.2.1:0"];
        for address in nowhere {
            let bytes = bytes(&Introduction { told: vec![told(1, address)], ..introduction() });
            assert_eq!(Introduction::decode(&bytes), None, "{address}");
        }
        // Another layout, more members than there is room for, a number that no member has.
        for (at, byte) in [(0, 2), (HEAD_BYTES - 1, 17), (HEAD_BYTES, 0), (HEAD_BYTES, 64)] {
            let mut bent = bytes(&introduction());
            bent[at] = byte;
            assert_eq!(Introduction::decode(&bent), None, "{byte} at {at}");
        }
    }
}
