//! What the machine costs alone: printed, not judged.

use bytes::Bytes;
use ftq_core::machine::Machine;
use ftq_core::machine::queues::PushOptions;
use ftq_tests::bench::machine::{Bench, Cost, ack, getid, pop, pushes, take};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many items there are, of so many bytes.
const ITEMS: u64 = 1_000_000;
const BYTES: usize = 100;

/// How many of them change between two snapshots.
const CHANGED: u64 = ITEMS / 100;

fn main() {
    rates();
    snapshots();
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
    println!("\nsnapshots, {ITEMS} items of {BYTES} bytes");
    println!("                                              stands still      pieces    of which new      new bytes");
    let mut bench = Bench::new();
    bench.measure(&pushes(ITEMS, BYTES, &PushOptions::default()));
    let mut known = BTreeSet::new();
    report("the first one", &bench, &mut known);
    report("nothing has changed", &bench, &mut known);
    bench.measure(&vec![pop(); count(CHANGED / 2)]);
    bench.measure(&pushes(CHANGED / 2, BYTES, &PushOptions::default()));
    report("1 % has changed: popped and pushed", &bench, &mut known);
    bench.measure(&vec![take(); count(CHANGED)]);
    report("1 % has changed: taken under a lease", &bench, &mut known);
    let options = PushOptions { delay_ms: 3_600_000, ..PushOptions::default() };
    bench.measure(&pushes(CHANGED * 9, BYTES, &options));
    report("9 % more, all delayed", &bench, &mut known);
    bench.measure(&vec![pop(); count(CHANGED / 2)]);
    report("0.5 % has changed: popped", &bench, &mut known);
    println!("digest: {:?}", bench.machine().digest());
}

fn report(what: &str, bench: &Bench, known: &mut BTreeSet<Bytes>) {
    let (pieces, stall) = bench.snapshot();
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
