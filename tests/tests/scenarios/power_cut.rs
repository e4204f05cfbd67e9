//! The power of the whole cluster is cut, at any point: everything that was answered is there afterwards,
//! and nobody whose disk kept what it synced has become a learner.

use super::{drawn, formed};
use ftq_core::machine::queues::{Answer, Command, decode_reply};

use ftq_core::time::Span;
use ftq_tests::calls::label;
use ftq_tests::checkers::history::{End, What};
use ftq_tests::clients::Load;
use ftq_tests::world::{Setup, World};
use std::collections::BTreeMap;

/// When the power is back, all are in one view within this.
const BACK: Span = Span::secs(10);

#[test]
fn while_the_first_view_forms() {
    for moment in 0..60 {
        let mut world = loaded(Setup::cluster(3).seed(moment + 1).build());
        world.run_for(Span::micros(500).times(moment));
        cut_and_look(&mut world);
    }
}

#[test]
fn under_load() {
    for moment in 0..60 {
        let members = [1, 2, 3, 4, 5][usize::try_from(moment % 5).unwrap()];
        let mut world = loaded(formed(Setup::cluster(members).seed(moment + 1).build()));
        world.run_for(Span::micros(50_000 + 77 * moment));
        cut_and_look(&mut world);
    }
}

#[test]
fn while_a_view_changes() {
    for moment in 0..60 {
        let mut world = loaded(formed(Setup::cluster(3).seed(moment + 1).build()));
        world.run_for(Span::millis(50));
        world.crash(1);
        world.run_for(Span::micros(295_000 + 500 * moment));
        cut_and_look(&mut world);
    }
}

#[test]
fn while_a_member_comes_back() {
    for moment in 0..40 {
        let mut world = loaded(formed(Setup::cluster(3).seed(moment + 1).snapshots(50, 20).build()));
        world.run_for(Span::millis(50));
        world.power_cut(3);
        world.run_for(Span::millis(500));
        world.start(3);
        world.run_for(Span::millis(5).times(moment));
        cut_and_look(&mut world);
    }
}

#[test]
fn again_and_again_before_it_is_back() {
    for seed in 1..=10 {
        let mut world = loaded(formed(Setup::cluster(5).seed(seed).build()));
        world.run_for(Span::millis(50));
        for again in 0..20 {
            world.power_cut_all();
            world.start_all();
            world.run_for(Span::millis(1 + again * seed));
        }
        cut_and_look(&mut world);
    }
}

fn loaded(mut world: World) -> World {
    for client in 0..3 {
        world.load(client, Load { patience: Span::millis(500), ..Load::writes(8) });
    }
    world
}

fn cut_and_look(world: &mut World) {
    let answered = drawn_by_answers(world);
    world.power_cut_all();
    for client in 0..3 {
        world.stop_load(client);
    }
    world.start_all();
    world.agree(BACK);
    for (sequence, last) in answered {
        let drawn = drawn(world, 3, sequence, false, Span::millis(500));
        assert!(drawn >= last, "of sequence {sequence} {last} were drawn by an answer, and {drawn} are");
    }
}

/// How many numbers of each sequence were drawn by the answers that clients got.
fn drawn_by_answers(world: &World) -> BTreeMap<u64, u64> {
    let mut drawn = BTreeMap::new();
    for call in world.history().calls() {
        if let (What::Command(command), Some((_, End::Answered { answer, .. }))) = (&call.what, &call.returned)
            && let (Ok(Command::GetId { name, .. }), Ok(Answer::Ids { first, count })) =
                (Command::decode(command), decode_reply(answer))
        {
            let sequence = (0..).find(|sequence| label(*sequence) == name).expect("a sequence of the load");
            let last = drawn.entry(sequence).or_insert(0);
            *last = (first + count - 1).max(*last);
        }
    }
    drawn
}
