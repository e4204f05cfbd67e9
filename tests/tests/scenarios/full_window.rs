//! Large requests fill what may be under way of them: what orders them goes past them (RULES L7).

use super::formed;
use ftq_core::ids::{MemberId, MemberSet};
use ftq_core::machine::queues::{Command, PushOptions, QueueId};
use ftq_core::time::Span;
use ftq_tests::calls::label;
use ftq_tests::checkers::history::End;
use ftq_tests::world::{Setup, World};

/// The way between two members: long, so that much is under way.
const DELAY: Span = Span::millis(20);

/// So many requests of this size are a window and a half.
const REQUESTS: usize = 8;
const BYTES: usize = 900_000;

/// Each slot takes one of these, and is one way behind the slot before it.
const ANSWERED: Span = Span(DELAY.0 * 120);

#[test]
fn l7_a_full_window_holds_no_sequence_up() {
    for members in [2u8, 3] {
        let mut world = formed(Setup::cluster(members.into()).clients(members.into()).delay(DELAY).build());
        let mut calls = vec![world.call(0, Command::Create { label: label(1) }, Span::secs(2))];
        world.run_for(Span::millis(500));
        for id in 1..=members {
            let client = usize::from(id - 1);
            world.bind_client(client, &[id]);
            for _ in 0..REQUESTS {
                let push = Command::Push {
                    queue: QueueId(1),
                    items: vec![vec![7; BYTES].into()],
                    options: PushOptions::default(),
                };
                calls.push(world.call(client, push, Span::secs(9)));
            }
        }
        let views = world.view_changes();
        let mut were_full = MemberSet::EMPTY;
        let is_full = |world: &World, id| world.running(id).is_some_and(|running| running.replica.link().room() == 0);
        let is_done = |world: &World| {
            were_full = (1..=members)
                .filter(|id| is_full(world, *id))
                .filter_map(MemberId::new)
                .fold(were_full, MemberSet::with);
            calls.iter().all(|call| matches!(world.end(*call), Some(End::Answered { .. })))
        };
        assert!(world.run_until(ANSWERED, is_done).is_some(), "{members} members: not answered");
        assert_eq!(were_full.len(), usize::from(members), "whose windows were full of {members}: {were_full:?}");
        assert_eq!(world.view_changes(), views, "{members} members");
    }
}
