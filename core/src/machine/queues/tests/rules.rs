//! The words of the operations, one by one, where chance would seldom look.

use super::*;

fn machine() -> Queues {
    let mut machine = Queues::new(Limits::default());
    assert_eq!(machine.run(Command::Create { label: label("a") }), Ok(Answer::Queue(QueueId(1))));
    machine
}

#[test]
fn an_id_is_never_given_again() {
    let mut machine = machine();
    assert_eq!(machine.run(Command::Create { label: label("a") }), Ok(Answer::Queue(QueueId(1))));
    assert_eq!(machine.run(Command::Destroy { queue: QueueId(1) }), Ok(Answer::Done { count: 0 }));
    let mut machine = reborn(&mut machine);
    assert_eq!(machine.answer(&Question::Id { label: label("a") }), Err(Error::NoSuchLabel));
    assert_eq!(machine.run(Command::Create { label: label("a") }), Ok(Answer::Queue(QueueId(2))));
    assert_eq!(machine.run(push(1, b"late")), Err(Error::NoSuchQueue));
}

#[test]
fn an_item_of_no_bytes_is_not_empty() {
    let mut machine = machine();
    let pop = pop(1, 1);
    assert_eq!(machine.run(pop.clone()), Err(Error::Empty));
    assert_eq!(machine.run(push(1, b"")), Ok(Answer::Pushed { first: 1, count: 1 }));
    assert_eq!(
        machine.answer(&Question::Size { queue: QueueId(1) }),
        Ok(Answer::Size(Size { ready: 1, ..Size::default() }))
    );
    assert_eq!(machine.run(pop), Ok(Answer::Popped([(1, Bytes::new())].into())));
    assert_eq!(machine.answer(&Question::Top { queue: QueueId(1) }), Err(Error::Empty));
}

/// 2^63 - 1 is the last number of everything; asking for one more changes nothing.
#[test]
fn numbers_end_at_the_largest_signed_one() {
    let mut machine = machine();
    let getid = |count| Command::GetId { name: label("n"), count };
    assert_eq!(machine.run(getid(NUMBER_MAX + 1)), Err(Error::NumberExhausted));
    assert_eq!(machine.summary().sequences, 0);
    assert_eq!(machine.run(getid(NUMBER_MAX - 1)), Ok(Answer::Ids { first: 1, count: NUMBER_MAX - 1 }));
    assert_eq!(machine.run(getid(2)), Err(Error::NumberExhausted));
    assert_eq!(machine.run(getid(1)), Ok(Answer::Ids { first: NUMBER_MAX, count: 1 }));
    assert_eq!(machine.run(getid(1)), Err(Error::NumberExhausted));
    assert_eq!(machine.run(getid(u64::MAX)), Err(Error::NumberExhausted));

    machine.next_queue = NUMBER_MAX;
    let last = Ok(Answer::Queue(QueueId(NUMBER_MAX)));
    assert_eq!(machine.run(Command::Create { label: label("last") }), last);
    assert_eq!(machine.run(Command::Create { label: label("over") }), Err(Error::NumberExhausted));
    assert_eq!(machine.run(Command::Create { label: label("last") }), last);
    assert_eq!(reborn(&mut machine).run(getid(1)), Err(Error::NumberExhausted));
}

#[test]
fn a_position_ends_there_too() {
    let mut machine = machine();
    machine.change(QueueId(1), |queue| queue.next = NUMBER_MAX).expect("there");
    assert_eq!(machine.run(many(1, [Bytes::new(), Bytes::new()].into())), Err(Error::NumberExhausted));
    assert_eq!(machine.summary().items, 0);
    assert_eq!(machine.run(push(1, b"")), Ok(Answer::Pushed { first: NUMBER_MAX, count: 1 }));
    assert_eq!(machine.run(push(1, b"")), Err(Error::NumberExhausted));
    machine.next_token = NUMBER_MAX;
    let take = Command::Take { queue: QueueId(1), count: 1, lease_ms: 1, wait_ms: 0 };
    assert!(machine.run(take.clone()).is_ok());
    assert_eq!(machine.run(take), Err(Error::NumberExhausted));
    assert_eq!(reborn(&mut machine).digest(), machine.digest());
}

