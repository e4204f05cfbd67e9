//! What quorums are counted against: the configuration that the log has proven and, while a change of it
//! is under way, the one that the change proposes as well (RULES S5).
//!
//! ```text
//!   sealed ──a change ends the log──▶ sealed + proposed ──a view over it orders its seal──▶ sealed
//! ```
//!
//! Adjacent configurations may have quorums that do not meet: {1,2,3} has {2,3}, and {1,2,3,4} has {1,4}.
//! So as long as only the change itself is there, every quorum is one of both.

use crate::ids::{Configuration, MemberId, MemberSet, StoreId};

/// What quorums are counted against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Electorate {
    /// The configuration that the log has proven.
    pub sealed: Configuration,
    /// What the change at the end of the log would have instead.
    pub proposed: Option<Configuration>,
}

impl Electorate {
    /// This configuration, and no change of it under way.
    pub fn of(sealed: Configuration) -> Electorate {
        Electorate { sealed, proposed: None }
    }

    /// Whether it follows `other`, if both are what committed slots say.
    pub fn is_later_than(&self, other: &Electorate) -> bool {
        let place = |electorate: &Electorate| (electorate.sealed.number, electorate.proposed.is_some());
        place(self) > place(other)
    }

    /// Everyone in either configuration.
    pub fn set(&self) -> MemberSet {
        self.each().fold(MemberSet::EMPTY, |set, configuration| set.union(configuration.set()))
    }

    /// The configuration that a view over this log seals, or has sealed.
    pub fn successor(&self) -> &Configuration {
        self.proposed.as_ref().unwrap_or(&self.sealed)
    }

    /// Whether no view has formed yet.
    pub fn is_founding(&self) -> bool {
        self.sealed.is_founding()
    }

    /// Whether `member` with `store` may vote and take part in a view. Where both configurations have it,
    /// its store has to be that of both: who is re-admitted with another store has no part in it until
    /// that is sealed, so it is committed by a quorum without it (RULES S7).
    pub fn admits(&self, member: MemberId, store: StoreId) -> bool {
        let mut seated = self.each().filter(|configuration| configuration.set().contains(member)).peekable();
        seated.peek().is_some() && seated.all(|configuration| configuration.seats(member, store))
    }

    /// Whether `set`, all of whom are [admitted](Electorate::admits), is a quorum.
    pub fn is_quorum(&self, set: MemberSet) -> bool {
        self.each().all(|configuration| configuration.is_quorum(set))
    }

    /// Whether `set` is enough for a new view.
    pub fn may_form_view(&self, set: MemberSet) -> bool {
        self.each().all(|configuration| configuration.may_form_view(set))
    }

    fn each(&self) -> impl Iterator<Item = &Configuration> {
        core::iter::once(&self.sealed).chain(&self.proposed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Seat;
    use alloc::vec::Vec;

    fn m(n: u8) -> MemberId {
        MemberId::new(n).unwrap()
    }

    /// Members 1 to n, each with the store of its number.
    fn cluster(number: u64, members: impl Iterator<Item = u8>) -> Configuration {
        let seat = |n| Seat { member: m(n), store: Some(StoreId([n; 16])) };
        Configuration { number, seats: members.map(seat).collect() }
    }

    fn subsets(of: MemberSet) -> Vec<MemberSet> {
        let members: Vec<MemberId> = of.iter().collect();
        let chosen = |pick: u32| {
            let chosen = members.iter().enumerate().filter(move |(i, _)| pick & (1 << i) != 0);
            chosen.map(|(_, member)| *member).collect()
        };
        (0..1 << members.len()).map(chosen).collect()
    }

    /// While a change is under way each quorum meets each quorum of the old and of the new configuration;
    /// without that even one member more or less would part them.
    #[test]
    fn a_joint_quorum_meets_those_of_both_sides() {
        for n in 1..=6u8 {
            for (old, new) in [(n, n + 1), (n + 1, n)] {
                let old = cluster(1, 1..=old);
                let new = cluster(2, 1..=new);
                let joint = Electorate { sealed: old.clone(), proposed: Some(new.clone()) };
                for a in subsets(joint.set()).into_iter().filter(|set| joint.is_quorum(*set)) {
                    for b in subsets(joint.set()) {
                        let one_side = old.is_quorum(b) || new.is_quorum(b);
                        assert!(!one_side || !a.intersection(b).is_empty(), "{n}: {a:?} and {b:?}");
                    }
                }
            }
        }
        let (three, four) = (cluster(1, 1..=3), cluster(2, 1..=4));
        let parted = [[m(2), m(3)].into_iter().collect(), [m(1), m(4)].into_iter().collect()];
        assert!(three.is_quorum(parted[0]) && four.is_quorum(parted[1]));
    }

    /// A member is re-admitted with a new store: until that is sealed neither store of it takes part.
    #[test]
    fn who_is_readmitted_has_no_part_in_it() {
        let sealed = cluster(1, 1..=3);
        let mut proposed = Configuration { number: 2, ..sealed.clone() };
        proposed.seats[2].store = Some(StoreId([33; 16]));
        let joint = Electorate { sealed, proposed: Some(proposed.clone()) };
        assert!(joint.admits(m(1), StoreId([1; 16])) && joint.admits(m(2), StoreId([2; 16])));
        assert!(!joint.admits(m(3), StoreId([3; 16])) && !joint.admits(m(3), StoreId([33; 16])));
        assert!(Electorate::of(proposed).admits(m(3), StoreId([33; 16])));
    }

    /// Who comes and who goes have a part in it, each on its side.
    #[test]
    fn who_comes_and_who_goes_take_part() {
        let joint = Electorate { sealed: cluster(1, 1..=3), proposed: Some(cluster(2, [1, 2, 4].into_iter())) };
        for n in 1..=4 {
            assert!(joint.admits(m(n), StoreId([n; 16])));
        }
        assert!(!joint.admits(m(5), StoreId([5; 16])));
    }
}
