//! A member whose disk hangs while its heartbeats go on doesn't hold up a view change or a commit beyond
//! the failure timeout (RULES L2).

use super::{FAILURE, formed};
use ftq_core::time::Span;
use ftq_tests::clients::Load;
use ftq_tests::world::{Setup, World};

/// What a view change takes, on links of 1 ms.
const VIEW_CHANGE: Span = Span::millis(50);

/// A disk that hangs holds things up like a member that is silent.
const COMMITS_AGAIN: Span = Span(FAILURE.0 + VIEW_CHANGE.0);

/// The silent member is missed, then the one that does not answer the install.
const CHANGED: Span = Span(2 * FAILURE.0 + VIEW_CHANGE.0);

/// With so many jobs that its disk has not done a member asks for nothing more.
const JOBS_MAX: usize = 64;

/// More slots than are in memory anyway, and many less than the others order meanwhile.
const SLOTS_MAX: u64 = 4_096;

/// As much as may be uncommitted, and an answer more.
const BYTES_MAX: usize = 24 << 20;

#[test]
fn it_hangs_under_load() {
    for members in [3, 5] {
        for hung in 1..=members {
            let mut world = loaded(members, hung);
            world.hang_disk(hung);
            let standstill = world.longest_standstill(Span::secs(3), World::answered);
            assert!(standstill <= COMMITS_AGAIN, "{hung} of {members} hangs: {standstill:?}");
            world.mend_disk(hung);
            world.run_for(Span::secs(1));
        }
    }
}

#[test]
fn l2_it_hangs_before_or_while_a_view_changes() {
    for (members, hung, dead) in [(5, 1, 2), (5, 2, 1), (5, 4, 5), (5, 5, 1), (4, 1, 2), (4, 2, 1)] {
        // Long before the death, with it, and at each step of the view change that follows.
        for after_ms in [-2_000, -400, -200, 0, 200, 290, 296, 300, 302, 304, 306, 308, 310, 315, 330] {
            let mut world = loaded(members, hung);
            let (hangs, dies) = (u64::try_from(after_ms.max(0)).unwrap(), u64::try_from((-after_ms).max(0)).unwrap());
            if hangs == 0 {
                world.hang_disk(hung);
            }
            world.run_for(Span::millis(dies));
            world.crash(dead);
            let mut standstill = world.longest_standstill(Span::millis(hangs), World::answered);
            world.hang_disk(hung);
            standstill = Span(standstill.0 + world.longest_standstill(Span::secs(2), World::answered).0);
            assert!(
                standstill <= CHANGED,
                "{hung} of {members} hangs {after_ms} ms after the death of {dead}: {standstill:?}"
            );
        }
    }
}

/// A cluster of which a member that has nothing to do with the trouble has a busy client.
fn loaded(members: u8, hung: u8) -> World {
    let mut world = formed(Setup::cluster(usize::from(members)).build());
    let at = if hung == 3 { 2 } else { 3 };
    world.bind_client(0, &[at]);
    world.load(0, Load::writes(4));
    world.run_for(Span::millis(200));
    world
}

/// The others go on without it, and what they order does not pile up in front of its disk: it asks for more when the
/// disk has taken what it has.
#[test]
fn what_the_others_order_does_not_pile_up_at_it() {
    let mut world = loaded(3, 1);
    world.hang_disk(1);
    // What it took while it was in the view is on its way.
    let mut taken = 0;
    for second in 0..20 {
        world.run_for(Span::secs(1));
        let group = world.running(1).expect("it runs").replica.group();
        let (jobs, slots) = (group.unfinished_jobs(), group.log().end().0 - group.log().base().0);
        assert!(second == 0 || jobs <= JOBS_MAX.max(taken), "{jobs} jobs wait for its disk, {taken} at first");
        assert!(slots < SLOTS_MAX, "{slots} slots wait for its disk");
        taken = taken.max(jobs);
    }
    assert!(world.committed().0 > 2 * SLOTS_MAX, "the others have ordered {}", world.committed());
    world.mend_disk(1);
    world.run_until(Span::secs(10), World::is_one_view_of_all).expect("it comes back");
}

/// Neither do a few slots that are large, when it comes back from somewhere and has much to fetch.
#[test]
fn large_slots_do_not_pile_up_at_it() {
    let mut world = loaded(3, 1);
    world.islands(&[&[1], &[2, 3]]);
    world.load(0, Load { padding: 1 << 20, think: Span::millis(20), ..Load::writes(3) });
    world.run_for(Span::secs(2));
    world.stop_load(0);
    world.hang_disk(1);
    let lacks = world.committed().0 - world.running(1).expect("it runs").replica.group().log().end().0;
    assert!(lacks > 150, "the others have ordered {lacks}");
    world.join_islands();
    for _ in 0..6 {
        world.run_for(Span::secs(1));
        let log = world.running(1).expect("it runs").replica.group().log();
        let bytes: usize = log.from(log.base().next()).map(|record| record.content.len()).sum();
        assert!(bytes < BYTES_MAX, "{bytes} bytes wait for its disk");
    }
    world.mend_disk(1);
    world.run_until(Span::secs(20), World::is_one_view_of_all).expect("it comes back");
}
