//! What a client promises its caller, a story each.

use super::*;
use crate::session::message::RequestName;
use crate::time::Span;

const SECOND: Time = Time(1_000_000);
const OPEN: SessionId = SessionId(7);

/// A client whose messages are answered by hand.
struct Talk {
    client: Client,
    now: Time,
}

impl Talk {
    fn new(servers: usize) -> Talk {
        Talk { client: Client::new(Options::new(servers), 1), now: Time(0) }
    }

    /// A client with an open session.
    fn opened(servers: usize) -> Talk {
        let mut talk = Talk::new(servers);
        talk.client.call(talk.now, SECOND, Bytes::from_static(b"first"));
        talk.open(OPEN);
        let (server, number) = talk.sent();
        talk.answer(server, number, Outcome::Done(Bytes::new()));
        talk.ended();
        talk
    }

    fn call(&mut self) -> CallId {
        self.client.call(self.now, self.now + Span::secs(1), Bytes::from_static(b"command"))
    }

    fn open(&mut self, session: SessionId) {
        let Some(Output::Send { server, message: ClientMessage::Open { nonce, .. } }) = self.client.poll(self.now)
        else {
            panic!("an opening is sent first");
        };
        self.client.receive(self.now, server, ServerMessage::Opened { nonce, session });
    }

    /// The next copy of a call: to which server, which number.
    fn sent(&mut self) -> (usize, u64) {
        let (server, number, _, _) = self.copy();
        (server, number)
    }

    fn copy(&mut self) -> (usize, u64, u64, SessionId) {
        let out = self.client.poll(self.now);
        let Some(Output::Send { server, message: ClientMessage::Call { session, number, floor, .. } }) = out else {
            panic!("{out:?}");
        };
        (server, number, floor, session)
    }

    fn answer(&mut self, server: usize, number: u64, outcome: Outcome) {
        let place = Place { slot: number, position: 0 };
        self.client.receive(self.now, server, ServerMessage::Answer { session: OPEN, number, place, outcome });
    }

    fn refuse(&mut self, server: usize, number: u64, refusal: Refusal) {
        let request = RequestName::Call(OPEN, number);
        self.client.receive(self.now, server, ServerMessage::Refused { request, refusal });
    }

    /// Until the client wants something again.
    fn wait(&mut self) {
        self.now = self.client.deadline().expect("something is due");
    }

    fn ended(&mut self) -> (CallId, Ended) {
        let out = self.client.poll(self.now);
        let Some(Output::Done { call, ended }) = out else {
            panic!("{out:?}");
        };
        (call, ended)
    }

    fn quiet(&mut self) {
        assert_eq!(self.client.poll(self.now), None);
    }
}

#[test]
fn a_session_is_opened_for_the_first_call_and_used_for_the_rest() {
    let mut talk = Talk::new(3);
    let (first, second) = (talk.call(), talk.call());
    talk.open(OPEN);
    let (server, one, floor, session) = talk.copy();
    assert_eq!((one, floor, session), (1, 0, OPEN));
    assert_eq!(talk.copy().1, 2);
    talk.answer(server, 2, Outcome::Done(Bytes::from_static(b"b")));
    let place = Place { slot: 2, position: 0 };
    assert_eq!(talk.ended(), (second, Ended::Answered { place, answer: Bytes::from_static(b"b") }));
    let third = talk.call();
    assert_eq!(talk.copy().2, 0, "1 is not settled, so 2 stays in the session's memory");
    talk.answer(server, 1, Outcome::Done(Bytes::new()));
    assert_eq!(talk.ended().0, first);
    talk.call();
    assert_eq!(talk.copy().2, 2, "1 and 2 are settled");
    talk.answer(server, 3, Outcome::Done(Bytes::new()));
    assert_eq!(talk.ended().0, third);
}

