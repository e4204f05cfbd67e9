//! The own snapshots: when one may be taken, whether others come to the same state, and who may have it.
//!
//! Always: the log below a snapshot is cut only when a quorum has the same state there, and the snapshot is given away only
//! then, or when all others have had their time to differ (RULES S17). So one replica that has gone astray keeps its
//! state to itself, and nobody who has it by way of a snapshot speaks for it.

use crate::ids::{Digest, MemberId, MemberSet, Slot};
use crate::replica::Stop;
use crate::store::{Fetch, Job, JobId, SlotRecord, Snapshot};
use crate::time::{Span, Time};

use super::Group;
use super::catch_up::Purpose;
use super::message::{Heartbeat, Message};

/// For how long after a piece was asked for a snapshot is kept for whoever fetches it …
const LENT: Span = Span::secs(1);

/// … unless the log has grown by so much since: it has to be cut some time.
const LENT_SLOTS: u64 = 1 << 20;

/// What nobody has come to in so long, nobody does so soon: they would have with the slots that follow.
const UNDISPUTED_FOR: Span = Span::secs(2);

/// What is known of the own snapshots.
#[derive(Clone, Debug)]
pub(super) struct Snapshots {
    /// The newest one, and its state.
    taken: Slot,
    state: Digest,
    /// The newest that is durable, since when, and when somebody asked for a piece of it last.
    durable: Slot,
    durable_at: Time,
    wanted_at: Option<Time>,
    /// Another replica's that is on its way to the disk.
    adopting: Option<(JobId, Slot)>,
    /// The newest that others were found to have too.
    agreed: Slot,
    /// What lies below this slot the store was told to cut, as far as it does not keep it for slow members.
    cut_below: Slot,
}

impl Snapshots {
    /// What the store was opened with.
    pub(super) fn opened(now: Time, snapshot: Option<&Snapshot>) -> Snapshots {
        let slot = snapshot.map_or(Slot(0), |snapshot| snapshot.slot);
        let state = snapshot.map_or(Digest::default(), |snapshot| snapshot.state);
        Snapshots {
            taken: slot,
            state,
            durable: slot,
            durable_at: now,
            wanted_at: None,
            adopting: None,
            agreed: Slot(0),
            cut_below: Slot(0),
        }
    }

    /// The newest one, and its state.
    pub(super) fn taken(&self) -> (Slot, Digest) {
        (self.taken, self.state)
    }

    /// Another replica's has become the newest. It gave it away, so it may be given on.
    pub(super) fn adopted(&mut self, snapshot: &Snapshot) {
        (self.taken, self.state) = (snapshot.slot, snapshot.state);
        self.agreed = snapshot.slot;
    }

    /// It is given to the store by this job.
    pub(super) fn adopting(&mut self, job: JobId, slot: Slot) {
        self.adopting = Some((job, slot));
    }

    /// The store has finished all jobs up to this one.
    pub(super) fn finish(&mut self, now: Time, upto: JobId) {
        if let Some((_, slot)) = self.adopting.take_if(|(job, _)| *job <= upto) {
            self.is_durable(now, slot);
        }
    }

    fn is_durable(&mut self, now: Time, slot: Slot) {
        if slot > self.durable {
            (self.durable, self.durable_at) = (slot, now);
        }
    }
}

impl Group {
    /// The slot of the newest snapshot that is durable here; 0 while there is none.
    pub fn durable_snapshot(&self) -> Slot {
        self.snapshots.durable
    }

    /// Whether a snapshot may be taken of what was delivered last: not where a change is under way, which no
    /// snapshot could tell of, nor while what lies below is being rebuilt, or others fetch the last one.
    pub fn may_snapshot(&self, now: Time) -> bool {
        self.is_whole() && !self.is_lending(now) && self.log.electorate_at(self.log.delivered()).proposed.is_none()
    }

