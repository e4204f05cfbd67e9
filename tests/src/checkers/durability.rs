//! What is committed, from the disks alone: a slot is committed once a quorum of the cluster has it
//! durable in one and the same log view.
//!
//! Always: the committed slots are a prefix of the log; what is committed in a view is in every log of a
//! higher one. Whoever installs a view over less, or over something else, has lost what a client may
//! have been told.

use super::electorates::Electorates;
use super::{Checked, Invariant, require};
use ftq_core::ids::{Ballot, Configuration, Digest, MemberId, MemberSet, Slot, StoreId};
use ftq_storage::memory::{Disk, Fact};
use std::collections::VecDeque;

/// How many committed slots are remembered with all claims about them: enough for members that are
/// slow with what the others have. What comes later is held against the committed digest alone.
const CLAIMS_KEPT: usize = 256;

/// A slot that is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The log view in which a quorum had it first.
    pub view: Ballot,
    /// The chained digest there.
    pub digest: Digest,
}

/// Who has what in a slot, in one log view.
#[derive(Clone, Debug)]
struct Claim {
    view: Ballot,
    digest: Digest,
    who: Vec<(MemberId, StoreId)>,
}

/// What a member's disk held when it was looked at last.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    log_view: Ballot,
    end: Slot,
}

/// What is durable where.
#[derive(Clone, Debug)]
pub struct Durability {
    electorates: Electorates,
    committed: Vec<Commit>,
    claims: VecDeque<Vec<Claim>>,
    /// The slot below the first one in `claims`.
    base: u64,
    shown: Vec<(MemberId, Shown)>,
}

impl Durability {
    /// Nothing is durable in this cluster yet, which begins with some of these members.
    pub fn new(founding: MemberSet, members: MemberSet) -> Durability {
        Durability {
            electorates: Electorates::new(founding),
            committed: Vec::new(),
            claims: VecDeque::new(),
            base: 0,
            shown: members.iter().map(|member| (member, Shown::default())).collect(),
        }
    }

    /// A slot has become durable in a store of `member`.
    pub fn durable(&mut self, member: MemberId, store: StoreId, fact: Fact) -> Checked {
        let Fact { view, slot, digest } = fact;
        if let Some(commit) = self.commit(slot) {
            require(view <= commit.view || digest == commit.digest, Invariant::CommittedKept, || {
                format!(
                    "slot {slot} was committed in view {:?}, member {member} has another in view {view:?}",
                    commit.view
                )
            })?;
        }
        if slot.0 <= self.base {
            return Ok(());
        }
        let index = index(slot.0 - self.base - 1);
        if self.claims.len() <= index {
            self.claims.resize(index + 1, Vec::new());
        }
        let claims = &mut self.claims[index];
        let at = claims.iter().position(|claim| claim.view == view).unwrap_or_else(|| {
            claims.push(Claim { view, digest, who: Vec::new() });
            claims.len() - 1
        });
        let claim = &mut claims[at];
        require(claim.digest == digest, Invariant::SameContent, || {
            format!("slot {slot} in log view {view:?}: member {member} has another than {:?}", claim.who)
        })?;
        if !claim.who.contains(&(member, store)) {
            claim.who.push((member, store));
        }
        if self.electorates.is_quorum(view, &claim.who) {
            match self.commit(slot) {
                Some(commit) => require(commit.digest == digest, Invariant::CommittedKept, || {
                    format!("slot {slot} is committed twice, in view {:?} and otherwise in {view:?}", commit.view)
                })?,
                None => self.extend(slot, view)?,
            }
        }
        Ok(())
    }

    /// A member's disk has changed: whatever its log view, it holds what lower views have committed.
    pub fn looked_at(&mut self, member: MemberId, disk: &Disk) -> Checked {
        let now = Shown { log_view: disk.log_view(), end: disk.end() };
        let Some((_, shown)) = self.shown.iter_mut().find(|(m, _)| *m == member) else { return Ok(()) };
        let moved = shown.log_view != now.log_view;
        *shown = now;
        if !moved {
            return Ok(());
        }
        let lower = self.committed.iter().rposition(|commit| commit.view < now.log_view);
        let must_reach = lower.map_or(0, |index| index as u64 + 1);
        require(now.end.0 >= must_reach, Invariant::CommittedKept, || {
            format!("member {member} installed view {:?} up to {}, {must_reach} was committed", now.log_view, now.end)
        })
    }

    /// By order of an operator another cluster begins with all that this disk holds: it counts as committed. It has to be
    /// all that was, or something is lost.
    pub(crate) fn ordered(&mut self, disk: &Disk, configuration: Configuration) -> Checked {
        let end = disk.end();
        let lost = self.end() > end
            || self
                .commit(self.end())
                .is_some_and(|last| disk.digest_at(self.end()).is_some_and(|digest| digest != last.digest));
        require(!lost, Invariant::CommittedKept, || format!("{} was committed, {end} is left", self.end()))?;
        for slot in self.end().0 + 1..=end.0 {
            let digest = disk.digest_at(Slot(slot)).expect("an accepted slot is there");
            self.committed.push(Commit { view: disk.log_view(), digest });
            self.electorates.committed(Slot(slot), digest);
        }
        let last = self.commit(end).expect("something is committed");
        self.electorates.ordered((end, last.digest), configuration);
        Ok(())
    }

