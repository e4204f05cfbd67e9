//! The cluster changes: replicas that join, leave, take another's place, get a new disk.

use super::queue::Happening;
use super::script::index;
use super::{World, member};
use crate::checkers::Invariant;
use crate::counts::Count;
use crate::node::Node;
use crate::trace::Who;
use ftq_core::group::admission::ClusterChange;
use ftq_core::ids::{ClusterId, MemberId, MemberSet, Slot, StoreId};
use ftq_core::machine::Machine;
use ftq_core::machine::queues::Rules;
use ftq_core::replica::{ChangeId, ChangeOutcome, Event, Input, Survivor};
use ftq_core::time::{Span, Time};
use ftq_storage::memory::{Disk, Faults, Memory, Mishap};

/// After so long with a disk everyone knows a replica by its new store: a change that names the old one may
/// leave a view that nobody can complete.
const DISK_KNOWN: Span = Span::secs(1);

/// In each span of this the cluster changes, where that is wanted; it is tried again after a while.
const RESHAPED: Span = Span::secs(60);
const RESHAPE_AGAIN: Span = Span::secs(3);

/// How long a change may take.
const CHANGE_WITHIN: Span = Span::secs(5);

/// How a scenario changes the cluster.
impl World {
    /// A spare replica starts, and knows one member.
    pub fn enlist(&mut self, id: u8, contact: u8) {
        self.nodes[index(id)].contact = Some(member(index(contact)));
        self.nodes[index(id)].enlisted = true;
        self.start_node(index(id));
    }

    /// A member is stopped, and started again with the newest build.
    pub fn upgrade(&mut self, id: u8) {
        self.crash(id);
        self.set_build(id, Rules::NEWEST);
        self.start(id);
    }

    /// This build is started at a member from now on.
    pub fn set_build(&mut self, id: u8, build: Rules) {
        self.nodes[index(id)].build = build;
    }

    /// The version of the queues' rules that a member goes by.
    pub fn rules(&self, id: u8) -> Option<u64> {
        self.running(id).map(|running| running.replica.machine().machine().rules())
    }

    /// An operator orders a change at a member. It ends within five seconds, one way or the other.
    pub fn order_change(&mut self, at: u8, change: ClusterChange) -> ChangeId {
        self.last_change += 1;
        let id = ChangeId(self.last_change);
        self.counts.one(Count::ChangeOrdered);
        self.ordered.push((id, change));
        self.say(Who::Member(at), "ordered", format_args!("{change:?}"));
        self.deliver(index(at), Input::Change { id, change, wait: CHANGE_WITHIN });
        id
    }

    /// How a change has ended.
    pub fn change_outcome(&self, id: ChangeId) -> Option<ChangeOutcome> {
        self.changes.iter().find(|(known, _)| *known == id).map(|(_, outcome)| *outcome)
    }

    /// Orders a change at a member and lets time pass until it is done.
    ///
    /// # Panics
    /// If it ends otherwise.
    pub fn change(&mut self, at: u8, change: ClusterChange) -> Span {
        let id = self.order_change(at, change);
        let took = self.run_until(CHANGE_WITHIN, |world| world.change_outcome(id).is_some());
        let outcome = self.change_outcome(id);
        assert!(matches!(outcome, Some(ChangeOutcome::Done { .. })), "{change:?} ended as {outcome:?}");
        took.unwrap_or_default()
    }

    /// A member that is down gets a new disk.
    pub fn new_disk(&mut self, id: u8) {
        self.replace_disk(index(id));
    }

    /// Something befalls the disk of a member that is down.
    pub fn mishap(&mut self, id: u8, mishap: Mishap) {
        self.befall(index(id), mishap);
    }

    /// A copy of a member's disk as it is now, to be put back later.
    pub fn copy_disk(&mut self, id: u8) {
        self.nodes[index(id)].copy = Some(self.nodes[index(id)].durable().clone());
    }

    /// The copy of the disk of a member that is down is put back.
    pub fn put_back(&mut self, id: u8) {
        if let Some(copy) = self.nodes[index(id)].copy.take() {
            self.befall(index(id), Mishap::PutBack(Box::new(copy)));
        }
    }

    /// The operator orders a member that is down to go on alone: another cluster begins with all that its store holds.
    /// Gives the last slot of that.
    ///
    /// # Panics
    /// If nothing can go on from its store.
    pub fn go_on_alone(&mut self, id: u8) -> Slot {
        let node = index(id);
        let member = self.nodes[node].member;
        let disk = self.nodes[node].disk.clone().expect("it is down");
        let (memory, opened) = Memory::open(disk, self.now, Faults::default(), self.chance.draw());
        let mut applied = Vec::new();
        let machine = self.nodes[node].machine();
        let survivor = Survivor::of(self.cluster, None, opened, machine, |event| {
            if matches!(event, Event::Applied { .. }) {
                applied.push(event.clone());
            }
        });
        let survivor = survivor.unwrap_or_else(|why| panic!("member {id} can't go on alone: {why:?}"));
        let store = StoreId(self.chance.bytes16());
        let (promise, snapshot) = survivor.begin(store);
        let (end, configuration) = (snapshot.slot, snapshot.configuration.clone());
        self.say(Who::Member(member.number()), "alone", format_args!("from slot {end} on, {configuration:?}"));
        let ordered = self.checks.durability.ordered(memory.disk(), configuration);
        self.check(ordered);
        applied.iter().for_each(|event| self.observe(node, event));
        self.checks.snapshots.taken(member, store, &snapshot);
        self.nodes[node].disk = Some(Disk::begin(store, promise, snapshot));
        self.checks.promised[node] = promise;
        // Whoever starts from now on is of this one.
        self.cluster = ClusterId(self.chance.bytes16());
        self.checks.sequencing.begin(self.cluster);
        end
    }

