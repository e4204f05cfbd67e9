//! The tool: one command of a cluster, from a command line. `docs/ftqctl.md` is its page.
//!
//! ```text
//! words ── line ──▶ arguments ── context ──▶ a client ── command ──▶ shown, or a failure with its exit code
//! ```
//! What was asked for goes to standard output, an error to standard error as one line.

mod arguments;
mod commands;
mod context;
mod date;
mod failure;
mod interrupt;
mod line;
mod shown;
mod words;

use failure::Failure;
use line::Early;
use shown::Kept;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs one command.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let outcome = match line::read(arguments) {
        Ok(arguments) => commands::perform(arguments),
        Err(Early::Help(text)) => shown::print(text.as_bytes(), Kept::There),
        Err(Early::Wrong(what)) => Err(Failure::Usage(what)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Unread) {
                eprintln!("ftqctl: {failure}");
            }
            failure.code().into()
        }
    }
}