/// Pushes stop at the limit, whole; pops go on and make room for just as much.
#[test]
fn memory_is_limited_and_pops_make_room() {
    let limits = Limits { memory_bytes_max: 10_000, ..Limits::default() };
    let mut machine = Queues::new(limits);
    machine.run(Command::Create { label: label("a") }).expect("room");
    let pushed = (0..).take_while(|_| machine.run(push(1, &[7; 36])).is_ok()).count() as u64;
    assert_eq!(pushed, (10_000 - 1_537) / 100);
    assert_eq!(machine.run(Command::Create { label: label("b") }), Err(Error::MemoryLimit));
    assert_eq!(machine.run(Command::GetId { name: label("n"), count: 1 }), Err(Error::MemoryLimit));
    assert!(machine.run(pop(1, 2)).is_ok());
    let batch = |n| many(1, alloc::vec![Bytes::from_static(&[7; 36]); n]);
    assert_eq!(machine.run(batch(3)), Err(Error::MemoryLimit));
    assert_eq!(machine.run(batch(2)), Ok(Answer::Pushed { first: pushed + 1, count: 2 }));
    assert!(machine.summary().memory_bytes <= 10_000);
}

#[test]
fn a_pop_of_many_stops_at_its_bytes_but_gives_one() {
    let large = Limits { item_bytes_max: 4 << 20, ..Limits::default() };
    let mut machine = Queues::new(large);
    machine.run(Command::Create { label: label("a") }).expect("room");
    for len in [2 << 20, 30 << 10, (18 << 10) - 64, 30 << 10, (18 << 10) - 63] {
        machine.run(push(1, &alloc::vec![len as u8; len])).expect("room");
    }
    let mut pop = || match machine.run(pop(1, 9)) {
        Ok(Answer::Popped(items)) => (items[0].0, items.len()),
        other => panic!("{other:?}"),
    };
    assert_eq!([pop(), pop(), pop(), pop()], [(1, 1), (2, 2), (4, 1), (5, 1)]);
}

/// The digest is of the state, not of the way to it; and order counts.
#[test]
fn the_digest_tells_states_apart() {
    let with = |items: &[&[u8]]| {
        let mut machine = machine();
        for item in items {
            machine.run(push(1, item)).expect("room");
        }
        machine
    };
    assert_ne!(with(&[b"x", b"y"]).digest(), with(&[b"y", b"x"]).digest());
    assert_ne!(with(&[b"xy"]).digest(), with(&[b"x", b"y"]).digest());
    let mut one = with(&[b"x"]);
    one.run(many(1, ["y", "z"].map(Bytes::from).into())).expect("room");
    assert_eq!(one.digest(), with(&[b"x", b"y", b"z"]).digest());
    let (mut gone, mut never) = (with(&[b"x"]), machine());
    for machine in [&mut gone, &mut never] {
        machine.run(Command::Destroy { queue: QueueId(1) }).expect("there");
    }
    assert_eq!(gone.digest(), never.digest());
    assert_ne!(gone.digest(), Queues::new(Limits::default()).digest());
}

#[test]
fn labels_are_text_without_control_characters() {
    let longest = "x".repeat(255);
    for good in ["a", "ä λ 🂡", longest.as_str(), " "] {
        assert_eq!(Label::parse(good.as_bytes()).map(|label| label.as_str().len()), Ok(good.len()));
    }
    let longer = "x".repeat(256);
    for bad in [b"".as_slice(), b"a\n", b"\x00", "\u{85}".as_bytes(), b"\xff\xfe", longer.as_bytes()] {
        assert_eq!(Label::parse(bad), Err(Error::BadLabel));
    }
}

/// A machine with a queue of some items, each of one byte, and a session that asks.
struct Story {
    machine: Queues,
    asked: u64,
    ms: u64,
    completed: VecDeque<(u64, Reply)>,
}

