//! The queues as the machine that sessions are around: bytes in, bytes out.

use super::answer::{Reply, encode_reply};
use super::command::Command;
use super::limits::NUMBER_MAX;
use super::question::Question;
use super::{Executed, Queues, digest, snapshot};
use crate::ids::{Digest, Slot};
use crate::machine::{Completion, Machine, Place, Progress, Ticket, UnknownRules, Unrestored};
use crate::session::message::SessionId;
use crate::time::SlotClock;
use alloc::vec::Vec;
use bytes::Bytes;

impl Machine for Queues {
    fn grows(&self, command: &Bytes) -> bool {
        // To ask for a queue that is there puts nothing in.
        let finds =
            || matches!(Command::decode(command), Ok(Command::Create { ref label }) if self.labels.contains_key(label));
        Command::adds(command) && !finds()
    }

    fn advance(&mut self, _slot: Slot, clock: SlotClock) {
        self.clock = clock;
        self.done_in_slot = 0;
    }

    fn settle(&mut self) -> bool {
        self.do_next()
    }

    fn apply(&mut self, _: Place, ticket: Ticket, command: &Bytes, room: usize, answer: &mut Vec<u8>) -> Progress {
        let executed = match Command::decode(command) {
            Ok(command) => self.execute(ticket, command, room),
            Err(error) => Executed::Answered(Err(error)),
        };
        match executed {
            Executed::Answered(reply) => {
                encode_reply(&reply, answer);
                Progress::Answered
            }
            Executed::Waits => Progress::Waiting,
            Executed::NoRoom => Progress::NoRoom,
        }
    }

    fn completed(&mut self, room: impl FnMut(Ticket) -> usize) -> Option<Completion> {
        self.completed.pop_front().or_else(|| self.serve_next(room))
    }

    fn keeps(&mut self, bytes: u64) {
        self.kept_bytes = bytes;
    }

    fn abandon(&mut self, ticket: Ticket) {
        self.waits.abandon(ticket);
    }

    fn end_sessions(&mut self, sessions: &[SessionId]) {
        for session in sessions {
            self.waits.end_session(*session);
            self.leases.end_session(*session);
        }
    }

    fn rules(&self) -> u64 {
        self.rules.number()
    }

    fn newest_rules(&self) -> u64 {
        self.newest.number()
    }

    fn switch_rules(&mut self, version: u64) -> Result<(), UnknownRules> {
        self.rules = self.rules.max(self.newest.or_before(version)?);
        Ok(())
    }

    fn wants_memory_limit(&self) -> bool {
        !self.is_limited
    }

    fn limit_memory(&mut self, bytes: u64) {
        if !self.is_limited {
            self.limits.memory_bytes_max = bytes.min(NUMBER_MAX);
            self.is_limited = true;
        }
    }

    fn query(&self, question: &Bytes, answer: &mut Vec<u8>) {
        let reply = Question::decode(question).and_then(|question| self.answer(&question));
        encode_reply(&reply, answer);
    }

    fn deadline(&self) -> Option<SlotClock> {
        let orphan = self.leases.next_orphan().map(|_| self.clock);
        self.due.first().map(|(at, _)| *at).into_iter().chain(self.waits.due()).chain(orphan).min()
    }

    fn digest(&self) -> Digest {
        let mut sum = self.known.sum;
        sum += self.waits.sum();
        sum += self.leases.sum();
        let limits = self.limits;
        digest::whole(
            sum,
            [
                self.rules.number(),
                limits.item_bytes_max,
                limits.memory_bytes_max,
                u64::from(self.is_limited),
                self.next_queue,
                self.next_token,
                self.waits.asked(),
                self.known.memory_bytes,
            ],
        )
    }

    fn snapshot(&mut self) -> Vec<Bytes> {
        snapshot::pieces(self)
    }

    fn restore(&mut self, pieces: &[Bytes]) -> Result<(), Unrestored> {
        *self = snapshot::restore(pieces, self.newest)?;
        Ok(())
    }
}

impl Completion {
    pub(super) fn of(ticket: Ticket, reply: Option<&Reply>) -> Completion {
        let answer = reply.map(|reply| {
            let mut answer = Vec::new();
            encode_reply(reply, &mut answer);
            answer
        });
        Completion { ticket, answer }
    }
}
