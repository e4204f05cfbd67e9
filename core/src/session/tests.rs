//! Both sides together, over a log that takes copies late, twice, out of order, or not at all.
//!
//! What a client is told must be so: answered means executed once, with that answer; refused, unsent
//! and expired mean never executed. Each seed is one story.

use super::client::{CallId, Client, Ended, Options, Output};
use super::message::{ClientMessage, Refusal, Request, RequestName, ServerMessage};
use super::table::{Applied, Limits, Sessions};
use crate::chance::Chance;
use crate::ids::Slot;
use crate::machine::Place;
use crate::machine::list::{Answer, Command, Lists};
use crate::time::{SlotClock, Span, Time};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;

const SERVERS: usize = 3;
const CLIENTS: usize = 3;

/// Something that arrives at its time.
enum Arrival {
    /// A request reaches the log through a replica, which then answers.
    Log { client: usize, server: usize, request: Request },
    /// A message reaches a client.
    Client { client: usize, server: usize, message: ServerMessage },
}

struct World {
    chance: Chance,
    now: Time,
    clients: Vec<Client>,
    sessions: Sessions<Lists>,
    slot: u64,
    arrivals: BTreeMap<(Time, u64), Arrival>,
    ordinal: u64,
    /// How often each item was executed, as the lists' lengths say, and with which answer.
    executed: BTreeMap<u64, Vec<(Place, Bytes)>>,
    calls: BTreeMap<(usize, CallId), u64>,
    ends: Vec<(u64, Ended)>,
}

impl World {
    fn new(seed: u64) -> World {
        let limits = Limits { expiry: Span::secs(2), sessions_max: 2, ..Limits::default() };
        World {
            chance: Chance::new(seed),
            now: Time(0),
            clients: (0..CLIENTS).map(|n| Client::new(Options::new(SERVERS), seed * 10 + n as u64)).collect(),
            sessions: Sessions::with_limits(Lists::default(), limits),
            slot: 0,
            arrivals: BTreeMap::new(),
            ordinal: 0,
            executed: BTreeMap::new(),
            calls: BTreeMap::new(),
            ends: Vec::new(),
        }
    }

    fn run(&mut self) {
        for item in 1..=60 {
            let client = usize::try_from(self.chance.below(CLIENTS as u64)).unwrap();
            let deadline = self.now + Span::millis(100 + self.chance.below(3_000));
            // An item of its own list: a second execution would answer 2.
            let command = Command::Append { list: item, item: Bytes::new() }.encode();
            let call = self.clients[client].call(self.now, deadline, command);
            self.calls.insert((client, call), item);
            let pause = [1, 50, 700][usize::try_from(self.chance.below(3)).unwrap()];
            self.pass(Span::millis(pause));
        }
        self.pass(Span::secs(20));
    }

    fn pass(&mut self, span: Span) {
        let until = self.now + span;
        loop {
            self.drain();
            let arrival = self.arrivals.first_key_value().map(|((at, _), _)| *at);
            let due = self.clients.iter().filter_map(Client::deadline).min();
            let Some(next) = arrival.into_iter().chain(due).min().filter(|at| *at <= until) else { break };
            self.now = self.now.max(next);
            if let Some(arrival) = self.arrivals.first_entry().filter(|arrival| arrival.key().0 <= self.now) {
                match arrival.remove() {
                    Arrival::Log { client, server, request } => self.order(client, server, &request),
                    Arrival::Client { client, server, message } => {
                        self.clients[client].receive(self.now, server, message);
                    }
                }
            }
        }
        self.now = until;
    }

    fn drain(&mut self) {
        for client in 0..CLIENTS {
            while let Some(output) = self.clients[client].poll(self.now) {
                match output {
                    Output::Send { server, message } => self.take(client, server, message),
                    Output::Done { call, ended } => {
                        let item = self.calls.remove(&(client, call)).expect("a call ends once");
                        self.ends.push((item, ended));
                    }
                }
            }
        }
    }

