//! What the log means, said as naively as possible: sessions around the naive machine. It forgets no answer,
//! and remembers what could be seen of each queue after which slot, so it can also say what was true then.

mod queue;
pub mod queues;
pub mod shown;

use self::queues::Naive;
use self::shown::Shown;
use bytes::Bytes;
use ftq_core::ids::Slot;
use ftq_core::machine::queues::{Command, Error, Executed, Limits, Reply, encode_reply};
use ftq_core::machine::{Place, Ticket};
use ftq_core::session::message::{Request, SessionId};
use ftq_core::session::table::{self, WINDOW};
use ftq_core::time::SlotClock;
use std::collections::{BTreeMap, BTreeSet};

/// The most sessions that expire in one slot.
const EXPIRED_MAX: usize = 1_024;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Execution {
    /// It opened a session, or had.
    Opened,
    /// There are too many sessions that are at work.
    Full,
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
    /// It is too far ahead, or there is no room for its answer.
    AheadOfWindow,
    /// There is no such session.
    NoSession,
    /// It closed a session, or there was none.
    Closed,
    /// It switched to newer rules, or had.
    Ruled,
    /// It chose the limit of memory, or somebody had.
    Limited,
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
    /// The highest number that was taken up.
    last: u64,
    used: SlotClock,
    gone: bool,
}

/// The state, and all that could ever be seen of it.
#[derive(Clone, Debug)]
pub struct Reference {
    limits: table::Limits,
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
    /// Nothing has happened, under these rules and limits of the machine.
    pub fn new(rules: u64, limits: Limits) -> Reference {
        Reference::with_limits(rules, limits, table::Limits::default())
    }

    /// Nothing has happened, under these rules and limits of the machine, and these limits of the sessions.
    pub fn with_limits(rules: u64, machine: Limits, limits: table::Limits) -> Reference {
        Reference {
            limits,
            clock: SlotClock(0),
            machine: Naive::new(rules, machine),
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
        let late = |session: &Session| !session.gone && session.used + self.limits.expiry <= clock;
        let mut expired: Vec<_> =
            self.sessions.iter().filter(|(_, session)| late(session)).map(|(id, it)| (it.used, *id)).collect();
        expired.sort_unstable();
        expired.truncate(EXPIRED_MAX);
        let mut expired: Vec<_> = expired.into_iter().map(|(_, id)| id).collect();
        expired.sort_unstable();
        self.end(&expired);
        self.settle(Place { slot: slot.0, position: 0 });
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
            Request::Rules { version } => {
                self.machine.switch_rules(*version);
                Execution::Ruled
            }
            Request::Memory { bytes } => {
                self.machine.limit_memory(*bytes);
                Execution::Limited
            }
            Request::Call { session, number, floor, command } => {
                let execution = self.call(place, *session, *number, *floor, command);
                if self.has_session(*session) {
                    self.make_room(*session);
                }
                execution
            }
        };
        self.settle(place);
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

    /// The version of the rules that is in force.
    pub fn rules(&self) -> u64 {
        self.machine.rules()
    }

    /// How many sessions there are.
    pub fn session_count(&self) -> usize {
        self.open_sessions().count()
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
        if let Some(session) = known.and_then(|id| self.sessions.get_mut(&id)) {
            session.used = self.clock;
            return Execution::Opened;
        }
        while self.open_sessions().count() >= self.limits.sessions_max {
            let idle = self.open_sessions().filter(|(id, _)| !self.is_at_work(**id));
            let Some((_, longest)) = idle.map(|(id, session)| (session.used, *id)).min() else {
                return Execution::Full;
            };
            self.end(&[longest]);
        }
        let id = SessionId(place.slot << 16 | u64::from(place.position));
        self.nonces.insert(nonce, id);
        self.sessions.insert(id, Session { floor: 0, last: 0, used: self.clock, gone: false });
        Execution::Opened
    }

    fn call(&mut self, place: Place, id: SessionId, number: u64, floor: u64, command: &Bytes) -> Execution {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| !session.gone) else {
            return Execution::NoSession;
        };
        session.used = self.clock;
        session.floor = session.floor.max(floor);
        session.last = session.last.max(session.floor);
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
        let Some(room) = self.room(id, number) else { return Execution::AheadOfWindow };
        self.machine.keeps(self.kept_by_all());
        let ticket = Ticket { session: id, number };
        let executed = Command::decode(command).map(|command| self.machine.execute(ticket, &command, room));
        let execution = match executed.unwrap_or_else(|error| Executed::Answered(Err::<_, Error>(error))) {
            Executed::NoRoom => return Execution::AheadOfWindow,
            Executed::Waits => {
                self.waiting.insert((id, number), command.clone());
                Execution::Waiting
            }
            Executed::Answered(reply) => {
                self.answer(place, (id, number), command.clone(), &reply);
                Execution::Done { command: command.clone() }
            }
        };
        if is_unique(command) {
            self.commands.insert(command.clone());
        }
        let session = self.sessions.get_mut(&id).expect("one that was found");
        session.last = session.last.max(number);
        execution
    }

