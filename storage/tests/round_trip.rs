//! What was reported is there when the store is opened again, job by job.

#![expect(clippy::disallowed_methods, reason = "real threads and processes take real time")]

mod common;

use common::*;
use ftq_core::ids::{ClusterId, Digest, Slot};
use ftq_core::store::{Fetch, Fetched, Generation, Job, Opened, Report};
use ftq_storage::disk::{DiskStore, OpenError, Options};
use ftq_storage::{Done, Store};
use tempfile::tempdir;

#[test]
fn a_new_store_is_empty_and_stays_the_same_store() {
    let directory = tempdir().unwrap();
    let (bench, first) = Bench::open(directory.path());
    assert_eq!(first, Opened { store: first.store, ..Opened::default() });
    drop(bench);
    let (_bench, second) = Bench::open(directory.path());
    assert_eq!(first, second);
}

#[test]
fn accepted_slots_are_the_tail() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 5, 1, 100);
    let report = bench.durable(append(log.clone()));
    let Report::Durable { generation, end, .. } = report else { panic!("{report:?}") };
    assert_eq!((generation, end), (Generation(1), Slot(5)));
    drop(bench);
    let (_bench, opened) = Bench::open(directory.path());
    assert_eq!((opened.delivered, opened.tail), (vec![], log));
}

#[test]
fn a_promise_an_install_and_their_generations_are_kept() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 5, 1, 100);
    bench.submit(append(log.clone()));
    bench.submit(Job::Promise { ballot: ballot(4) });
    bench.submit(Job::Promise { ballot: ballot(3) });
    let other = slots(3, log[2].digest, 4, 4, 50);
    let report = bench.durable(install(4, 3, other.clone()));
    assert!(matches!(report, Report::Durable { generation: Generation(4), end: Slot(7), .. }), "{report:?}");
    drop(bench);

    let (_bench, opened) = Bench::open(directory.path());
    assert_eq!((opened.promise, opened.view, opened.configuration), (ballot(4), view(4), Some(configuration(0b111))));
    assert_eq!(opened.tail, [&log[..3], &other[..]].concat());
}

#[test]
fn delivered_slots_large_and_small_come_back_in_order() {
    let directory = tempdir().unwrap();
    let options = Options { journal_bytes: 4 << 20, ..SMALL };
    let (mut bench, _) = Bench::try_open(directory.path(), &options).unwrap();
    let mut log = slots(0, Digest(0), 40, 1, 3_000);
    log.extend(slots(40, log[39].digest, 2, 1, 200_000));
    log.extend(slots(42, log[41].digest, 3, 1, 10));
    bench.submit(append(log.clone()));
    bench.delivered(44);
    let fetch = |from, bytes_max| Fetch::Slots { from: Slot(from), bytes_max };
    assert_eq!(bench.fetched(fetch(7, 9_000)), Fetched::Slots(log[6..9].to_vec()));
    assert_eq!(bench.fetched(fetch(40, 1)), Fetched::Slots(log[39..40].to_vec()));
    assert_eq!(bench.fetched(fetch(41, 200_001)), Fetched::Slots(log[40..42].to_vec()));
    assert_eq!(bench.fetched(fetch(45, 1)), Fetched::Slots(vec![]), "not delivered");
    drop(bench);

    let (_bench, opened) = Bench::open(directory.path());
    assert_eq!(opened.delivered, log[..44]);
    assert_eq!(opened.tail, log[44..]);
}

#[test]
fn a_snapshot_replaces_the_one_before_and_lets_the_log_be_cut() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 12, 1, 100);
    let large = vec![5; 120_000];
    bench.submit(append(log.clone()));
    bench.delivered(10);
    bench.snapshotted(snapshot(&log[3], &[b"same", &large, b"old"]));
    let newer = snapshot(&log[7], &[b"same", &large, b"new", b""]);
    bench.snapshotted(newer.clone());
    bench.submit(Job::Cut { below: Slot(6) });
    let Fetched::Piece(Some((head, 4, piece))) = bench.fetched(Fetch::Piece { slot: Slot(8), index: 1 }) else {
        panic!("the piece is there");
    };
    assert_eq!((head.slot, head.pieces.len(), &piece[..]), (Slot(8), 0, &large[..]));
    assert_eq!(bench.fetched(Fetch::Piece { slot: Slot(4), index: 0 }), Fetched::Piece(None), "replaced");
    assert_eq!(bench.fetched(Fetch::Piece { slot: Slot(8), index: 4 }), Fetched::Piece(None), "no such piece");
    drop(bench);

    let (_bench, opened) = Bench::open(directory.path());
    assert_eq!(opened.snapshot, Some(newer));
    assert_eq!(opened.delivered, log[8..10]);
    assert_eq!(opened.tail, log[10..]);
}

#[test]
fn caught_up_slots_are_delivered_and_cut_what_differs() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 6, 1, 100);
    bench.submit(append(log.clone()));
    bench.delivered(2);
    let others = slots(4, log[3].digest, 5, 2, 100);
    let report = bench.durable(Job::CatchUp { generation: Generation(1), slots: others.clone() });
    assert!(matches!(report, Report::Durable { end: Slot(9), .. }), "{report:?}");
    drop(bench);
    let (mut bench, opened) = Bench::open(directory.path());
    assert_eq!(opened.delivered, [&log[..4], &others[..]].concat());
    assert_eq!(opened.tail, []);

    // Slots that are known already cut nothing.
    let more = slots(9, others[4].digest, 3, 2, 100);
    bench.submit(append(more.clone()));
    bench.durable(Job::CatchUp { generation: Generation(1), slots: more[..1].to_vec() });
    drop(bench);
    let (_bench, opened) = Bench::open(directory.path());
    assert_eq!(opened.delivered.last(), Some(&more[0]));
    assert_eq!(opened.tail, more[1..]);
}

