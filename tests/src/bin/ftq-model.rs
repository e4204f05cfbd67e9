//! The model check as a command: every order of what may happen from where it begins, up to a number of states.

use argh::FromArgs;
use ftq_tests::model::{Beginning, Budget, Cluster};
use stateright::{Checker, Model, report::WriteReporter};
use std::process::ExitCode;

/// Checks the group's own types over every order of messages, syncs and faults.
#[derive(FromArgs)]
struct Arguments {
    /// where to begin: healthy, tail, replaced, behind, twice (all of them, one after another, if nothing is said)
    #[argh(option)]
    beginning: Option<Beginning>,
    /// from each beginning, stop when so many states were reached, each time that one is reached again counted
    /// (2000000 if nothing is said)
    #[argh(option, default = "2_000_000")]
    states: usize,
    /// look at what is near the beginning first, instead of at what lies deep
    #[argh(switch)]
    broad: bool,
    /// requests that are submitted (this and what follows: by the beginning, if nothing is said)
    #[argh(option)]
    requests: Option<u8>,
    /// steps of time, each a little more than the failure timeout
    #[argh(option)]
    steps: Option<u8>,
    /// power cuts
    #[argh(option)]
    power_cuts: Option<u8>,
    /// disks that are lost
    #[argh(option)]
    new_disks: Option<u8>,
    /// times that somebody is cut off
    #[argh(option)]
    cuts: Option<u8>,
    /// notes that come twice
    #[argh(option)]
    copies: Option<u8>,
}

/// What became of the search from one beginning.
struct Searched {
    distinct: usize,
    passed: bool,
}

fn main() -> ExitCode {
    let arguments: Arguments = argh::from_env();
    let beginnings = arguments.beginning.map_or(Beginning::ALL.to_vec(), |beginning| vec![beginning]);
    let searched: Vec<Searched> = beginnings.into_iter().map(|beginning| search(&arguments, beginning)).collect();
    let distinct: usize = searched.iter().map(|search| search.distinct).sum();
    println!("{distinct} distinct states in all");
    if searched.iter().all(|search| search.passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Looks at what may happen from there.
fn search(arguments: &Arguments, beginning: Beginning) -> Searched {
    let usual = beginning.budget();
    let budget = Budget {
        requests: arguments.requests.unwrap_or(usual.requests),
        steps: arguments.steps.unwrap_or(usual.steps),
        power_cuts: arguments.power_cuts.unwrap_or(usual.power_cuts),
        new_disks: arguments.new_disks.unwrap_or(usual.new_disks),
        cuts: arguments.cuts.unwrap_or(usual.cuts),
        copies: arguments.copies.unwrap_or(usual.copies),
    };
    println!("from {}, with {budget:?}", beginning.name());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let builder = Cluster { beginning, budget }.checker().threads(threads).target_state_count(arguments.states);
    let mut out = std::io::stdout();
    let mut reporter = WriteReporter::new(&mut out);
    if arguments.broad {
        judged(arguments, &builder.spawn_bfs().report(&mut reporter))
    } else {
        judged(arguments, &builder.spawn_dfs().report(&mut reporter))
    }
}

/// Whether nothing broke, and what had to be reached was.
fn judged(arguments: &Arguments, checker: &impl Checker<Cluster>) -> Searched {
    let distinct = checker.unique_state_count();
    println!("{distinct} distinct states, to a depth of {}", checker.max_depth());
    let passed = ftq_tests::model::verdict(checker).inspect_err(|what| println!("{what}")).is_ok();
    if passed && checker.state_count() < arguments.states {
        println!("which are all");
    }
    Searched { distinct, passed }
}
