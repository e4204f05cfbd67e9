//! What a client does because it is time, or because there is room: ends, numbers, copies.

use super::attempt::Attempt;
use super::{Client, Ended, Output, Outstanding, Stage, Waiting};
use crate::session::message::{ClientMessage, SessionId};
use crate::time::Time;
use alloc::collections::BTreeMap;

impl Client {
    /// Ends whatever has no time left.
    pub(super) fn end_late(&mut self, now: Time) {
        let out = &mut self.out;
        self.waiting.retain(|waiting| {
            let late = waiting.deadline <= now;
            if late {
                out.push_back(Output::Done { call: waiting.call, ended: Ended::Unsent });
            }
            !late
        });
        self.calls.retain(|_, call| {
            let late = call.deadline <= now;
            if late {
                out.push_back(Output::Done { call: call.call, ended: call.late() });
            }
            !late
        });
        self.reads.retain(|_, read| {
            let late = read.deadline <= now;
            if late {
                out.push_back(Output::Done { call: read.call, ended: read.late() });
            }
            !late
        });
        self.closing.retain(|closing| {
            let late = closing.deadline <= now;
            if late {
                out.push_back(Output::Done { call: closing.call, ended: Ended::Unknown });
            }
            !late
        });
    }

    /// Gives numbers to waiting commands, as far as there is a session and room in its window.
    pub(super) fn number_waiting(&mut self, now: Time) {
        while !self.waiting.is_empty() {
            match &mut self.stage {
                Stage::Closed => {
                    let nonce = self.chance.bytes16();
                    let attempt = Attempt::new(now, self.preferred, &self.options);
                    self.stage = Stage::Opening { nonce, attempt };
                }
                Stage::Opening { .. } => return,
                Stage::Open { session, last, used_at } => {
                    let floor = floor(&self.calls, *session, *last);
                    if floor == *last && now.since(*used_at) > self.options.idle_max {
                        self.stage = Stage::Closed;
                        continue;
                    }
                    if *last - floor >= self.options.window {
                        return;
                    }
                    let Some(Waiting { call, deadline, command }) = self.waiting.pop_front() else { return };
                    *last += 1;
                    let attempt = Attempt::new(now, self.preferred, &self.options);
                    let copies = alloc::vec![0; self.options.servers];
                    let outstanding = Outstanding { call, deadline, command, attempt, copies, refusal: None };
                    self.calls.insert((*session, *last), outstanding);
                }
            }
        }
    }

    /// Sends a copy of whatever was not answered.
    pub(super) fn send_due(&mut self, now: Time) {
        if let Stage::Opening { nonce, attempt } = &mut self.stage
            && attempt.next() <= now
            && let Some(until) = self.waiting.iter().map(|waiting| waiting.deadline).max()
        {
            let server = attempt.send(now, &self.options, &mut self.chance);
            let message = ClientMessage::Open { nonce: *nonce, wait_ms: wait_ms(now, until) };
            self.out.push_back(Output::Send { server, message });
        }
        let mut below: Option<(SessionId, u64)> = None;
        for ((session, number), call) in &mut self.calls {
            // The first number of a session that is not settled bounds its floor.
            let floor = match below {
                Some((of, floor)) if of == *session => floor,
                Some(_) | None => number - 1,
            };
            below = Some((*session, floor));
            if call.attempt.next() <= now {
                let server = call.attempt.send(now, &self.options, &mut self.chance);
                call.copies[server] += 1;
                let (wait_ms, command) = (wait_ms(now, call.deadline), call.command.clone());
                let message = ClientMessage::Call { session: *session, number: *number, floor, wait_ms, command };
                self.out.push_back(Output::Send { server, message });
            }
        }
        for closing in &mut self.closing {
            if closing.attempt.next() <= now {
                let server = closing.attempt.send(now, &self.options, &mut self.chance);
                let message =
                    ClientMessage::Close { session: closing.session, wait_ms: wait_ms(now, closing.deadline) };
                self.out.push_back(Output::Send { server, message });
            }
        }
        for (nonce, read) in &mut self.reads {
            if read.attempt.next() <= now {
                let server = read.attempt.send(now, &self.options, &mut self.chance);
                read.copies[server] += 1;
                let (local, question) = (read.local, read.question.clone());
                let wait_ms = wait_ms(now, read.deadline);
                let message = ClientMessage::Read { nonce: *nonce, local, wait_ms, question };
                self.out.push_back(Output::Send { server, message });
            }
        }
    }
}

/// The highest number of a session up to which all are settled.
fn floor(calls: &BTreeMap<(SessionId, u64), Outstanding>, session: SessionId, last: u64) -> u64 {
    let open = calls.range((session, 0)..=(session, u64::MAX)).next();
    open.map_or(last, |((_, number), _)| number - 1)
}

/// For how long a caller still waits.
fn wait_ms(now: Time, deadline: Time) -> u32 {
    u32::try_from(deadline.since(now).0.div_ceil(1_000)).unwrap_or(u32::MAX)
}
