//! A sequencer dies after its sequence reached a minority: the slot is kept with the same content
//! everywhere, or nowhere.

use super::{draw, drawn, formed};

use ftq_core::time::Span;
use ftq_tests::checkers::history::End;
use ftq_tests::world::{Setup, World};

/// Sequences, and dies.
const SEQUENCER: u8 = 3;

/// The one other member that its sequence reaches.
const WITNESS: u8 = 5;

/// What the slot adds to the counter.
const ADDED: u64 = 700;

#[test]
fn nobody_else_has_it_and_it_is_nowhere() {
    let mut world = sequence_reaches(&[]);
    world.power_cut(SEQUENCER);
    world.join_islands();
    world.run_for(Span::secs(1));
    assert_eq!(values(&mut world, &[1, 2, 4, 5]), [0; 4]);
    // It comes back with the slot on its disk, and gives it up.
    world.start(SEQUENCER);
    world.agree(Span::secs(3));
    assert_eq!(values(&mut world, &[1, 2, 3, 4, 5]), [0; 5]);
}

#[test]
fn l10_a_survivor_has_it_and_it_is_everywhere() {
    let mut world = sequence_reaches(&[WITNESS]);
    world.power_cut(SEQUENCER);
    world.join_islands();
    world.run_for(Span::secs(1));
    assert_eq!(values(&mut world, &[1, 2, 4, 5]), [ADDED; 4]);
    world.start(SEQUENCER);
    world.agree(Span::secs(3));
    assert_eq!(values(&mut world, &[1, 2, 3, 4, 5]), [ADDED; 5]);
}

#[test]
fn s11_who_has_it_is_cut_off_and_it_is_nowhere() {
    let mut world = sequence_reaches(&[WITNESS]);
    world.power_cut(SEQUENCER);
    world.islands(&[&[1, 2, 4], &[WITNESS]]);
    world.run_for(Span::secs(1));
    // Another request takes its place.
    let other = world.call(1, draw(2, 1), Span::secs(2));
    world.run_for(Span::secs(1));
    assert!(matches!(world.end(other), Some(End::Answered { .. })), "{:?}", world.end(other));
    world.join_islands();
    world.start(SEQUENCER);
    world.agree(Span::secs(3));
    assert_eq!(values(&mut world, &[1, 2, 3, 4, 5]), [0; 5]);
    let cut: u64 = (1..=5).map(|id| world.disk(id).counts()).map(|c| c.cut_by_install + c.cut_by_catch_up).sum();
    assert!(cut >= 2, "the slot is cut off the two logs that held it: {cut}");
}

#[test]
fn s1_it_is_killed_at_any_moment_of_its_turn() {
    for moment in 0..40 {
        let mut world = turn_comes(moment);
        world.set_link(SEQUENCER, 1, slower(&world, 1));
        world.set_link(SEQUENCER, 2, slower(&world, 2));
        world.call(0, draw(1, ADDED), Span::millis(100));
        world.run_for(Span::micros(100).times(moment));
        world.crash(SEQUENCER);
        world.run_for(Span::secs(1));
        let values = values(&mut world, &[1, 2, 4, 5]);
        assert!(values == [0; 4] || values == [ADDED; 4], "killed in moment {moment}: {values:?}");
        world.start(SEQUENCER);
        world.agree(Span::secs(3));
    }
}

/// Five members, of whom only some hear the sequencer when it sequences.
fn sequence_reaches(others: &[u8]) -> World {
    let mut world = turn_comes(1);
    for other in [1, 2, 4, 5].into_iter().filter(|other| !others.contains(other)) {
        world.cut(SEQUENCER, other);
    }
    let call = world.call(0, draw(1, ADDED), Span::millis(100));
    world.run_for(Span::millis(20));
    assert_eq!(world.end(call), None);
    world
}

/// Five members; it is the sequencer's turn, and the first client is its client alone.
fn turn_comes(seed: u64) -> World {
    let mut world = formed(Setup::cluster(5).seed(seed + 1).build());
    world.bind_client(0, &[SEQUENCER]);
    world.bind_client(1, &[1]);
    loop {
        let call = world.call(0, draw(9, 1), Span::secs(1));
        world.run_for(Span::millis(30));
        assert!(matches!(world.end(call), Some(End::Answered { .. })), "{:?}", world.end(call));
        if world.next_sequencer(SEQUENCER) == Some(SEQUENCER) {
            return world;
        }
    }
}

fn slower(world: &World, to: u8) -> ftq_tests::network::Behaviour {
    let link = world.link(SEQUENCER, to);
    ftq_tests::network::Behaviour { delay: link.delay.times(3), ..link }
}

/// How many numbers each of these members says were drawn, once all is quiet.
fn values(world: &mut World, members: &[u8]) -> Vec<u64> {
    let mut value = |id: u8| {
        world.bind_client(2, &[id]);
        drawn(world, 2, 1, true, Span::millis(500))
    };
    members.iter().map(|id| value(*id)).collect()
}