    /// All up to `slot` is committed in `view`.
    fn extend(&mut self, slot: Slot, view: Ballot) -> Checked {
        for next in self.committed.len() as u64 + 1..=slot.0 {
            let claims = self.claims.get(index(next - self.base - 1)).map_or(&[][..], Vec::as_slice);
            let Some(claim) = claims.iter().find(|claim| claim.view == view) else {
                return Err((
                    Invariant::CommittedKept,
                    format!("slot {slot} is committed in {view:?}, and {next} is not"),
                ));
            };
            let other = claims.iter().find(|other| other.view > view && other.digest != claim.digest);
            require(other.is_none(), Invariant::CommittedKept, || {
                format!("slot {next} is committed in {view:?}, but replaced in a later view: {other:?}")
            })?;
            let digest = claim.digest;
            self.committed.push(Commit { view, digest });
            self.electorates.committed(Slot(next), digest);
        }
        for (member, shown) in &self.shown {
            require(shown.log_view <= view || shown.end >= slot, Invariant::CommittedKept, || {
                format!(
                    "slot {slot} is committed in {view:?}, but member {member} installed {:?} without it",
                    shown.log_view
                )
            })?;
        }
        while self.claims.len() > CLAIMS_KEPT && self.base + (CLAIMS_KEPT as u64) < self.committed.len() as u64 {
            self.claims.pop_front();
            self.base += 1;
        }
        Ok(())
    }

    /// How and with what a slot is committed; nothing if it is not.
    pub fn commit(&self, slot: Slot) -> Option<Commit> {
        self.committed.get(index(slot.0.checked_sub(1)?)).copied()
    }

    /// What is a quorum.
    pub fn electorates(&self) -> &Electorates {
        &self.electorates
    }

    /// What is a quorum, to be told what slots say.
    pub(crate) fn electorates_mut(&mut self) -> &mut Electorates {
        &mut self.electorates
    }

    /// The last committed slot.
    pub fn end(&self) -> Slot {
        Slot(self.committed.len() as u64)
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a log in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u8) -> MemberId {
        MemberId::new(n).expect("a member")
    }

    fn cluster() -> Durability {
        let members = (1..=3).filter_map(MemberId::new).collect();
        Durability::new(members, members)
    }

    fn view(number: u64) -> Ballot {
        Ballot { number, proposer: Some(member(1)), ..Ballot::default() }
    }

    fn fact(number: u64, slot: u64, digest: u128) -> Fact {
        Fact { view: view(number), slot: Slot(slot), digest: Digest(digest) }
    }

    fn broken(checked: Checked) -> Option<Invariant> {
        checked.err().map(|(invariant, _)| invariant)
    }

    #[test]
    fn a_quorum_in_one_view_commits() {
        let mut durability = cluster();
        durability.durable(member(1), StoreId([1; 16]), fact(1, 1, 10)).unwrap();
        durability.durable(member(2), StoreId([2; 16]), fact(2, 1, 10)).unwrap();
        assert_eq!(durability.end(), Slot(0));
        durability.durable(member(3), StoreId([3; 16]), fact(2, 1, 10)).unwrap();
        assert_eq!(durability.end(), Slot(1));
    }

    #[test]
    fn two_contents_in_one_log_view_are_seen() {
        let mut durability = cluster();
        durability.durable(member(1), StoreId([1; 16]), fact(1, 1, 10)).unwrap();
        assert_eq!(
            broken(durability.durable(member(2), StoreId([2; 16]), fact(1, 1, 11))),
            Some(Invariant::SameContent)
        );
    }

    #[test]
    fn a_later_view_that_replaces_what_is_committed_is_seen_whichever_comes_first() {
        let mut durability = cluster();
        durability.durable(member(1), StoreId([1; 16]), fact(1, 1, 10)).unwrap();
        durability.durable(member(2), StoreId([2; 16]), fact(1, 1, 10)).unwrap();
        assert_eq!(
            broken(durability.durable(member(3), StoreId([3; 16]), fact(2, 1, 11))),
            Some(Invariant::CommittedKept)
        );

        let mut durability = cluster();
        durability.durable(member(1), StoreId([1; 16]), fact(1, 1, 10)).unwrap();
        durability.durable(member(3), StoreId([3; 16]), fact(2, 1, 11)).unwrap();
        assert_eq!(
            broken(durability.durable(member(2), StoreId([2; 16]), fact(1, 1, 10))),
            Some(Invariant::CommittedKept)
        );
    }
}
