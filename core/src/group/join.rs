//! A member's side of a view change: promise, gather the adopted log, install it as a whole.
//!
//! What always holds:
//! - from the moment that a ballot is accepted nothing is sequenced, appended or marked here (RULES S9);
//! - an install is executed only under a durable promise of exactly its ballot, over a lower log view
//!   (RULES S3); a member keeps only what agrees with the donor's log by chained digest (RULES S11).

use crate::electorate::Electorate;
use crate::ids::{Ballot, Digest, MemberId, MemberSet, Slot, View};
use crate::replica::Event;
use crate::store::{Fetch, Generation, Job, JobId, SlotRecord};
use crate::time::Time;
use alloc::vec::Vec;

use super::catch_up::Purpose;
use super::change::Change;
use super::message::{Install, Message, Promise, SLOTS_PER_MESSAGE_MAX};
use super::order::Ordering;
use super::{Group, Output, content, epoch};

/// How many bytes of slots one answer carries.
pub(super) const ANSWER_BYTES: usize = 256 << 10;

/// About what a slot takes in an answer besides its content.
const RECORD_BYTES: usize = 64;

/// An install that this replica is about to execute.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    pub(super) install: Install,
    /// Who is asked for what is lacking.
    source: MemberId,
    /// The last slot of the own log that stays.
    keep: Slot,
    /// What follows it, as far as it is here.
    slots: Vec<SlotRecord>,
    /// Set when it is in the store's hands.
    job: Option<JobId>,
    since: Time,
    again: Time,
}

impl Joining {
    fn reached(&self) -> Slot {
        self.slots.last().map_or(self.keep, |record| record.slot)
    }
}

impl Group {
    /// Somebody wants a promise.
    pub(super) fn on_prepare(&mut self, now: Time, from: MemberId, ballot: Ballot, electorate: &Electorate) {
        if ballot.proposer != Some(from) {
            return self.refuse("prepare of another's ballot");
        }
        if !self.may_promise(now, ballot, electorate) {
            return;
        }
        self.raise_highest(ballot);
        if ballot > self.highest {
            return;
        }
        let accepted = self.promising.map_or(self.promise, |(accepted, _)| accepted.max(self.promise));
        if ballot > accepted {
            self.change = Change::Idle;
            self.quiet_until = now + self.options.timing.after_promising();
            self.accept(now, ballot);
        } else if ballot == self.promise && self.view().ballot < ballot {
            let promise = self.own_promise(now, ballot);
            self.note(MemberSet::of(from), Message::Promise(promise));
        } else if ballot < accepted {
            self.note(MemberSet::of(from), Message::Outbid(accepted));
        }
    }

    /// Whether this store may promise at all. A store that has never promised anything begins above all that
    /// a quorum with it has heard of: a view without it has committed its admission (RULES S7).
    fn may_promise(&self, now: Time, ballot: Ballot, electorate: &Electorate) -> bool {
        let me = self.options.me;
        if electorate.is_founding() {
            return self.votes();
        }
        let own = self.log.electorate();
        let asked = electorate.admits(me, self.store) || (!own.is_founding() && own.admits(me, self.store));
        if !self.promise.is_none() || self.promising.is_some() {
            return asked;
        }
        let heard: MemberSet = electorate.set().iter().filter(|m| self.detector.fresh(now, *m).is_some()).collect();
        asked && electorate.is_quorum(heard.with(me)) && ballot >= self.highest
    }

    /// Promises `ballot`: stops at once, and hands the promise to the store behind all slots.
    pub(super) fn accept(&mut self, now: Time, ballot: Ballot) {
        self.last_slow = self.slow(now);
        self.leave_view();
        self.hand_over_slots(now);
        self.highest = self.highest.max(ballot);
        if self.joining.as_ref().is_some_and(|joining| joining.job.is_none()) {
            self.joining = None;
        }
        let job = self.persist(now, Job::Promise { ballot });
        self.promising = Some((ballot, job));
    }

    /// Takes no further part in the present view.
    pub(super) fn leave_view(&mut self) {
        if self.active {
            self.active = false;
            self.opened = false;
            let view = self.view().ballot;
            self.out.push_back(Output::Leave);
            self.event(Event::Left { view });
        }
    }

