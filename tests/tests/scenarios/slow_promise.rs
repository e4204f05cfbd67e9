//! A member whose disk is slow with a promise is waited for, and disks that are slow with it make no duels
//! (RULES L5).

use super::{FAILURE, formed};
use ftq_core::ids::MemberSet;
use ftq_core::time::Span;
use ftq_storage::memory::{Drawn, Faults};
use ftq_tests::clients::Load;
use ftq_tests::counts::Count;
use ftq_tests::world::{Setup, World};

fn slow(base: Span) -> Faults {
    Faults { journal: Drawn { base, jitter: Span(base.0 / 10) }, ..Faults::default() }
}

fn loaded(members: u8) -> World {
    let mut world = formed(Setup::cluster(usize::from(members)).build());
    world.bind_client(0, &[1]);
    world.load(0, Load::writes(4));
    world.run_for(Span::millis(200));
    world
}

/// A quorum has promised long before it has: it is in the next view all the same, which is the only one.
#[test]
fn l5_who_is_slow_with_a_promise_is_not_left_out() {
    for slow_one in 1..=4 {
        let mut world = loaded(5);
        world.set_disk(slow_one, slow(Span(FAILURE.0 / 16)));
        world.run_for(Span::millis(300));
        let views = world.view_changes();
        world.crash(5);
        world.run_until(Span::secs(1), |world| world.view_changes() > views).expect("a view without the dead one");
        world.run_for(Span::secs(3));
        assert_eq!(world.view_changes(), views + 1, "member {slow_one} is slow");
        let all: MemberSet = world.configuration().set().iter().filter(|m| m.number() != 5).collect();
        assert_eq!(world.view(1).1, all, "member {slow_one} is slow");
    }
}

/// All disks take a good part of the failure timeout for a sync, and a promise is two: proposers wait for one
/// another, instead of each trying again before anybody has answered.
#[test]
fn l5_slow_disks_make_no_duels() {
    for dead in 1..=5 {
        let mut world = loaded(5);
        (1..=5).for_each(|id| world.set_disk(id, slow(Span(FAILURE.0 / 2))));
        world.run_for(Span::secs(2));
        let (views, installs) = (world.view_changes(), world.counts().of(Count::Installed));
        world.crash(dead);
        let changed = world.run_until(Span::secs(5), |world| world.view_changes() > views);
        assert!(changed.is_some(), "{dead} is dead: {installs}");
    }
}
