//! Who sequenced what, and what the slots hold that a replica hands to its store.
//!
//! Always, in a view: one slot is sequenced once, by `ring[k mod len]`, in the boot that the view names,
//! behind everything below it; a slot holds all requests that it orders, the numbers of each origin rise
//! without gaps, and the digest chains onto the slot before.

use super::electorates::Electorates;
use super::{Checked, Invariant, require};
use ftq_core::group::content;
use ftq_core::ids::{Ballot, BootId, ClusterId, Digest, MemberId, MemberSet, Slot, View};
use ftq_core::replica::Event;
use ftq_core::store::{Job, Opened, SlotRecord};
use ftq_storage::memory::Disk;
use std::collections::BTreeMap;

/// How many sequenced slots are remembered: many more than can be under way at once.
const SEQUENCED_KEPT: usize = 4_096;

/// How many views are remembered.
const VIEWS_KEPT: usize = 256;

/// Of how many slots it is remembered in which view they were sequenced.
const ORIGINS_KEPT: usize = 20_000;

/// One member's log as it has said and handed over.
#[derive(Clone, Debug, Default)]
struct Held {
    boot: BootId,
    /// The last slot that it said it has complete.
    end: Slot,
    /// The last slot that it handed over, if known, and the digest there.
    handed: Option<Slot>,
    handed_digest: Option<Digest>,
    /// The last slot that it caught up.
    caught: Option<(Slot, Digest)>,
    /// The view of the last install that it handed over.
    view: Ballot,
    /// The number that is next of each origin in that view.
    next: Vec<(MemberId, u64)>,
}

/// What was sequenced, by whom.
#[derive(Clone, Debug)]
pub struct Sequencing {
    cluster: ClusterId,
    held: Vec<(MemberId, Held)>,
    sequenced: BTreeMap<(Slot, Ballot), (MemberId, Digest)>,
    views: BTreeMap<Ballot, View>,
    /// In which view a slot with this digest was sequenced.
    origins: BTreeMap<(Slot, Digest), Ballot>,
}

impl Sequencing {
    /// Nothing has been sequenced.
    pub fn new(cluster: ClusterId, members: MemberSet) -> Sequencing {
        let held = members.iter().map(|member| (member, Held::default())).collect();
        Sequencing { cluster, held, sequenced: BTreeMap::new(), views: BTreeMap::new(), origins: BTreeMap::new() }
    }

    /// Another cluster has begun: its blank members start from there.
    pub(crate) fn begin(&mut self, cluster: ClusterId) {
        self.cluster = cluster;
    }

    /// A member has started on this disk.
    pub fn started(&mut self, member: MemberId, boot: BootId, opened: &Opened) {
        let last = opened.tail.last().or(opened.delivered.last()).map(|record| (record.slot, record.digest));
        let snapshot = opened.snapshot.as_ref().map(|snapshot| (snapshot.slot, snapshot.digest));
        let (end, digest) = last.or(snapshot).unwrap_or((Slot(0), content::genesis(self.cluster)));
        *self.held(member) = Held {
            boot,
            end,
            handed: Some(end),
            handed_digest: Some(digest),
            caught: None,
            view: opened.view.ballot,
            next: Vec::new(),
        };
    }

    /// A member says that something happened; `disk` is what is durable there.
    pub fn event(&mut self, member: MemberId, event: &Event, disk: &Disk) -> Checked {
        match event {
            Event::Sequenced { view, slot, digest, requests: _ } => self.sequenced(member, *view, *slot, *digest, disk),
            Event::Appended { view: _, slot, digest: _ } => {
                let held = self.held(member);
                let end = held.end;
                held.end = *slot;
                require(*slot == end.next(), Invariant::Conditions, || {
                    format!("member {member} completed slot {slot} right behind slot {end}")
                })
            }
            Event::Installed { end, .. } => {
                self.held(member).end = *end;
                Ok(())
            }
            Event::Restored { slot, .. } => {
                self.held(member).end = *slot;
                Ok(())
            }
            Event::CaughtUp { upto, .. } => {
                let held = self.held(member);
                held.end = *upto;
                Ok(())
            }
            Event::Applied { .. }
            | Event::Promised { .. }
            | Event::Suspects { .. }
            | Event::Opened { .. }
            | Event::Left { .. }
            | Event::Configured { .. }
            | Event::Removed { .. }
            | Event::Older
            | Event::Stranded
            | Event::Retires { .. }
            | Event::Disordered { .. }
            | Event::Retired { .. }
            | Event::Repeated
            | Event::NearlyFull(_)
            | Event::Refused { .. }
            | Event::Stopped { .. } => Ok(()),
        }
    }

    fn sequenced(&mut self, member: MemberId, view: Ballot, slot: Slot, digest: Digest, disk: &Disk) -> Checked {
        let held = self.held(member);
        let (boot, end) = (held.boot, held.end);
        require(slot == end.next(), Invariant::Conditions, || {
            format!("member {member} sequenced slot {slot}, and holds the log up to {end}")
        })?;
        let durable = disk.view();
        require(durable.ballot == view, Invariant::Sequencer, || {
            format!("member {member} sequenced slot {slot} in view {view:?}, its disk is in {:?}", durable.ballot)
        })?;
        require(durable.sequencer(slot) == Some(member), Invariant::Sequencer, || {
            format!("member {member} sequenced slot {slot}, ring {:?}", durable.ring)
        })?;
        let named = durable.participant(member).map(|participant| participant.boot);
        require(named == Some(boot), Invariant::Sequencer, || {
            format!("member {member} sequenced slot {slot} in boot {boot:?}, view {view:?} names {named:?}")
        })?;
        let before = self.sequenced.insert((slot, view), (member, digest));
        if self.sequenced.len() > SEQUENCED_KEPT {
            self.sequenced.pop_first();
        }
        require(before.is_none(), Invariant::SequencedOnce, || {
            format!("slot {slot} of view {view:?}, by member {member} and before by {before:?}")
        })
    }

