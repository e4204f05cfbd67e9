//! Whatever comes in is taken or refused and counted; nothing panics and nothing grows.

use super::*;
use crate::link::packet::{self, Kind};
use bytes::BufMut;

/// A packet of member 2's believed boot with any frames, which passes the replay window.
fn forged(number: u64, epoch: u64, frames: &[u8]) -> Bytes {
    let mut packet = packet::opening(CLUSTER, member(2), boot(2, 1)).to_vec();
    packet::stamp(&mut packet, packet::Stamp { version: 1, number, epoch });
    packet.extend_from_slice(frames);
    Bytes::from(packet)
}

#[test]
fn strangers_and_misaddressed_packets_are_refused_by_reason() {
    let mut mesh = Mesh::met(2, CALM, 1);
    let now = mesh.now;
    let packet = forged(1_000, 7, b"");
    let link = mesh.link(1);
    let mut refused = |from: u8, change: &dyn Fn(&mut Vec<u8>), count: Count| {
        let mut bytes = packet.to_vec();
        change(&mut bytes);
        let before = link.counters().of(count);
        link.receive(now, member(from), Bytes::from(bytes));
        assert_eq!(link.counters().of(count), before + 1, "{count:?}");
    };
    refused(2, &|b| b.truncate(41), Count::RefusedLength);
    refused(2, &|b| b.resize(70_000, 0), Count::RefusedLength);
    refused(2, &|b| b[0] = 9, Count::RefusedVersion);
    refused(2, &|b| b[0] = packet::ASIDE, Count::RefusedVersion);
    refused(2, &|b| b[1] ^= 1, Count::RefusedCluster);
    refused(2, &|b| b[9] = 3, Count::RefusedSender);
    refused(2, &|b| b[9] = 1, Count::RefusedMyself);
    refused(1, &|_| (), Count::RefusedMyself);
    refused(3, &|b| b[9] = 3, Count::RefusedStranger);
    refused(2, &|b| b.push(200), Count::RefusedMalformed);
    refused(2, &|b| b[10] ^= 1, Count::RefusedBoot);
    refused(
        2,
        &|b| {
            b[10] ^= 1;
            packet::put_proof(b, 5)
        },
        Count::RefusedProof,
    );
    refused(2, &|_| (), Count::PacketsReceived);
    refused(2, &|_| (), Count::RefusedReplay);
}

#[test]
fn absurd_numbers_are_refused() {
    let mut mesh = Mesh::met(2, CALM, 1);
    mesh.broadcast(1, b"one");
    mesh.run(ms(10));
    let now = mesh.now;
    let to_me = packet::boot_tag(boot(1, 1));
    let mut number = 1_000;
    let mut refused = |frames: &dyn Fn(&mut Vec<u8>)| {
        number += 1;
        let mut body = Vec::new();
        packet::put_to(&mut body, to_me);
        frames(&mut body);
        let link = mesh.link(1);
        let before = link.counters().of(Count::RefusedNumber);
        link.receive(now, member(2), forged(number, 7, &body));
        assert_eq!(link.counters().of(Count::RefusedNumber), before + 1);
    };
    for kind in [Kind::Broadcast, Kind::Pair] {
        refused(&|b| b.put_slice(&packet::cell_head(kind, 0, 0)));
        refused(&|b| b.put_slice(&packet::cell_head(kind, u64::MAX, 0)));
        refused(&|b| b.put_slice(&packet::cell_head(kind, 1 << 40, 0)));
        refused(&|b| packet::put_nack(b, kind, &[(1, u64::MAX)]));
        refused(&|b| packet::put_nack(b, kind, &[(2, 2)]));
        refused(&|b| packet::put_head(b, kind, u64::MAX));
    }
    refused(&|b| packet::put_marks(b, [(member(1), 2)].into_iter()));
    refused(&|b| packet::put_stream_mark(b, 1));
    refused(&|b| packet::put_echo(b, u64::MAX));
    mesh.run(Span::secs(1));
    assert_eq!(mesh.link(1).room(), WINDOW_BYTES);
}

#[test]
fn random_frames_of_a_believed_boot_do_no_harm() {
    let mut mesh = Mesh::met(2, CALM, 1);
    let now = mesh.now;
    let mut chance = Chance::new(9);
    let link = mesh.link(1);
    for number in 0..100_000u64 {
        let mut body = Vec::new();
        for _ in 0..chance.below(6) {
            body.push(u8::try_from(chance.below(20)).unwrap());
            for _ in 0..chance.below(24) {
                body.push(if chance.below(3) == 0 { 0xff } else { u8::try_from(chance.below(4)).unwrap() });
            }
        }
        link.receive(now + Span(number), member(2), forged(number + 100, 7, &body));
        if number % 7 == 0 {
            link.broadcast(&body);
            link.stream(member(2), &body);
            link.tick(now + Span(number));
            link.flush(now + Span(number));
        }
        while link.poll_event().is_some() {}
        while let Some((_, packet)) = link.poll_send() {
            assert!(packet.len() <= DATAGRAM_MAX);
        }
    }
    assert!(link.counters().of(Count::RefusedMalformed) > 1_000);
}

#[test]
fn changed_packets_of_a_real_conversation_do_no_harm() {
    let mut mesh = Mesh::met(3, Faults { replay: 1, ..CALM }, 1);
    for number in 0..30 {
        for n in 1..=3 {
            mesh.link(n).set_trailer(b"trailer");
            mesh.link(n).note(mesh_others(n), b"note", number % 2 == 0);
            mesh.link(n).stream(member(n % 3 + 1), &numbered(n, number, 400));
            mesh.broadcast(n, &numbered(n, number, 1_700));
        }
        mesh.run(ms(2));
    }
    let record = core::mem::take(&mut mesh.record);
    let now = mesh.now;
    let mut chance = Chance::new(3);
    let mut number: u64 = 1 << 20;
    for _ in 0..20 {
        for (from, to, bytes) in &record {
            let mut bytes = bytes.to_vec();
            for _ in 0..=chance.below(4) {
                let at = usize::try_from(chance.below(bytes.len() as u64)).unwrap();
                bytes[at] ^= 1 << chance.below(8);
            }
            number += 1;
            bytes[26..34].copy_from_slice(&number.to_le_bytes());
            bytes.truncate(usize::try_from(chance.below(3_000)).unwrap().max(1));
            let link = mesh.link(to.number());
            link.receive(now, *from, Bytes::from(bytes));
            link.flush(now);
            while link.poll_event().is_some() {}
            while link.poll_send().is_some() {}
        }
    }
}

fn mesh_others(n: u8) -> MemberSet {
    (1..=3).map(member).collect::<MemberSet>().without(member(n))
}
