//! What a port keeps for its clients is bounded for all of them together, and nobody can take it from the others.

use super::talk::{HERE, OPTIONS, Talk, key, path, read};
use crate::client::pieces::{PIECES_MAX, Piece};
use crate::client::{Count, Line, Port, encode_request};
use crate::keys::Role;
use bytes::Bytes;
use ftq_core::replica::ClientId;
use ftq_core::session::message::{RequestName, ServerMessage};
use ftq_core::time::{Span, Time};

/// What either side of a port may keep, as its page says.
const ROOM: usize = 64 << 20;

fn port() -> Port {
    Port::new(&[key("app", Role::Write), key("watch", Role::Read)], OPTIONS, [1; 32])
}

/// A client on loopback that has asked something, from an address of its own.
fn plain(port: &mut Port, now: Time, number: u16) -> ClientId {
    let address = path(&format!("127.0.0.1:{}", 2_000 + number));
    let (client, _) = port.receive(now, address, &encode_request(&read(1, 1))).expect("plain is served");
    client
}

fn answer(nonce: u64, length: usize) -> ServerMessage {
    ServerMessage::ReadAnswer { nonce, slot: 1, answer: vec![9; length].into() }
}

fn kept(port: &Port) -> [usize; 2] {
    port.kept().map(|(_, bytes)| bytes)
}

fn drain(port: &mut Port) -> usize {
    std::iter::from_fn(|| port.poll()).map(|(_, datagram)| datagram.len()).sum()
}

/// A holder of a key opens many channels, asks for much on each and never takes it.
#[test]
fn answers_that_nobody_takes_are_bounded_for_all_together_and_starve_nobody() {
    let mut port = port();
    let now = Time(0);
    let hogs: Vec<ClientId> = (0..200).map(|number| plain(&mut port, now, number)).collect();
    for round in 0..4 {
        for hog in &hogs {
            port.send(now, *hog, &answer(round, 1 << 20));
            let [_, outgoing] = kept(&port);
            assert!(outgoing <= ROOM, "{outgoing}");
            drain(&mut port);
        }
    }
    assert!(port.of(Count::LostRoom) >= 700, "{}", port.of(Count::LostRoom));

    // One with another key gets a whole answer of the largest, from the port that is full.
    let line = Line::sealed(&key("watch", Role::Read), [7; 32], 1_400);
    let mut talk = Talk::new(line, port, HERE);
    talk.say(&read(2, 1));
    let (client, _) = talk.heard[0];
    talk.port.send(talk.now, client, &answer(2, 8 << 20));
    while let Some((to, datagram)) = talk.port.poll() {
        assert!(to != path(HERE) || datagram.len() <= 1_400);
    }
    for _ in 0..100 {
        talk.now += Span::millis(40);
        talk.port.tick(talk.now);
        let to_hogs = talk.take_for_others();
        assert!(to_hogs < 100 << 20);
    }
    assert_eq!(talk.answers, [answer(2, 8 << 20)]);
}

/// Whoever lost an answer is told to ask another replica, which is true whether it was done or not.
#[test]
fn who_gives_way_is_told_to_ask_again() {
    let mut port = port();
    let (first, second) = (plain(&mut port, Time(0), 1), plain(&mut port, Time(0), 2));
    for nonce in 0..8 {
        port.send(Time(0), first, &answer(nonce, 8 << 20));
    }
    drain(&mut port);
    port.send(Time(0), second, &answer(1, 8 << 20));
    let told = std::iter::from_fn(|| port.poll()).filter(|(to, datagram)| {
        let request = RequestName::Read(6);
        *to == path("127.0.0.1:2001")
            && **datagram == crate::client::encode_answer(&ServerMessage::TryAnother { request })[..]
    });
    assert_eq!(told.count(), 1, "the last that had room gave way");
    assert!(kept(&port)[1] <= ROOM);
}

/// The same with requests of which the ends never come.
#[test]
fn requests_that_never_end_are_bounded_for_all_together_and_starve_nobody() {
    let mut port = port();
    let now = Time(0);
    let piece = |transfer: u64, index: u32, count: u32, bytes: usize| {
        Bytes::from(Piece { transfer, index, count, bytes: vec![1; bytes].into() }.encode())
    };
    for number in 0..40u16 {
        let address = path(&format!("127.0.0.1:{}", 2_000 + number));
        for index in 0..200u32 {
            port.receive(now, address, &piece(u64::from(index / 100) + 1, index % 100, PIECES_MAX, 59_000));
            let [incoming, _] = kept(&port);
            assert!(incoming <= ROOM + 60_000, "{incoming}");
        }
        drain(&mut port);
    }
    let refused = port.of(Count::RefusedRoom);
    // A newcomer on loopback, without a key like all of those: there is room for its request.
    let request = encode_request(&read(5, 1 << 20));
    let address = path("127.0.0.1:9000");
    let mut heard = None;
    for (index, bytes) in (0..).zip(request.chunks(59_000)) {
        let count = u32::try_from(request.len().div_ceil(59_000)).unwrap();
        let piece = Piece { transfer: 1, index, count, bytes: Bytes::copy_from_slice(bytes) };
        heard = port.receive(now, address, &piece.encode());
    }
    assert_eq!(heard.map(|(_, message)| message), Some(read(5, 1 << 20)));
    assert_eq!(port.of(Count::RefusedRoom), refused, "nothing of it was refused");
}

#[test]
fn what_a_channel_kept_is_free_again_when_it_is_forgotten() {
    let mut port = port();
    let client = plain(&mut port, Time(0), 1);
    port.send(Time(0), client, &answer(1, 1 << 20));
    assert!(kept(&port)[1] > 1 << 20);
    let mut now = Time(0);
    while port.channels() > 0 {
        now = port.deadline().expect("a channel is not kept for ever").max(now + Span::millis(1));
        port.tick(now);
        drain(&mut port);
    }
    assert_eq!(kept(&port), [0, 0]);
}