    /// A member hands a job to its store.
    /// `kept` is the digest of the last slot that an install keeps.
    pub fn handed(
        &mut self,
        member: MemberId,
        job: &Job,
        kept: Option<Digest>,
        electorates: &mut Electorates,
    ) -> Checked {
        match job {
            Job::Append { slots, .. } => {
                for record in slots {
                    self.origins.insert((record.slot, record.digest), record.view);
                    let held = self.held(member);
                    if let (Some(slot), Some(digest)) = (held.handed, held.handed_digest) {
                        electorates.appended((slot, digest), record)?;
                    }
                    Sequencing::appended(member, self.held(member), record)?;
                }
                if self.origins.len() > ORIGINS_KEPT {
                    self.origins.pop_first();
                }
                Ok(())
            }
            Job::Install { view, configuration, keep, slots, .. } => {
                if self.views.len() >= VIEWS_KEPT {
                    self.views.pop_first();
                }
                self.views.insert(view.ballot, view.clone());
                let held = self.held(member);
                held.view = view.ballot;
                held.next.clear();
                if let Some(last) = slots.last() {
                    (held.handed, held.handed_digest) = (Some(last.slot), Some(last.digest));
                } else if held.handed != Some(*keep) {
                    let caught = held.caught.filter(|(slot, _)| slot == keep).map(|(_, digest)| digest);
                    (held.handed, held.handed_digest) = (Some(*keep), caught.or(kept));
                }
                match (held.handed, held.handed_digest) {
                    (Some(slot), Some(digest)) => electorates.installing(view, configuration, (slot, digest)),
                    (Some(_) | None, _) => Ok(()),
                }
            }
            Job::CatchUp { slots, .. } => {
                // Whether slots that it differs from lay above is for the install to say that follows.
                let held = self.held(member);
                held.caught = slots.last().map(|last| (last.slot, last.digest));
                (held.handed, held.handed_digest) = match slots.last() {
                    Some(last) if held.handed.is_some_and(|handed| handed <= last.slot) => {
                        (Some(last.slot), Some(last.digest))
                    }
                    Some(_) | None => (None, None),
                };
                Ok(())
            }
            Job::Adopt { snapshot, .. } => {
                let held = self.held(member);
                (held.handed, held.handed_digest) = (Some(snapshot.slot), Some(snapshot.digest));
                Ok(())
            }
            Job::Promise { .. }
            | Job::Electorate { .. }
            | Job::Deliver { .. }
            | Job::Snapshot { .. }
            | Job::Cut { .. }
            | Job::Heard { .. } => Ok(()),
        }
    }

    fn appended(member: MemberId, held: &mut Held, record: &SlotRecord) -> Checked {
        let SlotRecord { slot, view, clock, digest, content } = record;
        require(held.handed.is_none_or(|handed| *slot == handed.next()), Invariant::Conditions, || {
            format!("member {member} appends slot {slot} behind {:?}", held.handed)
        })?;
        require(*view == held.view, Invariant::SameContent, || {
            format!("member {member} appends slot {slot} of view {view:?} to a log of view {:?}", held.view)
        })?;
        if let Some(before) = held.handed_digest {
            require(content::chain(before, *slot, *view, *clock, content) == *digest, Invariant::SameContent, || {
                format!("slot {slot} at member {member} does not have the digest that it says")
            })?;
        }
        (held.handed, held.handed_digest) = (Some(*slot), Some(*digest));
        let Ok(requests) = content::requests(content) else {
            return Err((Invariant::Conditions, format!("slot {slot} at member {member} can't be read")));
        };
        for range in requests.ranges() {
            let at = held.next.iter().position(|(origin, _)| *origin == range.origin).unwrap_or_else(|| {
                held.next.push((range.origin, 1));
                held.next.len() - 1
            });
            let next = held.next[at].1;
            held.next[at].1 = range.from + range.count;
            require(range.from == next && range.count > 0, Invariant::OriginOrder, || {
                format!("slot {slot} at member {member} orders {range:?}, next was {next}")
            })?;
        }
        let count = requests.total();
        let bodies = requests.map(|_| 1).sum::<u64>();
        require(bodies == count, Invariant::Conditions, || {
            format!("slot {slot} at member {member} orders {count} requests and holds {bodies}")
        })
    }

    /// The boot of `member` in a view that somebody installed.
    pub fn boot_in(&self, view: Ballot, member: MemberId) -> Option<BootId> {
        self.views.get(&view)?.participant(member).map(|participant| participant.boot)
    }

    /// The view in which a slot with this digest was sequenced.
    pub fn view_of(&self, slot: Slot, digest: Digest) -> Option<Ballot> {
        self.origins.get(&(slot, digest)).copied()
    }

    fn held(&mut self, member: MemberId) -> &mut Held {
        let at = self.held.iter().position(|(m, _)| *m == member).expect("a member of the cluster");
        &mut self.held[at].1
    }
}
