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
            "11 queue full",
            "12 paused",
            "13 no such lease",
            "14 bad option",
            "15 too many waits",
            "16 not a step",
            "17 not in the rules",
        ]
    );
    for error in Error::all() {
        assert_eq!(Error::numbered(error.number().into()), Some(error));
        let mut out = Vec::new();
        encode_reply(&Err(error), &mut out);
        assert_eq!(decode_reply(&Bytes::from(out)), Err(error));
    }
    assert_eq!(Error::numbered(0), None);
}

/// The bytes of each command, question and answer, as MessagePack: clients of later versions still say and
/// hear these. Who writes a client in another language may take them as test vectors.
#[test]
fn bytes_are_golden() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<alloc::string::String>();
    for (command, golden) in commands() {
        assert_eq!(hex(&command.encode()), golden, "{command:?}");
        assert_eq!(Command::decode(&command.encode()), Ok(command));
    }
    for (question, golden) in questions() {
        assert_eq!(hex(&question.encode()), golden, "{question:?}");
        assert_eq!(Question::decode(&question.encode()), Ok(question));
    }
    for (answer, golden) in answers() {
        let mut out = Vec::new();
        encode_reply(&Ok(answer.clone()), &mut out);
        assert_eq!(hex(&out), golden, "{answer:?}");
        assert_eq!(decode_reply(&Bytes::from(out)), Ok(answer));
    }
}

fn commands() -> Vec<(Command, &'static str)> {
    let (text, queue) = (label("ab"), QueueId(300));
    let items: Vec<_> = ["", "xyz"].map(Bytes::from).into();
    let receipts: Vec<_> = [Receipt { position: 7, token: 1000 }].into();
    let options = PushOptions { priority: 1, delay_ms: 2, ttl_ms: Some(3), key: Some(text.clone()) };
    let settings = Settings { items_max: Some(9), dead_letters: Some(queue), ..Settings::default() };
    let ack = Command::Ack { queue, receipts: receipts.clone() };
    [
        (Command::Create { label: text.clone() }, "9201a26162"),
        (Command::Destroy { queue }, "9202cd012c"),
        (many(300, items.clone()), "9303cd012c92c400c40378797a"),
        (Command::Push { queue, items, options }, "9703cd012c92c400c40378797a010203a26162"),
        (Command::Pop { queue, count: 7, wait_ms: 1000 }, "9404cd012c07cd03e8"),
        (Command::GetId { name: text, count: 1 }, "9305a2616201"),
        (Command::Take { queue, count: 1, lease_ms: 2, wait_ms: 3 }, "9506cd012c010203"),
        (ack.clone(), "9307cd012c919207cd03e8"),
        (Command::Nack { queue, receipts: receipts.clone(), delay_ms: 5 }, "9408cd012c919207cd03e805"),
        (Command::Touch { queue, receipts, lease_ms: 5 }, "9409cd012c919207cd03e805"),
        (Command::Configure { queue, settings }, "970acd012c09c0c0cd012cce000927c0"),
        (Command::Pause { queue, paused: true }, "930bcd012cc3"),
        (Command::Purge { queue }, "920ccd012c"),
        (Command::SendBack { queue, count: 4 }, "930dcd012c04"),
        (Command::Steps([ack, push(1, b"x")].into()), "920e929307cd012c919207cd03e893030191c40178"),
        (Command::Limit(Limits { item_bytes_max: 5, memory_bytes_max: 6 }), "930f0506"),
    ]
    .into()
}

fn questions() -> Vec<(Question, &'static str)> {
    let queue = QueueId(300);
    [
        (Question::Id { label: label("ab") }, "9201a26162"),
        (Question::Top { queue }, "9202cd012c"),
        (Question::Size { queue }, "9203cd012c"),
        (Question::Summary, "9104"),
        (Question::Browse { queue, after: (4, 9), count: 2 }, "9505cd012c040902"),
        (Question::Statistics { queue }, "9206cd012c"),
        (Question::List { after: queue, count: 2 }, "9307cd012c02"),
        (Question::Next { name: label("ab") }, "9208a26162"),
    ]
    .into()
}

