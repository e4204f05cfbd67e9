//! The daemon: one replica with its sockets, its store, its clock and its configuration.
//!
//! ```text
//!  clients ──UDP──▶ ┌──────────────── service: one thread, one loop ───────────────┐ ──▶ store
//!          ◀─────── │ 1 reports  2 peers  3 clients  4 time ──▶ replica ──▶ outputs │ ◀── (its own threads,
//!  peers  ◀──UDP──▶ └───────────────────────────────────────────────────────────────┘      wakes the loop)
//! ```
//!
//! It decides nothing: what comes in goes to the replica, and what the replica wants is carried out.
//! Nothing on the loop waits for a disk or for a socket.

mod addresses;
mod advice;
mod arguments;
mod board;
mod client_port;
mod closing;
pub mod config;
mod ending;
mod greeting;
mod host;
mod http;
mod limits;
mod lines;
mod living;
mod manager;
pub mod memory;
mod metrics;
mod names;
mod offline;
mod orders;
mod peer_port;
mod playground;
mod service;
mod socket;
mod standing;
mod story;
mod stuck;
mod tally;
mod version;

use arguments::Arguments;
use board::Board;
use config::Config;
pub use ending::Ending;
use living::{Means, Parting};
use manager::Manager;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs a replica as the command line says, without the program's name, until it ends.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match Arguments::parse(arguments) {
        Ok(arguments) => run(&arguments),
        Err(early) => early.code(),
    }
}

/// Runs a replica until it ends, and says why it did.
fn run(arguments: &Arguments) -> ExitCode {
    lines::set(log::LevelFilter::Info);
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(ending) => {
            log::error!("{ending}");
            ending.code().into()
        }
    }
}

fn start(arguments: &Arguments) -> Result<(), Ending> {
    if arguments.version {
        println!("{}", version::text());
        return Ok(());
    }
    if let Some(command) = &arguments.command {
        return offline::run(command);
    }
    if let Some(replicas) = arguments.playground {
        return playground::play(replicas, arguments.log);
    }
    let (file, told) = (arguments.file(), arguments.told()?);
    let read = move || match &file {
        Some(path) => Config::read(path, &told),
        None => Config::alone(&told),
    };
    let config = read()?;
    lines::set(config.log);
    if arguments.print_config {
        print!("{}", config.print());
        return Ok(());
    }
    let keys = config.keys()?;
    if arguments.check_config {
        println!("{}", greeting::summary(&config));
        return Ok(());
    }
    let orders = orders::listen(move || {
        let config = read()?;
        let keys = config.keys()?;
        Ok((config, keys))
    })?;
    let board = Board::default();
    if let Some(address) = &config.http {
        http::serve(address, board.clone())?;
    }
    let mut manager = Manager::of_environment();
    let greet = || println!("{}\n{}", greeting::summary(&config), greeting::invitation(&config.client));
    match living::live(&config, &keys, Means::whole(), (&orders, &board), &mut manager, greet)? {
        Parting::InOrder => {}
        // Dropping it would wait for the disk.
        Parting::AtOnce(store) => std::mem::forget(store),
    }
    Ok(())
}
