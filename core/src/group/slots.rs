//! Slots of the present view: sequenced, completed, durable, committed, delivered.

use crate::electorate::Electorate;
use crate::ids::{Ballot, MemberId, MemberSet, Slot};
use crate::invariants;
use crate::replica::Event;
use crate::store::{Generation, Job, JobId, Position, SlotRecord};
use crate::time::{SlotClock, Time};
use crate::wire::{Malformed, Reader, Writer};
use bytes::Bytes;

use super::message::Message;
use super::order::Misfit;
use super::own::Token;
use super::{Delivery, Group, Output, content};

/// How many slots may be sequenced and not committed: enough to fill the way to the disks and back.
pub(super) const PIPELINE_SLOTS: u64 = 32;

/// How many bytes may be sequenced and not committed: a view change may have to send them all.
pub(super) const UNCOMMITTED_BYTES: usize = 16 << 20;

/// A sequencer whose store has this many groups waiting waits too: its slot would only wait there, and
/// grows meanwhile (RULES P2).
const STORE_GROUPS_WAITING: usize = 2;

impl Group {
    /// Does what has become possible: completes slots, takes its turn, hands slots to the store, commits.
    pub fn settle(&mut self, now: Time) {
        if self.stopped {
            return;
        }
        if self.active {
            self.open_view(now);
            self.complete_slots(now);
            self.hasten_repair();
            if self.opened {
                self.send_own(now);
                while self.active && self.may_sequence(now) {
                    self.sequence(now);
                }
            }
        }
        self.hand_over_slots(now);
        self.commit_slots(now);
        self.settle_reads(now);
        self.step_hollow(now);
        self.see_own_seat();
        self.announce_configuration();
        invariants::group(self);
    }

    /// The mark of this replica, for every packet: `view, durable, clock reading, ordinal, awaited`. The mark
    /// names its view itself, whatever the packet that it rides on says (RULES S4).
    pub fn trailer(&self, now: Time, w: &mut Writer) {
        let view = if self.active { self.epoch } else { 0 };
        w.u64(view).slot(self.durable).u64(self.clock.reading(now).0).u64(self.ordinal);
        w.u8(u8::from(self.is_awaited));
    }

    /// The trailer of a packet of `from`, whose packet named `from_epoch`. Marks count only for the log
    /// view of the one who counts, and only from the boot that this view names (RULES S4).
    pub fn on_trailer(&mut self, from: MemberId, from_epoch: u64, trailer: Bytes) {
        if self.stopped {
            return;
        }
        let mut r = Reader::new(trailer);
        let mut read = || -> Result<(u64, Slot, SlotClock, u64, bool), Malformed> {
            Ok((r.u64()?, r.slot()?, SlotClock(r.u64()?), r.u64()?, r.u8()? == 1))
        };
        let Ok((view, durable, reading, ordinal, is_awaited)) = read() else { return self.refuse("malformed trailer") };
        let Some((boot, store)) = self.detector.peer(from).map(|peer| (peer.boot, peer.heartbeat.store)) else {
            return;
        };
        if let Some(boot) = boot {
            self.marks.hear_ordinal(store, boot, ordinal);
        }
        if self.epoch == 0 || from_epoch != self.epoch || view != self.epoch {
            return;
        }
        let Some(participant) = self.view().participant(from) else { return };
        if boot != Some(participant.boot) {
            return;
        }
        self.awaited_at = if is_awaited { self.awaited_at.with(from) } else { self.awaited_at.without(from) };
        self.ordering.installed.insert(from);
        self.ordering.mark(from, durable);
        self.clock.heard(from, reading);
    }

    /// The next committed slot, in order.
    pub fn deliver(&mut self) -> Option<Delivery> {
        let log = self.hollow.as_mut().map_or(&mut self.log, |hollow| &mut hollow.rebuilt);
        let record = log.deliver()?;
        let view = (record.slot > self.stated).then_some(self.view().ballot);
        if let Ok(requests) = content::requests(&record.content) {
            for range in requests.ranges() {
                let position =
                    Position { origin: range.origin, view: record.view, number: range.from + range.count - 1 };
                match self.positions.iter_mut().find(|p| p.origin == range.origin) {
                    Some(known) => *known = position,
                    None => {
                        self.positions.push(position);
                        self.positions.sort_by_key(|p| p.origin);
                    }
                }
            }
        }
        Some(Delivery { record, view })
    }

