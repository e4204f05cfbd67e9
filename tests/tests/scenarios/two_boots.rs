//! An origin sends requests to one member, starts again, and sends others under the same numbers to another one.
//! A slot that names them must not hold the ones here and the others there (RULES S2).

use super::formed;
use ftq_core::time::Span;
use ftq_tests::checkers::history::End;
use ftq_tests::clients::Load;
use ftq_tests::world::{Setup, World};

/// For so long the origin sends before it is killed: from less than a hop to several slots.
const MOMENTS: [u64; 12] = [300, 700, 1_100, 1_500, 1_900, 2_300, 2_700, 3_100, 4_000, 6_000, 9_000, 14_000];

/// All is answered and all agree within this.
const SETTLED: Span = Span::secs(5);

#[test]
fn s2_requests_of_two_boots_are_not_mixed() {
    for moment in MOMENTS {
        for origin in 1..=3u8 {
            let (before, after) = (1 + origin % 3, 1 + (origin + 1) % 3);
            two_boots(Span(moment), origin, before, after);
            two_boots(Span(moment), origin, after, before);
        }
    }
}

/// What the first boot sends gets to `before` alone, and what the second one sends to `after` alone.
fn two_boots(moment: Span, origin: u8, before: u8, after: u8) {
    let context = format!("{origin} is killed after {moment:?}, heard by {before} and then by {after}");
    let mut world = formed(Setup::cluster(3).clients(2).build());
    for client in 0..2 {
        world.bind_client(client, &[origin]);
        world.load(client, Load::writes(3));
    }
    world.run_for(Span::millis(30));
    world.cut(origin, after);
    world.run_for(moment);
    world.crash(origin);
    world.mend(origin, after);
    world.cut(origin, before);
    world.start(origin);
    world.run_for(Span::millis(700));
    world.mend(origin, before);
    let answered = world.answered();
    world.run_until(SETTLED, |world| world.answered() > answered + 20).expect("requests go on");
    (0..2).for_each(|client| world.stop_load(client));
    world.settle(SETTLED);
    let all_answered = |world: &World| {
        let ends = world.history().calls().iter().map(|call| call.returned.as_ref().map(|(_, end)| end));
        ends.into_iter().all(|end| matches!(end, Some(End::Answered { .. })))
    };
    assert!(all_answered(&world), "{context}");
}
