//! Pops that wait: whoever is asked, and whatever becomes of who was asked first, the answer comes at once
//! when there is something.

use super::formed;
use bytes::Bytes;
use ftq_core::machine::queues::{Answer, Command, PushOptions, QueueId, decode_reply};
use ftq_core::time::Span;
use ftq_tests::calls::label;
use ftq_tests::checkers::history::End;
use ftq_tests::world::{Setup, World};

const QUEUE: QueueId = QueueId(1);

/// From a push to the answer of who waits elsewhere: to the origin, a lap of the order, and back.
const AT_ONCE: Span = Span::millis(15);

fn world(seed: u64) -> World {
    let mut world = formed(Setup::cluster(3).seed(seed).build());
    world.call(3, Command::Create { label: label(1) }, Span::secs(1));
    world.run_for(Span::millis(50));
    world
}

fn wait(world: &mut World, client: usize, wait_ms: u64) -> usize {
    world.call(client, Command::Pop { queue: QUEUE, count: 1, wait_ms }, Span::secs(30))
}

fn push(world: &mut World, item: &'static [u8]) {
    let (items, options) = (vec![Bytes::from_static(item)], PushOptions::default());
    world.call(3, Command::Push { queue: QUEUE, items, options }, Span::secs(2));
}

fn popped(world: &World, call: usize) -> Result<Bytes, Option<&End>> {
    let end = world.end(call);
    let Some(End::Answered { answer, .. }) = end else { return Err(end) };
    match decode_reply(answer) {
        Ok(Answer::Popped(items)) => Ok(items[0].1.clone()),
        Ok(_) | Err(_) => Err(end),
    }
}

#[test]
fn the_first_to_ask_is_served_first_whichever_replica_was_asked() {
    let mut world = world(1);
    let mut calls = Vec::new();
    for client in 0..3 {
        world.bind_client(client, &[u8::try_from(client).unwrap() + 1]);
        calls.push(wait(&mut world, client, 20_000));
        world.run_for(Span::millis(20));
    }
    for (call, item) in calls.into_iter().zip([b"a", b"b", b"c"]) {
        push(&mut world, item);
        world.run_for(AT_ONCE);
        assert_eq!(popped(&world, call), Ok(Bytes::from_static(item)));
    }
}

/// RULES L12: a retry through another replica makes that one an answerer: when the item comes it answers at
/// once, and not only to the next retry.
#[test]
fn l12_the_replica_that_was_asked_dies_and_another_one_answers() {
    for seed in 1..=10 {
        let mut world = world(seed);
        world.bind_client(3, &[3]);
        world.bind_client(0, &[1, 2]);
        let call = wait(&mut world, 0, 20_000);
        world.run_for(Span::secs(1));
        world.crash(1);
        world.run_for(Span::secs(5));
        assert_eq!(world.end(call), None);
        push(&mut world, b"x");
        world.run_for(AT_ONCE);
        assert_eq!(popped(&world, call), Ok(Bytes::from_static(b"x")), "seed {seed}");
    }
}

/// The answer came while nobody could hear it; a later retry gets the kept one, and the item is not popped twice.
#[test]
fn an_answer_that_was_lost_is_kept() {
    let mut world = world(5);
    world.bind_client(0, &[1]);
    world.bind_client(3, &[3]);
    let call = wait(&mut world, 0, 20_000);
    world.run_for(Span::millis(500));
    world.pause(1);
    // Each waits for a view without the one that is paused: of two at once either might be the first.
    for item in [b"x", b"y"] {
        push(&mut world, item);
        world.run_for(Span::secs(1));
    }
    world.crash(1);
    world.run_for(Span::secs(1));
    assert_eq!(world.end(call), None);
    world.start(1);
    world.run_for(Span::secs(4));
    assert_eq!(popped(&world, call), Ok(Bytes::from_static(b"x")));
    let next = wait(&mut world, 2, 0);
    world.run_for(Span::millis(100));
    assert_eq!(popped(&world, next), Ok(Bytes::from_static(b"y")));
}

/// Nobody pushes, and nobody else calls: the time is over by an empty slot, and the answer says so.
#[test]
fn a_wait_ends_in_time_without_traffic() {
    let mut world = world(6);
    let call = wait(&mut world, 0, 3_000);
    world.run_for(Span::millis(2_900));
    assert_eq!(world.end(call), None);
    world.run_for(Span::millis(200));
    let Some(End::Answered { answer, .. }) = world.end(call) else { panic!("{:?}", world.end(call)) };
    assert_eq!(decode_reply(answer), Err(ftq_core::machine::queues::Error::Empty));
}