    /// If this request of a delivered slot is an own one: its token.
    pub fn own_token(&mut self, view: Ballot, origin: MemberId, number: u64) -> Option<Token> {
        if origin == self.options.me { self.own.delivered(view, number) } else { None }
    }

    /// Tells the store what is committed. Whoever commits calls this before anything more is applied: applying forgets which
    /// slot says what of the cluster.
    pub(super) fn deliver_to_store(&mut self, now: Time) {
        let upto = self.log.committed();
        if upto > self.deliver_asked {
            if let Some((first, electorate)) = self.log.electorate_later_than(&self.electorate_written, upto) {
                // The slots below go first: that frees the room for which jobs queued before the electorate may wait.
                if first.previous() > self.deliver_asked {
                    self.persist(now, Job::Deliver { upto: first.previous() });
                }
                self.write_electorate(now, electorate);
            }
            self.deliver_asked = upto;
            self.persist(now, Job::Deliver { upto });
        }
    }

    /// Committed slots say that this is the electorate. It is written down before they leave the journal, since a member
    /// that loses its archive would go by a former one until it is rebuilt (RULES S6).
    pub(super) fn write_electorate(&mut self, now: Time, electorate: Electorate) {
        if electorate.is_later_than(&self.electorate_written) {
            self.electorate_written = electorate.clone();
            self.persist(now, Job::Electorate { electorate });
        }
    }

    pub(super) fn on_durable(&mut self, now: Time, job: JobId, generation: Generation, end: Slot) {
        self.backlog.finish(job);
        self.snapshots.finish(now, job);
        self.finish_joining(now, job);
        self.finish_promising(now, job);
        // From the moment that a higher promise was accepted no mark rises (RULES S9), and a report about
        // an older log must not count for this one (RULES S8).
        if self.active && generation == self.generation && end > self.durable {
            let before = self.durable;
            self.durable = end;
            self.ordering.mark(self.options.me, end);
            self.nudge_origins(before);
        }
    }

    /// Hands complete slots to the store, many at once.
    pub(super) fn hand_over_slots(&mut self, now: Time) {
        if !self.to_append.is_empty() {
            let slots = core::mem::take(&mut self.to_append);
            let generation = self.generation;
            self.persist(now, Job::Append { generation, slots });
        }
    }

    /// All members have installed: slots may be sequenced (RULES L9: each sees that for itself).
    fn open_view(&mut self, now: Time) {
        if self.opened || !self.ordering.is_open() {
            return;
        }
        self.opened = true;
        self.failures = 0;
        // The ballot for which others were to keep quiet has come to its end.
        self.quiet_until = now;
        self.progress_at = now;
        let ballot = self.view().ballot;
        self.event(Event::Opened { view: ballot });
        if self.view().members.len() > 1 {
            self.out.push_back(Output::Broadcast(Message::Begin(ballot)));
        }
    }

    /// Numbers and sends the own requests that have not been sent in this view.
    fn send_own(&mut self, now: Time) {
        let ballot = self.view().ballot;
        let alone = self.view().members.len() == 1;
        while let Some((number, body)) = self.own.send(ballot) {
            let held = self.ordering.body(self.options.me, body.clone());
            assert_eq!(held, Ok(number), "own requests are numbered without gaps");
            if !alone {
                self.out.push_back(Output::Broadcast(Message::Body(body)));
            }
            self.turns.waits(now);
        }
    }

    fn complete_slots(&mut self, now: Time) {
        while let Some(done) = self.complete() {
            match done {
                Ok(record) => self.append(now, record),
                Err(misfit) => {
                    self.refuse(misfit.0);
                    self.leave_view();
                    return;
                }
            }
        }
    }

    /// The next slot, if all of it is here.
    fn complete(&mut self) -> Option<Result<SlotRecord, Misfit>> {
        let next = self.log.end().next();
        let fits = self.fits(self.ordering.notice_of(next));
        self.ordering.complete(&self.log, fits)
    }

