//! Sessions around the machine against naive ones around the naive machine, with limits that are met all the
//! time: whatever clients do, both do the same, and what is kept stays in its bounds.
#![expect(clippy::cast_possible_truncation, reason = "the numbers that the test draws are small")]

use bytes::Bytes;
use ftq_core::chance::Chance;
use ftq_core::ids::Slot;
use ftq_core::machine::Place;
use ftq_core::machine::queues::{self, Command, Label, PushOptions, QueueId, Queues, Receipt};
use ftq_core::session::message::{Outcome, Request, SessionId};
use ftq_core::session::table::{Applied, Limits, Sessions};
use ftq_core::time::{SlotClock, Span};
use ftq_tests::checkers::reference::{Execution, Reference};
use std::collections::BTreeMap;

/// How many requests a plain `cargo test` orders; `FTQ_MACHINE_STEPS` says otherwise.
const STEPS: u64 = 200_000;

/// How many sessions there may be.
const SESSIONS: u64 = 6;

const LIMITS: Limits = Limits {
    expiry: Span::millis(400),
    sessions_max: SESSIONS as usize,
    session_bytes_max: 6_000,
    bytes_max: 14_000,
    share_bytes: 500,
};

/// What an entry is charged.
const ENTRY: usize = 64;

/// Both, and what clients would know.
struct Pair {
    chance: Chance,
    sessions: Sessions<Queues>,
    reference: Reference,
    slot: u64,
    position: u32,
    clock: SlotClock,
    opened: Vec<SessionId>,
    /// How far clients have settled, and the highest number that they have used.
    numbers: BTreeMap<SessionId, (u64, u64)>,
    met: BTreeMap<&'static str, u64>,
}

impl Pair {
    fn new(seed: u64) -> Pair {
        let room = queues::Limits { item_bytes_max: 4_000, memory_bytes_max: 60_000 };
        Pair {
            chance: Chance::new(seed),
            sessions: Sessions::with_limits(Queues::new(room), LIMITS),
            reference: Reference::with_limits(2, room, LIMITS),
            slot: 0,
            position: 0,
            clock: SlotClock(0),
            opened: vec![SessionId(1)],
            numbers: BTreeMap::new(),
            met: BTreeMap::new(),
        }
    }

    fn advance(&mut self) {
        self.reference.end_slot();
        self.slot += 1;
        self.position = 0;
        let ms = if self.chance.below(60) == 0 { 250 } else { self.chance.below(4) };
        self.clock = SlotClock(self.clock.0 + ms * 1_000);
        self.sessions.advance(Slot(self.slot), self.clock);
        self.reference.advance(Slot(self.slot), self.clock);
        self.compare_completed();
    }

    fn step(&mut self) {
        let request = self.request();
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        self.position += 1;
        let place = Place { slot: self.slot, position: self.position };
        let applied = self.sessions.apply(place, &Bytes::from(bytes));
        let execution = self.reference.execute(place, &request);
        self.compare(&applied, &execution);
        self.compare_completed();
        self.hold_bounds();
    }

    fn compare(&mut self, applied: &Applied, execution: &Execution) {
        let seen = match applied {
            Applied::Opened { session, .. } => {
                self.opened.push(*session);
                Execution::Opened
            }
            Applied::Full { .. } => Execution::Full,
            Applied::Closed { .. } => Execution::Closed,
            Applied::Waiting { repeated: true, .. } | Applied::Answered { repeated: true, .. } => Execution::Repeated,
            Applied::Waiting { .. } => Execution::Waiting,
            Applied::Answered { session, number, place, outcome, .. } => match outcome {
                Outcome::Done(answer) => {
                    let done = self.reference.done(*session, *number).expect("an answer of the reference");
                    assert_eq!((done.place, &done.answer), (*place, answer));
                    Execution::Done { command: done.command.clone() }
                }
                Outcome::NoSession => Execution::NoSession,
                Outcome::Settled => Execution::Settled,
                Outcome::AheadOfWindow => Execution::AheadOfWindow,
            },
            Applied::Ruled { .. } => Execution::Ruled,
            Applied::Limited => Execution::Limited,
            Applied::UnknownRules(_) | Applied::Malformed => panic!("a request that was encoded, of known rules"),
        };
        assert_eq!(&seen, execution, "{applied:?}");
        let name = match execution {
            Execution::Opened => "opened",
            Execution::Full => "full",
            Execution::Done { .. } => "done",
            Execution::Waiting => "waiting",
            Execution::Repeated => "repeated",
            Execution::Settled => "settled",
            Execution::AheadOfWindow => "ahead of the window",
            Execution::NoSession => "no session",
            Execution::Closed => "closed",
            Execution::Ruled => "ruled",
            Execution::Limited => "limited",
        };
        *self.met.entry(name).or_default() += 1;
    }

