//! Members die: the rest is back after the failure timeout, as long as it is a quorum; without one nothing
//! is answered, and when one comes back, they go on.

use super::{FAILURE, draw, formed};

use ftq_core::time::Span;
use ftq_tests::checkers::history::End;
use ftq_tests::clients::Load;
use ftq_tests::world::{Setup, World};

/// What a view change may take beyond the failure timeout, on links of 1 ms.
const VIEW_CHANGE: Span = Span::millis(50);

const ANSWERED_AGAIN: Span = Span(FAILURE.0 + VIEW_CHANGE.0);

/// Who comes back is taken in after a failure timeout, and a client that was refused
/// asks again after a second and a quarter at most.
const GOES_ON: Span = Span::secs(3);

#[test]
fn the_next_sequencer_is_killed_under_load() {
    for members in [3, 4, 5, 7] {
        for moment in 0..10 {
            let mut world = formed(Setup::cluster(members).build());
            world.bind_client(0, &[2]);
            world.load(0, Load::writes(4));
            world.run_for(Span::micros(100_000 + 1_370 * moment));
            let victim = next_sequencer_but(&mut world, 2);
            world.crash(victim);
            let standstill = world.longest_standstill(Span::secs(1), World::answered);
            assert!(standstill <= ANSWERED_AGAIN, "{members} members, {victim} killed: {standstill:?}");
        }
    }
}

#[test]
fn the_next_sequencer_is_killed_in_silence() {
    for members in [3, 4, 5, 7] {
        for moment in 0..10 {
            let mut world = formed(Setup::cluster(members).build());
            world.bind_client(0, &[2]);
            answer_one(&mut world);
            world.run_for(Span::micros(100_000 + 7_700 * moment));
            while world.next_sequencer(2) == Some(2) {
                answer_one(&mut world);
            }
            world.crash(world.next_sequencer(2).unwrap());
            let call = world.call(0, draw(1, 1), Span::secs(1));
            let answered = world.run_until(Span::secs(1), |world| world.end(call).is_some());
            assert!(matches!(world.end(call), Some(End::Answered { .. })), "{:?}", world.end(call));
            assert!(answered.unwrap() <= ANSWERED_AGAIN, "{members} members: {answered:?}");
        }
    }
}

#[test]
fn five_survive_two_deaths_and_go_on_when_a_third_comes_back() {
    let five = [1, 2, 3, 4, 5];
    for first in five {
        for second in five.into_iter().filter(|second| *second != first) {
            for third in five.into_iter().filter(|third| ![first, second].contains(third)) {
                two_and_a_third(first, second, third);
            }
        }
    }
}

fn two_and_a_third(first: u8, second: u8, third: u8) {
    let mut world = formed(Setup::cluster(5).seed(u64::from(first * 25 + second * 5 + third)).build());
    let last = (1..=5).find(|id| ![first, second, third].contains(id)).unwrap();
    world.bind_client(0, &[last]);
    world.load(0, Load { patience: Span::secs(2), ..Load::writes(4) });
    for victim in [first, second] {
        world.run_for(Span::millis(150));
        world.power_cut(victim);
        let standstill = world.longest_standstill(Span::millis(500), World::answered);
        assert!(standstill <= ANSWERED_AGAIN, "{first}, then {second}: {standstill:?} at {victim}");
    }
    world.crash(third);
    // What had reached the third may still be answered; nothing that is asked for from now on is.
    world.run_for(Span::millis(10));
    world.stop_load(0);
    let call = world.call(0, draw(1, 1), Span::secs(2));
    world.run_for(Span::secs(3));
    assert!(matches!(world.end(call), Some(End::Refused | End::Unknown)), "{:?}", world.end(call));
    assert_eq!(world.history().open(), 0);
    world.start(first);
    let call = world.call(0, draw(1, 1), Span::secs(10));
    world.run_for(GOES_ON);
    assert!(matches!(world.end(call), Some(End::Answered { .. })), "{first} is back: {:?}", world.end(call));
}

/// Lets time pass until somebody but `id` is next.
fn next_sequencer_but(world: &mut World, id: u8) -> u8 {
    loop {
        if let Some(next) = world.next_sequencer(id).filter(|next| *next != id) {
            return next;
        }
        world.run_for(Span::micros(100));
    }
}

fn answer_one(world: &mut World) {
    let call = world.call(0, draw(1, 1), Span::secs(1));
    world.run_until(Span::secs(1), |world| world.end(call).is_some());
    assert!(matches!(world.end(call), Some(End::Answered { .. })), "{:?}", world.end(call));
}
