//! The queues against a naive machine, through snapshots, and against bytes that nobody meant.
#![expect(clippy::cast_possible_truncation, reason = "the numbers that the tests draw are small")]

mod naive;
mod pieces;
mod rules;
mod wire;

use super::*;
use crate::chance::Chance;
use alloc::format;
use naive::Naive;

/// A label, which the test knows to be one.
fn label(text: &str) -> Label {
    Label::parse(text.as_bytes()).expect("a label")
}

/// A push of one item.
fn push(queue: u64, item: &[u8]) -> Command {
    Command::Push { queue: QueueId(queue), items: [Bytes::copy_from_slice(item)].into() }
}

/// `len` bytes that differ from draw to draw.
fn bytes(chance: &mut Chance, len: u64) -> Bytes {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < len {
        bytes.extend_from_slice(&chance.draw().to_le_bytes());
    }
    bytes.truncate(len as usize);
    Bytes::from(bytes)
}

/// Mostly short items, some that share a segment with few others, some that need several pieces.
fn item(chance: &mut Chance) -> Bytes {
    let len = match chance.below(1000) {
        0 => chance.below(200_000),
        1..=20 => 40_000 + chance.below(20_000),
        21..=100 => chance.below(3_000),
        _ => chance.below(60),
    };
    bytes(chance, len)
}

/// How many of a thousand commands are pushes: more than half as long as the tide comes in, less when it
/// goes out, so that queues grow long and run empty.
fn tide(step: u64) -> u64 {
    if (step / 1_500).is_multiple_of(2) { 750 } else { 250 }
}

/// A random command about few labels and few queues, so that they meet.
fn command(chance: &mut Chance, newest: u64, pushes: u64) -> Command {
    let queue = QueueId(newest.saturating_sub(chance.below(8)));
    let text = label(&format!("label {}", chance.below(8)));
    match chance.below(1000) {
        0..=1 => Command::Destroy { queue },
        2..=49 => Command::Create { label: text },
        n if n < 50 + pushes => {
            let items = if chance.below(20) == 0 { chance.below(40) } else { 1 };
            Command::Push { queue, items: (0..items).map(|_| item(chance)).collect() }
        }
        n if n < 920 => Command::Pop { queue, count: if chance.below(20) == 0 { chance.below(100) } else { 1 } },
        _ => {
            let count = if chance.below(500) == 0 { NUMBER_MAX - chance.below(1000) } else { chance.below(50) };
            Command::GetId { name: text, count }
        }
    }
}

/// What the machine answers as bytes, read back.
fn apply(machine: &mut Queues, command: &Command) -> Reply {
    let mut answer = Vec::new();
    machine.apply(Place::default(), &command.encode(), &mut answer);
    decode_reply(&Bytes::from(answer))
}

/// What the machine answers to a question as bytes, read back.
fn query(machine: &Queues, question: &Question) -> Reply {
    let mut answer = Vec::new();
    machine.query(&question.encode(), &mut answer);
    decode_reply(&Bytes::from(answer))
}

/// A machine restored from this one's pieces; it must be the same in everything that can be seen.
fn reborn(machine: &Queues) -> Queues {
    let pieces = machine.snapshot();
    assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= 48 << 10));
    let mut other = Queues::new(Limits { item_bytes_max: 1, memory_bytes_max: 1 });
    other.restore(&pieces).expect("its own pieces");
    assert_eq!(other.digest(), machine.digest());
    assert_eq!(other.snapshot(), pieces);
    other
}

/// 200,000 operations in a row of seeds, each with snapshots taken and restored in between: the segments
/// of the restored machine go on as those of the first one would.
#[test]
fn agrees_with_the_naive_machine() {
    let mut errors = Vec::new();
    for seed in 0..20 {
        let mut chance = Chance::new(seed);
        let limits = Limits { item_bytes_max: 150_000, memory_bytes_max: 1 << 20 };
        let (mut machine, mut naive, mut newest) = (Queues::new(limits), Naive::new(limits), 0);
        for step in 0..10_000 {
            let at = || format!("seed {seed}, step {step}");
            let command = command(&mut chance, newest, tide(step));
            let before = machine.digest();
            let reply = apply(&mut machine, &command);
            assert_eq!(reply, naive.execute(&command), "{}: {command:?}", at());
            match reply {
                Ok(Answer::Queue(queue)) => newest = newest.max(queue.0),
                Ok(_) => assert_ne!(machine.digest(), before, "{}: done, and the digest stands", at()),
                Err(error) => {
                    errors.push(error);
                    assert_eq!(machine.digest(), before, "{}: {error}, and the digest moved", at());
                }
            }
            let queue = QueueId(newest.saturating_sub(chance.below(8)));
            let text = label(&format!("label {}", chance.below(9)));
            for question in [Question::Id { label: text }, Question::Top { queue }, Question::Size { queue }] {
                assert_eq!(query(&machine, &question), naive.answer(&question), "{}: {question:?}", at());
            }
            if chance.below(200) == 0 {
                let Ok(Answer::Summary(expected)) = naive.answer(&Question::Summary) else { panic!("{}", at()) };
                assert_eq!(machine.summary(), Summary { digest: machine.digest(), ..expected }, "{}", at());
                let other = reborn(&machine);
                if chance.below(2) == 0 {
                    machine = other;
                }
            }
        }
    }
    for error in [
        Error::NoSuchQueue,
        Error::Empty,
        Error::BadCount,
        Error::ItemTooLarge,
        Error::MemoryLimit,
        Error::NumberExhausted,
    ] {
        assert!(errors.contains(&error), "no run met: {error}");
    }
}

/// A fixed history has a fixed digest and fixed pieces: whoever changes them changes what the slots of
/// running clusters mean, or their snapshots.
#[test]
fn a_fixed_history_has_a_golden_digest() {
    let mut machine = Queues::new(Limits::default());
    let mut chance = Chance::new(1);
    for step in 0..20_000 {
        let newest = machine.next_queue - 1;
        let _ = apply(&mut machine, &command(&mut chance, newest, tide(step)));
    }
    assert_eq!(format!("{:032x}", machine.digest().0), "2f11da400842771cec7a379d62fd0033");
    let pieces = xxhash_rust::xxh3::xxh3_128(&machine.snapshot().concat());
    assert_eq!(format!("{pieces:032x}"), "bc7c2abd9e9fc935cd193689d82026e7");
}
