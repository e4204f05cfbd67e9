//! Members are added, removed and replaced while requests go on: each change is the last slot of its view,
//! and is completed by a quorum of the old and of the new configuration (RULES S5).

use super::formed;
use ftq_core::group::admission::{ClusterChange, Unfit};
use ftq_core::ids::MemberId;
use ftq_core::replica::ChangeOutcome;
use ftq_core::time::Span;
use ftq_tests::clients::Load;
use ftq_tests::world::{Setup, World};

/// A change of the cluster stops ordering for no longer.
const STOP_MAX: Span = Span::millis(100);

/// A replica that joins has learned all there is within this.
const JOINED: Span = Span::secs(3);

fn m(id: u8) -> MemberId {
    MemberId::new(id).unwrap()
}

fn busy(setup: Setup) -> World {
    let mut world = formed(setup.build());
    world.load(0, Load::writes(4));
    world.run_for(Span::millis(200));
    world
}

/// Starts a spare that knows only member `contact`, and adds it.
fn add(world: &mut World, id: u8, contact: u8) {
    world.enlist(id, contact);
    world.run_until(JOINED, |world| world.applied(id).0 + 10 > world.committed().0).expect("it has caught up");
    world.run_for(Span::millis(300));
    world.change(contact, ClusterChange::Add(m(id)));
}

fn all_agree(world: &mut World, members: &[u8]) {
    assert_eq!(world.configuration().set(), members.iter().map(|id| m(*id)).collect());
    world.run_until(Span::secs(5), World::is_one_view_of_all).expect("one view of all");
    world.run_for(Span::millis(20));
}

#[test]
fn s5_from_one_to_three_to_five_and_back() {
    let mut world = busy(Setup::cluster(1).spares(4));
    for id in 2..=5 {
        add(&mut world, id, 1);
        let members: Vec<u8> = (1..=id).collect();
        all_agree(&mut world, &members);
    }
    for id in (2..=5).rev() {
        world.change(1, ClusterChange::Remove(m(id)));
        world.run_for(Span::millis(500));
        assert!(world.running(id).is_none(), "member {id} was told, and has stopped");
        let members: Vec<u8> = (1..id).collect();
        all_agree(&mut world, &members);
    }
    assert!(world.answered() > 1_000, "{} answers", world.answered());
}

#[test]
fn s5_requests_go_on_while_the_cluster_changes() {
    let mut world = busy(Setup::cluster(3).spares(1));
    world.enlist(4, 2);
    world.run_for(JOINED);
    for change in [ClusterChange::Add(m(4)), ClusterChange::Remove(m(1))] {
        let id = world.order_change(2, change);
        let stop = world.longest_standstill(Span::secs(1), |world| world.committed().0);
        assert!(stop <= STOP_MAX, "{change:?} stopped ordering for {stop:?}");
        assert!(matches!(world.change_outcome(id), Some(ChangeOutcome::Done { .. })));
    }
    all_agree(&mut world, &[2, 3, 4]);
}

#[test]
fn s5_a_member_is_replaced() {
    let mut world = busy(Setup::cluster(3).spares(1));
    world.enlist(4, 1);
    world.run_for(JOINED);
    world.crash(3);
    world.change(1, ClusterChange::Replace { old: m(3), new: m(4) });
    all_agree(&mut world, &[1, 2, 4]);
    world.start(3);
    world.run_for(Span::secs(1));
    assert!(world.running(3).is_none(), "it hears that it was replaced, and stops");
}

/// A change that could leave a view that nobody can complete is not begun.
#[test]
fn s5_a_change_waits_until_both_quorums_are_there() {
    let mut world = busy(Setup::cluster(3).spares(1));
    world.enlist(4, 1);
    world.run_for(JOINED);
    world.crash(4);
    world.crash(3);
    world.run_for(Span::secs(1));
    let id = world.order_change(1, ClusterChange::Add(m(4)));
    world.run_for(Span::secs(4));
    assert!(!matches!(world.change_outcome(id), Some(ChangeOutcome::Done { .. })));
    assert_eq!(world.configuration().set().len(), 3);
    let before = world.answered();
    world.run_for(Span::secs(1));
    assert!(world.answered() > before, "the old cluster goes on");
}

/// A change names the configuration that it replaces: of two that are ordered at once one is done.
#[test]
fn s5_of_two_changes_at_once_one_is_done() {
    let mut world = busy(Setup::cluster(3).spares(2));
    world.enlist(4, 1);
    world.enlist(5, 2);
    world.run_for(JOINED);
    let first = world.order_change(1, ClusterChange::Add(m(4)));
    let second = world.order_change(2, ClusterChange::Add(m(5)));
    world.run_for(Span::secs(6));
    let outcomes = [first, second].map(|id| world.change_outcome(id));
    let done = outcomes.iter().filter(|outcome| matches!(outcome, Some(ChangeOutcome::Done { .. }))).count();
    assert_eq!(done, 1, "{outcomes:?}");
    assert_eq!(world.configuration().number, 2);
    let added = if world.configuration().set().contains(m(4)) { 4 } else { 5 };
    all_agree(&mut world, &[1, 2, 3, added]);
}

#[test]
fn what_makes_no_sense_is_refused_at_once() {
    let mut world = busy(Setup::cluster(1).spares(1));
    let mut refused = |change| {
        let id = world.order_change(1, change);
        world.run_for(Span::millis(1));
        world.change_outcome(id)
    };
    assert_eq!(refused(ClusterChange::Add(m(1))), Some(ChangeOutcome::Unfit(Unfit::AlreadyMember)));
    assert_eq!(refused(ClusterChange::Add(m(2))), Some(ChangeOutcome::Unfit(Unfit::NotHeard)));
    assert_eq!(refused(ClusterChange::Remove(m(2))), Some(ChangeOutcome::Unfit(Unfit::NotAMember)));
    assert_eq!(refused(ClusterChange::Remove(m(1))), Some(ChangeOutcome::Unfit(Unfit::LastMember)));
}

/// The only member that knew of a change loses its power before the new one has heard of it: the new one
/// is asked all the same.
#[test]
fn s5_a_change_that_only_the_old_member_knows_is_completed() {
    for after in 0..30 {
        let mut world = busy(Setup::cluster(1).spares(1).seed(after + 1));
        world.enlist(2, 1);
        world.run_for(JOINED);
        let id = world.order_change(1, ClusterChange::Add(m(2)));
        world.run_for(Span::micros(after * 100));
        world.power_cut(1);
        world.run_for(Span::millis(500));
        world.start(1);
        world.run_for(Span::secs(3));
        let before = world.answered();
        world.run_for(Span::secs(1));
        assert!(world.answered() > before, "after {after}: {:?}", world.change_outcome(id));
    }
}

/// A member is removed and added again while the others still hear it: it has been told to stop, so a cluster
/// that counted on it would wait for nobody. It comes back with a store that starts anew.
#[test]
fn l13_who_was_removed_comes_back_with_a_new_store() {
    let mut world = busy(Setup::cluster(3));
    world.change(1, ClusterChange::Remove(m(3)));
    world.run_for(Span::millis(50));
    let again = world.order_change(1, ClusterChange::Add(m(3)));
    world.run_for(Span::millis(1));
    assert_eq!(world.change_outcome(again), Some(ChangeOutcome::Unfit(Unfit::HadASeat)));
    world.run_for(Span::secs(1));
    assert!(world.running(3).is_none(), "it was told");
    world.new_disk(3);
    add(&mut world, 3, 1);
    all_agree(&mut world, &[1, 2, 3]);
}
