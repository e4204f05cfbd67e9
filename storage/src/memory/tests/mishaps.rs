//! What disks do to a store, a story each: what it may forget, and that it notices what can be noticed.

use super::*;
use ftq_core::store::{Condition, Heard, Mark};

/// Twenty delivered slots with a snapshot at 6, ten more accepted, and promise 3 in view 1.
fn prepared() -> Bench {
    let mut bench = Bench::new(1);
    bench.durable(install(1, 0, vec![]));
    bench.durable(append(1, 1..=20));
    bench.submit(Job::Deliver { upto: Slot(20) });
    bench.submit(Job::Snapshot { snapshot: Snapshot { digest: slots(1, 6..=6)[0].digest, ..snapshot(6) } });
    bench.pass(LONG);
    bench.durable(append(1, 21..=30));
    bench.durable(Job::Promise { ballot: ballot(3) });
    bench
}

fn chance() -> Chance {
    Chance::new(5)
}

fn befallen(disk: &Disk, mishap: Mishap) -> (Bench, Opened) {
    let mut disk = disk.clone();
    disk.befall(mishap, &mut chance());
    Bench::over(disk, 7)
}

fn range(slots: &[SlotRecord]) -> (u64, u64) {
    (slots.first().map_or(0, |first| first.slot.0), slots.last().map_or(0, |last| last.slot.0))
}

const HOLLOW: Condition = Condition::Hollow { base: Slot(20), digest: Digest(1 << 64 | 20) };

#[test]
fn what_a_store_shows_rises_with_each_record_and_never_falls() {
    let mut bench = prepared();
    let mut before = Mark::default();
    for round in 0..20 {
        bench.submit(append(1, 31 + 2 * round..=31 + 2 * round));
        bench.submit(append(1, 32 + 2 * round..=32 + 2 * round));
        let (again, opened) = Bench::over(bench.memory.power_cut(), round);
        bench = again;
        let rest = opened.shown.end.0 + 1;
        assert!(opened.shown.ordinal >= before.ordinal && opened.shown.end >= Slot(30), "{:?}", opened.shown);
        assert_eq!((opened.shown.promise, opened.shown.view), (ballot(3), ballot(1)));
        before = opened.shown;
        if rest <= 32 + 2 * round {
            bench.durable(append(1, rest..=32 + 2 * round));
        }
    }
    assert!(before.ordinal >= 20);
}

#[test]
fn without_its_archive_it_is_hollow_until_it_is_rebuilt_from_below() {
    let disk = prepared().memory.power_cut();
    let (mut bench, opened) = befallen(&disk, Mishap::ArchiveLost);
    assert_eq!((opened.condition, range(&opened.tail)), (HOLLOW, (21, 30)));
    assert_eq!((opened.promise, opened.view.ballot, opened.store), (ballot(3), ballot(1), disk.store()));
    assert_eq!((opened.snapshot, opened.delivered), (None, vec![]));
    assert!(bench.memory.disk().has_forgotten() && bench.memory.disk().counts().archives_lost == 1);

    let theirs = Snapshot { digest: slots(1, 10..=10)[0].digest, ..snapshot(10) };
    bench.durable(Job::Adopt { generation: Generation(1), snapshot: theirs.clone() });
    let (mut bench, opened) = Bench::over(bench.memory.power_cut(), 8);
    assert_eq!((opened.condition, opened.snapshot, range(&opened.tail)), (HOLLOW, Some(theirs), (21, 30)));
    bench.durable(Job::CatchUp { generation: Generation(1), slots: slots(1, 11..=15) });
    let (mut bench, opened) = Bench::over(bench.memory.power_cut(), 8);
    assert_eq!((opened.condition, range(&opened.delivered), range(&opened.tail)), (HOLLOW, (11, 15), (21, 30)));
    bench.durable(Job::CatchUp { generation: Generation(1), slots: slots(1, 16..=22) });
    bench.durable(Job::Deliver { upto: Slot(25) });
    let (_, opened) = Bench::over(bench.memory.power_cut(), 8);
    assert_eq!((opened.condition, opened.promise), (Condition::Whole, ballot(3)));
    assert_eq!((range(&opened.delivered), range(&opened.tail)), ((11, 25), (26, 30)));
}

