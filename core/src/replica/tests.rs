//! A replica alone: what it makes of what others say.

use super::applying::REPLAYED_AT_ONCE;
use super::*;
use crate::group::content;
use crate::ids::{ClusterId, StoreId};
use crate::machine::Place;
use crate::machine::list::Lists;
use crate::session::message::{ClientMessage, Refusal, ServerMessage, SessionId};
use crate::store::{Generation, Job, JobId, Position, Report};
use crate::time::Span;
use bytes::Bytes;

fn m(n: u8) -> MemberId {
    MemberId::new(n).unwrap()
}

const CLUSTER: ClusterId = ClusterId([7; 16]);

fn blank() -> Replica<Lists> {
    over([m(1), m(2), m(3)].into_iter().collect(), Opened::default())
}

/// The first of these members, over what a store holds.
fn over(founding: MemberSet, opened: Opened) -> Replica<Lists> {
    let options = Options {
        me: m(1),
        cluster: CLUSTER,
        founding,
        order: Order::Rotating,
        datagram_max: 1_400,
        snapshot_every: 10,
        memory_bytes: None,
        log_keep: 0,
    };
    let opened = Opened { store: StoreId([1; 16]), ..opened };
    Replica::new(Time(0), options, BootId([1; 16]), 1, opened, Lists::default())
}

/// It is to come into a cluster of which it knows nothing: it is silent, forms no view of nobody, and greets whom it is
/// introduced to.
#[test]
fn who_has_nobody_to_found_a_cluster_with_waits_to_be_introduced() {
    let mut replica = over(MemberSet::EMPTY, Opened::default());
    let said = |replica: &mut Replica<Lists>, input: fn() -> Input, seconds: core::ops::Range<u64>| {
        let mut to = Vec::new();
        for ms in (seconds.start * 1_000..seconds.end * 1_000).step_by(10) {
            replica.handle(Time(ms * 1_000), input());
            while let Some(output) = replica.poll(Time(ms * 1_000)) {
                match output {
                    Output::Send { to: receivers, .. } => to.push(receivers),
                    Output::Event(_) | Output::Reply { .. } | Output::Fetch { .. } | Output::Changed { .. } => {}
                    Output::Persist { .. } => panic!("it has nothing to keep"),
                }
            }
        }
        to
    };
    assert_eq!(said(&mut replica, || Input::Tick, 0..30), []);
    let greeted = said(&mut replica, || Input::Introduced { member: m(2) }, 30..31);
    assert!(!greeted.is_empty() && greeted.iter().all(|to| *to == MemberSet::of(m(2))), "{greeted:?}");
    assert!(replica.group().view().ballot.is_none() && !replica.group().votes());
    said(&mut replica, || Input::Tick, 31..45);
    assert_eq!(said(&mut replica, || Input::Tick, 45..60), [], "who says nothing is forgotten");
}

/// The snapshot of a state that is not the one in which a machine begins.
fn some_snapshot() -> Snapshot {
    let mut machine = Sessions::new(Lists::default());
    machine.advance(Slot(3), crate::time::SlotClock(3));
    let _ = machine.apply(Place { slot: 3, position: 0 }, &Bytes::from_static(b"a request"));
    Snapshot {
        slot: Slot(3),
        state: machine.digest(),
        positions: alloc::vec![Position { origin: m(2), view: crate::ids::Ballot::default(), number: 1 }],
        pieces: machine.snapshot(),
        ..Snapshot::default()
    }
}

