//! What the simulated disk promises, a story each.

mod mishaps;

use super::*;
use bytes::Bytes;
use ftq_core::ids::{Ballot, Configuration, Digest, MemberId, MemberSet, Slot, StoreId, View};
use ftq_core::store::{Fetched, SlotRecord, Snapshot};
use ftq_core::time::{SlotClock, Span};

const LONG: Span = Span::secs(1);

fn ballot(number: u64) -> Ballot {
    Ballot { number, proposer: MemberId::new(1), store: StoreId([1; 16]) }
}

/// Slots with contents that differ by `view`.
fn slots(view: u64, range: std::ops::RangeInclusive<u64>) -> Vec<SlotRecord> {
    let slot = |k: u64| SlotRecord {
        slot: Slot(k),
        view: ballot(view),
        clock: SlotClock(k),
        digest: Digest(u128::from(view) << 64 | u128::from(k)),
        content: Bytes::from(vec![7; 100]),
    };
    range.map(slot).collect()
}

fn append(view: u64, range: std::ops::RangeInclusive<u64>) -> Job {
    Job::Append { generation: Generation(view), slots: slots(view, range) }
}

fn install(view: u64, keep: u64, slots: Vec<SlotRecord>) -> Job {
    Job::Install {
        generation: Generation(view),
        view: View { ballot: ballot(view), members: Vec::new(), ring: Vec::new() },
        configuration: Configuration::founding(MemberSet::from_bits(2)),
        keep: Slot(keep),
        slots,
    }
}

fn snapshot(slot: u64) -> Snapshot {
    Snapshot { slot: Slot(slot), digest: Digest(9), pieces: vec![Bytes::from_static(b"state")], ..Snapshot::default() }
}

/// A store with its job counter and its clock.
struct Bench {
    memory: Memory,
    last: u64,
}

impl Bench {
    fn over(disk: Disk, seed: u64) -> (Bench, Opened) {
        let (memory, opened) = Memory::open(disk, Time(0), Faults::default(), seed);
        (Bench { memory, last: 0 }, opened)
    }

    fn new(seed: u64) -> Bench {
        Bench::over(Disk::create(StoreId([1; 16])), seed).0
    }

    fn submit(&mut self, job: Job) {
        self.last += 1;
        self.memory.submit(JobId(self.last), job);
    }

    /// Lets `span` pass in the steps that the store asks for and gives back what was done.
    fn pass(&mut self, span: Span) -> Vec<Done> {
        let until = self.memory.now + span;
        let mut done = Vec::new();
        loop {
            let next = self.memory.deadline().filter(|at| *at <= until).unwrap_or(until);
            self.memory.advance(next);
            done.extend(std::iter::from_fn(|| self.memory.poll()));
            if next == until {
                return done;
            }
        }
    }

    fn durable(&mut self, job: Job) {
        self.submit(job);
        self.pass(LONG);
    }
}

fn reports(done: &[Done]) -> Vec<Report> {
    done.iter()
        .filter_map(|done| match done {
            Done::Report(report) => Some(*report),
            Done::Fetched(..) => None,
        })
        .collect()
}

#[test]
fn nothing_is_durable_before_its_sync_and_what_waits_shares_the_next_one() {
    let mut bench = Bench::new(1);
    bench.submit(append(0, 1..=1));
    bench.submit(append(0, 2..=2));
    bench.submit(append(0, 3..=3));
    assert_eq!(bench.memory.disk().end(), Slot(0));
    assert_eq!(bench.memory.poll(), None);

    bench.memory.advance(bench.memory.deadline().unwrap());
    assert_eq!(bench.memory.disk().end(), Slot(1), "the first sync began when the first job came");
    bench.memory.advance(bench.memory.deadline().unwrap() + LONG);
    assert_eq!(bench.memory.disk().end(), Slot(3));
    assert_eq!(bench.memory.disk().counts().journal_syncs, 2);

    let ends: Vec<_> = reports(&bench.pass(LONG));
    let durable = |n| Report::Durable { job: JobId(n), generation: Generation(0), end: Slot(n), ordinal: n };
    assert_eq!(ends, vec![durable(1), durable(2), durable(3)]);
}

