//! Loss is found and repaired in time, and nothing is sent for nothing.

use super::*;

#[test]
fn the_last_datagram_of_a_burst_is_repaired_within_50_ms() {
    let mut mesh = Mesh::met(3, CALM, 1);
    for number in 0..5 {
        mesh.broadcast(1, &numbered(1, number, 200));
    }
    mesh.lose_next = 2;
    mesh.broadcast(1, &numbered(1, 5, 200));
    let took = mesh.run_till(ms(50), |m| m.broadcasts(2, 1).len() == 6 && m.broadcasts(3, 1).len() == 6);
    assert!(took <= ms(12), "{took:?}");
}

#[test]
fn the_last_datagram_of_a_stream_is_repaired_within_50_ms() {
    let mut mesh = Mesh::met(3, CALM, 1);
    mesh.stream(1, 2, &numbered(1, 0, 200));
    mesh.lose_next = 1;
    mesh.stream(1, 2, &numbered(1, 1, 200));
    mesh.run_till(ms(50), |m| m.streams(2, 1).len() == 2);
}

#[test]
fn a_tail_is_repaired_even_if_the_first_probe_or_nack_is_lost_too() {
    for lost in 1..=4 {
        let mut mesh = Mesh::met(2, CALM, 1);
        mesh.lose_next = lost;
        mesh.broadcast(1, &numbered(1, 0, 200));
        mesh.run_till(ms(100), |m| m.broadcasts(2, 1).len() == 1);
    }
}

#[test]
fn a_gap_is_known_while_it_lasts() {
    let mut mesh = Mesh::met(2, CALM, 1);
    mesh.lose_next = 1;
    mesh.broadcast(1, &numbered(1, 0, 50));
    mesh.broadcast(1, &numbered(1, 1, 50));
    let lost_at = mesh.now;
    mesh.cuts.insert((member(2), member(1)));
    mesh.run(ms(300));
    assert_eq!(mesh.link(2).gap_since(member(1)), Some(lost_at + ms(1)));
    assert!(mesh.link(1).behind(member(2)) > 100);
    mesh.cuts.clear();
    mesh.run(ms(110));
    assert_eq!(mesh.link(2).gap_since(member(1)), None);
    assert_in_order(mesh.broadcasts(2, 1), 1, 2);
    assert_eq!(mesh.link(1).behind(member(2)), 0);
}

#[test]
fn a_mesh_that_has_nothing_to_say_is_silent() {
    let mut mesh = Mesh::met(5, CALM, 1);
    mesh.broadcast(1, b"something");
    mesh.run(ms(100));
    let sent = mesh.sent;
    mesh.run(Span::secs(10));
    assert_eq!(mesh.sent, sent);
    assert!(mesh.nodes.values().all(|n| n.link.deadline().is_none()));
}

#[test]
fn one_message_costs_a_datagram_and_its_acknowledgement_each() {
    let mut mesh = Mesh::met(3, CALM, 1);
    let sent = mesh.sent;
    mesh.broadcast(1, b"something");
    mesh.run(ms(100));
    assert_eq!(mesh.sent - sent, 4);
}

#[test]
fn nudges_notes_and_trailers_arrive() {
    let mut mesh = Mesh::met(3, CALM, 1);
    mesh.link(1).set_trailer(b"mark 17");
    mesh.link(1).nudge(MemberSet::of(member(2)));
    mesh.flush(member(1));
    let max = mesh.link(1).note_max();
    let note = alloc::vec![5; max];
    mesh.link(1).note(MemberSet::of(member(3)), &note, false);
    mesh.flush(member(1));
    mesh.run(ms(2));
    let expected = (member(1), Epoch(7), Bytes::from_static(b"mark 17"));
    assert_eq!(mesh.node(2).trailers.last(), Some(&expected));
    assert_eq!(mesh.node(3).trailers, [expected]);
    assert_eq!(mesh.node(3).notes, [(member(1), Bytes::from(note))]);
    assert_eq!(mesh.link(3).full_size_at(member(1)), None);
    let sent_at = mesh.now;
    mesh.link(1).note(MemberSet::of(member(3)), b"probe", true);
    mesh.flush(member(1));
    mesh.run(ms(2));
    assert_eq!(mesh.link(3).full_size_at(member(1)), Some(sent_at + ms(1)));
    assert_eq!(mesh.node(3).notes.len(), 2);
}

#[test]
fn a_nudge_costs_nothing_where_a_packet_goes_anyway() {
    let mut mesh = Mesh::met(3, CALM, 1);
    let (sent, all) = (mesh.sent, mesh.all());
    mesh.link(1).nudge(all);
    mesh.link(1).broadcast(b"something");
    mesh.link(1).note(all, b"note", false);
    mesh.flush(member(1));
    assert_eq!(mesh.sent - sent, 4);
    mesh.link(1).nudge(all);
    mesh.flush(member(1));
    assert_eq!(mesh.sent - sent, 6);
}

/// Member 1 broadcasts until its window has no more room than this.
fn fill(mesh: &mut Mesh, room: usize) {
    for _ in 0..WINDOW_BYTES / 1_000 {
        if mesh.link(1).room() <= room {
            return;
        }
        mesh.broadcast(1, &[9; 1_000]);
        mesh.run(Span::micros(20));
    }
    panic!("the window does not fill");
}

#[test]
fn l8_who_alone_keeps_the_window_half_full_is_a_laggard_once() {
    let mut mesh = Mesh::met(3, CALM, 1);
    mesh.cuts.insert((member(3), member(1)));
    let began = mesh.now;
    fill(&mut mesh, WINDOW_BYTES / 2);
    let half_full = mesh.now.since(began);
    assert!(mesh.node(1).laggards.is_empty());
    mesh.run(LAGGARD_AFTER);
    mesh.run(ms(5));
    assert_eq!(mesh.node(1).laggards, [member(3)], "half full after {half_full:?}");
    mesh.run(Span::secs(1));
    assert_eq!(mesh.node(1).laggards.len(), 1);
    assert!(mesh.link(1).behind(member(3)) >= (WINDOW_BYTES / 2) as u64);
    mesh.cuts.clear();
    mesh.run(ms(200));
    assert_eq!((mesh.link(1).behind(member(3)), mesh.link(1).room()), (0, WINDOW_BYTES));
    mesh.cuts.insert((member(3), member(1)));
    fill(&mut mesh, WINDOW_BYTES / 2);
    mesh.run(Span::secs(1));
    assert_eq!(mesh.node(1).laggards, [member(3), member(3)], "again, after it had caught up");
}

#[test]
fn nobody_is_a_laggard_while_others_lag_as_well() {
    let mut mesh = Mesh::met(3, CALM, 1);
    mesh.cuts.extend([(member(3), member(1)), (member(2), member(1))]);
    fill(&mut mesh, 0);
    mesh.run(Span::secs(1));
    assert!(mesh.node(1).laggards.is_empty());
}
