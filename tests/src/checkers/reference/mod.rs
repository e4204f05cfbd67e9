//! What the log means, said as naively as possible: it forgets nothing, so it can also say what was true
//! after any slot.

pub mod queues;

use bytes::Bytes;
use ftq_core::ids::Slot;
use ftq_core::machine::Place;
use ftq_core::machine::list::{ALARM_MS_MAX, ALARMS_MAX, Answer, Command, Question};
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
    /// It closed a session, or there was none.
    Closed,
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
    /// What each list, each counter and the alarms showed, from which slot on.
    lists: BTreeMap<u64, Shown<(u64, Option<Bytes>)>>,
    counters: BTreeMap<u64, Shown<u64>>,
    alarms_shown: Shown<(u64, u64)>,
    alarms: Vec<SlotClock>,
}

/// What something showed from which slot on.
type Shown<T> = Vec<(u64, T)>;

impl Reference {
    /// A slot begins.
    pub fn advance(&mut self, slot: Slot, clock: SlotClock) {
        self.clock = clock;
        let pending = self.alarms.len();
        self.alarms.retain(|at| *at > clock);
        let fired = (pending - self.alarms.len()) as u64;
        if fired > 0 {
            self.show_alarms(slot.0, fired);
        }
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
            Request::Close { session } => {
                if let Some(session) = self.sessions.get_mut(session) {
                    session.gone = true;
                }
                Execution::Closed
            }
            Request::Call { session: id, number, floor, command } => {
                let Some(session) = self.sessions.get_mut(id).filter(|session| !session.gone) else {
                    return Execution::NoSession;
                };
                session.used = self.clock;
                session.floor = session.floor.max(*floor);
                if *number <= session.floor {
                    Execution::Settled
                } else if self.done.contains_key(&(*id, *number)) {
                    Execution::Repeated
                } else if *number > session.floor + WINDOW {
                    Execution::AheadOfWindow
                } else {
                    let answer = self.apply(place, command);
                    if !matches!(Command::decode(command.clone()), Ok(Command::Alarm { .. })) {
                        self.commands.insert(command.clone());
                    }
                    self.done.insert((*id, *number), Done { place, command: command.clone(), answer });
                    Execution::Done { session: *id, number: *number, command: command.clone() }
                }
            }
        }
    }

    fn apply(&mut self, place: Place, command: &Bytes) -> Bytes {
        encoded(&match Command::decode(command.clone()) {
            Ok(Command::Append { list, item }) => {
                let shown = self.lists.entry(list).or_default();
                let length = shown.last().map_or(0, |(_, (length, _))| *length) + 1;
                shown.push((place.slot, (length, Some(item))));
                Answer::Length(length)
            }
            Ok(Command::Add { counter, amount }) => {
                let shown = self.counters.entry(counter).or_default();
                let value = shown.last().map_or(0, |(_, value)| *value).wrapping_add(amount);
                shown.push((place.slot, value));
                Answer::Value(value)
            }
            Ok(Command::Alarm { after_ms }) => self.set_alarm(place, after_ms),
            Err(_) => Answer::Malformed,
        })
    }

    fn set_alarm(&mut self, place: Place, after_ms: u64) -> Answer {
        let at = self.clock + Span::millis(after_ms);
        let moments: BTreeSet<&SlotClock> = self.alarms.iter().chain([&at]).collect();
        if after_ms > ALARM_MS_MAX || moments.len() > ALARMS_MAX {
            return Answer::Refused;
        }
        self.alarms.push(at);
        self.show_alarms(place.slot, 0);
        Answer::Alarm(at)
    }

    fn show_alarms(&mut self, slot: u64, fired: u64) {
        let before = self.alarms_shown.last().map_or(0, |(_, (fired, _))| *fired);
        self.alarms_shown.push((slot, (before + fired, self.alarms.len() as u64)));
    }

    /// What a question's answer was after a slot.
    pub fn answer_at(&self, slot: u64, question: &Bytes) -> Option<Bytes> {
        Some(encoded(&match Question::decode(question.clone()).ok()? {
            Question::List(list) => {
                let (length, last) = at(self.lists.get(&list), slot).unwrap_or_default();
                Answer::List { length, last }
            }
            Question::Counter(counter) => Answer::Value(at(self.counters.get(&counter), slot).unwrap_or_default()),
            Question::Alarms => {
                let (fired, pending) = at(Some(&self.alarms_shown), slot).unwrap_or_default();
                Answer::Alarms { fired, pending }
            }
        }))
    }

    /// A request that was executed.
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
}

/// What was shown after a slot.
fn at<T: Clone>(shown: Option<&Shown<T>>, slot: u64) -> Option<T> {
    let shown = shown?;
    let upto = shown.partition_point(|(from, _)| *from <= slot);
    shown[..upto].last().map(|(_, value)| value.clone())
}

fn encoded(answer: &Answer) -> Bytes {
    let mut bytes = Vec::new();
    answer.encode(&mut bytes);
    bytes.into()
}
