//! What comes from nobody in the cluster, from another cluster or an older view, and what has absurd
//! numbers or lengths: refused and counted. Nothing is asserted on it, and the cluster goes on.

use super::{draw, formed};
use bytes::Bytes;
use ftq_core::chance::Chance;
use ftq_core::electorate::Electorate;
use ftq_core::group::admission::ClusterChange;
use ftq_core::group::message::{Heartbeat, Install, Message, Opinion, Promise, Question};
use ftq_core::ids::{Ballot, BootId, ClusterId, Configuration, Digest, MemberId, MemberSet, Slot, StoreId, View};
use ftq_core::link::Count;
use ftq_core::store::{Heard, Mark};
use ftq_core::time::Span;
use ftq_core::wire::Writer;
use ftq_tests::checkers::history::End;
use ftq_tests::counts::Count as Seen;
use ftq_tests::world::{Setup, World};
use xxhash_rust::xxh3::xxh3_64;

/// The bytes of a packet's header.
const HEADER: usize = 42;

/// The type of a frame with a message to the group.
const NOTE: u8 = 10;

/// Takes all that is forged; the packets come from the second member, or say so.
const TARGET: u8 = 1;
const FORGED: u8 = 2;

#[test]
fn packets_of_strangers_are_refused() {
    let mut world = formed(Setup::cluster(3).build());
    let boot = world.running(FORGED).unwrap().boot;
    let other = ClusterId([7; 16]);
    let mine = world.cluster();
    let refused = [
        (packet(other, FORGED, boot, 1 << 20), Count::RefusedCluster),
        (packet(mine, 9, boot, 1 << 20), Count::RefusedSender),
        (packet(mine, 0, boot, 1 << 20), Count::RefusedSender),
        (packet(mine, FORGED, BootId([3; 16]), 1), Count::RefusedBoot),
        (packet(mine, FORGED, boot, 1), Count::RefusedReplay),
        (vec![0; HEADER - 1], Count::RefusedLength),
        (vec![], Count::RefusedLength),
        (vec![0xff; HEADER], Count::RefusedVersion),
        (vec![1; 70_000], Count::RefusedLength),
    ];
    world.inject(FORGED, TARGET, packet(mine, FORGED, boot, 1).into());
    for (bytes, why) in refused {
        let before = counted(&world, why);
        world.inject(FORGED, TARGET, bytes.into());
        world.run_for(Span::micros(10));
        assert_eq!(counted(&world, why), before + 1, "{why:?}");
    }
    goes_on(&mut world);
}

#[test]
fn messages_of_older_views_and_with_absurd_numbers_do_no_harm() {
    let mut world = second_view();
    let changes = world.view_changes();
    let boot = world.running(FORGED).unwrap().boot;
    let numbers = unused_numbers(&mut world);
    let messages = absurd(&world);
    assert!(numbers.len() >= messages.len(), "{} packet numbers are too few", numbers.len());
    for (number, message) in numbers.into_iter().zip(messages) {
        let before = counted(&world, Count::PacketsReceived);
        let mut bytes = packet(world.cluster(), FORGED, boot, number);
        put_note(&mut bytes, &message);
        world.inject(FORGED, TARGET, bytes.into());
        world.run_for(Span::millis(5));
        assert!(counted(&world, Count::PacketsReceived) > before);
    }
    assert!(world.counts().of(Seen::RefusedInput) > 0);
    world.run_for(Span::secs(1));
    assert_eq!(world.view_changes(), changes);
    goes_on(&mut world);
}

#[test]
fn bytes_by_chance_do_no_harm() {
    let mut chance = Chance::new(7);
    for _ in 0..20 {
        let mut world = formed(Setup::cluster(3).build());
        let boot = world.running(FORGED).unwrap().boot;
        for number in unused_numbers(&mut world) {
            let mut bytes = packet(world.cluster(), FORGED, boot, number);
            let length = chance.below(200);
            let note: Vec<u8> = (0..length).map(|_| chance.bytes16()[0]).collect();
            if chance.below(2) == 0 {
                bytes.extend_from_slice(&note);
            } else {
                let kind = u8::try_from(1 + chance.below(20)).unwrap();
                put_frame(&mut bytes, &[&[kind][..], &note].concat());
            }
            world.inject(FORGED, TARGET, bytes.into());
            world.run_for(Span::micros(100));
        }
        assert!(world.running(TARGET).unwrap().replica.link().counters().refused() > 0);
        assert!(world.counts().of(Seen::RefusedInput) > 0);
        goes_on(&mut world);
    }
}

/// A newer replica may say what this one does not know: it is dropped and counted, and nothing else comes of it.
#[test]
fn messages_of_unknown_kinds_are_dropped_and_counted() {
    let mut world = second_view();
    let boot = world.running(FORGED).unwrap().boot;
    let refused = |world: &World, reason: &str| {
        let replica = &world.running(TARGET).unwrap().replica;
        replica.refused().find(|(why, _)| *why == reason).map_or(0, |(_, count)| count)
    };
    let numbers = unused_numbers(&mut world);
    for (before, number) in (0..3).zip(numbers) {
        assert_eq!(refused(&world, "message of a newer version"), before);
        let mut bytes = packet(world.cluster(), FORGED, boot, number);
        put_frame(&mut bytes, b"\xeewhat version 2 says");
        world.inject(FORGED, TARGET, bytes.into());
        world.run_for(Span::millis(5));
    }
    assert_eq!((refused(&world, "message of a newer version"), refused(&world, "malformed message")), (3, 0));
    goes_on(&mut world);
}

