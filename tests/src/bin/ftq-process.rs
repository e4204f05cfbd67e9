//! The programs of ftq in one: `ftq-process ftqd …` is `ftqd …`, `ftq-process ftqctl …` is `ftqctl …`.
//!
//! Tests start these as processes of their own; so they need no program that another package builds.

use std::process::ExitCode;

fn main() -> ExitCode {
    ftq_tests::process::run_as_told()
}
