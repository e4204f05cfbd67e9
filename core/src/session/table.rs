//! The sessions, as the log makes them: a command is executed at most once, however often it is sent.
//!
//! ```text
//!                          ┌ number <= floor ───────────▶ Settled, for ever
//! (session, number) ───────┼ executed before ───────────▶ the first answer, with its first place
//!   │                      ├ beyond the window ─────────▶ AheadOfWindow
//!   └ no such session      └ else ──▶ machine ──▶ answer, kept until the floor passes it
//!       ──▶ NoSession
//! ```
//!
//! Always: what happens is a function of the log alone, the limits included, so all replicas must have
//! the same ones. A session's id is the place that opened it, so it never comes again; the floor of a
//! session never falls (RULES S16). Time is the slot clock.

mod kept;
#[cfg(test)]
mod tests;

pub use kept::WINDOW;

use self::kept::{Answer, Answers, Kept};
use super::message::{Outcome, Request, SessionId};
use crate::ids::{Digest, Slot};
use crate::machine::{Machine, Place, pieces};
use crate::time::{SlotClock, Span};
use crate::wire::{Malformed, Reader, Writer};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// How many bytes of answers that go out share one allocation.
const SLAB_BYTES: usize = 16 << 10;

/// What bounds the sessions. A part of the rules: the same on all replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A session of which nothing was heard for so long is gone.
    pub expiry: Span,
    /// The most sessions. For a further one the session that has been idle longest goes.
    pub sessions_max: usize,
    /// When a session's kept answers take this much, only the number right above its floor is executed;
    /// others are [`Outcome::AheadOfWindow`].
    pub session_bytes_max: usize,
    /// When all kept answers take more than this, the sessions that have been idle longest go.
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
    /// The bytes made no sense. Nobody is answered.
    Malformed,
}

