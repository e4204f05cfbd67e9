//! A look at a store says what is in it and what is wrong, and leaves it as it is.

mod common;

use common::*;
use ftq_core::ids::Digest;
use ftq_core::store::Job;
use ftq_storage::disk::{OpenError, Part, verify};
use std::fs;
use std::path::Path;
use tempfile::{TempDir, tempdir};

fn prepared() -> TempDir {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 30, 1, 300);
    bench.submit(append(log.clone()));
    bench.delivered(12);
    bench.snapshotted(snapshot(&log[5], &[b"one", &[2; 60_000]]));
    bench.durable(Job::Promise { ballot: ballot(3) });
    directory
}

/// All files below a directory and what is in them.
fn contents(directory: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if !path.ends_with("lock") {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_whole_store_is_described_and_left_as_it_is() {
    let store = prepared();
    let before = contents(store.path());
    let findings = verify(store.path()).unwrap();
    assert!(findings.iter().all(|finding| !finding.is_wrong), "{findings:?}");
    let text: Vec<String> = findings.iter().map(ToString::to_string).collect();
    for expected in [
        "archive: a snapshot at slot 6, 2 pieces, 60003 bytes",
        "archive: delivered up to slot 12, slots 7 to 12",
        "journal: records 1 to 3, promise 3.1",
        "journal: log view -, accepted slots 13 to 30",
    ] {
        assert!(text.iter().any(|line| line == expected), "{expected}: {text:#?}");
    }
    assert!(contents(store.path()) == before, "something was changed");
}

#[test]
fn what_is_wrong_is_said_and_where() {
    for (file, at, part) in [("identity", 30, Part::Identity), ("journal", 8300, Part::Journal)] {
        let store = prepared();
        let path = store.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let findings = verify(store.path()).unwrap();
        assert!(findings.iter().any(|finding| finding.is_wrong && finding.part == part), "{findings:?}");
    }
    let store = prepared();
    fs::remove_dir_all(store.path().join("sled")).unwrap();
    let findings = verify(store.path()).unwrap();
    assert!(findings.iter().any(|finding| finding.is_wrong && finding.part == Part::Archive), "{findings:?}");
}

/// The newest slots are in the archive alone; an older copy of it lacks them.
#[test]
fn an_archive_that_does_not_reach_the_journal_is_wrong() {
    let store = prepared();
    let (older, newer) = (tempdir().unwrap(), store.path().join("sled"));
    for entry in fs::read_dir(&newer).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), older.path().join(entry.file_name())).unwrap();
    }
    let (mut bench, _) = Bench::open(store.path());
    bench.delivered(30);
    drop(bench);
    drop(Bench::open(store.path()));
    fs::remove_dir_all(&newer).unwrap();
    fs::create_dir_all(newer.join("blobs")).unwrap();
    for entry in fs::read_dir(older.path()).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), newer.join(entry.file_name())).unwrap();
    }
    let findings = verify(store.path()).unwrap();
    let wrong: Vec<String> = findings.iter().filter(|finding| finding.is_wrong).map(ToString::to_string).collect();
    assert_eq!(wrong, ["WRONG archive: it ends at slot 12, and had synced 30"]);
}

#[test]
fn what_can_not_be_looked_at_is_an_error() {
    let store = prepared();
    let (bench, _) = Bench::open(store.path());
    assert!(matches!(verify(store.path()), Err(OpenError::InUse { .. })));
    drop(bench);
    assert!(matches!(verify(&store.path().join("nowhere")), Err(OpenError::Io { .. })));
    let empty = tempdir().unwrap();
    assert!(matches!(verify(empty.path()), Err(OpenError::Empty { .. })));
    fs::write(empty.path().join("letter"), b"dear").unwrap();
    assert!(matches!(verify(empty.path()), Err(OpenError::NoStore { .. })));
}
