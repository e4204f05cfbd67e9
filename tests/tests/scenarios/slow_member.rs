//! One member is ten times slower than the others: throughput stays within 80 % of what it is without
//! that, since the slow one leaves the ring; it is tried again after a pause that doubles.

use super::{answered_in, formed};
use ftq_core::time::Span;
use ftq_tests::clients::Load;
use ftq_tests::world::{Setup, World};

/// How much of the throughput is left, in hundredths.
const LEFT: u64 = 80;

/// How long a healthy processor takes for an input.
const CPU: Span = Span::micros(20);

/// How much slower the slow one is.
const TIMES: u64 = 10;

/// The slow one is found within this.
const FOUND: Span = Span::secs(2);

#[test]
fn a_slow_processor() {
    for members in [3, 5] {
        let healthy = throughput(members, |_| ());
        for slow in [2, members] {
            let left = throughput(members, |world| world.slow_cpu(slow, CPU.times(TIMES)));
            assert!(left * 100 >= healthy * LEFT, "{slow} of {members}: {left} answered, {healthy} without");
        }
    }
}

#[test]
fn a_slow_disk() {
    for members in [3, 5] {
        let healthy = throughput(members, |_| ());
        for slow in [2, members] {
            let left = throughput(members, |world| world.slow_disk(slow, TIMES));
            assert!(left * 100 >= healthy * LEFT, "{slow} of {members}: {left} answered, {healthy} without");
        }
    }
}

#[test]
fn it_is_tried_again_after_a_pause_that_doubles() {
    let mut world = formed(Setup::cluster(3).build());
    world.bind_client(0, &[1]);
    world.load(0, Load { think: Span::millis(20), ..Load::writes(1) });
    world.slow_cpu(3, Span::millis(3));
    let on_ring = |world: &World| world.ring(1).len() == 3;
    let mut pauses = Vec::new();
    for _ in 0..3 {
        world.run_until(Span::secs(10), |world| !on_ring(world)).expect("it leaves the ring");
        assert_eq!(world.view(1).1.len(), 3, "it still votes");
        pauses.push(world.run_until(Span::secs(60), on_ring).expect("it is tried again"));
    }
    for (pause, expected) in pauses.iter().zip([10, 20, 40]) {
        let (least, most) = (Span::secs(expected), Span::secs(expected + 2));
        assert!((least..=most).contains(pause), "{pauses:?}");
    }
    // It has recovered: it comes back for good.
    world.slow_cpu(3, Span::ZERO);
    world.run_until(Span::secs(100), on_ring).expect("it is tried again");
    world.run_for(Span::secs(5));
    assert!(on_ring(&world));
}

/// How many requests of the first member's clients are answered in a second.
fn throughput(members: u8, trouble: impl FnOnce(&mut World)) -> u64 {
    let mut world = formed(Setup::cluster(usize::from(members)).build());
    for id in 1..=members {
        world.slow_cpu(id, CPU);
    }
    for client in 0..2 {
        world.bind_client(client, &[1]);
        world.load(client, Load::writes(32));
    }
    world.run_for(Span::millis(200));
    trouble(&mut world);
    world.run_for(FOUND);
    answered_in(&mut world, Span::secs(1))
}
