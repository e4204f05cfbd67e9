//! Rules that show in a group alone, each by its number.

use super::*;
use crate::ids::{Participant, Seat, View};
use message::{Install, Promise};

fn configuration(number: u64, members: &[u8]) -> Configuration {
    let seat = |n: &u8| Seat { member: m(*n), store: Some(StoreId([*n; 16])) };
    Configuration { number, seats: members.iter().map(seat).collect() }
}

/// A view of three in which member 1 has had this request answered.
fn answered(order: Order) -> World {
    let mut world = World::new(3, order);
    world.run(Span::millis(400));
    world.submit(1, 1);
    world.run(Span::millis(50));
    assert_eq!(world.nodes[&m(1)].answered, [1]);
    world
}

/// The proposer missed the answer and says the install again, after more has become durable.
#[test]
fn s3_an_install_that_comes_again_cuts_nothing() {
    let mut world = answered(Order::Rotating);
    let now = world.now;
    for n in 1..=3 {
        let node = world.nodes.get_mut(&m(n)).unwrap();
        let (view, end) = (node.group.view().clone(), node.group.log().end());
        let from = view.ballot.proposer.unwrap();
        let install = Install {
            electorate: node.group.electorate().clone(),
            log_view: Ballot::default(),
            end: Slot(0),
            digest: content::genesis(ClusterId([7; 16])),
            committed: Slot(0),
            view,
        };
        node.group.message(now, from, Message::Install(install));
        node.group.settle(now);
        assert_eq!((end, node.group.log().end(), node.group.log().committed()), (Slot(2), end, end));
        let jobs = core::iter::from_fn(|| node.group.poll()).filter(|output| matches!(output, Output::Persist { .. }));
        assert_eq!(jobs.count(), 0, "nothing goes to the disk");
    }
}

/// The answer of a store that has no seat by the donor's log does not count, and neither does the configuration
/// that the proposer knows, nor one that is newer than the donor's.
#[test]
fn s6_promises_are_judged_by_the_configuration_of_the_donor() {
    let promise = |n: u8, view: u64, end: u64, seats: &[u8]| {
        let ballot = |number| Ballot { number, proposer: Some(m(2)), store: StoreId([2; 16]) };
        let electorate = Electorate::of(configuration(view, seats));
        let promise = Promise {
            ballot: ballot(9),
            log_view: ballot(view),
            end: Slot(end),
            digest: Digest(0),
            committed: Slot(0),
            store: StoreId([n; 16]),
            boot: BootId([n; 16]),
            shown: Mark::default(),
            heard: Vec::new(),
            electorate,
            whole: true,
            hears: set(&[1, 2, 3, 4]),
            slow: MemberSet::EMPTY,
        };
        (m(n), promise)
    };
    // Member 1 was replaced by member 4 in view 3; its own log does not know.
    let answers = [promise(1, 1, 20, &[1, 2, 3]), promise(2, 3, 7, &[2, 3, 4]), promise(3, 3, 6, &[2, 3, 4])];
    let (donor, standing) = change::judged(&answers, m(3)).unwrap();
    assert_eq!((donor.end, donor.electorate.sealed.number), (Slot(7), 3), "the highest view, not the longest log");
    assert_eq!(standing.iter().map(|(member, _)| *member).collect::<MemberSet>(), set(&[2, 3]));
}

/// Two reports of a store that come after an install: of the log before it, and of the one since.
#[test]
fn s8_a_report_of_a_log_before_the_install_is_no_mark() {
    let mut world = answered(Order::Rotating);
    let now = world.now;
    let group = &mut world.nodes.get_mut(&m(1)).unwrap().group;
    let (end, job, generation) = (group.durable(), group.last_job, group.generation);
    let late = Report::Durable { job, generation: Generation(generation.0 - 1), end: Slot(99), ordinal: 1 };
    group.report(now, late);
    group.settle(now);
    assert_eq!(group.durable(), end);
}

