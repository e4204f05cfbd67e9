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
    let mut machine = reborn(&machine);
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
    assert_eq!(reborn(&machine).run(getid(1)), Err(Error::NumberExhausted));
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
    assert_eq!(reborn(&machine).digest(), machine.digest());
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
