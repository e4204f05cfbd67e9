//! The model check as a command: every order of what may happen, up to a number of states.

use argh::FromArgs;
use ftq_tests::model::{Budget, Cluster};
use stateright::{Checker, Model, report::WriteReporter};
use std::process::ExitCode;

/// Checks the group's own types over every order of messages, syncs and faults.
#[derive(FromArgs)]
struct Arguments {
    /// stop when so many states were reached, each time that one is reached again counted (6000000 if nothing is said)
    #[argh(option, default = "6_000_000")]
    states: usize,
    /// look at what is near the beginning first, instead of at what lies deep
    #[argh(switch)]
    broad: bool,
    /// requests that are submitted (2 if nothing is said)
    #[argh(option, default = "2")]
    requests: u8,
    /// steps of time, each a little more than the failure timeout (4 if nothing is said)
    #[argh(option, default = "4")]
    steps: u8,
    /// power cuts (1 if nothing is said)
    #[argh(option, default = "1")]
    power_cuts: u8,
    /// disks that are lost (0 if nothing is said)
    #[argh(option, default = "0")]
    new_disks: u8,
    /// times that somebody is cut off (2 if nothing is said)
    #[argh(option, default = "2")]
    cuts: u8,
    /// notes that come twice (1 if nothing is said)
    #[argh(option, default = "1")]
    copies: u8,
}

fn main() -> ExitCode {
    let arguments: Arguments = argh::from_env();
    let Arguments { states, broad, requests, steps, power_cuts, new_disks, cuts, copies } = arguments;
    let model = Cluster { budget: Budget { requests, steps, power_cuts, new_disks, cuts, copies } };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let builder = model.checker().threads(threads).target_state_count(states);
    let mut out = std::io::stdout();
    let mut reporter = WriteReporter::new(&mut out);
    let passed = if broad {
        verdict(&builder.spawn_bfs().report(&mut reporter))
    } else {
        verdict(&builder.spawn_dfs().report(&mut reporter))
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether nothing broke, and all that had to be reached was.
fn verdict(checker: &impl Checker<Cluster>) -> bool {
    println!("{} distinct states, to a depth of {}", checker.unique_state_count(), checker.max_depth());
    ftq_tests::model::verdict(checker).inspect_err(|what| println!("{what}")).is_ok()
}