/// A session as it stands.
#[derive(Clone, Debug)]
struct Session {
    nonce: [u8; 16],
    /// When it was heard of last.
    seen: SlotClock,
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
            scratch: Vec::new(),
            slab: BytesMut::new(),
        }
    }

    /// Time moves on to the clock of the slot that is applied next; called once per slot, before its requests.
    pub fn advance(&mut self, slot: Slot, clock: SlotClock) {
        self.clock = clock;
        while self.idle.first().is_some_and(|(seen, _)| *seen + self.limits.expiry <= clock) {
            let Some(session) = self.longest_idle(None) else { break };
            if self.sessions.get(&session).is_some_and(|idle| idle.seen + self.limits.expiry > clock) {
                break;
            }
            self.end(session);
        }
        self.machine.advance(slot, clock);
    }

    /// Applies one request of the log.
    pub fn apply(&mut self, place: Place, request: &Bytes) -> Applied {
        match Request::decode(request.clone()) {
            Ok(Request::Open { nonce }) => self.open(place, nonce),
            Ok(Request::Call { session, number, floor, command }) => {
                let (place, outcome, repeated) = self.call(place, session, number, floor, &command);
                Applied::Answered { session, number, place, outcome, repeated }
            }
            Err(Malformed) => {
                self.chain_event(Event::Malformed, place, [0; 3]);
                Applied::Malformed
            }
        }
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
            let Some(longest) = self.longest_idle(None) else { break };
            self.end(longest);
        }
        self.chain_event(Event::Opened, place, [session.0, 0, xxh3_64(&nonce)]);
        self.sessions.insert(session, Session { nonce, seen: self.clock, answers: Answers::default() });
        self.nonces.insert(nonce, session);
        self.idle.insert((self.clock, session));
        Applied::Opened { nonce, session, repeated: false }
    }

    fn call(
        &mut self,
        place: Place,
        id: SessionId,
        number: u64,
        floor: u64,
        command: &Bytes,
    ) -> (Place, Outcome, bool) {
        self.chain_event(Event::Called, place, [id.0, number, floor]);
        let Some(session) = self.sessions.get_mut(&id) else {
            return (place, Outcome::NoSession, false);
        };
        session.seen = self.clock;
        let before = session.answers.bytes();
        session.answers.raise_floor(floor);
        self.bytes -= before - session.answers.bytes();
        if number <= session.answers.floor() {
            return (place, Outcome::Settled, false);
        }
        if let Some(kept) = session.answers.answer(number) {
            return (kept.place, Outcome::Done(shared(&mut self.slab, &kept.answer)), true);
        }
        let is_next = number - session.answers.floor() == 1;
        let is_full = session.answers.bytes() >= self.limits.session_bytes_max && !is_next;
        if is_full || !session.answers.is_in_window(number) {
            return (place, Outcome::AheadOfWindow, false);
        }
        self.scratch.clear();
        self.machine.apply(place, command, &mut self.scratch);
        let answer = Answer::of(&self.scratch);
        let outcome = Outcome::Done(shared(&mut self.slab, &answer));
        let before = session.answers.bytes();
        session.answers.keep(number, Kept { place, answer });
        self.bytes += session.answers.bytes() - before;
        while self.bytes > self.limits.bytes_max {
            let Some(longest) = self.longest_idle(Some(id)) else { break };
            self.end(longest);
        }
        (place, outcome, false)
    }

    /// The session of which nothing was heard for the longest time, other than `spared`.
    fn longest_idle(&mut self, spared: Option<SessionId>) -> Option<SessionId> {
        loop {
            let mut idle = self.idle.iter().filter(|(_, session)| Some(*session) != spared);
            let (seen, id) = *idle.next()?;
            let session = self.sessions.get(&id).expect("a session for each entry");
            if session.seen == seen {
                return Some(id);
            }
            self.idle.remove(&(seen, id));
            self.idle.insert((session.seen, id));
        }
    }

    /// A session is gone for good.
    fn end(&mut self, id: SessionId) {
        self.chain_event(Event::Ended, Place::default(), [id.0, 0, 0]);
        let session = self.sessions.remove(&id).expect("an open session");
        self.bytes -= session.answers.bytes();
        self.nonces.remove(&session.nonce);
        self.idle.remove(&(session.seen, id));
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
        let mut r = Reader::new(pieces::join(own)?);
        let _: [u8; 4] = r.array()?;
        let clock = SlotClock(r.u64()?);
        let chain = r.digest()?.0;
        let mut sessions = BTreeMap::new();
        for _ in 0..r.count(self.limits.sessions_max)? {
            let id = SessionId(r.u64()?);
            let session = Session { nonce: r.array()?, seen: SlotClock(r.u64()?), answers: Answers::decode(&mut r)? };
            sessions.insert(id, session);
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

    /// The state, in pieces of at most 48 KiB: the sessions' own first, which say how many they are.
    pub fn snapshot(&self) -> Vec<Bytes> {
        let mut w = Writer::new();
        w.raw(&[0; 4]).u64(self.clock.0).digest(Digest(self.chain)).u64(self.sessions.len() as u64);
        for (id, session) in &self.sessions {
            w.u64(id.0).raw(&session.nonce).u64(session.seen.0);
            session.answers.encode(&mut w);
        }
        let mut own = w.into_vec();
        let count = own.len().div_ceil(pieces::PIECE_BYTES_MAX);
        own[..4].copy_from_slice(&u32::try_from(count).expect("a state that fits memory").to_le_bytes());
        let mut all = pieces::cut(own);
        all.extend(self.machine.snapshot());
        all
    }

    /// What the log up to here says about a command, without asking the log: `None` if that is not
    /// settled, or if this replica is behind.
    pub fn lookup(&self, session: SessionId, number: u64) -> Option<(Place, Outcome)> {
        let answers = &self.sessions.get(&session)?.answers;
        if number <= answers.floor() {
            return Some((Place::default(), Outcome::Settled));
        }
        answers.answer(number).map(|kept| (kept.place, Outcome::Done(Bytes::copy_from_slice(kept.answer.bytes()))))
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
            Applied::Opened { repeated, .. } | Applied::Answered { repeated, .. } => *repeated,
            Applied::Malformed => false,
        }
    }
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
