//! Nothing moves, and somebody is silent: suspicion goes to whom the silent one waits for (RULES L3).

use super::formed;
use ftq_core::ids::MemberSet;
use ftq_core::time::Span;
use ftq_tests::clients::Load;
use ftq_tests::world::{Setup, World};

/// Only heartbeats and other small packets are as short as this.
const SMALL: usize = 300;

/// A body that is missing is held against its origin after this.
const FOUND: Span = Span::secs(3);

/// The requests of one member get to nobody, and its heartbeats do: whose turn it is waits for them, then the
/// next one does, and none of those is to blame.
#[test]
fn l3_suspicion_falls_on_who_is_waited_for() {
    for members in [3, 5] {
        for culprit in 1..=members {
            let mut world = formed(Setup::cluster(usize::from(members)).clients(3).build());
            let innocent: MemberSet = world.configuration().set().iter().filter(|m| m.number() != culprit).collect();
            let origins = std::iter::once(culprit).chain(innocent.iter().map(|m| m.number()));
            for (client, id) in (0..).zip(origins.take(3)) {
                world.bind_client(client, &[id]);
                world.load(client, Load { padding: 4_000, ..Load::writes(2) });
            }
            world.run_for(Span::millis(200));
            (1..=members).filter(|to| *to != culprit).for_each(|to| world.black_hole(culprit, to, SMALL));
            let is_found = |world: &World| innocent.iter().any(|m| world.view(m.number()).1 == innocent);
            let is_dropped = |world: &World| innocent.iter().any(|m| !world.view(m.number()).1.contains_all(innocent));
            let found = world.run_until(FOUND, |world| is_found(world) || is_dropped(world));
            let views: Vec<MemberSet> = innocent.iter().map(|m| world.view(m.number()).1).collect();
            assert!(found.is_some() && !is_dropped(&world), "{culprit} of {members} is to blame: {views:?}");
            let dropped = world.run_until(FOUND, is_dropped);
            assert!(dropped.is_none(), "{culprit} of {members} is to blame, later");
            let answered = world.answered();
            world.run_until(Span::secs(1), |world| world.answered() > answered + 20).expect("requests go on");
        }
    }
}
