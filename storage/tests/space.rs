//! The disk is not filled up: space is given back, and what is nearly full is said in time.

#![expect(clippy::disallowed_methods, reason = "real threads and processes take real time")]

mod common;

use common::*;
use ftq_core::ids::{Digest, Slot};
use ftq_core::store::{Condition, Job, Opened, Report};
use ftq_storage::disk::Options;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// Moves into a fresh database as soon as a few segments are too many.
const TIGHT: Options = Options { slack_bytes: 24 << 20, journal_bytes: 4 << 20, ..SMALL };

fn disk_bytes(directory: &Path) -> u64 {
    let bytes = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        if entry.path().is_dir() { disk_bytes(&entry.path()) } else { entry.metadata().map_or(0, |m| m.blocks() * 512) }
    };
    fs::read_dir(directory).unwrap().map(bytes).sum()
}

/// Appends, delivers, snapshots and cuts in rounds of 4 MiB; gives the digest at the end.
fn turn_over(bench: &mut Bench, mut end: u64, mut digest: Digest, rounds: u64) -> (u64, Digest) {
    for _ in 0..rounds {
        for _ in 0..8 {
            let log = slots(end, digest, 64, 1, 8_000);
            end += 64;
            digest = log[63].digest;
            bench.durable(append(log));
            bench.delivered(end);
        }
        let mut at = slot(end, 1, digest, 0);
        at.digest = digest;
        bench.snapshotted(snapshot(&at, &[&end.to_le_bytes()]));
        bench.submit(Job::Cut { below: Slot(end + 1) });
    }
    (end, digest)
}

#[test]
fn the_archive_moves_while_it_is_written_and_gives_space_back() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::try_open(directory.path(), &TIGHT).unwrap();
    let began = Instant::now();
    let (mut end, mut digest) = (0, Digest(0));
    let moved = |directory: &Path| !directory.join("sled").exists();
    while !moved(directory.path()) && began.elapsed() < Duration::from_secs(60) {
        (end, digest) = turn_over(&mut bench, end, digest, 4);
    }
    assert!(moved(directory.path()), "{} MiB on the disk", disk_bytes(directory.path()) >> 20);
    (end, digest) = turn_over(&mut bench, end, digest, 2);
    drop(bench);
    let opened = Bench::try_open(directory.path(), &TIGHT).unwrap().1;
    let found = opened
        .delivered
        .last()
        .map_or(opened.snapshot.as_ref().map(|s| (s.slot, s.digest)), |r| Some((r.slot, r.digest)));
    assert_eq!((found, opened.condition), (Some((Slot(end), digest)), Condition::Whole));
    assert!(disk_bytes(directory.path()) < 150 << 20, "{} MiB", disk_bytes(directory.path()) >> 20);
}

/// Until the identity names the fresh database, it is nothing; from then on the former one is nothing.
#[test]
fn a_move_can_be_cut_short_at_either_side_of_its_one_step() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 10, 1, 100);
    bench.durable(append(log.clone()));
    bench.delivered(10);
    drop(bench);
    fs::create_dir(directory.path().join("sled.1")).unwrap();
    fs::write(directory.path().join("sled.1/db"), b"half a copy").unwrap();
    let opened = |directory: &Path| -> Opened { Bench::open(directory).1 };
    assert_eq!(opened(directory.path()).delivered, log);
    assert!(!directory.path().join("sled.1").exists());
}

#[test]
fn a_nearly_full_disk_is_said_and_the_ballast_waits_for_room() {
    let directory = tempdir().unwrap();
    let low = Options { low_bytes: u64::MAX / 4, ballast_bytes: 1 << 20, ..SMALL };
    let (mut bench, _) = Bench::try_open(directory.path(), &low).unwrap();
    bench.wait(|report| *report == Report::NearlyFull(true));
    // It goes on all the same.
    bench.durable(append(slots(0, Digest(0), 3, 1, 100)));
    bench.delivered(3);
    drop(bench);
    assert!(!directory.path().join("ballast").exists(), "there is no room to hold back");
    let enough = Options { low_bytes: 1 << 20, ..low };
    drop(Bench::try_open(directory.path(), &enough).unwrap());
    assert_eq!(fs::metadata(directory.path().join("ballast")).unwrap().len(), 1 << 20);
}
