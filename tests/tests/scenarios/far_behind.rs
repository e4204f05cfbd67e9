//! A member comes back 100,000 slots behind, under load: it catches up and rejoins, and ordering never
//! stops for longer than 100 ms.

use super::formed;
use ftq_core::time::Span;
use ftq_tests::clients::Load;
use ftq_tests::counts::Count;
use ftq_tests::world::{Setup, World};

/// How far behind it is.
const BEHIND: u64 = 100_000;

/// Ordering never stops for longer.
const STOP_MAX: Span = Span::millis(100);

/// It is back in the view within this.
const BACK: Span = Span::secs(60);

#[test]
fn l6_it_catches_up_by_log() {
    let world = comes_back(Setup::cluster(3).snapshots(10_000, 10 * BEHIND));
    assert!(world.counts().of(Count::CaughtUpByLog) > 0);
    assert_eq!(world.counts().of(Count::CaughtUpBySnapshot), 0);
}

#[test]
fn it_catches_up_by_snapshot() {
    let world = comes_back(Setup::cluster(3).snapshots(10_000, 1_000));
    assert!(world.counts().of(Count::CaughtUpBySnapshot) > 0);
}

fn comes_back(setup: Setup) -> World {
    let mut world = formed(setup.delay(Span::micros(100)).build());
    for member in [1, 2] {
        let client = usize::from(member);
        world.bind_client(client, &[member]);
        world.load(client, Load::writes(8));
    }
    world.run_for(Span::millis(100));
    world.power_cut(3);
    let left = world.committed();
    let behind = |world: &World| world.committed().0 - left.0;
    world.run_until(Span::secs(1_000), |world| behind(world) >= BEHIND).expect("100,000 slots");
    world.start(3);
    let mut came_back = None;
    let began = world.now();
    while came_back.is_none() {
        let stop = world.longest_standstill(Span::millis(200), |world| world.committed().0);
        assert!(stop <= STOP_MAX, "ordering stopped for {stop:?}");
        came_back = world.is_one_view_of_all().then(|| world.now().since(began));
        assert!(world.now().since(began) < BACK, "it has applied {} of {}", world.applied(3), world.committed());
    }
    // It stays, and keeps up.
    let stop = world.longest_standstill(Span::secs(1), |world| world.committed().0);
    assert!(stop <= STOP_MAX, "ordering stopped for {stop:?} after {came_back:?}");
    assert!(world.is_one_view_of_all());
    assert!(world.applied(3).0 + 1_000 > world.committed().0, "{} of {}", world.applied(3), world.committed());
    world
}

/// The two who are left of three are a quorum, but what one of them lacks is cut at the other: it takes the
/// snapshot before the view that needs it.
#[test]
fn it_takes_a_snapshot_when_nobody_else_is_left() {
    let mut world = formed(Setup::cluster(3).snapshots(20, 10).build());
    world.load(0, Load::writes(4));
    world.run_for(Span::millis(100));
    world.power_cut(1);
    let left = world.committed();
    world.run_until(Span::secs(10), |world| world.committed().0 > left.0 + 200).expect("slots that it lacks");
    world.power_cut_all();
    world.new_disk(2);
    world.start_all();
    world.run_until(Span::secs(5), World::is_one_view_of_all).expect("all are back");
    assert!(world.counts().of(Count::CaughtUpBySnapshot) > 0);
}
