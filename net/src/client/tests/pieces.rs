//! Long messages come whole through a network that loses, doubles and reorders; what is kept is bounded.

use crate::client::channel::Channel;
use crate::client::fields::Fields;
use crate::client::pieces::{Inbox, MESSAGE_BYTES_MAX, PIECES_MAX, Piece};
use bytes::Bytes;
use ftq_core::chance::Chance;
use ftq_core::session::message::RequestName;
use ftq_core::time::{Span, Time};

fn message(length: usize) -> Bytes {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// Sends messages of these lengths from one channel to another; how long it took and how many datagrams.
fn pass(lengths: &[usize], payload_max: usize, loss: u64, seed: u64) -> (Span, u64) {
    let mut chance = Chance::new(seed);
    let (mut here, mut there) = (Channel::new(payload_max), Channel::new(payload_max));
    let mut flights: Vec<(Time, bool, Bytes)> = Vec::new();
    let mut expected: Vec<Bytes> = lengths.iter().map(|length| message(*length)).collect();
    for (number, message) in (0..).zip(&expected) {
        here.send(Time(0), RequestName::Read(number), message.clone());
    }
    let mut sent = 0;
    for tick in 0..200_000u64 {
        let now = Time(tick * 100);
        for (to_there, channel) in [(true, &mut here), (false, &mut there)] {
            if channel.deadline().is_some_and(|at| at <= now) {
                channel.tick(now);
            }
            while let Some(payload) = channel.poll(now) {
                assert!(payload.len() <= payload_max);
                sent += 1;
                for _ in 0..=chance.below(20) / 19 {
                    if chance.below(100) >= loss {
                        flights.push((now + Span(300 + chance.below(2_000)), to_there, payload.clone()));
                    }
                }
            }
        }
        let (due, later) = flights.into_iter().partition(|(at, ..)| *at <= now);
        flights = later;
        for (_, to_there, payload) in due {
            let channel = if to_there { &mut there } else { &mut here };
            if let Some(whole) = channel.receive(now, payload).unwrap() {
                let at = expected.iter().position(|message| *message == whole).expect("a message that was sent, once");
                expected.swap_remove(at);
            }
        }
        if expected.is_empty() {
            assert_eq!(there.kept_in(), 0);
            return (now.since(Time(0)), sent);
        }
    }
    panic!("{} of {lengths:?} did not arrive", expected.len());
}

#[test]
fn a_long_message_arrives_whole() {
    for length in [1_301, 1_400, 2_600, 60_000, 1 << 20] {
        pass(&[length], 1_300, 0, 1);
    }
    let (took, _) = pass(&[MESSAGE_BYTES_MAX], 1_300, 0, 1);
    assert!(took < Span::secs(2), "{took:?}");
}

/// On loopback two pieces fill the window, and a receipt came after eight: each two of them took a pause.
#[test]
fn large_pieces_do_not_wait_for_one_another() {
    let (took, sent) = pass(&[1_600_000], 59_000, 0, 1);
    assert!(took < Span::millis(100) && sent < 70, "{took:?}, {sent} datagrams");
}

#[test]
fn several_arrive_at_the_same_time() {
    pass(&[5_000, 70_000, 1 << 20, 2_000, 300_000], 1_300, 1, 2);
}

/// More at once than a receiver keeps: they come one after the other, and none in vain.
#[test]
fn more_than_a_receiver_keeps_arrive_all_the_same() {
    let (took, sent) = pass(&[100_000; 64], 1_300, 1, 3);
    assert!(took < Span::secs(3) && sent < 64 * 80 * 2, "{took:?}, {sent} datagrams");
}

#[test]
fn a_fifth_may_be_lost_both_ways() {
    for seed in 0..20 {
        let (_, sent) = pass(&[200_000], 1_300, 20, seed);
        assert!(sent < 600, "{sent} datagrams for 155 pieces");
    }
    pass(&[1 << 20], 1_300, 20, 1);
}

fn piece(transfer: u64, index: u32, count: u32, length: usize) -> Piece {
    Piece { transfer, index, count, bytes: message(length) }
}

#[test]
fn what_is_kept_is_bounded() {
    let mut inbox = Inbox::default();
    for transfer in 0..1_000 {
        let taken = inbox.take(Time(transfer), piece(transfer, 0, 9, 1_000)).unwrap();
        assert_eq!(taken.message, None);
    }
    assert!(inbox.kept() <= 8 * 1_200, "{}", inbox.kept());
    for index in 0..PIECES_MAX {
        let _ = inbox.take(Time(2_000), piece(7_000, index, PIECES_MAX, 60_000));
    }
    assert!(inbox.kept() < MESSAGE_BYTES_MAX + 20_000, "{}", inbox.kept());
    assert!(inbox.take(Time(2_000), piece(7_000, 0, 5, 1_000)).is_err(), "the count does not change");
}

#[test]
fn what_nobody_goes_on_with_is_forgotten() {
    let mut inbox = Inbox::default();
    inbox.take(Time(0), piece(1, 0, 9, 1_000)).unwrap();
    inbox.take(Time(6_000_000), piece(2, 0, 9, 1_000)).unwrap();
    assert!(inbox.kept() < 1_200);
    let mut channel = Channel::new(1_300);
    channel.send(Time(0), RequestName::Read(1), message(5_000));
    while channel.poll(Time(0)).is_some() {}
    while let Some(at) = channel.deadline() {
        assert!(at < Time(6_000_000), "it is given up");
        channel.tick(at);
        while channel.poll(at).is_some() {}
    }
}

/// Nobody goes on with it, and nobody sends anything else: its room is free again all the same.
#[test]
fn what_was_begun_and_left_is_given_up_in_time() {
    let mut inbox = Inbox::default();
    inbox.take(Time(0), piece(1, 0, 3, 1_000)).unwrap();
    let due = inbox.deadline().expect("it is to be given up");
    inbox.tick(Time(due.0 - 1));
    assert!(inbox.kept() >= 1_000);
    inbox.tick(due);
    assert_eq!((inbox.kept(), inbox.deadline()), (0, None));
}

/// The largest index there is, found by review: adding one to it ended the replica.
#[test]
fn an_index_at_the_end_of_numbers_is_refused() {
    for (index, count) in [(u32::MAX, 2), (u32::MAX, 0), (u32::MAX - 1, u32::MAX), (2, 2)] {
        let bytes = piece(1, index, count, 1_000).encode();
        let mut fields = Fields::of(bytes.into());
        fields.array().expect("an array with its kind");
        assert!(Piece::decode(&mut fields).is_err(), "{index} of {count}");
    }
}
