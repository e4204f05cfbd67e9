//! What is held against the model at each step: what is committed by the disks, and what was told and applied.

use super::member::Member;
use super::{Action, MEMBERS, Past, State, id};
use crate::checkers::Invariant;
use crate::checkers::durability::Durability;
use ftq_core::ids::{Ballot, MemberSet, Slot, StoreId};
use ftq_core::replica::Event;
use ftq_core::store::SlotRecord;
use ftq_storage::memory::Fact;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// So many disks hold what is committed.
const QUORUM: usize = MEMBERS / 2 + 1;

impl Past {
    pub(super) fn new() -> Past {
        let members: MemberSet = (0..MEMBERS).map(id).collect();
        Past {
            durability: Durability::new(members, members),
            applied: Vec::new(),
            views: 0,
            highest: Ballot::default(),
            cut: 0,
            disks_lost: 0,
            broken: None,
            fingerprint: 0,
        }
    }

    /// Called when something has changed.
    pub(super) fn known(mut self) -> Arc<Past> {
        self.fingerprint = 0;
        self.fingerprint = xxh3_128(format!("{self:?}").as_bytes());
        Arc::new(self)
    }
}

impl State {
    /// These slots are durable on a member's disk, in its log view.
    pub(super) fn durable(&mut self, index: usize, view: Ballot, store: StoreId, slots: &[SlotRecord]) {
        let past = Arc::make_mut(&mut self.past);
        for SlotRecord { slot, digest, .. } in slots {
            let fact = Fact { view, slot: *slot, digest: *digest };
            if let Err(broken) = past.durability.durable(id(index), store, fact) {
                past.broken.get_or_insert(broken);
            }
        }
    }

    pub(super) fn observe(&mut self, index: usize, event: &Event) {
        if let Event::Installed { view, cut, .. } = event {
            let past = Arc::make_mut(&mut self.past);
            past.views += u8::from(*view > past.highest);
            past.highest = past.highest.max(*view);
            past.cut += cut;
        }
        if let Event::Stopped { why } = event {
            self.breaks(Invariant::Stopped, format!("member {} stopped: {why}", id(index)));
        }
    }

    /// A slot was applied: it is what all apply there, and a quorum has it durable in one view.
    pub(super) fn applied(&mut self, index: usize, record: &SlotRecord) {
        let place = usize::try_from(record.slot.0 - 1).expect("a short log");
        let committed = self.past.durability.commit(record.slot).map(|commit| commit.digest);
        if committed != Some(record.digest) {
            let what = format!("member {} applied slot {}, committed is {committed:?}", id(index), record.slot);
            self.breaks(Invariant::DurableQuorum, what);
        }
        match self.past.applied.get(place) {
            Some(before) if *before == record.digest => {}
            Some(_) => {
                let what = format!("member {} applied another slot {}", id(index), record.slot);
                self.breaks(Invariant::SameContent, what);
            }
            None => Arc::make_mut(&mut self.past).applied.push(record.digest),
        }
    }

    /// What a member says of itself is on its disk, and its disk holds what lower views have committed.
    pub(super) fn check(&mut self, index: usize) {
        let Member { group, disk, .. } = &self.members[index].member;
        let end = self.members[index].member.log().last().map_or(Slot(0), |record| record.slot);
        let view = disk.view.ballot;
        let is_honest = !group.is_active() || (view == group.view().ballot && end >= group.durable());
        let (promised, mark) = (group.promised(), group.durable());
        let keeps_promise = disk.promise >= promised;
        let lost = self.past.durability.commit(end.next()).filter(|commit| commit.view < view);
        if !is_honest {
            self.breaks(Invariant::MarkHonest, format!("member {} announces {mark}, its disk has {end}", id(index)));
        }
        if !keeps_promise {
            self.breaks(Invariant::PromiseKept, format!("member {} has not kept {promised:?}", id(index)));
        }
        if let Some(commit) = lost {
            let what = format!("member {} installed {view:?} up to {end}, without {commit:?}", id(index));
            self.breaks(Invariant::CommittedKept, what);
        }
    }

    /// What is committed is on the disks of a quorum, those counted that have been lost since.
    pub(super) fn check_disks(&mut self) {
        let end = self.past.durability.end();
        for slot in (1..=end.0).map(Slot) {
            let committed = self.past.durability.commit(slot).map(|commit| commit.digest);
            let has = |member: &Member| member.log().any(|r| r.slot == slot && Some(r.digest) == committed);
            let disks = self.members.iter().filter(|known| has(&known.member)).count();
            if disks + usize::from(self.past.disks_lost) < QUORUM {
                let what = format!("slot {slot} is committed, and on {disks} disks");
                self.breaks(Invariant::CommittedKept, what);
            }
        }
    }

    /// What was to happen ended with a panic, of the group or of what watches it.
    pub(super) fn panicked(&mut self, action: Action) {
        self.breaks(Invariant::NoPanic, format!("{action:?} ended with a panic, which is told above"));
        self.past = (*self.past).clone().known();
    }

    fn breaks(&mut self, invariant: Invariant, what: String) {
        Arc::make_mut(&mut self.past).broken.get_or_insert((invariant, what));
    }
}
