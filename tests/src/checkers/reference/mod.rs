//! What the log means, said as naively as possible: sessions around the naive machine. It forgets no answer,
//! and remembers what could be seen of each queue after which slot, so it can also say what was true then.

pub mod queues;
pub mod shown;

use self::queues::Naive;
use self::shown::Shown;
use bytes::Bytes;
use ftq_core::ids::Slot;
use ftq_core::machine::queues::{Command, Limits, Reply, encode_reply};
use ftq_core::machine::{Place, Ticket};
use ftq_core::session::message::{Request, SessionId};
use ftq_core::session::table::WINDOW;
use ftq_core::time::{SlotClock, Span};
use std::collections::{BTreeMap, BTreeSet};

/// How long a session lives without a request.
const EXPIRY: Span = Span::secs(600);

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Execution {
    /// It opened a session, or had.
    Opened,
    /// It was executed.
    Done {
        /// Its command.
        command: Bytes,
    },
    /// It was executed, and waits for its answer.
    Waiting,
    /// It had been executed before.
    Repeated,
    /// It is at or below what its client has confirmed.
    Settled,
    /// It is too far ahead.
    AheadOfWindow,
    /// There is no such session.
    NoSession,
    /// It closed a session, or there was none.
    Closed,
}

/// A request that was executed and has its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Where it got its answer.
    pub place: Place,
    /// What.
    pub command: Bytes,
    /// With which answer.
    pub answer: Bytes,
}

#[derive(Clone, Debug)]
struct Session {
    floor: u64,
    used: SlotClock,
    gone: bool,
}

/// The state, and all that could ever be seen of it.
#[derive(Clone, Debug)]
pub struct Reference {
    clock: SlotClock,
    machine: Naive,
    sessions: BTreeMap<SessionId, Session>,
    nonces: BTreeMap<[u8; 16], SessionId>,
    done: BTreeMap<(SessionId, u64), Done>,
    waiting: BTreeMap<(SessionId, u64), Bytes>,
    commands: BTreeSet<Bytes>,
    answered: Vec<(SessionId, u64)>,
    shown: Shown,
}

impl Reference {
    /// Nothing has happened, under these limits.
    pub fn new(limits: Limits) -> Reference {
        Reference {
            clock: SlotClock(0),
            machine: Naive::new(limits),
            sessions: BTreeMap::new(),
            nonces: BTreeMap::new(),
            done: BTreeMap::new(),
            waiting: BTreeMap::new(),
            commands: BTreeSet::new(),
            answered: Vec::new(),
            shown: Shown::default(),
        }
    }

    /// A slot begins.
    pub fn advance(&mut self, slot: Slot, clock: SlotClock) {
        self.clock = clock;
        self.machine.advance(clock);
        let late = |session: &Session| !session.gone && session.used + EXPIRY <= clock;
        let expired: Vec<_> = self.sessions.iter().filter(|(_, session)| late(session)).map(|(id, _)| *id).collect();
        self.end(&expired);
        self.machine.settle();
        self.collect(Place { slot: slot.0, position: 0 });
    }

    /// A request is ordered.
    pub fn execute(&mut self, place: Place, request: &Request) -> Execution {
        let execution = match request {
            Request::Open { nonce } => self.open(place, *nonce),
            Request::Close { session } => {
                if self.has_session(*session) {
                    self.end(&[*session]);
                }
                Execution::Closed
            }
            Request::Call { session, number, floor, command } => self.call(place, *session, *number, *floor, command),
        };
        self.collect(place);
        execution
    }

    /// All requests of a slot are executed.
    pub fn end_slot(&mut self) {
        self.shown.look(&self.machine);
    }

    /// What a question's answer was after a slot.
    pub fn answer_at(&self, slot: u64, question: &Bytes) -> Option<Bytes> {
        self.shown.answer_at(slot, question).map(|reply| encoded(&reply))
    }

