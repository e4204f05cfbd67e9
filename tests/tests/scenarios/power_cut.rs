//! The power of the whole cluster is cut, at any point: everything that was answered is there afterwards,
//! and nobody whose disk kept what it synced has become a learner.

use super::formed;
use ftq_core::machine::list::{Answer, Command, Question};
use ftq_core::time::Span;
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
    let answered = lengths_answered(world);
    world.power_cut_all();
    for client in 0..3 {
        world.stop_load(client);
    }
    world.start_all();
    world.agree(BACK);
    for (list, length) in answered {
        let ask = world.ask(3, Question::List(list), false, Span::secs(2));
        world.run_for(Span::millis(500));
        let Some(End::Read { answer, .. }) = world.end(ask) else { panic!("{:?}", world.end(ask)) };
        let Ok(Answer::List { length: found, .. }) = Answer::decode(answer.clone()) else { panic!("{answer:?}") };
        assert!(found >= length, "list {list} had {length} items by an answer, and has {found}");
    }
}

/// How long each list was by the answers that clients got.
fn lengths_answered(world: &World) -> BTreeMap<u64, u64> {
    let mut lengths = BTreeMap::new();
    for call in world.history().calls() {
        if let (What::Command(command), Some((_, End::Answered { answer, .. }))) = (&call.what, &call.returned)
            && let (Ok(Command::Append { list, .. }), Ok(Answer::Length(length))) =
                (Command::decode(command.clone()), Answer::decode(answer.clone()))
        {
            let longest = lengths.entry(list).or_insert(length);
            *longest = length.max(*longest);
        }
    }
    lengths
}