fn answers() -> Vec<(Answer, &'static str)> {
    let (queue, item) = (QueueId(300), Bytes::from("x"));
    let receipt = Receipt { position: 7, token: 1000 };
    let summary = Summary {
        queues: 1,
        sequences: 2,
        items: 3,
        memory_bytes: 4,
        memory_bytes_max: 5,
        rules: 2,
        digest: Digest(0x0102_0304),
    };
    let totals = Totals { pushed: 1, popped: 2, acked: 3, returned: 4, expired: 5, moved: 6, purged: 7 };
    let statistics = Statistics {
        label: label("ab"),
        size: Size { ready: 1, leased: 2, delayed: 3 },
        waiting: 4,
        bytes: 5,
        oldest_ms: None,
        paused: false,
        totals,
        settings: Settings::default(),
    };
    [
        (Answer::Queue(queue), "9201cd012c"),
        (Answer::Done { count: 3 }, "920203"),
        (Answer::Pushed { first: 5, count: 2 }, "93030502"),
        (Answer::Popped([(5, item.clone()), (7, Bytes::new())].into()), "9204929205c401789207c400"),
        (Answer::Top { position: 9, item: item.clone() }, "930509c40178"),
        (Answer::Size(Size { ready: 128, leased: 1, delayed: 2 }), "9406cc800102"),
        (Answer::Ids { first: 1, count: 3 }, "93070103"),
        (Answer::Summary(summary), "9808010203040502c41004030201000000000000000000000000"),
        (Answer::Taken([Delivery { receipt, deliveries: 2, item: item.clone() }].into()), "9209919407cd03e802c40178"),
        (Answer::Seen([Seen { priority: 4, position: 7, deliveries: 0, item }].into()), "920a9194040700c40178"),
        (Answer::Statistics(statistics), "dc00150ba261620102030405c0c201020304050607c0c0c0c0ce000927c0"),
        (Answer::Queues([(queue, label("ab"))].into()), "920c9192cd012ca26162"),
        (Answer::Steps([Answer::Done { count: 1 }, Answer::Queue(queue)].into()), "920d929202019201cd012c"),
    ]
    .into()
}

#[test]
fn what_is_wrong_with_a_request_is_its_answer() {
    let mut machine = Queues::new(Limits::default());
    let before = machine.digest();
    let mut say = |bytes: &[u8]| {
        let mut answer = Vec::new();
        machine.apply(Place::default(), Ticket::default(), &Bytes::copy_from_slice(bytes), usize::MAX, &mut answer);
        assert_eq!(machine.digest(), before);
        decode_reply(&Bytes::from(answer))
    };
    assert_eq!(say(b""), Err(Error::Malformed));
    assert_eq!(say(b"\x90"), Err(Error::Malformed), "an empty array");
    assert_eq!(say(b"\x91\x63"), Err(Error::Malformed), "a kind that there is not");
    assert_eq!(say(b"\x92\x02\x01\x00"), Err(Error::Malformed), "a byte is left over");
    assert_eq!(say(b"\x92\x01\xa5ab"), Err(Error::Malformed), "the label is cut off");
    assert_eq!(say(b"\x92\x01\xa1\x07"), Err(Error::BadLabel));
    assert_eq!(say(b"\x93\x05\xa0\x01"), Err(Error::BadLabel));
    assert_eq!(say(b"\x93\x03\x01\x95"), Err(Error::Malformed), "five items, and no byte for them");
    assert_eq!(say(b"\x93\x03\x01\xdd\xff\xff\xff\xff"), Err(Error::Malformed), "four thousand million items");
    assert_eq!(say(b"\x92\x0e\x91\x92\x0e\x90"), Err(Error::NotAStep), "steps in steps");
    assert_eq!(say(&alloc::vec![1; REQUEST_BYTES_MAX + 1]), Err(Error::RequestTooLarge));
}

/// Random bytes, and good ones with a few spoiled: an answer each, and a state that stays whole.
#[test]
fn random_bytes_are_answered() {
    let mut chance = Chance::new(7);
    let mut machine = Queues::new(Limits { item_bytes_max: 1000, memory_bytes_max: 1 << 20 });
    for number in 0..100_000 {
        let len = chance.below(24);
        let mut raw = if chance.below(2) == 0 {
            bytes(&mut chance, len).to_vec()
        } else {
            command(&mut chance, machine.next_queue - 1, 400).encode().to_vec()
        };
        for _ in 0..chance.below(3) {
            let at = chance.below(raw.len().max(1) as u64) as usize;
            if let Some(byte) = raw.get_mut(at) {
                *byte = chance.draw() as u8;
            }
        }
        let raw = Bytes::from(raw);
        let mut answer = Vec::new();
        machine.query(&raw, &mut answer);
        assert!(!answer.is_empty());
        answer.clear();
        // A pop may have got a time to wait.
        let ticket = Ticket { session: SessionId(1), number };
        let progress = machine.apply(Place::default(), ticket, &raw, usize::MAX, &mut answer);
        assert_eq!(answer.is_empty(), progress == Progress::Waiting);
        let _ = decode_reply(&raw);
    }
    reborn(&mut machine);
}
