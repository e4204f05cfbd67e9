//! A member is told to stop: the others go on without a failure timeout, and no client sees an error.

use super::formed;
use ftq_core::replica::Succession;
use ftq_core::time::Span;
use ftq_tests::checkers::history::End;
use ftq_tests::clients::Load;
use ftq_tests::world::{Setup, World};

/// What a view change takes, on links of 1 ms and disks of a few.
const VIEW_CHANGE: Span = Span::millis(60);

/// Whoever is told to stop has ended after this, whatever the others do.
const ENDED: Span = Span::millis(1_400);

/// A client that was turned away goes elsewhere after a quarter of a second at most.
const ELSEWHERE: Span = Span::millis(350);

/// Who comes back is taken in after this.
const BACK: Span = Span::secs(2);

#[test]
fn one_retires_under_load() {
    for members in [3, 4, 5] {
        for moment in 0..10 {
            for retiring in 1..=members {
                one_retires(members, retiring, moment);
            }
        }
    }
}

fn one_retires(members: u8, retiring: u8, moment: u64) {
    let context = format!("{members} members, {retiring} retires, moment {moment}");
    let mut world = formed(Setup::cluster(usize::from(members)).seed(moment).build());
    world.load(0, Load::writes(4));
    world.run_for(Span::micros(100_000 + 1_370 * moment));
    world.retire(retiring);
    let standstill = world.longest_standstill(Span::secs(1), World::answered);
    assert!(standstill <= VIEW_CHANGE.max(ELSEWHERE), "{context}: {standstill:?}");
    assert_eq!(world.retired(retiring), Some(Succession::HandedOver), "{context}");
    world.start(retiring);
    assert!(world.run_until(BACK, |world| everyone_is_in(world, members)).is_some(), "{context}: not taken in again");
    all_answered(&mut world, &context);
}

/// A client that asks another member hardly notices.
#[test]
fn the_others_stand_still_for_a_view_change_alone() {
    for moment in 0..20 {
        let mut world = formed(Setup::cluster(3).seed(moment).build());
        world.bind_client(0, &[3]);
        world.load(0, Load::writes(4));
        world.run_for(Span::micros(100_000 + 1_370 * moment));
        world.retire(1 + u8::from(moment % 2 == 0));
        let standstill = world.longest_standstill(Span::secs(1), World::answered);
        assert!(standstill <= VIEW_CHANGE, "moment {moment}: {standstill:?}");
        all_answered(&mut world, &format!("moment {moment}"));
    }
}

/// One after the other is told to stop and started again, as an upgrade does it.
#[test]
fn a_rolling_restart_costs_nothing() {
    let mut world = formed(Setup::cluster(3).build());
    world.load(0, Load::writes(4));
    for round in 0..9u8 {
        let member = 1 + round % 3;
        world.run_for(Span::millis(100));
        world.retire(member);
        assert!(world.run_until(ENDED, |world| world.retired(member).is_some()).is_some(), "round {round}");
        assert_eq!(world.retired(member), Some(Succession::HandedOver), "round {round}");
        world.start(member);
        assert!(world.run_until(BACK, |world| everyone_is_in(world, 3)).is_some(), "round {round}");
    }
    all_answered(&mut world, "a rolling restart");
}

/// All are told to stop at one moment: each ends in time, and all are back when they start.
#[test]
fn all_retire_at_once() {
    for members in [1, 2, 3, 5] {
        let mut world = formed(Setup::cluster(usize::from(members)).build());
        world.load(0, Load::writes(4));
        world.run_for(Span::millis(100));
        (1..=members).for_each(|member| world.retire(member));
        let ended = world.run_until(ENDED, |world| (1..=members).all(|member| world.retired(member).is_some()));
        assert!(ended.is_some(), "{members} members");
        world.start_all();
        assert!(world.run_until(BACK, |world| everyone_is_in(world, members)).is_some(), "{members} members");
        all_answered(&mut world, &format!("{members} members"));
    }
}

/// In a cluster of two the lower one can't go on alone, and the higher one can.
#[test]
fn of_two_the_higher_one_is_needed() {
    for (retiring, succession) in [(1, Succession::HandedOver), (2, Succession::NoQuorum)] {
        let mut world = formed(Setup::cluster(2).build());
        world.retire(retiring);
        world.run_for(ENDED);
        assert_eq!(world.retired(retiring), Some(succession), "{retiring} retires");
    }
}

/// Of the two others one is missed at the moment when a member is told to stop: it is waited for.
#[test]
fn who_is_missed_for_a_moment_takes_over_with_the_rest() {
    let mut world = formed(Setup::cluster(3).build());
    world.islands(&[&[1, 3], &[2]]);
    world.run_for(Span::millis(500));
    world.retire(1);
    world.run_for(Span::millis(100));
    assert_eq!(world.retired(1), None);
    world.join_islands();
    world.run_for(ENDED);
    assert_eq!(world.retired(1), Some(Succession::HandedOver));
}

/// Who is cut off from the others, or has a disk that hangs, ends in time as well.
#[test]
fn trouble_does_not_hold_it_up() {
    for trouble in [|world: &mut World| world.islands(&[&[1], &[2, 3]]), |world: &mut World| world.hang_disk(1)] {
        let mut world = formed(Setup::cluster(3).build());
        world.load(0, Load::writes(4));
        world.run_for(Span::millis(50));
        trouble(&mut world);
        world.retire(1);
        assert!(world.run_until(ENDED, |world| world.retired(1).is_some()).is_some());
    }
}

fn everyone_is_in(world: &World, members: u8) -> bool {
    (1..=members)
        .all(|id| world.running(id).is_some_and(|r| r.replica.group().view().members.len() == usize::from(members)))
}

/// Lets the clients finish: each of their calls was answered.
fn all_answered(world: &mut World, context: &str) {
    world.stop_load(0);
    world.run_for(Span::secs(6));
    let bad = world
        .history()
        .calls()
        .iter()
        .find(|call| !matches!(call.returned, Some((_, End::Answered { .. } | End::Read { .. } | End::Closed))));
    assert!(bad.is_none(), "{context}: {bad:?}");
}