/// Two ballots with one number are two ballots: of another proposer, or of another store of the same one.
#[test]
fn s14_a_ballot_is_its_number_its_proposer_and_the_store() {
    let ballot = |number, n: u8, store: u8| Ballot { number, proposer: Some(m(n)), store: StoreId([store; 16]) };
    assert!(
        ballot(1, 1, 1) < ballot(1, 1, 2) && ballot(1, 1, 2) < ballot(1, 2, 1) && ballot(1, 2, 1) < ballot(2, 1, 1)
    );
    // Who has lost its disk proposes nothing, however long nobody does.
    let mut world = answered(Order::Rotating);
    let proven = world.nodes[&m(2)].group.log().electorate().sealed.clone();
    let snapshot = Snapshot { slot: Slot(50), configuration: proven, ..Snapshot::default() };
    let opened = Opened { store: StoreId([11; 16]), snapshot: Some(snapshot), ..Opened::default() };
    let node = world.nodes.get_mut(&m(1)).unwrap();
    let options = node.group.options.clone();
    node.group = Group::new(world.now, options, BootId([11; 16]), 1, opened);
    node.events.clear();
    world.run(Span::secs(3));
    assert!(!world.nodes[&m(1)].events.iter().any(|event| matches!(event, Event::Suspects { .. })));
}

/// Three have applied the same slots, and one of them comes to another state.
#[test]
fn s17_who_differs_from_a_quorum_stops() {
    let mut world = answered(Order::Rotating);
    take_snapshots(&mut world, &[(1, 7), (2, 8), (3, 7)]);
    assert_eq!(stopped(&world), [(2, Stop::OtherState)]);
}

/// Two of three differ and the third is away: nobody can say who is right, so neither goes on, and both say so.
#[test]
fn s17_at_a_tie_all_stop_and_say_so() {
    let mut world = answered(Order::Rotating);
    world.cut = set(&[1]);
    world.run(Span::millis(600));
    assert_eq!(world.serving(), [2, 3]);
    take_snapshots(&mut world, &[(2, 8), (3, 7)]);
    let why = Stop::NoState;
    let told = stopped(&world);
    assert!(told.contains(&(2, why)) || told.contains(&(3, why)), "{told:?}");
    assert!(world.serving().is_empty());
}

/// A snapshot is given to who lacks the log below it only when a quorum has come to the same state, so nobody takes a
/// state that went astray for his own and speaks for it; or when nobody differs for long: there may be no other.
#[test]
fn s17_what_no_quorum_has_come_to_is_given_to_nobody() {
    let mut world = answered(Order::Rotating);
    take_snapshots(&mut world, &[(1, 7)]);
    assert_eq!(offered(&mut world, 1), None);
    take_snapshots(&mut world, &[(2, 7)]);
    assert!(offered(&mut world, 1).is_some());

    let mut world = answered(Order::Rotating);
    take_snapshots(&mut world, &[(1, 7)]);
    assert_eq!(offered(&mut world, 1), None);
    world.run(Span::secs(3));
    assert!(offered(&mut world, 1).is_some());

    let mut world = answered(Order::Rotating);
    take_snapshots(&mut world, &[(1, 7), (2, 8)]);
    assert_eq!(offered(&mut world, 1), None);
    world.run(Span::secs(3));
    assert_eq!(offered(&mut world, 1), None, "the third has not said yet who is right");
}

/// Which snapshot this member offers to one that asks for an older one.
fn offered(world: &mut World, member: u8) -> Option<Slot> {
    let now = world.now;
    let group = &mut world.nodes.get_mut(&m(member)).unwrap().group;
    let slot = group.log().delivered();
    group.report(now, Report::Snapshotted { slot });
    group.message(now, m(3), Message::WantPiece(Slot(0), 0));
    let outputs = core::iter::from_fn(|| group.poll());
    outputs
        .filter_map(|it| if let Output::Note { message: Message::Offer(s), .. } = it { Some(s) } else { None })
        .last()
}

/// These members take a snapshot of what they applied last, in which the state has this digest.
fn take_snapshots(world: &mut World, states: &[(u8, u128)]) {
    let now = world.now;
    for (n, state) in states {
        let node = world.nodes.get_mut(&m(*n)).unwrap();
        let record = node.log.iter().find(|record| record.slot == node.group.log().delivered()).cloned().unwrap();
        let snapshot = Snapshot { state: Digest(*state), ..Snapshot::default() };
        node.group.take_snapshot(now, &record, snapshot);
        world.drain(m(*n));
    }
    world.run(Span::millis(200));
}

