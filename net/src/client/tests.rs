//! Every message comes back as it went, in the bytes that are written down here, and nothing else is taken.

mod pieces;
mod room;
mod rotation;
mod talk;
mod vectors;

use super::*;
use ftq_core::chance::Chance;

const NONCE: [u8; 16] = *b"0123456789abcdef";

fn requests() -> Vec<(ClientMessage, &'static str)> {
    let command = Bytes::from_static(b"do");
    let call = ClientMessage::Call {
        session: SessionId(0x1_0003),
        number: 300,
        floor: 299,
        wait_ms: 70_000,
        command: command.clone(),
    };
    vec![
        (ClientMessage::Open { nonce: NONCE, wait_ms: 5 }, "9301c4103031323334353637383961626364656605"),
        (call, "9602ce00010003cd012ccd012bce00011170c402646f"),
        (
            ClientMessage::Read { nonce: u64::MAX, local: true, wait_ms: 5, question: command },
            "9503cfffffffffffffffffc305c402646f",
        ),
        (ClientMessage::Close { session: SessionId(0x1_0003), wait_ms: 5 }, "9304ce0001000305"),
    ]
}

fn answers() -> Vec<(ServerMessage, &'static str)> {
    let answer = |outcome| ServerMessage::Answer {
        session: SessionId(9),
        number: 2,
        place: Place { slot: 700, position: 1 },
        outcome,
    };
    let refused = |request, refusal| ServerMessage::Refused { request, refusal };
    let call = RequestName::Call(SessionId(9), 2);
    vec![
        (ServerMessage::Opened { nonce: NONCE, session: SessionId(9) }, "9301c4103031323334353637383961626364656609"),
        (answer(Outcome::Done(Bytes::from_static(b"ok"))), "96020902cd02bc019200c4026f6b"),
        (answer(Outcome::NoSession), "96020902cd02bc019101"),
        (answer(Outcome::Settled), "96020902cd02bc019102"),
        (answer(Outcome::AheadOfWindow), "96020902cd02bc019103"),
        (ServerMessage::Closed { session: SessionId(9) }, "920809"),
        (ServerMessage::TryAnother { request: RequestName::Close(SessionId(9)) }, "9205920409"),
        (ServerMessage::ReadAnswer { nonce: 1, slot: 7, answer: Bytes::new() }, "94030107c400"),
        (refused(call, Refusal::NoQuorum), "9304930209029101"),
        (refused(RequestName::Read(4), Refusal::Busy { after_ms: 20 }), "9304920304920214"),
        (refused(call, Refusal::TooLarge), "9304930209029103"),
        (refused(call, Refusal::NotAllowed), "9304930209029104"),
        (refused(call, Refusal::DiskFull), "9304930209029105"),
        (
            ServerMessage::TryAnother { request: RequestName::Open(NONCE) },
            "92059201c41030313233343536373839616263646566",
        ),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_message_has_its_bytes() {
    for (message, golden) in requests() {
        let bytes = encode_request(&message);
        assert_eq!(hex(&bytes), golden);
        assert_eq!(decode_request(bytes), Ok(message));
    }
    for (message, golden) in answers() {
        let bytes = encode_answer(&message);
        assert_eq!(hex(&bytes), golden);
        assert_eq!(decode_answer(bytes), Ok(message));
    }
}

#[test]
fn what_is_cut_short_or_too_long_is_refused() {
    let cut = |bytes: Bytes, decodes: &dyn Fn(Bytes) -> Option<Malformed>| {
        for end in 0..bytes.len() {
            assert!(decodes(bytes.slice(..end)).is_some(), "{} of {}", end, hex(&bytes));
        }
        let longer = [&bytes[..], b"\0"].concat();
        assert_eq!(decodes(longer.into()), Some(Malformed::Trailing));
    };
    requests().iter().for_each(|(message, _)| cut(encode_request(message), &|bytes| decode_request(bytes).err()));
    answers().iter().for_each(|(message, _)| cut(encode_answer(message), &|bytes| decode_answer(bytes).err()));
}

#[test]
fn wrong_types_unknown_kinds_and_absurd_lengths_are_refused() {
    let refused = |bytes: &'static [u8]| decode_request(Bytes::from_static(bytes)).unwrap_err();
    assert_eq!(refused(b""), Malformed::Field);
    assert_eq!(refused(b"\x01"), Malformed::Field, "no array");
    assert_eq!(refused(b"\x90"), Malformed::Field, "an empty array");
    assert_eq!(refused(b"\x91\x01"), Malformed::Array { kind: 1, length: 1 });
    assert_eq!(refused(b"\x93\x09\x01\x01"), Malformed::Array { kind: 9, length: 3 });
    assert_eq!(refused(b"\x93\xcd\x01\x00\x01\x01"), Malformed::TooLarge, "kind 256");
    assert_eq!(refused(b"\xdd\xff\xff\xff\xff\x01"), Malformed::TooLarge, "four thousand million fields");
    assert_eq!(refused(b"\x93\x01\xc6\xff\xff\xff\xff"), Malformed::TooLarge, "a nonce of 4 GiB");
    assert_eq!(refused(b"\x93\x01\xc6\x00\x10\x00\x00"), Malformed::Field, "a nonce that is not there");
    assert_eq!(refused(b"\x93\x01\xc4\x01a\x05"), Malformed::Field, "a nonce of one byte");
    assert_eq!(refused(b"\x95\x03\x01\x01\x05\xc4\x00"), Malformed::Field, "1 is not true");
    assert_eq!(refused(b"\x95\x03\xff\xc3\x05\xc4\x00"), Malformed::Field, "a negative nonce");
    assert_eq!(refused(b"\x95\x03\x01\xc3\x05\xa0"), Malformed::Field, "text is not bytes");
}

#[test]
fn random_bytes_never_panic() {
    let mut chance = Chance::new(7);
    let seeds: Vec<Bytes> = requests()
        .iter()
        .map(|(message, _)| encode_request(message))
        .chain(answers().iter().map(|(message, _)| encode_answer(message)))
        .collect();
    let mut taken = 0;
    for _ in 0..200_000 {
        let pick = usize::try_from(chance.below(seeds.len() as u64)).unwrap();
        let mut bytes = seeds[pick].to_vec();
        for _ in 0..=chance.below(3) {
            let at = usize::try_from(chance.below(bytes.len() as u64)).unwrap();
            bytes[at] = chance.draw().to_le_bytes()[0];
        }
        let bytes = Bytes::from(bytes);
        if let Ok(message) = decode_request(bytes.clone()) {
            assert_eq!(decode_request(encode_request(&message)), Ok(message));
            taken += 1;
        }
        if let Ok(message) = decode_answer(bytes) {
            assert_eq!(decode_answer(encode_answer(&message)), Ok(message));
            taken += 1;
        }
    }
    assert!(taken > 1_000, "mutated messages are often still messages: {taken}");
}
