//! What the wire costs: encoding and seals, sockets beside the bare socket, and the network for a request.

use ftq_tests::bench::{network, wire};
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().len() > 1 {
        return ftq_tests::process::run_as_told();
    }
    println!("{:>8} {:>10} {:>10} {:>10} {:>10}   ns", "bytes", "encode", "seal", "open", "decode");
    for length in [64, 1_200, 65_000] {
        let wire::Costs { encode, seal, open, decode } = wire::costs(length);
        println!("{length:>8} {encode:>10.0} {seal:>10.0} {open:>10.0} {decode:>10.0}");
    }
    println!("\n{:>8} {:>14} {:>14} {:>8}", "bytes", "bare packets/s", "ours packets/s", "ratio");
    for length in [64, 1_200, 16_000] {
        let (bare, ours) = wire::sockets(length);
        println!(
            "{length:>8} {:>14.0} {:>14.0} {:>8.2}   {:.2} and {:.2} us of processor time each",
            bare.per_second,
            ours.per_second,
            ours.per_second / bare.per_second,
            bare.cpu_us,
            ours.cpu_us
        );
    }
    println!(
        "\n{:>8} {:>10} {:>14} {:>14} {:>8}   ns to send one to each",
        "bytes", "receivers", "a call each", "one call", "ratio"
    );
    for (length, receivers) in [(64, 2), (1_200, 2), (16_000, 2), (64, 8), (1_200, 8), (16_000, 8)] {
        let (each, all) = wire::fan_out(length, receivers);
        println!("{length:>8} {receivers:>10} {each:>14.0} {all:>14.0} {:>8.2}", all / each);
    }
    let program = std::env::current_exe().expect("a program knows where it is");
    println!(
        "\n{:>12} {:>10} {:>10} {:>10} {:>8}   for a push of 100 bytes",
        "outstanding", "pushes/s", "packets", "bytes", "CPU us"
    );
    for outstanding in [1, 16, 64] {
        let network::Cost { per_second, packets, bytes, cpu_us } = network::measure(&program, outstanding);
        println!("{outstanding:>12} {per_second:>10.0} {packets:>10.1} {bytes:>10.0} {cpu_us:>8.1}");
    }
    ExitCode::SUCCESS
}