/// Who has stopped, and why.
fn stopped(world: &World) -> Vec<(u8, Stop)> {
    let why = |event: &Event| if let Event::Stopped { why } = event { Some(*why) } else { None };
    world.nodes.iter().filter_map(|(member, node)| Some((member.number(), node.events.iter().find_map(why)?))).collect()
}

/// Whoever installs last, all know with the next heartbeats that all have: no proposer need tell them.
#[test]
fn l9_each_sees_for_itself_that_all_have_installed() {
    let mut world = World::new(3, Order::Rotating);
    let all_are_in = |world: &World| world.nodes.values().all(|node| node.group.is_active());
    for _ in 0..10_000 {
        if !all_are_in(&world) {
            world.run(Span::micros(100));
        }
    }
    assert!(all_are_in(&world));
    world.run(Timing::default().heartbeat.times(2));
    let opened = |node: &Node| node.events.iter().any(|event| matches!(event, Event::Opened { .. }));
    assert!(world.nodes.values().all(opened));
}

/// A number that could only exhaust the numbers is no ballot; a refused prepare is told the higher one.
#[test]
fn l13_absurd_ballots_are_refused_and_low_ones_outbid() {
    let mut world = answered(Order::Rotating);
    let now = world.now;
    let group = &mut world.nodes.get_mut(&m(1)).unwrap().group;
    let (view, electorate) = (group.view().ballot, group.log().electorate().clone());
    let ballot = |number| Ballot { number, proposer: Some(m(2)), store: StoreId([2; 16]) };
    let absurd = ballot(view.number + (1 << 33));
    group.message(now, m(2), Message::Prepare(absurd, electorate.clone()));
    assert!(group.is_active() && group.promised() == view);
    group.message(now, m(2), Message::Prepare(ballot(0), electorate));
    let outbid = core::iter::from_fn(|| group.poll())
        .any(|output| matches!(output, Output::Note { message: Message::Outbid(higher), .. } if higher == view));
    assert!(outbid);
}

/// The whole slot of a sequencer is what its sequence said, or it is not taken; and bodies of it that come from
/// their origin later are not ordered a second time.
#[test]
fn l11_a_whole_slot_is_held_against_the_digest_of_its_sequence() {
    let member = |n: u8| Participant { member: m(n), store: StoreId([n; 16]), boot: BootId([n; 16]) };
    let ballot = Ballot { number: 1, proposer: Some(m(1)), store: StoreId([1; 16]) };
    let view = View { ballot, members: vec![member(1), member(2), member(3)], ring: vec![m(2)] };
    let log = log::Log::new(ClusterId([7; 16]), configuration(1, &[1, 2, 3]));
    let ordered = |bodies: &[&'static [u8]]| {
        let mut ordering = Ordering::new(view.clone());
        for body in bodies {
            ordering.body(m(1), Bytes::from_static(body)).unwrap();
        }
        ordering.compose(&log, SlotClock(5))
    };
    let (sequence, record) = ordered(&[b"one", b"two"]);
    let mut lacking = Ordering::new(view.clone());
    assert!(!lacking.take_whole(&log, &record), "nobody has said that it is the next slot");
    lacking.body(m(1), Bytes::from_static(b"one")).unwrap();
    lacking.sequence(m(2), sequence, Slot(0)).unwrap();
    assert_eq!(lacking.complete(&log, true), None);
    assert!(!lacking.take_whole(&log, &ordered(&[b"one", b"other"]).1), "it is not what the sequence says");
    assert!(lacking.take_whole(&log, &record));
    assert!(!lacking.take_whole(&log, &record), "once");
    assert_eq!((lacking.ordered(m(1)), lacking.has_work()), (2, false));
    lacking.body(m(1), Bytes::from_static(b"two")).unwrap();
    assert!(!lacking.has_requests(), "it is ordered");
    assert_eq!(lacking.body(m(1), Bytes::from_static(b"three")), Ok(3));
    assert!(lacking.has_requests());
}
