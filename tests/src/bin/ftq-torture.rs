//! Kills and cuts stores at random moments, on real disks, and says whether anything was lost.

use argh::FromArgs;
use ftq_tests::torture::{self, Ended, Kind, Plan};
use std::path::PathBuf;
use std::process::ExitCode;

/// Stores that are killed and cut at random moments. `tests/beds/setup.sh` installs what the beds need; those with a
/// disk need root.
#[derive(FromArgs)]
struct Arguments {
    #[argh(subcommand)]
    command: Command,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Command {
    Cuts(Cuts),
    Trouble(Trouble),
    Victim(Victim),
}

/// Run an ftqd on a disk that is full, or that fails: what it says, how it ends, and that it goes on afterwards.
#[derive(FromArgs)]
#[argh(subcommand, name = "trouble")]
struct Trouble {
    /// full or eio
    #[argh(positional)]
    what: String,
}

/// Start a victim, kill it, cut its power, and look whether it opens whole with all that was acknowledged.
#[derive(FromArgs)]
#[argh(subcommand, name = "cuts")]
struct Cuts {
    /// kill (the process alone), cache (the system's memory) or volatile (that and the disk's cache)
    #[argh(positional)]
    bed: Kind,
    /// how many cuts (200 if nothing is said)
    #[argh(option, default = "200")]
    rounds: u64,
    /// ext4 (if nothing is said) or xfs
    #[argh(option, default = "\"ext4\".to_owned()")]
    file_system: String,
    /// the seed of what is done and when
    #[argh(option, default = "1")]
    seed: u64,
    /// the longest life of a victim in milliseconds
    #[argh(option, default = "700")]
    life_ms: u64,
    /// the negative control: leave the syncs out (cache) or the flushes of the disk's cache (volatile); that
    /// something is lost must be noticed, and the exit code is 0 if it is
    #[argh(switch)]
    without_sync: bool,
}

/// What is killed.
#[derive(FromArgs)]
#[argh(subcommand, name = "victim")]
struct Victim {
    /// the store
    #[argh(positional)]
    directory: PathBuf,
    /// the seed of what is done
    #[argh(positional)]
    seed: u64,
    /// after how many jobs it ends
    #[argh(positional)]
    jobs: u64,
}

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == "ftqd") {
        return ftq_tests::process::run_as_told();
    }
    let arguments: Arguments = argh::from_env();
    match arguments.command {
        Command::Cuts(asked) => cuts(asked),
        Command::Trouble(Trouble { what }) => trouble(&what),
        Command::Victim(Victim { directory, seed, jobs }) => match torture::victim(&directory, seed, jobs) {
            Ok(Ended::Done) => ExitCode::SUCCESS,
            Ok(Ended::Failed) => {
                eprintln!("the store has failed");
                ExitCode::from(70)
            }
            Err(what) => {
                eprintln!("{what}");
                ExitCode::FAILURE
            }
        },
    }
}

fn trouble(what: &str) -> ExitCode {
    let program = std::env::current_exe().expect("a program has a path");
    let came_of_it = match what {
        "full" => torture::full(&program),
        "eio" => torture::eio(&program),
        other => Err(format!("{other} is no trouble: full or eio")),
    };
    match came_of_it {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn cuts(asked: Cuts) -> ExitCode {
    let Cuts { bed, rounds, file_system, seed, life_ms, without_sync } = asked;
    let plan = Plan {
        kind: bed,
        file_system,
        rounds,
        seed,
        life_ms,
        wrapper: (without_sync && bed == Kind::Cache).then(|| "eatmydata".to_owned()),
        no_barrier: without_sync && bed == Kind::Volatile,
        program: std::env::current_exe().expect("a program has a path"),
    };
    match (torture::cuts(&plan), without_sync) {
        (Ok(toll), false) => {
            println!("{bed:?}: {toll}");
            ExitCode::SUCCESS
        }
        (Err(what), true) => {
            println!("{bed:?}, without syncs: noticed in {}", what.lines().next().unwrap_or_default());
            ExitCode::SUCCESS
        }
        (Ok(toll), true) => {
            println!("{bed:?}, without syncs, and nothing was noticed: {toll}");
            ExitCode::FAILURE
        }
        (Err(what), false) => {
            println!("{bed:?}: {what}");
            ExitCode::FAILURE
        }
    }
}
