//! Any start order, all at once or apart, and start-stop storms converge to one view; a cluster of one
//! works at once.

use super::draw;
use ftq_core::chance::Chance;

use ftq_core::time::Span;
use ftq_tests::checkers::history::End;
use ftq_tests::world::Setup;

/// When the last member has started, one view of all must stand within this.
const CONVERGED: Span = Span::secs(1);

/// After a storm old suspicions have to die down first.
const CONVERGED_AFTER_STORM: Span = Span::secs(10);

#[test]
fn all_at_once() {
    for members in 1..=7 {
        let mut world = Setup::cluster(members).build();
        world.agree(CONVERGED);
        world.run_for(CONVERGED);
        assert_eq!(world.view_changes(), 1, "{members} members");
    }
}

#[test]
fn every_order_of_three_one_after_the_other() {
    for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
        let mut world = Setup::cluster(3).build_down();
        for id in order {
            world.run_for(Span::millis(700));
            world.start(id);
        }
        world.agree(CONVERGED);
    }
}

#[test]
fn apart_by_any_time() {
    for seed in 1..=30 {
        let members = 2 + usize::try_from(seed % 6).unwrap();
        let mut chance = Chance::new(seed);
        let mut world = Setup::cluster(members).seed(seed).build_down();
        for id in shuffled(members, &mut chance) {
            world.run_for(Span(chance.below(400_000)));
            world.start(id);
        }
        world.agree(CONVERGED);
    }
}

#[test]
fn start_stop_storms() {
    for seed in 1..=20 {
        let members = 3 + usize::try_from(seed % 3).unwrap();
        let mut chance = Chance::new(seed);
        let mut world = Setup::cluster(members).seed(seed).build();
        for _ in 0..100 {
            world.run_for(Span(chance.below(100_000)));
            let id = u8::try_from(1 + chance.below(members as u64)).unwrap();
            match (world.running(id).is_some(), chance.below(2)) {
                (true, 0) => world.crash(id),
                (true, _) => world.power_cut(id),
                (false, _) => world.start(id),
            }
        }
        world.start_all();
        world.agree(CONVERGED_AFTER_STORM);
    }
}

#[test]
fn a_cluster_of_one_works_at_once() {
    let mut world = Setup::cluster(1).delay(Span::micros(50)).build();
    let call = world.call(0, draw(1, 5), Span::secs(1));
    world.run_for(Span::millis(10));
    assert!(matches!(world.end(call), Some(End::Answered { .. })), "{:?}", world.end(call));
}

fn shuffled(members: usize, chance: &mut Chance) -> Vec<u8> {
    let mut ids: Vec<u8> = (1..=u8::try_from(members).unwrap()).collect();
    for last in (1..members).rev() {
        let other = usize::try_from(chance.below(last as u64 + 1)).unwrap();
        ids.swap(last, other);
    }
    ids
}
