//! Snapshots: what did not change is the same piece, and spoiled pieces are refused.

use super::*;
use crate::wire::Malformed;
use alloc::collections::BTreeSet;

/// The largest piece.
const PIECE: usize = 48 << 10;

/// A machine of some long queues, many short ones and many sequences.
fn large() -> Queues {
    let mut machine = Queues::new(Limits::default());
    let mut chance = Chance::new(3);
    for n in 1..=20_000 {
        machine.run(Command::Create { label: label(&format!("queue {n}")) }).expect("room");
        machine.run(push(n, b"an item")).expect("room");
        machine.run(Command::GetId { name: label(&format!("name {n}")), count: n }).expect("room");
    }
    for n in 1..=20 {
        for _ in 0..100 {
            let items = (0..20).map(|_| bytes(&mut chance, 100)).collect();
            machine.run(many(n, items)).expect("room");
        }
        machine.run(push(n, &bytes(&mut chance, 100_000))).expect("room");
    }
    machine
}

/// How many bytes of the pieces of `after` were not pieces of `before`.
fn written(before: &[Bytes], after: &[Bytes]) -> usize {
    let known: BTreeSet<&Bytes> = before.iter().collect();
    after.iter().filter(|piece| !known.contains(piece)).map(Bytes::len).sum()
}

#[test]
fn a_snapshot_costs_what_changed() {
    let mut machine = large();
    let first = machine.snapshot();
    let all: usize = first.iter().map(Bytes::len).sum();
    assert!(all > 6_000_000, "{all}");
    assert_eq!(written(&first, &machine.snapshot()), 0);

    let change = |machine: &mut Queues, command: Command| {
        let before = machine.snapshot();
        machine.run(command.clone()).expect("a command that works");
        let cost = written(&before, &machine.snapshot());
        assert!(cost < 3 * PIECE, "{command:?}: {cost}");
    };
    let destroy = |n| Command::Destroy { queue: QueueId(n) };
    let getid = |text| Command::GetId { name: label(text), count: 1 };
    change(&mut machine, push(5, b"one more"));
    change(&mut machine, push(1_000, &[1; 600]));
    change(&mut machine, pop(9, 20));
    change(&mut machine, pop(2, 600));
    change(&mut machine, destroy(3));
    change(&mut machine, destroy(700));
    change(&mut machine, Command::Create { label: label("another") });
    change(&mut machine, getid("name 77"));
    change(&mut machine, getid("a name before all others"));
    reborn(&mut machine);
}

/// How many pieces were made anew: those that are in other memory than before.
fn made_anew(before: &[Bytes], after: &[Bytes]) -> usize {
    let known: BTreeSet<*const u8> = before.iter().map(|piece| piece.as_ptr()).collect();
    after.iter().filter(|piece| !known.contains(&piece.as_ptr())).count()
}

/// Held items, keys, short queues and sequences are encoded again only where something has changed, and only a
/// part of the memory limit is taken for it.
#[test]
fn what_did_not_change_is_not_encoded_again() {
    let mut machine = large();
    let options = PushOptions { delay_ms: 1_000_000, ..PushOptions::default() };
    let held = |n: u64| {
        let key = n.is_multiple_of(2).then(|| label(&format!("key {n}")));
        let options = PushOptions { key, ..options.clone() };
        Command::Push { queue: QueueId(1), items: [Bytes::from_static(b"an item")].into(), options }
    };
    (0..20_000).for_each(|n| drop(machine.run(held(n)).expect("room")));
    (0..1_000).for_each(|_| drop(machine.run(Command::Take { queue: QueueId(1), count: 1, lease_ms: 99, wait_ms: 0 })));
    let mut before = machine.snapshot();
    assert!(before.len() > 500);
    for command in [
        Command::GetId { name: label("name 77"), count: 1 },
        held(20_000),
        Command::Touch { queue: QueueId(1), receipts: [Receipt { position: 500, token: 500 }].into(), lease_ms: 9 },
        Command::Ack { queue: QueueId(1), receipts: [Receipt { position: 700, token: 700 }].into() },
        Command::Destroy { queue: QueueId(9_000) },
    ] {
        machine.run(command.clone()).expect("a command that works");
        let after = machine.snapshot();
        // The head, the waits, open segments that are long, and what has changed.
        let anew = made_anew(&before, &after);
        assert!(anew <= 2 + 20 + 4, "{command:?}: {anew}");
        before = after;
        let mut other = reborn(&mut machine);
        assert_eq!(other.snapshot(), before);
    }
    let limits = Limits { memory_bytes_max: 8_000_000, ..Limits::default() };
    machine.run(Command::Limit(limits)).expect("sane limits");
    let (before, after) = (machine.snapshot(), machine.snapshot());
    let (anew, all) = (made_anew(&before, &after), after.len());
    assert!(anew > all / 10 && anew < all * 9 / 10, "{anew} of {all}");
}

