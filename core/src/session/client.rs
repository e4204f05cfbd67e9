//! The client's side of a session: it opens one by itself, sends each command under a number of its
//! own, to one replica after the other if need be, and says how it ended, or that nobody knows.
//!
//! ```text
//! call ─▶ waiting ──number──▶ outstanding ──▶ Answered     the log says so
//!            │                   │  ▲  └────▶ Refused      every copy was refused: nothing was done
//!            │                   └──┘ retry └─▶ Expired    the session is gone, and only one copy was under way
//!            └──deadline──▶ Unsent   deadline ─▶ Unknown   a copy may still be executed, once
//! ```
//!
//! Always: a number stands for one command for ever, in one session; a command that was sent is never
//! moved to another session (RULES S10). The floor that goes with each call is the highest number up
//! to which all are settled here, however they ended; late copies at or below it are refused for ever
//! (RULES S16). Presumed: a datagram arrives once at most. That is for the transport to see to, by a seal
//! with a replay window; how a call ended is told from how many copies went out.

mod attempt;
mod calls;
mod due;
mod options;
mod refusals;
#[cfg(test)]
mod tests;

pub use options::Options;

use self::attempt::Attempt;
use self::calls::{Closing, Outstanding, Reading, Waiting};
use self::refusals::Retry;
use super::message::{ClientMessage, Outcome, Refusal, ServerMessage, SessionId};
use super::table::WINDOW;
use crate::chance::Chance;
use crate::machine::Place;
use crate::time::Time;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use bytes::Bytes;

/// Names a call until it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// What a client wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message to a replica.
    Send {
        /// Which replica.
        server: usize,
        /// The message.
        message: ClientMessage,
    },
    /// A call has ended.
    Done {
        /// The call.
        call: CallId,
        /// How.
        ended: Ended,
    },
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The command was executed, once.
    Answered {
        /// Where in the log.
        place: Place,
        /// The machine's answer.
        answer: Bytes,
    },
    /// The question was answered.
    Read {
        /// The last slot that the answer knows of.
        slot: u64,
        /// The machine's answer.
        answer: Bytes,
        /// Whether no other copy may have been answered, or may still be: for who asks what is no mere question.
        is_alone: bool,
    },
    /// Not one replica would take it: it was not done, and never will be.
    Refused(Refusal),
    /// It was never sent, for want of a session or of room in the window: it was not done.
    Unsent,
    /// Its session is gone: it was not done, and never will be.
    Expired,
    /// No answer came in time. It may have been done, or may still be done, but once at most.
    Unknown,
    /// The session is closed.
    Closed,
}

/// Whether there is a session.
#[derive(Clone, Debug)]
enum Stage {
    Closed,
    Opening { nonce: [u8; 16], attempt: Attempt },
    Open { session: SessionId, last: u64, used_at: Time },
}

/// One client.
#[derive(Clone, Debug)]
pub struct Client {
    options: Options,
    chance: Chance,
    /// The replica that is asked first: the last one that answered.
    preferred: usize,
    stage: Stage,
    waiting: VecDeque<Waiting>,
    calls: BTreeMap<(SessionId, u64), Outstanding>,
    reads: BTreeMap<u64, Reading>,
    closing: Vec<Closing>,
    last_call: u64,
    out: VecDeque<Output>,
}

impl Client {
    /// A client without a session. `seed` is random, drawn for this client.
    pub fn new(options: Options, seed: u64) -> Client {
        assert!(options.servers > 0, "a client has somebody to ask");
        assert!(options.window > 0 && options.window <= WINDOW, "a window that sessions allow");
        let mut chance = Chance::new(seed);
        let preferred = usize::try_from(chance.below(options.servers as u64)).unwrap_or(0);
        Client {
            options,
            chance,
            preferred,
            stage: Stage::Closed,
            waiting: VecDeque::new(),
            calls: BTreeMap::new(),
            reads: BTreeMap::new(),
            closing: Vec::new(),
            last_call: 0,
            out: VecDeque::new(),
        }
    }

    /// Has a command executed, if that can be done before `deadline`.
    pub fn call(&mut self, now: Time, deadline: Time, command: Bytes) -> CallId {
        let call = self.name_call();
        if self.waiting.len() >= self.options.waiting_max {
            self.done(call, Ended::Unsent);
        } else {
            self.waiting.push_back(Waiting { call, deadline, command });
            self.tick(now);
        }
        call
    }

    /// Has a question answered, if that can be done before `deadline`. A `local` answer may be stale.
    pub fn read(&mut self, now: Time, deadline: Time, local: bool, question: Bytes) -> CallId {
        self.ask(now, deadline, local, false, question)
    }

    /// The same for a question by which a replica itself is told to do something: its end is unknown unless every
    /// copy was refused, or it is answered.
    pub fn order(&mut self, now: Time, deadline: Time, question: Bytes) -> CallId {
        self.ask(now, deadline, true, true, question)
    }