/// Pieces that are no state, and those of another state than the one that was promised: the replica keeps its
/// own, says from whom it has them, and takes the right ones.
#[test]
fn a_snapshot_that_is_not_what_its_digest_says_is_refused() {
    let mut replica = blank();
    let (state, good) = (replica.machine.digest(), some_snapshot());
    assert_ne!(state, good.state);
    let senders = MemberSet::of(m(2));
    let other = replica.machine.snapshot();
    for pieces in [alloc::vec![Bytes::from_static(b"nonsense")], other] {
        replica.restore(Time(1), senders, Snapshot { pieces, ..good.clone() });
        assert_eq!(replica.machine.digest(), state);
    }
    let why = "snapshot that does not restore to its digest";
    let outputs: Vec<Output> = core::iter::from_fn(|| replica.poll(Time(1))).collect();
    let refused =
        outputs.iter().filter(|output| matches!(output, Output::Event(Event::Refused { why: w }) if *w == why));
    assert_eq!(refused.count(), 2);
    assert!(!replica.stopped && replica.refused().any(|counted| counted == (why, 2)));
    replica.restore(Time(2), senders, good.clone());
    assert_eq!(replica.machine.digest(), good.state);
    assert_eq!(replica.group.log().committed(), Slot(3));
}

/// After a start with a long log the replica is called in between, and takes nothing from clients until it knows
/// what they have been told before.
#[test]
fn a_long_log_is_applied_in_parts() {
    let n = 2 * REPLAYED_AT_ONCE as u64 + 5;
    let (view, delivered) = content::empty_slots(CLUSTER, n);
    let mut replica = over(MemberSet::of(m(1)), Opened { promise: view, delivered, ..Opened::default() });
    let mut parts = Vec::new();
    while replica.replays_to() == Some(Slot(n)) {
        assert_eq!(replica.deadline().map(|(_, why)| why), Some(Reason::Replay));
        assert!(!replica.is_serving(Time(1)));
        replica.handle(Time(1), Input::Tick);
        let outputs = core::iter::from_fn(|| replica.poll(Time(1)));
        parts.push(outputs.filter(|output| matches!(output, Output::Event(Event::Applied { .. }))).count());
    }
    assert_eq!(parts, [REPLAYED_AT_ONCE, REPLAYED_AT_ONCE, 5]);
    assert_eq!(replica.group.log().delivered(), Slot(n));
    assert_ne!(replica.deadline().map(|(_, why)| why), Some(Reason::Replay));
}

/// A disk that does what it is told, as long as it does.
#[derive(Default)]
struct Paper {
    generation: Generation,
    end: Slot,
    ordinal: u64,
    waits: Vec<(JobId, Job)>,
}

impl Paper {
    fn write(&mut self) -> Vec<Report> {
        let mut reports = Vec::new();
        for (job, what) in core::mem::take(&mut self.waits) {
            match what {
                Job::Append { generation, slots } => {
                    (self.generation, self.end) = (generation, slots.last().map_or(self.end, |record| record.slot));
                }
                Job::Install { generation, keep, slots, .. } => {
                    (self.generation, self.end) = (generation, slots.last().map_or(keep, |record| record.slot));
                }
                Job::Promise { .. } | Job::Electorate { .. } => {}
                Job::Deliver { upto } => {
                    reports.push(Report::Delivered { upto });
                    continue;
                }
                Job::Snapshot { snapshot } => {
                    reports.push(Report::Snapshotted { slot: snapshot.slot });
                    continue;
                }
                Job::CatchUp { .. } | Job::Adopt { .. } | Job::Heard { .. } | Job::Cut { .. } => continue,
            }
            self.ordinal += 1;
            let (generation, end, ordinal) = (self.generation, self.end, self.ordinal);
            reports.push(Report::Durable { job, generation, end, ordinal });
        }
        reports
    }
}

/// One turn; what clients are told.
fn turn(replica: &mut Replica<Lists>, paper: &mut Paper, now: Time) -> Vec<ServerMessage> {
    replica.handle(now, Input::Tick);
    let mut told = Vec::new();
    while let Some(output) = replica.poll(now) {
        match output {
            Output::Persist { id, job } => paper.waits.push((id, job)),
            Output::Reply { message, .. } => told.push(message),
            Output::Send { .. } | Output::Fetch { .. } | Output::Changed { .. } | Output::Event(_) => {}
        }
    }
    told
}

fn serve(replica: &mut Replica<Lists>, paper: &mut Paper, now: &mut Time) {
    while !replica.is_serving(*now) {
        assert!(*now < Time(10_000_000), "a replica alone serves");
        *now += Span::millis(10);
        turn(replica, paper, *now);
        paper.write().into_iter().for_each(|report| replica.handle(*now, Input::Report(report)));
    }
}

