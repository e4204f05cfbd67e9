//! `ftqd`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ftqd::main(std::env::args_os().skip(1))
}