    /// Whoever waited got the same, and is the same in both.
    fn compare_completed(&mut self) {
        let mut answered = self.reference.take_answered();
        while let Some(completed) = self.sessions.completed() {
            let Applied::Answered { session, number, place, outcome, .. } = completed else { panic!("an answer") };
            let Outcome::Done(answer) = outcome else {
                *self.met.entry("a wait without an answer").or_default() += 1;
                assert!(self.reference.done(session, number).is_none());
                continue;
            };
            let done = self.reference.done(session, number).expect("an answer of the reference");
            assert_eq!((done.place, &done.answer), (place, &answer));
            let at = answered.iter().position(|name| *name == (session, number));
            answered.remove(at.expect("it was answered just now"));
        }
        assert!(answered.len() <= 1, "all but a command that did not wait");
        assert_eq!(self.sessions.len(), self.reference.session_count());
        assert_eq!(self.sessions.kept_bytes() as u64, self.reference.kept_by_all());
    }

    /// What sessions may keep is what they say.
    fn hold_bounds(&self) {
        let bound = LIMITS.bytes_max + LIMITS.sessions_max * (2 * LIMITS.share_bytes + ENTRY);
        assert!(self.sessions.kept_bytes() <= bound, "{} of {bound}", self.sessions.kept_bytes());
        for session in self.opened.iter().filter(|session| self.reference.has_session(**session)) {
            let (kept, bound) =
                (self.reference.kept_by(*session), LIMITS.session_bytes_max + LIMITS.share_bytes + ENTRY);
            assert!(kept <= bound as u64, "{kept} of {bound}");
        }
    }

    fn reborn(&mut self) {
        let pieces = self.sessions.snapshot();
        let mut other = Sessions::with_limits(Queues::new(queues::Limits::default()), LIMITS);
        other.restore(&pieces).expect("its own pieces");
        assert_eq!(other.digest(), self.sessions.digest());
        assert_eq!(other.machine().summary(), self.sessions.machine().summary());
        self.sessions = other;
    }

    fn request(&mut self) -> Request {
        let newest = self.opened.len() as u64;
        let session = self.opened[(newest - 1 - self.chance.below(newest.min(SESSIONS + 1))) as usize];
        match self.chance.below(200) {
            0..=7 => Request::Open { nonce: [self.chance.below(12) as u8; 16] },
            8 => Request::Close { session },
            9 => Request::Memory { bytes: 20_000 + self.chance.below(60_000) },
            10 => Request::Rules { version: 1 + self.chance.below(2) },
            _ => {
                let command = self.command().encode();
                let (floor, last) = self.numbers.entry(session).or_default();
                match self.chance.below(30) {
                    0..=2 => *floor = *last,
                    3 => *floor += self.chance.below(1 + *last - *floor),
                    _ => {}
                }
                let number = match self.chance.below(30) {
                    0 => *last + self.chance.below(1_500),
                    1..=4 => *floor + 1,
                    5..=8 => *floor + self.chance.below(2 + *last - *floor),
                    _ => *last + 1,
                };
                if number < *floor + 1_000 {
                    *last = (*last).max(number);
                }
                Request::Call { session, number, floor: *floor, command }
            }
        }
    }

    fn command(&mut self) -> Command {
        let queue = QueueId(1 + self.chance.below(2));
        let wait_ms = if self.chance.below(2) == 0 { 0 } else { 1 + self.chance.below(300) };
        match self.chance.below(12) {
            0 => Command::Create { label: Label::parse(&[b'a' + self.chance.below(2) as u8]).expect("a label") },
            1..=4 => {
                let len = [10, 100, 1_000, 4_000][self.chance.below(4) as usize];
                let items = vec![Bytes::from(vec![7; len]); 1 + self.chance.below(3) as usize];
                Command::Push { queue, items, options: PushOptions::default() }
            }
            5 | 6 => Command::Pop { queue, count: 1 + self.chance.below(4), wait_ms },
            7 | 8 => {
                Command::Take { queue, count: 1 + self.chance.below(4), lease_ms: 1 + self.chance.below(400), wait_ms }
            }
            9 => {
                let receipts = vec![Receipt { position: self.chance.below(50), token: self.chance.below(50) }];
                Command::Nack { queue, receipts, delay_ms: 0 }
            }
            10 => Command::Pause { queue, paused: self.chance.below(3) == 0 },
            _ => Command::Steps(vec![Command::GetId { name: Label::parse(b"n").expect("a name"), count: 1 }; 3]),
        }
    }
}

#[test]
fn sessions_do_what_naive_ones_do_and_keep_no_more_than_they_may() {
    let steps = std::env::var("FTQ_MACHINE_STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(STEPS);
    let mut met: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..steps.div_ceil(5_000) {
        let mut pair = Pair::new(seed);
        pair.advance();
        for step in 0..5_000 {
            let at = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                if pair.chance.below(4) == 0 {
                    pair.advance();
                }
                pair.step();
                if pair.chance.below(200) == 0 {
                    pair.reborn();
                }
            }));
            assert!(at.is_ok(), "seed {seed}, step {step}");
        }
        pair.met.into_iter().for_each(|(what, count)| *met.entry(what).or_default() += count);
    }
    assert_eq!(met.len(), 12, "not all was met: {met:?}");
}
