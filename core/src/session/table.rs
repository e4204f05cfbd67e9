//! The sessions, as the log makes them: a command is executed at most once, however often it is sent.
//!
//! ```text
//!                          ┌ number <= floor ───────────▶ Settled, for ever
//! (session, number) ───────┼ executed before ───────────▶ the first answer, with its first place
//!   │                      ├ executed, and waits ───────▶ waits on
//!   │                      ├ beyond the window, no room ▶ AheadOfWindow
//!   └ no such session      └ else ──▶ machine ──▶ answer, kept until the floor passes it
//!       ──▶ NoSession                    └─────▶ waits ──▶ answer, with the place where it came
//! ```
//!
//! What may be kept has bounds: see `bounds`.
//!
//! Always: what happens is a function of the log alone, the limits included, so all replicas must have
//! the same ones. A session's id is the place that opened it, so it never comes again; the floor of a
//! session never falls (RULES S16). Time is the slot clock.

mod applied;
mod bounds;
mod kept;
mod quiet;
mod snapshot;
#[cfg(test)]
mod tests;

pub use applied::{Applied, Standing};
pub use bounds::Limits;
pub use kept::WINDOW;

use self::kept::{Answer, Answers, Entry, Kept};
use self::quiet::{Listed, Quiet, Weight};
use super::message::{Outcome, Request, SessionId};
use crate::ids::{Digest, Slot};
use crate::machine::stretches::Stretches;
use crate::machine::{Completion, Machine, Place, Progress, SHORT_ANSWER, Ticket};
use crate::time::SlotClock;
use crate::wire::Malformed;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// How many bytes of answers that go out share one allocation.
const SLAB_BYTES: usize = 16 << 10;

/// How many sessions that expire are ended in one slot; the rest is in the next ones, which are ordered at once.
const EXPIRED_MAX: usize = 1_024;

/// A session as it stands.
#[derive(Clone, Debug)]
struct Session {
    nonce: [u8; 16],
    /// When it was heard of last.
    seen: SlotClock,
    listed: Listed,
    answers: Answers,
}

/// The sessions, around the machine that their commands are for.
#[derive(Debug)]
pub struct Sessions<M> {
    machine: M,
    limits: Limits,
    clock: SlotClock,
    sessions: BTreeMap<SessionId, Session>,
    nonces: BTreeMap<[u8; 16], SessionId>,
    quiet: Quiet,
    /// For snapshots.
    stretches: Stretches<Option<SessionId>>,
    /// What all answers that are kept take.
    bytes: usize,
    /// Chained over all that happened to the sessions.
    chain: u128,
    /// Where the log has been applied to.
    place: Place,
    /// What became of commands that had waited, which nobody has fetched yet.
    completed: VecDeque<Applied>,
    scratch: Vec<u8>,
    slab: BytesMut,
}

/// What the chain is about. The numbers are part of the digest.
#[derive(Clone, Copy, Debug)]
enum Event {
    Malformed = 0,
    Opened = 1,
    Called = 2,
    Ended = 3,
    Completed = 4,
    Ruled = 5,
    Limited = 6,
}

impl<M: Machine> Sessions<M> {
    /// No session yet, with the limits that replicas have by default.
    pub fn new(machine: M) -> Sessions<M> {
        Sessions::with_limits(machine, Limits::default())
    }

    /// No session yet.
    pub fn with_limits(machine: M, limits: Limits) -> Sessions<M> {
        assert!(limits.sessions_max > 0, "there is room for a session");
        Sessions {
            machine,
            limits,
            clock: SlotClock(0),
            sessions: BTreeMap::new(),
            nonces: BTreeMap::new(),
            quiet: Quiet::default(),
            stretches: Stretches::default(),
            bytes: 0,
            chain: 0,
            place: Place::default(),
            completed: VecDeque::new(),
            scratch: Vec::new(),
            slab: BytesMut::new(),
        }
    }

    /// Time moves on to the clock of the slot that is applied next; called once per slot, before its requests.
    pub fn advance(&mut self, slot: Slot, clock: SlotClock) {
        self.clock = clock;
        self.place = Place { slot: slot.0, position: 0 };
        self.machine.advance(slot, clock);
        let expired = self.expired();
        self.end(&expired);
        self.settle();
    }

