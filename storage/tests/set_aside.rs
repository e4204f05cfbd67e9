//! A part that is damaged is set aside, and the store goes on as far as what is left of it allows.

mod common;

use common::*;
use ftq_core::ids::{ClusterId, Digest, Slot};
use ftq_core::store::{Condition, Generation, Job, Opened, SlotRecord};
use ftq_storage::disk::{self, OpenError, Options};
use std::fs;
use std::path::Path;
use tempfile::{TempDir, tempdir};

/// A store that has archived 20 slots with a snapshot at 6, and holds 10 more in its journal.
fn prepared() -> (TempDir, Vec<SlotRecord>) {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 30, 1, 300);
    bench.durable(install(1, 0, Vec::new()));
    bench.durable(append(log[..20].to_vec()));
    bench.submit(Job::Electorate { electorate: electorate(5) });
    bench.delivered(20);
    bench.snapshotted(snapshot(&log[5], &[b"one"]));
    bench.durable(append(log[20..].to_vec()));
    bench.durable(Job::Promise { ballot: ballot(3) });
    drop(bench);
    // The journal's mark tells of what was archived from the next opening on.
    drop(Bench::open(directory.path()));
    (directory, log)
}

fn reopened(directory: &Path) -> Opened {
    Bench::open(directory).1
}

fn aside(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("set-aside-")).collect()
}

fn hollow(log: &[SlotRecord]) -> Condition {
    Condition::Hollow { base: Slot(20), digest: log[19].digest }
}

#[test]
fn without_its_archive_it_is_hollow_until_it_is_rebuilt_from_below() {
    let (directory, log) = prepared();
    fs::write(directory.path().join("sled/db"), [7; 100_000]).unwrap();
    let (mut bench, opened) = Bench::open(directory.path());
    assert_eq!(opened.condition, hollow(&log));
    assert_eq!((opened.promise, opened.view.ballot, &opened.tail[..]), (ballot(3), ballot(1), &log[20..]));
    assert_eq!((opened.snapshot, opened.delivered), (None, Vec::new()));
    assert_eq!(opened.electorate, Some(electorate(5)), "what was said in the lost part");
    assert_eq!(aside(directory.path()).len(), 1);

    // A snapshot of another member, then its log: what was accepted stays throughout.
    let theirs = snapshot(&log[9], &[b"theirs"]);
    bench.durable(Job::Adopt { generation: Generation(1), snapshot: theirs.clone() });
    drop(bench);
    let (mut bench, opened) = Bench::open(directory.path());
    assert_eq!((opened.condition, opened.snapshot), (hollow(&log), Some(theirs)));
    assert_eq!((&opened.tail[..], opened.configuration), (&log[20..], Some(configuration(0b111))));
    bench.durable(Job::CatchUp { generation: Generation(1), slots: log[10..15].to_vec() });
    drop(bench);
    let (mut bench, opened) = Bench::open(directory.path());
    assert_eq!((opened.condition, &opened.delivered[..]), (hollow(&log), &log[10..15]));
    bench.durable(Job::CatchUp { generation: Generation(1), slots: log[15..22].to_vec() });
    bench.delivered(25);
    drop(bench);
    let opened = reopened(directory.path());
    assert_eq!((opened.condition, opened.promise), (Condition::Whole, ballot(3)));
    assert_eq!((&opened.delivered[..], &opened.tail[..]), (&log[10..25], &log[25..]));
}

#[test]
fn a_snapshot_above_what_the_journal_begins_with_rebuilds_it_at_once() {
    let (directory, log) = prepared();
    fs::remove_dir_all(directory.path().join("sled")).unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    bench.durable(Job::Adopt { generation: Generation(1), snapshot: snapshot(&log[24], &[b"theirs"]) });
    drop(bench);
    let opened = reopened(directory.path());
    assert_eq!((opened.condition, &opened.tail[..]), (Condition::Whole, &log[25..]));
}

#[test]
fn a_snapshot_that_contradicts_what_was_accepted_replaces_it() {
    let (directory, log) = prepared();
    fs::remove_dir_all(directory.path().join("sled")).unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let others = slots(20, log[19].digest, 5, 2, 10);
    bench.durable(Job::Adopt { generation: Generation(1), snapshot: snapshot(&others[4], &[b"theirs"]) });
    drop(bench);
    let opened = reopened(directory.path());
    assert_eq!((opened.condition, opened.tail), (Condition::Whole, Vec::new()));
    assert_eq!(opened.configuration, Some(configuration(0b101)), "the snapshot's");
}