/// What nobody of the present view would say.
fn absurd(world: &World) -> Vec<Message> {
    let current = world.view(TARGET).0;
    let view = world.disk(TARGET).view().clone();
    let (mine, me) = (world.disk(TARGET).store(), MemberId::new(TARGET).unwrap());
    let old = Ballot { number: 1, ..current };
    let jump = Ballot { number: current.number + (1 << 33), ..current };
    let highest = Ballot { number: u64::MAX, ..current };
    let members: MemberSet = MemberSet::from_bits(u64::MAX);
    let promise = |ballot: Ballot, end: Slot| {
        Message::Promise(Promise {
            ballot,
            log_view: ballot,
            end,
            digest: Digest(0),
            committed: end,
            store: StoreId([1; 16]),
            boot: BootId([1; 16]),
            shown: Mark::default(),
            heard: vec![Heard {
                store: mine,
                boot: BootId([1; 16]),
                mark: Mark { ordinal: u64::MAX, ..Mark::default() },
            }],
            electorate: Electorate::of(Configuration::founding(members)),
            whole: true,
            hears: members,
            slow: members,
        })
    };
    let install = |ballot: Ballot, end: Slot, members: View| {
        Message::Install(Install {
            view: View { ballot, ..members },
            electorate: Electorate::of(Configuration::founding(view.set())),
            log_view: ballot,
            end,
            digest: Digest(1),
            committed: end,
        })
    };
    let heartbeat = |ballot: Ballot, slot: u64| {
        Message::Heartbeat(Heartbeat {
            view: ballot,
            active: true,
            open: true,
            highest: ballot,
            end: Slot(slot),
            committed: Slot(slot),
            hears: view.set(),
            ..Heartbeat::default()
        })
    };
    let question = |ballot: Ballot| {
        Message::Question(Question { nonce: 1, view: ballot, missing: members, proposed: members, slow: members })
    };
    let nobody = View { ballot: old, members: vec![], ring: vec![] };
    let last = Slot(u64::MAX);
    vec![
        Message::Prepare(old, Electorate::of(Configuration::founding(members))),
        Message::Prepare(jump, Electorate::default()),
        Message::Prepare(highest, Electorate::default()),
        Message::Outbid(old),
        Message::Outbid(jump),
        Message::Outbid(highest),
        promise(old, last),
        promise(current, last),
        promise(highest, last),
        install(old, Slot(1), view.clone()),
        install(old, last, nobody.clone()),
        install(current, last, view.clone()),
        install(current, Slot(0), nobody.clone()),
        install(highest, last, nobody),
        question(old),
        question(highest),
        Message::Opinion(Opinion { nonce: u64::MAX, agrees: true, highest }),
        Message::WantTail(old, Slot(0)),
        Message::WantTail(current, last),
        Message::WantLog(Slot(0)),
        Message::WantLog(last),
        Message::Offer(last),
        Message::WantPiece(last, u32::MAX),
        Message::WantPiece(Slot(0), 0),
        Message::AskRead(u64::MAX, old),
        Message::ReadMark(u64::MAX, last),
        Message::ReadMark(0, last),
        Message::Begin(current),
        Message::Body(Bytes::from_static(b"not a note")),
        heartbeat(old, 0),
        heartbeat(current, u64::MAX),
        heartbeat(current, 1),
        Message::WantChange(0, ClusterChange::Remove(me)),
        Message::WantChange(1, ClusterChange::Add(me)),
        Message::Removed(mine, 1),
        Message::Removed(StoreId([1; 16]), u64::MAX),
        Message::Older(StoreId([1; 16])),
    ]
}

/// A cluster in its second view.
fn second_view() -> World {
    let mut world = formed(Setup::cluster(3).build());
    world.crash(3);
    world.run_for(Span::secs(1));
    world.start(3);
    world.agree(Span::secs(3));
    world.run_for(Span::millis(300));
    world
}

/// Numbers of packets that the target has never seen: they were lost on the way to it.
fn unused_numbers(world: &mut World) -> Vec<u64> {
    let sent = |world: &World| world.running(FORGED).unwrap().replica.link().counters().of(Count::PacketsSent);
    let before = sent(world);
    world.cut(FORGED, TARGET);
    world.bind_client(3, &[3]);
    for _ in 0..40 {
        world.call(3, draw(5, 1), Span::secs(5));
        world.run_for(Span::millis(7));
    }
    let after = sent(world);
    world.mend(FORGED, TARGET);
    world.run_for(Span::millis(100));
    (before + 1..=after).collect()
}

fn goes_on(world: &mut World) {
    world.bind_client(0, &[TARGET]);
    let call = world.call(0, draw(1, 1), Span::secs(1));
    world.run_for(Span::secs(1));
    assert!(matches!(world.end(call), Some(End::Answered { .. })), "{:?}", world.end(call));
    world.agree(Span::secs(5));
}

/// A packet as `core/src/link/packet.rs` has it, without frames.
fn packet(cluster: ClusterId, sender: u8, boot: BootId, number: u64) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend_from_slice(&xxh3_64(&cluster.0).to_le_bytes());
    bytes.push(sender);
    bytes.extend_from_slice(&boot.0);
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&0u64.to_le_bytes());
    assert_eq!(bytes.len(), HEADER);
    bytes
}

fn put_note(packet: &mut Vec<u8>, message: &Message) {
    let mut w = Writer::new();
    message.encode(&mut w);
    put_frame(packet, w.as_slice());
}

fn put_frame(packet: &mut Vec<u8>, note: &[u8]) {
    packet.push(NOTE);
    packet.extend_from_slice(&u16::try_from(note.len()).unwrap().to_le_bytes());
    packet.extend_from_slice(note);
}

fn counted(world: &World, count: Count) -> u64 {
    world.running(TARGET).unwrap().replica.link().counters().of(count)
}