    /// Applies one request of the log.
    pub fn apply(&mut self, place: Place, request: &Bytes) -> Applied {
        self.place = place;
        let applied = match Request::decode(request.clone()) {
            Ok(Request::Open { nonce }) => self.open(place, nonce),
            Ok(Request::Call { session, number, floor, command }) => self.call(session, number, floor, &command),
            Ok(Request::Close { session }) => self.close(session),
            Ok(Request::Rules { version }) => self.rule(version),
            Ok(Request::Memory { bytes }) => {
                self.chain_event(Event::Limited, place, [bytes, 0, 0]);
                self.machine.limit_memory(bytes);
                Applied::Limited
            }
            Err(Malformed) => {
                self.chain_event(Event::Malformed, place, [0; 3]);
                Applied::Malformed
            }
        };
        self.settle();
        applied
    }

    /// What became of the next command that had waited. All are fetched after each call that changes
    /// something.
    pub fn completed(&mut self) -> Option<Applied> {
        self.completed.pop_front()
    }

    fn open(&mut self, place: Place, nonce: [u8; 16]) -> Applied {
        if let Some(session) = self.nonces.get(&nonce).copied() {
            self.chain_event(Event::Opened, place, [session.0, 1, 0]);
            if let Some(open) = self.sessions.get_mut(&session) {
                open.seen = self.clock;
            }
            self.stretches.change(&session);
            return Applied::Opened { nonce, session, repeated: true };
        }
        assert!(place.position < 1 << 16, "a slot holds fewer requests");
        let session = SessionId::opened_at(place);
        while self.sessions.len() >= self.limits.sessions_max {
            let Some((_, longest)) = self.quiet.longest(&mut self.sessions, &Weight::IDLE, None) else {
                self.chain_event(Event::Opened, place, [0; 3]);
                return Applied::Full { nonce };
            };
            self.end(&[longest]);
        }
        self.chain_event(Event::Opened, place, [session.0, 0, xxh3_64(&nonce)]);
        let mut opened = Session::new(nonce, self.clock, Answers::default());
        self.quiet.admit(session, &mut opened, self.limits.share_bytes);
        self.stretches.begin(&session, snapshot::begins_stretch(session));
        self.sessions.insert(session, opened);
        self.nonces.insert(nonce, session);
        Applied::Opened { nonce, session, repeated: false }
    }

    fn close(&mut self, session: SessionId) -> Applied {
        if self.sessions.contains_key(&session) {
            self.end(&[session]);
        }
        Applied::Closed { session }
    }

    fn rule(&mut self, version: u64) -> Applied {
        self.chain_event(Event::Ruled, self.place, [version, 0, 0]);
        match self.machine.switch_rules(version) {
            Ok(()) => Applied::Ruled { version },
            Err(unknown) => Applied::UnknownRules(unknown),
        }
    }

    fn call(&mut self, id: SessionId, number: u64, floor: u64, command: &Bytes) -> Applied {
        let place = self.place;
        self.chain_event(Event::Called, place, [id.0, number, floor]);
        let Some(session) = self.sessions.get_mut(&id) else {
            return answered_as(id, number, place, Outcome::NoSession, false);
        };
        session.seen = self.clock;
        self.stretches.change(&id);
        let before = session.answers.bytes();
        session.answers.raise_floor(floor, |number| {
            self.machine.abandon(Ticket { session: id, number });
            self.completed.push_back(answered_as(id, number, place, Outcome::Settled, false));
        });
        self.bytes -= before - session.answers.bytes();
        let applied = self.answer(id, number, command);
        self.weigh(id);
        self.make_room(id);
        applied
    }

