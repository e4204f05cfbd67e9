//! What is there: what a scenario asserts on, by what the disks hold and what the replicas have applied.

use super::script::index;
use super::{Checks, World};
use crate::checkers::Violation;
use crate::counts::{Count, Counts};
use crate::node::Running;
use ftq_core::ids::{Ballot, ClusterId, Configuration, MemberSet, Slot};
use ftq_core::replica::Succession;
use ftq_core::time::Time;
use ftq_storage::memory::Disk;

/// What is there.
impl World {
    /// Virtual time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The cluster.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// What has happened.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The first invariant that did not hold.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// How many views a quorum began to order in, the first one included.
    pub fn view_changes(&self) -> u64 {
        self.counts.of(Count::ViewChange)
    }

    /// The last slot that is committed, by what the disks hold.
    pub fn committed(&self) -> Slot {
        self.checks.durability.end()
    }

    /// What a member's disk holds durably.
    pub fn disk(&self, id: u8) -> &Disk {
        self.nodes[index(id)].durable()
    }

    /// A member's log view, and who takes part in it, by what its disk holds.
    pub fn view(&self, id: u8) -> (Ballot, MemberSet) {
        let view = self.disk(id).view();
        (view.ballot, view.set())
    }

    /// How a member that was told to stop has ended.
    pub fn retired(&self, id: u8) -> Option<Succession> {
        self.nodes[index(id)].retired
    }

    /// Whether a member has said that most others were told another order.
    pub fn is_disordered(&self, id: u8) -> bool {
        self.nodes[index(id)].is_disordered
    }

    /// The replica of a member, its store and its boot, while it runs.
    pub fn running(&self, id: u8) -> Option<&Running> {
        self.nodes[index(id)].running.as_deref()
    }

    /// The last slot that a member has applied since it started.
    pub fn applied(&self, id: u8) -> Slot {
        self.running(id).map_or(Slot(0), |running| running.replica.group().log().delivered())
    }

    /// The configuration in force, by what is committed on the disks.
    pub fn configuration(&self) -> &Configuration {
        self.checks.durability.electorates().current()
    }

    /// Whether all members take part in one and the same view.
    pub fn is_one_view_of_all(&self) -> bool {
        let members = self.configuration().set();
        let Some(first) = members.lowest() else { return false };
        let (ballot, set) = self.view(first.number());
        set == members && members.iter().all(|member| self.is_in(member.number(), ballot))
    }

    /// Whether a member takes part in this view.
    pub fn is_in(&self, id: u8, view: Ballot) -> bool {
        self.view(id).0 == view && self.running(id).is_some_and(|running| running.replica.group().is_active())
    }

    /// Who takes turns, by the view of a member.
    pub fn ring(&self, id: u8) -> MemberSet {
        self.disk(id).view().ring.iter().copied().collect()
    }

    /// How many commands were answered.
    pub fn answered(&self) -> u64 {
        self.counts.of(Count::Answered)
    }

    /// Who sequences the next slot, by the view and the log of a member that runs.
    pub fn next_sequencer(&self, id: u8) -> Option<u8> {
        let group = self.running(id)?.replica.group();
        group.view().sequencer(group.log().end().next()).map(|member| member.number())
    }

    /// Why all is not well: what is not answered, who does not agree. Nothing if all is well.
    pub fn disagreement(&self) -> Option<String> {
        let Checks { history, durability, witness, .. } = &self.checks;
        if history.open() > 0 {
            return Some(format!("{} calls are not answered", history.open()));
        }
        let newest = self.nodes.iter().map(|node| node.durable().view()).max_by_key(|view| view.ballot)?;
        let members = self.configuration().set();
        for node in self.nodes.iter().filter(|node| members.contains(node.member)) {
            let id = node.member;
            let Some(running) = &node.running else { return Some(format!("member {id} is down")) };
            let (group, log_view) = (running.replica.group(), node.durable().log_view());
            if newest.set().contains(id) && (log_view != newest.ballot || !group.is_active()) {
                return Some(format!("member {id} is in view {log_view:?}, not in {:?}", newest.ballot));
            }
            let delivered = group.log().delivered();
            if delivered != durability.end() || delivered != witness.end() {
                return Some(format!("member {id} has applied {delivered} of {}", durability.end()));
            }
            if witness.state(delivered).is_some_and(|state| state != running.replica.machine().digest()) {
                return Some(format!("member {id} is in another state"));
            }
        }
        None
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = u8> + use<> {
        1..=u8::try_from(self.nodes.len()).expect("a small cluster")
    }
}