#[test]
fn without_its_journal_it_is_another_store_that_remembers_what_was_delivered() {
    let (directory, log) = prepared();
    let before = reopened(directory.path());
    fs::remove_file(directory.path().join("journal")).unwrap();
    for _ in 0..2 {
        let opened = reopened(directory.path());
        assert_eq!(opened.condition, Condition::Forgetful);
        assert!(opened.store != before.store && opened.promise.is_none() && opened.view.ballot.is_none());
        assert_eq!((&opened.delivered[..], opened.tail), (&log[6..20], Vec::new()));
        assert_eq!(opened.configuration, Some(configuration(0b101)), "the snapshot's");
    }
    // Once the others have admitted it and it has installed their view, it is like any other.
    let (mut bench, _) = Bench::open(directory.path());
    bench.durable(install(4, 20, Vec::new()));
    drop(bench);
    assert_eq!(reopened(directory.path()).condition, Condition::Whole);
}

#[test]
fn without_anything_it_is_still_no_new_store() {
    let (directory, _) = prepared();
    fs::remove_dir_all(directory.path().join("sled")).unwrap();
    fs::remove_file(directory.path().join("journal")).unwrap();
    let opened = reopened(directory.path());
    assert_eq!((opened.condition, opened.delivered), (Condition::Forgetful, Vec::new()));
    fs::remove_file(directory.path().join("identity")).unwrap();
    assert_eq!(reopened(directory.path()).condition, Condition::Forgetful);
}

/// The power was cut after the last of it was moved, and before another store was made in its place.
#[test]
fn a_store_set_aside_whole_is_no_new_one() {
    let (directory, _) = prepared();
    fs::create_dir(directory.path().join("set-aside-2026-11-24T15-03-12Z-store")).unwrap();
    for name in ["sled", "journal", "identity"] {
        let aside = directory.path().join("set-aside-2026-11-24T15-03-12Z-store").join(name);
        fs::rename(directory.path().join(name), aside).unwrap();
    }
    assert_eq!(reopened(directory.path()).condition, Condition::Forgetful);
}

/// The name of what was set aside is taken away between the two steps.
#[test]
fn setting_aside_can_be_cut_short() {
    let (directory, log) = prepared();
    fs::rename(directory.path().join("sled"), directory.path().join("set-aside-by-hand")).unwrap();
    fs::create_dir(directory.path().join("sled.7")).unwrap();
    fs::write(directory.path().join("identity.new"), b"half").unwrap();
    assert_eq!(reopened(directory.path()).condition, hollow(&log));
    assert!(!directory.path().join("sled.7").exists() && !directory.path().join("identity.new").exists());
}

#[test]
fn starting_anew_keeps_the_old_store_and_makes_another_cluster() {
    let (directory, log) = prepared();
    let ours = Options { cluster: Some(ClusterId([8; 16])), ..SMALL };
    let before = Bench::try_open(directory.path(), &ours).unwrap().0.store.identity();
    let aside = disk::start_anew(directory.path(), [3; 16]).unwrap().unwrap();
    let (bench, opened) = Bench::try_open(directory.path(), &ours).unwrap();
    assert_eq!(opened, Opened { store: opened.store, ..Opened::default() });
    let after = bench.store.identity();
    assert!(before.cluster() == ours.cluster && after.cluster().is_some() && after.cluster() != ours.cluster);
    assert!(before.store != after.store);
    drop(bench);
    // What was set aside is a store like any other.
    assert_eq!(reopened(&directory.path().join(aside)).delivered, log[6..20]);
    // All members that were given the same code make the same cluster.
    let other = tempdir().unwrap();
    assert_eq!(disk::start_anew(other.path(), [3; 16]).unwrap(), None);
    assert_eq!(Bench::try_open(other.path(), &ours).unwrap().0.store.identity().cluster(), after.cluster());
    // What is no store is left alone.
    let documents = tempdir().unwrap();
    fs::write(documents.path().join("letter"), b"dear").unwrap();
    let refused = disk::start_anew(documents.path(), [3; 16]).unwrap_err();
    assert!(refused.to_string().contains("letter"), "{refused}");
    assert_eq!(fs::read_dir(documents.path()).unwrap().count(), 1);
    let foreign = Options { cluster: Some(ClusterId([9; 16])), ..SMALL };
    assert!(matches!(Bench::try_open(other.path(), &foreign), Err(OpenError::OtherCluster { .. })));
}
