//! Only a boot that proves itself is believed; what was recorded of others is worth nothing.

use super::*;

fn met(mesh: &Mesh) -> bool {
    mesh.nodes.values().all(|n| n.link.peers.iter().all(|p| !p.is_strange()))
}

#[test]
fn two_idle_replicas_find_each_other() {
    let mut mesh = Mesh::new(2, CALM, 1);
    mesh.run_till(ms(70), met);
    assert_eq!(mesh.node(1).boots, [(member(2), boot(2, 1))]);
    assert_eq!(mesh.node(2).boots, [(member(1), boot(1, 1))]);
    assert_eq!(mesh.link(1).believed(member(2)), Some(boot(2, 1)));
}

#[test]
fn they_find_each_other_whatever_is_lost() {
    for seed in 0..50 {
        let rough = Faults { loss: 30, double: 50, replay: 50, change: 5, delay: ms(1), jitter: ms(20) };
        let mut mesh = Mesh::new(3, rough, seed);
        mesh.run_till(Span::secs(3), met);
        assert!(mesh.nodes.values().all(|n| n.boots.len() == 2));
    }
}

#[test]
fn nothing_is_taken_from_a_boot_before_its_proof() {
    let mut mesh = Mesh::new(2, CALM, 1);
    mesh.cuts.insert((member(2), member(1)));
    let (now, one) = (mesh.now, MemberSet::of(member(1)));
    mesh.link(2).set_trailer(b"trailer");
    mesh.link(2).open_epoch(now, Epoch(7), one);
    mesh.link(1).open_epoch(now, Epoch(7), MemberSet::of(member(2)));
    mesh.link(2).broadcast(b"broadcast");
    mesh.link(2).note(one, b"note", true);
    mesh.link(2).stream(member(1), b"stream");
    mesh.cuts.clear();
    mesh.cuts.insert((member(1), member(2)));
    mesh.flush(member(2));
    mesh.run(ms(40));
    let node = mesh.node(1);
    assert!(node.boots.is_empty() && node.broadcasts.is_empty() && node.notes.is_empty() && node.trailers.is_empty());
    assert_eq!((node.link.heard_at(member(2)), node.link.full_size_at(member(2))), (None, None));
    assert!(node.link.counters().of(Count::RefusedBoot) > 0);
    assert_eq!(mesh.link(2).counters().of(Count::StreamDropped), 1);
    mesh.cuts.clear();
    mesh.run(ms(200));
    assert_eq!(mesh.broadcasts(1, 2), [Bytes::from_static(b"broadcast")], "what was kept comes through later");
    assert!(mesh.node(1).notes.is_empty());
}

#[test]
fn a_restart_begins_new_streams() {
    let mut mesh = Mesh::met(2, CALM, 1);
    for number in 0..10 {
        mesh.stream(1, 2, &numbered(1, number, 50));
        mesh.stream(2, 1, &numbered(2, number, 50));
    }
    mesh.lose_next = 1;
    mesh.stream(1, 2, b"never arrives, or before the restart");
    mesh.restart(2, 2);
    mesh.run(ms(200));
    assert_eq!(mesh.node(1).boots.last(), Some(&(member(2), boot(2, 2))));
    assert!(mesh.streams(2, 1).is_empty());
    mesh.stream(1, 2, &numbered(1, 0, 50));
    mesh.stream(2, 1, &numbered(2, 10, 50));
    mesh.run(ms(50));
    assert_in_order(mesh.streams(2, 1), 1, 1);
    assert_in_order(mesh.streams(1, 2), 2, 11);
}

