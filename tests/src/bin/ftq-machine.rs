//! What the machine costs alone: printed, not judged.

use bytes::Bytes;
use ftq_core::machine::Machine;
use ftq_core::machine::queues::PushOptions;
use ftq_tests::bench::machine::{Bench, Cost, SessionsBench, ack, getid, keyed_pushes, pop, pushes, take};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many items there are, of so many bytes.
const ITEMS: u64 = 1_000_000;
const BYTES: usize = 100;

/// How many of them change between two snapshots.
const CHANGED: u64 = ITEMS / 100;

/// How many keys and sessions there are.
const MANY: u64 = 100_000;

fn main() {
    rates();
    snapshots();
    held_snapshots();
    key_snapshots();
    session_snapshots();
}

/// Operations a second and allocations for each.
fn rates() {
    println!("one thread, no I/O, {ITEMS} items of {BYTES} bytes in one queue (goal: 2,000,000 requests a second)");
    println!("                requests/s   ns/request   allocations/request");
    let mut bench = Bench::new();
    let pushed = bench.measure(&pushes(ITEMS, BYTES, &PushOptions::default()));
    show("push", pushed);
    show("pop", bench.measure(&vec![pop(); count(ITEMS)]));
    bench.measure(&pushes(ITEMS, BYTES, &PushOptions::default()));
    let pairs: Vec<Bytes> = (1..=ITEMS).flat_map(|n| [take(), ack(ITEMS + n, n)]).collect();
    show("take + ack", bench.measure(&pairs));
    show("getid", bench.measure(&vec![getid(); count(ITEMS)]));
    let over = pushed.bytes as f64 / ITEMS as f64 - BYTES as f64;
    println!("memory: {over:.1} bytes for each item beside its own {BYTES}");
}

/// For how long a snapshot stops the machine, and how much of it is new.
fn snapshots() {
    heading(&format!("{ITEMS} items of {BYTES} bytes"));
    let mut bench = Bench::new();
    bench.measure(&pushes(ITEMS, BYTES, &PushOptions::default()));
    let mut known = BTreeSet::new();
    report("the first one", &mut bench, &mut known);
    report("nothing has changed", &mut bench, &mut known);
    bench.measure(&vec![pop(); count(CHANGED / 2)]);
    bench.measure(&pushes(CHANGED / 2, BYTES, &PushOptions::default()));
    report("1 % has changed: popped and pushed", &mut bench, &mut known);
    bench.measure(&vec![take(); count(CHANGED)]);
    report("1 % has changed: taken under a lease", &mut bench, &mut known);
    let options = PushOptions { delay_ms: 3_600_000, ..PushOptions::default() };
    bench.measure(&pushes(CHANGED * 9, BYTES, &options));
    report("9 % more, all delayed", &mut bench, &mut known);
    bench.measure(&vec![pop(); count(CHANGED / 2)]);
    report("0.5 % has changed: popped", &mut bench, &mut known);
    println!("digest: {:?}", bench.machine().digest());
}

/// The same where all items are held: each has been taken under a lease.
fn held_snapshots() {
    heading(&format!("{ITEMS} items of {BYTES} bytes, all leased"));
    let (mut bench, mut known) = (Bench::new(), BTreeSet::new());
    bench.measure(&pushes(ITEMS, BYTES, &PushOptions::default()));
    bench.measure(&vec![take(); count(ITEMS)]);
    report("the first one", &mut bench, &mut known);
    report("nothing has changed", &mut bench, &mut known);
    bench.measure(&(1..=CHANGED).map(|n| ack(n, n)).collect::<Vec<_>>());
    report("1 % has changed: acked, one after the other", &mut bench, &mut known);
    bench.measure(&(101..=ITEMS / 100).map(|n| ack(n * 100, n * 100)).collect::<Vec<_>>());
    report("1 % has changed: every hundredth acked", &mut bench, &mut known);
}

/// The same for keys of pushes.
fn key_snapshots() {
    heading(&format!("{MANY} keys, pushed with items of {BYTES} bytes"));
    let (mut bench, mut known) = (Bench::new(), BTreeSet::new());
    bench.measure(&keyed_pushes(0..MANY, BYTES));
    report("the first one", &mut bench, &mut known);
    report("nothing has changed", &mut bench, &mut known);
    bench.measure(&keyed_pushes(MANY..MANY + MANY / 100, BYTES));
    report("1 % more, in the order of keys", &mut bench, &mut known);
}

/// The same for sessions, each with the answer to its last command.
fn session_snapshots() {
    heading(&format!("{MANY} sessions with an answer each"));
    let (mut bench, mut known) = (SessionsBench::new(count(MANY)), BTreeSet::new());
    (0..count(MANY)).for_each(|n| bench.call(n));
    show_snapshot("the first one", bench.snapshot(), &mut known);
    show_snapshot("nothing has changed", bench.snapshot(), &mut known);
    (0..count(MANY / 100)).for_each(|n| bench.call(n));
    show_snapshot("1 % have called, one after the other", bench.snapshot(), &mut known);
    (0..count(MANY / 100)).for_each(|n| bench.call(n * 100));
    show_snapshot("1 % have called, every hundredth", bench.snapshot(), &mut known);
}

fn heading(what: &str) {
    println!("\nsnapshots, {what}");
    println!("                                              stands still      pieces    of which new      new bytes");
}

fn report(what: &str, bench: &mut Bench, known: &mut BTreeSet<Bytes>) {
    show_snapshot(what, bench.snapshot(), known);
}

fn show_snapshot(what: &str, (pieces, stall): (Vec<Bytes>, Duration), known: &mut BTreeSet<Bytes>) {
    let all = pieces.len();
    let new: Vec<Bytes> = pieces.into_iter().filter(|piece| known.insert(piece.clone())).collect();
    let bytes: usize = new.iter().map(Bytes::len).sum();
    println!("{what:<44}  {:>9.3} ms  {all:>10}  {:>14}  {bytes:>13}", ms(stall), new.len());
}

fn show(what: &str, cost: Cost) {
    let ns = cost.took.as_secs_f64() * 1e9 / cost.requests as f64;
    let allocations = cost.allocations as f64 / cost.requests as f64;
    println!("{what:<14}  {:>10.0}  {ns:>11.0}  {allocations:>20.2}", 1e9 / ns);
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

fn count(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
