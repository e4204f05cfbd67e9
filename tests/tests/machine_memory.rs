//! What an item takes in memory beside its own bytes, counted by the allocator: what is charged for it is
//! what it costs, or less, so the memory limit means what it says.

use ftq_core::machine::queues::{Command, Label, PushOptions, QueueId};
use ftq_tests::bench::machine::{Bench, QUEUE, nack, pop, push, take};

const ITEMS: usize = 20_000;
const BYTES: usize = 100;

/// Items without options may take so much each.
const PLAIN: f64 = 64.0;

/// All others.
const OTHER: f64 = 160.0;

/// What each item of `commands` takes beside its bytes, with the requests still there that it came in.
fn overhead(bench: &mut Bench, commands: &[bytes::Bytes]) -> f64 {
    bench.measure(commands).bytes as f64 / ITEMS as f64
}

#[test]
fn an_item_without_options_takes_64_bytes_beside_its_own() {
    let mut bench = Bench::new();
    let each = overhead(&mut bench, &vec![push(BYTES, PushOptions::default()); ITEMS]) - BYTES as f64;
    assert!(each > 0.0 && each <= PLAIN, "{each}");
    let empty = overhead(&mut bench, &vec![push(0, PushOptions::default()); ITEMS]);
    assert!(empty > 0.0 && empty <= PLAIN, "{empty}");
    let given_back = overhead(&mut bench, &vec![pop(); 2 * ITEMS]);
    assert!(given_back <= -(BYTES as f64), "{given_back}");
}

#[test]
fn an_item_with_options_takes_160() {
    let key = |n: usize| Label::parse(format!("{n:08}").as_bytes()).expect("a key");
    let plain = PushOptions::default();
    for (what, own, commands) in [
        ("delayed", BYTES, vec![push(BYTES, PushOptions { delay_ms: 1 << 30, ..plain.clone() }); ITEMS]),
        (
            "with a time to live",
            BYTES,
            vec![push(BYTES, PushOptions { ttl_ms: Some(1 << 30), ..plain.clone() }); ITEMS],
        ),
        ("with a priority", BYTES, vec![push(BYTES, PushOptions { priority: 1, ..plain.clone() }); ITEMS]),
        (
            "with a key",
            BYTES + 8,
            (0..ITEMS).map(|n| push(BYTES, PushOptions { key: Some(key(n)), ..plain.clone() })).collect(),
        ),
    ] {
        let each = overhead(&mut Bench::new(), &commands) - own as f64;
        assert!(each > 0.0 && each <= OTHER, "{what}: {each}");
    }
}

#[test]
fn a_leased_item_takes_160_and_so_does_one_that_came_back() {
    let mut bench = Bench::new();
    let pushed = bench.measure(&vec![push(BYTES, PushOptions::default()); ITEMS]).bytes;
    let taken = bench.measure(&vec![take(); ITEMS]).bytes;
    let each = (pushed + taken) as f64 / ITEMS as f64 - BYTES as f64;
    assert!(each > 0.0 && each <= OTHER, "leased: {each}");
    let nacks: Vec<_> = (1..=ITEMS as u64).map(|n| nack(n, n)).collect();
    let back = bench.measure(&nacks).bytes;
    let each = (pushed + taken + back) as f64 / ITEMS as f64 - BYTES as f64;
    assert!(each > 0.0 && each <= OTHER, "returned: {each}");
}

/// Many queues, each with a label and an item: the charge covers what they take.
#[test]
fn a_queue_takes_less_than_it_is_charged() {
    let mut bench = Bench::new();
    let before = bench.machine().summary().memory_bytes;
    let label = |n: usize| Label::parse(format!("queue {n:08}").as_bytes()).expect("a label");
    let mut commands: Vec<_> = (0..2_000).map(|n| Command::Create { label: label(n) }.encode()).collect();
    commands.extend((0..2_000).map(|n| {
        let items = vec![vec![7; BYTES].into()];
        Command::Push { queue: QueueId(QUEUE.0 + 1 + n), items, options: PushOptions::default() }.encode()
    }));
    let taken = bench.measure(&commands).bytes;
    let charged = bench.machine().summary().memory_bytes - before;
    assert!(taken > 0 && taken as u64 <= charged, "{taken} of {charged}");
}
