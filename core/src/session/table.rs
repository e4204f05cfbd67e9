//! The sessions, as the log makes them: a command is executed at most once, however often it is sent.
//!
//! ```text
//!                          ┌ number <= floor ───────────▶ Settled, for ever
//! (session, number) ───────┼ executed before ───────────▶ the first answer, with its first place
//!   │                      ├ executed, and waits ───────▶ waits on
//!   │                      ├ beyond the window ─────────▶ AheadOfWindow
//!   └ no such session      └ else ──▶ machine ──▶ answer, kept until the floor passes it
//!       ──▶ NoSession                    └─────▶ waits ──▶ answer, with the place where it came
//! ```
//!
//! Always: what happens is a function of the log alone, the limits included, so all replicas must have
//! the same ones. A session's id is the place that opened it, so it never comes again; the floor of a
//! session never falls (RULES S16). Time is the slot clock.

mod kept;
#[cfg(test)]
mod tests;

pub use kept::WINDOW;

use self::kept::{Answer, Answers, Entry, Kept};
use super::message::{Outcome, Request, SessionId};
use crate::ids::{Digest, Slot};
use crate::machine::{Completion, Machine, Place, Progress, Ticket, UnknownRules, pieces};
use crate::time::{SlotClock, Span};
use crate::wire::{Malformed, Reader, Writer};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// How many bytes of answers that go out share one allocation.
const SLAB_BYTES: usize = 16 << 10;

/// One session of so many begins a new stretch of the sessions in a snapshot.
const SESSIONS_IN_STRETCH: u64 = 64;

/// What bounds the sessions. A part of the rules: the same on all replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A session of which nothing was heard for so long is gone.
    pub expiry: Span,
    /// The most sessions. For a further one the session goes that has been idle longest, of those without a
    /// request under way; if there is none, the further one is refused.
    pub sessions_max: usize,
    /// When a session's kept answers take this much, only the number right above its floor is executed;
    /// others are [`Outcome::AheadOfWindow`].
    pub session_bytes_max: usize,
    /// When all kept answers take more than this, the sessions that have been idle longest go, of those
    /// without a request under way.
    pub bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { expiry: Span::secs(600), sessions_max: 10_000, session_bytes_max: 16 << 20, bytes_max: 128 << 20 }
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// A session is open.
    Opened {
        /// The nonce of the request.
        nonce: [u8; 16],
        /// The session.
        session: SessionId,
        /// Whether it was open before.
        repeated: bool,
    },
    /// A command has an answer.
    Answered {
        /// The session.
        session: SessionId,
        /// The command's number.
        number: u64,
        /// Where it was executed first; if it was not, the place of this copy.
        place: Place,
        /// How it ended.
        outcome: Outcome,
        /// Whether it was executed before.
        repeated: bool,
    },
    /// A command waits for its answer, which comes out of [`Sessions::completed`].
    Waiting {
        /// The session.
        session: SessionId,
        /// The command's number.
        number: u64,
        /// Whether it has waited before.
        repeated: bool,
    },
    /// A session is not there, any more or at all.
    Closed {
        /// The session.
        session: SessionId,
    },
    /// There are too many sessions with requests under way for another one.
    Full {
        /// The nonce of the request.
        nonce: [u8; 16],
    },
    /// The bytes made no sense. Nobody is answered.
    Malformed,
}

/// What the log says about a command, as far as it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has ended: where, and how.
    Ended(Place, Outcome),
    /// It was executed, and waits for its answer.
    Waiting,
}

