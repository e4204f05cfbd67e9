//! Stand-ins until the real ones are here.
#![expect(missing_docs, reason = "they go")]

use bytes::Bytes;
use ftq_core::chance::Chance;
use ftq_core::machine::Place;
use ftq_core::session::message::{ClientMessage, Outcome, RequestName, ServerMessage, SessionId};
use ftq_core::time::{Span, Time};
use ftq_core::wire::{Malformed, Reader, Writer};
use std::collections::{BTreeMap, VecDeque};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

#[derive(Clone, Debug)]
pub enum Ended {
    Answered { place: Place, answer: Bytes },
    Read { slot: u64, answer: Bytes },
    Unknown,
}

#[derive(Clone, Debug)]
pub enum ClientOutput {
    Send { server: usize, message: ClientMessage },
    Done { call: CallId, result: Ended },
}

#[derive(Debug)]
struct Call {
    deadline: Time,
    again: Time,
    what: Result<(u64, Bytes), (u64, bool, Bytes)>,
}

/// Opens one session, retries each 100 ms at a random server.
#[derive(Debug)]
pub struct Client {
    servers: usize,
    server: usize,
    chance: Chance,
    session: Option<SessionId>,
    nonce: [u8; 16],
    open_at: Time,
    next: u64,
    numbers: u64,
    calls: BTreeMap<CallId, Call>,
    out: VecDeque<ClientOutput>,
}

impl Client {
    pub fn new(servers: usize, seed: u64) -> Client {
        let mut chance = Chance::new(seed);
        let nonce = chance.bytes16();
        Client {
            servers,
            server: 0,
            chance,
            session: None,
            nonce,
            open_at: Time(0),
            next: 0,
            numbers: 0,
            calls: BTreeMap::new(),
            out: VecDeque::new(),
        }
    }
    pub fn call(&mut self, now: Time, deadline: Time, command: Bytes) -> CallId {
        self.next += 1;
        self.numbers += 1;
        self.calls.insert(CallId(self.next), Call { deadline, again: now, what: Ok((self.numbers, command)) });
        self.tick(now);
        CallId(self.next)
    }
    pub fn read(&mut self, now: Time, deadline: Time, local: bool, question: Bytes) -> CallId {
        self.next += 1;
        let nonce = self.chance.draw();
        self.calls.insert(CallId(self.next), Call { deadline, again: now, what: Err((nonce, local, question)) });
        self.tick(now);
        CallId(self.next)
    }
    pub fn receive(&mut self, now: Time, _server: usize, message: ServerMessage) {
        match message {
            ServerMessage::Opened { nonce, session } if nonce == self.nonce && self.session.is_none() => {
                self.session = Some(session);
                self.tick(now);
            }
            ServerMessage::Opened { .. } => {}
            ServerMessage::Answer { session, number, place, outcome } => {
                let id =
                    self.calls.iter().find(|(_, c)| c.what.as_ref().is_ok_and(|(n, _)| *n == number)).map(|(i, _)| *i);
                if Some(session) == self.session && outcome == Outcome::NoSession {
                    self.session = None;
                    self.nonce = self.chance.bytes16();
                    self.numbers = 0;
                    self.calls.retain(|id, call| {
                        if call.what.is_ok() {
                            self.out.push_back(ClientOutput::Done { call: *id, result: Ended::Unknown });
                        }
                        call.what.is_err()
                    });
                    return;
                }
                if let (Some(call), true) = (id, Some(session) == self.session) {
                    self.calls.remove(&call);
                    let result = match outcome {
                        Outcome::Done(answer) => Ended::Answered { place, answer },
                        Outcome::NoSession | Outcome::Settled | Outcome::AheadOfWindow => Ended::Unknown,
                    };
                    self.out.push_back(ClientOutput::Done { call, result });
                }
            }
            ServerMessage::ReadAnswer { nonce, slot, answer } => {
                let id = self
                    .calls
                    .iter()
                    .find(|(_, c)| c.what.as_ref().is_err_and(|(n, _, _)| *n == nonce))
                    .map(|(i, _)| *i);
                if let Some(call) = id {
                    self.calls.remove(&call);
                    self.out.push_back(ClientOutput::Done { call, result: Ended::Read { slot, answer } });
                }
            }
            ServerMessage::Refused { request, .. } | ServerMessage::TryAnother { request } => {
                self.server = (self.server + 1) % self.servers;
                if matches!(request, RequestName::Open(_)) {
                    self.open_at = now + Span::millis(20);
                }
            }
        }
    }
    pub fn tick(&mut self, now: Time) {
        let server = self.server;
        let mut late = false;
        let session = self.session;
        if session.is_none() && !self.calls.is_empty() && now >= self.open_at {
            late = self.open_at > Time(0);
            self.open_at = now + Span::millis(100);
            self.out.push_back(ClientOutput::Send {
                server,
                message: ClientMessage::Open { nonce: self.nonce, wait_ms: 1_000 },
            });
        }
        let floor =
            self.calls.values().filter_map(|c| c.what.as_ref().ok()).map(|(n, _)| n - 1).min().unwrap_or(self.numbers);
        let mut gone = Vec::new();
        for (id, call) in &mut self.calls {
            if now >= call.deadline {
                gone.push(*id);
            } else if now >= call.again {
                let message = match (&call.what, session) {
                    (Ok((number, command)), Some(session)) => ClientMessage::Call {
                        session,
                        number: *number,
                        floor,
                        wait_ms: 1_000,
                        command: command.clone(),
                    },
                    (Ok(_), None) => continue,
                    (Err((nonce, local, question)), _) => {
                        ClientMessage::Read { nonce: *nonce, local: *local, question: question.clone() }
                    }
                };
                call.again = now + Span::millis(100);
                self.out.push_back(ClientOutput::Send { server, message });
            }
        }
        for call in gone {
            self.calls.remove(&call);
            late = true;
            self.out.push_back(ClientOutput::Done { call, result: Ended::Unknown });
        }
        if late || self.chance.below(20) == 0 {
            self.server = (self.server + 1) % self.servers;
        }
    }
    pub fn poll(&mut self, _now: Time) -> Option<ClientOutput> {
        self.out.pop_front()
    }
    pub fn deadline(&self) -> Option<Time> {
        let open = (self.session.is_none() && !self.calls.is_empty()).then_some(self.open_at);
        let waiting = |c: &Call| self.session.is_some() || c.what.is_err();
        let calls = self.calls.values().map(|c| if waiting(c) { c.again.min(c.deadline) } else { c.deadline }).min();
        [open, calls].into_iter().flatten().min()
    }
}