#[test]
fn an_opening_is_repeated_with_the_same_nonce_until_nobody_waits() {
    let mut talk = Talk::new(2);
    talk.call();
    let mut nonces = Vec::new();
    let mut servers = Vec::new();
    loop {
        match talk.client.poll(talk.now) {
            Some(Output::Send { server, message: ClientMessage::Open { nonce, .. } }) => {
                nonces.push(nonce);
                servers.push(server);
            }
            Some(Output::Done { ended, .. }) => break assert_eq!(ended, Ended::Unsent),
            None => talk.wait(),
            Some(Output::Send { .. }) => panic!("there is no session yet"),
        }
    }
    assert!(nonces.len() > 3 && nonces.iter().all(|nonce| *nonce == nonces[0]));
    assert!(servers[0] == servers[1] && servers[1] != servers[2], "{servers:?}");
    assert_eq!(talk.client.deadline(), None);
}

#[test]
fn a_silent_server_is_asked_again_and_then_another_one_with_the_same_number() {
    let mut talk = Talk::opened(3);
    let call = talk.call();
    let copies: Vec<_> = (0..4)
        .map(|_| {
            let copy = talk.sent();
            talk.quiet();
            talk.wait();
            copy
        })
        .collect();
    assert!(copies.iter().all(|(_, number)| *number == 2));
    let servers: Vec<_> = copies.iter().map(|(server, _)| *server).collect();
    assert_eq!((servers[0], servers[2]), (servers[1], servers[3]));
    assert_ne!(servers[0], servers[2]);
    talk.answer(servers[0], 2, Outcome::Done(Bytes::new()));
    assert_eq!(talk.ended().0, call, "a late answer is as good as any");
}

#[test]
fn what_was_refused_by_one_is_offered_to_the_next_at_once() {
    let mut talk = Talk::opened(3);
    talk.call();
    let (first, number) = talk.sent();
    talk.refuse(first, number, Refusal::NoQuorum);
    let (second, again) = talk.sent();
    assert!(second != first && again == number);
    let request = RequestName::Call(OPEN, number);
    talk.client.receive(talk.now, second, ServerMessage::TryAnother { request });
    let (third, _) = talk.sent();
    assert!(third != second && third != first);
    talk.refuse(third, number, Refusal::NoQuorum);
    talk.quiet();
    talk.wait();
    assert_eq!(talk.sent().0, first, "nobody could: around again after a pause");
}

#[test]
fn a_busy_server_is_given_its_time() {
    let mut talk = Talk::opened(3);
    talk.call();
    let (server, number) = talk.sent();
    talk.refuse(server, number, Refusal::Busy { after_ms: 40 });
    talk.quiet();
    let before = talk.now;
    talk.wait();
    assert!(talk.now.since(before) >= Span::millis(30) && talk.now.since(before) <= Span::millis(50));
    assert_eq!(talk.sent(), (server, number));
}

/// It says that of all members, and may be cut off from who could tell it better.
#[test]
fn where_the_disks_are_full_another_server_is_asked_after_a_while() {
    let mut talk = Talk::opened(3);
    talk.call();
    let (first, number) = talk.sent();
    talk.refuse(first, number, Refusal::DiskFull);
    talk.quiet();
    talk.wait();
    let (second, again) = talk.sent();
    assert!(second != first && again == number);
}

/// RULES S10: "refused" is said only of what nobody has.
#[test]
fn refused_means_that_every_copy_was_refused() {
    for silent in [false, true] {
        let mut talk = Talk::opened(2);
        talk.call();
        let mut unanswered = usize::from(silent);
        let ended = loop {
            match talk.client.poll(talk.now) {
                Some(Output::Send { .. }) if unanswered > 0 => unanswered -= 1,
                Some(Output::Send { server, .. }) => talk.refuse(server, 2, Refusal::NoQuorum),
                Some(Output::Done { ended, .. }) => break ended,
                None => talk.wait(),
            }
        };
        let refused = Ended::Refused(Refusal::NoQuorum);
        assert_eq!(ended, if silent { Ended::Unknown } else { refused });
    }
}

