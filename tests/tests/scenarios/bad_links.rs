//! Links that are good for some members and not for others: one view commits, and views change at most
//! six times a minute. Links that are bad for all: no view changes at all.

use super::formed;
use ftq_core::time::Span;
use ftq_tests::clients::Load;
use ftq_tests::network::Behaviour;
use ftq_tests::world::{Setup, World};

/// How often views may change in a minute.
const CHANGES_MAX: u64 = 6;

/// In every part of the minute that is so long something is committed.
const COMMITS_EVERY: Span = Span::secs(3);

#[test]
fn l4_a_bridge_between_two_pairs() {
    for bridge in 1..=5 {
        let others: Vec<u8> = (1..=5).filter(|id| *id != bridge).collect();
        for partner in 1..4 {
            let one_side = [others[0], others[partner], bridge];
            let rest = others.iter().copied().filter(|id| !one_side.contains(id));
            let other_side: Vec<u8> = rest.chain([bridge]).collect();
            minute(5, &format!("{one_side:?} and {other_side:?}"), |world| {
                world.islands(&[&one_side, &other_side]);
            });
        }
    }
}

#[test]
fn a_one_way_cut() {
    for members in [3, 5] {
        for from in 1..=members {
            for to in (1..=members).filter(|to| *to != from) {
                minute(members, &format!("{from} to {to} of {members}"), |world| world.cut(from, to));
            }
        }
    }
}

#[test]
fn l1_a_member_that_can_send_but_not_hear() {
    for members in [3, 5] {
        for deaf in 1..=members {
            minute(members, &format!("{deaf} of {members} is deaf"), |world| {
                (1..=members).filter(|from| *from != deaf).for_each(|from| world.cut(from, deaf));
            });
        }
    }
}

#[test]
fn a_member_that_can_hear_but_not_send() {
    for members in [3, 5] {
        for mute in 1..=members {
            minute(members, &format!("{mute} of {members} is mute"), |world| {
                (1..=members).filter(|to| *to != mute).for_each(|to| world.cut(mute, to));
            });
        }
    }
}

#[test]
fn a_link_that_flaps() {
    for members in [3, 5] {
        for a in 1..members {
            for b in a + 1..=members {
                let what = format!("{a} and {b} of {members} flap");
                minute(members, &what, |world| world.flap(a, b, Span::secs(60)));
            }
        }
    }
}

#[test]
fn a_member_whose_links_all_flap() {
    for members in [3, 5] {
        for a in 1..=members {
            minute(members, &format!("{a} of {members} flaps"), |world| {
                (1..=members).filter(|b| *b != a).for_each(|b| world.flap(a, b, Span::secs(60)));
            });
        }
    }
}

#[test]
fn an_hour_of_loss_and_jitter() {
    let bad = Behaviour { delay: Span::millis(1), jitter: Span::millis(100), loss: 100, ..Behaviour::default() };
    let mut world = formed(Setup::cluster(3).build());
    let changes = world.view_changes();
    world.set_links(bad);
    world.load(0, Load { think: Span::secs(2), ..Load::writes(1) });
    for minute in 1..=60 {
        world.run_for(Span::secs(60));
        assert_eq!(world.view_changes(), changes, "in minute {minute}");
    }
    assert!(world.answered() > 1_000, "{} answered", world.answered());
}

/// A minute with some trouble, and a client that calls all the time.
fn minute(members: u8, what: &str, trouble: impl FnOnce(&mut World)) {
    let mut world = formed(Setup::cluster(usize::from(members)).build());
    world.load(0, Load { think: Span::millis(50), ..Load::writes(2) });
    world.run_for(Span::millis(500));
    trouble(&mut world);
    let changes = world.view_changes();
    let standstill = world.longest_standstill(Span::secs(60), |world| world.committed().0);
    let changes = world.view_changes() - changes;
    assert!(changes <= CHANGES_MAX, "{what}: {changes} view changes in a minute");
    assert!(standstill <= COMMITS_EVERY, "{what}: nothing was committed for {standstill:?}");
}