impl Story {
    fn new(items: &[u8]) -> Story {
        let mut story = Story { machine: machine(), asked: 0, ms: 0, completed: VecDeque::new() };
        items.iter().for_each(|item| drop(story.run(1, push(1, &[*item])).expect("it is done")));
        story
    }

    /// A session asks; nothing if it waits.
    fn ask(&mut self, session: u64, command: Command) -> Option<Reply> {
        self.asked += 1;
        let ticket = Ticket { session: SessionId(session), number: self.asked };
        match self.machine.execute(ticket, command, usize::MAX) {
            Executed::Answered(reply) => Some(reply),
            Executed::Waits => None,
            Executed::NoRoom => panic!("there is room"),
        }
    }

    fn run(&mut self, session: u64, command: Command) -> Reply {
        self.ask(session, command).expect("it does not wait")
    }

    /// Takes one item.
    fn take(&mut self, session: u64, lease_ms: u64) -> (Receipt, u64, u8) {
        let take = Command::Take { queue: QueueId(1), count: 1, lease_ms, wait_ms: 0 };
        match self.run(session, take) {
            Ok(Answer::Taken(taken)) => (taken[0].receipt, taken[0].deliveries, taken[0].item[0]),
            other => panic!("{other:?}"),
        }
    }

    /// So much time passes.
    fn pass(&mut self, ms: u64) {
        self.ms += ms;
        self.machine.advance(Slot(self.ms), SlotClock(self.ms * 1_000));
        self.settle();
    }

    /// Does what is due, and notes who was answered after a wait.
    fn settle(&mut self) {
        loop {
            while let Some(done) = self.machine.completed(|_| usize::MAX) {
                let answer = done.answer.expect("there is room");
                self.completed.push_back((done.ticket.session.0, decode_reply(&Bytes::from(answer))));
            }
            if !self.machine.settle() {
                break;
            }
        }
    }

    /// Who was answered after a wait, and how.
    fn completed(&mut self) -> Option<(u64, Reply)> {
        self.settle();
        self.completed.pop_front()
    }

    fn size(&self, queue: u64) -> (u64, u64, u64) {
        match self.machine.answer(&Question::Size { queue: QueueId(queue) }) {
            Ok(Answer::Size(size)) => (size.ready, size.leased, size.delayed),
            other => panic!("{other:?}"),
        }
    }
}

fn settle(receipt: Receipt) -> (Command, Command) {
    let (queue, receipts) = (QueueId(1), Vec::from([receipt]));
    (Command::Ack { queue, receipts: receipts.clone() }, Command::Nack { queue, receipts, delay_ms: 0 })
}

/// What comes back stands where it stood, with a receipt that has grown; the old one is good for nothing.
#[test]
fn an_item_that_comes_back_keeps_its_place() {
    let mut story = Story::new(b"abc");
    let (first, _, a) = story.take(1, 100);
    let (second, _, b) = story.take(2, 1_000);
    assert_eq!((a, b), (b'a', b'b'));
    assert_eq!(story.machine.deadline(), Some(SlotClock(100_000)));
    story.pass(99);
    assert_eq!(story.size(1), (1, 2, 0));
    story.pass(1);
    let (again, deliveries, item) = story.take(2, 1_000);
    assert_eq!((deliveries, item), (2, b'a'));
    assert!(again.position == first.position && again.token > second.token);
    assert_eq!(story.run(1, settle(first).0), Err(Error::NoSuchLease));
    assert_eq!(story.run(2, settle(again).0), Ok(Answer::Done { count: 1 }));
    assert_eq!(story.run(2, settle(again).0), Err(Error::NoSuchLease), "it is gone");
    assert_eq!(story.run(2, settle(second).1), Ok(Answer::Done { count: 1 }));
    assert_eq!(story.take(1, 1).2, b'b');
    assert_eq!(story.take(1, 1).2, b'c');
}