#[test]
fn what_is_too_large_for_the_only_one_who_saw_it_is_refused_at_once() {
    let mut talk = Talk::opened(3);
    let call = talk.call();
    let (server, number) = talk.sent();
    talk.refuse(server, number, Refusal::TooLarge);
    assert_eq!(talk.ended(), (call, Ended::Refused(Refusal::TooLarge)));
    talk.call();
    assert_eq!(talk.copy().2, 2, "the number is settled");
}

#[test]
fn an_expired_session_is_final_for_a_single_copy_and_unknown_for_two() {
    for copies in 1..=2 {
        let mut talk = Talk::opened(3);
        let (expired, other) = (talk.call(), talk.call());
        let (server, number) = talk.sent();
        talk.sent();
        if copies == 2 {
            talk.wait();
            while talk.sent().1 != number {
                talk.wait();
            }
        }
        talk.answer(server, number, Outcome::NoSession);
        let ended = if copies == 1 { Ended::Expired } else { Ended::Unknown };
        assert_eq!(talk.ended(), (expired, ended));
        // What is under way stays in the old session; a new call opens a new one.
        let fresh = talk.call();
        let opening = core::iter::from_fn(|| talk.client.poll(talk.now)).last();
        let Some(Output::Send { server, message: ClientMessage::Open { nonce, .. } }) = opening else {
            panic!("{opening:?}");
        };
        talk.client.receive(talk.now, server, ServerMessage::Opened { nonce, session: SessionId(8) });
        let (_, number, floor, session) = talk.copy();
        assert_eq!((number, floor, session), (1, 0, SessionId(8)));
        while talk.client.calls.contains_key(&(OPEN, 3)) {
            talk.wait();
            while let Some(out) = talk.client.poll(talk.now) {
                match out {
                    Output::Send { message: ClientMessage::Call { session, number, .. }, .. } => {
                        assert!((session, number) == (OPEN, 3) || (session, number) == (SessionId(8), 1));
                    }
                    Output::Send { message, .. } => panic!("{message:?}"),
                    Output::Done { call, ended } => {
                        assert!(call == other || call == fresh);
                        assert_eq!(ended, Ended::Unknown);
                    }
                }
            }
        }
    }
}

#[test]
fn at_the_deadline_a_call_is_unknown_and_its_number_settled() {
    let mut talk = Talk::opened(3);
    let call = talk.call();
    talk.sent();
    talk.now = SECOND + Span::secs(1);
    assert_eq!(talk.ended(), (call, Ended::Unknown));
    talk.call();
    assert_eq!(talk.copy().2, 2);
    talk.answer(0, 2, Outcome::Done(Bytes::new()));
    talk.quiet();
}

#[test]
fn the_window_bounds_what_is_under_way() {
    let mut talk = Talk::opened(1);
    let window = talk.client.options.window;
    for _ in 0..=window {
        talk.call();
    }
    let numbers: Vec<_> = (0..window).map(|_| talk.sent().1).collect();
    assert_eq!(numbers, (2..2 + window).collect::<Vec<_>>());
    talk.quiet();
    talk.answer(0, 3, Outcome::Done(Bytes::new()));
    talk.ended();
    talk.quiet();
    talk.answer(0, 2, Outcome::Done(Bytes::new()));
    assert_eq!(talk.ended().1, Ended::Answered { place: Place { slot: 2, position: 0 }, answer: Bytes::new() });
    assert_eq!(talk.sent().1, 2 + window);
}

#[test]
fn a_session_that_was_idle_for_long_is_not_used_again() {
    let mut talk = Talk::opened(1);
    talk.now += Span::secs(301);
    talk.call();
    talk.open(SessionId(8));
    assert_eq!(talk.copy().3, SessionId(8));
}

