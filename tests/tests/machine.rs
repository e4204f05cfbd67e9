//! The machine against a naive one, through the slot clock and through snapshots.
#![expect(clippy::cast_possible_truncation, reason = "the numbers that the test draws are small")]

use bytes::Bytes;
use ftq_core::chance::Chance;
use ftq_core::ids::Slot;
use ftq_core::machine::queues::{
    Answer, Command, Error, Executed, Label, Limits, NUMBER_MAX, PushOptions, Question, QueueId, Queues, Receipt,
    Reply, Rules, Settings, Summary, decode_reply,
};
use ftq_core::machine::{Completion, Machine, Place, Progress, SHORT_ANSWER, Ticket};
use ftq_core::session::message::SessionId;
use ftq_core::time::{SlotClock, Span};
use ftq_tests::checkers::reference::queues::Naive;

/// How many operations a plain `cargo test` does; `FTQ_MACHINE_STEPS` says otherwise.
const STEPS: u64 = 300_000;

/// How many sessions there are.
const SESSIONS: u64 = 5;

/// Both machines, and what was seen of them.
struct Pair {
    chance: Chance,
    machine: Queues,
    naive: Naive,
    slot: u64,
    clock: SlotClock,
    numbers: u64,
    /// Of the newest queues.
    newest: u64,
    /// Receipts that were given, some of which are still good.
    receipts: Vec<(QueueId, Receipt)>,
    errors: Vec<Error>,
    dead: u64,
    /// What the answers take that are kept around both.
    kept: u64,
    /// How often there was no room for an answer, at once or after a wait.
    no_room: u64,
    late_no_room: u64,
}

/// How much room there is for the answer to a command: mostly enough, for some little or none.
fn room(ticket: Ticket) -> usize {
    match ticket.number % 23 {
        0 => 0,
        1 => 100,
        2 => 1_000,
        3 => 50_000,
        _ => 1 << 24,
    }
}

impl Pair {
    fn new(seed: u64) -> Pair {
        Pair::under(Rules::NEWEST, seed)
    }

    fn under(rules: Rules, seed: u64) -> Pair {
        let limits = Limits { item_bytes_max: 150_000, memory_bytes_max: 300_000 };
        let mut machine = Queues::of_build(Rules::NEWEST, limits);
        machine.switch_rules(rules.number()).expect("rules that are known");
        Pair {
            chance: Chance::new(seed),
            machine,
            naive: Naive::new(rules.number(), limits),
            slot: 0,
            clock: SlotClock(0),
            numbers: 0,
            newest: 0,
            receipts: Vec::new(),
            errors: Vec::new(),
            dead: 0,
            kept: 0,
            no_room: 0,
            late_no_room: 0,
        }
    }

