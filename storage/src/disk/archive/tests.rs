//! What the archive spares sled.

use super::values::UNSYNCED_BYTES_MAX;
use super::*;
use bytes::Bytes;
use ftq_core::ids::Digest;
use ftq_core::store::{SlotRecord, Snapshot};
use ftq_core::time::SlotClock;
use std::fs;

fn record(k: u64, bytes: usize) -> SlotRecord {
    SlotRecord {
        slot: Slot(k),
        view: Default::default(),
        clock: SlotClock(k),
        digest: Digest(k.into()),
        content: Bytes::from(vec![7; bytes]),
    }
}

const BOUNDS: Bounds = Bounds { log_keep_bytes: 0, slack_bytes: 0 };

/// Does all that nobody waits for.
fn worked_off(archive: &mut Archive) -> Vec<Step> {
    let steps = std::iter::from_fn(|| Some(archive.step().unwrap()).filter(|step| *step != Step::Idle));
    let steps = steps.inspect(|step| assert_ne!(*step, Step::Copied, "a move is ended by hand"));
    steps.filter(|step| *step != Step::Working).collect()
}

fn saved(archive: &mut Archive, snapshot: Snapshot) {
    let slot = snapshot.slot;
    archive.save(snapshot).unwrap();
    assert_eq!(worked_off(archive), [Step::Snapshotted(slot)]);
}

fn snapshot(slot: u64, pieces: &[&'static [u8]]) -> Snapshot {
    let pieces = pieces.iter().copied().map(Bytes::from_static).collect();
    Snapshot { slot: Slot(slot), digest: Digest(slot.into()), pieces, ..Snapshot::default() }
}

/// The piece is spoiled behind the archive's back: had it been written again, it would be whole again.
#[test]
fn a_piece_that_did_not_change_is_not_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(directory.path(), 5, BOUNDS).unwrap();
    archive.append(&[record(1, 10), record(2, 10)]).unwrap();
    saved(&mut archive, snapshot(1, &[b"same", b"old"]));
    assert_eq!(archive.load_snapshot().unwrap(), Some(snapshot(1, &[b"same", b"old"])));
    for entry in archive.values.db.scan_prefix([b'p']) {
        let (key, value) = entry.unwrap();
        if value.ends_with(b"same") {
            archive.values.db.insert(key, b"spoiled").unwrap();
        }
    }
    saved(&mut archive, snapshot(2, &[b"same", b"new"]));
    assert!(matches!(archive.load_snapshot(), Err(Trouble::Damaged(_))));
    assert!(archive.piece(Slot(2), 1).unwrap().is_some_and(|(_, _, piece)| &piece[..] == b"new"));
    assert_eq!(archive.values.db.scan_prefix([b'p']).count(), 3, "two pieces and their table");
}

#[test]
fn little_is_unsynced_and_no_value_is_large() {
    let directory = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(directory.path(), 5, BOUNDS).unwrap();
    for k in 1..40 {
        archive.append(&[record(k, 300_000)]).unwrap();
        assert!(archive.values.unsynced <= UNSYNCED_BYTES_MAX);
    }
    let largest = archive.values.db.iter().values().map(|value| value.unwrap().len()).max();
    assert!(largest.is_some_and(|bytes| bytes <= VALUE_BYTES_MAX));
    let blobs = std::fs::read_dir(directory.path().join("blobs"));
    assert!(blobs.is_ok_and(|mut blobs| blobs.next().is_none()), "sled puts nothing into files of its own");
}

/// The first parts of a slot are nothing without its last one.
#[test]
fn a_large_slot_counts_only_with_its_last_part() {
    let directory = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(directory.path(), 5, BOUNDS).unwrap();
    assert_eq!(archive.fetched(Fetch::Oldest { bytes_max: 1 }).unwrap(), Fetched::Slots(vec![]));
    archive.append(&[record(1, 10), record(2, 200_000)]).unwrap();
    let last = archive.values.db.scan_prefix([b'l']).keys().next_back().unwrap().unwrap();
    archive.values.remove(&last).unwrap();
    archive.sync().unwrap();
    drop(archive);
    let mut archive = Archive::open(directory.path(), 5, BOUNDS).unwrap();
    assert_eq!(archive.end().slot, Slot(1));
    archive.append(&[record(2, 60_000)]).unwrap();
    assert_eq!(archive.contents().unwrap().1, vec![record(1, 10), record(2, 60_000)]);
}

fn log(archive: &mut Archive, from: u64, to: u64, bytes: usize) {
    for k in from..=to {
        archive.append(&[record(k, bytes)]).unwrap();
    }
}

