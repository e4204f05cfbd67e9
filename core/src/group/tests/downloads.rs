//! A snapshot that comes in pieces from one member, while another one has a newer one.

use super::opened::{Near, first_of_three, notes};
use super::*;
use alloc::collections::VecDeque;

/// The snapshot that is begun, and a newer one.
const BEGUN: Slot = Slot(10);
const NEWER: Slot = Slot(20);

/// How many pieces the begun one has.
const PIECES: u32 = 12;

/// Each comes nearly as late as somebody else is asked.
const SLOW: Span = Span::millis(90);

/// A replica with nothing, to which the second member has offered a snapshot.
fn began() -> Group {
    let opened = Opened { store: StoreId([1; 16]), ..Opened::default() };
    let mut group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened);
    for (member, committed) in [(2, BEGUN), (3, NEWER)] {
        let ahead = message::Heartbeat { whole: true, committed, ..message::Heartbeat::default() };
        group.message(Time(1), m(member), Message::Heartbeat(ahead));
    }
    group.message(Time(1), m(2), Message::Offer(BEGUN));
    group
}

/// A piece of it arrives, from the second member.
fn piece(group: &mut Group, now: Time, index: u32) {
    let head = Snapshot { slot: BEGUN, digest: Digest(10), ..Snapshot::default() };
    group.message(now, m(2), Message::Piece(head, PIECES, index, Bytes::from(index.to_be_bytes().to_vec())));
}

/// Whoever is asked for the log offers a snapshot in its place. A piece takes a while, and nobody else is asked for so long.
#[test]
fn a_slow_download_goes_on_although_another_member_has_a_newer_snapshot() {
    let mut group = began();
    let (mut now, mut on_its_way) = (Time(1), VecDeque::new());
    let restored = loop {
        assert!(now < Time(1) + SLOW.times(3 * u64::from(PIECES)), "it does not get on");
        group.tick(now, &Near(now));
        let Some(output) = group.poll() else {
            now += SLOW;
            if let Some(index) = on_its_way.pop_front() {
                piece(&mut group, now, index);
            }
            continue;
        };
        if let Output::Restore { from, snapshot } = output {
            break (from, snapshot.slot, snapshot.pieces.len());
        }
        let Output::Note { to, message, .. } = output else { continue };
        if let Message::WantLog(_) = message {
            assert!(on_its_way.is_empty(), "others are asked while pieces come");
            let (from, offered) = if to == set(&[3]) { (3, NEWER) } else { (2, BEGUN) };
            group.message(now, m(from), Message::Offer(offered));
        } else if let Message::WantPiece(slot, index) = message {
            assert_eq!((to, slot), (set(&[2]), BEGUN), "it begins again");
            on_its_way.push_back(index);
        }
    };
    assert_eq!(restored, (set(&[2]), BEGUN, 12));
}

/// Who gave the pieces has a newer one itself, so the old one is gone there; or it is silent: the newer one is begun.
#[test]
fn a_download_that_gets_no_further_gives_way_to_a_newer_snapshot() {
    for (from, after) in [(2, Span::millis(1)), (3, Span::millis(1_001))] {
        let mut group = began();
        piece(&mut group, Time(1), 0);
        let now = Time(1) + after;
        group.message(now, m(from), Message::Offer(NEWER));
        let wants = |(to, note)| if let Message::WantPiece(slot, _) = note { Some((to, slot)) } else { None };
        let last = notes(&mut group, now).into_iter().filter_map(wants).next_back();
        assert_eq!(last, Some((set(&[from]), NEWER)));
    }
}

/// Until the first piece is here nobody knows how many there are. Then more of them are asked for at once.
#[test]
fn the_first_piece_is_followed_without_a_pause() {
    let mut group = began();
    notes(&mut group, Time(1));
    piece(&mut group, Time(2), 0);
    let wanted = |output| {
        if let Output::Note { message: Message::WantPiece(_, index), .. } = output { Some(index) } else { None }
    };
    let asked: Vec<u32> = core::iter::from_fn(|| group.poll()).filter_map(wanted).collect();
    assert_eq!(asked, [1, 2, 3, 4]);
}
