//! What the slots mean: a pure, deterministic function of the log.
//!
//! The same slots give the same state, byte for byte, on every replica, build and platform. A machine
//! knows no members and no other time than the slot clock.
//!
//! ```text
//! slot ──▶ advance, settle ──▶ what is due ──────┐
//!   └────▶ apply ──▶ answered, or waiting        ├──▶ completed: answers to those who waited
//!            ▲           abandon, end_sessions ──┘
//!      session, number, room
//! ```
//!
//! A command that waits is answered later, in the same slot or in another one; where it stands until then
//! is part of the state. Answers are kept until their client has them, so whoever executes a command says
//! how much room there is for its answer; a machine that would need more does nothing.

pub mod list;
pub mod pieces;
pub mod queues;
pub mod stretches;

use crate::ids::{Digest, Slot};
use crate::session::message::SessionId;
use crate::time::SlotClock;
use crate::wire::Malformed;
use alloc::vec::Vec;
use bytes::Bytes;

/// Where in the log a request stands: the witness that every answer carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The slot.
    pub slot: u64,
    /// The index of the request within its slot.
    pub position: u32,
}

/// Whose command it is. What a session holds goes back when the session ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// The session.
    pub session: SessionId,
    /// The number of the command in it.
    pub number: u64,
}

/// An answer up to this length needs no room: every command can be answered so, were it with an error.
pub const SHORT_ANSWER: usize = 23;

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its answer was appended.
    Answered,
    /// It waits; its answer comes out of [`Machine::completed`].
    Waiting,
    /// There is no room for its answer: nothing was done.
    NoRoom,
}

/// A version of the rules that this build does not know. A replica that is told to switch to it can't follow
/// the log, and stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRules(pub u64);

/// Why a state can't be taken from pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrestored {
    /// They are not what a snapshot is made of.
    Malformed,
    /// The state is one of rules that this build does not know.
    UnknownRules(UnknownRules),
}

impl From<Malformed> for Unrestored {
    fn from(_: Malformed) -> Unrestored {
        Unrestored::Malformed
    }
}

impl From<UnknownRules> for Unrestored {
    fn from(unknown: UnknownRules) -> Unrestored {
        Unrestored::UnknownRules(unknown)
    }
}

/// The end of a command that had waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Whose.
    pub ticket: Ticket,
    /// The answer; none if there was no room for it: then nothing was done, and the command waits no longer.
    pub answer: Option<Vec<u8>>,
}

/// A deterministic state machine over commands that are opaque to everybody else. What a machine says
/// nothing about is right for one in which nothing is ever due, nothing waits and nobody holds anything.
pub trait Machine: Sized {
    /// Time moves on to the clock of the slot that is applied next; called once per slot, before all else.
    fn advance(&mut self, slot: Slot, clock: SlotClock);

    /// Does the next thing that is due by now; whether there was one that this slot may still do. Called until
    /// there is none, at the start of a slot, when the sessions are gone that end there, and after each request.
    fn settle(&mut self) -> bool {
        false
    }

    /// Executes one command and appends its answer to `answer`, unless it waits. A command that makes no
    /// sense is answered too. An answer longer than [`SHORT_ANSWER`] is no longer than `room`.
    fn apply(&mut self, place: Place, ticket: Ticket, command: &Bytes, room: usize, answer: &mut Vec<u8>) -> Progress;

    /// Ends the next command that had waited and need not any more, in the order of asking. `room` says how
    /// much there is for the answer to a command. All are fetched after each call that changes something.
    fn completed(&mut self, room: impl FnMut(Ticket) -> usize) -> Option<Completion> {
        let _ = room;
        None
    }

    /// The answers that are kept around this machine take so many bytes; said whenever that has changed.
    fn keeps(&mut self, bytes: u64) {
        let _ = bytes;
    }

    /// Nobody wants the answer to this command any more: it waits no longer.
    fn abandon(&mut self, ticket: Ticket) {
        let _ = ticket;
    }

    /// Sessions are gone: none of their commands waits any longer, and what they hold is due to go back.
    fn end_sessions(&mut self, sessions: &[SessionId]) {
        let _ = sessions;
    }

    /// The version of the rules that is in force. All replicas begin with the first one and go through the same
    /// versions at the same slots.
    fn rules(&self) -> u64 {
        1
    }

    /// The newest version of the rules that this build knows.
    fn newest_rules(&self) -> u64 {
        1
    }

    /// From now on this version of the rules is in force, or the later one that is.
    fn switch_rules(&mut self, version: u64) -> Result<(), UnknownRules> {
        if version <= self.newest_rules() { Ok(()) } else { Err(UnknownRules(version)) }
    }

    /// Whether nobody has chosen yet how much memory there may be.
    fn wants_memory_limit(&self) -> bool {
        false
    }

    /// So much memory there may be, unless somebody has chosen before.
    fn limit_memory(&mut self, bytes: u64) {
        let _ = bytes;
    }

    /// Whether this command makes the state larger, as far as can be told without executing it: where there is no
    /// room for that it is refused before it is ordered.
    fn grows(&self, command: &Bytes) -> bool {
        let _ = command;
        false
    }

    /// Answers a question without changing anything.
    fn query(&self, question: &Bytes, answer: &mut Vec<u8>);

    /// When, by the slot clock, something is due although nobody asks.
    fn deadline(&self) -> Option<SlotClock> {
        None
    }

    /// Stands for the whole state.
    fn digest(&self) -> Digest;

    /// The state, in pieces of at most 48 KiB. What it was made of may be kept, so that the next one costs
    /// what changed.
    fn snapshot(&mut self) -> Vec<Bytes>;

    /// Takes the state from pieces that [`Machine::snapshot`] made.
    fn restore(&mut self, pieces: &[Bytes]) -> Result<(), Unrestored>;
}