/// Lengths around those where a segment is sealed and where an open one leaves the catalogue.
#[test]
fn segments_of_every_length_come_back() {
    let queue = QueueId(1);
    let edges = [126, 127, 128, 129, 508, 509, 510, 511, 512, 513, PIECE - 5, PIECE - 4, PIECE - 3, PIECE - 2, PIECE];
    for first in edges {
        for second in [0, 1, PIECE - first.min(PIECE), PIECE - (first + 4).min(PIECE), PIECE] {
            let mut machine = Queues::new(Limits::default());
            machine.run(Command::Create { label: label("a") }).expect("room");
            let items: Vec<_> = [first, second, 3].map(|len| Bytes::from(alloc::vec![9; len])).into();
            for item in &items {
                machine.run(push(1, item)).expect("room");
                machine = reborn(&mut machine);
                let backlog = &machine.queues[&queue].levels[0].backlog;
                let alone = |len| items.iter().any(|item| item.len() + 5 == len);
                assert!(backlog.sealed().iter().all(|one| one.bytes.len() <= PIECE || alone(one.bytes.len())));
                assert!(backlog.open().1.len() < PIECE);
            }
            let mut popped = alloc::vec![];
            while let Ok(Answer::Popped(items)) = machine.run(pop(1, 9)) {
                assert_eq!(items[0].0, popped.len() as u64 + 1);
                popped.extend(items.into_iter().map(|(_, item)| item));
            }
            assert_eq!(popped, items, "{first} {second}");
            assert_eq!(reborn(&mut machine).summary().items, 0);
        }
    }
}

/// Sealed segments are in the snapshot as they are in memory: shared, not copied.
#[test]
fn sealed_segments_are_shared() {
    let mut machine = large();
    let shared: BTreeSet<*const u8> = machine.snapshot().iter().map(|piece| piece.as_ptr()).collect();
    let again = machine.snapshot().iter().filter(|piece| shared.contains(&piece.as_ptr())).count();
    let sealed: usize = machine.queues.values().map(|queue| queue.levels[0].backlog.sealed().len()).sum();
    assert!(sealed > 100 && again >= sealed, "{again} of {sealed}");
}

/// Pieces that lack one, have one too many, stand in another order or are spoiled give no machine or
/// another one, and a refusal leaves the old one as it was.
#[test]
fn spoiled_pieces_are_refused() {
    let mut chance = Chance::new(11);
    let mut machine = Queues::new(Limits::default());
    for step in 0..1_400 {
        let newest = machine.next_queue - 1;
        let _ = machine.run(command(&mut chance, newest, tide(step)));
    }
    let digest = machine.digest();
    let pieces = machine.snapshot();
    assert!(pieces.len() > 10);
    assert_eq!(machine.restore(&[]), Err(Unrestored::Malformed));
    assert!(machine.restore(&pieces[1..]).is_err());
    assert_eq!(machine.restore(&pieces[..pieces.len() - 1]), Err(Unrestored::Malformed));
    let more: Vec<_> = pieces.iter().chain(&pieces[..1]).cloned().collect();
    assert_eq!(machine.restore(&more), Err(Unrestored::Malformed));
    assert_eq!(machine.digest(), digest);
    let mut refused = 0;
    for _ in 0..2_000 {
        let mut spoiled = pieces.clone();
        let which = chance.below(pieces.len().min(4) as u64) as usize;
        let mut piece = spoiled[which].to_vec();
        let at = chance.below(piece.len() as u64) as usize;
        let flip = 1 << chance.below(8);
        piece[at] ^= flip;
        spoiled[which] = Bytes::from(piece);
        let mut other = Queues::new(Limits::default());
        match other.restore(&spoiled) {
            Err(_) => refused += 1,
            Ok(()) => assert!(other.digest() != digest || other.snapshot() == spoiled, "{which} {at} {flip}"),
        }
    }
    assert!(refused > 0);
}

/// The same segment cut elsewhere would be the same state in other pieces.
#[test]
fn only_one_form_is_taken() {
    let mut machine = Queues::new(Limits::default());
    machine.run(Command::Create { label: label("a") }).expect("room");
    machine.run(push(1, &[5; 60_000])).expect("room");
    let mut pieces = machine.snapshot();
    assert_eq!(pieces.iter().map(Bytes::len).skip(3).collect::<Vec<_>>(), [PIECE, 60_005 - PIECE]);
    let segment = Bytes::from(pieces[3..].concat());
    pieces.truncate(3);
    pieces.extend([segment.slice(..100), segment.slice(100..)]);
    assert_eq!(machine.restore(&pieces), Err(Unrestored::Malformed));
}

/// Every way in which a segment can lie about its items.
#[test]
fn segments_that_break_their_rules_are_refused() {
    use super::backlog::{Backlog, Segment, Stamp};
    let read = |bytes: &'static [u8], behind: usize| {
        let segment = Segment { base: Stamp { position: 6, came_ms: 50 }, bytes: Bytes::from_static(bytes) };
        let mut items = Vec::new();
        let each = |stamp: Stamp, item: &[u8]| items.push((stamp.position, stamp.came_ms, item.to_vec()));
        Backlog::of_segments([segment].into(), Stamp::default(), Vec::new(), behind, each).map(|_| items)
    };
    let two = b"\x01\x01\x00x\x01\x02\x03y";
    assert_eq!(read(two, 0), Ok([(7, 50, b"x".to_vec()), (9, 53, b"y".to_vec())].into()));
    assert_eq!(read(two, 4), Ok([(9, 53, b"y".to_vec())].into()));
    assert_eq!(read(two, 1), Err(Malformed), "behind stands in the middle of an item");
    assert_eq!(read(two, 8), Err(Malformed), "nothing is left");
    assert_eq!(read(b"", 0), Err(Malformed), "a segment without items");
    assert_eq!(read(b"\x01\x00\x00x", 0), Err(Malformed), "a position that does not rise");
    assert_eq!(read(b"\x02\x01\x00x", 0), Err(Malformed), "an item that is cut off");
    assert_eq!(read(b"\x81\x00\x01\x00x", 0), Err(Malformed), "a length that is longer than it must be");
}