/// Client bytes.
pub mod bytes_of {
    use super::*;
    pub fn encode_request(m: &ClientMessage) -> Bytes {
        let mut w = Writer::new();
        match m {
            ClientMessage::Open { nonce, wait_ms } => w.u8(1).raw(nonce).u64(u64::from(*wait_ms)),
            ClientMessage::Call { session, number, floor, wait_ms, command } => {
                w.u8(2).u64(session.0).u64(*number).u64(*floor).u64(u64::from(*wait_ms)).raw(command)
            }
            ClientMessage::Read { nonce, local, question } => w.u8(3).u64(*nonce).u8(u8::from(*local)).raw(question),
        };
        w.into_bytes()
    }
    pub fn decode_request(b: Bytes) -> Result<ClientMessage, Malformed> {
        let mut r = Reader::new(b);
        Ok(match r.u8()? {
            1 => ClientMessage::Open { nonce: r.array()?, wait_ms: u32::try_from(r.u64()?).map_err(|_| Malformed)? },
            2 => ClientMessage::Call {
                session: SessionId(r.u64()?),
                number: r.u64()?,
                floor: r.u64()?,
                wait_ms: u32::try_from(r.u64()?).map_err(|_| Malformed)?,
                command: r.rest(),
            },
            3 => ClientMessage::Read { nonce: r.u64()?, local: r.u8()? == 1, question: r.rest() },
            _ => return Err(Malformed),
        })
    }
    fn name(w: &mut Writer, n: &RequestName) {
        match n {
            RequestName::Open(n) => w.u8(1).raw(n),
            RequestName::Call(s, n) => w.u8(2).u64(s.0).u64(*n),
            RequestName::Read(n) => w.u8(3).u64(*n),
        };
    }
    fn read_name(r: &mut Reader) -> Result<RequestName, Malformed> {
        Ok(match r.u8()? {
            1 => RequestName::Open(r.array()?),
            2 => RequestName::Call(SessionId(r.u64()?), r.u64()?),
            3 => RequestName::Read(r.u64()?),
            _ => return Err(Malformed),
        })
    }
    pub fn encode_answer(m: &ServerMessage) -> Bytes {
        let mut w = Writer::new();
        match m {
            ServerMessage::Opened { nonce, session } => {
                w.u8(1).raw(nonce).u64(session.0);
            }
            ServerMessage::Answer { session, number, place, outcome } => {
                w.u8(2).u64(session.0).u64(*number).u64(place.slot).u64(u64::from(place.position));
                match outcome {
                    Outcome::Done(a) => w.u8(0).raw(a),
                    Outcome::NoSession => w.u8(1),
                    Outcome::Settled => w.u8(2),
                    Outcome::AheadOfWindow => w.u8(3),
                };
            }
            ServerMessage::ReadAnswer { nonce, slot, answer } => {
                w.u8(3).u64(*nonce).u64(*slot).raw(answer);
            }
            ServerMessage::Refused { request, .. } => {
                w.u8(4);
                name(&mut w, request);
            }
            ServerMessage::TryAnother { request } => {
                w.u8(5);
                name(&mut w, request);
            }
        }
        w.into_bytes()
    }
    pub fn decode_answer(b: Bytes) -> Result<ServerMessage, Malformed> {
        let mut r = Reader::new(b);
        Ok(match r.u8()? {
            1 => ServerMessage::Opened { nonce: r.array()?, session: SessionId(r.u64()?) },
            2 => ServerMessage::Answer {
                session: SessionId(r.u64()?),
                number: r.u64()?,
                place: Place { slot: r.u64()?, position: u32::try_from(r.u64()?).map_err(|_| Malformed)? },
                outcome: match r.u8()? {
                    0 => Outcome::Done(r.rest()),
                    1 => Outcome::NoSession,
                    2 => Outcome::Settled,
                    _ => Outcome::AheadOfWindow,
                },
            },
            3 => ServerMessage::ReadAnswer { nonce: r.u64()?, slot: r.u64()?, answer: r.rest() },
            4 => ServerMessage::Refused {
                request: read_name(&mut r)?,
                refusal: ftq_core::session::message::Refusal::NoQuorum,
            },
            5 => ServerMessage::TryAnother { request: read_name(&mut r)? },
            _ => return Err(Malformed),
        })
    }
}
