//! Clients: real sessions that retry and move between replicas, and the load that they make.
//!
//! A client calls by itself as its [`Load`] says, or when a scenario tells it to. What it called and how
//! that ended goes into the history.

use crate::checkers::history::{End, History, What};
use crate::faults::index;
use bytes::Bytes;
use ftq_core::chance::Chance;
use ftq_core::machine::list::{Command, Question};
use ftq_core::session::client::{CallId, Client, Ended, Options, Output};
use ftq_core::session::message::{ClientMessage, Outcome, ServerMessage, SessionId};
use ftq_core::time::{Span, Time};
use std::collections::BTreeMap;

/// How many lists and how many counters the clients share: few, so that they meet.
const KEYS: u64 = 3;

/// A session that nobody has opened.
const STRANGER: SessionId = SessionId(u64::MAX >> 8);

/// What a client does by itself.
#[derive(Clone, Debug)]
pub struct Load {
    /// How many calls it has under way at most.
    pub window: usize,
    /// How long it waits between an end and the next call, at most.
    pub think: Span,
    /// How long it waits for an answer, at most.
    pub patience: Span,
    /// How many of a hundred calls are linearizable reads.
    pub reads: u64,
    /// How many of a hundred calls are local reads.
    pub local_reads: u64,
    /// How many of a hundred calls set an alarm.
    pub alarms: u64,
    /// How many of a thousand messages name a session that does not exist.
    pub strange: u64,
    /// How many bytes more than it needs a command has, at most.
    pub padding: usize,
}

impl Load {
    /// Writes alone, one after the other, without a pause.
    pub fn writes(window: usize) -> Load {
        Load {
            window,
            think: Span::ZERO,
            patience: Span::secs(5),
            reads: 0,
            local_reads: 0,
            alarms: 0,
            strange: 0,
            padding: 0,
        }
    }

    /// Some load or other.
    pub(crate) fn draw(c: &mut Chance) -> Load {
        Load {
            window: [1, 1, 2, 4, 16][index(c, 5)],
            think: [Span::millis(2), Span::millis(20), Span::millis(200)][index(c, 3)],
            patience: [Span::millis(300), Span::secs(2), Span::secs(20)][index(c, 3)],
            reads: [0, 10, 30][index(c, 3)],
            local_reads: [0, 5][index(c, 2)],
            alarms: [0, 5][index(c, 2)],
            strange: [0, 10][index(c, 2)],
            padding: [0, 0, 500, 4_000][index(c, 4)],
        }
    }
}

/// What a client wants done next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send this.
    Send {
        /// To which replica.
        server: usize,
        /// What.
        message: ClientMessage,
    },
    /// A call has ended.
    Ended {
        /// Its index in the history.
        call: usize,
        /// How.
        end: End,
    },
    /// Nothing for now.
    Rest,
}

/// A client of the simulated world.
#[derive(Debug)]
pub struct SimClient {
    index: usize,
    client: Client,
    chance: Chance,
    load: Option<Load>,
    /// When the next call may begin.
    calls_at: Time,
    calls: BTreeMap<CallId, usize>,
    /// Numbers the commands, so that no two are alike.
    commands: u64,
    pub(crate) wake_at: Time,
}
