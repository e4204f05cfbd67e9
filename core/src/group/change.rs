//! The proposer's side of a view change: question, prepare, choice of donor and members, install.
//!
//! A ballot has one outcome: any change of mind takes a new ballot (RULES S3). Nothing is promised by a
//! question, and no ballot is raised before a quorum has said that it misses the view too (RULES L1).

use crate::electorate::Electorate;
use crate::ids::{Ballot, Configuration, MemberId, MemberSet, Participant, Seat, View};
use crate::replica::Event;
use crate::time::{Span, Time};
use alloc::vec::Vec;

use super::message::{Install, Message, Opinion, Promise, Question};
use super::{Group, clique, marks};

/// How many committed slots a member may lack and still be taken into a view: it fetches them while the
/// others wait for it.
pub(super) const JOIN_SLOTS: u64 = 1_024;

/// A ballot number further ahead than this is refused: it could only exhaust the numbers (RULES L13).
const BALLOT_JUMP_MAX: u64 = 1 << 32;

/// How long a proposer backs off after failures in a row: it doubles up to here.
const BACK_OFF_MAX: Span = Span::secs(2);

/// Where this replica's own proposal stands.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// It proposes nothing.
    Idle,
    /// It asks whether others see it the same way.
    Asking { question: Question, agrees: MemberSet, since: Time, again: Time },
    /// Its own promise is on the way to the disk.
    Promising { ballot: Ballot, since: Time },
    /// It collects promises.
    Preparing { ballot: Ballot, answers: Vec<(MemberId, Promise)>, since: Time, quorum_at: Option<Time>, again: Time },
    /// It fetches what its own log lacks of the donor's.
    Gathering { install: Install, since: Time },
    /// It has said who the members are, and waits until all have installed.
    Installing { install: Install, since: Time, again: Time },
}

impl Group {
    /// Begins to ask when a view change is called for and it is this replica's turn to.
    pub(super) fn consider_change(&mut self, now: Time) {
        let Some(warrant) = self.warrant(now) else {
            self.wants_since = None;
            if matches!(self.change, Change::Asking { .. }) {
                self.change = Change::Idle;
            }
            return;
        };
        if self.wants_since.is_none() {
            let cause = self.cause(&warrant);
            self.event(Event::Suspects { missing: warrant.missing, cause });
        }
        let since = *self.wants_since.get_or_insert(now);
        let current = self.view().set();
        let rank = |m: MemberId| (!current.contains(m), m);
        let me = self.options.me;
        let before = warrant.proposed.iter().filter(|m| rank(*m) < rank(me)).count() as u64;
        let turn = since + self.options.timing.rank_wait.times(before);
        if !matches!(self.change, Change::Idle) || self.joining.is_some() || now < turn || now < self.quiet_until {
            return;
        }
        let question = Question {
            nonce: self.chance.draw(),
            view: self.view().ballot,
            missing: warrant.missing,
            proposed: warrant.proposed,
            slow: warrant.slow,
        };
        self.change = Change::Asking { question, agrees: MemberSet::of(me), since: now, again: now };
        self.step_change(now);
    }