    /// A slot begins, and now and then a session has ended by then.
    fn advance(&mut self) {
        self.slot += 1;
        let ms = [0, 1, 1, 5, 40, 400][self.chance.below(6) as usize];
        // Sometimes just when something is due, and the microsecond before.
        let due =
            self.naive.deadline().filter(|_| self.chance.below(4) == 0).map(|at| at.0 - self.chance.below(2).min(at.0));
        self.clock = SlotClock(due.unwrap_or(0).max(self.clock.0 + ms * 1_000));
        assert_eq!(self.machine.deadline(), self.naive.deadline());
        self.machine.advance(Slot(self.slot), self.clock);
        self.naive.advance(self.clock);
        if self.chance.below(20) == 0 {
            let gone = [SessionId(self.chance.below(SESSIONS)), SessionId(SESSIONS)];
            self.machine.end_sessions(&gone);
            self.naive.end_sessions(&gone);
        }
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            self.compare_completed();
            let more = self.machine.settle();
            assert_eq!(more, self.naive.settle());
            if !more {
                break;
            }
        }
        self.kept = if self.chance.below(20) == 0 { self.chance.below(300_000) } else { 0 };
        self.machine.keeps(self.kept);
        self.naive.keeps(self.kept);
    }

    fn step(&mut self) {
        let command = self.command();
        self.numbers += 1;
        let ticket = Ticket { session: SessionId(self.chance.below(SESSIONS)), number: self.numbers };
        let before = self.machine.digest();
        let mut answer = Vec::new();
        let room = room(ticket);
        let executed = match self.machine.apply(Place::default(), ticket, &command.encode(), room, &mut answer) {
            Progress::Answered => Executed::Answered(decode_reply(&Bytes::from(answer.clone()))),
            Progress::Waiting => Executed::Waits,
            Progress::NoRoom => Executed::NoRoom,
        };
        assert!(answer.len() <= room.max(SHORT_ANSWER), "{} bytes in a room of {room}", answer.len());
        assert_eq!(executed, self.naive.execute(ticket, &command, room), "{command:?}");
        self.no_room += u64::from(executed == Executed::NoRoom);
        let stands = || assert_eq!(self.machine.digest(), before, "nothing is done, and the digest moved: {command:?}");
        match &executed {
            Executed::Answered(Ok(answer)) => self.learn(&command, answer),
            Executed::Answered(Err(error)) => {
                stands();
                self.errors.push(*error);
            }
            Executed::NoRoom => stands(),
            Executed::Waits => assert_ne!(self.machine.digest(), before, "somebody waits, and the digest stands"),
        }
        self.settle();
        if self.chance.below(30) == 0 {
            self.machine.abandon(Ticket { number: ticket.number - 1, ..ticket });
            self.naive.abandon(Ticket { number: ticket.number - 1, ..ticket });
        }
    }

    fn compare_completed(&mut self) {
        while let Some((ticket, reply)) = self.naive.completed(room) {
            let Completion { ticket: own, answer } = self.machine.completed(room).expect("the end of a wait");
            self.late_no_room += u64::from(answer.is_none());
            let fits = answer.as_ref().is_none_or(|answer| answer.len() <= room(ticket).max(SHORT_ANSWER));
            assert!(fits, "an answer of {answer:?}");
            let answer = answer.map(|answer| decode_reply(&Bytes::from(answer)));
            assert_eq!((own, &answer), (ticket, &reply));
            if let Some(Ok(Answer::Taken(deliveries))) = answer {
                // Which queue it was does not matter: a receipt of another one is worth a try too.
                let queue = QueueId(self.newest);
                self.receipts.extend(deliveries.iter().map(|delivery| (queue, delivery.receipt)));
            }
        }
        assert_eq!(self.machine.completed(room), None);
    }

    fn learn(&mut self, command: &Command, answer: &Answer) {
        match (command, answer) {
            (_, Answer::Queue(queue)) => self.newest = self.newest.max(queue.0),
            (Command::Take { queue, .. }, Answer::Taken(deliveries)) => {
                self.receipts.extend(deliveries.iter().map(|delivery| (*queue, delivery.receipt)));
            }
            (Command::SendBack { .. }, Answer::Done { count }) => self.dead += count,
            _ => {}
        }
        let late = self.receipts.len().saturating_sub(40);
        self.receipts.drain(..late);
    }

    fn ask(&mut self) {
        let queue = self.queue();
        let after = (self.chance.below(9) as u8, self.chance.below(300));
        let count = self.chance.below(12);
        for question in [
            Question::Id { label: self.label() },
            Question::Top { queue },
            Question::Size { queue },
            Question::Browse { queue, after, count },
            Question::Browse { queue, after: (0, 0), count: 2_000 },
            Question::Statistics { queue },
            Question::List { after: queue, count },
            Question::Next { name: self.label() },
        ] {
            assert_eq!(self.query(&question), self.naive.answer(&question), "{question:?}");
        }
    }

    fn query(&self, question: &Question) -> Reply {
        let mut answer = Vec::new();
        self.machine.query(&question.encode(), &mut answer);
        decode_reply(&Bytes::from(answer))
    }

    /// A snapshot, restored, is the same in everything that can be seen, and goes on as the first would.
    fn reborn(&mut self) {
        let Ok(Answer::Summary(naive)) = self.naive.answer(&Question::Summary) else { panic!("a summary") };
        assert_eq!(self.machine.summary(), Summary { digest: self.machine.digest(), ..naive });
        let pieces = self.machine.snapshot();
        assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= 48 << 10));
        let mut other = Queues::new(Limits { item_bytes_max: 1, memory_bytes_max: 1 });
        other.restore(&pieces).expect("its own pieces");
        other.keeps(self.kept);
        assert_eq!(other.digest(), self.machine.digest());
        assert_eq!(other.snapshot(), pieces);
        assert_eq!(other.summary(), self.machine.summary());
        if self.chance.below(2) == 0 {
            self.machine = other;
        }
    }

    fn queue(&mut self) -> QueueId {
        QueueId(self.newest.saturating_sub(self.chance.below(5)))
    }

    fn label(&mut self) -> Label {
        Label::parse(format!("label {}", self.chance.below(6)).as_bytes()).expect("a label")
    }

    fn item(&mut self) -> Bytes {
        let len = match self.chance.below(1000) {
            0 => self.chance.below(200_000),
            1..=10 => 40_000 + self.chance.below(20_000),
            11..=60 => self.chance.below(3_000),
            _ => self.chance.below(40),
        };
        let fill = self.chance.draw().to_le_bytes();
        (0..len as usize).map(|at| fill[at % 8]).collect()
    }

    fn items(&mut self) -> Vec<Bytes> {
        let count = if self.chance.below(10) == 0 { self.chance.below(30) } else { 1 };
        (0..count).map(|_| self.item()).collect()
    }

    fn span(&mut self) -> u64 {
        match self.chance.below(40) {
            0 => 0,
            1 => u64::MAX,
            _ => 1 + self.chance.below(60),
        }
    }

    fn wait(&mut self) -> u64 {
        if self.chance.below(3) == 0 { self.span() } else { 0 }
    }

    fn count(&mut self) -> u64 {
        match self.chance.below(20) {
            0 => 0,
            1 => self.chance.below(100_000),
            2..=5 => 1 + self.chance.below(20),
            _ => 1,
        }
    }

    fn options(&mut self) -> PushOptions {
        if self.chance.below(3) > 0 {
            return PushOptions::default();
        }
        let priority = if self.chance.below(2) == 0 { 4 } else { self.chance.below(9) as u8 };
        let delay_ms = if self.chance.below(2) == 0 { self.span() } else { 0 };
        let ttl_ms = (self.chance.below(3) == 0).then(|| self.span());
        let key = (self.chance.below(3) == 0).then(|| self.label());
        PushOptions { priority, delay_ms, ttl_ms, key }
    }

    fn receipts(&mut self) -> (QueueId, Vec<Receipt>) {
        if self.receipts.is_empty() {
            return (self.queue(), Vec::new());
        }
        let at = self.chance.below(self.receipts.len() as u64) as usize;
        let (queue, receipt) = self.receipts[at];
        if self.chance.below(4) > 0 {
            return (queue, vec![receipt]);
        }
        let wild = Receipt { position: self.chance.below(50), token: self.chance.below(500) };
        let mut some: Vec<Receipt> = self.receipts.iter().filter(|(of, _)| *of == queue).map(|(_, one)| *one).collect();
        some.truncate(self.chance.below(4) as usize);
        if self.chance.below(4) == 0 {
            some.push(wild);
        }
        (queue, some)
    }

    fn settings(&mut self) -> Settings {
        let mut few = |most: u64| (self.chance.below(2) == 0).then(|| self.chance.below(most));
        Settings {
            items_max: few(200),
            bytes_max: few(20_000),
            deliveries_max: few(4),
            dead_letters: few(4).map(|back| QueueId(self.newest.saturating_sub(back))),
            key_window_ms: self.span(),
        }
    }

    fn step_of_one(&mut self) -> Command {
        match self.chance.below(8) {
            0..=2 => Command::Push { queue: self.queue(), items: self.items(), options: self.options() },
            3 | 4 => {
                let (queue, receipts) = self.receipts();
                Command::Ack { queue, receipts }
            }
            5 => {
                let (queue, receipts) = self.receipts();
                let delay_ms = if self.chance.below(2) == 0 { 0 } else { self.span() };
                Command::Nack { queue, receipts, delay_ms }
            }
            6 => {
                let (queue, receipts) = self.receipts();
                Command::Touch { queue, receipts, lease_ms: self.span() }
            }
            _ if self.chance.below(20) == 0 => Command::Purge { queue: self.queue() },
            _ => {
                let many = self.chance.below(100) == 0;
                let count = if many { NUMBER_MAX - self.chance.below(1000) } else { self.chance.below(50) };
                Command::GetId { name: self.label(), count }
            }
        }
    }

    /// A random command about few labels and few queues, so that they meet.
    fn command(&mut self) -> Command {
        let pushes = if (self.numbers / 1_500).is_multiple_of(2) { 350 } else { 120 };
        match self.chance.below(1000) {
            0..=1 => Command::Destroy { queue: self.queue() },
            2..=29 => Command::Create { label: self.label() },
            30..=39 => Command::Configure { queue: self.queue(), settings: self.settings() },
            40..=54 => Command::Pause { queue: self.queue(), paused: self.chance.below(3) == 0 },
            55..=57 => Command::Purge { queue: self.queue() },
            58..=79 => Command::SendBack { queue: self.queue(), count: self.count() },
            80..=81 => Command::Limit(Limits {
                item_bytes_max: [0, 150_000][self.chance.below(2) as usize],
                memory_bytes_max: 300_000 - self.chance.below(10),
            }),
            82..=149 => Command::Steps((0..self.chance.below(5)).map(|_| self.step_of_one()).collect()),
            150..=399 => {
                let (queue, count, wait_ms) = (self.queue(), self.count(), self.wait());
                if self.chance.below(3) == 0 {
                    return Command::Pop { queue, count, wait_ms };
                }
                Command::Take { queue, count, lease_ms: self.span(), wait_ms }
            }
            n if n < 400 + pushes => {
                Command::Push { queue: self.queue(), items: self.items(), options: self.options() }
            }
            _ => self.step_of_one(),
        }
    }
}