#[test]
fn a_snapshot_keeps_what_chains_onto_it_and_replaces_what_does_not() {
    let disk = prepared().memory.power_cut();
    let adopted = |digest| {
        let (mut bench, _) = befallen(&disk, Mishap::ArchiveLost);
        let snapshot = Snapshot { digest, ..snapshot(25) };
        bench.durable(Job::Adopt { generation: Generation(1), snapshot });
        Bench::over(bench.memory.power_cut(), 8).1
    };
    let kept = adopted(slots(1, 25..=25)[0].digest);
    assert_eq!((kept.condition, range(&kept.tail)), (Condition::Whole, (26, 30)));
    let replaced = adopted(Digest(9));
    assert_eq!((replaced.condition, range(&replaced.tail)), (Condition::Whole, (0, 0)));
    assert_eq!(replaced.configuration, Some(Configuration::default()), "the snapshot's");
}

#[test]
fn without_its_journal_it_is_another_store_that_remembers_what_was_delivered() {
    let disk = prepared().memory.power_cut();
    let (bench, opened) = befallen(&disk, Mishap::JournalLost);
    assert_eq!(opened.condition, Condition::Forgetful);
    assert!(opened.store != disk.store() && opened.promise.is_none() && opened.view.ballot.is_none());
    assert_eq!((range(&opened.delivered), opened.tail.len(), opened.shown.ordinal), ((7, 20), 0, 0));
    assert!(bench.memory.disk().has_forgotten() && bench.memory.disk().counts().journals_lost == 1);

    let (mut bench, again) = Bench::over(bench.memory.power_cut(), 9);
    assert_eq!((again.condition, again.store), (Condition::Forgetful, opened.store), "it is drawn once");
    bench.durable(install(4, 20, vec![]));
    let (_, whole) = Bench::over(bench.memory.power_cut(), 10);
    assert_eq!((whole.condition, whole.store), (Condition::Whole, opened.store));
}

#[test]
fn without_its_identity_nothing_counts_and_it_is_still_no_new_store() {
    let disk = prepared().memory.power_cut();
    let (bench, opened) = befallen(&disk, Mishap::IdentityLost);
    assert_eq!((opened.condition, opened.delivered.len(), opened.tail.len()), (Condition::Forgetful, 0, 0));
    assert!(opened.store != disk.store() && opened.snapshot.is_none());
    assert_eq!(bench.memory.disk().counts().identities_lost, 1);
}

/// Nobody can tell the last group from a torn tail before a mark tells of it; others have heard more.
#[test]
fn a_last_group_that_rots_is_silently_gone_and_the_mark_shows_it() {
    let mut bench = prepared();
    bench.durable(append(1, 31..=33));
    let disk = bench.memory.power_cut();
    let before = Bench::over(disk.clone(), 1).1;
    let (bench, opened) = befallen(&disk, Mishap::TailLost);
    assert_eq!((opened.condition, range(&opened.tail)), (Condition::Whole, (21, 30)));
    assert!(opened.shown.ordinal < before.shown.ordinal && opened.shown.end == Slot(30));
    assert!(bench.memory.disk().has_forgotten() && bench.memory.disk().counts().tails_lost == 1);

    // Opening has synced a mark, and a promise brings its own: then there is nothing to lose silently.
    for disk in [Bench::over(disk, 1).0.memory.power_cut(), prepared().memory.power_cut()] {
        let (bench, opened) = befallen(&disk, Mishap::TailLost);
        assert!(opened.shown.end >= Slot(30) && !bench.memory.disk().has_forgotten());
    }
}

#[test]
fn a_bit_hits_anything_or_nothing() {
    let disk = prepared().memory.power_cut();
    let mut chance = chance();
    let mut worn = disk.clone();
    let (mut harmless, mut hollow, mut forgetful) = (0, 0, 0);
    for seed in 0..200 {
        let mut disk = disk.clone();
        disk.befall(Mishap::Rot, &mut chance);
        worn.befall(Mishap::Rot, &mut chance);
        let (bench, opened) = Bench::over(disk, seed);
        match opened.condition {
            Condition::Whole => {
                assert_eq!((range(&opened.delivered), range(&opened.tail)), ((7, 20), (21, 30)));
                assert!(!bench.memory.disk().has_forgotten());
                harmless += 1;
            }
            Condition::Hollow { .. } => hollow += 1,
            Condition::Forgetful => forgetful += 1,
        }
    }
    assert!(harmless > 20 && hollow > 20 && forgetful > 20, "{harmless} {hollow} {forgetful}");
    assert_eq!(worn.counts().rotted, 200, "it only gets worse");
}