/// Everything that anybody could read.
fn all(archive: &Archive) -> (Option<Snapshot>, Vec<SlotRecord>, Vec<ftq_core::store::Heard>) {
    let (snapshot, _, heard) = archive.contents().unwrap();
    // The parts of a slot whose first one is gone are nothing.
    let mut keys = archive.values.db.scan_prefix([b'l']).keys().map(Result::unwrap);
    let first = keys.find(|key| key.ends_with(&[0; 4])).unwrap();
    (snapshot, archive.slots(log::Key::parse(&first).unwrap().slot, usize::MAX).unwrap(), heard)
}

#[test]
fn as_much_log_is_kept_as_is_wanted_and_nothing_above_the_snapshot_goes() {
    let directory = tempfile::tempdir().unwrap();
    let bounds = Bounds { log_keep_bytes: 100_000, ..BOUNDS };
    let mut archive = Archive::open(directory.path(), 5, bounds).unwrap();
    log(&mut archive, 1, 400, 1_000);
    archive.cut(Slot(300));
    assert_eq!(worked_off(&mut archive), []);
    assert_eq!(all(&archive).1.len(), 400, "no snapshot covers it");
    saved(&mut archive, snapshot(350, &[b"state"]));
    archive.cut(Slot(351));
    worked_off(&mut archive);
    let kept = all(&archive).1.len();
    assert!((90..=100).contains(&kept), "{kept}");
    let oldest = archive.fetched(Fetch::Oldest { bytes_max: 1 }).unwrap();
    assert_eq!(oldest, Fetched::Slots(all(&archive).1.into_iter().take(1).collect()));
    drop(archive);

    // What there is is known after opening too.
    let mut archive = Archive::open(directory.path(), 5, BOUNDS).unwrap();
    assert!((90_000..=110_000).contains(&archive.log.bytes()), "{:?}", archive.log);
    archive.cut(Slot(400));
    worked_off(&mut archive);
    assert_eq!(all(&archive).1.first().map(|record| record.slot), Some(Slot(351)));
}

#[test]
fn a_snapshot_is_written_in_small_steps_and_the_newest_of_those_that_wait_is_next() {
    let directory = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(directory.path(), 5, BOUNDS).unwrap();
    log(&mut archive, 1, 9, 10);
    let large = |slot: u64, fill: u8| Snapshot {
        slot: Slot(slot),
        pieces: (0..100).map(|n| Bytes::from(vec![fill ^ n; 40_000])).collect(),
        ..Snapshot::default()
    };
    archive.save(large(3, 0)).unwrap();
    assert_eq!(archive.step().unwrap(), Step::Working);
    archive.append(&[record(10, 10)]).unwrap();
    archive.save(large(5, 128)).unwrap();
    archive.save(large(7, 128)).unwrap();
    assert_eq!(worked_off(&mut archive), [Step::Snapshotted(Slot(3)), Step::Snapshotted(Slot(7))]);
    assert_eq!(archive.contents().unwrap().0, Some(large(7, 128)));
    assert_eq!(archive.values.db.scan_prefix([b'p']).count(), 301, "what only the former one named is gone");

    // Adopting goes before all that was begun.
    archive.save(large(8, 3)).unwrap();
    archive.step().unwrap();
    archive.adopt(snapshot(20, &[b"theirs"])).unwrap();
    assert_eq!(worked_off(&mut archive), []);
    assert_eq!(archive.contents().unwrap().0, Some(snapshot(20, &[b"theirs"])));
    assert_eq!(archive.values.db.scan_prefix([b'p']).count(), 2);
}

/// A large slot stands in several values, and the first of them may not go before the slot may.
#[test]
fn a_cut_takes_no_part_of_a_slot_that_is_needed() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Archive::open(directory.path(), 5, BOUNDS).unwrap();
    let mut archive = open();
    log(&mut archive, 1, 4, 100_000);
    saved(&mut archive, snapshot(2, &[b"state"]));
    archive.cut(Slot(3));
    worked_off(&mut archive);
    drop(archive);
    assert_eq!(open().contents().unwrap().1, [record(3, 100_000), record(4, 100_000)]);
}

