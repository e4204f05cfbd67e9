//! The programs as they are run: real processes, real sockets, a real disk.

mod alone;
mod configurations;
mod ctl;
mod failing;
mod history;
mod hostile;
mod joining;
mod keys;
mod kills;
mod library;
mod offline;
mod operations;
mod playground;
mod python;
mod reload;
mod restarts;
mod sealed;
mod stopping;
mod told;
mod watched;
mod work;

use ftq_tests::process::Cluster;
use std::path::Path;

/// The programs under test.
fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ftq-process"))
}

/// A cluster that runs and serves.
fn cluster(size: u8) -> Cluster {
    Cluster::started(program(), size)
}