#[test]
fn a_power_cut_keeps_what_was_synced_and_a_prefix_of_the_rest() {
    let (mut lost, mut spared, mut torn) = (0, 0, 0);
    for seed in 0..200 {
        let mut bench = Bench::new(seed);
        bench.durable(append(0, 1..=5));
        bench.submit(append(0, 6..=9));
        bench.submit(Job::Promise { ballot: ballot(3) });
        bench.submit(install(3, 7, slots(3, 8..=8)));
        let disk = bench.memory.power_cut();
        let promised = disk.promise() == ballot(3);
        let installed = disk.log_view() == ballot(3);
        assert!(disk.end() >= Slot(5) && disk.end() <= Slot(9));
        assert!(!promised || installed || disk.end() == Slot(9), "a promise is kept only behind what came before it");
        assert!(!installed || promised && disk.end() == Slot(8), "an install is there whole or not at all");
        lost += disk.counts().lost;
        spared += disk.counts().spared;
        torn += disk.counts().torn;
        let (_, opened) = Bench::over(disk, seed);
        assert_eq!(opened.delivered.len(), 0);
        assert!(opened.tail.iter().zip(1..).all(|(record, slot)| record.slot == Slot(slot)));
    }
    assert!(lost > 0 && spared > 0 && torn > 0, "{lost} {spared} {torn}");
}

#[test]
fn a_killed_process_leaves_at_least_what_was_being_written() {
    for seed in 0..50 {
        let mut bench = Bench::new(seed);
        bench.submit(append(0, 1..=5));
        bench.submit(append(0, 6..=9));
        let end = bench.memory.crash().end();
        assert!(end == Slot(5) || end == Slot(9));
    }
}

#[test]
fn the_archive_waits_for_the_journal() {
    let mut bench = Bench::new(1);
    bench.memory.set_faults(Faults { hanging: true, ..Faults::default() });
    bench.submit(append(0, 1..=9));
    bench.submit(Job::Deliver { upto: Slot(9) });
    assert_eq!(bench.memory.deadline(), None);
    assert_eq!(bench.pass(LONG), vec![]);
    assert_eq!(bench.memory.disk().end(), Slot(0), "a hanging disk syncs nothing");

    bench.memory.set_faults(Faults::default());
    let said = reports(&bench.pass(LONG));
    let durable = Report::Durable { job: JobId(1), generation: Generation(0), end: Slot(9), ordinal: 1 };
    assert_eq!(said, vec![durable, Report::Delivered { upto: Slot(9) }]);
}

/// The number of a slot that is about to be replaced is not the slot that was meant.
#[test]
fn a_delivery_means_the_slot_as_of_the_install_before_it() {
    let mut bench = Bench::new(1);
    bench.durable(append(0, 1..=9));
    bench.memory.set_faults(Faults { journal: Drawn { base: LONG, jitter: Span::ZERO }, ..Faults::default() });
    bench.submit(install(2, 5, slots(2, 6..=9)));
    bench.submit(Job::Deliver { upto: Slot(9) });
    bench.pass(LONG.part(2));
    assert_eq!(bench.memory.disk().delivered(), Slot(0));
    bench.pass(LONG);
    assert_eq!(bench.memory.disk().delivered(), Slot(9));
    assert_eq!(bench.memory.disk().digest_at(Slot(9)), Some(slots(2, 9..=9)[0].digest));
    assert_eq!(bench.memory.disk().counts().cut_by_install, 4);
}

#[test]
fn the_first_failure_is_the_last_word() {
    let mut bench = Bench::new(1);
    bench.submit(append(0, 1..=1));
    bench.memory.set_faults(Faults { failing: true, ..Faults::default() });
    assert_eq!(reports(&bench.pass(LONG)), vec![Report::Failed]);
    bench.memory.set_faults(Faults::default());
    bench.submit(append(0, 2..=2));
    bench.submit(Job::Deliver { upto: Slot(1) });
    bench.memory.fetch(FetchId(1), Fetch::Slots { from: Slot(1), bytes_max: 1 });
    assert_eq!(bench.pass(LONG), vec![]);
    assert!(bench.memory.has_failed());
}

#[test]
fn late_reports_overtake_one_another_and_none_is_lost() {
    let mut bench = Bench::new(1);
    bench.memory.set_faults(Faults { late_percent: 50, late: LONG, ..Faults::default() });
    for slot in 1..=100 {
        bench.submit(append(0, slot..=slot));
    }
    let mut jobs: Vec<_> = reports(&bench.pass(LONG.times(2)))
        .iter()
        .map(|report| match report {
            Report::Durable { job, .. } => job.0,
            Report::Delivered { .. } | Report::Snapshotted { .. } | Report::NearlyFull(_) | Report::Failed => 0,
        })
        .collect();
    assert!(!jobs.is_sorted());
    jobs.sort_unstable();
    assert_eq!(jobs, (1..=100).collect::<Vec<_>>());
}

#[test]
fn catching_up_replaces_what_differs_and_delivers_it() {
    let mut bench = Bench::new(1);
    bench.durable(append(1, 1..=9));
    let mut committed = slots(1, 1..=4);
    committed.extend(slots(2, 5..=7));
    bench.durable(Job::CatchUp { generation: Generation(1), slots: committed });
    let disk = bench.memory.power_cut();
    assert_eq!((disk.delivered(), disk.end()), (Slot(7), Slot(7)), "8 and 9 stood on what is gone");
    assert_eq!(disk.counts().cut_by_catch_up, 5);
    let (_, opened) = Bench::over(disk, 1);
    assert_eq!((opened.delivered.len(), opened.tail.len()), (7, 0));
    assert_eq!(opened.delivered[4].digest, slots(2, 5..=5)[0].digest);
}

