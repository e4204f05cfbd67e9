//! The tool: one operation of the queue, from a command line.
//!
//! | exit code | meaning |
//! | --- | --- |
//! | 0 | done |
//! | 1 | no: empty, not found, not allowed; nothing was changed |
//! | 2 | no server could be reached, or there is no quorum; nothing was changed |
//! | 3 | the time ran out and the outcome is unknown: it may have been done, once |
//! | 64 | the command line is wrong |
//!
//! What was asked for goes to standard output, an error to standard error as one line.

mod arguments;
mod exit;
mod key;
mod operation;
mod status;

use arguments::{Arguments, QueueName};
use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;

/// Why there is nothing to show.
#[derive(Debug)]
enum Failure {
    /// The command line is wrong.
    Usage(String),
    /// No such luck: nothing was changed.
    No(String),
    /// Nobody was there to ask: nothing was changed.
    Unreachable(String),
    /// It may have been done.
    Unknown(String),
}

/// Runs one command.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let outcome = match Arguments::parse(arguments) {
        Ok(arguments) => operation::perform(arguments),
        Err(arguments::Early::Help(text)) => {
            print!("{text}");
            Ok(())
        }
        Err(arguments::Early::Wrong(what)) => Err(Failure::Usage(what)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ftqctl: {failure}");
            failure.code().into()
        }
    }
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Failure::No(_) => 1,
            Failure::Unreachable(_) => 2,
            Failure::Unknown(_) => 3,
            Failure::Usage(_) => 64,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(what) | Failure::No(what) | Failure::Unreachable(what) | Failure::Unknown(what) => {
                f.write_str(what)
            }
        }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueName::Label(label) => write!(f, "{label}"),
            QueueName::Id(id) => write!(f, "@{id}"),
        }
    }
}
