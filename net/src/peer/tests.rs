//! What was sealed is opened by every holder of the key, and nothing else is.

use super::*;
use ftq_core::ids::MemberSet;
use ftq_core::link::{Count, Event, Link, Options};
use ftq_core::time::{Span, Time};

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
        // The header that `packet` makes names no cluster.
        let expected = if bit < KEY_BYTES * 8 { Refused::OtherCluster } else { Refused::NotAuthentic };
        assert_eq!(opener.open(&mut bent), Err(expected), "bit {bit}");
    }
    for end in 0..whole.len() {
        assert!(opener.open(&mut whole[..end].to_vec()).is_err(), "cut at {end}");
    }
    let counted: Vec<u64> = opener.refused().map(|(_, count)| count).collect();
    assert_eq!(counted, [62, 0, 32, whole.len() as u64 * 8 - 32 + 6]);
    assert_eq!((opener.opened(), opener.boots.len()), (0, 0), "nothing is kept of what does not open");
    let names: Vec<&str> = opener.counts().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["refused_short", "refused_other_key", "refused_other_cluster", "refused_not_authentic", "opened"]
    );
}

#[test]
fn another_key_and_another_cluster_are_refused() {
    let mut node = Node::new(2, 9, &[secret(1)]);
    let datagram = node.say(Time(0)).pop().expect("a link says hello");
    let refused = |secrets: &[Secret], cluster| Opener::new(secrets, cluster).open(&mut datagram.clone()).err();
    assert_eq!(refused(&[secret(2)], CLUSTER), Some(Refused::OtherKey));
    assert_eq!(refused(&[secret(1)], ClusterId([2; 16])), Some(Refused::OtherCluster));
    assert_eq!(refused(&[], CLUSTER), Some(Refused::OtherKey));
    assert_eq!(refused(&[secret(2), secret(1)], CLUSTER), None);
}

/// Every replica goes from the old key to the new one, one after the other, in the middle of a conversation: nothing
/// is refused, nobody is challenged again, and at the end the old key opens nothing.
#[test]
fn a_rotation_needs_no_stop() {
    let (old, new) = (secret(1), secret(2));
    let stages = [vec![old.clone(), new.clone()], vec![new.clone(), old.clone()], vec![new]];
    let mut nodes = [Node::new(1, 11, std::slice::from_ref(&old)), Node::new(2, 12, std::slice::from_ref(&old))];
    let mut now = Time(0);
    converse(&mut nodes, &mut now, 200);
    let believed = |nodes: &[Node; 2]| nodes.each_ref().map(|node| node.link.counters().of(Count::BootsBelieved));
    assert_eq!(believed(&nodes), [1, 1]);
    for (number, keys) in (1..).zip(&stages) {
        for turn in 0..2 {
            nodes[turn].seal.change_key(&keys[0]);
            nodes[turn].opener.change_keys(keys);
            let text = [number, u8::try_from(turn).unwrap()];
            nodes[turn].link.stream(member(2 - u8::try_from(turn).unwrap()), &text);
            converse(&mut nodes, &mut now, 100);
            assert!(nodes[1 - turn].heard().contains(&text.to_vec()), "stage {number}, replica {turn}");
        }
    }
    let refused = |node: &Node| node.opener.refused().map(|(_, count)| count).sum::<u64>();
    assert_eq!(nodes.each_ref().map(refused), [0, 0]);
    assert_eq!(believed(&nodes), [1, 1]);
    let recorded = Node::new(1, 13, &[old]).say(now).pop().unwrap();
    assert_eq!(nodes[1].opener.open(&mut recorded.clone()), Err(Refused::OtherKey));
}

/// A key that was there before: its nonces go on where they were.
#[test]
fn a_key_that_comes_back_is_not_used_from_the_start() {
    let mut seal = seal(1);
    let first = sealed(&mut seal, &packet(1, b"same"));
    seal.change_key(&secret(2));
    sealed(&mut seal, &packet(2, b"same"));
    seal.change_key(&secret(1));
    let later = sealed(&mut seal, &packet(3, b"same"));
    assert_ne!(first[FRAMES_AT..], later[FRAMES_AT..]);
    let again = std::panic::catch_unwind(move || sealed(&mut seal, &packet(1, b"same")));
    assert!(again.is_err(), "a nonce is never used twice");
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
    let mut nodes = [Node::new(1, 11, &[secret(1)]), Node::new(2, 12, &[secret(1)])];
    let record = converse(&mut nodes, &mut Time(0), 200);
    assert_eq!(nodes[0].link.believed(member(2)), Some(BootId([12; 16])));
    let mut again = Node::new(1, 13, &[secret(1)]);
    for (ms, mut datagram) in (300..).zip(record) {
        again.hear(Time(ms * 1_000), &mut datagram);
    }
    assert_eq!(again.link.believed(member(2)), None, "nobody answers the challenge");
}

/// A link with the seal around it.
struct Node {
    link: Link,
    seal: Seal,
    opener: Opener,
}

impl Node {
    /// One of two.
    fn new(n: u8, boot: u8, keys: &[Secret]) -> Node {
        let boot = BootId([boot; 16]);
        let mut link = Link::new(Options::new(member(n), CLUSTER, boot), u64::from(boot.0[0]));
        link.set_peers(Time(0), MemberSet::of(member(3 - n)));
        Node { link, seal: Seal::new(&keys[0], CLUSTER, member(n), boot), opener: Opener::new(keys, CLUSTER) }
    }

    /// The datagrams that it has to send now.
    fn say(&mut self, now: Time) -> Vec<Vec<u8>> {
        self.link.tick(now);
        self.link.flush(now);
        let packets = std::iter::from_fn(|| self.link.poll_send());
        packets.map(|(_, packet)| sealed(&mut self.seal, &packet)).collect()
    }

    fn hear(&mut self, now: Time, datagram: &mut [u8]) {
        let packet = self.opener.open(datagram).expect("it is sealed with one of the keys");
        let from = member(packet[9]);
        self.link.receive(now, from, packet.to_vec().into());
    }

    /// The messages that have come.
    fn heard(&mut self) -> Vec<Vec<u8>> {
        let events = std::iter::from_fn(|| self.link.poll_event());
        events
            .filter_map(|event| match event {
                Event::Stream { message, .. } => Some(message.to_vec()),
                Event::Boot { .. }
                | Event::Laggard { .. }
                | Event::Trailer { .. }
                | Event::Broadcast { .. }
                | Event::Note { .. } => None,
            })
            .collect()
    }
}

/// Passes what two have to say for so many milliseconds, and what the second has said.
fn converse(nodes: &mut [Node; 2], now: &mut Time, ms: u64) -> Vec<Vec<u8>> {
    let mut record = Vec::new();
    let [one, two] = nodes;
    for _ in 0..ms {
        *now += Span::millis(1);
        one.say(*now).iter_mut().for_each(|datagram| two.hear(*now, datagram));
        let mut said = two.say(*now);
        record.extend(said.iter().cloned());
        said.iter_mut().for_each(|datagram| one.hear(*now, datagram));
    }
    record
}
