//! What a session promises, a story each.

use super::*;
use crate::machine::list::{Command, Lists, Question};
use crate::machine::{list, pieces};
use crate::time::Span;
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
fn s16_a_late_copy_is_refused_for_ever() {
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
fn a_session_keeps_no_more_than_it_may() {
    let mut log = Log::new(Limits { session_bytes_max: 256, share_bytes: 64, ..Limits::default() });
    let session = log.open(1);
    for number in 2..=4 {
        assert_eq!(log.call(session, number, 0), Ok(number - 1));
    }
    assert_eq!(log.call(session, 5, 0), Err(Outcome::AheadOfWindow), "what it keeps is too much already");
    assert_eq!(log.sessions.lookup(session, 5), None, "it may come again");
    assert_eq!(log.call(session, 1, 0), Ok(4), "it is right above the floor, so nothing can be settled before it");
    assert_eq!(log.call(session, 5, 0), Err(Outcome::AheadOfWindow));
    assert_eq!(log.call(session, 5, 2), Ok(5), "until the client settles some");
}

/// Idle sessions go for what others keep, but only those that keep more than their share.
#[test]
fn when_too_much_is_kept_the_longest_idle_of_the_heavy_goes() {
    let limits = Limits { session_bytes_max: 256, bytes_max: 768, share_bytes: 128, ..Limits::default() };
    let mut log = Log::new(limits);
    let [light, heavy, other, last] = [1, 2, 3, 4].map(|nonce| log.open(nonce));
    for (session, answers) in [(light, 2), (heavy, 3), (other, 3)] {
        log.clock = SlotClock(log.clock.0 + 1);
        (1..=answers).for_each(|number| assert!(log.call(session, number, 0).is_ok()));
    }
    assert_eq!(log.sessions.len(), 4, "512 bytes of 768 leave as much as one session may keep");
    assert!(log.call(last, 1, 0).is_ok());
    assert_eq!(log.call(heavy, 4, 3), Err(Outcome::NoSession));
    assert!(log.call(light, 3, 2).is_ok() && log.call(other, 4, 3).is_ok());
}

/// Whoever never settles anything does not stop the others.
#[test]
fn a_session_within_its_share_is_executed_whatever_others_keep() {
    let limits = Limits { session_bytes_max: 640, bytes_max: 640, share_bytes: 128, ..Limits::default() };
    let mut log = Log::new(limits);
    let (hog, other) = (log.open(1), log.open(2));
    (2..=10).for_each(|number| assert!(log.call(hog, number, 0).is_ok()));
    assert_eq!(log.call(hog, 11, 0), Err(Outcome::AheadOfWindow));
    assert!(log.call(other, 1, 0).is_ok() && log.call(other, 2, 0).is_ok());
    assert_eq!(log.call(other, 3, 0), Err(Outcome::AheadOfWindow), "two entries are its share");
    assert!(log.call(other, 3, 2).is_ok());
}

#[test]
fn few_sessions_expire_in_one_slot() {
    let mut log = Log::new(Limits { expiry: Span::secs(10), ..Limits::default() });
    let nonce = |n: u16| Request::Open { nonce: core::array::from_fn(|at| n.to_le_bytes()[at % 2]) };
    (0..3_000).for_each(|n| drop(log.apply(&nonce(n))));
    log.clock = SlotClock(10_000_000);
    for left in [3_000 - EXPIRED_MAX, 3_000 - 2 * EXPIRED_MAX, 0] {
        assert_eq!(log.sessions.deadline(), Some(log.clock), "the next slot is due at once");
        log.slot += 1;
        log.sessions.advance(Slot(log.slot), log.clock);
        assert_eq!(log.sessions.len(), left);
    }
    assert_eq!(log.sessions.deadline(), None);
}

#[test]
fn what_makes_no_sense_changes_nothing_but_the_digest() {
    let mut log = Log::new(Limits::default());
    for bytes in [
        &b""[..],
        b"\x01",
        b"\x02\x80",
        b"\x03",
        b"\x03\x01\x01",
        b"\x04",
        b"\x04\x02\x02",
        b"\x05",
        b"\x05\x01\x01",
        b"\x06",
        &[1; 18],
    ] {
        let before = log.sessions.digest();
        assert_eq!(log.sessions.apply(Place::default(), &Bytes::copy_from_slice(bytes)), Applied::Malformed);
        assert_ne!(log.sessions.digest(), before);
    }
    assert!(log.sessions.is_empty());
}

/// Whatever one of many sessions does, most pieces of a snapshot are those of the one before.
#[test]
fn a_snapshot_of_sessions_costs_what_changed() {
    let mut log = Log::new(Limits::default());
    let opened = |n: u16| Request::Open { nonce: core::array::from_fn(|at| n.to_le_bytes()[at % 2]) };
    for n in 0..5_000 {
        log.apply(&opened(n));
    }
    let before = log.sessions.snapshot();
    assert!(before.len() > 50);
    log.apply(&opened(700));
    let after = log.sessions.snapshot();
    let new = after.iter().filter(|piece| !before.contains(piece)).count();
    // The head, the stretch of the session, and the machine's own.
    assert!(new <= 3, "{new} of {} are new", after.len());
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
        assert_eq!(copy.sessions.restore(broken), Err(crate::machine::Unrestored::Malformed));
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

mod waits {
    //! Commands that wait, and what sessions hold in a real machine.

    use super::*;
    use crate::machine::queues::{self, Limits as Room, PushOptions, QueueId, Queues, decode_reply};

    struct Story {
        sessions: Sessions<Queues>,
        slot: u64,
        clock: SlotClock,
    }

    impl Story {
        fn new(limits: Limits) -> Story {
            let machine = Queues::new(Room::default());
            let mut story = Story { sessions: Sessions::with_limits(machine, limits), slot: 0, clock: SlotClock(0) };
            let label = queues::Label::parse(b"a").unwrap();
            let opener = story.open(200);
            story.call(opener, 1, 0, &queues::Command::Create { label });
            story.apply(&Request::Close { session: opener });
            story
        }

        fn apply(&mut self, request: &Request) -> Applied {
            let mut bytes = Vec::new();
            request.encode(&mut bytes);
            self.slot += 1;
            self.sessions.advance(Slot(self.slot), self.clock);
            self.sessions.apply(Place { slot: self.slot, position: 0 }, &Bytes::from(bytes))
        }

        fn open(&mut self, nonce: u8) -> SessionId {
            let Applied::Opened { session, .. } = self.apply(&Request::Open { nonce: [nonce; 16] }) else {
                panic!("an opening opens");
            };
            session
        }

        fn call(&mut self, session: SessionId, number: u64, floor: u64, command: &queues::Command) -> Applied {
            self.apply(&Request::Call { session, number, floor, command: command.encode() })
        }

        fn leased(&self) -> u64 {
            match self.sessions.machine().answer(&queues::Question::Size { queue: QueueId(1) }) {
                Ok(queues::Answer::Size(size)) => size.leased,
                other => panic!("{other:?}"),
            }
        }

        fn push(&mut self, session: SessionId, number: u64) -> Applied {
            let items = vec![Bytes::from_static(b"x")];
            let options = PushOptions::default();
            self.call(session, number, number - 1, &queues::Command::Push { queue: QueueId(1), items, options })
        }
    }

    /// What was bounded by nothing: many wait, and then there is something for all of them, more than they may
    /// keep. Who has no room is told to ask again, and nothing is lost.
    #[test]
    fn waits_that_end_together_keep_no_more_than_there_is_room_for() {
        const WAITS: u64 = 60;
        const ITEM: usize = 40_000;
        let limits = Limits {
            sessions_max: 8,
            session_bytes_max: 200_000,
            bytes_max: 900_000,
            share_bytes: 1_000,
            ..Limits::default()
        };
        let mut story = Story::new(limits);
        let queue = QueueId(1);
        let take = queues::Command::Take { queue, count: 1, lease_ms: 60_000, wait_ms: 60_000 };
        let waiting: Vec<_> = (1..=7).map(|nonce| story.open(nonce)).collect();
        for session in &waiting {
            (1..=WAITS).for_each(|number| drop(story.call(*session, number, 0, &take)));
        }
        let pushes = story.open(8);
        story.call(pushes, 1, 0, &queues::Command::Pause { queue, paused: true });
        let items = vec![Bytes::from(vec![7; ITEM]); 140];
        for number in 2..=4 {
            let push = queues::Command::Push { queue, items: items.clone(), options: PushOptions::default() };
            story.call(pushes, number, number - 1, &push);
        }
        story.call(pushes, 5, 4, &queues::Command::Pause { queue, paused: false });

        let ends: Vec<_> = core::iter::from_fn(|| story.sessions.completed()).collect();
        let given =
            ends.iter().filter(|end| matches!(end, Applied::Answered { outcome: Outcome::Done(_), .. })).count();
        let ahead = |end: &&Applied| matches!(end, Applied::Answered { outcome: Outcome::AheadOfWindow, .. });
        assert_eq!((ends.len() as u64, ends.iter().filter(ahead).count()), (7 * WAITS, ends.len() - given));
        assert_eq!(given, 21, "as many as fit beside an entry for each that waits");
        for session in &waiting {
            let kept = story.sessions.sessions[session].answers.bytes();
            assert!(kept <= limits.session_bytes_max + limits.share_bytes + kept::ENTRY_BYTES, "{kept}");
        }
        let bound = limits.bytes_max + limits.sessions_max * (2 * limits.share_bytes + kept::ENTRY_BYTES);
        assert!(story.sessions.bytes <= bound, "{} of {bound}", story.sessions.bytes);

        // Whoever settles what it got has room again, with the number that it had.
        let again = waiting[0];
        let retried = story.call(again, WAITS, WAITS - 1, &take);
        assert!(matches!(retried, Applied::Answered { outcome: Outcome::Done(_), repeated: false, .. }));
        assert_eq!(story.leased(), given as u64 + 1);
    }

    /// The replica that orders first says how much memory there may be; an operator's word, and a word that was said
    /// before, stand.
    #[test]
    fn the_first_limit_of_memory_stands() {
        let mut story = Story::new(Limits::default());
        let limit = |story: &Story| story.sessions.machine().summary().memory_bytes_max;
        let default = limit(&story);
        assert!(story.sessions.machine().wants_memory_limit());
        assert_eq!(story.apply(&Request::Memory { bytes: 5_000_000 }), Applied::Limited);
        assert!(limit(&story) == 5_000_000 && default != 5_000_000);
        let pieces = story.sessions.snapshot();
        story.sessions.restore(&pieces).unwrap();
        assert_eq!(story.apply(&Request::Memory { bytes: 6_000_000 }), Applied::Limited);
        assert_eq!(limit(&story), 5_000_000);

        let mut story = Story::new(Limits::default());
        let session = story.open(1);
        story.call(session, 1, 0, &queues::Command::Limit(Room { memory_bytes_max: 7_000_000, ..Room::default() }));
        assert_eq!(story.apply(&Request::Memory { bytes: 5_000_000 }), Applied::Limited);
        assert_eq!(limit(&story), 7_000_000);
    }

    const WAIT: queues::Command = queues::Command::Pop { queue: QueueId(1), count: 1, wait_ms: 60_000 };

    /// RULES L12: a copy of what waits waits with it, and what it gets is kept, with the place where it came.
    #[test]
    fn a_retry_of_what_waits_gets_the_answer_that_comes() {
        let mut story = Story::new(Limits::default());
        let (waits, pushes) = (story.open(1), story.open(2));
        let waiting = |repeated| Applied::Waiting { session: waits, number: 1, repeated };
        assert_eq!(story.call(waits, 1, 0, &WAIT), waiting(false));
        assert_eq!(story.call(waits, 1, 0, &WAIT), waiting(true));
        assert_eq!(story.sessions.lookup(waits, 1), Some(Standing::Waiting));
        let pieces = story.sessions.snapshot();
        story.sessions.restore(&pieces).unwrap();
        story.push(pushes, 1);
        let place = Place { slot: story.slot, position: 0 };
        let Some(Applied::Answered { session, number: 1, outcome: Outcome::Done(answer), place: at, .. }) =
            story.sessions.completed()
        else {
            panic!("who waited is answered");
        };
        assert_eq!((session, at), (waits, place));
        assert!(matches!(decode_reply(&answer), Ok(queues::Answer::Popped(items)) if items.len() == 1));
        assert_eq!(story.sessions.completed(), None);
        let again = story.call(waits, 1, 0, &WAIT);
        let outcome = Outcome::Done(answer);
        assert_eq!(again, Applied::Answered { session: waits, number: 1, place, outcome, repeated: true });
    }

    /// Who has given up gets nothing any more: the item stays for the next.
    #[test]
    fn what_is_settled_waits_no_more() {
        let mut story = Story::new(Limits::default());
        let (waits, pushes) = (story.open(1), story.open(2));
        story.call(waits, 1, 0, &WAIT);
        story.call(waits, 2, 1, &queues::Command::Purge { queue: QueueId(1) });
        let place = Place { slot: story.slot, position: 0 };
        let settled = answered_as(waits, 1, place, Outcome::Settled, false);
        assert_eq!(story.sessions.completed(), Some(settled), "whoever keeps a place for it is told");
        story.push(pushes, 1);
        assert_eq!(story.sessions.completed(), None);
        let pop = queues::Command::Pop { queue: QueueId(1), count: 1, wait_ms: 0 };
        let Applied::Answered { outcome: Outcome::Done(answer), .. } = story.call(pushes, 2, 1, &pop) else {
            panic!("an answer");
        };
        assert!(decode_reply(&answer).is_ok());
    }

    /// A session that expires is told that its wait is over; what it had leased goes to who waits, unless he
    /// has expired in the same slot.
    #[test]
    fn a_session_that_ends_gives_back_what_it_holds() {
        let mut story = Story::new(Limits { expiry: Span::secs(10), ..Limits::default() });
        let (holds, waits) = (story.open(1), story.open(2));
        story.push(holds, 1);
        let take = queues::Command::Take { queue: QueueId(1), count: 1, lease_ms: 60_000, wait_ms: 0 };
        story.call(holds, 2, 1, &take);
        story.call(waits, 1, 0, &WAIT);
        story.clock = SlotClock(9_000_000);
        let later = story.open(3);
        story.call(later, 1, 0, &WAIT);
        story.clock = SlotClock(10_000_000);
        story.sessions.advance(Slot(story.slot + 1), story.clock);
        let mut completed = core::iter::from_fn(|| story.sessions.completed());
        let told = completed.next();
        assert!(
            matches!(told, Some(Applied::Answered { session, outcome: Outcome::NoSession, .. }) if session == waits)
        );
        let given = completed.next();
        assert!(
            matches!(given, Some(Applied::Answered { session, outcome: Outcome::Done(_), .. }) if session == later)
        );
        assert_eq!(completed.next(), None);
        assert_eq!(story.sessions.len(), 1);
    }

    /// The longest idle goes, but never one with a request under way; if all have one, nobody comes in.
    #[test]
    fn a_session_with_a_request_under_way_is_not_evicted() {
        let mut story = Story::new(Limits { sessions_max: 2, ..Limits::default() });
        let waits = story.open(1);
        story.call(waits, 1, 0, &WAIT);
        story.clock = SlotClock(1);
        let idle = story.open(2);
        let third = story.open(3);
        assert!(story.sessions.is_open(waits) && story.sessions.is_open(third) && !story.sessions.is_open(idle));
        // Number 1 is still to come: its client is at work.
        story.call(third, 2, 0, &queues::Command::Purge { queue: QueueId(1) });
        assert_eq!(story.apply(&Request::Open { nonce: [4; 16] }), Applied::Full { nonce: [4; 16] });
        assert_eq!(story.apply(&Request::Close { session: third }), Applied::Closed { session: third });
        assert_eq!(story.apply(&Request::Close { session: third }), Applied::Closed { session: third });
        story.open(4);
    }
}