    /// Says again what was not answered, gives up what takes too long.
    pub(super) fn step_change(&mut self, now: Time) {
        let timing = self.options.timing;
        let peers = self.peers();
        match &mut self.change {
            Change::Idle => {}
            Change::Asking { question, agrees, since, again } => {
                let question = question.clone();
                if now.since(*since) > timing.question() {
                    return self.give_up(now);
                }
                let (agrees, due) = (*agrees, now >= *again);
                if due {
                    *again = now + timing.repeat;
                }
                let electorate = self.log.electorate();
                if electorate.may_form_view(agrees.intersection(self.admitted(now, electorate))) {
                    self.propose(now);
                } else if due {
                    self.note(peers, Message::Question(question));
                }
            }
            Change::Promising { since, .. } => {
                if now.since(*since) > timing.own_promise() {
                    self.give_up(now);
                }
            }
            Change::Preparing { ballot, answers, since, quorum_at, again } => {
                let ballot = *ballot;
                let answered: MemberSet = answers.iter().map(|(m, _)| *m).collect();
                if now.since(*since) > timing.promises(self.failures) {
                    return self.give_up(now);
                }
                let quorum = quorum_at.is_some_and(|at| now.since(at) >= timing.stragglers());
                if now >= *again {
                    *again = now + timing.repeat_ballot();
                    self.ask_for_promises(peers.minus(answered), ballot);
                }
                // Who can't do the work of a view is not waited for, however well it is heard (RULES L2).
                let voters = self.admitted(now, self.log.electorate()).without(self.options.me);
                let able = voters.iter().filter(|m| self.detector.is_fit(now, *m)).collect();
                let everyone = answered.contains_all(able);
                if quorum || (everyone && !answered.is_empty()) {
                    self.choose(now);
                }
            }
            Change::Gathering { since, .. } => {
                // What can't be gathered ends the joining, and with it this ballot.
                if now.since(*since) > timing.gathering() || self.joining.is_none() {
                    self.give_up(now);
                }
            }
            Change::Installing { install, since, again } => {
                let waiting = install.view.set().without(self.options.me).minus(self.ordering.installed);
                let mine = self.ordering.view.ballot == install.view.ballot;
                if mine && self.opened {
                    self.change = Change::Idle;
                    return;
                }
                if now.since(*since) > timing.installing() {
                    let late = if mine { waiting } else { MemberSet::EMPTY };
                    for member in late.iter() {
                        self.detector.left_out(now, member);
                    }
                    return self.give_up(now);
                }
                if now >= *again {
                    *again = now + timing.repeat_ballot();
                    let install = install.clone();
                    let to = if mine { waiting } else { install.view.set() };
                    self.note(to, Message::Install(install));
                }
            }
        }
    }

    /// Somebody asks whether this replica would go along with a view change.
    pub(super) fn on_question(&mut self, now: Time, from: MemberId, question: &Question) {
        let agrees = self.agrees(now, from, question);
        if agrees && matches!(self.change, Change::Asking { .. }) && from < self.options.me {
            // One proposer is enough; the lower one goes first.
            self.change = Change::Idle;
            self.quiet_until = now + self.options.timing.after_agreeing();
        }
        let opinion = Opinion { nonce: question.nonce, agrees, highest: self.highest };
        self.note(MemberSet::of(from), Message::Opinion(opinion));
    }

    pub(super) fn on_opinion(&mut self, now: Time, from: MemberId, opinion: Opinion) {
        self.raise_highest(opinion.highest);
        if let Change::Asking { question, agrees, .. } = &mut self.change
            && question.nonce == opinion.nonce
            && opinion.agrees
        {
            agrees.insert(from);
            self.step_change(now);
        }
    }

    /// A promise of another member, or of this one.
    pub(super) fn on_promise(&mut self, now: Time, from: MemberId, promise: Promise) {
        self.raise_highest(promise.ballot);
        let Change::Preparing { ballot, answers, quorum_at, .. } = &mut self.change else { return };
        if promise.ballot != *ballot || answers.iter().any(|(m, _)| *m == from) {
            return;
        }
        answers.push((from, promise));
        let answered = answers.iter().map(|(m, _)| *m).collect();
        if self.log.electorate().is_quorum(answered) && quorum_at.is_none() {
            *quorum_at = Some(now);
        }
        self.step_change(now);
    }

    pub(super) fn on_outbid(&mut self, now: Time, ballot: Ballot) {
        self.raise_highest(ballot);
        let outbid = match &self.change {
            Change::Preparing { ballot: mine, .. } => *mine < ballot,
            Change::Idle
            | Change::Asking { .. }
            | Change::Promising { .. }
            | Change::Gathering { .. }
            | Change::Installing { .. } => false,
        };
        if outbid {
            self.give_up(now);
        }
    }