/// With too many deliveries it is among the dead letters in the same slot, and who waits there has it.
#[test]
fn a_dead_letter_moves_at_once_and_can_be_sent_back() {
    let mut story = Story::new(b"a");
    let dead = story.run(1, Command::Create { label: label("dead") });
    assert_eq!(dead, Ok(Answer::Queue(QueueId(2))));
    let settings = Settings { deliveries_max: Some(2), dead_letters: Some(QueueId(2)), ..Settings::default() };
    story.run(1, Command::Configure { queue: QueueId(1), settings }).expect("a setting");
    for _ in 0..2 {
        let (receipt, _, _) = story.take(1, 10);
        story.run(1, settle(receipt).1).expect("a lease");
    }
    assert_eq!((story.size(1), story.size(2)), ((0, 0, 0), (1, 0, 0)));
    let items = story.machine.summary().items;
    assert_eq!(story.run(1, Command::SendBack { queue: QueueId(2), count: 9 }), Ok(Answer::Done { count: 1 }));
    assert_eq!((story.size(1), story.size(2), items), ((1, 0, 0), (0, 0, 0), 1));
    let wait = Command::Pop { queue: QueueId(2), count: 1, wait_ms: 1_000 };
    assert_eq!(story.ask(7, wait), None);
    for _ in 0..2 {
        story.take(1, 10);
        story.pass(10);
    }
    assert_eq!(story.completed(), Some((7, Ok(Answer::Popped([(2, Bytes::from("a"))].into())))));
    assert_eq!(reborn(&mut story.machine).summary().items, 0);
}

/// The first to ask is the first to get; destroying the queue tells the rest.
#[test]
fn who_waits_is_served_in_the_order_of_asking() {
    let mut story = Story::new(b"");
    let wait = |wait_ms| Command::Pop { queue: QueueId(1), count: 1, wait_ms };
    assert_eq!(story.run(1, wait(WAIT_MS_MAX + 1)), Err(Error::BadOption));
    for session in 1..=5 {
        assert_eq!(story.ask(session, wait(1_000 * session)), None);
    }
    story.machine = reborn(&mut story.machine);
    story.pass(1_000);
    assert_eq!(story.completed(), Some((1, Err(Error::Empty))));
    story.machine.abandon(Ticket { session: SessionId(2), number: 3 });
    story.run(9, many(1, ["x", "y"].map(Bytes::from).into())).expect("room");
    assert_eq!(story.completed().map(|(session, _)| session), Some(3));
    assert_eq!(story.completed().map(|(session, _)| session), Some(4));
    assert_eq!(story.completed(), None);
    story.run(9, Command::Destroy { queue: QueueId(1) }).expect("there");
    assert_eq!(story.completed(), Some((5, Err(Error::NoSuchQueue))));
    assert_eq!(story.machine.deadline(), None);
}

/// A session that ends gives back at once what it holds, and gets nothing any more.
#[test]
fn a_session_that_ends_holds_nothing() {
    let mut story = Story::new(b"ab");
    story.take(1, 60_000);
    story.take(2, 60_000);
    let wait = Command::Pop { queue: QueueId(1), count: 2, wait_ms: 60_000 };
    assert_eq!(story.ask(1, wait.clone()), None);
    assert_eq!(story.ask(3, wait), None);
    story.machine.end_sessions(&[SessionId(2), SessionId(1)]);
    let both = [(1, Bytes::from("a")), (2, Bytes::from("b"))];
    let got: Vec<_> = core::iter::from_fn(|| story.completed()).collect();
    assert_eq!(got, [(3, Ok(Answer::Popped(both[..1].to_vec())))], "what came back first is given at once");
    assert_eq!(story.size(1), (1, 0, 0));
    assert_eq!(story.run(1, pop(1, 1)), Ok(Answer::Popped(both[1..].to_vec())));
}

