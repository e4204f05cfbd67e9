//! A replica alone: what it makes of what others say.

use super::*;
use crate::ids::{ClusterId, Slot, StoreId};
use crate::machine::list::Lists;
use crate::store::Position;
use bytes::Bytes;

fn m(n: u8) -> MemberId {
    MemberId::new(n).unwrap()
}

fn blank() -> Replica<Lists> {
    let options = Options {
        me: m(1),
        cluster: ClusterId([7; 16]),
        founding: [m(1), m(2), m(3)].into_iter().collect(),
        order: Order::Rotating,
        datagram_max: 1_400,
        snapshot_every: 10,
        memory_bytes: None,
        log_keep: 0,
    };
    let opened = Opened { store: StoreId([1; 16]), ..Opened::default() };
    Replica::new(Time(0), options, BootId([1; 16]), 1, opened, Lists::default())
}

/// The snapshot of a state that is not the one in which a machine begins.
fn some_snapshot() -> Snapshot {
    let mut machine = Sessions::new(Lists::default());
    machine.advance(Slot(3), crate::time::SlotClock(3));
    let _ = machine.apply(Place { slot: 3, position: 0 }, &Bytes::from_static(b"a request"));
    Snapshot {
        slot: Slot(3),
        state: machine.digest(),
        positions: alloc::vec![Position { origin: m(2), view: crate::ids::Ballot::default(), number: 1 }],
        pieces: machine.snapshot(),
        ..Snapshot::default()
    }
}

/// Pieces that are no state, and those of another state than the one that was promised: the replica keeps its
/// own, says from whom it has them, and takes the right ones.
#[test]
fn a_snapshot_that_is_not_what_its_digest_says_is_refused() {
    let mut replica = blank();
    let (state, good) = (replica.machine.digest(), some_snapshot());
    assert_ne!(state, good.state);
    let senders = MemberSet::of(m(2));
    let other = replica.machine.snapshot();
    for pieces in [alloc::vec![Bytes::from_static(b"nonsense")], other] {
        replica.restore(Time(1), senders, Snapshot { pieces, ..good.clone() });
        assert_eq!(replica.machine.digest(), state);
    }
    let why = "snapshot that does not restore to its digest";
    let outputs: Vec<Output> = core::iter::from_fn(|| replica.poll(Time(1))).collect();
    let refused =
        outputs.iter().filter(|output| matches!(output, Output::Event(Event::Refused { why: w }) if *w == why));
    assert_eq!(refused.count(), 2);
    assert!(!replica.stopped && replica.refused().any(|counted| counted == (why, 2)));
    replica.restore(Time(2), senders, good.clone());
    assert_eq!(replica.machine.digest(), good.state);
    assert_eq!(replica.group.log().committed(), Slot(3));
}