    /// A promise is durable: now it may be spoken.
    pub(super) fn finish_promising(&mut self, now: Time, job: JobId) {
        let Some((ballot, promised)) = self.promising else { return };
        if job < promised {
            return;
        }
        self.promising = None;
        self.promise = ballot;
        self.event(Event::Promised { ballot });
        match ballot.proposer {
            Some(proposer) if proposer == self.options.me => self.prepare(now),
            Some(proposer) => {
                let promise = self.own_promise(now, ballot);
                self.note(MemberSet::of(proposer), Message::Promise(promise));
            }
            None => {}
        }
    }

    /// This replica's answer: the log as it is now, all of which was handed to the store before the
    /// promise (RULES S9).
    pub(super) fn own_promise(&self, now: Time, ballot: Ballot) -> Promise {
        Promise {
            ballot,
            log_view: self.view().ballot,
            end: self.log.end(),
            digest: self.log.end_digest(),
            committed: self.log.committed(),
            store: self.store,
            boot: self.boot,
            shown: self.shown,
            heard: self.heard_marks(),
            electorate: self.log.electorate().clone(),
            whole: self.is_whole(),
            hears: self.detector.heard(now),
            slow: self.last_slow,
        }
    }

    /// The outcome of a ballot.
    pub(super) fn on_install(&mut self, now: Time, from: MemberId, install: Install) {
        let ballot = install.view.ballot;
        let me = self.options.me;
        if ballot.proposer != Some(from) {
            return self.refuse("install of another's ballot");
        }
        if ballot == self.view().ballot {
            // Installed already: only the answer is said again.
            return self.out.push_back(Output::Nudge(self.view().set().without(me)));
        }
        let mine = install.view.participant(me).is_some_and(|p| p.store == self.store && p.boot == self.boot);
        if self.promise != ballot || self.promising.is_some() || self.view().ballot > ballot {
            return self.refuse("install without a promise of it");
        }
        if !mine {
            return self.refuse("install of a view without this boot");
        }
        let (members, ring) = (&install.view.members, &install.view.ring);
        let seated = members.iter().all(|p| install.electorate.admits(p.member, p.store));
        if !seated || ring.is_empty() || ring.iter().any(|m| install.view.participant(*m).is_none()) {
            return self.refuse("install of a view that makes no sense");
        }
        if install.end < self.log.committed() {
            return self.refuse("install of a log that ends below what is committed here");
        }
        if !self.is_whole() {
            return self.refuse("install at a replica that is not whole");
        }
        if self.joining.is_none() {
            self.join(now, install, from);
        }
    }

    /// Begins to execute an install; what the own log lacks comes from `source`.
    pub(super) fn join(&mut self, now: Time, install: Install, source: MemberId) {
        let keep = self.agreed_prefix(&install);
        self.joining = Some(Joining { install, source, keep, slots: Vec::new(), job: None, since: now, again: now });
        self.step_joining(now);
    }

    /// How much of the own log certainly agrees with the adopted one.
    fn agreed_prefix(&self, install: &Install) -> Slot {
        if self.log.digest_at(install.end) == Some(install.digest) {
            return install.end;
        }
        // Logs with the same log view are prefixes of one another; the digest at the end will prove it.
        if self.view().ballot == install.log_view && self.log.end() < install.end {
            return self.log.end();
        }
        self.log.committed()
    }

    /// Asks again for what is lacking; gives up an install that takes too long.
    pub(super) fn step_joining(&mut self, now: Time) {
        let Some(joining) = &mut self.joining else { return };
        if joining.job.is_some() {
            return;
        }
        if now.since(joining.since) > self.options.timing.gathering() {
            self.joining = None;
            return;
        }
        if joining.reached() >= joining.install.end {
            return self.finish_gathering(now);
        }
        if now >= joining.again {
            joining.again = now + self.options.timing.repeat_tail();
            let want = Message::WantTail(joining.install.view.ballot, joining.reached().next());
            let source = joining.source;
            self.note(MemberSet::of(source), want);
        }
    }