    /// The proposer's own log holds what the install adopts: the members may have it.
    pub(super) fn announce_install(&mut self, now: Time) {
        if let Change::Gathering { install, .. } = &self.change {
            let install = install.clone();
            self.note(install.view.set(), Message::Install(install.clone()));
            self.change = Change::Installing { install, since: now, again: now + self.options.timing.repeat_ballot() };
        }
    }

    /// Takes note of a ballot; an absurd one is refused.
    pub(super) fn raise_highest(&mut self, ballot: Ballot) {
        if ballot.number > self.highest.number.saturating_add(BALLOT_JUMP_MAX) {
            return self.refuse("ballot number too far ahead");
        }
        self.highest = self.highest.max(ballot);
    }

    /// Its own proposal failed; it lets others try, for longer each time.
    pub(super) fn give_up(&mut self, now: Time) {
        self.change = Change::Idle;
        self.failures = self.failures.saturating_add(1);
        let most = self.options.timing.rank_wait.times(1 << self.failures.min(8)).0.min(BACK_OFF_MAX.0);
        self.quiet_until = now + Span(self.chance.below(most));
    }

    /// Whether this replica would go along.
    fn agrees(&self, now: Time, from: MemberId, question: &Question) -> bool {
        if !self.active {
            return !self.hears_live_view_without(now, from);
        }
        let missing = self.missing(now, self.options.timing.agreeing());
        if missing.contains(from) {
            return true;
        }
        let inside = question.view == self.view().ballot && self.view().participant(from).is_some();
        if !inside {
            return false;
        }
        if self.view_is_over() || (self.is_retiring() && question.missing.contains(self.options.me)) {
            return true;
        }
        if !question.missing.is_empty() {
            return !question.missing.intersection(missing).is_empty();
        }
        if question.proposed == self.view().set() {
            return self.agrees_on_slow(now, question.slow);
        }
        let strangers = question.proposed.minus(self.view().set());
        question.proposed.len() > self.view().members.len() && strangers.iter().all(|m| self.may_join(now, m))
    }

    /// Whether a view that can commit goes on without `asker`: it is not to be disturbed by an outsider.
    fn hears_live_view_without(&self, now: Time, asker: MemberId) -> bool {
        let asker_in = self.detector.fresh(now, asker).is_some_and(|h| h.active);
        !asker_in && self.hears_live_view(now)
    }

    /// A quorum agrees: raise a ballot and promise it first of all to oneself.
    fn propose(&mut self, now: Time) {
        let ballot = Ballot { number: self.highest.number + 1, proposer: Some(self.options.me), store: self.store };
        self.accept(now, ballot);
        self.change = Change::Promising { ballot, since: now };
    }

    /// The proposer's own promise is durable: ask the others for theirs.
    pub(super) fn prepare(&mut self, now: Time) {
        let Change::Promising { ballot, .. } = self.change else { return };
        self.change = Change::Preparing {
            ballot,
            answers: Vec::new(),
            since: now,
            quorum_at: None,
            again: now + self.options.timing.repeat_ballot(),
        };
        self.ask_for_promises(self.peers(), ballot);
        let own = self.own_promise(now, ballot);
        self.on_promise(now, self.options.me, own);
    }

    /// Asks for promises, in the name of the newest electorate that is known: who has just come into it may
    /// not know so.
    fn ask_for_promises(&mut self, to: MemberSet, ballot: Ballot) {
        let electorate = match &self.change {
            Change::Preparing { answers, .. } => judged(answers, self.options.me).map(|(donor, _)| &donor.electorate),
            Change::Idle
            | Change::Asking { .. }
            | Change::Promising { .. }
            | Change::Gathering { .. }
            | Change::Installing { .. } => None,
        };
        let electorate = electorate.unwrap_or(self.log.electorate()).clone();
        self.note(to.union(electorate.set()), Message::Prepare(ballot, electorate));
    }

