//! What a session promises, a story each.

use super::*;
use crate::machine::list;
use crate::machine::list::{Command, Lists, Question};
use alloc::vec;

/// A log that grows by a request at a time.
struct Log {
    sessions: Sessions<Lists>,
    slot: u64,
    clock: SlotClock,
}

impl Log {
    fn new(limits: Limits) -> Log {
        Log { sessions: Sessions::with_limits(Lists::default(), limits), slot: 0, clock: SlotClock(0) }
    }

    fn apply(&mut self, request: &Request) -> Applied {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        self.slot += 1;
        self.sessions.advance(Slot(self.slot), self.clock);
        self.sessions.apply(self.place(), &Bytes::from(bytes))
    }

    /// Where the last request stands.
    fn place(&self) -> Place {
        Place { slot: self.slot, position: 3 }
    }

    fn open(&mut self, nonce: u8) -> SessionId {
        let Applied::Opened { session, .. } = self.apply(&Request::Open { nonce: [nonce; 16] }) else {
            panic!("an opening opens");
        };
        session
    }

    fn append(&mut self, session: SessionId, number: u64, floor: u64, item: Bytes) -> (Place, Outcome, bool) {
        let command = Command::Append { list: 1, item }.encode();
        let call = Request::Call { session, number, floor, command };
        let Applied::Answered { place, outcome, repeated, .. } = self.apply(&call) else {
            panic!("a call is answered");
        };
        (place, outcome, repeated)
    }

    /// Calls, and gives the new length of the list if the command was executed now.
    fn call(&mut self, session: SessionId, number: u64, floor: u64) -> Result<u64, Outcome> {
        let (_, outcome, repeated) = self.append(session, number, floor, Bytes::from_static(b"x"));
        match outcome {
            Outcome::Done(answer) if !repeated => Ok(length(answer)),
            Outcome::Done(_) | Outcome::NoSession | Outcome::Settled | Outcome::AheadOfWindow => Err(outcome),
        }
    }

    fn length(&self) -> u64 {
        let mut answer = Vec::new();
        self.sessions.query(&Question::List(1).encode(), &mut answer);
        length(Bytes::from(answer))
    }
}

fn length(answer: Bytes) -> u64 {
    let (list::Answer::Length(length) | list::Answer::List { length, .. }) = list::Answer::decode(answer).unwrap()
    else {
        panic!("an answer about a list");
    };
    length
}

#[test]
fn a_retry_gets_the_first_answer_with_its_first_place() {
    let mut log = Log::new(Limits::default());
    let session = log.open(1);
    let first = log.append(session, 1, 0, Bytes::new());
    assert_eq!(first.0, log.place());
    assert_eq!(log.call(session, 2, 0), Ok(2));
    let again = log.append(session, 1, 0, Bytes::new());
    assert_eq!((again.0, again.1.clone()), (first.0, first.1));
    assert!(again.2);
    assert_eq!(log.length(), 2);
    assert_eq!(log.sessions.lookup(session, 1), Some(Standing::Ended(again.0, again.1)));
    assert_eq!(log.sessions.lookup(session, 3), None);
}

#[test]
fn an_opening_that_is_repeated_gives_the_same_session() {
    let mut log = Log::new(Limits::default());
    let session = log.open(1);
    assert_eq!(session, SessionId(1 << 16 | 3));
    assert_eq!(log.open(1), session);
    assert_ne!(log.open(2), session);
    assert_eq!(log.sessions.len(), 2);
}

/// RULES S16: a copy that was delayed until its client had long forgotten it.
#[test]
fn a_late_copy_is_refused_for_ever() {
    let mut log = Log::new(Limits::default());
    let session = log.open(1);
    assert_eq!(log.call(session, 5, 0), Ok(1));
    assert_eq!(log.call(session, 6, 5), Ok(2));
    assert_eq!(log.call(session, 5, 0), Err(Outcome::Settled));
    assert_eq!(log.call(session, 4, 0), Err(Outcome::Settled), "never executed, and never will be");
    assert_eq!(log.sessions.lookup(session, 4), Some(Standing::Ended(Place::default(), Outcome::Settled)));
    assert_eq!(log.length(), 2);
}

#[test]
fn numbers_may_come_in_any_order_within_the_window() {
    let mut log = Log::new(Limits::default());
    let session = log.open(1);
    assert_eq!(log.call(session, WINDOW + 1, 0), Err(Outcome::AheadOfWindow));
    assert_eq!(log.call(session, WINDOW, 0), Ok(1));
    assert_eq!(log.call(session, 1, 0), Ok(2));
    assert_eq!(log.call(session, WINDOW + 1, 1), Ok(3), "the first one is settled: the window has moved");
    assert_eq!(log.call(session, u64::MAX, u64::MAX - 1), Ok(4));
    assert_eq!(log.call(session, u64::MAX, u64::MAX), Err(Outcome::Settled));
    assert_eq!(log.call(session, 0, 0), Err(Outcome::Settled));
}

