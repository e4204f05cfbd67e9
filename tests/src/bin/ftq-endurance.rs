//! What a long run does to a service: how its memory grows, and how long it takes to start with a large store.
//! Exit code 1: one of the goals is missed.
//!
//! `cargo run --release -p ftq-tests --bin ftq-endurance`

use argh::FromArgs;
use ftq_tests::bench::endurance;
use std::process::ExitCode;
use std::time::Duration;

/// The peak of the memory grows by less than this many percent from the fewer to the more requests.
const GROWTH_MAX: f64 = 5.0;

/// A replica is ready in less than this.
const START_MAX: Duration = Duration::from_secs(3);

/// What a long run does to a service: how its memory grows, and how long it takes to start with a large store.
#[derive(FromArgs)]
struct Arguments {
    /// the peak of the memory after so many requests (100,000 if nothing is said)
    #[argh(option, default = "100_000")]
    early: u64,
    /// the same after so many (1,000,000)
    #[argh(option, default = "1_000_000")]
    late: u64,
    /// a replica with so many items is started (1,000,000)
    #[argh(option, default = "1_000_000")]
    items: u64,
}

fn main() -> ExitCode {
    // It starts itself again for every process that it measures.
    if std::env::args_os().nth(1).is_some_and(|first| first == "ftqd" || first == "ftqctl") {
        return ftq_tests::process::run_as_told();
    }
    let Arguments { early, late, items } = argh::from_env();
    let program = std::env::current_exe().expect("this program has a path");
    let mut is_well = true;
    println!(
        "three replicas, peak of the memory after {early} and after {late} requests (goal: + {GROWTH_MAX} % at most)"
    );
    for (member, peaks) in (1..).zip(endurance::peaks(&program, early, late)) {
        let [early, late] = [peaks.early_bytes, peaks.late_bytes].map(|bytes| bytes >> 20);
        println!("  member {member}: {early} MiB, {late} MiB: {:+.1} %", peaks.growth());
        is_well &= peaks.growth() < GROWTH_MAX;
    }
    let took = endurance::start(&program, items);
    println!(
        "one replica with {items} items, from its start after a kill to ready: {:.2} s (goal: 3 s)",
        took.as_secs_f64()
    );
    is_well &= took < START_MAX;
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
