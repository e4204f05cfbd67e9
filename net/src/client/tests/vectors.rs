//! The test vectors that go with `PROTOCOL.md`, made by another implementation: ours says the same.

use super::*;
use crate::client::envelope::{Datagram, NamedKey, Seal, Side};
use crate::client::pieces::{Piece, Receipt};
use crate::keys::Keys;
use ftq_core::replica::{Changed, Inquiry, LogPage, SnapshotSeen, SnapshotTaken, Status, Views};
use std::fmt::Write;

const VECTORS: &str = include_str!("../../../vectors.txt");

fn bytes(hex: &str) -> Bytes {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    if hex == "-" { Bytes::new() } else { (0..hex.len()).step_by(2).map(digit).collect() }
}

/// The lines of one kind, without it.
fn vectors(kind: &str) -> Vec<&'static str> {
    let lines: Vec<&str> = VECTORS.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' ')).collect();
    assert!(!lines.is_empty(), "{kind}");
    lines
}

fn split(line: &str) -> (Bytes, &str) {
    let (first, rest) = line.split_once(' ').expect("two words");
    (bytes(first), rest)
}

/// What MessagePack bytes mean, bin as h'…'; each of the types that the protocol has.
fn meaning(bytes: &mut &[u8]) -> String {
    match bytes[0] {
        0xc2 | 0xc3 => rmp::decode::read_bool(bytes).unwrap().to_string(),
        0x90..=0x9f => {
            let length = rmp::decode::read_array_len(bytes).unwrap();
            let fields: Vec<String> = (0..length).map(|_| meaning(bytes)).collect();
            format!("[{}]", fields.join(", "))
        }
        0xc4 | 0xc5 => {
            let length = rmp::decode::read_bin_len(bytes).unwrap();
            let (bin, rest) = bytes.split_at(usize::try_from(length).unwrap());
            *bytes = rest;
            let mut text = String::from("h'");
            bin.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
            text + "'"
        }
        _ => rmp::decode::read_int::<u64, _>(bytes).unwrap().to_string(),
    }
}

fn means(bytes: &Bytes) -> String {
    meaning(&mut &bytes[..])
}

#[test]
fn messages_have_their_bytes() {
    for (bytes, expected) in vectors("request").into_iter().map(split) {
        let message = decode_request(bytes.clone()).expect(expected);
        if let ClientMessage::Read { question, .. } = &message {
            match (HostQuestion::read(question), Inquiry::read(question)) {
                (Some(asked), _) => assert_eq!(asked.encode(), question),
                (None, Some(inquiry)) => assert_eq!(inquiry.expect(expected).encode(), question),
                (None, None) => {}
            }
        }
        assert_eq!((encode_request(&message), means(&bytes).as_str()), (bytes, expected));
    }
    for (bytes, expected) in vectors("answer").into_iter().map(split) {
        let message = decode_answer(bytes.clone()).expect(expected);
        if let ServerMessage::ReadAnswer { answer, nonce, .. } = &message {
            match nonce {
                5 => assert_eq!(Status::decode(answer.clone()).expect(expected).encode(), answer),
                6 => assert_eq!(Changed::decode(answer.clone()).expect(expected).encode(), answer),
                66 => assert_eq!(Views::decode(answer.clone()).expect(expected).encode(), answer),
                67 => assert_eq!(LogPage::decode(answer.clone()).expect(expected).encode(), answer),
                68 => assert_eq!(SnapshotSeen::decode(answer.clone()).expect(expected).encode(), answer),
                69 => assert_eq!(SnapshotTaken::decode(answer.clone()).expect(expected).encode(), answer),
                70 => assert_eq!(KeysHeld::decode(answer.clone()).expect(expected).encode(), answer),
                71 => assert_eq!(HostSettings::decode(answer.clone()).expect(expected).encode(), answer),
                _ => {}
            }
        }
        assert_eq!((encode_answer(&message), means(&bytes).as_str()), (bytes, expected));
    }
    for (bytes, expected) in vectors("payload").into_iter().map(split) {
        let mut fields = Fields::of(bytes.clone());
        let again = match fields.array().expect(expected) {
            (6, 5) => Piece::decode(&mut fields).expect(expected).encode(),
            (7, 4) => Receipt::decode(&mut fields).expect(expected).encode(),
            (kind, length) => panic!("[{kind}, …] with {length} fields"),
        };
        assert_eq!((Bytes::from(again), means(&bytes).as_str()), (bytes, expected));
    }
}

#[test]
fn what_is_no_request_is_refused() {
    for (bytes, why) in vectors("refused").into_iter().map(split) {
        assert!(decode_request(bytes).is_err(), "{why}");
    }
}

#[test]
fn a_channel_has_its_bytes() {
    let one = |kind| vectors(kind)[0];
    let keys = Keys::parse(one("key")).expect("a key line");
    let key = NamedKey::new(&keys.clients[0].name, &keys.clients[0].secret);
    let client = bytes(one("client-random"))[..].try_into().expect("16 bytes");
    let server = bytes(one("server-random"))[..].try_into().expect("24 bytes");
    let hello = split(one("hello")).0;
    assert!(key.hello(&client).starts_with(&hello));
    assert_eq!(key.welcome(&client, &server), bytes(one("welcome")));
    let mut ours = Seal::new(&key, &client, &server, Side::Client);
    let mut theirs = Seal::new(&key, &client, &server, Side::Server);
    assert_eq!(ours.channel[..], bytes(one("channel")));
    let [first, later] = vectors("from-client").try_into().expect("two datagrams");
    let (payload, datagram) = split(first);
    assert_eq!(ours.seal_first(&key.name, &client, &server, &payload), bytes(datagram));
    let (payload, datagram) = split(later);
    assert_eq!(ours.seal(&payload), bytes(datagram));
    let (payload, datagram) = split(one("from-server"));
    assert_eq!(theirs.seal(&payload), bytes(datagram));
    let opens = |seal: &mut Seal, line| {
        let (payload, datagram) = split(line);
        match Datagram::decode(bytes(datagram)) {
            Ok(Datagram::First { number, sealed, .. } | Datagram::Sealed { number, sealed, .. }) => {
                assert_eq!(seal.open(number, &sealed), Ok(payload));
            }
            other => panic!("{other:?}"),
        }
    };
    opens(&mut theirs, first);
    opens(&mut theirs, later);
    opens(&mut ours, one("from-server"));
}