#[test]
fn an_older_copy_shows_that_it_is_older() {
    let mut bench = prepared();
    let older = bench.memory.disk().clone();
    bench.durable(append(1, 31..=33));
    bench.durable(Job::Promise { ballot: ballot(8) });
    let disk = bench.memory.power_cut();
    let (bench, opened) = befallen(&disk, Mishap::PutBack(Box::new(older.clone())));
    assert_eq!((opened.condition, opened.promise, opened.shown.end), (Condition::Whole, ballot(3), Slot(30)));
    assert!(opened.shown.ordinal < Bench::over(disk.clone(), 1).1.shown.ordinal);
    assert!(bench.memory.disk().has_forgotten() && bench.memory.disk().counts().put_back == 1);

    // The journal alone: what is delivered is there, and the same is to be seen.
    let (_, opened) = befallen(&disk, Mishap::JournalPutBack(Box::new(older)));
    assert_eq!((range(&opened.delivered), opened.promise, opened.shown.end), ((7, 20), ballot(3), Slot(30)));

    // What was put back is no older.
    let (bench, _) = befallen(&disk, Mishap::PutBack(Box::new(disk.clone())));
    assert!(!bench.memory.disk().has_forgotten());
}

#[test]
fn an_older_archive_is_noticed_unless_the_journal_makes_up_for_it() {
    let mut bench = Bench::new(1);
    bench.durable(append(1, 1..=20));
    bench.durable(Job::Deliver { upto: Slot(10) });
    bench.durable(Job::Promise { ballot: ballot(2) });
    let older = bench.memory.disk().clone();
    bench.durable(Job::Deliver { upto: Slot(15) });
    let put_back = |bench: &mut Bench| befallen(bench.memory.disk(), Mishap::ArchivePutBack(Box::new(older.clone())));
    let (_, opened) = put_back(&mut bench);
    assert_eq!(
        (opened.condition, range(&opened.delivered), range(&opened.tail)),
        (Condition::Whole, (1, 10), (11, 20))
    );

    bench.durable(Job::Promise { ballot: ballot(4) });
    let (again, opened) = put_back(&mut bench);
    let base = Condition::Hollow { base: Slot(15), digest: slots(1, 15..=15)[0].digest };
    assert_eq!((opened.condition, opened.delivered.len(), range(&opened.tail)), (base, 0, (16, 20)));
    assert_eq!((again.memory.disk().counts().put_back, again.memory.disk().counts().archives_lost), (1, 1));
}

/// The process goes on out of its memory; what has happened to the disk shows when it is opened again.
#[test]
fn damage_under_a_running_store_shows_at_the_next_opening() {
    let mut bench = prepared();
    bench.memory.befall(Mishap::ArchiveLost);
    bench.durable(append(1, 31..=33));
    let (_, opened) = Bench::over(bench.memory.crash(), 1);
    assert_eq!((opened.condition, range(&opened.tail)), (HOLLOW, (21, 33)));
}

#[test]
fn a_disk_that_reorders_leaves_a_shorter_prefix() {
    let (mut reordered, mut kept) = (0, 0);
    for seed in 0..200 {
        let mut bench = Bench::new(seed);
        bench.memory.set_faults(Faults { reordering: true, ..Faults::default() });
        bench.durable(append(0, 1..=5));
        (6..=15).for_each(|slot| bench.submit(append(0, slot..=slot)));
        let disk = bench.memory.power_cut();
        reordered += disk.counts().reordered;
        let (_, opened) = Bench::over(disk, seed);
        assert!(opened.tail.len() >= 5 && opened.tail.iter().zip(1..).all(|(record, slot)| record.slot == Slot(slot)));
        kept += opened.tail.len() - 5;
    }
    assert!(reordered > 500 && kept > 200 && kept < 1_500, "{reordered} {kept}");
}

