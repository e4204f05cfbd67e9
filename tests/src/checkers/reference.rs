//! What the log means, said as naively as possible: it forgets nothing, so it can also say what was true
//! after any slot.

use crate::standin::{Command, Question};
use bytes::Bytes;
use ftq_core::ids::Slot;
use ftq_core::machine::Place;
use ftq_core::session::message::{Request, SessionId};
use ftq_core::time::{SlotClock, Span};
use std::collections::{BTreeMap, BTreeSet};

/// How long a session lives without a request.
const EXPIRY: Span = Span::secs(600);

/// How far ahead of its floor a session's numbers may be.
const WINDOW: u64 = 1_024;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Execution {
    /// It opened a session, or had.
    Opened,
    /// It was executed.
    Done {
        /// Its session.
        session: SessionId,
        /// Its number.
        number: u64,
        /// Its command.
        command: Bytes,
    },
    /// It had been executed before.
    Repeated,
    /// It is at or below what its client has confirmed.
    Settled,
    /// It is too far ahead.
    AheadOfWindow,
    /// There is no such session.
    NoSession,
}

/// A request that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Where.
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

/// The state, and all that it ever was.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    clock: SlotClock,
    sessions: BTreeMap<SessionId, Session>,
    nonces: BTreeMap<[u8; 16], SessionId>,
    done: BTreeMap<(SessionId, u64), Done>,
    commands: BTreeSet<Bytes>,
    /// What each list's length and each counter was from which slot on.
    lists: BTreeMap<u64, Vec<(u64, u64)>>,
    counters: BTreeMap<u64, Vec<(u64, u64)>>,
}

impl Reference {
    /// A slot begins.
    pub fn advance(&mut self, _slot: Slot, clock: SlotClock) {
        self.clock = clock;
        let expired = |session: &Session| session.used + EXPIRY <= clock;
        self.sessions.values_mut().for_each(|session| session.gone |= expired(session));
    }

    /// A request is ordered.
    pub fn execute(&mut self, place: Place, request: &Request) -> Execution {
        match request {
            Request::Open { nonce } => {
                let known = self.nonces.get(nonce).filter(|id| self.sessions.get(id).is_some_and(|s| !s.gone)).copied();
                let id = known.unwrap_or(SessionId(place.slot << 16 | u64::from(place.position)));
                self.nonces.insert(*nonce, id);
                let session = self.sessions.entry(id).or_insert(Session { floor: 0, used: self.clock, gone: false });
                session.used = self.clock;
                Execution::Opened
            }
            Request::Call { session: id, number, floor, command } => {
                let Some(session) = self.sessions.get_mut(id).filter(|session| !session.gone) else {
                    return Execution::NoSession;
                };
                session.used = self.clock;
                session.floor = session.floor.max(*floor);
                if *number <= session.floor {
                    Execution::Settled
                } else if *number > session.floor + WINDOW {
                    Execution::AheadOfWindow
                } else if self.done.contains_key(&(*id, *number)) {
                    Execution::Repeated
                } else {
                    let answer = self.apply(place, command);
                    self.commands.insert(command.clone());
                    self.done.insert((*id, *number), Done { place, command: command.clone(), answer });
                    Execution::Done { session: *id, number: *number, command: command.clone() }
                }
            }
        }
    }

    fn apply(&mut self, place: Place, command: &Bytes) -> Bytes {
        let say = |values: &mut Vec<(u64, u64)>, value: u64| {
            values.push((place.slot, value));
            Bytes::copy_from_slice(&value.to_le_bytes())
        };
        match Command::decode(command.clone()) {
            Ok(Command::Append { list, value: _ }) => {
                let values = self.lists.entry(list).or_default();
                let length = values.last().map_or(0, |(_, length)| *length);
                say(values, length + 1)
            }
            Ok(Command::Add { counter, amount }) => {
                let values = self.counters.entry(counter).or_default();
                let before = values.last().map_or(0, |(_, value)| *value);
                say(values, before.wrapping_add(amount))
            }
            Ok(Command::Alarm { .. }) | Err(_) => Bytes::copy_from_slice(&0u64.to_le_bytes()),
        }
    }

    /// What a question's answer was after a slot.
    pub fn answer_at(&self, slot: u64, question: &Bytes) -> Option<Bytes> {
        let values = match Question::decode(question.clone()).ok()? {
            Question::List { list } => self.lists.get(&list),
            Question::Counter { counter } => self.counters.get(&counter),
        };
        let values = values.map_or(&[][..], Vec::as_slice);
        let upto = values.partition_point(|(at, _)| *at <= slot);
        let value = values[..upto].last().map_or(0, |(_, value)| *value);
        Some(Bytes::copy_from_slice(&value.to_le_bytes()))
    }

    /// A request that was executed.
    pub fn done(&self, session: SessionId, number: u64) -> Option<&Done> {
        self.done.get(&(session, number))
    }

    /// Whether a command was executed.
    pub fn holds(&self, command: &Bytes) -> bool {
        self.commands.contains(command)
    }
}
