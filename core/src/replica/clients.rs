//! The clients that wait at this replica, and what they are told.
//!
//! A request is *held* until it can leave; a definite refusal is given only for one that has never left
//! (RULES S10). From then on the log answers it, or the client is told to try another replica.
//!
//! A command that waits in the machine has left: whoever asks for it here is *parked*, also if another
//! replica took it first, until its answer comes out of the machine (RULES L12). There are no more parked
//! than commands that wait.

use crate::group::Room;
use crate::group::own::Token;
use crate::machine::{Machine, Place};
use crate::session::message::{ClientMessage, Outcome, Refusal, Request, RequestName, ServerMessage, SessionId};
use crate::session::table::{Applied, Sessions, Standing};
use crate::time::{Span, Time};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

use super::inquiry::{Asking, Inquiry};
use super::{ClientId, Event, Output, Replica};

/// The largest request: no more than may be held back, or it would be told for ever that the replica is busy.
const REQUEST_BYTES_MAX: usize = 8 << 20;

/// How many bytes of own requests may be under way: what every receiver may have to keep unordered (RULES L7).
const UNDER_WAY_BYTES: usize = 4 << 20;

/// How many own requests may be under way.
const UNDER_WAY: usize = 16_384;

/// How many bytes of requests are held back before clients are told that the replica is busy.
const HELD_BYTES: usize = 8 << 20;

/// How many requests are: small ones take more room than their bytes.
const HELD: usize = 65_536;

/// For how long requests are held while no slot can be sequenced; a view change takes less.
const HOLD: Span = Span::millis(600);

/// How many reads may wait for a quorum to say that they are up to date, and how many bytes of questions.
const READS_MAX: usize = 65_536;
const READS_BYTES: usize = 8 << 20;

/// A busy replica asks to be left alone for a while.
const BUSY: Refusal = Refusal::Busy { after_ms: 20 };

/// How long a client that wants a session is asked to wait while there are too many, in milliseconds.
const FULL_AFTER_MS: u32 = 1_000;

/// How many bytes of bodies share one allocation.
const SLAB_BYTES: usize = 32 << 10;

/// How often the deadlines of clients are looked at.
const SWEEP_EVERY: Span = Span::millis(100);

/// Who waits for what.
#[derive(Debug)]
pub(super) struct Clients {
    held: VecDeque<Held>,
    held_bytes: usize,
    /// The requests that have left, by their tokens, which rise by one from `first`.
    waiting: VecDeque<Option<Waiting>>,
    first: u64,
    names: BTreeMap<(SessionId, u64), Token>,
    /// Who wants the answer to a command that waits in the machine.
    parked: BTreeMap<(SessionId, u64), Parked>,
    reads: BTreeMap<Token, Reading>,
    reads_bytes: usize,
    last_read: u64,
    served_at: Time,
    sweep_at: Time,
    /// The bodies of requests are cut from here, many from one allocation.
    slab: BytesMut,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Held {
    client: ClientId,
    name: RequestName,
    until: Time,
    body: Bytes,
}

#[derive(Debug)]
struct Waiting {
    client: ClientId,
    name: RequestName,
    until: Time,
    told: bool,
}

#[derive(Debug)]
struct Parked {
    client: ClientId,
    told: bool,
}

#[derive(Debug)]
struct Reading {
    client: ClientId,
    nonce: u64,
    until: Time,
    question: Bytes,
}

/// How many wait at a replica, to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// Requests that have not left.
    pub held: usize,
    /// The bytes of those.
    pub held_bytes: usize,
    /// Requests that have left, and wait in the machine for something to happen.
    pub parked: usize,
    /// Reads that wait for a quorum.
    pub reads: usize,
}

impl Clients {
    /// Nobody waits yet.
    pub(super) fn new(now: Time) -> Clients {
        Clients {
            held: VecDeque::new(),
            held_bytes: 0,
            waiting: VecDeque::new(),
            first: 0,
            names: BTreeMap::new(),
            parked: BTreeMap::new(),
            reads: BTreeMap::new(),
            reads_bytes: 0,
            last_read: 0,
            served_at: now,
            sweep_at: Time::NEVER,
            slab: BytesMut::new(),
            scratch: Vec::new(),
        }
    }

    /// How many there are.
    pub(super) fn crowd(&self) -> Crowd {
        let Clients { held, held_bytes, parked, reads, .. } = self;
        Crowd { held: held.len(), held_bytes: *held_bytes, parked: parked.len(), reads: reads.len() }
    }

    /// When to look at the clients' deadlines.
    pub(super) fn deadline(&self) -> Option<Time> {
        let nobody = self.held.is_empty() && self.waiting.is_empty() && self.parked.is_empty() && self.reads.is_empty();
        (!nobody).then_some(self.sweep_at)
    }