/// An ack here and a push there are one: neither is done without the other.
#[test]
fn steps_are_done_all_or_none() {
    let mut story = Story::new(b"a");
    let (receipt, _, _) = story.take(1, 100);
    let getid = |count| Command::GetId { name: label("n"), count };
    let steps = |last| Command::Steps([settle(receipt).0, push(1, b"b"), getid(2), last].into());
    let before = story.machine.digest();
    for (last, error) in [
        (settle(receipt).1, Error::NoSuchLease),
        (getid(NUMBER_MAX - 1), Error::NumberExhausted),
        (push(9, b"c"), Error::NoSuchQueue),
        (pop(1, 1), Error::NotAStep),
    ] {
        assert_eq!(story.run(1, steps(last)), Err(error));
        assert_eq!(story.machine.digest(), before);
    }
    let answers = [
        Answer::Done { count: 1 },
        Answer::Pushed { first: 2, count: 1 },
        Answer::Ids { first: 1, count: 2 },
        Answer::Ids { first: 3, count: 1 },
    ];
    assert_eq!(story.run(1, steps(getid(1))), Ok(Answer::Steps(answers.into())));
    assert_eq!(story.size(1), (1, 0, 0));
}

/// Two versions of the rules: the same commands, other answers, and a switch between two slots.
#[test]
fn rules_are_switched_by_the_log() {
    let steps = Command::Steps([Command::GetId { name: label("n"), count: 1 }].into());
    let mut machine = Queues::of_build(Rules::NEWEST, Limits::default());
    let newer = Queues::new(Limits::default());
    assert_ne!(machine.digest(), newer.digest(), "replicas under other rules differ at once");
    assert_eq!(machine.run(steps.clone()), Err(Error::NotInRules));
    let mut copy = reborn(&mut machine);
    assert_eq!(copy.run(steps.clone()), Err(Error::NotInRules), "a snapshot holds the version");
    assert_eq!(machine.switch_rules(3), Err(UnknownRules(3)));
    assert_eq!(machine.digest(), copy.digest());
    assert_eq!(machine.switch_rules(2), Ok(()));
    assert_eq!(machine.switch_rules(1), Ok(()), "a switch that comes late changes nothing");
    assert_eq!(machine.summary().rules, 2);
    assert!(machine.run(steps).is_ok());
    let mut pieces = machine.snapshot();
    let mut head = pieces[0].to_vec();
    head[1] = 3;
    pieces[0] = Bytes::from(head);
    let unknown = |version| Err(Unrestored::UnknownRules(UnknownRules(version)));
    assert_eq!(copy.restore(&pieces), unknown(3), "the state of rules that this build does not know");

    let mut older = Queues::of_build(Rules::FIRST, Limits::default());
    assert_eq!((older.newest_rules(), older.switch_rules(2)), (1, Err(UnknownRules(2))));
    assert_eq!(older.restore(&machine.snapshot()), unknown(2));
    assert_eq!(older.rules(), 1, "nothing has changed");
}

/// After a backup was restored, nothing is given that was given since it was made.
#[test]
fn a_restored_backup_gives_nothing_again() {
    let mut story = Story::new(b"ab");
    let getid = |name: &str, count| Command::GetId { name: label(name), count };
    story.run(1, getid("n", 5)).expect("room");
    story.run(1, getid("end", NUMBER_MAX - 10)).expect("room");
    let token = story.take(1, 100).0.token;
    let mut restored = reborn(&mut story.machine);
    restored.raise(RESTORE_STEP);
    assert_eq!(restored.run(getid("n", 1)), Ok(Answer::Ids { first: 6 + RESTORE_STEP, count: 1 }));
    assert_eq!(restored.run(getid("end", 1)), Err(Error::NumberExhausted), "it can't be raised so far");
    assert_eq!(restored.run(Command::Create { label: label("a") }), Ok(Answer::Queue(QueueId(1))));
    let created = restored.run(Command::Create { label: label("new") });
    assert_eq!(created, Ok(Answer::Queue(QueueId(2 + RESTORE_STEP))));
    let take = Command::Take { queue: QueueId(1), count: 1, lease_ms: 1, wait_ms: 0 };
    let Ok(Answer::Taken(taken)) = restored.run(take) else { panic!("an item") };
    assert_eq!(taken[0].receipt.token, token + 1 + RESTORE_STEP);
    assert_eq!(reborn(&mut restored).digest(), restored.digest());
}