    /// Who has the adopted log offers a snapshot at `slot` in place of what is lacking here: no install can be
    /// made of that. The snapshot is fetched first, and a later view takes this replica in.
    pub(super) fn give_up_joining(&mut self, from: MemberId, slot: Slot) {
        let in_vain = |joining: &Joining| joining.job.is_none() && joining.source == from && joining.reached() < slot;
        if self.joining.as_ref().is_some_and(in_vain) {
            self.joining = None;
        }
    }

    /// A part of the adopted log.
    pub(super) fn on_tail(&mut self, now: Time, from: MemberId, ballot: Ballot, slots: Vec<SlotRecord>) {
        let Some(joining) = &mut self.joining else { return self.on_whole_slots(now, ballot, slots) };
        if joining.install.view.ballot != ballot || joining.source != from || joining.job.is_some() {
            return;
        }
        for record in slots {
            if record.slot == joining.reached().next() && record.slot <= joining.install.end {
                joining.slots.push(record);
                joining.again = now;
            }
        }
        self.step_joining(now);
    }

    /// All is here: if it chains up to the digest of the install, it goes to the store.
    fn finish_gathering(&mut self, now: Time) {
        let Some(joining) = &mut self.joining else { return };
        let start = self.log.digest_at(joining.keep);
        let proven =
            start.and_then(|digest| chained(digest, joining.keep, &joining.slots)) == Some(joining.install.digest);
        if !proven {
            joining.slots.clear();
            if joining.keep > self.log.committed() {
                // The logs differ further down than the views told: fetch all that may differ.
                joining.keep = self.log.committed();
                joining.again = now;
            } else {
                self.joining = None;
                self.refuse("adopted log that does not chain onto what is committed here");
            }
            return;
        }
        let install = joining.install.clone();
        let (keep, slots) = (joining.keep, joining.slots.clone());
        let electorate = self.log.electorate_with(keep, &slots);
        if !electorate.is_founding() && electorate != install.electorate {
            // The donor has lost the slots that say it, and its journal, of an older format, does not say it (RULES S6).
            self.joining = None;
            return self.refuse("install that counts by another configuration than its log says");
        }
        // What is known to be committed is catch-up, on the disk before the install.
        let known = install.committed.max(self.log.committed());
        let caught_up: Vec<SlotRecord> = slots.iter().filter(|r| r.slot <= known).cloned().collect();
        let generation = self.generation;
        let mut install_keep = keep;
        if let Some(last) = caught_up.last() {
            install_keep = last.slot;
            self.write_electorate(now, self.log.electorate_with(keep, &caught_up));
            self.persist(now, Job::CatchUp { generation, slots: caught_up });
        }
        self.generation = Generation(self.generation.0 + 1);
        let job = Job::Install {
            generation: self.generation,
            view: install.view.clone(),
            configuration: install.electorate.sealed.clone(),
            keep: install_keep,
            slots: slots.into_iter().filter(|r| r.slot > install_keep).collect(),
        };
        let job = self.persist(now, job);
        if let Some(joining) = &mut self.joining {
            joining.job = Some(job);
        }
        if install.view.ballot.proposer == Some(self.options.me) {
            self.announce_install(now);
        }
    }

