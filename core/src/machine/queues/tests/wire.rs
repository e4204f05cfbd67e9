//! Bytes: what is written is read back, errors keep their numbers, and nothing panics.

use super::*;

#[test]
fn errors_keep_their_numbers_and_names() {
    let table: Vec<_> = Error::all().map(|error| format!("{} {error}", error.number())).collect();
    assert_eq!(
        table,
        [
            "1 malformed",
            "2 no such queue",
            "3 no such label",
            "4 empty",
            "5 bad label",
            "6 bad count",
            "7 item too large",
            "8 request too large",
            "9 memory limit",
            "10 number exhausted",
        ]
    );
    for error in Error::all() {
        assert_eq!(Error::numbered(error.number()), Some(error));
        let mut out = Vec::new();
        encode_reply(&Err(error), &mut out);
        assert_eq!(decode_reply(&Bytes::from(out)), Err(error));
    }
    assert_eq!(Error::numbered(0), None);
}

/// The bytes of each command, question and answer: clients of later versions still say and hear these.
#[test]
fn bytes_are_golden() {
    let (text, queue) = (label("ab"), QueueId(300));
    let items: Vec<_> = ["", "xyz"].map(Bytes::from).into();
    for (command, golden) in [
        (Command::Create { label: text.clone() }, b"\x01\x02ab".as_slice()),
        (Command::Destroy { queue }, b"\x02\xac\x02"),
        (Command::Push { queue, items: items.clone() }, b"\x03\xac\x02\x02\x00\x03xyz"),
        (Command::Pop { queue, count: 7 }, b"\x04\xac\x02\x07"),
        (Command::GetId { name: text.clone(), count: 1 }, b"\x05\x02ab\x01"),
    ] {
        assert_eq!(command.encode(), golden);
        assert_eq!(Command::decode(&Bytes::copy_from_slice(golden)), Ok(command));
    }
    for (question, golden) in [
        (Question::Id { label: text }, b"\x01\x02ab".as_slice()),
        (Question::Top { queue }, b"\x02\xac\x02"),
        (Question::Size { queue }, b"\x03\xac\x02"),
        (Question::Summary, b"\x04"),
    ] {
        assert_eq!(question.encode(), golden);
        assert_eq!(Question::decode(&Bytes::copy_from_slice(golden)), Ok(question));
    }
    let summary = Queues::new(Limits { item_bytes_max: 1, memory_bytes_max: 2 }).summary();
    let mut summary_bytes = b"\x08\x00\x00\x00\x00\x02".to_vec();
    summary_bytes.extend_from_slice(&summary.digest.0.to_le_bytes());
    for (answer, golden) in [
        (Answer::Queue(queue), b"\x01\xac\x02".as_slice()),
        (Answer::Destroyed, b"\x02"),
        (Answer::Pushed { first: 5, count: 2 }, b"\x03\x05\x02"),
        (Answer::Popped { first: 5, items }, b"\x04\x05\x02\x00\x03xyz"),
        (Answer::Top { position: 9, item: Bytes::from("x") }, b"\x05\x09\x01x"),
        (Answer::Size { ready: 128 }, b"\x06\x80\x01"),
        (Answer::Ids { first: 1, count: 3 }, b"\x07\x01\x03"),
        (Answer::Summary(summary), &summary_bytes),
    ] {
        let mut out = Vec::new();
        encode_reply(&Ok(answer.clone()), &mut out);
        assert_eq!(out, golden);
        assert_eq!(decode_reply(&Bytes::from(out)), Ok(answer));
    }
}

#[test]
fn what_is_wrong_with_a_request_is_its_answer() {
    let mut machine = Queues::new(Limits::default());
    let before = machine.digest();
    let mut say = |bytes: &[u8]| {
        let mut answer = Vec::new();
        machine.apply(Place::default(), &Bytes::copy_from_slice(bytes), &mut answer);
        assert_eq!(machine.digest(), before);
        decode_reply(&Bytes::from(answer))
    };
    assert_eq!(say(b""), Err(Error::Malformed));
    assert_eq!(say(b"\x09"), Err(Error::Malformed));
    assert_eq!(say(b"\x02\x01\x00"), Err(Error::Malformed), "a byte is left over");
    assert_eq!(say(b"\x01\x05ab"), Err(Error::Malformed), "the label is cut off");
    assert_eq!(say(b"\x01\x01\x07"), Err(Error::BadLabel));
    assert_eq!(say(b"\x05\x00\x01"), Err(Error::BadLabel));
    assert_eq!(say(b"\x03\x01\x05"), Err(Error::Malformed), "five items, and no byte for them");
    assert_eq!(say(b"\x03\x01\xff\xff\xff\xff\x0f"), Err(Error::BadCount));
    assert_eq!(say(&alloc::vec![1; REQUEST_BYTES_MAX + 1]), Err(Error::RequestTooLarge));
}

/// Random bytes, and good ones with a few spoiled: an answer each, and a state that stays whole.
#[test]
fn random_bytes_are_answered() {
    let mut chance = Chance::new(7);
    let mut machine = Queues::new(Limits { item_bytes_max: 1000, memory_bytes_max: 1 << 20 });
    for _ in 0..100_000 {
        let len = chance.below(24);
        let mut raw = if chance.below(2) == 0 {
            bytes(&mut chance, len).to_vec()
        } else {
            command(&mut chance, machine.next_queue - 1, 400).encode().to_vec()
        };
        for _ in 0..chance.below(3) {
            let at = chance.below(raw.len() as u64) as usize;
            if let Some(byte) = raw.get_mut(at) {
                *byte = chance.draw() as u8;
            }
        }
        let raw = Bytes::from(raw);
        let mut answer = Vec::new();
        machine.query(&raw, &mut answer);
        assert!(!answer.is_empty());
        answer.clear();
        machine.apply(Place::default(), &raw, &mut answer);
        assert!(!answer.is_empty());
        let _ = decode_reply(&raw);
    }
    reborn(&machine);
}