/// A session as it stands.
#[derive(Clone, Debug)]
struct Session {
    nonce: [u8; 16],
    /// When it was heard of last.
    seen: SlotClock,
    /// The time under which it stands among the idle ones.
    listed: SlotClock,
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
    /// Each session once, at some time that it was seen, not always the last: it is put right when it
    /// comes to the front, so that a request costs nothing here.
    idle: BTreeSet<(SlotClock, SessionId)>,
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
            idle: BTreeSet::new(),
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
        self.machine.settle();
        self.collect();
    }

    /// Applies one request of the log.
    pub fn apply(&mut self, place: Place, request: &Bytes) -> Applied {
        self.place = place;
        let applied = match Request::decode(request.clone()) {
            Ok(Request::Open { nonce }) => self.open(place, nonce),
            Ok(Request::Call { session, number, floor, command }) => self.call(session, number, floor, &command),
            Ok(Request::Close { session }) => self.close(session),
            Err(Malformed) => {
                self.chain_event(Event::Malformed, place, [0; 3]);
                Applied::Malformed
            }
        };
        self.collect();
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
            return Applied::Opened { nonce, session, repeated: true };
        }
        assert!(place.position < 1 << 16, "a slot holds fewer requests");
        let session = SessionId(place.slot << 16 | u64::from(place.position));
        while self.sessions.len() >= self.limits.sessions_max {
            let Some(longest) = self.longest_idle(|_, session| !session.answers.is_under_way()) else {
                self.chain_event(Event::Opened, place, [0; 3]);
                return Applied::Full { nonce };
            };
            self.end(&[longest]);
        }
        self.chain_event(Event::Opened, place, [session.0, 0, xxh3_64(&nonce)]);
        self.sessions
            .insert(session, Session { nonce, seen: self.clock, listed: self.clock, answers: Answers::default() });
        self.nonces.insert(nonce, session);
        self.idle.insert((self.clock, session));
        Applied::Opened { nonce, session, repeated: false }
    }

    fn close(&mut self, session: SessionId) -> Applied {
        if self.sessions.contains_key(&session) {
            self.end(&[session]);
        }
        Applied::Closed { session }
    }

    fn call(&mut self, id: SessionId, number: u64, floor: u64, command: &Bytes) -> Applied {
        let place = self.place;
        let answered = |place, outcome, repeated| answered_as(id, number, place, outcome, repeated);
        self.chain_event(Event::Called, place, [id.0, number, floor]);
        let Some(session) = self.sessions.get_mut(&id) else {
            return answered(place, Outcome::NoSession, false);
        };
        session.seen = self.clock;
        let before = session.answers.bytes();
        session.answers.raise_floor(floor, |number| {
            self.machine.abandon(Ticket { session: id, number });
            self.completed.push_back(answered_as(id, number, place, Outcome::Settled, false));
        });
        self.bytes -= before - session.answers.bytes();
        if number <= session.answers.floor() {
            return answered(place, Outcome::Settled, false);
        }
        match session.answers.entry(number) {
            Some(Entry::Kept(kept)) => {
                return answered(kept.place, Outcome::Done(shared(&mut self.slab, &kept.answer)), true);
            }
            Some(Entry::Waiting) => return Applied::Waiting { session: id, number, repeated: true },
            Some(Entry::Missing) | None => {}
        }
        let is_next = number - session.answers.floor() == 1;
        let is_full = session.answers.bytes() >= self.limits.session_bytes_max && !is_next;
        if is_full || !session.answers.is_in_window(number) {
            return answered(place, Outcome::AheadOfWindow, false);
        }
        self.scratch.clear();
        let before = session.answers.bytes();
        let applied = match self.machine.apply(place, Ticket { session: id, number }, command, &mut self.scratch) {
            Progress::Answered => {
                let answer = Answer::of(&self.scratch);
                let outcome = Outcome::Done(shared(&mut self.slab, &answer));
                session.answers.keep(number, Kept { place, answer });
                answered(place, outcome, false)
            }
            Progress::Waiting => {
                session.answers.wait(number);
                Applied::Waiting { session: id, number, repeated: false }
            }
        };
        self.bytes += session.answers.bytes() - before;
        self.make_room(id);
        applied
    }

    /// Keeps the answers of those who had waited.
    fn collect(&mut self) {
        while let Some(Completion { ticket: Ticket { session: id, number }, answer }) = self.machine.completed() {
            let place = self.place;
            self.chain_event(Event::Completed, place, [id.0, number, 0]);
            let session = self.sessions.get_mut(&id).expect("a wait ends with its session");
            let answer = Answer::of(&answer);
            let outcome = Outcome::Done(shared(&mut self.slab, &answer));
            let before = session.answers.bytes();
            session.answers.keep(number, Kept { place, answer });
            self.bytes += session.answers.bytes() - before;
            self.completed.push_back(answered_as(id, number, place, outcome, false));
            self.make_room(id);
        }
    }

    /// Lets sessions go while all kept answers take too much; not the one that has just got an answer.
    fn make_room(&mut self, spared: SessionId) {
        while self.bytes > self.limits.bytes_max {
            let idle = |id, session: &Session| id != spared && !session.answers.is_under_way();
            let Some(longest) = self.longest_idle(idle) else { break };
            self.end(&[longest]);
        }
    }

    /// The session of which nothing was heard for the longest time, of those that `may` go.
    fn longest_idle(&mut self, may: impl Fn(SessionId, &Session) -> bool) -> Option<SessionId> {
        loop {
            let session = |id: &SessionId| self.sessions.get(id).expect("a session for each entry");
            let (seen, id) = *self.idle.iter().find(|(_, id)| may(*id, session(id)))?;
            let now_seen = session(&id).seen;
            if now_seen == seen {
                return Some(id);
            }
            self.list(id, now_seen);
        }
    }

    /// The sessions whose time is over, by rising id.
    fn expired(&mut self) -> Vec<SessionId> {
        let long_ago = |listed: SlotClock, clock, expiry| listed + expiry <= clock;
        let (clock, expiry) = (self.clock, self.limits.expiry);
        let listed = self.idle.iter().take_while(|(listed, _)| long_ago(*listed, clock, expiry));
        let listed: Vec<SessionId> = listed.map(|(_, id)| *id).collect();
        let mut expired = Vec::new();
        for id in listed {
            let seen = self.sessions.get(&id).expect("a session for each entry").seen;
            if long_ago(seen, clock, expiry) {
                expired.push(id);
            } else {
                self.list(id, seen);
            }
        }
        expired.sort_unstable();
        expired
    }

    /// A session stands among the idle ones under this time.
    fn list(&mut self, id: SessionId, seen: SlotClock) {
        let session = self.sessions.get_mut(&id).expect("an open session");
        self.idle.remove(&(session.listed, id));
        session.listed = seen;
        self.idle.insert((seen, id));
    }

    /// Sessions are gone for good, with all that they hold.
    fn end(&mut self, ids: &[SessionId]) {
        let place = self.place;
        for id in ids {
            self.chain_event(Event::Ended, place, [id.0, 0, 0]);
            let session = self.sessions.remove(id).expect("an open session");
            self.bytes -= session.answers.bytes();
            self.nonces.remove(&session.nonce);
            self.idle.remove(&(session.listed, *id));
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

    /// Takes the state from pieces that [`Sessions::snapshot`] made; after an error nothing has changed.
    pub fn restore(&mut self, pieces: &[Bytes]) -> Result<(), Malformed> {
        let own = pieces.first().and_then(|first| first.first_chunk()).ok_or(Malformed)?;
        let own = usize::try_from(u32::from_le_bytes(*own)).map_err(|_| Malformed)?;
        let (own, machine) = pieces.split_at_checked(own).ok_or(Malformed)?;
        let mut r = Reader::new(Bytes::from(own.concat()));
        let _: [u8; 4] = r.array()?;
        let clock = SlotClock(r.u64()?);
        let chain = r.digest()?.0;
        let mut sessions = BTreeMap::new();
        for _ in 0..r.count(self.limits.sessions_max)? {
            let id = SessionId(r.u64()?);
            let (nonce, seen) = (r.array()?, SlotClock(r.u64()?));
            sessions.insert(id, Session { nonce, seen, listed: seen, answers: Answers::decode(&mut r)? });
        }
        if r.remaining() > 0 {
            return Err(Malformed);
        }
        self.machine.restore(machine)?;
        self.clock = clock;
        self.chain = chain;
        self.nonces = sessions.iter().map(|(id, session)| (session.nonce, *id)).collect();
        self.idle = sessions.iter().map(|(id, session)| (session.seen, *id)).collect();
        self.bytes = sessions.values().map(|session| session.answers.bytes()).sum();
        self.sessions = sessions;
        Ok(())
    }

    /// The state, in pieces of at most 48 KiB: the sessions' own first, which say how many they are. A store
    /// keeps pieces by their bytes, so the sessions are cut into stretches where their ids say so, and not by
    /// counting: what happens to one changes its stretch alone.
    pub fn snapshot(&self) -> Vec<Bytes> {
        let mut all = vec![Bytes::new()];
        let mut w = Writer::new();
        for (id, session) in &self.sessions {
            if xxh3_64(&id.0.to_le_bytes()).is_multiple_of(SESSIONS_IN_STRETCH) && !w.is_empty() {
                all.extend(pieces::cut(core::mem::take(&mut w).into_vec()));
            }
            w.u64(id.0).raw(&session.nonce).u64(session.seen.0);
            session.answers.encode(&mut w);
        }
        if !w.is_empty() {
            all.extend(pieces::cut(w.into_vec()));
        }
        let own = u32::try_from(all.len()).expect("a state that fits memory");
        let mut head = Writer::new();
        head.raw(&own.to_le_bytes()).u64(self.clock.0).digest(Digest(self.chain)).u64(self.sessions.len() as u64);
        all[0] = head.into_bytes();
        all.extend(self.machine.snapshot());
        all
    }

    /// From now on this version of the machine's rules is in force.
    pub fn switch_rules(&mut self, version: u64) -> Result<(), UnknownRules> {
        self.machine.switch_rules(version)
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
        let expires = self.idle.first().map(|(seen, _)| *seen + self.limits.expiry);
        expires.into_iter().chain(self.machine.deadline()).min()
    }

    /// Stands for the whole state, the machine's included.
    pub fn digest(&self) -> Digest {
        let mut both = [0; 32];
        both[..16].copy_from_slice(&self.chain.to_le_bytes());
        both[16..].copy_from_slice(&self.machine.digest().0.to_le_bytes());
        Digest(xxh3_128(&both))
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

impl Applied {
    /// Whether it had been done before, and nothing was done now.
    pub fn is_repeated(&self) -> bool {
        match self {
            Applied::Opened { repeated, .. }
            | Applied::Answered { repeated, .. }
            | Applied::Waiting { repeated, .. } => *repeated,
            Applied::Closed { .. } | Applied::Full { .. } | Applied::Malformed => false,
        }
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