/// The disk hangs: what waits behind it has bounds, and who comes then is told that it is busy.
#[test]
fn a_disk_that_hangs_is_felt_by_clients_as_busy() {
    const BYTES: usize = 64 << 10;
    let (mut replica, mut paper, mut now) = (over(MemberSet::of(m(1)), Opened::default()), Paper::default(), Time(1));
    serve(&mut replica, &mut paper, &mut now);
    let push = |number| ClientMessage::Call {
        session: SessionId(1),
        number,
        floor: 0,
        wait_ms: 600_000,
        command: Bytes::from(alloc::vec![0; BYTES]),
    };
    let mut busy = 0;
    for number in 1..=1_000 {
        replica.handle(now, Input::Client { client: ClientId(number), message: push(number) });
        now += Span::millis(1);
        for message in turn(&mut replica, &mut paper, now) {
            let ServerMessage::Refused { refusal: Refusal::Busy { .. }, .. } = message else { panic!("{message:?}") };
            busy += 1;
        }
    }
    let crowd = replica.waiting();
    let handed: usize = paper.waits.iter().map(|(_, job)| bytes_of(job)).sum();
    assert!(crowd.held_bytes <= 8 << 20 && replica.group.own().bytes() <= (4 << 20) + 2 * BYTES, "{crowd:?}");
    assert!(handed <= 16 << 20, "{handed} bytes wait for the disk");
    assert!(busy > 700 && busy + crowd.held + replica.group.own().len() == 1_000, "{busy} {crowd:?}");
    // When it goes on, so does everything.
    while replica.waiting().held > 0 || !replica.group.own().is_empty() {
        assert!(now < Time(60_000_000), "{:?}", replica.waiting());
        now += Span::millis(1);
        paper.write().into_iter().for_each(|report| replica.handle(now, Input::Report(report)));
        turn(&mut replica, &mut paper, now);
    }
}

fn bytes_of(job: &Job) -> usize {
    match job {
        Job::Append { slots, .. } | Job::Install { slots, .. } | Job::CatchUp { slots, .. } => {
            slots.iter().map(|record| record.content.len()).sum()
        }
        Job::Promise { .. }
        | Job::Electorate { .. }
        | Job::Adopt { .. }
        | Job::Heard { .. }
        | Job::Deliver { .. }
        | Job::Snapshot { .. }
        | Job::Cut { .. } => 0,
    }
}

/// Reads that wait for a quorum have a bound in bytes too.
#[test]
fn too_many_bytes_of_questions_are_felt_as_busy() {
    const BYTES: usize = 100 << 10;
    let (mut replica, mut paper, mut now) = (over(MemberSet::of(m(1)), Opened::default()), Paper::default(), Time(1));
    serve(&mut replica, &mut paper, &mut now);
    for round in 0..3 {
        for nonce in 1..=200 {
            let question = Bytes::from(alloc::vec![0; BYTES]);
            let message = ClientMessage::Read { nonce, local: false, wait_ms: 60_000, question };
            replica.handle(now, Input::Client { client: ClientId(nonce), message });
        }
        let told = turn(&mut replica, &mut paper, now);
        let is_busy =
            |told: &&ServerMessage| matches!(told, ServerMessage::Refused { refusal: Refusal::Busy { .. }, .. });
        assert_eq!(told.iter().filter(is_busy).count(), 200 - (8 << 20) / BYTES, "in round {round}");
        // What was answered takes no room any more.
        turn(&mut replica, &mut paper, now);
        assert_eq!(replica.waiting().reads, 0, "a replica alone is its own quorum");
    }
}

/// Small requests take more than their bytes.
#[test]
fn too_many_small_requests_are_felt_as_busy() {
    let (mut replica, now) = (blank(), Time(1));
    for number in 1..=70_000 {
        let message = ClientMessage::Close { session: SessionId(number), wait_ms: 60_000 };
        replica.handle(now, Input::Client { client: ClientId(number), message });
    }
    assert_eq!(replica.waiting().held, 65_536);
}
