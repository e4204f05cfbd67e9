//! The broadcast streams of one epoch have nothing to do with those of another.

use super::*;

#[test]
fn who_opens_late_gets_what_was_sent_before() {
    for late in [0, 1, 5, 30, 200] {
        let mut mesh = Mesh::met(3, CALM, late);
        let others = mesh.all().without(member(1));
        let now = mesh.now;
        mesh.link(1).open_epoch(now, Epoch(8), others);
        for number in 0..100 {
            mesh.broadcast(1, &numbered(1, number, 900));
        }
        mesh.run(ms(late));
        mesh.open_others(8);
        let took = mesh.run_till(ms(100), |m| m.broadcasts(2, 1).len() == 100 && m.broadcasts(3, 1).len() == 100);
        assert!(took <= ms(20), "{late} ms late: {took:?}");
        assert_in_order(mesh.broadcasts(2, 1), 1, 100);
    }
}

impl Mesh {
    fn open_others(&mut self, epoch: u64) {
        for m in self.all().without(member(1)).iter() {
            let (now, others) = (self.now, self.all().without(m));
            self.link(m.number()).open_epoch(now, Epoch(epoch), others);
            self.flush(m);
        }
    }
}

#[test]
fn what_another_epoch_says_is_left_aside_but_notes_and_trailers_count() {
    let mut mesh = Mesh::met(2, CALM, 1);
    let now = mesh.now;
    let refused = mesh.link(2).counters().refused();
    mesh.link(1).open_epoch(now, Epoch(8), MemberSet::of(member(2)));
    mesh.link(1).set_trailer(b"t");
    mesh.link(1).note(MemberSet::of(member(2)), b"note", false);
    mesh.broadcast(1, b"of epoch 8");
    mesh.stream(1, 2, b"stream");
    mesh.run(ms(20));
    let node = mesh.node(2);
    assert!(node.broadcasts.is_empty() && node.link.gap_since(member(1)).is_none());
    assert_eq!(node.notes, [(member(1), Bytes::from_static(b"note"))]);
    assert_eq!(node.streams[&member(1)], [Bytes::from_static(b"stream")]);
    assert_eq!(node.trailers[0], (member(1), Epoch(8), Bytes::from_static(b"t")));
    assert!(node.link.counters().of(Count::OtherEpoch) > 0);
    assert_eq!(node.link.counters().refused(), refused);
}

#[test]
fn messages_of_a_former_epoch_that_nobody_has_seen_yet_are_gone() {
    let mut mesh = Mesh::met(2, CALM, 1);
    mesh.link(1).broadcast(b"old");
    let now = mesh.now;
    mesh.link(1).flush(now);
    while let Some((_, bytes)) = mesh.link(1).poll_send() {
        mesh.link(2).receive(now, member(1), bytes);
    }
    mesh.link(2).open_epoch(now, Epoch(8), MemberSet::of(member(1)));
    assert_eq!(mesh.link(2).poll_event(), None);
    mesh.link(2).close_epoch();
    assert_eq!((mesh.link(2).epoch(), mesh.link(2).room()), (Epoch(0), WINDOW_BYTES));
}

#[test]
fn a_cluster_of_one_sends_nothing_and_keeps_nothing() {
    let mut link = link(1, 1);
    link.set_peers(Time(0), MemberSet::EMPTY);
    link.open_epoch(Time(0), Epoch(1), MemberSet::EMPTY);
    link.broadcast(&[1; 100_000]);
    link.flush(Time(0));
    assert_eq!((link.room(), link.deadline()), (WINDOW_BYTES, None));
    assert!(link.poll_send().is_none() && link.poll_event().is_none());
}

#[test]
fn epochs_that_follow_each_other_fast_stay_apart() {
    let rough = Faults { loss: 20, double: 30, replay: 30, change: 0, delay: ms(1), jitter: ms(20) };
    let mut mesh = Mesh::met(3, rough, 2);
    for epoch in 8..40 {
        mesh.open(epoch);
        for node in mesh.nodes.values_mut() {
            node.broadcasts.clear();
        }
        let from = u8::try_from(epoch).unwrap();
        for number in 0..20 {
            mesh.broadcast(1, &numbered(from, number, 700));
        }
        mesh.run(ms(epoch));
        for n in [2, 3] {
            let got = mesh.broadcasts(n, 1);
            assert_in_order(got, from, got.len() as u64);
        }
    }
    mesh.run_till(Span::secs(2), Mesh::is_settled);
    assert_eq!(mesh.broadcasts(2, 1).len(), 20);
}

/// A member leaves an epoch while something of its stream is missing at one that stays: that will never come,
/// and is no sign that nothing comes through of what it sends now. A packet that is late changes nothing.
#[test]
fn who_leaves_an_epoch_leaves_no_hole() {
    let mut mesh = Mesh::met(2, CALM, 1);
    let now = mesh.now;
    mesh.cuts.insert((member(1), member(2)));
    mesh.broadcast(1, b"lost");
    mesh.cuts.clear();
    let late = {
        let link = mesh.link(1);
        link.broadcast(b"the next one, which is late");
        link.flush(now);
        link.poll_send().unwrap().1
    };
    mesh.broadcast(1, b"the one after that");
    mesh.cuts.insert((member(2), member(1)));
    mesh.run(ms(20));
    assert!(mesh.link(2).gap_since(member(1)).is_some(), "it could still be filled");
    mesh.link(1).close_epoch();
    mesh.link(1).note(MemberSet::of(member(2)), b"out", false);
    mesh.flush(member(1));
    mesh.run(ms(20));
    assert_eq!(mesh.link(2).gap_since(member(1)), None);
    let now = mesh.now;
    mesh.link(2).receive(now, member(1), late);
    assert_eq!(mesh.link(2).gap_since(member(1)), None);
    assert!(mesh.broadcasts(2, 1).is_empty(), "and nothing is taken out of order");
}
