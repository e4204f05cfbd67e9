//! What the loop measures itself: requests from their arrival to their answer, slots from their completion to
//! their application, and what happens to the replica.

use super::histogram::{Histogram, SIZES, TIMES};
use bytes::Bytes;
use ftq_core::machine::queues::{Command, Question};
use ftq_core::replica::{Event, Inquiry};
use ftq_core::session::message::{ClientMessage, Refusal, RequestName, ServerMessage};
use ftq_core::time::Time;
use ftq_net::client::HostQuestion;
use std::collections::{BTreeMap, VecDeque};

/// So many requests are followed to their answers at once. More are counted and not measured.
const FOLLOWED_MAX: usize = 65_536;

/// So many slots are followed until they are applied: more than may be under way.
const SLOTS_MAX: usize = 4_096;

/// What was measured.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Requests that have no answer yet: what they want, and since when.
    followed: BTreeMap<RequestName, (&'static str, Time)>,
    /// The same by age, so that what is never answered is forgotten.
    ages: VecDeque<(Time, RequestName)>,
    complete: VecDeque<(u64, Time)>,
    pub(super) requests: BTreeMap<&'static str, u64>,
    pub(super) answers: BTreeMap<&'static str, Histogram>,
    pub(super) refusals: BTreeMap<&'static str, u64>,
    pub(super) repeated: u64,
    pub(super) batches: Histogram,
    pub(super) commits: Histogram,
    pub(super) applied: u64,
    pub(super) caught_up: u64,
    pub(super) restored: u64,
    pub(super) views: u64,
    pub(super) is_nearly_full: bool,
    pub(super) turns: u64,
}

impl Meter {
    /// Nothing has happened yet.
    pub(crate) fn new() -> Meter {
        Meter {
            followed: BTreeMap::new(),
            ages: VecDeque::new(),
            complete: VecDeque::new(),
            requests: BTreeMap::new(),
            answers: BTreeMap::new(),
            refusals: BTreeMap::new(),
            repeated: 0,
            batches: Histogram::new(SIZES),
            commits: Histogram::new(TIMES),
            applied: 0,
            caught_up: 0,
            restored: 0,
            views: 0,
            is_nearly_full: false,
            turns: 0,
        }
    }

    /// The loop has come round.
    pub(crate) fn turned(&mut self) {
        self.turns += 1;
    }

    /// A client wants something.
    pub(crate) fn asked(&mut self, now: Time, message: &ClientMessage) {
        let (name, operation) = match message {
            ClientMessage::Open { nonce, .. } => (RequestName::Open(*nonce), "open"),
            ClientMessage::Close { session, .. } => (RequestName::Close(*session), "close"),
            ClientMessage::Call { session, number, command, .. } => {
                (RequestName::Call(*session, *number), Command::name_of(command))
            }
            ClientMessage::Read { nonce, question, .. } => (RequestName::Read(*nonce), question_name(question)),
        };
        if self.followed.contains_key(&name) {
            return;
        }
        *self.requests.entry(operation).or_default() += 1;
        while self.ages.len() >= FOLLOWED_MAX {
            let Some((since, oldest)) = self.ages.pop_front() else { break };
            if self.followed.get(&oldest).is_some_and(|(_, at)| *at == since) {
                self.followed.remove(&oldest);
            }
        }
        self.followed.insert(name, (operation, now));
        self.ages.push_back((now, name));
    }

    /// A client is answered.
    pub(crate) fn answered(&mut self, now: Time, message: &ServerMessage) {
        let name = match message {
            ServerMessage::Opened { nonce, .. } => RequestName::Open(*nonce),
            ServerMessage::Closed { session } => RequestName::Close(*session),
            ServerMessage::Answer { session, number, .. } => RequestName::Call(*session, *number),
            ServerMessage::ReadAnswer { nonce, .. } => RequestName::Read(*nonce),
            ServerMessage::Refused { request, refusal } => {
                *self.refusals.entry(reason(*refusal)).or_default() += 1;
                self.followed.remove(request);
                return;
            }
            ServerMessage::TryAnother { request } => {
                *self.refusals.entry("try_another").or_default() += 1;
                self.followed.remove(request);
                return;
            }
        };
        if let Some((operation, since)) = self.followed.remove(&name) {
            self.answers.entry(operation).or_insert_with(|| Histogram::new(TIMES)).see(now.since(since).0);
        }
    }

