//! Clients: real sessions that retry and move between replicas, and the load that they make.
//!
//! A client calls by itself as its [`Load`] says, or when a scenario tells it to. What it called and how
//! that ended goes into the history.

use crate::calls::Caller;
use crate::checkers::history::{End, History, What};
use crate::faults::index;
use ftq_core::chance::Chance;
use ftq_core::machine::queues::{Command, Question};
use ftq_core::session::client::{CallId, Client, Ended, Options, Output};
use ftq_core::session::message::{ClientMessage, ServerMessage, SessionId};
use ftq_core::time::{Span, Time};
use std::collections::BTreeMap;

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
    /// How many of a hundred commands are something else than a push, a pop or a draw of numbers.
    pub variety: u64,
    /// How many of a thousand calls close the session.
    pub closings: u64,
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
            variety: 0,
            closings: 0,
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
            variety: [0, 30, 90][index(c, 3)],
            closings: [0, 5][index(c, 2)],
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
    /// The replicas that it knows, by their indexes.
    servers: Vec<usize>,
    chance: Chance,
    load: Option<Load>,
    /// When the next call may begin.
    calls_at: Time,
    calls: BTreeMap<CallId, usize>,
    caller: Caller,
    pub(crate) wake_at: Time,
}

impl SimClient {
    /// A client of these replicas.
    pub(crate) fn new(index: usize, servers: Vec<usize>, seed: u64) -> SimClient {
        let mut chance = Chance::new(seed);
        SimClient {
            index,
            client: Client::new(Options::new(servers.len()), chance.draw()),
            servers,
            chance,
            load: None,
            calls_at: Time(0),
            calls: BTreeMap::new(),
            caller: Caller::new(index),
            wake_at: Time::NEVER,
        }
    }

    /// From now on it is a client of these replicas alone, with a new session.
    ///
    /// # Panics
    /// If a call is under way.
    pub(crate) fn bind(&mut self, servers: Vec<usize>) {
        assert!(self.calls.is_empty(), "client {} moves while a call is under way", self.index);
        self.client = Client::new(Options::new(servers.len()), self.chance.draw());
        self.servers = servers;
    }

    /// From now on it calls by itself like this, or not any more.
    pub(crate) fn load(&mut self, now: Time, load: Option<Load>) {
        self.load = load;
        self.calls_at = now;
    }

    /// Calls.
    pub(crate) fn call(&mut self, now: Time, command: &Command, patience: Span, history: &mut History) -> usize {
        let command = command.encode();
        let call = history.called(now, self.index, What::Command(command.clone()));
        let id = self.client.call(now, now + patience, command);
        self.calls.insert(id, call);
        call
    }

    /// Asks.
    pub(crate) fn ask(
        &mut self,
        now: Time,
        question: &Question,
        local: bool,
        patience: Span,
        history: &mut History,
    ) -> usize {
        let question = question.encode();
        let call = history.called(now, self.index, What::Question { question: question.clone(), local });
        let id = self.client.read(now, now + patience, local, question);
        self.calls.insert(id, call);
        call
    }

    /// A replica has answered.
    pub(crate) fn receive(&mut self, now: Time, server: usize, message: ServerMessage) {
        if let Some(server) = self.servers.iter().position(|at| *at == server) {
            self.client.receive(now, server, message);
        }
    }

    /// What it wants done next.
    pub(crate) fn step(&mut self, now: Time, history: &mut History) -> Step {
        loop {
            if self.client.deadline().is_some_and(|at| at <= now) {
                self.client.tick(now);
            }
            match self.client.poll(now) {
                Some(Output::Send { server, message }) => {
                    return Step::Send { server: self.servers[server], message: self.perhaps_strange(message) };
                }
                Some(Output::Done { call, ended }) => {
                    let Some(call) = self.calls.remove(&call) else { continue };
                    if let (Ended::Answered { answer, .. }, What::Command(command)) =
                        (&ended, &history.calls()[call].what)
                    {
                        self.caller.learn(command, answer);
                    }
                    if let Some(load) = &self.load {
                        self.calls_at = now + Span(self.chance.below(load.think.0 + 1));
                    }
                    let end = match ended {
                        Ended::Answered { place, answer } => End::Answered { place, answer },
                        Ended::Read { slot, answer, .. } => End::Read { slot, answer },
                        Ended::Refused(_) | Ended::Unsent => End::Refused,
                        Ended::Expired => End::Expired,
                        Ended::Unknown => End::Unknown,
                        Ended::Closed => End::Closed,
                    };
                    return Step::Ended { call, end };
                }
                None => {
                    if !self.begin(now, history) {
                        return Step::Rest;
                    }
                }
            }
        }
    }

    /// When it wants to be called next.
    pub(crate) fn next_wake(&self, now: Time) -> Time {
        let client = self.client.deadline().unwrap_or(Time::NEVER);
        let load =
            self.load.as_ref().filter(|load| self.calls.len() < load.window).map_or(Time::NEVER, |_| self.calls_at);
        client.min(load).max(now + Span(1))
    }

    /// Begins another call if the load says so.
    fn begin(&mut self, now: Time, history: &mut History) -> bool {
        let Some(load) = self.load.clone().filter(|load| self.calls.len() < load.window && now >= self.calls_at) else {
            return false;
        };
        let dice = self.chance.below(100);
        if self.chance.below(1_000) < load.closings {
            self.close(now, load.patience, history);
        } else if dice < load.reads + load.local_reads {
            let question = self.caller.question(&mut self.chance);
            self.ask(now, &question, dice >= load.reads, load.patience, history);
        } else {
            let patience_ms = load.patience.0 / 1_000;
            let command = if self.chance.below(100) < load.variety {
                self.caller.any(&mut self.chance, patience_ms, load.padding)
            } else {
                self.caller.command(&mut self.chance, load.padding)
            };
            self.call(now, &command, load.patience, history);
        }
        true
    }

    /// A command that does not wait.
    pub(crate) fn command(&mut self) -> Command {
        self.caller.command(&mut self.chance, 0)
    }

    /// Closes its session.
    fn close(&mut self, now: Time, patience: Span, history: &mut History) {
        let call = history.called(now, self.index, What::Close);
        let id = self.client.close(now, now + patience);
        self.calls.insert(id, call);
    }

    /// Now and then, and if the load says so, a message names a session that nobody has opened.
    fn perhaps_strange(&mut self, message: ClientMessage) -> ClientMessage {
        let strange = self.load.as_ref().is_some_and(|load| self.chance.below(1_000) < load.strange);
        match message {
            ClientMessage::Call { number, floor, wait_ms, command, .. } if strange => {
                ClientMessage::Call { session: STRANGER, number, floor, wait_ms, command }
            }
            ClientMessage::Open { .. }
            | ClientMessage::Call { .. }
            | ClientMessage::Close { .. }
            | ClientMessage::Read { .. } => message,
        }
    }
}
