//! Linearizable reads without a slot and without a disk write.
//!
//! After a read arrived, a round asks a quorum whether the view still stands and how far it is durable
//! with them; the read waits until that much is delivered. Many reads share a round. A round is bound to
//! the asker's view and starts over when that changes (RULES S15).

use crate::ids::{Ballot, MemberId, MemberSet, Slot};
use crate::time::Time;
use alloc::vec::Vec;

use super::message::Message;
use super::own::Token;
use super::{Group, Output};

/// Reads that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    /// Arrived since the present round was asked.
    arrived: Vec<Token>,
    round: Option<Round>,
    /// Answered by a quorum; they wait for delivery up to this slot.
    waiting: Vec<(Slot, Vec<Token>)>,
}

#[derive(Clone, Debug)]
struct Round {
    nonce: u64,
    tokens: Vec<Token>,
    stands: MemberSet,
    upto: Slot,
    again: Time,
}

impl Reads {
    pub(super) fn is_busy(&self) -> bool {
        self.round.is_some()
    }
}

impl Group {
    /// A read arrived; [`Output::ReadReady`] will name it.
    pub fn read(&mut self, token: Token) {
        self.reads.arrived.push(token);
    }

    /// Takes back all reads that were not answered.
    pub fn withdraw_reads(&mut self) -> Vec<Token> {
        let reads = core::mem::take(&mut self.reads);
        let waiting = reads.waiting.into_iter().flat_map(|(_, tokens)| tokens);
        reads.arrived.into_iter().chain(reads.round.into_iter().flat_map(|r| r.tokens)).chain(waiting).collect()
    }

    /// A new view: the rounds of the old one prove nothing any more.
    pub(super) fn restart_reads(&mut self) {
        let tokens = self.withdraw_reads();
        self.reads.arrived = tokens;
    }

    /// Begins a round if reads wait for one, and releases those whose slots are delivered.
    pub(super) fn settle_reads(&mut self, now: Time) {
        if self.active && self.opened && self.reads.round.is_none() && !self.reads.arrived.is_empty() {
            let round = Round {
                nonce: self.chance.draw(),
                tokens: core::mem::take(&mut self.reads.arrived),
                stands: MemberSet::of(self.options.me),
                upto: self.durable,
                again: now,
            };
            self.reads.round = Some(round);
            self.step_reads(now);
        }
        let quorum = self.reads.round.as_ref().is_some_and(|round| self.electorate.is_quorum(round.stands));
        if self.active
            && quorum
            && let Some(round) = self.reads.round.take()
        {
            self.reads.waiting.push((round.upto, round.tokens));
        }
        let delivered = self.log.delivered();
        let mut ready = Vec::new();
        self.reads.waiting.retain_mut(|(upto, tokens)| {
            let waits = *upto > delivered;
            if !waits {
                ready.append(tokens);
            }
            waits
        });
        if !ready.is_empty() {
            self.out.push_back(Output::ReadReady(ready));
        }
    }

    /// Asks again while answers are lacking.
    pub(super) fn step_reads(&mut self, now: Time) {
        let others = self.view().set().without(self.options.me);
        let ballot = self.view().ballot;
        let repeat = self.options.timing.repeat;
        let Some(round) = self.reads.round.as_mut().filter(|round| now >= round.again) else { return };
        round.again = now + repeat;
        let (nonce, to) = (round.nonce, others.minus(round.stands));
        self.note(to, Message::AskRead(nonce, ballot));
    }

    /// Only who has installed that very view and has accepted nothing higher may say that it stands.
    pub(super) fn on_ask_read(&mut self, from: MemberId, nonce: u64, ballot: Ballot) {
        if self.active && self.view().ballot == ballot {
            self.note(MemberSet::of(from), Message::ReadMark(nonce, self.durable));
        }
    }

    pub(super) fn on_read_mark(&mut self, from: MemberId, nonce: u64, durable: Slot) {
        if let Some(round) = self.reads.round.as_mut().filter(|round| round.nonce == nonce) {
            round.stands.insert(from);
            round.upto = round.upto.max(durable);
        }
    }
}