#[test]
fn catching_up_keeps_a_tail_that_agrees() {
    let mut bench = Bench::new(1);
    bench.durable(append(1, 1..=9));
    bench.durable(Job::CatchUp { generation: Generation(1), slots: slots(1, 2..=4) });
    assert_eq!((bench.memory.disk().delivered(), bench.memory.disk().end()), (Slot(4), Slot(9)));
}

#[test]
fn an_adopted_snapshot_is_the_new_base() {
    let mut bench = Bench::new(1);
    bench.durable(append(1, 1..=9));
    bench.durable(Job::Adopt { generation: Generation(1), snapshot: snapshot(20) });
    bench.durable(append(1, 21..=22));
    assert_eq!(bench.memory.disk().digest_at(Slot(20)), Some(Digest(9)));
    let (_, opened) = Bench::over(bench.memory.power_cut(), 1);
    assert_eq!(opened.snapshot.unwrap().slot, Slot(20));
    assert_eq!(opened.tail.iter().map(|record| record.slot.0).collect::<Vec<_>>(), vec![21, 22]);
}

#[test]
fn what_a_snapshot_covers_can_be_cut_and_the_rest_is_read_back() {
    let mut bench = Bench::new(1);
    bench.submit(append(1, 1..=9));
    bench.submit(Job::Deliver { upto: Slot(8) });
    bench.submit(Job::Snapshot { snapshot: snapshot(6) });
    bench.submit(Job::Cut { below: Slot(5) });
    assert!(reports(&bench.pass(LONG)).contains(&Report::Snapshotted { slot: Slot(6) }));

    for (id, fetch) in [
        Fetch::Slots { from: Slot(4), bytes_max: 1 },
        Fetch::Slots { from: Slot(5), bytes_max: 150 },
        Fetch::Slots { from: Slot(8), bytes_max: 10_000 },
        Fetch::Piece { slot: Slot(6), index: 0 },
        Fetch::Piece { slot: Slot(6), index: 1 },
        Fetch::Piece { slot: Slot(5), index: 0 },
        Fetch::Oldest { bytes_max: 150 },
    ]
    .into_iter()
    .enumerate()
    {
        bench.memory.fetch(FetchId(id as u64), fetch);
        bench.pass(LONG.part(100)).into_iter().for_each(|done| {
            let expected = match id {
                0 => Fetched::Slots(vec![]),
                1 | 6 => Fetched::Slots(slots(1, 5..=6)),
                2 => Fetched::Slots(slots(1, 8..=8)),
                3 => {
                    let head = Snapshot { pieces: vec![], ..snapshot(6) };
                    Fetched::Piece(Some((head, 1, Bytes::from_static(b"state"))))
                }
                _ => Fetched::Piece(None),
            };
            assert_eq!(done, Done::Fetched(FetchId(id as u64), expected));
        });
    }
    let (_, opened) = Bench::over(bench.memory.crash(), 1);
    assert_eq!(opened.delivered.iter().map(|record| record.slot.0).collect::<Vec<_>>(), vec![7, 8]);
    assert_eq!(opened.tail.len(), 1);
}

#[test]
fn facts_are_what_marks_may_claim() {
    let mut bench = Bench::new(1);
    bench.durable(install(1, 0, vec![]));
    bench.durable(append(1, 1..=3));
    let facts =
        |bench: &mut Bench| bench.memory.take_facts().map(|fact| (fact.view.number, fact.slot.0)).collect::<Vec<_>>();
    assert_eq!(facts(&mut bench), vec![(1, 1), (1, 2), (1, 3)]);
    bench.durable(Job::Deliver { upto: Slot(1) });
    bench.durable(install(2, 2, vec![]));
    assert_eq!(facts(&mut bench), vec![(2, 2)], "an install states anew what was not delivered");
    assert_eq!(facts(&mut bench), vec![]);
}

/// No job costs more for what is already there.
#[test]
fn two_hundred_thousand_slots_are_no_burden() {
    let mut bench = Bench::new(1);
    for slot in 1..=200_000 {
        bench.submit(append(1, slot..=slot));
        if slot % 64 == 0 {
            bench.submit(Job::Deliver { upto: Slot(slot - 32) });
            bench.memory.advance(bench.memory.now + Span::micros(300));
            while bench.memory.poll().is_some() {}
        }
    }
    bench.pass(LONG);
    assert_eq!(bench.memory.disk().end(), Slot(200_000));
    assert_eq!(Bench::over(bench.memory.power_cut(), 1).1.delivered.len(), 199_968);
}