    /// The machine was brought to this point: here is its snapshot, complete but for what group knows.
    pub fn take_snapshot(&mut self, now: Time, record: &SlotRecord, mut snapshot: Snapshot) {
        assert_eq!(record.slot, self.log.delivered(), "a snapshot is of what was delivered last");
        snapshot.slot = record.slot;
        snapshot.digest = record.digest;
        snapshot.clock = record.clock;
        snapshot.configuration = self.log.electorate_at(record.slot).sealed;
        snapshot.positions = self.positions.clone();
        self.deliver_to_store(now);
        (self.snapshots.taken, self.snapshots.state) = (snapshot.slot, snapshot.state);
        self.persist(now, Job::Snapshot { snapshot });
    }

    /// This replica's own snapshot is durable.
    pub(super) fn on_snapshotted(&mut self, now: Time, slot: Slot) {
        self.snapshots.is_durable(now, slot);
        self.compare_state(now);
    }

    /// Whether somebody is fetching the newest durable snapshot: another one would take it away.
    pub(super) fn is_lending(&self, now: Time) -> bool {
        let is_recent = self.log.delivered().0.saturating_sub(self.snapshots.durable.0) < LENT_SLOTS;
        is_recent && self.snapshots.wanted_at.is_some_and(|at| now.since(at) < LENT)
    }

    /// The snapshot that others may have: one that a quorum agrees on, or that nobody has said anything against for a while.
    /// Perhaps nobody else has come to this slot and takes one there, and this is the only one.
    fn lends(&self, now: Time) -> Option<Slot> {
        let Snapshots { taken, state, durable, durable_at, agreed, .. } = self.snapshots;
        let differs = |h: &Heartbeat| h.snapshot == taken && h.state != state;
        let is_doubted = self.detector.peers().any(|(_, peer)| differs(&peer.heartbeat));
        (durable <= agreed || (now.since(durable_at) > UNDISPUTED_FOR && !is_doubted)).then_some(durable)
    }

    /// Somebody is to have the snapshot in place of what is gone from the log.
    pub(super) fn offer_snapshot(&mut self, now: Time, to: MemberId) {
        if let Some(slot) = self.lends(now) {
            self.note(MemberSet::of(to), Message::Offer(slot));
        }
    }

    /// Somebody wants a piece of this replica's snapshot.
    pub(super) fn on_want_piece(&mut self, now: Time, from: MemberId, slot: Slot, index: u32) {
        let Some(lent) = self.lends(now) else { return };
        if slot == lent {
            self.snapshots.wanted_at = Some(now);
            self.fetch(Fetch::Piece { slot, index }, from, Purpose::Piece(index));
        } else if slot < lent {
            self.offer_snapshot(now, from);
        }
    }

    /// Compares the state at the newest snapshot with what others report. Who differs from a quorum stops. If none
    /// has the same, all stop.
    pub(super) fn compare_state(&mut self, now: Time) {
        let (slot, state) = self.snapshots.taken();
        if slot == Slot(0) {
            return;
        }
        let at_slot = |same: bool| -> MemberSet {
            let there = self.detector.peers().filter(|(_, p)| p.heartbeat.snapshot == slot);
            there.filter(|(_, p)| (p.heartbeat.state == state) == same).map(|(m, _)| m).collect()
        };
        let electorate = self.log.electorate();
        let admitted = self.admitted(now, electorate);
        let (same, other) = (at_slot(true).with(self.options.me), at_slot(false));
        if electorate.is_quorum(other.intersection(admitted)) {
            return self.stop(Stop::OtherState);
        }
        // Nobody can say who is right, so nobody goes on to answer: all stop, and each says why.
        let view = self.view().set();
        let differ = self.active && !other.intersection(view).is_empty() && same.union(other).contains_all(view);
        let agreed = electorate.is_quorum(same.intersection(admitted));
        if differ && !agreed {
            return self.stop(Stop::NoState);
        }
        if agreed {
            self.snapshots.agreed = slot;
            self.cut_log(now);
        }
    }

    /// What lies below the newest snapshot is not needed any more, when a quorum has the same and it is durable.
    fn cut_log(&mut self, now: Time) {
        let slot = self.snapshots.agreed;
        let below = Slot(slot.0.saturating_sub(self.options.log_keep) + 1);
        let is_new = below > self.snapshots.cut_below && below <= self.archived;
        if self.snapshots.durable == slot && is_new {
            self.snapshots.cut_below = below;
            self.persist(now, Job::Cut { below });
        }
    }
}