#[test]
fn a_write_that_lands_elsewhere_can_hit_anything() {
    let (mut conditions, mut misdirected) = ([0; 2], 0);
    for seed in 0..200 {
        let mut bench = prepared();
        bench.memory.chance = Chance::new(seed);
        bench.memory.set_faults(Faults { misdirected_percent: 50, ..Faults::default() });
        bench.submit(append(1, 31..=33));
        let disk = bench.memory.power_cut();
        misdirected += disk.counts().misdirected;
        let is_whole = Bench::over(disk, seed).1.condition == Condition::Whole;
        conditions[usize::from(is_whole)] += 1;
    }
    assert!(misdirected > 50 && conditions[0] > 30 && conditions[1] > 100, "{misdirected} {conditions:?}");
    let mut idle = prepared();
    idle.memory.set_faults(Faults { misdirected_percent: 100, ..Faults::default() });
    assert_eq!(idle.memory.power_cut().counts().misdirected, 0, "nothing was being written");
}

/// Catch-up goes into the archive piece by piece, and what is there is committed.
#[test]
fn a_torn_catch_up_or_delivery_keeps_its_first_slots() {
    let (mut torn, mut ends) = (0, std::collections::BTreeSet::new());
    for seed in 0..200 {
        let mut bench = Bench::new(seed);
        bench.durable(append(1, 1..=9));
        bench.submit(Job::CatchUp { generation: Generation(1), slots: slots(1, 1..=14) });
        let (mut bench, opened) = Bench::over(bench.memory.power_cut(), seed);
        let delivered = opened.delivered.len() as u64;
        assert_eq!(opened.shown.end.0, delivered.max(9), "{delivered}");
        bench.durable(append(1, delivered.max(9) + 1..=20));
        bench.submit(Job::Deliver { upto: Slot(18) });
        let disk = bench.memory.power_cut();
        torn += disk.counts().torn;
        let (_, opened) = Bench::over(disk, seed);
        assert_eq!(opened.delivered.len() + opened.tail.len(), 20);
        ends.insert(opened.delivered.len());
    }
    assert!(torn > 100 && ends.len() > 8, "{torn} {ends:?}");
}

#[test]
fn when_there_is_no_room_slots_wait_and_promises_do_not() {
    let mut bench = Bench::new(1);
    bench.memory.set_faults(Faults { accepted_max: 20, ..Faults::default() });
    (1..=30).for_each(|slot| bench.submit(append(0, slot..=slot)));
    bench.pass(LONG);
    assert_eq!(bench.memory.disk().end(), Slot(20));
    assert!(bench.memory.disk().counts().waited > 0);
    bench.submit(Job::Deliver { upto: Slot(8) });
    bench.pass(LONG);
    assert_eq!(bench.memory.disk().end(), Slot(28), "the archive has made room");
    bench.submit(Job::Promise { ballot: ballot(2) });
    bench.submit(append(0, 31..=31));
    bench.pass(LONG);
    assert_eq!((bench.memory.disk().promise(), bench.memory.disk().end()), (ballot(2), Slot(30)));
}

#[test]
fn a_full_disk_and_a_bad_read_end_the_store() {
    let mut bench = prepared();
    bench.memory.set_faults(Faults { full: true, ..Faults::default() });
    bench.durable(append(1, 31..=31));
    assert_eq!(bench.memory.disk().end(), Slot(31), "the journal has its room");
    bench.submit(Job::Deliver { upto: Slot(31) });
    assert_eq!(reports(&bench.pass(LONG)), vec![Report::Failed]);
    let disk = bench.memory.power_cut();
    assert_eq!((disk.counts().full, disk.counts().failed_syncs), (1, 1));

    let (mut bench, opened) = Bench::over(disk, 2);
    assert_eq!((opened.condition, opened.shown.end), (Condition::Whole, Slot(31)), "nothing was lost");
    bench.memory.set_faults(Faults { failing_reads: true, ..Faults::default() });
    bench.memory.fetch(FetchId(1), Fetch::Slots { from: Slot(1), bytes_max: 1 });
    assert_eq!(reports(&bench.pass(LONG)), vec![Report::Failed]);
    assert_eq!(bench.memory.disk().counts().failed_reads, 1);
}

#[test]
fn what_was_heard_of_others_is_kept_in_the_archive() {
    let mut bench = prepared();
    let heard = vec![Heard {
        store: StoreId([2; 16]),
        boot: ftq_core::ids::BootId([3; 16]),
        mark: Mark { ordinal: 7, end: Slot(5), ..Mark::default() },
    }];
    bench.durable(Job::Heard { marks: heard.clone() });
    let disk = bench.memory.power_cut();
    assert_eq!(befallen(&disk, Mishap::JournalLost).1.heard, heard);
    assert_eq!(befallen(&disk, Mishap::ArchiveLost).1.heard, vec![]);
}
