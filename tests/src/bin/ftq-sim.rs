//! The simulator as a command: many seeds on all cores, or one of them to look at.

use argh::FromArgs;
use std::process::ExitCode;

/// Whole clusters in virtual time, with faults: each seed is one run.
#[derive(FromArgs)]
struct Arguments {
    /// how many seeds to run (1000 if nothing is said)
    #[argh(option, default = "1_000")]
    seeds: u64,
    /// the first seed
    #[argh(option, default = "1")]
    from: u64,
    /// run only this seed
    #[argh(option)]
    seed: Option<u64>,
    /// print what happens, line by line; only with --seed
    #[argh(switch)]
    trace: bool,
}

fn main() -> ExitCode {
    let arguments: Arguments = argh::from_env();
    let passed = match arguments.seed {
        Some(seed) => ftq_tests::swarm::one(seed, arguments.trace),
        None => ftq_tests::swarm::many(arguments.from, arguments.seeds),
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
