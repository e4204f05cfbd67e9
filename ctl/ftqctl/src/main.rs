//! `ftqctl`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ftqctl::run(std::env::args_os().skip(1))
}
