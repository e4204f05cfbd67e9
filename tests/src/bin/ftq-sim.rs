//! The simulator as a command: many seeds on all cores, or one of them to look at.

use argh::FromArgs;
use ftq_tests::faults::Profile;
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
    /// lose more stores than a cluster survives: nothing wrong may be served (without this, one seed in sixteen does)
    #[argh(switch)]
    beyond: bool,
    /// instead of a few seconds of some faults: so many minutes of all of them, for five members and a cluster
    /// that changes in each minute
    #[argh(option)]
    minutes: Option<u64>,
}

fn main() -> ExitCode {
    let arguments: Arguments = argh::from_env();
    let profile = match (arguments.minutes, arguments.beyond) {
        (Some(minutes), _) => Profile::Long { minutes },
        (None, true) => Profile::Beyond,
        (None, false) => Profile::Mix,
    };
    let passed = match arguments.seed {
        Some(seed) => ftq_tests::swarm::one(profile, seed, arguments.trace),
        None => ftq_tests::swarm::many(profile, arguments.from, arguments.seeds),
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
