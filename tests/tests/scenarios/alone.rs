//! A quorum is lost for ever, and by the operator's order another cluster begins with all that one store holds: nothing
//! that is there is lost, not even what was accepted and not acknowledged; the others join it with empty stores (RULES S7).

use super::{answered_in, draw, drawn, formed};
use ftq_core::group::admission::ClusterChange;
use ftq_core::ids::MemberId;
use ftq_core::machine::queues::Question;
use ftq_core::time::Span;
use ftq_tests::checkers::history::End;
use ftq_tests::clients::Load;
use ftq_tests::world::{Setup, World};

/// A cluster of one is there, and a replica has learned all, within this.
const SOON: Span = Span::secs(5);

/// The client that waits through all of it.
const PATIENCE: Span = Span::secs(60);

fn m(id: u8) -> MemberId {
    MemberId::new(id).unwrap()
}

/// A cluster with a history, at rest: everybody has all of it.
fn rested(members: u8) -> World {
    let mut world = formed(Setup::cluster(members.into()).snapshots(50, 10).build());
    world.load(0, Load::writes(4));
    world.run_for(Span::secs(2));
    world.stop_load(0);
    world.run_for(Span::secs(3));
    world
}

/// A member of the former cluster comes in with an empty store.
fn join(world: &mut World, id: u8, contact: u8) {
    world.new_disk(id);
    world.start(id);
    let is_near = |world: &World| world.running(id).is_some() && world.applied(id).0 + 10 > world.committed().0;
    world.run_until(SOON, is_near).unwrap_or_else(|| {
        panic!(
            "member {id}, {:?}, has not caught up: {:?} of {}",
            world.configuration(),
            world.running(id).map(|_| world.applied(id)),
            world.committed()
        )
    });
    world.run_for(Span::millis(300));
    world.change(contact, ClusterChange::Add(m(id)));
}

#[test]
fn s7_by_order_another_cluster_begins_with_all_that_one_store_holds() {
    for (members, last) in [(2, 1), (3, 1), (3, 3), (5, 2)] {
        let mut world = rested(members);
        world.bind_client(1, &[last]);
        let call = world.call(1, draw(7, 1), Span::secs(2));
        world.run_for(Span::secs(1));
        assert!(matches!(world.end(call), Some(End::Answered { .. })), "{:?}", world.end(call));
        let others: Vec<u8> = (1..=members).filter(|id| *id != last).collect();
        others.iter().for_each(|id| world.hang_disk(*id));
        let committed = world.committed();
        let call = world.call(1, draw(7, 2), PATIENCE);
        world.run_for(Span::millis(50));
        assert_eq!(world.committed(), committed, "the only disk that works is no quorum");
        world.power_cut_all();
        let end = world.go_on_alone(last);
        assert!(end > committed, "what was accepted is there");
        world.start(last);
        world.run_until(SOON, |world| world.end(call).is_some()).expect("whoever waited is answered");
        assert!(matches!(world.end(call), Some(End::Answered { .. })), "{:?}", world.end(call));
        assert_eq!(drawn(&mut world, 1, 7, false, Span::secs(1)), 3, "it was executed once");
        assert_eq!(world.configuration().number, 2);
        for id in &others {
            world.mend_disk(*id);
            join(&mut world, *id, last);
        }
        assert_eq!(world.configuration().set(), (1..=members).map(m).collect());
        world.run_until(SOON, World::is_one_view_of_all).expect("one view of all");
        world.power_cut(last);
        world.bind_client(1, &others);
        assert_eq!(drawn(&mut world, 1, 7, false, Span::secs(2)), 3, "the others have it too");
    }
}

/// One of those that were thought to be gone is back, with its store: it is of another cluster, and does no harm.
#[test]
fn who_comes_back_from_the_former_cluster_is_not_heard() {
    let mut world = rested(3);
    world.islands(&[&[1], &[2, 3]]);
    world.power_cut(2);
    world.power_cut(3);
    world.go_on_alone(3);
    world.start(3);
    world
        .run_until(SOON, |world| world.running(3).is_some_and(|running| running.replica.group().is_active()))
        .expect("it serves");
    world.join_islands();
    world.load(0, Load::writes(4));
    world.run_for(Span::secs(5));
    assert!(answered_in(&mut world, Span::secs(1)) > 100);
    assert_eq!(world.configuration().set(), [m(3)].into_iter().collect());
    world.bind_client(1, &[1]);
    let ask = world.ask(1, Question::Summary, false, Span::millis(300));
    world.run_for(Span::secs(1));
    assert!(matches!(world.end(ask), Some(End::Refused | End::Unknown)), "{:?}", world.end(ask));
    world.power_cut(1);
    join(&mut world, 1, 3);
    world.run_for(Span::secs(1));
    assert!(answered_in(&mut world, Span::secs(1)) > 100);
}
