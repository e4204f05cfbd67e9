//! What the machine costs alone: one thread, no I/O, no encoding of requests.

use bytes::Bytes;
use ftq_core::ids::Slot;
use ftq_core::machine::queues::{Command, Label, Limits, PushOptions, QueueId, Queues, Receipt};
use ftq_core::machine::{Machine, Place, Progress, Ticket};
use ftq_core::session::message::{Request, SessionId};
use ftq_core::session::table::{self, Sessions};
use ftq_core::time::{SlotClock, Span};
use std::ops::Range;
use std::time::Duration;

/// The one queue.
pub const QUEUE: QueueId = QueueId(1);

/// How many requests share a slot.
const SLOT: u64 = 64;

/// What some requests cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// How many.
    pub requests: u64,
    /// How long they took.
    pub took: Duration,
    /// How often memory was allocated.
    pub allocations: u64,
    /// How much more memory there is in use.
    pub bytes: i64,
}

/// A machine with a queue, driven as a replica does it.
#[derive(Debug)]
pub struct Bench {
    machine: Queues,
    applied: u64,
    answer: Vec<u8>,
}

impl Bench {
    /// With one queue, and room for everything.
    pub fn new() -> Bench {
        let limits = Limits { memory_bytes_max: 64 << 30, ..Limits::default() };
        let mut bench = Bench { machine: Queues::new(limits), applied: 0, answer: Vec::with_capacity(1 << 16) };
        bench.apply(&Command::Create { label: label("bench") }.encode());
        bench
    }

    /// Executes these commands, and says what that cost.
    pub fn measure(&mut self, commands: &[Bytes]) -> Cost {
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures the real time that it takes")]
        let start = std::time::Instant::now();
        let memory = allocation_counter::measure(|| commands.iter().for_each(|command| self.apply(command)));
        let took = start.elapsed();
        Cost { requests: commands.len() as u64, took, allocations: memory.count_total, bytes: memory.bytes_current }
    }

    /// Takes a snapshot: its pieces, and for how long the machine stood still.
    pub fn snapshot(&mut self) -> (Vec<Bytes>, Duration) {
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures the real time that it takes")]
        let start = std::time::Instant::now();
        let pieces = self.machine.snapshot();
        (pieces, start.elapsed())
    }

    /// The machine.
    pub fn machine(&self) -> &Queues {
        &self.machine
    }

    /// Executes one command, which must be answered.
    pub fn apply(&mut self, command: &Bytes) {
        if self.applied.is_multiple_of(SLOT) {
            let slot = self.applied / SLOT + 1;
            self.machine.advance(Slot(slot), SlotClock(0) + Span::millis(slot));
            while self.machine.settle() {}
        }
        self.applied += 1;
        self.answer.clear();
        let ticket = Ticket { session: SessionId(1), number: self.applied };
        let progress = self.machine.apply(Place::default(), ticket, command, usize::MAX, &mut self.answer);
        assert_eq!(progress, Progress::Answered, "nothing waits here");
        assert!(self.answer[1] != 0, "{command:?} is done");
    }
}

impl Default for Bench {
    fn default() -> Bench {
        Bench::new()
    }
}

/// Sessions around a machine, each of which pushes now and then.
#[derive(Debug)]
pub struct SessionsBench {
    sessions: Sessions<Queues>,
    opened: Vec<(SessionId, u64)>,
    slot: u64,
}

impl SessionsBench {
    /// So many sessions, open, and one queue.
    pub fn new(count: usize) -> SessionsBench {
        let limits = table::Limits { sessions_max: count, ..table::Limits::default() };
        let mut bench = SessionsBench {
            sessions: Sessions::with_limits(Queues::new(Limits::default()), limits),
            opened: Vec::new(),
            slot: 0,
        };
        for n in 0..count as u128 {
            let place = bench.apply(&Request::Open { nonce: n.to_le_bytes() });
            bench.opened.push((SessionId(place.slot << 16), 0));
        }
        bench
    }

    /// One session calls, and has settled all before.
    pub fn call(&mut self, n: usize) {
        let (session, number) = &mut self.opened[n];
        *number += 1;
        let (session, number) = (*session, *number);
        let command = getid();
        self.apply(&Request::Call { session, number, floor: number - 1, command });
    }

    /// Takes a snapshot: its pieces, and for how long everything stood still.
    pub fn snapshot(&mut self) -> (Vec<Bytes>, Duration) {
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures the real time that it takes")]
        let start = std::time::Instant::now();
        let pieces = self.sessions.snapshot();
        (pieces, start.elapsed())
    }

    fn apply(&mut self, request: &Request) -> Place {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        self.slot += 1;
        let place = Place { slot: self.slot, position: 0 };
        self.sessions.advance(Slot(self.slot), SlotClock(self.slot));
        self.sessions.apply(place, &Bytes::from(bytes));
        place
    }
}

/// A push of an item of so many bytes.
pub fn push(bytes: usize, options: PushOptions) -> Bytes {
    Command::Push { queue: QUEUE, items: vec![vec![7; bytes].into()], options }.encode()
}

/// So many pushes of items that all differ.
pub fn pushes(count: u64, bytes: usize, options: &PushOptions) -> Vec<Bytes> {
    let item = |n: u64| {
        let mut item = n.to_le_bytes().to_vec();
        item.resize(bytes, 7);
        Bytes::from(item)
    };
    let push = |n| Command::Push { queue: QUEUE, items: vec![item(n)], options: options.clone() }.encode();
    // What is shared once needs no memory for it later, when it is measured.
    (0..count).map(push).inspect(|push| drop(push.clone())).collect()
}

/// Pushes of alike items, each with a key of its own.
pub fn keyed_pushes(keys: Range<u64>, bytes: usize) -> Vec<Bytes> {
    keys.map(|n| push(bytes, PushOptions { key: Some(label(&format!("{n:012}"))), ..PushOptions::default() })).collect()
}

/// A pop of one item.
pub fn pop() -> Bytes {
    Command::Pop { queue: QUEUE, count: 1, wait_ms: 0 }.encode()
}

/// A take of one item, for an hour.
pub fn take() -> Bytes {
    Command::Take { queue: QUEUE, count: 1, lease_ms: 3_600_000, wait_ms: 0 }.encode()
}

/// The ack of a delivery: the first item has position 1, and the first delivery token 1.
pub fn ack(position: u64, token: u64) -> Bytes {
    Command::Ack { queue: QUEUE, receipts: vec![Receipt { position, token }] }.encode()
}

/// The end of a lease without an ack.
pub fn nack(position: u64, token: u64) -> Bytes {
    Command::Nack { queue: QUEUE, receipts: vec![Receipt { position, token }], delay_ms: 0 }.encode()
}

/// One number of a sequence.
pub fn getid() -> Bytes {
    Command::GetId { name: label("numbers"), count: 1 }.encode()
}

fn label(text: &str) -> Label {
    Label::parse(text.as_bytes()).unwrap_or_else(|_| unreachable!("a label"))
}
