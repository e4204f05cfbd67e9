//! Clusters of real processes, on loopback sockets and a real disk, to be killed and started again.

mod cluster;
mod load;
mod patience;

pub use cluster::Cluster;
pub use load::{Ledger, Load};
pub use patience::{CEILING, Ticks, pause};

use std::process::ExitCode;

/// Becomes the program that the first argument names.
pub fn run_as_told() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|name| name.to_str()) {
        Some("ftqd") => ftqd::main(arguments),
        Some("ftqctl") => ftqctl::run(arguments),
        Some(_) | None => {
            eprintln!("the first argument is ftqd or ftqctl");
            ExitCode::from(64)
        }
    }
}
