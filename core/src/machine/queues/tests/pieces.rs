//! Snapshots: what did not change is the same piece, and spoiled pieces are refused.

use super::*;
use alloc::collections::BTreeSet;

/// The largest piece.
const PIECE: usize = 48 << 10;

/// A machine of some long queues, many short ones and many sequences.
fn large() -> Queues {
    let mut machine = Queues::new(Limits::default());
    let mut chance = Chance::new(3);
    for n in 1..=20_000 {
        machine.execute(Command::Create { label: label(&format!("queue {n}")) }).expect("room");
        machine.execute(push(n, b"an item")).expect("room");
        machine.execute(Command::GetId { name: label(&format!("name {n}")), count: n }).expect("room");
    }
    for n in 1..=20 {
        for _ in 0..100 {
            let items = (0..20).map(|_| bytes(&mut chance, 100)).collect();
            machine.execute(Command::Push { queue: QueueId(n), items }).expect("room");
        }
        machine.execute(push(n, &bytes(&mut chance, 100_000))).expect("room");
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
        machine.execute(command.clone()).expect("a command that works");
        let cost = written(&before, &machine.snapshot());
        assert!(cost < 3 * PIECE, "{command:?}: {cost}");
    };
    let destroy = |n| Command::Destroy { queue: QueueId(n) };
    let getid = |text| Command::GetId { name: label(text), count: 1 };
    change(&mut machine, push(5, b"one more"));
    change(&mut machine, push(1_000, &[1; 600]));
    change(&mut machine, Command::Pop { queue: QueueId(9), count: 20 });
    change(&mut machine, Command::Pop { queue: QueueId(2), count: 600 });
    change(&mut machine, destroy(3));
    change(&mut machine, destroy(700));
    change(&mut machine, Command::Create { label: label("another") });
    change(&mut machine, getid("name 77"));
    change(&mut machine, getid("a name before all others"));
    reborn(&machine);
}

/// Lengths around those where a segment is sealed and where an open one leaves the catalogue.
#[test]
fn segments_of_every_length_come_back() {
    let queue = QueueId(1);
    let edges = [126, 127, 128, 129, 508, 509, 510, 511, 512, 513, PIECE - 5, PIECE - 4, PIECE - 3, PIECE - 2, PIECE];
    for first in edges {
        for second in [0, 1, PIECE - first.min(PIECE), PIECE - (first + 4).min(PIECE), PIECE] {
            let mut machine = Queues::new(Limits::default());
            machine.execute(Command::Create { label: label("a") }).expect("room");
            let items: Vec<_> = [first, second, 3].map(|len| Bytes::from(alloc::vec![9; len])).into();
            for item in &items {
                machine.execute(push(1, item)).expect("room");
                machine = reborn(&machine);
                let backlog = machine.queues[&queue].backlog();
                let alone = |len| items.iter().any(|item| item.len() + 3 == len);
                assert!(backlog.sealed().iter().all(|segment| segment.len() <= PIECE || alone(segment.len())));
                assert!(backlog.open().len() < PIECE);
            }
            let mut popped = alloc::vec![];
            while let Ok(Answer::Popped { first, items }) = machine.execute(Command::Pop { queue, count: 9 }) {
                assert_eq!(first, popped.len() as u64 + 1);
                popped.extend(items);
            }
            assert_eq!(popped, items, "{first} {second}");
            assert_eq!(reborn(&machine).summary().items, 0);
        }
    }
}

/// Sealed segments are in the snapshot as they are in memory: shared, not copied.
#[test]
fn sealed_segments_are_shared() {
    let machine = large();
    let shared: BTreeSet<*const u8> = machine.snapshot().iter().map(|piece| piece.as_ptr()).collect();
    let again = machine.snapshot().iter().filter(|piece| shared.contains(&piece.as_ptr())).count();
    let sealed: usize = machine.queues.values().map(|queue| queue.backlog().sealed().len()).sum();
    assert!(sealed > 100 && again >= sealed, "{again} of {sealed}");
}

/// What the buffers take, popped items and spare room included, against what is charged.
#[test]
fn an_item_costs_less_than_it_is_charged() {
    let mut machine = Queues::new(Limits::default());
    machine.execute(Command::Create { label: label("a") }).expect("room");
    for _ in 0..100 {
        let items = alloc::vec![Bytes::from_static(b"8 bytes."); 1000];
        machine.execute(Command::Push { queue: QueueId(1), items }).expect("room");
    }
    machine.execute(Command::Pop { queue: QueueId(1), count: 3_000 }).expect("there");
    let queue = &machine.queues[&QueueId(1)];
    let buffers: usize = queue.backlog().sealed().iter().map(|segment| segment.len() + 64).sum();
    assert!((buffers + 2 * queue.backlog().open().len()) as u64 <= 97_000 * (8 + 8));
    assert_eq!(machine.summary().memory_bytes, 1_537 + 97_000 * (8 + 64));
}

/// Pieces that lack one, have one too many, stand in another order or are spoiled give no machine or
/// another one, and a refusal leaves the old one as it was.
#[test]
fn spoiled_pieces_are_refused() {
    let mut chance = Chance::new(11);
    let mut machine = Queues::new(Limits::default());
    for step in 0..1_400 {
        let newest = machine.next_queue - 1;
        let _ = machine.execute(command(&mut chance, newest, tide(step)));
    }
    let digest = machine.digest();
    let pieces = machine.snapshot();
    assert!(pieces.len() > 10);
    assert_eq!(machine.restore(&[]), Err(Malformed));
    assert_eq!(machine.restore(&pieces[1..]), Err(Malformed));
    assert_eq!(machine.restore(&pieces[..pieces.len() - 1]), Err(Malformed));
    let more: Vec<_> = pieces.iter().chain(&pieces[..1]).cloned().collect();
    assert_eq!(machine.restore(&more), Err(Malformed));
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
            Err(Malformed) => refused += 1,
            Ok(()) => assert!(other.digest() != digest || other.snapshot() == spoiled, "{which} {at} {flip}"),
        }
    }
    assert!(refused > 0);
}

/// The same segment cut elsewhere would be the same state in other pieces, and positions that do not fit
/// the items would be a state that no history leads to.
#[test]
fn only_one_form_is_taken() {
    let mut machine = Queues::new(Limits::default());
    machine.execute(Command::Create { label: label("a") }).expect("room");
    machine.execute(push(1, &[5; 60_000])).expect("room");
    let mut pieces = machine.snapshot();
    assert_eq!(pieces.iter().map(Bytes::len).skip(2).collect::<Vec<_>>(), [PIECE, 60_003 - PIECE]);
    let segment = Bytes::from(pieces[2..].concat());
    pieces.truncate(2);
    pieces.extend([segment.slice(..100), segment.slice(100..)]);
    assert_eq!(machine.restore(&pieces), Err(Malformed));

    let restored = |first, next, behind| {
        let backlog = backlog::Backlog::of_segments([].into(), b"\x01x\x01y".to_vec(), behind);
        Queue::restored(QueueId(1), label("a"), first, next, backlog).map(|queue| queue.top())
    };
    assert_eq!(restored(7, 9, 0), Ok(Some((7, Bytes::from("x")))));
    assert_eq!(restored(8, 9, 2), Ok(Some((8, Bytes::from("y")))));
    for (first, next, behind) in [(7, 8, 0), (7, 10, 0), (0, 2, 0), (9, 7, 0), (7, 9, 2), (7, 9, 1), (9, 9, 4)] {
        assert_eq!(restored(first, next, behind), Err(Malformed));
    }
}