/// Hundreds of thousands of operations in a row of seeds, each with snapshots taken and restored in
/// between; millions with `FTQ_MACHINE_STEPS=10000000`.
#[test]
fn agrees_with_the_naive_machine() {
    let steps = std::env::var("FTQ_MACHINE_STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(STEPS);
    let (mut errors, mut dead, mut no_room, mut late_no_room) = (Vec::new(), 0, 0, 0);
    for seed in 0..steps.div_ceil(10_000) {
        let mut pair = Pair::new(seed);
        for step in 0..10_000 {
            let at = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                if pair.chance.below(3) == 0 {
                    pair.advance();
                }
                pair.step();
                if pair.chance.below(5) == 0 {
                    pair.ask();
                }
                if pair.chance.below(300) == 0 {
                    pair.reborn();
                }
            }));
            assert!(at.is_ok(), "seed {seed}, step {step}");
        }
        errors.append(&mut pair.errors);
        dead += pair.dead;
        no_room += pair.no_room;
        late_no_room += pair.late_no_room;
    }
    for error in Error::all() {
        // What is wrong with bytes, what a question is answered, and what takes too long here.
        let elsewhere = [
            Error::Malformed,
            Error::BadLabel,
            Error::RequestTooLarge,
            Error::NoSuchLabel,
            Error::TooManyWaits,
            Error::NotInRules,
        ];
        assert!(errors.contains(&error) || elsewhere.contains(&error), "no run met: {error}");
    }
    assert!(dead > 0, "no dead letter was sent back");
    assert!(no_room > 0 && late_no_room > 0, "there was room for every answer");
}

