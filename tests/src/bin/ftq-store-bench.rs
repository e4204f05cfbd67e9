//! What the store does on this machine's disk, beside a plain file and sled alone, in the same run.
//!
//! `cargo run --release -p ftq-tests --bin ftq-store-bench -- --help`

use argh::FromArgs;
use ftq_tests::bench::store::{self, Load, Rates};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Measures the store: durable groups a second, processor time, bytes written, space, and opening.
#[derive(FromArgs)]
struct Arguments {
    /// where to measure (beside this program if nothing is said)
    #[argh(option)]
    directory: Option<PathBuf>,
    /// only these: journal, sustained, turnover, opening
    #[argh(option)]
    only: Option<String>,
    /// how many slots the store has that is opened (10,000,000 if nothing is said)
    #[argh(option, default = "10_000_000")]
    slots: u64,
    /// how many MiB go through the log: an hour at 1 MiB a second if nothing is said
    #[argh(option, default = "3_600")]
    turnover_mib: u64,
    /// the size of the journal for the sustained load in MiB: the log goes around it ten times
    #[argh(option, default = "64")]
    journal_mib: u64,
    /// used by this program itself: open this store, and say what it took
    #[argh(option)]
    open: Option<PathBuf>,
}

const LOADS: [(u64, usize); 8] =
    [(1, 100), (16, 100), (64, 100), (256, 100), (1, 1_024), (16, 1_024), (64, 1_024), (256, 1_024)];

fn main() {
    let arguments: Arguments = argh::from_env();
    if let Some(directory) = arguments.open {
        return store::open(&directory);
    }
    let program = std::env::current_exe().expect("this program has a path");
    // Beside the program is a real disk, and what a killed run leaves there goes with the build.
    let beside = arguments.directory.as_deref().unwrap_or_else(|| program.parent().expect("it is in a directory"));
    let scratch = tempfile::Builder::new().prefix("ftq-store-").tempdir_in(beside).expect("a directory");
    let wants = |what: &str| arguments.only.as_deref().is_none_or(|only| only == what);
    if wants("journal") {
        println!("while the journal has room; plain: the same bytes into a preallocated file, write and fdatasync");
        table(|load| store::in_the_journal(scratch.path(), load));
    }
    if wants("sustained") {
        println!("\nsustained, delivered, with snapshots; sled: the rate at which sled alone takes the bytes in bulk");
        table(|load| store::sustained(scratch.path(), load, arguments.journal_mib << 20));
    }
    if wants("turnover") {
        store::turnover(scratch.path(), arguments.turnover_mib << 20);
    }
    if wants("opening") {
        opening(&program, &scratch.path().join("large"), arguments.slots);
    }
}

fn table(measure: impl Fn(Load) -> Rates) {
    println!(
        "{:>6} {:>6} {:>10} {:>10} {:>8} {:>10} {:>8} {:>10} {:>10} {:>6}",
        "slots", "bytes", "groups/s", "plain/s", "ratio", "sled/s", "ratio", "CPU µs", "written", "laps"
    );
    for (slots, bytes) in LOADS {
        let Rates { store, plain, sled, cpu_us_per_slot, written_per_byte, laps } = measure(Load { slots, bytes });
        let (sled_rate, sled_ratio) = match sled {
            Some(sled) => (format!("{sled:.0}"), format!("x {:.2}", store / sled)),
            None => Default::default(),
        };
        println!(
            "{slots:>6} {bytes:>6} {store:>10.0} {plain:>10.0} {:>8} {sled_rate:>10} {sled_ratio:>8} \
             {cpu_us_per_slot:>10.2} {written_per_byte:>10.2} {laps:>6.1}",
            format!("x {:.2}", store / plain)
        );
    }
}

/// The store is made by one process and opened by another, so that only the opening counts.
fn opening(program: &Path, directory: &Path, slots: u64) {
    store::fill(directory, slots);
    for _ in 0..2 {
        let opened = Command::new(program).arg("--open").arg(directory).status().expect("it runs");
        assert!(opened.success(), "the store opens");
    }
}