    /// How long the answer to a number may be, if it may be executed now.
    fn room(&self, id: SessionId, number: u64) -> Option<usize> {
        let session = &self.sessions[&id];
        if number - session.floor > WINDOW {
            return None;
        }
        let (limits, share) = (self.limits, self.limits.share_bytes as u64);
        let own = self.kept_by(id);
        let of_session = (limits.session_bytes_max as u64).saturating_sub(own);
        let of_all = (limits.bytes_max as u64).saturating_sub(self.kept_by_all());
        let rest = of_session.min(of_all);
        let room = if number == session.floor + 1 {
            rest.max(share)
        } else {
            let entries = 64 * number.saturating_sub(session.last);
            rest.max(share.saturating_sub(own)).checked_sub(entries)?
        };
        usize::try_from(room).ok()
    }

    /// What the answers of a session take that are kept: an entry for each number above the floor, and each
    /// answer that is not short.
    pub fn kept_by(&self, id: SessionId) -> u64 {
        let session = &self.sessions[&id];
        let kept = self.done.range((id, session.floor.saturating_add(1))..=(id, u64::MAX));
        let long = kept.map(|(_, done)| done.answer.len() as u64).filter(|length| *length > 23);
        64 * (session.last - session.floor) + long.sum::<u64>()
    }

    /// What all answers that are kept take.
    pub fn kept_by_all(&self) -> u64 {
        self.open_sessions().map(|(id, _)| self.kept_by(*id)).sum()
    }

    /// Whether a number that was passed has no answer.
    fn is_at_work(&self, id: SessionId) -> bool {
        let session = &self.sessions[&id];
        let done = self.done.range((id, session.floor.saturating_add(1))..=(id, u64::MAX)).count() as u64;
        done < session.last - session.floor
    }

    /// While there is too little room for one more session's answers, those go that keep more than their share.
    fn make_room(&mut self, spared: SessionId) {
        let (limits, share) = (self.limits, self.limits.share_bytes as u64);
        while self.kept_by_all() + limits.session_bytes_max as u64 > limits.bytes_max as u64 {
            let may_go = |id: SessionId| id != spared && !self.is_at_work(id) && self.kept_by(id) > share;
            let heavy = self.open_sessions().filter(|(id, _)| may_go(**id));
            let Some((_, longest)) = heavy.map(|(id, session)| (session.used, *id)).min() else { return };
            self.end(&[longest]);
        }
    }

    fn open_sessions(&self) -> impl Iterator<Item = (&SessionId, &Session)> {
        self.sessions.iter().filter(|(_, session)| !session.gone)
    }

    /// Sessions are gone for good.
    fn end(&mut self, gone: &[SessionId]) {
        self.waiting.retain(|(session, _), _| !gone.contains(session));
        for (id, session) in &mut self.sessions {
            session.gone |= gone.contains(id);
        }
        self.machine.end_sessions(gone);
    }

    /// Does what is due, and answers those who had waited.
    fn settle(&mut self, place: Place) {
        loop {
            self.collect(place);
            if !self.machine.settle() {
                break;
            }
        }
        self.machine.keeps(self.kept_by_all());
    }

    fn collect(&mut self, place: Place) {
        loop {
            let mut machine = std::mem::replace(&mut self.machine, Naive::new(1, Limits::default()));
            let done = machine.completed(|ticket| self.room(ticket.session, ticket.number).unwrap_or(0));
            self.machine = machine;
            let Some((Ticket { session, number }, reply)) = done else { return };
            let command = self.waiting.remove(&(session, number)).expect("somebody who waits");
            if let Some(reply) = reply {
                self.answer(place, (session, number), command, &reply);
            }
            self.make_room(session);
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