    /// The log has answered a request that left from here.
    pub(super) fn answer(&mut self, token: Token, done: Applied, out: &mut VecDeque<Output>) {
        let Some(Waiting { client, .. }) = self.take(token) else { return };
        let message = match done {
            Applied::Opened { nonce, session, .. } => ServerMessage::Opened { nonce, session },
            Applied::Answered { session, number, place, outcome, .. } => {
                ServerMessage::Answer { session, number, place, outcome }
            }
            Applied::Waiting { session, number, .. } => return self.park(session, number, client),
            Applied::Closed { session } => ServerMessage::Closed { session },
            Applied::Full { nonce } => {
                let refusal = Refusal::Busy { after_ms: FULL_AFTER_MS };
                ServerMessage::Refused { request: RequestName::Open(nonce), refusal }
            }
            Applied::Ruled { .. } | Applied::Limited | Applied::UnknownRules(_) | Applied::Malformed => return,
        };
        out.push_back(Output::Reply { client, message });
    }

    /// Whether somebody here waits for what others may send.
    pub(super) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// A command that had waited has ended: whoever is parked for it is told.
    pub(super) fn complete(&mut self, done: Applied, out: &mut VecDeque<Output>) {
        let Applied::Answered { session, number, place, outcome, .. } = done else { return };
        if let Some(Parked { client, .. }) = self.parked.remove(&(session, number)) {
            let message = ServerMessage::Answer { session, number, place, outcome };
            out.push_back(Output::Reply { client, message });
        }
    }

    /// This client wants the answer to a command that waits, and nobody who asked for it before.
    fn park(&mut self, session: SessionId, number: u64, client: ClientId) {
        self.parked.insert((session, number), Parked { client, told: false });
    }

    /// The state was taken from another replica: who was parked for what is not waiting there is told how
    /// that ended, or to ask elsewhere.
    pub(super) fn look_again<M: Machine>(&mut self, machine: &Sessions<M>, out: &mut VecDeque<Output>) {
        self.parked.retain(|(session, number), Parked { client, .. }| {
            let message = match machine.lookup(*session, *number) {
                Some(Standing::Waiting) => return true,
                Some(Standing::Ended(place, outcome)) => {
                    ServerMessage::Answer { session: *session, number: *number, place, outcome }
                }
                None => ServerMessage::TryAnother { request: RequestName::Call(*session, *number) },
            };
            out.push_back(Output::Reply { client: *client, message });
            false
        });
    }

    /// Nobody here can say how this request ended.
    pub(super) fn try_another(&mut self, token: Token, out: &mut VecDeque<Output>) {
        if let Some(Waiting { client, name, .. }) = self.take(token) {
            out.push_back(Output::Reply { client, message: ServerMessage::TryAnother { request: name } });
        }
    }

    /// Everything that this read must see is applied.
    pub(super) fn answer_read<M: Machine>(
        &mut self,
        token: Token,
        slot: u64,
        machine: &Sessions<M>,
        out: &mut VecDeque<Output>,
    ) {
        let Some(Reading { client, nonce, question, .. }) = self.take_read(token) else { return };
        let mut answer = Vec::new();
        machine.query(&question, &mut answer);
        let message = ServerMessage::ReadAnswer { nonce, slot, answer: answer.into() };
        out.push_back(Output::Reply { client, message });
    }

    fn take_read(&mut self, token: Token) -> Option<Reading> {
        let reading = self.reads.remove(&token)?;
        self.reads_bytes -= reading.question.len();
        Some(reading)
    }

    /// The bytes of a request as the log carries it.
    fn body(&mut self, request: &Request) -> Bytes {
        self.scratch.clear();
        request.encode(&mut self.scratch);
        if self.slab.capacity() < self.scratch.len() {
            self.slab.reserve(self.scratch.len().max(SLAB_BYTES));
        }
        self.slab.extend_from_slice(&self.scratch);
        self.slab.split().freeze()
    }

    /// A request that leaves now, and that nobody waits for.
    pub(super) fn unasked(&mut self, request: &Request) -> (Token, Bytes) {
        let token = Token(self.first + self.waiting.len() as u64);
        self.waiting.push_back(None);
        (token, self.body(request))
    }

    /// Whether somebody still waits for this request.
    fn wants(&self, now: Time, token: Token) -> bool {
        let index = token.0.checked_sub(self.first).and_then(|i| usize::try_from(i).ok());
        index.and_then(|i| self.waiting.get(i)).is_some_and(|w| w.as_ref().is_some_and(|w| now < w.until))
    }