/// A fixed history of every operation has a fixed digest and fixed pieces under each version of the rules: whoever changes them changes what
/// the slots of running clusters mean, or their snapshots.
#[test]
fn a_fixed_history_has_a_golden_digest() {
    let golden = |rules: Rules| {
        let mut pair = Pair::under(rules, 1_000_000);
        for _ in 0..10_000 {
            if pair.chance.below(3) == 0 {
                pair.advance();
            }
            pair.step();
        }
        let pieces = xxhash_rust::xxh3::xxh3_128(&pair.machine.snapshot().concat());
        (format!("{:032x}", pair.machine.digest().0), format!("{pieces:032x}"))
    };
    let expected = |digest: &str, pieces: &str| (digest.to_owned(), pieces.to_owned());
    let newest = expected("aabaa2571f99b98d1e4ee5b7096ec669", "b1f4fdbe48afc9c99d04f3eb1ab53c60");
    assert_eq!(golden(Rules::NEWEST), newest);
    let first = expected("dd45e3cda449c9173aa1a385813d6fd4", "2c66382dddb9ab286409c2a67d7650b2");
    assert_eq!(golden(Rules::FIRST), first);
}

/// What is due while nothing happens is due in the order of time, also when the clock jumps over all of it.
#[test]
fn a_lease_that_ends_before_a_wait_serves_it() {
    let mut machine = Queues::new(Limits::default());
    let label = Label::parse(b"a").expect("a label");
    let run = |machine: &mut Queues, number: u64, command: Command| {
        machine.execute(Ticket { session: SessionId(1), number }, command, usize::MAX)
    };
    run(&mut machine, 1, Command::Create { label });
    let (queue, options) = (QueueId(1), PushOptions::default());
    run(&mut machine, 2, Command::Push { queue, items: vec![Bytes::from_static(b"x")], options });
    run(&mut machine, 3, Command::Take { queue, count: 1, lease_ms: 10, wait_ms: 0 });
    assert_eq!(run(&mut machine, 4, Command::Pop { queue, count: 1, wait_ms: 20 }), Executed::Waits);
    machine.advance(Slot(2), SlotClock(0) + Span::secs(100));
    assert!(machine.settle());
    let done = machine.completed(|_| usize::MAX).expect("the wait is over");
    assert_eq!(done.ticket.number, 4);
    let answer = done.answer.expect("there is room");
    assert_eq!(decode_reply(&Bytes::from(answer)), Ok(Answer::Popped(vec![(1, Bytes::from_static(b"x"))])));
}

