//! Who has nothing to say keeps quiet: members without clients cost a busy one nothing but their
//! sequences, and a cluster without clients sends heartbeats and, when a deadline is due, one empty slot.

use super::{draw, formed};
use bytes::Bytes;
use ftq_core::link::Count as LinkCount;
use ftq_core::machine::queues::{Command, PushOptions, QueueId};

use ftq_core::time::Span;
use ftq_tests::calls::label;
use ftq_tests::checkers::history::End;
use ftq_tests::counts::Count;
use ftq_tests::world::{Setup, World};

/// How often each member says that it is there.
const HEARTBEATS_A_SECOND: u64 = 20;

/// Client, origin, sequencer, everyone, and the marks back: five links of 1 ms at most, two syncs of
/// 0.3 ms, and the links' jitter.
const FIVE_HOPS: Span = Span::micros(5_800);

#[test]
fn others_cost_the_only_busy_member_nothing_but_their_sequences() {
    for members in [3, 5] {
        let mut world = formed(Setup::cluster(members).build());
        world.bind_client(0, &[1]);
        call(&mut world);
        world.run_for(Span::millis(100));
        let (slots, cells) = (world.committed().0, others_cells(&world));
        for n in 0..100 {
            let took = call(&mut world);
            assert!(took <= FIVE_HOPS, "{members} members, call {n}: {took:?}");
        }
        world.run_for(Span::millis(100));
        let view = world.disk(1).view().clone();
        let theirs = (slots + 1..=world.committed().0)
            .filter(|slot| view.sequencer(ftq_core::ids::Slot(*slot)).is_some_and(|member| member.number() != 1))
            .count() as u64;
        assert_eq!(world.committed().0 - slots, 100, "a slot for each call");
        assert_eq!(others_cells(&world) - cells, theirs, "of {members} members the others sent more than sequences");
    }
}

#[test]
fn nobody_has_clients() {
    for members in 1..=7 {
        let mut world = formed(Setup::cluster(members).build());
        world.run_for(Span::secs(1));
        let (before, slots) = (world.counts().of(Count::Datagrams), world.committed());
        world.run_for(Span::secs(10));
        let links = (members * (members - 1)) as u64;
        let sent = world.counts().of(Count::Datagrams) - before;
        assert!(sent <= links * (HEARTBEATS_A_SECOND * 10 + 1), "{members} members: {sent} datagrams");
        assert_eq!(world.committed(), slots);
    }
}

#[test]
fn l13_a_deadline_gives_one_empty_slot() {
    for members in [1, 2, 3, 5] {
        for turn in 0..3 {
            let mut world = formed(Setup::cluster(members).build());
            for _ in 0..turn {
                call(&mut world);
            }
            world.call(0, Command::Create { label: label(1) }, Span::secs(1));
            world.run_for(Span::millis(200));
            let (queue, items) = (QueueId(1), vec![Bytes::from_static(b"later")]);
            let options = PushOptions { delay_ms: 3_000, ..PushOptions::default() };
            let push = world.call(0, Command::Push { queue, items, options }, Span::secs(1));
            world.run_for(Span::secs(1));
            assert!(matches!(world.end(push), Some(End::Answered { .. })), "{:?}", world.end(push));
            let (slots, empty) = (world.committed().0, world.counts().of(Count::EmptySlot));
            world.run_for(Span::secs(1));
            assert_eq!(world.committed().0, slots);
            let changes = world.view_changes();
            world.run_for(Span::secs(10));
            assert_eq!(world.committed().0, slots + 1, "{members} members, turn {turn}");
            assert_eq!(world.counts().of(Count::EmptySlot), empty + 1);
            assert_eq!(world.view_changes(), changes);
        }
    }
}

/// One call, and how long it took.
fn call(world: &mut World) -> Span {
    let call = world.call(0, draw(1, 1), Span::secs(1));
    world.run_until(Span::secs(1), |world| world.end(call).is_some());
    assert!(matches!(world.end(call), Some(End::Answered { .. })), "{:?}", world.end(call));
    world.history().calls()[call].took().unwrap()
}

/// How many cells of streams all members but the first have sent.
fn others_cells(world: &World) -> u64 {
    let running = world.view(1).1.iter().skip(1).filter_map(|member| world.running(member.number()));
    running.map(|running| running.replica.link().counters().of(LinkCount::CellsSent)).sum()
}
