//! What the archive spares sled.

use super::*;
use ftq_core::ids::{Digest, Slot};
use ftq_core::store::{SlotRecord, Snapshot};
use ftq_core::time::SlotClock;

fn record(k: u64, bytes: usize) -> SlotRecord {
    SlotRecord {
        slot: Slot(k),
        view: Default::default(),
        clock: SlotClock(k),
        digest: Digest(k.into()),
        content: Bytes::from(vec![7; bytes]),
    }
}

fn snapshot(slot: u64, pieces: &[&'static [u8]]) -> Snapshot {
    let pieces = pieces.iter().copied().map(Bytes::from_static).collect();
    Snapshot { slot: Slot(slot), digest: Digest(slot.into()), pieces, ..Snapshot::default() }
}

/// The piece is spoiled behind the archive's back: had it been written again, it would be whole again.
#[test]
fn a_piece_that_did_not_change_is_not_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(directory.path(), 5).unwrap();
    archive.append(&[record(1, 10), record(2, 10)]).unwrap();
    archive.save(snapshot(1, &[b"same", b"old"])).unwrap();
    assert_eq!(archive.load_snapshot().unwrap(), Some(snapshot(1, &[b"same", b"old"])));
    for entry in archive.values.db.scan_prefix([b'p']) {
        let (key, value) = entry.unwrap();
        if value.ends_with(b"same") {
            archive.values.db.insert(key, b"spoiled").unwrap();
        }
    }
    archive.save(snapshot(2, &[b"same", b"new"])).unwrap();
    assert!(matches!(archive.load_snapshot(), Err(Trouble::Damaged(_))));
    assert!(archive.piece(Slot(2), 1).unwrap().is_some_and(|(_, _, piece)| &piece[..] == b"new"));
    assert_eq!(archive.values.db.scan_prefix([b'p']).count(), 3, "two pieces and their table");
}

#[test]
fn little_is_unsynced_and_no_value_is_large() {
    let directory = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(directory.path(), 5).unwrap();
    for k in 1..40 {
        archive.append(&[record(k, 300_000)]).unwrap();
        assert!(archive.values.unsynced <= UNSYNCED_BYTES_MAX);
    }
    let largest = archive.values.db.iter().values().map(|value| value.unwrap().len()).max();
    assert!(largest.is_some_and(|bytes| bytes <= VALUE_BYTES_MAX));
    let blobs = fs::read_dir(directory.path().join("blobs"));
    assert!(blobs.is_ok_and(|mut blobs| blobs.next().is_none()), "sled puts nothing into files of its own");
}

/// The first parts of a slot are nothing without its last one.
#[test]
fn a_large_slot_counts_only_with_its_last_part() {
    let directory = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(directory.path(), 5).unwrap();
    archive.append(&[record(1, 10), record(2, 200_000)]).unwrap();
    let last = archive.values.db.scan_prefix([b'l']).keys().next_back().unwrap().unwrap();
    archive.values.remove(&last).unwrap();
    archive.sync().unwrap();
    drop(archive);
    let mut archive = Archive::open(directory.path(), 5).unwrap();
    assert_eq!(archive.end().slot, Slot(1));
    archive.append(&[record(2, 60_000)]).unwrap();
    assert_eq!(archive.contents().unwrap().1, vec![record(1, 10), record(2, 60_000)]);
}