    /// Answers a command of a session that is there: as before, or by executing it.
    fn answer(&mut self, id: SessionId, number: u64, command: &Bytes) -> Applied {
        let place = self.place;
        let answered = |place, outcome, repeated| answered_as(id, number, place, outcome, repeated);
        let answers = &self.sessions.get(&id).expect("an open session").answers;
        if number <= answers.floor() {
            return answered(place, Outcome::Settled, false);
        }
        match answers.entry(number) {
            Some(Entry::Kept(kept)) => {
                return answered(kept.place, Outcome::Done(shared(&mut self.slab, &kept.answer)), true);
            }
            Some(Entry::Waiting) => return Applied::Waiting { session: id, number, repeated: true },
            Some(Entry::Missing) | None => {}
        }
        let Some(room) = self.limits.room(answers, self.bytes, number) else {
            return answered(place, Outcome::AheadOfWindow, false);
        };
        let ticket = Ticket { session: id, number };
        self.machine.keeps(self.bytes as u64);
        self.scratch.clear();
        match self.machine.apply(place, ticket, command, room, &mut self.scratch) {
            Progress::Answered => {
                let answer = Answer::of(&self.scratch);
                answered(place, self.keep(ticket, room, answer), false)
            }
            Progress::Waiting => {
                self.change(id, |answers| answers.wait(number));
                Applied::Waiting { session: id, number, repeated: false }
            }
            Progress::NoRoom => answered(place, Outcome::AheadOfWindow, false),
        }
    }

    /// Does what is due, and keeps the answers of those who had waited.
    fn settle(&mut self) {
        loop {
            self.collect();
            if !self.machine.settle() {
                break;
            }
        }
        self.machine.keeps(self.bytes as u64);
    }

    fn collect(&mut self) {
        let room = |sessions: &BTreeMap<SessionId, Session>, limits: Limits, all, ticket: Ticket| {
            let session = sessions.get(&ticket.session).expect("a wait ends with its session");
            limits.room(&session.answers, all, ticket.number).expect("what waits is in the window")
        };
        loop {
            let (sessions, limits, all) = (&self.sessions, self.limits, self.bytes);
            let Some(done) = self.machine.completed(|ticket| room(sessions, limits, all, ticket)) else { break };
            let Completion { ticket, answer } = done;
            let (id, number, place) = (ticket.session, ticket.number, self.place);
            self.chain_event(Event::Completed, place, [id.0, number, u64::from(answer.is_none())]);
            let outcome = match answer {
                Some(answer) => {
                    let room = room(&self.sessions, limits, all, ticket);
                    self.keep(ticket, room, Answer::of(&answer))
                }
                None => {
                    self.change(id, |answers| answers.give_up(number));
                    Outcome::AheadOfWindow
                }
            };
            self.completed.push_back(answered_as(id, number, place, outcome, false));
            self.weigh(id);
            self.make_room(id);
        }
    }

    /// Keeps an answer, for which there was so much room.
    fn keep(&mut self, ticket: Ticket, room: usize, answer: Answer) -> Outcome {
        let length = answer.bytes().len();
        assert!(length <= room.max(SHORT_ANSWER), "an answer of {length} bytes in a room of {room}");
        let (place, outcome) = (self.place, Outcome::Done(shared(&mut self.slab, &answer)));
        self.change(ticket.session, |answers| answers.keep(ticket.number, Kept { place, answer }));
        outcome
    }

    /// Changes what a session keeps; it becomes no less.
    fn change(&mut self, id: SessionId, change: impl FnOnce(&mut Answers)) {
        self.stretches.change(&id);
        let answers = &mut self.sessions.get_mut(&id).expect("an open session").answers;
        let before = answers.bytes();
        change(answers);
        self.bytes += answers.bytes() - before;
    }

    fn weigh(&mut self, id: SessionId) {
        let session = self.sessions.get_mut(&id).expect("an open session");
        self.quiet.weigh(id, session, self.limits.share_bytes);
    }

    /// Lets sessions go while too much is kept; not the one that has just got an answer.
    fn make_room(&mut self, spared: SessionId) {
        while self.limits.is_tight(self.bytes) {
            let longest = self.quiet.longest(&mut self.sessions, &[Weight::Heavy], Some(spared));
            let Some((_, longest)) = longest else { break };
            self.end(&[longest]);
        }
    }

    /// The next sessions of which nothing has been heard for too long, by rising id.
    fn expired(&mut self) -> Vec<SessionId> {
        let mut expired = Vec::new();
        while expired.len() < EXPIRED_MAX {
            let longest = self.quiet.longest(&mut self.sessions, &Weight::ALL, None);
            let late = longest.filter(|(seen, _)| *seen + self.limits.expiry <= self.clock);
            let Some((_, id)) = late else { break };
            self.quiet.strike(id, &self.sessions[&id]);
            expired.push(id);
        }
        expired.sort_unstable();
        expired
    }

