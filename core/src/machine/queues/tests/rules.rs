//! The words of the operations, one by one, where chance would seldom look.

use super::*;

fn machine() -> Queues {
    let mut machine = Queues::new(Limits::default());
    assert_eq!(machine.execute(Command::Create { label: label("a") }), Ok(Answer::Queue(QueueId(1))));
    machine
}

#[test]
fn an_id_is_never_given_again() {
    let mut machine = machine();
    assert_eq!(machine.execute(Command::Create { label: label("a") }), Ok(Answer::Queue(QueueId(1))));
    assert_eq!(machine.execute(Command::Destroy { queue: QueueId(1) }), Ok(Answer::Destroyed));
    let mut machine = reborn(&machine);
    assert_eq!(machine.answer(&Question::Id { label: label("a") }), Err(Error::NoSuchLabel));
    assert_eq!(machine.execute(Command::Create { label: label("a") }), Ok(Answer::Queue(QueueId(2))));
    assert_eq!(machine.execute(push(1, b"late")), Err(Error::NoSuchQueue));
}

#[test]
fn an_item_of_no_bytes_is_not_empty() {
    let mut machine = machine();
    let pop = Command::Pop { queue: QueueId(1), count: 1 };
    assert_eq!(machine.execute(pop.clone()), Err(Error::Empty));
    assert_eq!(machine.execute(push(1, b"")), Ok(Answer::Pushed { first: 1, count: 1 }));
    assert_eq!(machine.answer(&Question::Size { queue: QueueId(1) }), Ok(Answer::Size { ready: 1 }));
    assert_eq!(machine.execute(pop), Ok(Answer::Popped { first: 1, items: [Bytes::new()].into() }));
    assert_eq!(machine.answer(&Question::Top { queue: QueueId(1) }), Err(Error::Empty));
}

/// 2^63 - 1 is the last number of everything; asking for one more changes nothing.
#[test]
fn numbers_end_at_the_largest_signed_one() {
    let mut machine = machine();
    let getid = |count| Command::GetId { name: label("n"), count };
    assert_eq!(machine.execute(getid(NUMBER_MAX + 1)), Err(Error::NumberExhausted));
    assert_eq!(machine.summary().sequences, 0);
    assert_eq!(machine.execute(getid(NUMBER_MAX - 1)), Ok(Answer::Ids { first: 1, count: NUMBER_MAX - 1 }));
    assert_eq!(machine.execute(getid(2)), Err(Error::NumberExhausted));
    assert_eq!(machine.execute(getid(1)), Ok(Answer::Ids { first: NUMBER_MAX, count: 1 }));
    assert_eq!(machine.execute(getid(1)), Err(Error::NumberExhausted));
    assert_eq!(machine.execute(getid(u64::MAX)), Err(Error::NumberExhausted));

    machine.next_queue = NUMBER_MAX;
    let last = Ok(Answer::Queue(QueueId(NUMBER_MAX)));
    assert_eq!(machine.execute(Command::Create { label: label("last") }), last);
    assert_eq!(machine.execute(Command::Create { label: label("over") }), Err(Error::NumberExhausted));
    assert_eq!(machine.execute(Command::Create { label: label("last") }), last);
    assert_eq!(reborn(&machine).execute(getid(1)), Err(Error::NumberExhausted));
}

#[test]
fn a_position_ends_there_too() {
    let backlog = backlog::Backlog::default();
    let mut queue = Queue::restored(QueueId(1), label("a"), NUMBER_MAX, NUMBER_MAX, backlog).expect("a queue");
    let two = [Bytes::new(), Bytes::new()];
    assert_eq!(queue.push(&two), Err(Error::NumberExhausted));
    assert_eq!(queue.size(), 0);
    assert_eq!(queue.push(&two[..1]), Ok(NUMBER_MAX));
    assert_eq!(queue.push(&two[..1]), Err(Error::NumberExhausted));
}

/// Pushes stop at the limit, whole; pops go on and make room for just as much.
#[test]
fn memory_is_limited_and_pops_make_room() {
    let limits = Limits { memory_bytes_max: 10_000, ..Limits::default() };
    let mut machine = Queues::new(limits);
    machine.execute(Command::Create { label: label("a") }).expect("room");
    let pushed = (0..).take_while(|_| machine.execute(push(1, &[7; 36])).is_ok()).count() as u64;
    assert_eq!(pushed, (10_000 - 1_537) / 100);
    assert_eq!(machine.execute(Command::Create { label: label("b") }), Err(Error::MemoryLimit));
    assert_eq!(machine.execute(Command::GetId { name: label("n"), count: 1 }), Err(Error::MemoryLimit));
    assert!(machine.execute(Command::Pop { queue: QueueId(1), count: 2 }).is_ok());
    let batch = |n| Command::Push { queue: QueueId(1), items: alloc::vec![Bytes::from_static(&[7; 36]); n] };
    assert_eq!(machine.execute(batch(3)), Err(Error::MemoryLimit));
    assert_eq!(machine.execute(batch(2)), Ok(Answer::Pushed { first: pushed + 1, count: 2 }));
    assert!(machine.summary().memory_bytes <= 10_000);
}

#[test]
fn a_pop_of_many_stops_at_its_bytes_but_gives_one() {
    let large = Limits { item_bytes_max: 4 << 20, ..Limits::default() };
    let mut machine = Queues::new(large);
    machine.execute(Command::Create { label: label("a") }).expect("room");
    for len in [2 << 20, 30 << 10, (18 << 10) - 8, 30 << 10, (18 << 10) - 7] {
        machine.execute(push(1, &alloc::vec![len as u8; len])).expect("room");
    }
    let mut pop = || match machine.execute(Command::Pop { queue: QueueId(1), count: 9 }) {
        Ok(Answer::Popped { first, items }) => (first, items.len()),
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
            machine.execute(push(1, item)).expect("room");
        }
        machine
    };
    assert_ne!(with(&[b"x", b"y"]).digest(), with(&[b"y", b"x"]).digest());
    assert_ne!(with(&[b"xy"]).digest(), with(&[b"x", b"y"]).digest());
    let mut one = with(&[b"x"]);
    one.execute(Command::Push { queue: QueueId(1), items: ["y", "z"].map(Bytes::from).into() }).expect("room");
    assert_eq!(one.digest(), with(&[b"x", b"y", b"z"]).digest());
    let (mut gone, mut never) = (with(&[b"x"]), machine());
    for machine in [&mut gone, &mut never] {
        machine.execute(Command::Destroy { queue: QueueId(1) }).expect("there");
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
