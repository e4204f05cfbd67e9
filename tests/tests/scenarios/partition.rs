//! The cluster falls in two: the majority goes on, the minority refuses, and what anybody was told stands
//! after the cut has healed. Of two halves the one with the highest id goes on, and never both.

use super::{FAILURE, draw, drawn, formed};

use ftq_core::time::Span;
use ftq_tests::checkers::history::End;
use ftq_tests::clients::Load;
use ftq_tests::world::{Setup, World};

/// The side that goes on does so within the failure timeout and a view change.
const GOES_ON: Span = Span(FAILURE.0 + 50_000);

/// The other side knows by then that it is cut off.
const KNOWS: Span = Span::secs(1);

/// After the cut has healed all are in one view within this.
const HEALED: Span = Span::secs(10);

#[test]
fn s10_the_majority_goes_on_and_the_minority_refuses() {
    for minority in [&[1, 2][..], &[4, 5], &[1, 5], &[3], &[5]] {
        fall_apart(5, minority);
    }
    for minority in [1, 2, 3] {
        fall_apart(3, &[minority]);
    }
}

#[test]
fn of_two_halves_the_one_with_the_highest_id_goes_on() {
    for half in [[1, 2], [1, 3], [2, 3]] {
        fall_apart(4, &half);
    }
    fall_apart(2, &[1]);
}

/// `losers` and the rest don't hear each other.
fn fall_apart(members: u8, losers: &[u8]) {
    let winners: Vec<u8> = (1..=members).filter(|id| !losers.contains(id)).collect();
    let mut world = formed(Setup::cluster(usize::from(members)).clients(5).build());
    for (client, member) in [(0, winners[0]), (1, losers[0]), (2, winners[0]), (3, losers[0])] {
        world.bind_client(client, &[member]);
    }
    let opened = call(&mut world, 3, 0);
    world.run_for(Span::millis(50));
    assert!(matches!(world.end(opened), Some(End::Answered { .. })), "{losers:?}: {:?}", world.end(opened));
    let patient = Load { patience: Span::secs(2), ..Load::writes(4) };
    world.load(0, patient.clone());
    world.load(1, Load { think: Span::millis(20), ..patient });
    world.run_for(Span::millis(100));

    world.islands(&[losers, &winners]);
    let left = call(&mut world, 3, 1);
    let standstill = world.longest_standstill(KNOWS, |world| world.committed().0);
    assert!(standstill <= GOES_ON, "{losers:?} against {winners:?}: {standstill:?}");
    assert!(matches!(world.end(left), None | Some(End::Unknown)), "{losers:?}: it had left: {:?}", world.end(left));
    let told = call(&mut world, 2, 10);
    let refused = call(&mut world, 3, 100);
    world.run_for(Span::secs(3));
    assert!(matches!(world.end(told), Some(End::Answered { .. })), "{winners:?}: {:?}", world.end(told));
    assert_eq!(world.end(refused), Some(&End::Refused), "{losers:?}");

    world.stop_load(0);
    world.stop_load(1);
    world.join_islands();
    world.agree(HEALED);
    // The call that had left its origin may have been done; the refused one may not.
    let value = drawn(&mut world, 4, 99, false, Span::secs(1));
    assert!([10, 11].contains(&value), "{losers:?} against {winners:?}: {value}");
}

fn call(world: &mut World, client: usize, amount: u64) -> usize {
    world.call(client, draw(99, amount), Span::secs(2))
}