    fn take(&mut self, token: Token) -> Option<Waiting> {
        let index = usize::try_from(token.0.checked_sub(self.first)?).ok()?;
        let waiting = self.waiting.get_mut(index)?.take()?;
        while let Some(None) = self.waiting.front() {
            self.waiting.pop_front();
            self.first += 1;
        }
        if let RequestName::Call(session, number) = waiting.name {
            self.names.remove(&(session, number));
        }
        Some(waiting)
    }
}

impl<M: Machine> Replica<M> {
    /// What is said to a command that makes the state larger while there is no room for that.
    fn lacks_room(&self, now: Time, command: &Bytes) -> Option<Refusal> {
        let refusal = match self.group.room(now) {
            Room::Enough => return None,
            Room::Elsewhere => Refusal::NoQuorum,
            Room::Nowhere => Refusal::DiskFull,
        };
        self.machine.machine().grows(command).then_some(refusal)
    }

    /// A client said something.
    pub(super) fn on_client(&mut self, now: Time, client: ClientId, message: ClientMessage) {
        if let ClientMessage::Read { nonce, wait_ms, question, .. } = &message
            && let Some(inquiry) = Inquiry::read(question)
        {
            return self.on_inquiry(now, Asking { client, nonce: *nonce }, *wait_ms, inquiry);
        }
        match message {
            ClientMessage::Open { nonce, wait_ms } => {
                self.hold(now, client, RequestName::Open(nonce), wait_ms, &Request::Open { nonce });
            }
            ClientMessage::Call { session, number, floor, wait_ms, command } => {
                if let Some(standing) = self.machine.lookup(session, number) {
                    self.out.push_back(Output::Event(Event::Repeated));
                    return match standing {
                        Standing::Ended(place, outcome) => self.reply_call(client, session, number, place, outcome),
                        Standing::Waiting => self.park(now, session, number, client),
                    };
                }
                if let Some(token) = self.clients.names.get(&(session, number)).copied() {
                    // It is under way already: only the address to answer may have changed.
                    return self.wait_again(now, token, client, wait_ms);
                }
                let name = RequestName::Call(session, number);
                if let Some(refusal) = self.lacks_room(now, &command) {
                    return self.refuse_client(client, name, refusal);
                }
                let request = Request::Call { session, number, floor, command };
                self.hold(now, client, name, wait_ms, &request);
            }
            ClientMessage::Close { session, wait_ms } => {
                self.hold(now, client, RequestName::Close(session), wait_ms, &Request::Close { session });
            }
            ClientMessage::Read { nonce, local: true, .. } if !self.group.has_state() => {
                self.refuse_client(client, RequestName::Read(nonce), Refusal::NoQuorum);
            }
            ClientMessage::Read { nonce, local: true, wait_ms: _, question } => {
                let mut answer = Vec::new();
                self.machine.query(&question, &mut answer);
                let slot = self.group.log().delivered().0;
                let message = ServerMessage::ReadAnswer { nonce, slot, answer: answer.into() };
                self.out.push_back(Output::Reply { client, message });
            }
            ClientMessage::Read { nonce, local: false, wait_ms, question } => {
                if self.is_retiring() || !self.is_serving(now) {
                    return self.refuse_client(client, RequestName::Read(nonce), Refusal::NoQuorum);
                }
                let bytes = self.clients.reads_bytes + question.len();
                if self.clients.reads.len() >= READS_MAX || bytes > READS_BYTES {
                    return self.refuse_client(client, RequestName::Read(nonce), BUSY);
                }
                self.clients.reads_bytes = bytes;
                self.clients.last_read += 1;
                let token = Token(self.clients.last_read);
                self.clients
                    .reads
                    .insert(token, Reading { client, nonce, until: now + Span::millis(u64::from(wait_ms)), question });
                self.clients.sweep_at = self.clients.sweep_at.min(now + SWEEP_EVERY);
                self.group.read(token);
            }
        }
    }

    /// Lets held requests go as far as there is room, and says no to those that can't.
    pub(super) fn admit(&mut self, now: Time) {
        for token in self.group.forget_unwanted(|token| self.clients.wants(now, token)) {
            self.clients.take(token);
        }
        let serving = self.is_serving(now);
        if serving {
            self.clients.served_at = now;
        }
        while serving && self.has_room() {
            let Some(held) = self.clients.held.pop_front() else { break };
            self.clients.held_bytes -= held.body.len();
            if now >= held.until {
                continue;
            }
            let Held { client, name, until, body } = held;
            let token = Token(self.clients.first + self.clients.waiting.len() as u64);
            if let RequestName::Call(session, number) = name {
                self.clients.names.insert((session, number), token);
            }
            self.clients.waiting.push_back(Some(Waiting { client, name, until, told: false }));
            self.group.submit(token, body);
        }
        if now >= self.clients.sweep_at {
            self.sweep(now);
        }
    }

