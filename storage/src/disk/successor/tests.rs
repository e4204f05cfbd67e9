//! A store takes another one's place, and is cut short at every step of the way.

use super::*;
use bytes::Bytes;
use ftq_core::ids::{Configuration, MemberId, MemberSet};
use ftq_core::store::SlotRecord;
use ftq_core::time::SlotClock;
use std::path::PathBuf;
use tempfile::{TempDir, tempdir};

const OPTIONS: Options = Options {
    cluster: None,
    journal_bytes: 64 << 10,
    log_keep_bytes: 0,
    slack_bytes: 192 << 20,
    low_bytes: 0,
    ballast_bytes: 0,
};

const CODE: [u8; 16] = [5; 16];

fn open(directory: &Path) -> (DiskStore, Opened) {
    DiskStore::open(directory, &OPTIONS, || {}).expect("it opens")
}

/// A store with accepted slots, and one that was delivered.
fn prepared() -> TempDir {
    let directory = tempdir().unwrap();
    let (mut disk, _) = open(directory.path());
    let slot = |k: u64| SlotRecord {
        slot: Slot(k),
        view: Ballot::default(),
        clock: SlotClock(k),
        digest: Digest(k.into()),
        content: Bytes::from(vec![7; 100]),
    };
    disk.submit(JobId(1), Job::Append { generation: Generation(0), slots: (1..=9).map(slot).collect() });
    disk.submit(JobId(2), Job::Deliver { upto: Slot(4) });
    // With its mark, so that what stands before it is known to be synced.
    disk.submit(
        JobId(3),
        Job::Promise { ballot: Ballot { number: 2, proposer: MemberId::new(1), store: StoreId([1; 16]) } },
    );
    drop(disk);
    directory
}

/// What the other store begins with.
fn begun(_: StoreId) -> (Ballot, Snapshot) {
    let promise = Ballot { number: 6, proposer: MemberId::new(1), store: StoreId([1; 16]) };
    let configuration = Configuration { number: 3, ..Configuration::founding(MemberSet::from_bits(2)) };
    let pieces = vec![Bytes::from_static(b"state"), Bytes::from(vec![3; 40_000])];
    (promise, Snapshot { slot: Slot(9), digest: Digest(9), configuration, pieces, ..Snapshot::default() })
}

/// All files below a directory and what is in them, but for locks.
fn files(directory: &Path, below: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry, below));
        } else if !entry.ends_with("lock") {
            found.push((entry.strip_prefix(below).unwrap().to_owned(), fs::read(&entry).unwrap()));
        }
    }
    found.sort();
    found
}

/// What was set aside, all of it.
fn set_aside(directory: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("set-aside-")).collect()
}

fn is_successor(directory: &Path, former: &Identity) {
    let (disk, opened) = open(directory);
    let (promise, snapshot) = begun(StoreId::default());
    assert_eq!((opened.promise, opened.snapshot.as_ref()), (promise, Some(&snapshot)));
    assert_eq!(opened.configuration, Some(snapshot.configuration));
    assert_eq!((opened.delivered, opened.tail, opened.condition), (vec![], vec![], Condition::Whole));
    assert!(opened.view.ballot.is_none() && opened.store != former.store);
    assert_eq!(disk.identity().anew, Some(CODE));
}

#[test]
fn it_takes_the_place_and_the_former_one_is_kept_to_the_byte() {
    let store = prepared();
    let before = files(store.path(), store.path());
    let predecessor = Predecessor::look(store.path()).unwrap();
    let (found, identity) = (predecessor.opened().clone(), predecessor.identity());
    assert!(matches!(Predecessor::look(store.path()), Err(OpenError::InUse { .. })));
    assert!(files(store.path(), store.path()) == before, "a look changes nothing");
    let aside = store.path().join(predecessor.succeed(CODE, begun).unwrap());
    assert!(files(&aside, &aside) == before, "it is kept as it was");
    is_successor(store.path(), &identity);
    let (_, opened) = open(&aside);
    assert_eq!(opened, found, "what was seen is what is there");
    assert_eq!((found.delivered.len(), found.tail.len()), (4, 5));
}

/// The process is killed, or the power is cut, between any two moves: whoever opens the store next goes on.
#[test]
fn it_can_be_cut_short_between_any_two_moves() {
    for moves in 0.. {
        let store = prepared();
        let before = files(store.path(), store.path());
        // As on a file system of its own.
        fs::create_dir(store.path().join("lost+found")).unwrap();
        let Predecessor { directory, identity, .. } = Predecessor::look(store.path()).unwrap();
        make(&directory, identity, CODE, begun).unwrap();
        directory.rename(UNFINISHED, NAME).unwrap();
        fs::create_dir(directory.at(&inside(FORMER))).unwrap();
        for _ in 0..moves {
            let Some((from, to)) = next_move(&directory).unwrap() else { break };
            directory.rename(&from, &to).unwrap();
        }
        let is_all = next_move(&directory).unwrap().is_none();
        drop(directory);
        let findings = super::super::verify(store.path()).unwrap();
        assert!(findings.iter().all(|finding| !finding.is_wrong), "{findings:?}");
        if moves % 2 == 0 {
            // The order once more, rather than a start.
            drop(Predecessor::look(store.path()).unwrap());
        }
        is_successor(store.path(), &identity);
        let asides = set_aside(store.path());
        let [aside] = asides.as_slice() else { panic!("{asides:?}") };
        assert!(files(aside, aside) == before, "it is kept as it was, after {moves} moves");
        if is_all {
            assert_eq!(moves, 6, "three parts go, and three come");
            return;
        }
    }
}

#[test]
fn what_is_begun_and_does_not_count_yet_goes() {
    let store = prepared();
    let Predecessor { directory, identity, opened } = Predecessor::look(store.path()).unwrap();
    make(&directory, identity, CODE, begun).unwrap();
    drop(directory);
    let (_, again) = open(store.path());
    assert_eq!(again, opened);
    assert!(!store.path().join(UNFINISHED).exists() && set_aside(store.path()).is_empty());
}

/// The last step of all was missing: there is nothing left to say.
#[test]
fn an_empty_successor_goes() {
    let store = prepared();
    let predecessor = Predecessor::look(store.path()).unwrap();
    let identity = predecessor.identity();
    predecessor.succeed(CODE, begun).unwrap();
    fs::create_dir(store.path().join(NAME)).unwrap();
    is_successor(store.path(), &identity);
    assert!(!store.path().join(NAME).exists());
    assert_eq!(set_aside(store.path()).len(), 1);
}

#[test]
fn what_is_damaged_or_no_store_is_refused_and_left_as_it_is() {
    let look = |store: &Path| Predecessor::look(store).expect_err("it is refused");
    for (file, at, part) in [("identity", 30, Part::Identity), ("journal", 8_300, Part::Journal)] {
        let store = prepared();
        let path = store.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let before = files(store.path(), store.path());
        let refused = look(store.path());
        assert!(matches!(&refused, OpenError::Damaged { part: at, .. } if *at == part), "{refused}");
        assert!(files(store.path(), store.path()) == before);
    }
    let store = prepared();
    fs::remove_dir_all(store.path().join("sled")).unwrap();
    assert!(matches!(look(store.path()), OpenError::Damaged { part: Part::Archive, .. }));
    let empty = tempdir().unwrap();
    assert!(matches!(look(empty.path()), OpenError::Empty { .. }));
    fs::write(empty.path().join("letter"), b"dear").unwrap();
    assert!(matches!(look(empty.path()), OpenError::NoStore { .. }));
    assert!(matches!(look(&empty.path().join("nowhere")), OpenError::Io { .. }));
}
