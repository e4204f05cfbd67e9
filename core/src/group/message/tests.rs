//! The bytes of every message in version 1, written down; and what a newer version may add to them.
//!
//! A change of these bytes is a new version of the protocol between replicas, or replicas of two builds
//! misunderstand each other.

use super::*;
use crate::ids::{Configuration, Participant, Seat};
use alloc::format;
use alloc::string::String;
use alloc::vec;

const GOLDEN: &str = include_str!("version-1.txt");

fn member(n: u8) -> MemberId {
    MemberId::new(n).unwrap()
}

fn set(members: &[u8]) -> MemberSet {
    members.iter().map(|n| member(*n)).collect()
}

fn ballot(number: u64) -> Ballot {
    Ballot { number, proposer: Some(member(2)), store: StoreId([7; 16]) }
}

fn configuration() -> Configuration {
    let seat = |n, store| Seat { member: member(n), store };
    Configuration { number: 3, seats: vec![seat(1, None), seat(2, Some(StoreId([7; 16])))] }
}

fn electorate() -> Electorate {
    let proposed = Configuration { number: 4, seats: configuration().seats[1..].to_vec() };
    Electorate { sealed: configuration(), proposed: Some(proposed) }
}

fn record() -> SlotRecord {
    SlotRecord {
        slot: Slot(5),
        view: ballot(1),
        clock: SlotClock(1_000_000),
        digest: Digest(6),
        content: Bytes::from_static(b"content"),
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        slot: Slot(4_000),
        digest: Digest(1 << 100),
        clock: SlotClock(9),
        configuration: configuration(),
        positions: vec![Position { origin: member(1), view: ballot(1), number: 300 }],
        state: Digest(2),
        pieces: Vec::new(),
    }
}

/// One of each kind, by its name.
fn messages() -> Vec<(&'static str, Message)> {
    let participant = Participant { member: member(2), store: StoreId([7; 16]), boot: BootId([8; 16]) };
    let view = View { ballot: ballot(4), members: vec![participant], ring: vec![member(2)] };
    let takes = vec![(member(1), 2), (member(3), 300)];
    let sequence = Sequence { slot: Slot(300), clock: SlotClock(128), digest: Digest(1), takes, notice: None };
    let mark = Mark { ordinal: 300, promise: ballot(5), view: ballot(4), end: Slot(9) };
    let change = Sequence { takes: Vec::new(), notice: Some(Notice::Change(configuration())), ..sequence.clone() };
    vec![
        ("body", Message::Body(Bytes::from_static(b"body"))),
        ("sequence", Message::Sequence(sequence)),
        ("change", Message::Sequence(change)),
        ("begin", Message::Begin(Ballot::default())),
        (
            "heartbeat",
            Message::Heartbeat(Heartbeat {
                store: StoreId([7; 16]),
                shown: Mark::default(),
                mark,
                configuration: 3,
                seated: true,
                whole: false,
                view: ballot(4),
                active: true,
                open: false,
                highest: ballot(5),
                end: Slot(9),
                committed: Slot(8),
                hears: set(&[1, 9]),
                job_age_ms: 129,
                waits_for: set(&[3]),
                slow: set(&[]),
                snapshot: Slot(4),
                state: Digest(2),
                order: Order::Fixed,
                nearly_full: true,
                rules: 2,
            }),
        ),
        (
            "question",
            Message::Question(Question {
                nonce: 1,
                view: ballot(4),
                missing: set(&[1]),
                proposed: set(&[2, 3]),
                slow: set(&[3]),
            }),
        ),
        ("opinion", Message::Opinion(Opinion { nonce: 1, agrees: true, highest: ballot(4) })),
        ("prepare", Message::Prepare(ballot(6), electorate())),
        (
            "promise",
            Message::Promise(Promise {
                ballot: ballot(6),
                log_view: ballot(4),
                end: Slot(9),
                digest: Digest(3),
                committed: Slot(8),
                store: StoreId([7; 16]),
                boot: BootId([8; 16]),
                shown: mark,
                heard: vec![Heard { store: StoreId([9; 16]), boot: BootId([8; 16]), mark }],
                electorate: electorate(),
                whole: true,
                hears: set(&[1, 2]),
                slow: set(&[]),
            }),
        ),
        ("outbid", Message::Outbid(ballot(7))),
        (
            "install",
            Message::Install(Install {
                view,
                electorate: electorate(),
                log_view: ballot(3),
                end: Slot(9),
                digest: Digest(3),
                committed: Slot(8),
            }),
        ),
        ("want-tail", Message::WantTail(ballot(4), Slot(2))),
        ("tail", Message::Tail(ballot(4), vec![record()])),
        ("want-log", Message::WantLog(Slot(1))),
        ("slots", Message::Slots(vec![record(), record()])),
        ("offer", Message::Offer(Slot(4_000))),
        ("want-piece", Message::WantPiece(Slot(4_000), 3)),
        ("piece", Message::Piece(snapshot(), 4, 3, Bytes::from_static(b"piece"))),
        ("ask-read", Message::AskRead(u64::MAX, ballot(4))),
        ("read-mark", Message::ReadMark(1, Slot(9))),
        ("want-change", Message::WantChange(3, ClusterChange::Replace { old: member(2), new: member(3) })),
        ("removed", Message::Removed(StoreId([7; 16]), 4)),
        ("older", Message::Older(StoreId([7; 16]))),
        ("retiring", Message::Retiring),
    ]
}

fn bytes(message: &Message) -> Vec<u8> {
    let mut w = Writer::new();
    message.encode(&mut w);
    w.into_vec()
}

#[test]
fn every_kind_has_its_bytes() {
    let golden: String = messages()
        .iter()
        .map(|(name, message)| {
            let hex: String = bytes(message).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{name} {hex}\n")
        })
        .collect();
    assert_eq!(golden, GOLDEN, "these are other bytes than version 1 has");
    let named = messages().into_iter().filter(|(name, _)| *name != "change");
    let kinds = named.map(|(_, message)| bytes(&message)[0]).collect::<Vec<u8>>();
    let mut all = kinds.clone();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), kinds.len(), "each kind is there once");
    for kind in 0..=u8::MAX {
        let known = Message::decode(vec![kind].into()) != Err(Unread::Unknown(kind));
        assert_eq!(known, kinds.contains(&kind), "kind {kind} has golden bytes, or is unknown");
    }
}

#[test]
fn what_was_written_is_read_and_what_is_cut_short_is_refused() {
    for (name, message) in messages() {
        let whole = Bytes::from(bytes(&message));
        assert_eq!(Message::decode(whole.clone()), Ok(message.clone()), "{name}");
        if matches!(message, Message::Body(_)) {
            continue;
        }
        for end in 0..whole.len() {
            assert_eq!(Message::decode(whole.slice(..end)), Err(Unread::Malformed), "{name}, cut at {end}");
        }
        let longer = [&whole[..], b"a field of version 2"].concat();
        assert_eq!(Message::decode(longer.into()), Ok(message), "{name}");
    }
}
