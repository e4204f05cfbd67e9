//! A damaged store opens whole, or says that it is damaged. It never panics, and is never silently less.

mod common;

use common::*;
use ftq_core::ids::{Digest, Slot};
use ftq_core::store::{Condition, Job, Opened};
use ftq_storage::disk::OpenError;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

/// Where the journal's records begin.
const AREA: usize = 8192;

/// A store whose last job was a promise, so that its mark tells of all records, and what it holds.
fn prepared() -> (TempDir, Opened) {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 30, 1, 300);
    bench.submit(append(log[..20].to_vec()));
    bench.delivered(12);
    bench.snapshotted(snapshot(&log[5], &[b"one", &[2; 60_000]]));
    bench.durable(append(log[20..].to_vec()));
    bench.durable(install(2, 25, slots(25, log[24].digest, 3, 2, 200)));
    bench.durable(Job::Promise { ballot: ballot(3) });
    drop(bench);
    let (bench, opened) = Bench::open(directory.path());
    assert_eq!((opened.delivered.len(), opened.tail.len()), (6, 16));
    drop(bench);
    (directory, opened)
}

/// A copy of a store's directory.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).map(|_| ()).unwrap()
        }
    }
}

/// Opens a copy in which a file was changed.
fn open_changed(store: &Path, file: &str, change: impl FnOnce(&PathBuf)) -> Result<Opened, OpenError> {
    let directory = tempdir().unwrap();
    copy(store, directory.path());
    change(&directory.path().join(file));
    Bench::try_open(directory.path(), &SMALL).map(|(_, opened)| opened)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// Where the bytes of a file are that are not zero, thinned out to about `n`.
fn places(path: &Path, n: usize) -> Vec<usize> {
    let bytes = fs::read(path).unwrap();
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    used.iter().step_by(used.len() / n + 1).copied().collect()
}

#[test]
fn a_flipped_bit_in_the_journal_is_noticed_or_does_no_harm() {
    let (store, opened) = prepared();
    let (mut whole, mut noticed) = (0, 0);
    for at in places(&store.path().join("journal"), 150) {
        match open_changed(store.path(), "journal", |path| flip(path, at)) {
            Ok(found) if found.condition == Condition::Forgetful => {
                assert!(found.store != opened.store && found.promise.is_none() && found.tail.is_empty(), "byte {at}");
                assert_eq!(found.delivered, opened.delivered, "byte {at}");
                noticed += 1;
            }
            Ok(found) => {
                assert_eq!(found, opened, "byte {at}");
                whole += 1;
            }
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
    assert!(whole > 0 && noticed > 0, "{whole} whole, {noticed} noticed");
}

#[test]
fn a_flipped_bit_in_the_archive_is_noticed_or_does_no_harm() {
    let (store, opened) = prepared();
    let (mut whole, mut noticed) = (0, 0);
    for at in places(&store.path().join("sled/db"), 80) {
        match open_changed(store.path(), "sled/db", |path| flip(path, at)) {
            Ok(found) if found.condition != Condition::Whole => {
                let base = opened.tail[0].slot.previous();
                let Condition::Hollow { base: found_base, .. } = found.condition else { panic!("byte {at}") };
                assert!(found_base <= base && found.tail.ends_with(&opened.tail), "byte {at}");
                assert_eq!((found.promise, &found.view), (opened.promise, &opened.view), "byte {at}");
                assert!(found.snapshot.is_none() && found.delivered.is_empty(), "byte {at}");
                noticed += 1;
            }
            Ok(found) => {
                // What the archive has lost at its end, and the journal still holds, is not lost.
                let all = |opened: &Opened| [opened.delivered.clone(), opened.tail.clone()].concat();
                assert!(all(&found).ends_with(&opened.tail), "byte {at}");
                assert!(found.promise == opened.promise && found.view == opened.view, "byte {at}");
                whole += 1;
            }
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
    assert!(whole > 0 && noticed > 0, "{whole} whole, {noticed} noticed");
}

#[test]
fn every_flipped_bit_in_the_identity_is_noticed() {
    let (store, _) = prepared();
    for at in 0..fs::read(store.path().join("identity")).unwrap().len() {
        match open_changed(store.path(), "identity", |path| flip(path, at)) {
            Err(OpenError::Newer { .. }) => {}
            Ok(found) => assert_eq!(found.condition, Condition::Forgetful, "byte {at}"),
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
}

#[test]
fn missing_and_cut_files_are_noticed() {
    let (store, _) = prepared();
    let remove = |path: &PathBuf| if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    for file in ["identity", "journal"] {
        let found = open_changed(store.path(), file, remove).unwrap();
        assert_eq!(found.condition, Condition::Forgetful, "{file}");
    }
    for file in ["sled", "sled/db"] {
        let found = open_changed(store.path(), file, remove).unwrap();
        assert!(matches!(found.condition, Condition::Hollow { .. }), "{file}: {:?}", found.condition);
    }
    let cut = |path: &PathBuf| fs::File::options().write(true).open(path).unwrap().set_len(20_000).unwrap();
    assert_eq!(open_changed(store.path(), "journal", cut).unwrap().condition, Condition::Forgetful);
}

#[test]
fn a_journal_of_another_store_is_noticed() {
    let (store, _) = prepared();
    let (other, _) = prepared();
    let swap = |path: &PathBuf| fs::copy(other.path().join("journal"), path).map(|_| ()).unwrap();
    assert_eq!(open_changed(store.path(), "journal", swap).unwrap().condition, Condition::Forgetful);
}

/// A power cut tears the last group: from any byte of it on there is nothing. What was there before it
/// is there again, and what is written next is not confused with what was torn.
#[test]
fn a_torn_tail_is_cut_wherever_it_is_torn() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 9, 1, 200);
    bench.durable(append(log[..6].to_vec()));
    bench.durable(Job::Promise { ballot: ballot(2) });
    let journal = directory.path().join("journal");
    let before = fs::read(&journal).unwrap();
    bench.durable(append(log[6..].to_vec()));
    drop(bench);
    let after = fs::read(&journal).unwrap();
    let written = |at: &usize| *at >= AREA && before[*at] != after[*at];
    let (start, end) = ((0..after.len()).find(written).unwrap(), (0..after.len()).rfind(written).unwrap());

    for torn in (start..end).step_by(37) {
        let scratch = tempdir().unwrap();
        copy(directory.path(), scratch.path());
        let mut bytes = after.clone();
        bytes[torn..end + 1].fill(0);
        fs::write(scratch.path().join("journal"), bytes).unwrap();
        let (mut bench, opened) = Bench::open(scratch.path());
        assert_eq!((&opened.tail[..], opened.promise), (&log[..6], ballot(2)), "torn at {torn}");
        let others = slots(6, log[5].digest, 2, 5, 100);
        bench.durable(append(others.clone()));
        drop(bench);
        let (_bench, opened) = Bench::open(scratch.path());
        assert_eq!(opened.tail, [&log[..6], &others[..]].concat(), "torn at {torn}");
    }
}

/// An archive that was put back from an older copy does not go unnoticed when the journal has gone on.
#[test]
fn an_older_archive_is_noticed() {
    let directory = tempdir().unwrap();
    let older = tempdir().unwrap();
    let mut digest = Digest(0);
    for round in 0..3 {
        let (mut bench, _) = Bench::open(directory.path());
        let log = slots(round * 10, digest, 10, 1, 100);
        digest = log[9].digest;
        bench.submit(append(log));
        bench.delivered(round * 10 + 10);
        drop(bench);
        if round == 0 {
            copy(&directory.path().join("sled"), older.path());
        }
    }
    drop(Bench::open(directory.path()));
    fs::remove_dir_all(directory.path().join("sled")).unwrap();
    copy(older.path(), &directory.path().join("sled"));
    let (_bench, opened) = Bench::open(directory.path());
    assert_eq!(opened.condition, Condition::Hollow { base: Slot(30), digest });
}