    /// The requests that have got their answers since this was asked last.
    pub fn take_answered(&mut self) -> Vec<(SessionId, u64)> {
        std::mem::take(&mut self.answered)
    }

    /// A request that was executed and answered.
    pub fn done(&self, session: SessionId, number: u64) -> Option<&Done> {
        self.done.get(&(session, number))
    }

    /// Whether the session is there.
    pub fn has_session(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|session| !session.gone)
    }

    /// Whether the client has said that this number is settled.
    pub fn has_settled(&self, session: SessionId, number: u64) -> bool {
        self.sessions.get(&session).is_some_and(|session| number <= session.floor)
    }

    /// Whether a command was executed, if it is one that no other is like.
    pub fn holds(&self, command: &Bytes) -> bool {
        self.commands.contains(command)
    }

    fn open(&mut self, place: Place, nonce: [u8; 16]) -> Execution {
        let known = self.nonces.get(&nonce).filter(|id| self.has_session(**id)).copied();
        let id = known.unwrap_or(SessionId(place.slot << 16 | u64::from(place.position)));
        self.nonces.insert(nonce, id);
        let session = self.sessions.entry(id).or_insert(Session { floor: 0, used: self.clock, gone: false });
        session.used = self.clock;
        Execution::Opened
    }

    fn call(&mut self, place: Place, id: SessionId, number: u64, floor: u64, command: &Bytes) -> Execution {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| !session.gone) else {
            return Execution::NoSession;
        };
        session.used = self.clock;
        session.floor = session.floor.max(floor);
        let floor = session.floor;
        for number in self.waiting.range((id, 0)..=(id, floor)).map(|((_, number), _)| *number).collect::<Vec<_>>() {
            self.waiting.remove(&(id, number));
            self.machine.abandon(Ticket { session: id, number });
        }
        if number <= floor {
            return Execution::Settled;
        }
        if self.done.contains_key(&(id, number)) || self.waiting.contains_key(&(id, number)) {
            return Execution::Repeated;
        }
        if number > floor + WINDOW {
            return Execution::AheadOfWindow;
        }
        if is_unique(command) {
            self.commands.insert(command.clone());
        }
        let reply = match Command::decode(command) {
            Ok(command) => self.machine.execute(Ticket { session: id, number }, &command),
            Err(error) => Some(Err(error)),
        };
        let Some(reply) = reply else {
            self.waiting.insert((id, number), command.clone());
            return Execution::Waiting;
        };
        self.answer(place, (id, number), command.clone(), &reply);
        Execution::Done { command: command.clone() }
    }

    /// Sessions are gone for good.
    fn end(&mut self, gone: &[SessionId]) {
        self.waiting.retain(|(session, _), _| !gone.contains(session));
        for (id, session) in &mut self.sessions {
            session.gone |= gone.contains(id);
        }
        self.machine.end_sessions(gone);
    }

    /// Those who had waited are answered.
    fn collect(&mut self, place: Place) {
        for (Ticket { session, number }, reply) in self.machine.completed() {
            let command = self.waiting.remove(&(session, number)).expect("somebody who waits");
            self.answer(place, (session, number), command, &reply);
        }
    }

    fn answer(&mut self, place: Place, name: (SessionId, u64), command: Bytes, reply: &Reply) {
        self.answered.push(name);
        self.done.insert(name, Done { place, command, answer: encoded(reply) });
    }
}

/// Whether no other command is like this one: pushes of clients here are of items that are alone of their kind.
pub fn is_unique(command: &Bytes) -> bool {
    match Command::decode(command) {
        Ok(Command::Push { .. }) => true,
        Ok(Command::Steps(steps)) => steps.iter().any(|step| matches!(step, Command::Push { .. })),
        Ok(_) | Err(_) => false,
    }
}

fn encoded(reply: &Reply) -> Bytes {
    let mut bytes = Vec::new();
    encode_reply(reply, &mut bytes);
    bytes.into()
}