    /// A replica takes a message, refuses it, loses it, or sends the client away and orders it later.
    fn take(&mut self, client: usize, server: usize, message: ClientMessage) {
        let (name, request) = match message {
            ClientMessage::Open { nonce, .. } => (RequestName::Open(nonce), Request::Open { nonce }),
            ClientMessage::Call { session, number, floor, command, .. } => {
                (RequestName::Call(session, number), Request::Call { session, number, floor, command })
            }
            ClientMessage::Read { .. } | ClientMessage::Close { .. } => return,
        };
        let refusals = [Refusal::NoQuorum, Refusal::Busy { after_ms: 5 }, Refusal::TooLarge];
        match self.chance.below(10) {
            0..4 => self.arrive(Arrival::Log { client, server, request }),
            4..7 => {
                let refusal = refusals[usize::try_from(self.chance.below(3)).unwrap()];
                self.arrive(Arrival::Client {
                    client,
                    server,
                    message: ServerMessage::Refused { request: name, refusal },
                });
            }
            7 => {
                self.arrive(Arrival::Log { client, server, request });
                self.arrive(Arrival::Client { client, server, message: ServerMessage::TryAnother { request: name } });
            }
            _ => {}
        }
    }

    /// Half of what arrives is quick; the rest takes up to five seconds, longer than a session lives.
    fn arrive(&mut self, arrival: Arrival) {
        let most = if self.chance.below(2) == 0 { 2 } else { 5_000 };
        let at = self.now + Span::millis(self.chance.below(most));
        self.ordinal += 1;
        self.arrivals.insert((at, self.ordinal), arrival);
    }

    fn order(&mut self, client: usize, server: usize, request: &Request) {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        self.slot += 1;
        self.sessions.advance(Slot(self.slot), SlotClock(self.now.0));
        let applied = self.sessions.apply(Place { slot: self.slot, position: 0 }, &Bytes::from(bytes));
        let message = match applied {
            Applied::Opened { nonce, session, .. } => ServerMessage::Opened { nonce, session },
            Applied::Answered { session, number, place, outcome, repeated } => {
                if let (super::message::Outcome::Done(answer), Request::Call { command, .. }) = (&outcome, request) {
                    let Ok(Command::Append { list, .. }) = Command::decode(command.clone()) else { unreachable!() };
                    let executions = self.executed.entry(list).or_default();
                    if repeated {
                        assert_eq!(executions.last(), Some(&(place, answer.clone())), "a retry gets the first answer");
                    } else {
                        executions.push((place, answer.clone()));
                    }
                }
                ServerMessage::Answer { session, number, place, outcome }
            }
            Applied::Waiting { .. } | Applied::Closed { .. } => unreachable!("nothing waits, nobody closes"),
            Applied::Full { nonce } => {
                let refusal = Refusal::Busy { after_ms: 5 };
                ServerMessage::Refused { request: RequestName::Open(nonce), refusal }
            }
            Applied::Ruled { .. } | Applied::Limited | Applied::UnknownRules(_) => {
                unreachable!("no client orders that")
            }
            Applied::Malformed => unreachable!("a request of ours can be read"),
        };
        self.arrive(Arrival::Client { client, server, message });
    }

    /// Holds what the clients were told against what was done; gives how many ended in each way.
    fn check(&self, ended: &mut [u64; 5]) {
        assert!(self.calls.is_empty(), "every call ends");
        for (item, end) in &self.ends {
            let executions = self.executed.get(item).map(Vec::as_slice).unwrap_or_default();
            assert!(executions.len() <= 1, "{item} was executed {} times", executions.len());
            let way = match end {
                Ended::Answered { place, answer } => {
                    assert_eq!(executions, [(*place, answer.clone())]);
                    assert_eq!(Answer::decode(answer.clone()), Ok(Answer::Length(1)));
                    0
                }
                Ended::Refused(_) => 1,
                Ended::Unsent => 2,
                Ended::Expired => 3,
                Ended::Unknown => 4,
                Ended::Read { .. } | Ended::Closed => unreachable!("nothing was read, and nobody closed"),
            };
            assert!(matches!(way, 0 | 4) || executions.is_empty(), "{item} ended as {end:?}, and was executed");
            ended[way] += 1;
        }
    }
}

#[test]
fn what_a_client_is_told_is_so() {
    let mut ended = [0; 5];
    for seed in 1..=300 {
        let mut world = World::new(seed);
        world.run();
        world.check(&mut ended);
    }
    assert!(ended.iter().all(|count| *count > 20), "each way to end was seen: {ended:?}");
}