#[test]
fn an_adopted_snapshot_is_the_new_base() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 6, 1, 100);
    bench.submit(append(log));
    bench.delivered(2);
    let far = slot(100, 3, Digest(5), 0);
    let adopted = snapshot(&far, &[b"a", b"b"]);
    bench.durable(Job::Adopt { generation: Generation(1), snapshot: adopted.clone() });
    let behind = slots(100, far.digest, 3, 3, 100);
    bench.submit(append(behind.clone()));
    bench.delivered(101);
    drop(bench);

    let (_bench, opened) = Bench::open(directory.path());
    assert_eq!(opened.configuration, Some(configuration(0b101)));
    assert_eq!(opened.snapshot, Some(adopted));
    assert_eq!((&opened.delivered[..], &opened.tail[..]), (&behind[..1], &behind[1..]));
}

#[test]
fn a_small_journal_goes_around_many_times() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let mut digest = Digest(0);
    for round in 0..60 {
        let log = slots(round * 10, digest, 10, 1, 700);
        digest = log[9].digest;
        bench.submit(append(log));
        bench.delivered(round * 10 + 8);
        if round % 20 == 19 {
            drop(bench);
            let (again, opened) = Bench::open(directory.path());
            bench = again;
            assert_eq!(opened.delivered.len() as u64, round * 10 + 8);
            assert_eq!(opened.tail.last().map(|last| last.digest), Some(digest));
        }
    }
}

/// What is delivered waits for an electorate, which waits behind slots that wait for room that delivering makes.
#[test]
fn an_electorate_is_not_kept_waiting_for_what_waits_for_it() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 46, 1, 1_000);
    bench.submit(append(log[..28].to_vec()));
    bench.submit(append(log[28..46].to_vec()));
    bench.submit(Job::Electorate { electorate: electorate(3) });
    bench.delivered(46);
    drop(bench);
    let (_bench, opened) = Bench::open(directory.path());
    assert_eq!((opened.delivered.len(), opened.electorate), (46, Some(electorate(3))));
}

/// A minority commits nothing for a day, and still promises and installs.
#[test]
fn promises_and_installs_always_have_room() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 10, 1, 700);
    bench.durable(append(log.clone()));
    for number in 2..2_000 {
        bench.submit(Job::Promise { ballot: ballot(number) });
        if number % 10 == 0 {
            bench.durable(install(number, 8, slots(8, log[7].digest, 2, number, 700)));
        }
    }
    drop(bench);
    let (_bench, opened) = Bench::open(directory.path());
    assert_eq!((opened.promise, opened.view.ballot), (ballot(1_999), ballot(1_990)));
    assert_eq!(opened.tail[..8], log[..8]);
    assert_eq!(opened.tail[8..], slots(8, log[7].digest, 2, 1_990, 700));
}

/// Slots wait when nothing is delivered and half of the journal is full; a promise lets them through.
#[test]
fn slots_wait_for_room_and_promises_do_not() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 50, 1, 900);
    for record in &log {
        bench.submit(append(vec![record.clone()]));
    }
    bench.wait(|report| matches!(report, Report::Durable { end: Slot(20), .. }));
    std::thread::sleep(std::time::Duration::from_millis(100));
    let mut end = Slot(20);
    while let Some(done) = bench.store.poll() {
        let Done::Report(Report::Durable { end: reached, .. }) = done else { panic!("{done:?}") };
        end = reached;
    }
    assert!(end < Slot(40), "{end} fits half of the journal");
    bench.durable(Job::Promise { ballot: ballot(9) });
    bench.delivered(50);
    drop(bench);
    let (_bench, opened) = Bench::open(directory.path());
    assert_eq!((opened.promise, opened.delivered), (ballot(9), log));
}

#[test]
fn a_directory_belongs_to_one_process_and_one_cluster() {
    let directory = tempdir().unwrap();
    let ours = Options { cluster: Some(ClusterId([1; 16])), ..SMALL };
    let theirs = Options { cluster: Some(ClusterId([2; 16])), ..SMALL };
    let (bench, _) = Bench::try_open(directory.path(), &SMALL).unwrap();
    assert_eq!(bench.store.identity().cluster(), None);
    let refused = DiskStore::open(directory.path(), &SMALL, || ()).err().unwrap();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    drop(bench);
    drop(Bench::try_open(directory.path(), &ours).unwrap());
    let refused = Bench::try_open(directory.path(), &theirs).err().unwrap();
    assert!(
        matches!(refused, OpenError::OtherCluster { found: ClusterId([1, ..]), wanted: ClusterId([2, ..]) }),
        "{refused}"
    );
    let (bench, _) = Bench::try_open(directory.path(), &SMALL).unwrap();
    assert_eq!(bench.store.identity().cluster(), ours.cluster);
}

#[test]
fn what_contradicts_the_delivered_log_stops_the_store() {
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 4, 1, 100);
    bench.submit(append(log.clone()));
    bench.delivered(4);
    bench.submit(Job::CatchUp { generation: Generation(1), slots: slots(3, log[2].digest, 3, 2, 100) });
    assert_eq!(bench.next(), Done::Report(Report::Failed));
    bench.submit(Job::Promise { ballot: ballot(2) });
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(bench.store.poll(), None, "nothing comes after a failure");
}