    /// The next slot waits for a body that its sequence names, or for a sequence that others have: that is
    /// evidence enough to ask for it at once, since the whole rotation may wait for it (RULES P4). Once for
    /// a slot and a member: more would be guesses.
    fn hasten_repair(&mut self) {
        let end = self.log.end();
        let mut from = self.ordering.lacks(end);
        if self.ordering.misses_sequence(end) {
            from = self.view().sequencer(end.next()).map_or(from, MemberSet::of);
        }
        let (slot, asked) = self.hastened;
        let asked = if slot == end.next() { asked } else { MemberSet::EMPTY };
        let from = from.minus(asked).without(self.options.me);
        if !from.is_empty() {
            self.hastened = (end.next(), asked.union(from));
            self.out.push_back(Output::Hasten(from));
        }
    }

    /// Whether it is this replica's turn, something waits, and there is room in the pipeline.
    fn may_sequence(&self, now: Time) -> bool {
        let next = self.log.end().next();
        let due = || self.ordering.has_requests() || self.alarm_is_due(now) || self.notice_due().is_some();
        if self.view().sequencer(next) != Some(self.options.me) || self.view_is_over() || !due() {
            return false;
        }
        // But what the others commit without this store does not wait for it.
        let store_is_behind = self.durable < self.log.committed();
        let store_is_busy = self.backlog.jobs() >= STORE_GROUPS_WAITING && !store_is_behind;
        let pipeline_is_full = self.log.end().0 - self.log.committed().0 >= PIPELINE_SLOTS
            || self.log.uncommitted_bytes() >= UNCOMMITTED_BYTES;
        !store_is_busy && !pipeline_is_full
    }

    /// Takes its turn: orders all that it holds.
    fn sequence(&mut self, now: Time) {
        let clock = self.agreed_clock(now).unwrap_or_default().max(self.log.end_clock());
        let (sequence, record) = match self.notice_due() {
            Some(notice) => self.ordering.announce(&self.log, clock, notice),
            None => self.ordering.compose(&self.log, clock),
        };
        let requests = sequence.takes.iter().map(|(_, n)| n).sum();
        self.event(Event::Sequenced { view: record.view, slot: record.slot, digest: record.digest, requests });
        if self.view().members.len() > 1 {
            self.out.push_back(Output::Broadcast(Message::Sequence(sequence)));
        }
        self.append(now, record);
    }

    pub(super) fn append(&mut self, now: Time, record: SlotRecord) {
        self.clock.follow(now, record.clock);
        self.event(Event::Appended { view: record.view, slot: record.slot, digest: record.digest });
        if let Some(sequencer) = self.view().sequencer(record.slot) {
            self.turns.taken(now, sequencer, self.ordering.has_work());
        }
        self.log.push(record.clone());
        self.to_append.push(record);
        self.progress_at = now;
    }

    fn commit_slots(&mut self, now: Time) {
        if self.joining.is_some() {
            // An install settles what of this log stays; what it keeps is committed by its own view.
            return self.deliver_to_store(now);
        }
        let electorate = &self.electorate;
        let durable = self.ordering.durable_on(|set| electorate.is_quorum(set)).min(self.log.end());
        if durable > self.log.committed() {
            self.log.commit(durable);
            self.progress_at = now;
        }
        self.deliver_to_store(now);
    }

    /// Tells the mark at once to those who wait for it: whose requests are in the slots that are durable now
    /// (RULES P3), and where somebody waits for what others send. Everybody else hears it with the next packet.
    fn nudge_origins(&mut self, before: Slot) {
        let mut to = self.awaited_at;
        for record in self.log.from(before.next()).take_while(|record| record.slot <= self.durable) {
            if let Ok(requests) = content::requests(&record.content) {
                to = requests.ranges().fold(to, |to, range| to.with(range.origin));
            }
        }
        if self.log.end().0 - self.log.committed().0 >= PIPELINE_SLOTS / 2 {
            to = self.view().set();
        }
        let to = to.intersection(self.view().set()).without(self.options.me);
        if !to.is_empty() {
            self.out.push_back(Output::Nudge(to));
        }
    }

    /// What the members' clocks agree on.
    pub(super) fn agreed_clock(&self, now: Time) -> Option<SlotClock> {
        let electorate = &self.electorate;
        self.clock.agreed(now, self.options.me, |set| electorate.is_quorum(set))
    }

    /// Whether an empty slot is due so that time goes on; not if a slot under way will do.
    pub(super) fn alarm_is_due(&self, now: Time) -> bool {
        self.alarm.is_some_and(|alarm| {
            alarm > self.log.end_clock() && self.agreed_clock(now).is_some_and(|clock| clock >= alarm)
        })
    }
}
