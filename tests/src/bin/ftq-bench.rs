//! What the whole service does on this machine: pushes on three replicas with synced disks, beside the
//! least that any such service has to do, in the same run.
//!
//! `cargo run --release -p ftq-tests --bin ftq-bench`

use ftq_tests::bench::usage::Run;
use ftq_tests::bench::{bare, service};
use std::process::ExitCode;

/// How many pushes are under way at once.
const OUTSTANDING: [usize; 3] = [1, 64, 256];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        // It starts itself again for every process that it measures.
        Some(first) if first == "acceptor" => return bare::accept(arguments),
        Some(_) => return ftq_tests::process::run_as_told(),
        None => {}
    }
    let program = std::env::current_exe().expect("this program has a path");
    println!("items of {} bytes, three replicas and one client on this machine, {}", service::ITEM_BYTES, machine());
    println!("bare: a datagram to three processes, each writes it down and syncs; done when two have answered\n");
    println!(
        "{:<12} {:>5} {:>10} {:>9} {:>9} {:>12} {:>8} {:>8}",
        "", "open", "per second", "p50 µs", "p99 µs", "CPU µs/op", "rate", "p50"
    );
    for outstanding in OUTSTANDING {
        let bare = bare::measure(&program, outstanding);
        let service = service::measure(&program, outstanding);
        line("bare", outstanding, &bare, None);
        line("ftq push", outstanding, &service, Some(&bare));
    }
    ExitCode::SUCCESS
}

fn line(name: &str, outstanding: usize, run: &Run, beside: Option<&Run>) {
    let ratio = |ours: f64, theirs: f64| format!("x {:.2}", ours / theirs);
    let (rate, p50) = beside.map_or_else(Default::default, |bare| {
        (ratio(run.per_second(), bare.per_second()), ratio(run.percentile_us(50), bare.percentile_us(50)))
    });
    println!(
        "{name:<12} {outstanding:>5} {:>10.0} {:>9.0} {:>9.0} {:>12.1} {rate:>8} {p50:>8}",
        run.per_second(),
        run.percentile_us(50),
        run.percentile_us(99),
        run.cpu_us_per_operation()
    );
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores")
}
