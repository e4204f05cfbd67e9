//! What was sealed is opened by every holder of the key, and nothing else is.

use super::*;
use ftq_core::ids::MemberSet;
use ftq_core::link::{Link, Options};
use ftq_core::time::Time;

const CLUSTER: ClusterId = ClusterId([1; 16]);
const BOOT: BootId = BootId([9; 16]);

fn secret(n: u8) -> Secret {
    Secret::new([n; 32])
}

fn member(n: u8) -> MemberId {
    MemberId::new(n).unwrap()
}

fn seal(n: u8) -> Seal {
    Seal::new(&secret(n), CLUSTER, member(2), BOOT)
}

/// A packet with this number.
fn packet(number: u64, frames: &[u8]) -> Vec<u8> {
    let mut packet = vec![1; HEADER_BYTES];
    packet[9] = 2;
    packet[10..26].copy_from_slice(&BOOT.0);
    packet[26..34].copy_from_slice(&number.to_le_bytes());
    packet.extend_from_slice(frames);
    packet
}

fn sealed(seal: &mut Seal, packet: &[u8]) -> Vec<u8> {
    let mut datagram = vec![7; 3];
    seal.seal(packet, &mut datagram);
    datagram
}

#[test]
fn every_holder_of_the_key_opens_what_was_sealed_once() {
    let mut seal = seal(1);
    for (number, frames) in (1..).zip([&b""[..], b"x", &[3; 1_400]]) {
        let packet = packet(number, frames);
        let datagram = sealed(&mut seal, &packet);
        assert_eq!(datagram.len(), packet.len() + SEAL_BYTES);
        for _ in 0..2 {
            let mut opener = Opener::new(&[secret(1)], CLUSTER);
            assert_eq!(opener.open(&mut datagram.clone()), Ok(&packet[..]));
            assert_eq!(opener.opened(), 1);
        }
        assert!(frames.is_empty() || !datagram.windows(frames.len()).any(|window| window == frames), "it is hidden");
    }
}

/// The bytes of version 1, made by another implementation (`tests/python/peer_seal.py`).
#[test]
fn the_seal_has_its_bytes() {
    let datagram = sealed(&mut seal(1), &packet(5, b"frames"));
    let hex: String = datagram.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, include_str!("version-1.txt").trim());
}

#[test]
fn any_changed_bit_and_any_missing_byte_is_refused() {
    let mut opener = Opener::new(&[secret(1)], CLUSTER);
    let whole = sealed(&mut seal(1), &packet(1, b"frames"));
    for bit in 0..whole.len() * 8 {
        let mut bent = whole.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let expected = if bit < KEY_BYTES * 8 { Refused::OtherKey } else { Refused::NotAuthentic };
        assert_eq!(opener.open(&mut bent), Err(expected), "bit {bit}");
    }
    for end in 0..whole.len() {
        assert!(opener.open(&mut whole[..end].to_vec()).is_err(), "cut at {end}");
    }
    let counted: Vec<u64> = opener.refused().map(|(_, count)| count).collect();
    assert_eq!(counted, [62, 32, whole.len() as u64 * 8 - 32 + 6]);
    assert_eq!((opener.opened(), opener.boots.len()), (0, 0), "nothing is kept of what does not open");
    let names: Vec<&str> = opener.counts().map(|(name, _)| name).collect();
    assert_eq!(names, ["refused_short", "refused_other_key", "refused_not_authentic", "opened"]);
}

#[test]
fn another_key_and_another_cluster_are_refused() {
    let datagram = sealed(&mut seal(1), &packet(1, b"frames"));
    let refused = |secrets: &[Secret], cluster| Opener::new(secrets, cluster).open(&mut datagram.clone()).err();
    assert_eq!(refused(&[secret(2)], CLUSTER), Some(Refused::OtherKey));
    assert_eq!(refused(&[secret(1)], ClusterId([2; 16])), Some(Refused::OtherKey));
    assert_eq!(refused(&[], CLUSTER), Some(Refused::OtherKey));
    assert_eq!(refused(&[secret(2), secret(1)], CLUSTER), None);
}

/// Every replica goes from the old key to the new one, one after the other, and all hear all at any time.
#[test]
fn a_rotation_needs_no_stop() {
    let (old, new) = (secret(1), secret(2));
    let stages = [vec![old.clone()], vec![old.clone(), new.clone()], vec![new.clone(), old], vec![new]];
    for pair in stages.windows(2) {
        for (sender, receiver) in [(0, 1), (1, 0), (0, 0), (1, 1)] {
            let datagram = sealed(&mut Seal::new(&pair[sender][0], CLUSTER, member(2), BOOT), &packet(1, b"hello"));
            assert!(Opener::new(&pair[receiver], CLUSTER).open(&mut datagram.clone()).is_ok());
        }
    }
}

#[test]
#[should_panic(expected = "a nonce is never used twice")]
fn a_number_is_sealed_once() {
    let mut seal = seal(1);
    let packet = packet(1, b"");
    sealed(&mut seal, &packet);
    sealed(&mut seal, &packet);
}

#[test]
fn what_is_kept_of_boots_is_bounded() {
    let mut opener = Opener::new(&[secret(1)], CLUSTER);
    for boot in 0..100 {
        let mut packet = packet(1, b"");
        packet[10..26].copy_from_slice(&[boot; 16]);
        let mut seal = Seal::new(&secret(1), CLUSTER, member(2), BootId([boot; 16]));
        assert!(opener.open(&mut sealed(&mut seal, &packet)).is_ok());
    }
    assert_eq!(opener.boots.len(), BOOTS_KEPT);
}

/// Two links that meet through seals; what was recorded of an older boot is worth nothing.
#[test]
fn links_meet_through_their_seals_and_an_old_boot_is_not_believed() {
    struct Node {
        link: Link,
        seal: Seal,
        opener: Opener,
    }
    let node = |n: u8, boot: u8| {
        let boot = BootId([boot; 16]);
        let mut link = Link::new(Options::new(member(n), CLUSTER, boot), u64::from(boot.0[0]));
        link.set_peers(Time(0), MemberSet::of(member(3 - n)));
        let seal = Seal::new(&secret(1), CLUSTER, member(n), boot);
        Node { link, seal, opener: Opener::new(&[secret(1)], CLUSTER) }
    };
    let pass = |from: &mut Node, to: &mut Node, now: Time, record: &mut Vec<Vec<u8>>| {
        from.link.tick(now);
        from.link.flush(now);
        let sender = from.seal.key.algorithm();
        assert_eq!(sender, &CHACHA20_POLY1305);
        while let Some((_, packet)) = from.link.poll_send() {
            let mut datagram = Vec::new();
            from.seal.seal(&packet, &mut datagram);
            record.push(datagram.clone());
            let packet = to.opener.open(&mut datagram).unwrap();
            let from = member(packet[9]);
            to.link.receive(now, from, packet.to_vec().into());
        }
    };
    let (mut a, mut b) = (node(1, 11), node(2, 12));
    let mut record = Vec::new();
    for ms in 0..200 {
        pass(&mut a, &mut b, Time(ms * 1_000), &mut Vec::new());
        pass(&mut b, &mut a, Time(ms * 1_000), &mut record);
    }
    assert_eq!(a.link.believed(member(2)), Some(BootId([12; 16])));
    let mut a = node(1, 13);
    for (ms, mut datagram) in (300..).zip(record) {
        let packet = a.opener.open(&mut datagram).unwrap().to_vec();
        a.link.receive(Time(ms * 1_000), member(2), packet.into());
    }
    assert_eq!(a.link.believed(member(2)), None, "nobody answers the challenge");
}