#[test]
fn a_session_of_which_nothing_is_heard_expires_by_the_slot_clock() {
    let mut log = Log::new(Limits { expiry: Span::secs(10), ..Limits::default() });
    let (idle, busy) = (log.open(1), log.open(2));
    for second in 1..=9 {
        log.clock = SlotClock(second * 1_000_000);
        assert_eq!(log.call(busy, second, second - 1), Ok(second));
    }
    assert_eq!(log.sessions.deadline(), Some(SlotClock(10_000_000)));
    log.clock = SlotClock(10_000_000);
    assert_eq!(log.call(busy, 10, 9), Ok(10));
    assert_eq!(log.call(idle, 1, 0), Err(Outcome::NoSession));
    assert_eq!(log.call(idle, 1, 0), Err(Outcome::NoSession));
    assert_ne!(log.open(1), idle, "its nonce went with it");
}

#[test]
fn when_there_are_too_many_the_longest_idle_goes() {
    let mut log = Log::new(Limits { sessions_max: 3, ..Limits::default() });
    let sessions: Vec<_> = (1..=3).map(|nonce| log.open(nonce)).collect();
    log.clock = SlotClock(1);
    assert_eq!(log.call(sessions[0], 1, 0), Ok(1));
    log.open(4);
    assert_eq!(log.call(sessions[1], 1, 0), Err(Outcome::NoSession));
    assert_eq!(log.call(sessions[2], 1, 0), Ok(2));
    assert_eq!(log.call(sessions[0], 2, 0), Ok(3));
    assert_eq!(log.sessions.len(), 3);
}

#[test]
fn the_memory_of_kept_answers_is_bounded() {
    let limits = Limits { session_bytes_max: 200, bytes_max: 300, ..Limits::default() };
    let mut log = Log::new(limits);
    let (first, second) = (log.open(1), log.open(2));
    for number in 1..=4 {
        assert_eq!(log.call(first, number, 0), Ok(number));
    }
    assert_eq!(log.call(first, 5, 0), Err(Outcome::AheadOfWindow), "what it keeps is too much already");
    assert_eq!(log.call(first, 5, 2), Ok(5), "until the client settles some");
    log.clock = SlotClock(1);
    assert_eq!(log.call(second, 1, 0), Ok(6));
    assert_eq!(log.call(second, 2, 0), Ok(7));
    assert_eq!(log.sessions.len(), 1, "all together is too much: the longest idle went");
    assert_eq!(log.call(first, 6, 5), Err(Outcome::NoSession));
}

#[test]
fn what_makes_no_sense_changes_nothing_but_the_digest() {
    let mut log = Log::new(Limits::default());
    for bytes in [&b""[..], b"\x01", b"\x02\x80", b"\x03", b"\x03\x01\x01", b"\x04", &[1; 18]] {
        let before = log.sessions.digest();
        assert_eq!(log.sessions.apply(Place::default(), &Bytes::copy_from_slice(bytes)), Applied::Malformed);
        assert_ne!(log.sessions.digest(), before);
    }
    assert!(log.sessions.is_empty());
}

#[test]
fn a_snapshot_holds_sessions_and_machine() {
    let limits = Limits { expiry: Span::secs(10), ..Limits::default() };
    let mut log = Log::new(limits);
    let sessions: Vec<_> = (0..200).map(|nonce| log.open(nonce)).collect();
    for (number, session) in (1..).zip(sessions.iter().cycle().take(2_000)) {
        log.clock = SlotClock(number);
        let number = number / 200 + 1;
        log.append(*session, number * 2, number, Bytes::from(vec![7; 60]));
    }
    let pieces = log.sessions.snapshot();
    assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece.len() <= pieces::PIECE_BYTES_MAX));

    let mut copy = Log { slot: log.slot, clock: log.clock, ..Log::new(limits) };
    for broken in [&pieces[..1], &pieces[1..], &pieces[..pieces.len() - 1], &[]] {
        assert_eq!(copy.sessions.restore(broken), Err(Malformed));
        assert!(copy.sessions.is_empty());
    }
    copy.sessions.restore(&pieces).unwrap();
    assert_eq!(copy.sessions.snapshot(), pieces);
    assert_eq!(copy.sessions.digest(), log.sessions.digest());
    for log in [&mut log, &mut copy] {
        assert!(log.append(sessions[7], 20, 0, Bytes::new()).2, "the answer is still kept");
        log.clock = SlotClock(10_001_900);
        assert!(log.call(sessions[199], 50, 1).is_ok());
    }
    assert!(log.sessions.len() < 200);
    assert_eq!(copy.sessions.len(), log.sessions.len());
    assert_eq!(copy.sessions.digest(), log.sessions.digest());
}
