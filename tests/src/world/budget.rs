//! The fault budget: the members that have forgotten nothing always form a quorum, of the
//! configuration in force and of every one that may follow it.
//!
//! A store that was put back can be told from a whole one only by who has heard more of it. So it is put
//! back only when all the others have written that down.
//!
//! A run beyond the budget loses any number of stores that know themselves that they have lost something: it
//! serves less and less, and in the end nothing, but never anything wrong.

use super::World;
use crate::counts::Count;
use crate::trace::Who;
use ftq_core::ids::{Configuration, MemberId, MemberSet, StoreId};
use ftq_core::store::Condition;
use ftq_storage::memory::{Disk, Mishap};

impl World {
    /// Something befalls the disk of a member that is down, unless nobody could tell that it has forgotten.
    pub(super) fn befall(&mut self, node: usize, mishap: Mishap) {
        let member = self.nodes[node].member;
        let Some(whole) = &self.nodes[node].disk else { return };
        let mut disk = whole.clone();
        let what = name(&mishap);
        disk.befall(mishap, &mut self.chance);
        let is_behind = disk.condition() == Condition::Whole && disk.ordinal() < whole.ordinal();
        // A copy from a time when it was the only member asks nobody, so nobody could tell it.
        let asks = || !disk.configuration().is_some_and(|known| known.is_quorum(MemberSet::of(member)));
        if is_behind && !(asks() && self.is_told_by_all(node, &disk) && self.is_budget_kept(node)) {
            return;
        }
        self.say(Who::Member(member.number()), "mishap", format_args!("{what}"));
        self.counts.one(match disk.condition() {
            Condition::Whole if is_behind => Count::OlderStore,
            Condition::Whole => Count::Unhurt,
            Condition::Hollow { .. } => Count::HollowStore,
            Condition::Forgetful => Count::ForgetfulStore,
        });
        if disk.has_forgotten() {
            self.nodes[node].forgotten.get_or_insert(disk.store());
            self.nodes[node].is_behind |= is_behind;
            self.nodes[node].disk_since = self.now;
            disk.forgive();
            self.forgets(node);
        }
        self.nodes[node].disk = Some(disk);
    }

    /// A member that is down gets a new disk, with nothing on it.
    pub(super) fn replace_disk(&mut self, node: usize) {
        let member = self.nodes[node].member;
        self.say(Who::Member(member.number()), "new disk", format_args!(""));
        let store = StoreId(self.chance.bytes16());
        if let Some(old) = self.nodes[node].disk.replace(Disk::create(store)) {
            self.nodes[node].forgotten.get_or_insert(old.store());
        }
        self.nodes[node].copy = None;
        self.nodes[node].disk_since = self.now;
        self.counts.one(Count::NewDisk);
        self.forgets(node);
    }

    /// What it had promised was promised by a store that is gone.
    fn forgets(&mut self, node: usize) {
        self.checks.promised[node] = ftq_core::ids::Ballot::default();
    }

    /// Whether a member may forget something.
    pub(super) fn may_forget(&self, node: usize) -> bool {
        // A store that does not know that it is older is told by others, and they must not forget that.
        let witnesses_needed = || self.nodes.iter().any(|node| node.is_behind);
        self.is_budget_kept(node) || (self.beyond && self.is_founded() && !witnesses_needed())
    }

    /// The first view needs all members, with stores that never belonged to a cluster (RULES S12).
    fn is_founded(&self) -> bool {
        !self.configuration().is_founding()
    }

    /// Whether a member may lose all it has: some other one has a store that was in use. Replicas that are all new
    /// are a new cluster, and nobody can tell that they should be another one.
    pub(super) fn may_be_blank(&self, node: usize) -> bool {
        let is_used = |other: &usize| *other != node && !self.nodes[*other].durable().log_view().is_none();
        self.founding.iter().map(|member| usize::from(member.number()) - 1).any(|other| is_used(&other))
    }

    /// Whether those who have forgotten nothing are a quorum of every configuration that may be in force.
    pub(crate) fn has_quorum(&self) -> bool {
        let possible = || self.checks.durability.electorates().possible();
        possible().all(|next| self.is_within_budget(next, MemberSet::EMPTY))
            && self.under_way().all(|next| self.is_within_budget(&next, MemberSet::EMPTY))
    }

    /// Whether a member may forget something and leave the budget as it should be.
    pub(super) fn is_budget_kept(&self, node: usize) -> bool {
        let gone = MemberSet::of(self.nodes[node].member);
        let is_founded = self.is_founded();
        let possible = || self.checks.durability.electorates().possible();
        is_founded
            && possible().all(|next| self.is_within_budget(next, gone))
            && self.under_way().all(|next| self.is_within_budget(&next, gone))
    }

    /// What changes that were ordered, and have not ended, could make of the cluster.
    fn under_way(&self) -> impl Iterator<Item = Configuration> + '_ {
        let current = self.configuration();
        let open = self.ordered.iter().filter(|(id, _)| !self.changes.iter().any(|(ended, _)| ended == id));
        open.filter_map(|(_, change)| change.apply(current, |_| Ok(StoreId::default())).ok())
    }

    /// Whether those who have forgotten nothing, without `gone`, are a quorum of a configuration.
    pub(super) fn is_within_budget(&self, configuration: &Configuration, gone: MemberSet) -> bool {
        let good = configuration.set().iter().filter(|member| !gone.contains(*member) && !self.has_forgotten(*member));
        configuration.is_quorum(good.collect())
    }

    fn has_forgotten(&self, member: MemberId) -> bool {
        self.nodes[usize::from(member.number()) - 1].forgotten.is_some()
    }

    /// Whether all other members have written down that this member's store has once shown more than a disk does.
    pub(super) fn is_told_by_all(&self, node: usize, disk: &Disk) -> bool {
        let member = self.nodes[node].member;
        let others = || self.nodes.iter().filter(|other| other.member != member && other.forgotten.is_none());
        let knows = |other: &Disk| {
            other.heard().iter().any(|heard| heard.store == disk.store() && heard.mark.ordinal > disk.ordinal())
        };
        others().all(|other| knows(other.durable()))
    }

    /// Sees who of those that had forgotten something is a full member again.
    pub(super) fn see_who_is_back(&mut self, node: usize) {
        let Some(forgotten) = self.nodes[node].forgotten else { return };
        let (member, disk) = (self.nodes[node].member, self.nodes[node].durable());
        let seated = self.configuration().seats(member, disk.store());
        let active = self.nodes[node].running.as_ref().is_some_and(|running| running.replica.group().is_active());
        if !seated || !active || disk.condition() != Condition::Whole {
            return;
        }
        if disk.store() != forgotten {
            self.counts.one(Count::Readmitted);
            self.nodes[node].forgotten = None;
            self.nodes[node].is_behind = false;
        } else if !self.nodes[node].is_behind {
            self.counts.one(Count::Rebuilt);
            self.nodes[node].forgotten = None;
        }
    }
}

fn name(mishap: &Mishap) -> &'static str {
    match mishap {
        Mishap::Rot => "a bit rots",
        Mishap::TailLost => "the last group is lost",
        Mishap::JournalLost => "the journal is lost",
        Mishap::ArchiveLost => "the archive is lost",
        Mishap::IdentityLost => "the identity is lost",
        Mishap::PutBack(_) => "an older copy is put back",
        Mishap::ArchivePutBack(_) => "an older archive is put back",
        Mishap::JournalPutBack(_) => "an older journal is put back",
    }
}