    fn ask(&mut self, now: Time, deadline: Time, local: bool, is_order: bool, question: Bytes) -> CallId {
        let call = self.name_call();
        let attempt = Attempt::new(now, self.preferred, &self.options);
        let nonce = self.chance.draw();
        let copies = alloc::vec![0; self.options.servers];
        self.reads.insert(nonce, Reading { call, deadline, local, is_order, question, attempt, copies, refusal: None });
        self.tick(now);
        call
    }

    /// Has the session closed, if that can be done before `deadline`: leases go back, and what waits or is
    /// under way may end as unknown. Without a session there is nothing to do. Another call opens another one.
    pub fn close(&mut self, now: Time, deadline: Time) -> CallId {
        let call = self.name_call();
        match core::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Closed | Stage::Opening { .. } => self.done(call, Ended::Closed),
            Stage::Open { session, .. } => {
                let attempt = Attempt::new(now, self.preferred, &self.options);
                self.closing.push(Closing { call, session, deadline, attempt });
            }
        }
        self.tick(now);
        call
    }

    /// A replica says something. Whatever it is not about is ignored.
    pub fn receive(&mut self, now: Time, server: usize, message: ServerMessage) {
        match message {
            ServerMessage::Opened { nonce, session } => {
                if matches!(&self.stage, Stage::Opening { nonce: mine, .. } if *mine == nonce) {
                    self.stage = Stage::Open { session, last: 0, used_at: now };
                    self.preferred = server;
                }
            }
            ServerMessage::Closed { session } => {
                if let Some(at) = self.closing.iter().position(|closing| closing.session == session) {
                    self.preferred = server;
                    let closing = self.closing.remove(at);
                    self.done(closing.call, Ended::Closed);
                }
            }
            ServerMessage::Answer { session, number, place, outcome } => {
                self.answered(now, server, (session, number), place, outcome);
            }
            ServerMessage::ReadAnswer { nonce, slot, answer } => {
                if let Some(reading) = self.reads.remove(&nonce) {
                    self.preferred = server;
                    let is_alone = reading.under_way() <= 1;
                    self.done(reading.call, Ended::Read { slot, answer, is_alone });
                }
            }
            ServerMessage::Refused { request, refusal } => self.refused(now, server, request, refusal),
            ServerMessage::TryAnother { request } => self.retry(now, server, request, Retry::Elsewhere),
        }
        self.tick(now);
    }

    /// Does what is due: ends what is late, sends what was not answered.
    pub fn tick(&mut self, now: Time) {
        self.end_late(now);
        self.number_waiting(now);
        self.send_due(now);
    }

    /// The next thing to do; `None` when all is said for now.
    pub fn poll(&mut self, now: Time) -> Option<Output> {
        if self.deadline().is_some_and(|at| at <= now) {
            self.tick(now);
        }
        self.out.pop_front()
    }

    /// When to call [`Client::tick`] if nothing else happens before.
    pub fn deadline(&self) -> Option<Time> {
        let opening = match &self.stage {
            Stage::Opening { attempt, .. } if !self.waiting.is_empty() => Some(attempt.next()),
            Stage::Opening { .. } | Stage::Closed | Stage::Open { .. } => None,
        };
        let waiting = self.waiting.iter().map(|waiting| waiting.deadline);
        let calls = self.calls.values().map(|call| call.deadline.min(call.attempt.next()));
        let reads = self.reads.values().map(|read| read.deadline.min(read.attempt.next()));
        let closing = self.closing.iter().map(|closing| closing.deadline.min(closing.attempt.next()));
        opening.into_iter().chain(waiting).chain(calls).chain(reads).chain(closing).min()
    }

    /// How many calls have not ended.
    pub fn open_calls(&self) -> usize {
        self.waiting.len() + self.calls.len() + self.reads.len() + self.closing.len()
    }

    /// The log has answered a command.
    fn answered(&mut self, now: Time, server: usize, key: (SessionId, u64), place: Place, outcome: Outcome) {
        let Some(mut outstanding) = self.calls.remove(&key) else { return };
        self.preferred = server;
        let ended = match outcome {
            Outcome::Done(answer) => {
                if let Stage::Open { session, used_at, .. } = &mut self.stage
                    && *session == key.0
                {
                    *used_at = now;
                }
                Ended::Answered { place, answer }
            }
            Outcome::NoSession => {
                if matches!(&self.stage, Stage::Open { session, .. } if *session == key.0) {
                    self.stage = Stage::Closed;
                }
                // Another copy may have been executed before the session went.
                if outstanding.under_way() > 1 { Ended::Unknown } else { Ended::Expired }
            }
            // This client has not settled it, so it can't be so; all that is sure is that no answer will come.
            Outcome::Settled => Ended::Unknown,
            Outcome::AheadOfWindow => {
                outstanding.attempt.rest(now, &self.options, &mut self.chance);
                self.calls.insert(key, outstanding);
                return;
            }
        };
        self.done(outstanding.call, ended);
    }

    fn name_call(&mut self) -> CallId {
        self.last_call += 1;
        CallId(self.last_call)
    }

    fn done(&mut self, call: CallId, ended: Ended) {
        self.out.push_back(Output::Done { call, ended });
    }
}