/// Ending sessions costs what they hold: four times as many sessions with four times as many leases in one
/// queue take some four times as long, and not sixteen times.
#[test]
fn the_end_of_many_sessions_costs_what_they_hold() {
    let took = |sessions: u64| {
        let mut machine = Queues::new(Limits::default());
        let label = Label::parse(b"a").expect("a label");
        let mut number = 0;
        let mut run = |machine: &mut Queues, session: u64, command: Command| {
            number += 1;
            machine.execute(Ticket { session: SessionId(session), number }, command, usize::MAX)
        };
        run(&mut machine, 1, Command::Create { label });
        let (queue, items) = (QueueId(1), vec![Bytes::from_static(b"x"); 20]);
        for session in 1..=sessions {
            let (items, options) = (items.clone(), PushOptions::default());
            run(&mut machine, session, Command::Push { queue, items, options });
            run(&mut machine, session, Command::Take { queue, count: 20, lease_ms: 60_000, wait_ms: 0 });
        }
        let gone: Vec<_> = (1..=sessions).map(SessionId).collect();
        #[expect(clippy::disallowed_methods, reason = "it measures the real time that it takes")]
        let start = std::time::Instant::now();
        machine.end_sessions(&gone);
        for slot in 2.. {
            machine.advance(Slot(slot), SlotClock(slot));
            while machine.settle() {}
            if machine.deadline() > Some(SlotClock(slot)) || machine.deadline().is_none() {
                break;
            }
        }
        let took = start.elapsed();
        assert_eq!(
            machine
                .answer(&Question::Size { queue })
                .map(|size| matches!(size, Answer::Size(size) if size.leased == 0)),
            Ok(true)
        );
        took
    };
    let ratio = |_| took(4_000).as_secs_f64() / took(1_000).as_secs_f64();
    let least = (0..3).map(ratio).fold(f64::MAX, f64::min);
    assert!(least < 10.0, "four times as many take {least} times as long");
}
