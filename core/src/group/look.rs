//! What there is to see of a group.

use crate::electorate::Electorate;
use crate::ids::{Ballot, BootId, MemberId, MemberSet, Slot, StoreId, View};
use crate::store::Position;
use crate::time::{SlotClock, Span, Time};

use super::Group;
use super::log::Log;
use super::message::Heartbeat;
use super::order::Ordering;
use super::own::Own;

impl Group {
    /// The view that was installed last.
    pub fn view(&self) -> &View {
        &self.ordering.view
    }

    /// The state of ordering in that view.
    pub fn ordering(&self) -> &Ordering {
        &self.ordering
    }

    /// Whether this replica takes part in its view: nothing higher was accepted.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Whether slots are sequenced in its view, and it hears a quorum: requests may leave.
    pub fn is_serving(&self, now: Time) -> bool {
        let heard = || self.detector.heard(now).with(self.options.me);
        self.active && self.opened && self.electorate.is_quorum(heard().intersection(self.view().set()))
    }

    /// The log in memory.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// What quorums of the installed view are counted against.
    pub fn electorate(&self) -> &Electorate {
        &self.electorate
    }

    /// The highest promise that is durable.
    pub fn promised(&self) -> Ballot {
        self.promise
    }

    /// Up to where this replica says that it is durable in its view.
    pub fn durable(&self) -> Slot {
        self.durable
    }

    /// Own requests that are not delivered.
    pub fn own(&self) -> &Own {
        &self.own
    }

    /// The positions of all origins, as of the last slot delivered.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Who of the others is heard.
    pub fn heard(&self, now: Time) -> MemberSet {
        self.detector.heard(now)
    }

    /// What it knows of the others: for how long each was silent, if it ever was heard, and what it said last.
    pub fn acquaintances(&self, now: Time) -> impl Iterator<Item = (MemberId, Option<Span>, &Heartbeat)> {
        self.detector.peers().map(move |(member, peer)| (member, peer.silent_for(now), &peer.heartbeat))
    }

    /// How far the log is committed, as far as this replica or anybody whom it hears knows.
    pub fn known_committed(&self, now: Time) -> Slot {
        let others = self.detector.peers().filter_map(|(member, _)| self.detector.fresh(now, member));
        others.map(|heartbeat| heartbeat.committed).fold(self.log.committed(), Slot::max)
    }

    /// How many jobs the store has not finished, of those that something waits for.
    pub fn unfinished_jobs(&self) -> usize {
        self.backlog.jobs()
    }

    /// Up to where the delivered log is durable in the archive.
    pub fn archived(&self) -> Slot {
        self.archived
    }

    /// Whether it sees a reason for another view.
    pub fn wants_view(&self) -> bool {
        self.wants_since.is_some()
    }

    /// What this replica's share in the slot clock says.
    pub fn clock_reading(&self, now: Time) -> SlotClock {
        self.clock.reading(now)
    }

    /// Who may vote, of this replica and those who are heard: their stores are the ones that the cluster knows.
    pub fn voters(&self, now: Time) -> MemberSet {
        self.admitted(now, self.log.electorate())
    }

    /// Who this is: member, store, boot.
    pub(crate) fn identity(&self) -> (MemberId, StoreId, BootId) {
        (self.options.me, self.store, self.boot)
    }

    /// Whether this replica takes itself for a voter: its store is one that the cluster knows, as far as its
    /// log says. Who knows of no view, while others do, is not to found one; nor is a store that was in use
    /// before and has lost its journal or its archive (RULES S12).
    pub fn votes(&self) -> bool {
        let electorate = self.log.electorate();
        let others_have_one = || self.detector.peers().any(|(_, peer)| !peer.heartbeat.view.is_none());
        let may_found = || !self.is_forgetful && self.is_whole() && !others_have_one();
        electorate.admits(self.options.me, self.store) && (!electorate.is_founding() || may_found())
    }

    /// The newest rules of the machine that every member of the cluster knows, as it said in its present run; 0
    /// while one has not said anything.
    pub fn rules_known(&self) -> u64 {
        let knows = |member| {
            let peer = self.detector.peer(member).map_or(0, |peer| peer.heartbeat.rules);
            if member == self.options.me { self.options.rules } else { peer }
        };
        self.log.electorate().set().iter().map(knows).min().unwrap_or(0)
    }

    /// Whether there is a state to look at, however old: not on a new disk, and not on one that has lost its
    /// archive. What a blank replica knows of nothing is no stale answer but a wrong one.
    pub fn has_state(&self) -> bool {
        self.is_whole() && self.log.delivered() > Slot(0)
    }

    /// Whether its log and its state are all here, so that it could take part in a view.
    pub fn is_whole(&self) -> bool {
        self.hollow.is_none()
    }
}
