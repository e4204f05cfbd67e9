//! What the journal does when the system refuses, and what its bytes look like.

use super::*;
use crate::disk::journal::mark::{BLOCK_BYTES, HEADER_BYTES};
use ftq_core::ids::{Digest, MemberId};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

const AREA: u64 = AREA_BYTES_MIN;
const STORE: StoreId = StoreId([3; 16]);

fn opened(path: &Path, boot: u64) -> Result<Journal, OpenError> {
    Journal::open(path, AREA, STORE, boot, &ArchiveEnd::default())
}

fn ballot(number: u64) -> Ballot {
    Ballot { number, proposer: MemberId::new(2), store: STORE }
}

fn promise(number: u64) -> Record {
    Record::Promise(ballot(number))
}

#[test]
fn a_refused_write_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    Journal::create(&path, AREA, STORE, 1).unwrap();
    let mut journal = opened(&path, 2).unwrap();
    journal.ring = Ring::over(File::open(&path).unwrap(), AREA);
    journal.write(promise(1)).unwrap();
    assert!(journal.sync().is_err(), "the file is open for reading only");
}

/// A bad record with whole ones behind it, which were written after it was synced, is damage even when
/// no mark tells of it any more.
#[test]
fn later_records_bear_witness() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    Journal::create(&path, AREA, STORE, 1).unwrap();
    let mut journal = opened(&path, 2).unwrap();
    let marks = fs::read(&path).unwrap();
    let mut places = Vec::new();
    for number in 1..5 {
        places.push(journal.head.offset);
        journal.write(promise(number)).unwrap();
        journal.sync().unwrap();
    }
    drop(journal);
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&marks[..2 * BLOCK_BYTES], 0).unwrap();
    let first = 2 * BLOCK_BYTES as u64 + places[0];
    file.write_all_at(&[0; 60], first).unwrap();
    let refused = opened(&path, 3).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { part: crate::disk::Part::Journal, .. }), "{refused}");

    // The last record has no witness: it is cut as a torn one.
    let path = directory.path().join("again");
    Journal::create(&path, AREA, STORE, 1).unwrap();
    let mut journal = opened(&path, 2).unwrap();
    journal.write(promise(1)).unwrap();
    journal.sync().unwrap();
    let last = 2 * BLOCK_BYTES as u64 + journal.head.offset;
    journal.write(promise(2)).unwrap();
    journal.sync().unwrap();
    File::options().write(true).open(&path).unwrap().write_all_at(&[0; 60], last).unwrap();
    assert_eq!(opened(&path, 3).unwrap().standing().0.number, 1);
}

/// The bytes of format 1. They change only together with the format's number and a migration.
#[test]
fn records_have_the_bytes_that_the_format_says() {
    let mut bytes = Vec::new();
    let at = Place { offset: 64, ordinal: 5, chain: 0x1122_3344_5566_7788 };
    let next = promise(7).encode(&mut bytes, at, 4, 0x99);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let body = "070203030303030303030303030303030303";
    let head = "0500000000000000887766554433221104000000000000009900000000000000020000000000000000";
    assert_eq!(&hex[..16], "6674717212000000");
    assert_eq!(&hex[32..], &format!("{}{body}{}", &head[..80], "0".repeat(12)));
    assert_eq!((next.offset, next.ordinal), (64 + 80, 6));
    assert_eq!(&hex[16..32], "f2e21f3c242389ea", "the checksum");
}

/// A mark of the format before says nothing of the electorate; each keeps the rest.
#[test]
fn a_mark_of_the_format_before_is_read() {
    let standing = Standing { promise: ballot(4), ..Standing::default() };
    let mark = Mark { number: 3, store: STORE, boot: 7, ordinal: 9, oldest: Place::default(), standing };
    let told = Some(Electorate::of(Configuration { number: 6, ..Configuration::default() }));
    let with = Mark { standing: Standing { electorate: told.clone(), ..mark.standing.clone() }, ..mark.clone() };
    let read = |bytes: Vec<u8>| Mark::parse(&bytes.into()).unwrap().standing;
    assert_eq!((read(with.encode()).electorate, read(with.encode()).promise), (told, ballot(4)));
    assert_eq!(read(mark.encode()).electorate, None);
    // What format 2 wrote is the same but for the last byte, which says that there is none.
    let mut before = mark.encode();
    let bytes = u32::from_le_bytes(before[4..8].try_into().unwrap()) - 1;
    before[4..8].copy_from_slice(&bytes.to_le_bytes());
    let written = HEADER_BYTES + bytes as usize;
    before[written] = 0;
    let checksum = mark::checksum(&before[..written]);
    before[8..16].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!((read(before.clone()).promise, read(before).electorate), (ballot(4), None));
}

/// Catching up reaches the archive first. If the process dies before the journal says so, the archive
/// wins when the store is opened again.
#[test]
fn the_archive_wins_where_the_two_differ() {
    let slot = |k: u64| SlotRecord {
        slot: Slot(k),
        view: Ballot::default(),
        clock: ftq_core::time::SlotClock(k),
        digest: Digest(k.into()),
        content: bytes::Bytes::from_static(b"content"),
    };
    let end = |k: u64, digest: u128| ArchiveEnd {
        end: Point { slot: Slot(k), digest: Digest(digest) },
        ..ArchiveEnd::default()
    };
    let with_five = |name: &str, directory: &Path| {
        let path = directory.join(name);
        Journal::create(&path, AREA, STORE, 1).unwrap();
        let mut journal = opened(&path, 2).unwrap();
        journal.write(Record::Append((1..=5).map(slot).collect())).unwrap();
        journal.sync().unwrap();
        path
    };
    let tail = |path: &Path, archive: &ArchiveEnd| {
        let journal = Journal::open(path, AREA, STORE, 3, archive)?;
        Ok(journal.slots(Slot(0)).map(|record| record.slot.0).collect::<Vec<u64>>())
    };
    let directory = tempfile::tempdir().unwrap();
    let agrees = with_five("agrees", directory.path());
    assert_eq!(tail(&agrees, &end(3, 3)).unwrap(), [4, 5]);
    let differs = with_five("differs", directory.path());
    assert_eq!(tail(&differs, &end(3, 99)).unwrap(), []);
    assert_eq!(tail(&differs, &end(3, 99)).unwrap(), []);
    let behind = with_five("behind", directory.path());
    assert_eq!(tail(&behind, &end(9, 9)).unwrap(), []);
    let lost: Result<_, OpenError> = tail(&behind, &end(8, 8));
    assert!(matches!(lost, Err(OpenError::Damaged { part: crate::disk::Part::Archive, .. })), "{lost:?}");
}