    /// Something has happened to the replica.
    pub(crate) fn note(&mut self, now: Time, event: &Event) {
        match event {
            Event::Sequenced { requests, .. } => self.batches.see(*requests),
            Event::Appended { slot, .. } => {
                if self.complete.len() >= SLOTS_MAX {
                    self.complete.pop_front();
                }
                self.complete.push_back((slot.0, now));
            }
            Event::Applied { slot, .. } => {
                self.applied += 1;
                while let Some((complete, since)) = self.complete.front().copied().filter(|(s, _)| *s <= slot.0) {
                    self.complete.pop_front();
                    if complete == slot.0 {
                        self.commits.see(now.since(since).0);
                    }
                }
            }
            Event::Installed { .. } => {
                self.views += 1;
                // Their numbers may be given to other slots.
                self.complete.clear();
            }
            Event::CaughtUp { slots, .. } => self.caught_up += slots,
            Event::Restored { .. } => self.restored += 1,
            Event::Repeated => self.repeated += 1,
            Event::NearlyFull(is_nearly_full) => self.is_nearly_full = *is_nearly_full,
            Event::Refused { .. }
            | Event::Promised { .. }
            | Event::Suspects { .. }
            | Event::Opened { .. }
            | Event::Left { .. }
            | Event::Retires { .. }
            | Event::Disordered { .. }
            | Event::Retired { .. }
            | Event::Configured { .. }
            | Event::Removed { .. }
            | Event::Older
            | Event::Stranded
            | Event::Stopped { .. } => {}
        }
    }
}

fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoQuorum => "no_quorum",
        Refusal::Busy { .. } => "busy",
        Refusal::TooLarge => "too_large",
        Refusal::NotAllowed => "not_allowed",
        Refusal::DiskFull => "disk_full",
    }
}

/// What a question is called, whoever is to answer it: the process, the replica or the machine.
fn question_name(question: &Bytes) -> &'static str {
    match (HostQuestion::read(question), Inquiry::read(question)) {
        (Some(HostQuestion::Keys { .. }), _) => "keys",
        (Some(HostQuestion::Settings), _) => "settings",
        (None, Some(Ok(Inquiry::Status))) => "status",
        (None, Some(Ok(Inquiry::Change { .. }))) => "change",
        (None, Some(Ok(Inquiry::Views))) => "views",
        (None, Some(Ok(Inquiry::Log(_)))) => "log",
        (None, Some(Ok(Inquiry::Snapshot))) => "snapshot",
        (None, Some(Ok(Inquiry::TakeSnapshot))) => "take_snapshot",
        (None, Some(Err(_)) | None) => Question::name_of(question),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ftq_core::session::message::SessionId;
    use ftq_core::time::Span;

    fn close(session: u64) -> ClientMessage {
        ClientMessage::Close { session: SessionId(session), wait_ms: 0 }
    }

    #[test]
    fn a_request_is_measured_from_its_first_copy_to_its_answer() {
        let mut meter = Meter::new();
        let begin = Time(1_000_000);
        meter.asked(begin, &close(1));
        meter.asked(begin + Span::millis(5), &close(1));
        meter.answered(begin + Span::millis(7), &ServerMessage::Closed { session: SessionId(1) });
        meter.answered(begin + Span::millis(9), &ServerMessage::Closed { session: SessionId(1) });
        assert_eq!(meter.requests["close"], 1);
        assert_eq!((meter.answers["close"].sum, meter.answers["close"].classes.iter().sum::<u64>()), (7_000, 1));
    }

    #[test]
    fn what_is_never_answered_is_forgotten() {
        let mut meter = Meter::new();
        for session in 0..3 * FOLLOWED_MAX as u64 {
            meter.asked(Time(session), &close(session));
        }
        assert!(meter.followed.len() <= FOLLOWED_MAX && meter.ages.len() <= FOLLOWED_MAX);
    }

    /// A monitor that asks for the status again and again was counted as one that makes no sense.
    #[test]
    fn every_question_is_counted_by_its_name() {
        let size = Question::Size { queue: ftq_core::machine::queues::QueueId(1) };
        let named =
            [Inquiry::Status.encode(), HostQuestion::Settings.encode(), size.encode(), Bytes::from_static(b"x")];
        assert_eq!(named.each_ref().map(question_name), ["status", "settings", "size", "malformed"]);
    }
}