    /// Enough have promised: choose the donor and the members, if the answers allow it.
    fn choose(&mut self, now: Time) {
        let Change::Preparing { ballot, answers, .. } = &self.change else { return };
        let Some(install) = self.outcome(now, *ballot, answers) else { return };
        if install.end < self.log.committed() {
            // A later view has committed more since these promises were made.
            return self.give_up(now);
        }
        let donor = answers.iter().find(|(_, p)| p.log_view == install.log_view && p.end == install.end);
        let Some(source) = donor.map(|(m, _)| *m) else { return };
        self.change = Change::Gathering { install: install.clone(), since: now };
        self.join(now, install, source);
    }

    /// What this ballot comes to, by the answers to it; nothing while they are not enough.
    fn outcome(&self, now: Time, ballot: Ballot, answers: &[(MemberId, Promise)]) -> Option<Install> {
        let me = self.options.me;
        let (donor, standing) = judged(answers, me)?;
        let electorate = &donor.electorate;
        let voters: MemberSet = standing.iter().map(|(m, _)| *m).collect();
        let enough = |set: MemberSet| electorate.may_form_view(set);
        if !enough(voters) || !voters.contains(me) {
            return None;
        }
        let committed = standing.iter().map(|(_, p)| p.committed).max()?.min(donor.end);
        let near = |p: &Promise| p.committed.0.saturating_add(JOIN_SLOTS) >= committed.0;
        let fit = |m: MemberId| m == me || self.detector.is_fit(now, m);
        let candidates: MemberSet =
            standing.iter().filter(|(m, p)| p.whole && near(p) && fit(*m)).map(|(m, _)| *m).collect();
        let current = self.view().set();
        let held_back =
            candidates.iter().filter(|m| !current.contains(*m) && self.detector.is_held_back(now, *m)).collect();
        let hears =
            |m: MemberId| standing.iter().find(|(member, _)| *member == m).map_or(MemberSet::EMPTY, |(_, p)| p.hears);
        // Who was dropped lately comes in again only if there is no quorum without it.
        let members = clique::largest(me, candidates.minus(held_back), current, hears, enough)
            .or_else(|| clique::largest(me, candidates, current, hears, enough))?;
        let participant =
            |(member, p): &(MemberId, Promise)| Participant { member: *member, store: p.store, boot: p.boot };
        let taken = standing.iter().filter(|(m, _)| members.contains(*m));
        let mut participants: Vec<Participant> = taken.map(|answer| participant(answer)).collect();
        participants.sort_unstable_by_key(|p| p.member);
        let electorate = if electorate.is_founding() {
            let seat = |p: &Participant| Seat { member: p.member, store: Some(p.store) };
            Electorate::of(Configuration { number: 1, seats: participants.iter().map(seat).collect() })
        } else {
            electorate.clone()
        };
        let finds_slow = |m: MemberId| standing.iter().filter(|(_, p)| p.slow.contains(m)).count();
        let slow = members.iter().filter(|m| finds_slow(*m) * 2 > standing.len()).collect();
        let ring = self.ring_without(members, slow).iter().collect();
        Some(Install {
            view: View { ballot, members: participants, ring },
            electorate,
            log_view: donor.log_view,
            end: donor.end,
            digest: donor.digest,
            committed,
        })
    }
}

/// The donor, and the answers that count: all are held against the donor's electorate (RULES S6), and none
/// counts of a store that has shown more before than it does now (RULES S13).
pub(super) fn judged(answers: &[(MemberId, Promise)], me: MemberId) -> Option<(&Promise, Vec<&(MemberId, Promise)>)> {
    let is_older = |p: &Promise| answers.iter().any(|(_, w)| marks::is_older(&w.heard, p.store, p.boot, p.shown));
    let mut standing: Vec<&(MemberId, Promise)> = answers.iter().filter(|(_, p)| !is_older(p)).collect();
    loop {
        let (member, donor) = standing.iter().max_by_key(|(m, p)| (p.log_view, p.end, *m == me))?;
        if donor.electorate.admits(*member, donor.store) {
            standing.retain(|(m, p)| donor.electorate.admits(*m, p.store));
            return Some((donor, standing));
        }
        standing.retain(|(m, _)| m != member);
    }
}
