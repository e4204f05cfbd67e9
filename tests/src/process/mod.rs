//! Clusters of real processes, on loopback sockets and a real disk, to be killed and started again.

mod clients;
mod cluster;
mod ledger;
mod level;
mod load;
mod notes;
mod patience;

pub use cluster::Cluster;
pub use ledger::Ledger;
pub use load::Load;
pub use patience::{CEILING, Ticks, pause};

use std::process::ExitCode;

/// Becomes the program that the first argument names.
pub fn run_as_told() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|name| name.to_str()) {
        Some("ftqd") => ftqd::main(arguments),
        Some("ftqctl") => ftqctl::run(arguments),
        Some("clients") => clients::main(arguments),
        Some(_) | None => {
            eprintln!("the first argument is ftqd, ftqctl or clients");
            ExitCode::from(64)
        }
    }
}
