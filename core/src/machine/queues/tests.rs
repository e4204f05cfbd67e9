//! The queues by their words, through snapshots, and against bytes that nobody meant. The same against a
//! naive machine, with everything drawn at random, is the test `machine` of the package of tests.
#![expect(clippy::cast_possible_truncation, reason = "the numbers that the tests draw are small")]

mod pieces;
mod rules;
mod wire;

use super::*;
use crate::chance::Chance;
use crate::ids::{Digest, Slot};
use crate::machine::{Place, Progress, UnknownRules, Unrestored};
use crate::session::message::SessionId;
use alloc::format;
use alloc::vec::Vec;
use bytes::Bytes;

/// A label, which the test knows to be one.
fn label(text: &str) -> Label {
    Label::parse(text.as_bytes()).expect("a label")
}

/// A push of one item.
fn push(queue: u64, item: &[u8]) -> Command {
    many(queue, [Bytes::copy_from_slice(item)].into())
}

/// A push of several items.
fn many(queue: u64, items: Vec<Bytes>) -> Command {
    Command::Push { queue: QueueId(queue), items, options: PushOptions::default() }
}

/// A pop that does not wait.
fn pop(queue: u64, count: u64) -> Command {
    Command::Pop { queue: QueueId(queue), count, wait_ms: 0 }
}

impl Queues {
    /// Executes what does not wait.
    fn run(&mut self, command: Command) -> Reply {
        let Executed::Answered(reply) = self.execute(Ticket::default(), command, usize::MAX) else {
            panic!("a command that does not wait");
        };
        reply
    }
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
            many(queue.0, (0..items).map(|_| item(chance)).collect())
        }
        n if n < 920 => pop(queue.0, if chance.below(20) == 0 { chance.below(100) } else { 1 }),
        _ => {
            let count = if chance.below(500) == 0 { NUMBER_MAX - chance.below(1000) } else { chance.below(50) };
            Command::GetId { name: text, count }
        }
    }
}

/// A machine restored from this one's pieces; it must be the same in everything that can be seen.
fn reborn(machine: &mut Queues) -> Queues {
    let pieces = machine.snapshot();
    assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= 48 << 10));
    let mut other = Queues::new(Limits { item_bytes_max: 1, memory_bytes_max: 1 });
    other.restore(&pieces).expect("its own pieces");
    assert_eq!(other.digest(), machine.digest());
    assert_eq!(other.snapshot(), pieces);
    other
}
