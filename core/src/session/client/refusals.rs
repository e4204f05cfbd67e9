//! A replica would not take a request: the request has ended, goes to another replica, or waits.

use super::{Client, Ended, Stage};
use crate::session::message::{Refusal, RequestName};
use crate::time::Time;

/// Room is not made in a moment.
const DISK_FULL_AFTER_MS: u32 = 250;

/// How a request goes on after a replica said no.
#[derive(Clone, Copy, Debug)]
pub(super) enum Retry {
    Elsewhere,
    After { ms: u32 },
    ElsewhereAfter { ms: u32 },
}

impl Client {
    /// A replica would not take a copy.
    pub(super) fn refused(&mut self, now: Time, server: usize, request: RequestName, refusal: Refusal) {
        match request {
            RequestName::Close(_) => {}
            RequestName::Open(nonce) => {
                let opening = matches!(&self.stage, Stage::Opening { nonce: mine, .. } if *mine == nonce);
                if opening && refusal == Refusal::NotAllowed {
                    return self.give_up(refusal);
                }
            }
            RequestName::Call(session, number) => {
                let Some(call) = self.calls.get_mut(&(session, number)) else { return };
                // A refusal counts for one copy; a second one from a server that got one copy, for none.
                let Some(copies) = call.copies.get_mut(server).filter(|copies| **copies > 0) else { return };
                *copies -= 1;
                call.refusal = Some(refusal);
                if refusal.is_final() && call.under_way() == 0 {
                    let id = call.call;
                    self.calls.remove(&(session, number));
                    return self.done(id, Ended::Refused(refusal));
                }
            }
            RequestName::Read(nonce) => {
                let Some(read) = self.reads.get_mut(&nonce) else { return };
                if let Some(copies) = read.copies.get_mut(server) {
                    *copies = copies.saturating_sub(1);
                }
                read.refusal = Some(refusal);
                if refusal.is_final() && (!read.is_order || read.under_way() == 0) {
                    let id = read.call;
                    self.reads.remove(&nonce);
                    return self.done(id, Ended::Refused(refusal));
                }
            }
        }
        match refusal {
            Refusal::NoQuorum => self.retry(now, server, request, Retry::Elsewhere),
            Refusal::Busy { after_ms } => self.retry(now, server, request, Retry::After { ms: after_ms }),
            Refusal::DiskFull => {
                self.retry(now, server, request, Retry::ElsewhereAfter { ms: DISK_FULL_AFTER_MS });
            }
            // It goes on as if nothing had been said: another copy may still be executed.
            Refusal::TooLarge | Refusal::NotAllowed => {}
        }
    }

    /// A replica that was asked last has said no: the request goes elsewhere at once, or waits.
    pub(super) fn retry(&mut self, now: Time, server: usize, request: RequestName, retry: Retry) {
        let attempt = match (request, &mut self.stage) {
            (RequestName::Open(nonce), Stage::Opening { nonce: mine, attempt }) if *mine == nonce => Some(attempt),
            (RequestName::Open(_), Stage::Closed | Stage::Opening { .. } | Stage::Open { .. }) => None,
            (RequestName::Call(session, number), _) => {
                self.calls.get_mut(&(session, number)).map(|call| &mut call.attempt)
            }
            (RequestName::Close(session), _) => {
                let closing = self.closing.iter_mut().find(|closing| closing.session == session);
                closing.map(|closing| &mut closing.attempt)
            }
            (RequestName::Read(nonce), _) => self.reads.get_mut(&nonce).map(|read| &mut read.attempt),
        };
        let Some(attempt) = attempt.filter(|attempt| attempt.server() == server) else { return };
        match retry {
            Retry::After { ms } => attempt.wait(now, ms, &mut self.chance),
            Retry::ElsewhereAfter { ms } => {
                attempt.pass_on(&self.options);
                attempt.wait(now, ms, &mut self.chance);
            }
            Retry::Elsewhere => {
                attempt.move_on(now, &self.options, &mut self.chance);
                if self.preferred == server {
                    self.preferred = attempt.server();
                }
            }
        }
    }

    /// There will be no session: whatever waits for one was not sent.
    fn give_up(&mut self, refusal: Refusal) {
        self.stage = Stage::Closed;
        for waiting in core::mem::take(&mut self.waiting) {
            self.done(waiting.call, Ended::Refused(refusal));
        }
    }
}