    /// Whether another request may leave: this replica has not too much under way.
    fn has_room(&self) -> bool {
        self.group.own().bytes() < UNDER_WAY_BYTES && self.group.own().len() < UNDER_WAY && self.link.room() > 0
    }

    fn hold(&mut self, now: Time, client: ClientId, name: RequestName, wait_ms: u32, request: &Request) {
        let body = self.clients.body(request);
        if body.len() > REQUEST_BYTES_MAX {
            return self.refuse_client(client, name, Refusal::TooLarge);
        }
        if self.is_retiring() || (!self.is_serving(now) && now.since(self.clients.served_at) > HOLD) {
            return self.refuse_client(client, name, Refusal::NoQuorum);
        }
        if self.clients.held_bytes + body.len() > HELD_BYTES || self.clients.held.len() >= HELD {
            return self.refuse_client(client, name, BUSY);
        }
        self.clients.held_bytes += body.len();
        let until = now + Span::millis(u64::from(wait_ms));
        self.clients.held.push_back(Held { client, name, until, body });
        if self.clients.deadline().is_some_and(|at| at == Time::NEVER) {
            self.clients.sweep_at = now + SWEEP_EVERY;
        }
    }

    fn park(&mut self, now: Time, session: SessionId, number: u64, client: ClientId) {
        if self.is_retiring() {
            let message = ServerMessage::TryAnother { request: RequestName::Call(session, number) };
            return self.out.push_back(Output::Reply { client, message });
        }
        self.clients.sweep_at = self.clients.sweep_at.min(now + SWEEP_EVERY);
        self.clients.park(session, number, client);
    }

    fn wait_again(&mut self, now: Time, token: Token, client: ClientId, wait_ms: u32) {
        let index = usize::try_from(token.0 - self.clients.first).unwrap_or(usize::MAX);
        if let Some(Some(waiting)) = self.clients.waiting.get_mut(index) {
            waiting.client = client;
            waiting.until = now + Span::millis(u64::from(wait_ms));
            waiting.told = false;
        }
    }

    /// While nothing can be ordered here for too long: what has not left is refused, and whoever waits for
    /// what has left is sent to another replica (RULES L12).
    fn sweep(&mut self, now: Time) {
        let clients = &mut self.clients;
        clients.sweep_at = now + SWEEP_EVERY;
        let Clients { reads, reads_bytes, .. } = clients;
        reads.retain(|_, reading| {
            let is_wanted = now < reading.until;
            *reads_bytes -= if is_wanted { 0 } else { reading.question.len() };
            is_wanted
        });
        if now.since(clients.served_at) > HOLD {
            self.turn_away();
        }
    }

    /// Nothing can be ordered here any more, or not for now: all who wait are told to go elsewhere.
    pub(super) fn turn_away(&mut self) {
        self.turn_away_unsent();
        for waiting in self.clients.waiting.iter_mut().flatten().filter(|waiting| !waiting.told) {
            waiting.told = true;
            let message = ServerMessage::TryAnother { request: waiting.name };
            self.out.push_back(Output::Reply { client: waiting.client, message });
        }
    }

    /// All who wait are told to go elsewhere, but for those whose request is under way from here.
    pub(super) fn turn_away_unsent(&mut self) {
        let clients = &mut self.clients;
        while let Some(Held { client, name, body, .. }) = clients.held.pop_front() {
            clients.held_bytes -= body.len();
            let message = ServerMessage::Refused { request: name, refusal: Refusal::NoQuorum };
            self.out.push_back(Output::Reply { client, message });
        }
        for ((session, number), parked) in clients.parked.iter_mut().filter(|(_, parked)| !parked.told) {
            parked.told = true;
            let message = ServerMessage::TryAnother { request: RequestName::Call(*session, *number) };
            self.out.push_back(Output::Reply { client: parked.client, message });
        }
        for token in self.group.withdraw_reads() {
            if let Some(Reading { client, nonce, .. }) = clients.take_read(token) {
                let message = ServerMessage::Refused { request: RequestName::Read(nonce), refusal: Refusal::NoQuorum };
                self.out.push_back(Output::Reply { client, message });
            }
        }
    }

    fn reply_call(&mut self, client: ClientId, session: SessionId, number: u64, place: Place, outcome: Outcome) {
        let message = ServerMessage::Answer { session, number, place, outcome };
        self.out.push_back(Output::Reply { client, message });
    }

    pub(super) fn refuse_client(&mut self, client: ClientId, request: RequestName, refusal: Refusal) {
        let message = ServerMessage::Refused { request, refusal };
        self.out.push_back(Output::Reply { client, message });
    }
}
