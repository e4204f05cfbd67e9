//! What is delivered is on the disk, and not in memory. Alone in its process, for the sake of what it measures.

mod common;

use common::*;
use ftq_core::ids::Digest;
use ftq_storage::disk::Options;
use std::fs;
use tempfile::tempdir;

/// So much more memory may be taken while [`MIB`] are delivered: sled's cache has a leaf or two for each of its shards.
const GROWTH_MAX: u64 = 120 << 20;

const MIB: u64 = 192;

/// What this process has in memory now.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[test]
fn a_log_that_grows_takes_room_on_the_disk_alone() {
    let directory = tempdir().unwrap();
    let options = Options { journal_bytes: 4 << 20, log_keep_bytes: 1 << 30, ..SMALL };
    let (mut bench, _) = Bench::try_open(directory.path(), &options).unwrap();
    let (mut end, mut digest) = (0, Digest(0));
    let before = resident_bytes();
    for _ in 0..MIB {
        let log = slots(end, digest, 1_024, 1, 1_024);
        end += 1_024;
        digest = log[1_023].digest;
        bench.durable(append(log));
        bench.delivered(end);
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "{} MiB more in memory for {MIB} MiB of log", grown >> 20);
}
