//! An origin dies, and what it sent has come to the one that orders it, and not to another one: that one gets the
//! slot from the sequencer, long before anybody misses the origin (RULES L11).

use super::{FAILURE, draw, formed};
use ftq_core::ids::Slot;
use ftq_core::time::Span;
use ftq_tests::world::{Setup, World};

/// The origin had this long to say again what is missing, and the sequencer then to answer.
const GIVEN: Span = Span(FAILURE.0 / 3 + 60_000);

#[test]
fn l11_a_body_whose_origin_died_comes_from_the_sequencer() {
    for members in [3u8, 5] {
        for sequencer in 1..=members {
            let origin = 1 + sequencer % members;
            let lacking = 1 + (sequencer + 1) % members;
            let mut world = formed(Setup::cluster(members.into()).build());
            world.bind_client(0, &[origin]);
            world.call(0, draw(1, 1), Span::secs(5));
            world.run_for(Span::millis(50));
            // Others draw until it is this sequencer's turn.
            while world.next_sequencer(sequencer) != Some(sequencer) {
                world.call(0, draw(1, 1), Span::secs(5));
                world.run_for(Span::millis(50));
            }
            let (views, slot) = (world.view_changes(), world.committed().next());
            world.cut(origin, lacking);
            world.call(0, draw(1, 1), Span::secs(5));
            let has_appended = |world: &World| end(world, sequencer) >= slot;
            world.run_until(Span::millis(50), has_appended).expect("the sequencer orders the request");
            world.crash(origin);
            let context = format!("{origin} of {members} dies, {sequencer} orders, {lacking} lacks the body");
            let applied = world.run_until(GIVEN, |world| world.applied(lacking) >= slot);
            assert!(applied.is_some() && world.view_changes() == views, "{context}");
        }
    }
}

/// The end of a member's log.
fn end(world: &World, id: u8) -> Slot {
    world.running(id).map_or(Slot(0), |running| running.replica.group().log().end())
}