    /// Whether a member's store has forgotten something, and the cluster counts on it no more.
    pub fn is_forgotten(&self, id: u8) -> bool {
        self.nodes[index(id)].forgotten.is_some()
    }

    pub(super) fn changed(&mut self, node: usize, id: ChangeId, outcome: ChangeOutcome) {
        self.say(Who::Member(self.nodes[node].member.number()), "changed", format_args!("{id:?}: {outcome:?}"));
        match outcome {
            ChangeOutcome::Done { .. } => {
                let change = self.ordered.iter().find(|(known, _)| *known == id).map(|(_, change)| *change);
                self.counts.one(match change {
                    Some(ClusterChange::Remove(_)) => Count::Removed,
                    Some(ClusterChange::Replace { .. }) => Count::Replaced,
                    Some(ClusterChange::Add(_)) | None => Count::Added,
                });
            }
            ChangeOutcome::Unfit(_) | ChangeOutcome::Overtaken => self.counts.one(Count::ChangeUnfit),
            ChangeOutcome::Unknown => self.counts.one(Count::ChangeUnknown),
        }
        self.changes.push((id, outcome));
    }
}

/// How chance changes it.
impl World {
    /// Orders some change that leaves the fault budget as it should be.
    pub(super) fn change_by_chance(&mut self) {
        let members = self.configuration().set();
        let Some(at) = self.some(members, |node| node.running.is_some()) else { return };
        let now = self.now;
        let known = |node: &Node| node.running.is_some() && now.since(node.disk_since) > DISK_KNOWN;
        let spare = self.some(self.outsiders(), known);
        let leaves = self.some(members, |_| true);
        let room = members.len() < self.members_max;
        let change = match (self.chance.below(3), spare, leaves) {
            (0, Some(new), Some(old)) => ClusterChange::Replace { old, new },
            (1, _, Some(old)) if members.len() > self.members_min => ClusterChange::Remove(old),
            (_, Some(new), _) if room => ClusterChange::Add(new),
            _ => return self.enlist_by_chance(),
        };
        let Ok(next) = change.apply(self.configuration(), |_| Ok(StoreId([0; 16]))) else { return };
        if self.is_within_budget(&next, MemberSet::EMPTY) {
            self.order_change(at.number(), change);
        }
    }

    /// Sees to it that the cluster changes in each minute, whatever the faults.
    pub(super) fn reshape(&mut self) {
        if self.mix.is_none() {
            return;
        }
        let made = [Count::Added, Count::Removed, Count::Replaced].map(|count| self.counts.of(count));
        let made: u64 = made.iter().sum();
        let (minutes, before) = self.reshaped;
        let end = Time(RESHAPED.0 * (minutes + 1));
        let again = self.now + RESHAPE_AGAIN;
        let at = if self.now >= end {
            if made == before {
                self.fail(Invariant::Progress, format!("no change of the cluster was made in minute {minutes}"));
            }
            self.reshaped = (minutes + 1, made);
            again
        } else if made > before {
            end
        } else {
            self.change_by_chance();
            again.min(end)
        };
        self.queue.push(at, Happening::Reshape);
    }

    /// A replica that is in no cluster starts, with a new disk, and knows some member.
    pub(super) fn enlist_by_chance(&mut self) {
        let Some(new) = self.some(self.outsiders(), |node| node.running.is_none()) else { return };
        let Some(contact) = self.some(self.configuration().set(), |_| true) else { return };
        let node = index(new.number());
        if !self.nodes[node].enlisted {
            self.replace_disk(node);
            self.nodes[node].forgotten = None;
        }
        self.enlist(new.number(), contact.number());
    }

    /// Everyone who is neither in the cluster nor may be in it soon.
    fn outsiders(&self) -> MemberSet {
        let inside = self.checks.durability.electorates().possible();
        let inside = inside.fold(MemberSet::EMPTY, |set, configuration| set.union(configuration.set()));
        self.nodes.iter().map(|node| node.member).filter(|member| !inside.contains(*member)).collect()
    }

    fn some(&mut self, of: MemberSet, fits: impl Fn(&Node) -> bool) -> Option<MemberId> {
        let fit: Vec<MemberId> = of.iter().filter(|member| fits(&self.nodes[index(member.number())])).collect();
        (!fit.is_empty()).then(|| fit[crate::faults::index(&mut self.chance, fit.len())])
    }
}