/// While it is under way, everything goes on that can happen to an archive.
#[test]
fn a_move_takes_everything_along_whatever_happens_meanwhile() {
    for meanwhile in 0..40 {
        let directory = tempfile::tempdir().unwrap();
        let mut archive = Archive::open(&directory.path().join("a"), 5, BOUNDS).unwrap();
        log(&mut archive, 1, 60, 20_000);
        saved(&mut archive, snapshot(9, &[b"same", b"old"]));
        archive.begin_move(&directory.path().join("b")).unwrap();
        let mut steps = 0;
        loop {
            if steps == meanwhile % 10 {
                match meanwhile / 10 {
                    0 => archive.save(snapshot(12, &[b"same", b"new"])).unwrap(),
                    1 => archive.cut(Slot(10)),
                    2 => archive.adopt(snapshot(70, &[b"theirs"])).unwrap(),
                    _ => archive.hear(&[]).unwrap(),
                }
                let end = archive.end.slot.0;
                log(&mut archive, end + 1, end + 5, 30_000);
            }
            steps += 1;
            match archive.step().unwrap() {
                Step::Idle => panic!("a move is under way"),
                Step::Working | Step::Snapshotted(_) => {}
                Step::Copied if steps > meanwhile % 10 => break,
                Step::Copied => {}
            }
        }
        let before = all(&archive);
        assert_eq!(archive.end_move().unwrap(), Some(directory.path().join("a")));
        assert_eq!(all(&archive), before);
        let end = archive.end;
        drop(archive);
        let archive = Archive::open(&directory.path().join("b"), 5, BOUNDS).unwrap();
        assert_eq!((all(&archive), archive.end), (before, end), "{meanwhile}");
    }
}

/// A store of an older build has larger values.
#[test]
fn a_move_takes_larger_values_of_an_older_build_along() {
    let directory = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(&directory.path().join("a"), 5, BOUNDS).unwrap();
    log(&mut archive, 1, 3, 10);
    let (key, body) = ([b'p'; 13], vec![7; 48_000]);
    archive.values.copy(&key, &body).unwrap();
    archive.begin_move(&directory.path().join("b")).unwrap();
    while archive.step().unwrap() != Step::Copied {}
    archive.end_move().unwrap();
    assert_eq!(archive.values.read(&key).unwrap().as_deref(), Some(&body[..]));
    archive.values.remove(&key).unwrap();
}

/// Old log that is damaged stays behind; anything else that is damaged stops the move, and the replica.
#[test]
fn a_move_leaves_damaged_old_log_behind_and_nothing_else() {
    let first_part = |slot: u64| [&[b'l'][..], &slot.to_be_bytes()].concat();
    for (key, is_left) in [(first_part(1), true), (first_part(15), true), (first_part(16), false), (vec![b'p'], false)]
    {
        let directory = tempfile::tempdir().unwrap();
        let mut archive = Archive::open(&directory.path().join("a"), 5, BOUNDS).unwrap();
        log(&mut archive, 1, 20, 40_000);
        saved(&mut archive, snapshot(15, &[b"piece"]));
        let (spoiled, _) = archive.values.db.scan_prefix(&key).next().unwrap().unwrap();
        archive.values.db.insert(&spoiled, b"spoiled").unwrap();
        archive.begin_move(&directory.path().join("b")).unwrap();
        let last = std::iter::from_fn(|| Some(archive.step())).find(|step| !matches!(step, Ok(Step::Working))).unwrap();
        match last {
            Ok(step) => assert!(is_left && step == Step::Copied, "{step:?}"),
            Err(trouble) => assert!(!is_left && matches!(trouble, Trouble::Damaged(_)), "{trouble}"),
        }
        if is_left {
            archive.end_move().unwrap();
            let first = if key == first_part(1) { Slot(2) } else { Slot(1) };
            assert_eq!(all(&archive).1.first().map(|record| record.slot), Some(first));
            assert_eq!(archive.contents().unwrap().1.len(), 5, "what is above the snapshot");
        }
    }
}

/// The name of sled's own snapshot was lost by a power cut, or its writing was cut short by a kill.
#[test]
fn an_unfinished_snapshot_of_sled_is_finished_if_it_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Archive::open(directory.path(), 5, BOUNDS).unwrap();
    let snapshots = || {
        let names =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("snap.")).collect::<Vec<_>>()
    };
    let mut archive = open();
    archive.append(&[record(1, 10), record(2, 200_000)]).unwrap();
    archive.sync().unwrap();
    drop(archive);
    drop(open());
    let [name] = &snapshots()[..] else { panic!("one snapshot") };
    let (finished, unfinished) = (directory.path().join(name), directory.path().join(format!("{name}.generating")));
    let whole = fs::read(&finished).unwrap();

    fs::rename(&finished, &unfinished).unwrap();
    assert_eq!(open().end().slot, Slot(2));
    assert_eq!(snapshots().len(), 1);
    assert!(!unfinished.exists());

    for cut in [0, 8, whole.len() / 2, whole.len() - 1] {
        fs::write(&unfinished, &whole[..cut]).unwrap();
        assert_eq!(open().end().slot, Slot(2));
        assert!(!unfinished.exists());
    }
}