#[test]
fn recorded_traffic_of_an_older_boot_changes_nothing() {
    let mut mesh = Mesh::met(2, CALM, 1);
    mesh.faults.replay = 1;
    mesh.link(2).set_trailer(b"old");
    for number in 0..50 {
        mesh.broadcast(2, &numbered(2, number, 50));
        mesh.stream(2, 1, &numbered(2, number, 50));
        mesh.link(2).note(MemberSet::of(member(1)), b"old", true);
        mesh.run(ms(1));
    }
    mesh.faults.replay = 0;
    mesh.restart(2, 2);
    mesh.run(ms(200));
    let record: Vec<Bytes> = mesh.record.iter().filter(|r| r.1 == member(1)).map(|r| r.2.clone()).collect();
    let now = mesh.now;
    let node = mesh.node(1);
    let heard_at = node.link.heard_at(member(2));
    let before = (node.broadcasts.clone(), node.streams.clone(), node.notes.len(), node.trailers.len());
    for bytes in record {
        node.link.receive(now + ms(1), member(2), bytes);
    }
    node.link.flush(now + ms(1));
    node.drain();
    let after = (node.broadcasts.clone(), node.streams.clone(), node.notes.len(), node.trailers.len());
    assert_eq!(before, after);
    assert_eq!(node.link.heard_at(member(2)), heard_at);
    assert_eq!(node.link.believed(member(2)), Some(boot(2, 2)));
    assert_eq!(node.link.counters().of(Count::ChallengesSent), 3, "each boot was asked once");
}

#[test]
fn recorded_traffic_of_the_believed_boot_changes_nothing() {
    let mut mesh = Mesh::met(2, CALM, 1);
    mesh.faults.replay = 1;
    for _ in 0..50 {
        mesh.link(2).note(MemberSet::of(member(1)), b"note", true);
        mesh.broadcast(2, b"broadcast");
        mesh.run(ms(1));
    }
    mesh.faults.replay = 0;
    mesh.run(ms(50));
    let record: Vec<Bytes> = mesh.record.iter().filter(|r| r.1 == member(1)).map(|r| r.2.clone()).collect();
    let later = mesh.now + Span::secs(1);
    let node = mesh.node(1);
    let (heard_at, notes) = (node.link.heard_at(member(2)), node.notes.len());
    let replayed = node.link.counters().of(Count::RefusedReplay);
    let count = record.len() as u64;
    for bytes in record {
        node.link.receive(later, member(2), bytes);
    }
    node.drain();
    assert_eq!((node.link.heard_at(member(2)), node.notes.len()), (heard_at, notes));
    assert_eq!(node.link.counters().of(Count::RefusedReplay), replayed + count);
}

#[test]
fn what_was_sent_to_a_former_boot_of_the_receiver_is_left_aside() {
    let mut mesh = Mesh::met(2, CALM, 1);
    mesh.link(2).stream(member(1), b"to the former boot");
    let now = mesh.now;
    mesh.link(2).flush(now);
    let (_, late) = mesh.link(2).poll_send().unwrap();
    mesh.restart(1, 2);
    mesh.run(ms(100));
    let node = mesh.node(1);
    assert_eq!(node.link.believed(member(2)), Some(boot(2, 1)));
    node.link.receive(now + ms(100), member(2), late);
    node.drain();
    assert!(node.streams.is_empty());
    assert!(node.link.counters().of(Count::OtherBoot) > 0);
    mesh.stream(2, 1, &numbered(2, 0, 50));
    mesh.run(ms(20));
    assert_in_order(mesh.streams(1, 2), 2, 1);
}

/// A member restarts while something of its broadcast stream is missing here: that will never come, and is
/// not held against the new run of it.
#[test]
fn a_restart_ends_what_was_missing_of_the_stream_before() {
    let mut mesh = Mesh::met(2, CALM, 1);
    let now = mesh.now;
    mesh.link(1).open_epoch(now, Epoch(7), MemberSet::of(member(2)));
    mesh.link(2).open_epoch(now, Epoch(7), MemberSet::of(member(1)));
    mesh.cuts.insert((member(2), member(1)));
    mesh.link(2).broadcast(b"lost");
    mesh.flush(member(2));
    mesh.run(ms(2));
    mesh.cuts.clear();
    mesh.cuts.insert((member(1), member(2)));
    mesh.link(2).broadcast(b"the next one");
    mesh.flush(member(2));
    mesh.run(ms(20));
    assert!(mesh.link(1).gap_since(member(2)).is_some());
    mesh.cuts.clear();
    mesh.restart(2, 2);
    mesh.run(ms(200));
    assert_eq!(mesh.link(1).believed(member(2)), Some(boot(2, 2)));
    assert_eq!(mesh.link(1).gap_since(member(2)), None);
}