    /// Sessions are gone for good, with all that they hold.
    fn end(&mut self, ids: &[SessionId]) {
        let place = self.place;
        for id in ids {
            self.chain_event(Event::Ended, place, [id.0, 0, 0]);
            let session = self.sessions.remove(id).expect("an open session");
            self.bytes -= session.answers.bytes();
            self.nonces.remove(&session.nonce);
            self.quiet.strike(*id, &session);
            self.stretches.end(id);
            for number in session.answers.waiting() {
                self.completed.push_back(answered_as(*id, number, place, Outcome::NoSession, false));
            }
        }
        self.machine.end_sessions(ids);
    }

    /// Chains what happened to a session onto all before it.
    fn chain_event(&mut self, event: Event, place: Place, numbers: [u64; 3]) {
        let mut link = [0; 53];
        link[..16].copy_from_slice(&self.chain.to_le_bytes());
        link[16] = event as u8;
        link[17..25].copy_from_slice(&place.slot.to_le_bytes());
        link[25..29].copy_from_slice(&place.position.to_le_bytes());
        for (at, number) in numbers.into_iter().enumerate() {
            link[29 + 8 * at..37 + 8 * at].copy_from_slice(&number.to_le_bytes());
        }
        self.chain = xxh3_128(&link);
    }

    /// What the log up to here says about a command, without asking the log: `None` if that is not
    /// settled, or if this replica is behind.
    pub fn lookup(&self, session: SessionId, number: u64) -> Option<Standing> {
        let answers = &self.sessions.get(&session)?.answers;
        if number <= answers.floor() {
            return Some(Standing::Ended(Place::default(), Outcome::Settled));
        }
        match answers.entry(number)? {
            Entry::Missing => None,
            Entry::Waiting => Some(Standing::Waiting),
            Entry::Kept(kept) => {
                Some(Standing::Ended(kept.place, Outcome::Done(Bytes::copy_from_slice(kept.answer.bytes()))))
            }
        }
    }

    /// Whether a session is open.
    pub fn is_open(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// Answers a question without changing anything.
    pub fn query(&self, question: &Bytes, answer: &mut Vec<u8>) {
        self.machine.query(question, answer);
    }

    /// When, by the slot clock, something is due although nobody asks; for a session perhaps too early.
    pub fn deadline(&self) -> Option<SlotClock> {
        let expires = self.quiet.first().map(|seen| seen + self.limits.expiry);
        expires.into_iter().chain(self.machine.deadline()).min()
    }

    /// Stands for the whole state, the machine's included.
    pub fn digest(&self) -> Digest {
        let mut both = [0; 32];
        both[..16].copy_from_slice(&self.chain.to_le_bytes());
        both[16..].copy_from_slice(&self.machine.digest().0.to_le_bytes());
        Digest(xxh3_128(&both))
    }

    /// What the answers that are kept are charged.
    pub fn kept_bytes(&self) -> usize {
        self.bytes
    }

    /// How many sessions are open.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no session is open.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The machine, to look at.
    pub fn machine(&self) -> &M {
        &self.machine
    }
}

impl Session {
    fn new(nonce: [u8; 16], seen: SlotClock, answers: Answers) -> Session {
        Session { nonce, seen, listed: (seen, Weight::Light), answers }
    }
}

fn answered_as(session: SessionId, number: u64, place: Place, outcome: Outcome, repeated: bool) -> Applied {
    Applied::Answered { session, number, place, outcome, repeated }
}

/// An answer to give away. Short ones are cut from `slab`, so that they need no allocation each.
fn shared(slab: &mut BytesMut, answer: &Answer) -> Bytes {
    match answer {
        Answer::Long(bytes) => bytes.clone(),
        Answer::Short { .. } => {
            let bytes = answer.bytes();
            if slab.capacity() - slab.len() < bytes.len() {
                slab.reserve(SLAB_BYTES);
            }
            slab.extend_from_slice(bytes);
            slab.split().freeze()
        }
    }
}