    /// The install is durable: this replica is in the new view.
    pub(super) fn finish_joining(&mut self, now: Time, job: JobId) {
        if self.joining.as_ref().is_none_or(|joining| joining.job.is_none_or(|mine| mine > job)) {
            return;
        }
        let Some(Joining { install, keep, slots, .. }) = self.joining.take() else { return };
        let former = self.view().clone();
        let cut = self.log.truncate(keep);
        for record in slots {
            self.log.push(record);
        }
        self.log.commit(install.committed.min(self.log.end()));
        // Before anything of it is applied.
        self.deliver_to_store(now);
        self.stated = self.stated.max(self.log.committed());
        if *self.log.electorate() != install.electorate {
            // It is the first one, which no slot of this log says so far.
            self.log.begin_with(Electorate::of(install.electorate.sealed.clone()));
        }
        self.electorate = install.electorate;
        self.durable = install.end;
        self.installed_at = now;
        self.opened = false;
        self.epoch = epoch(install.view.ballot);
        self.ordering = Ordering::new(install.view);
        self.ordering.installed.insert(self.options.me);
        self.ordering.mark(self.options.me, install.end);
        self.clock.anchor(now, self.log.end_clock());
        self.turns.begin(now, self.view().set(), self.view().ring.iter().copied().collect());
        let superseded = self.promising.is_some() || self.promise > self.view().ballot;
        self.active = !superseded;
        self.note_left_outside(now, &former);
        let view = self.view().clone();
        let me = self.options.me;
        self.event(Event::Installed {
            view: view.ballot,
            members: view.set(),
            ring: view.ring.iter().copied().collect(),
            end: install.end,
            cut,
        });
        self.own.settle(me, &self.log);
        self.restart_reads();
        if self.active {
            self.wants_since = None;
            self.out.push_back(Output::Enter { epoch: self.epoch, members: view.set().without(me) });
            self.out.push_back(Output::Nudge(view.set().without(me)));
        }
        self.heartbeat_at = now;
    }

    /// Whom the new view dropped, or passed by, has to hold out for longer before it is taken in (RULES L4).
    fn note_left_outside(&mut self, now: Time, former: &View) {
        let me = self.options.me;
        let view = self.view().set();
        let took_part = !former.ballot.is_none() && former.participant(me).is_some_and(|p| p.boot == self.boot);
        let gone = if took_part { former.set().minus(view).without(me) } else { MemberSet::EMPTY };
        for member in gone.iter() {
            self.detector.dropped(now, member);
        }
        // Passed by is who could have come in, and did not answer.
        let strangers = self.admitted(now, self.log.electorate()).minus(view).minus(former.set()).without(me);
        let passed: MemberSet = strangers.iter().filter(|m| self.may_join(now, *m)).collect();
        for member in passed.iter() {
            self.detector.dropped(now, member);
        }
    }

    /// A member lacks slots of the log that a ballot adopts. Who holds it is the donor, who has promised
    /// that ballot and stands still, or the proposer, who has gathered it.
    pub(super) fn on_want_tail(&mut self, from: MemberId, ballot: Ballot, slot: Slot) {
        let gathered = self.joining.as_ref().filter(|j| j.install.view.ballot == ballot && j.job.is_some());
        if gathered.is_none() && self.promise != ballot && self.view().ballot != ballot {
            return self.refuse("tail of a ballot that is not promised here");
        }
        let keep = gathered.map_or(self.log.end(), |joining| joining.keep);
        if slot <= self.log.base() {
            return self.fetch(Fetch::Slots { from: slot, bytes_max: ANSWER_BYTES }, from, Purpose::Tail(ballot));
        }
        let own = self.log.from(slot).take_while(|record| record.slot <= keep);
        let staged = gathered.into_iter().flat_map(|j| j.slots.iter()).filter(|record| record.slot >= slot);
        let slots = portion(own.chain(staged));
        if !slots.is_empty() {
            self.out.push_back(Output::Stream { to: from, message: Message::Tail(ballot, slots) });
        }
    }
}

/// As many slots as fit one answer, at least one.
pub(super) fn portion<'a>(slots: impl Iterator<Item = &'a SlotRecord>) -> Vec<SlotRecord> {
    let mut bytes = 0;
    let fits = |record: &&SlotRecord| {
        let first = bytes == 0;
        bytes += record.content.len() + RECORD_BYTES;
        first || bytes <= ANSWER_BYTES
    };
    slots.take(SLOTS_PER_MESSAGE_MAX).take_while(fits).cloned().collect()
}

/// The digest at the end of `slots`, if they follow `keep` and each chains onto the one before.
pub(super) fn chained(mut digest: Digest, keep: Slot, slots: &[SlotRecord]) -> Option<Digest> {
    let mut slot = keep;
    for record in slots {
        slot = slot.next();
        digest = content::chain(digest, record.slot, record.view, record.clock, &record.content);
        if record.slot != slot || record.digest != digest || content::requests(&record.content).is_err() {
            return None;
        }
    }
    Some(digest)
}