#[test]
fn a_read_goes_around_like_a_call() {
    let mut talk = Talk::new(3);
    let read = talk.client.read(talk.now, SECOND, false, Bytes::from_static(b"?"));
    let mut servers = Vec::new();
    let nonce = loop {
        let Some(Output::Send { server, message: ClientMessage::Read { nonce, .. } }) = talk.client.poll(talk.now)
        else {
            panic!("a read is sent");
        };
        servers.push(server);
        if servers.len() == 3 {
            break nonce;
        }
        let request = RequestName::Read(nonce);
        talk.client.receive(talk.now, server, ServerMessage::Refused { request, refusal: Refusal::NoQuorum });
    };
    servers.sort_unstable();
    assert_eq!(servers, [0, 1, 2]);
    let answer = Bytes::from_static(b"!");
    talk.client.receive(talk.now, 1, ServerMessage::ReadAnswer { nonce, slot: 5, answer: answer.clone() });
    assert_eq!(talk.ended(), (read, Ended::Read { slot: 5, answer, is_alone: true }));
    assert_eq!(talk.client.deadline(), None);
}

/// Who orders something by a question has to know whether another replica may have heard it too.
#[test]
fn an_answer_says_whether_another_copy_is_open() {
    for refused in [false, true] {
        let mut talk = Talk::new(2);
        let read = talk.client.read(talk.now, SECOND, true, Bytes::from_static(b"?"));
        let (mut copies, answer) = (Vec::new(), Bytes::from_static(b"!"));
        while copies.len() < 3 {
            match talk.client.poll(talk.now) {
                Some(Output::Send { server, message: ClientMessage::Read { nonce, .. } }) => {
                    copies.push((server, nonce))
                }
                Some(other) => panic!("{other:?}"),
                None => talk.wait(),
            }
        }
        let [(first, nonce), (again, _), (last, _)] = copies[..] else { panic!("three copies") };
        assert!(first == again && last != first);
        if refused {
            for _ in 0..2 {
                let request = RequestName::Read(nonce);
                let refusal = Refusal::NoQuorum;
                talk.client.receive(talk.now, first, ServerMessage::Refused { request, refusal });
            }
        }
        talk.client.receive(talk.now, last, ServerMessage::ReadAnswer { nonce, slot: 5, answer: answer.clone() });
        assert_eq!(talk.ended(), (read, Ended::Read { slot: 5, answer, is_alone: refused }));
    }
}

/// RULES S10: an order that one replica has refused may have been heard by another one that says nothing.
#[test]
fn an_order_is_refused_only_if_every_copy_is() {
    for (is_order, is_silent) in [(true, false), (true, true), (false, true)] {
        let mut talk = Talk::new(2);
        let question = Bytes::from_static(b"?");
        if is_order {
            talk.client.order(talk.now, SECOND, question);
        } else {
            talk.client.read(talk.now, SECOND, true, question);
        }
        let mut unanswered = usize::from(is_silent);
        let ended = loop {
            match talk.client.poll(talk.now) {
                Some(Output::Send { .. }) if unanswered > 0 => unanswered -= 1,
                Some(Output::Send { server, message: ClientMessage::Read { nonce, .. } }) => {
                    let (request, refusal) = (RequestName::Read(nonce), Refusal::NoQuorum);
                    talk.client.receive(talk.now, server, ServerMessage::Refused { request, refusal });
                }
                Some(Output::Done { ended, .. }) => break ended,
                Some(other) => panic!("{other:?}"),
                None => talk.wait(),
            }
        };
        let refused = Ended::Refused(Refusal::NoQuorum);
        assert_eq!(ended, if is_order && is_silent { Ended::Unknown } else { refused });
    }
}

#[test]
fn what_a_client_never_asked_is_ignored() {
    let mut talk = Talk::opened(2);
    talk.answer(0, 99, Outcome::NoSession);
    talk.refuse(9, 1, Refusal::NoQuorum);
    talk.client.receive(talk.now, 0, ServerMessage::Opened { nonce: [0; 16], session: SessionId(9) });
    talk.client.receive(talk.now, 0, ServerMessage::TryAnother { request: RequestName::Open([0; 16]) });
    talk.client.receive(talk.now, 0, ServerMessage::ReadAnswer { nonce: 1, slot: 1, answer: Bytes::new() });
    talk.quiet();
    talk.call();
    assert_eq!(talk.copy().3, OPEN);
}
