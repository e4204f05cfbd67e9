//! The names of things: members, boots, stores, slots, ballots, views, and the quorum rule.

use alloc::vec::Vec;
use core::fmt;

/// The most members that a cluster may have.
pub const MEMBERS_MAX: usize = 9;

/// A replica's place in the cluster: a small integer from 1 to 63, chosen by the operator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(u8);

/// A set of members.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberSet(u64);

/// One run of a replica: random bytes drawn at each start.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(pub [u8; 16]);

/// One store: random bytes drawn when it was created.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub [u8; 16]);

/// One cluster: random bytes drawn when it was founded. It seeds every digest.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub [u8; 16]);

/// An index of the log: 1, 2, 3 …; 0 is "before the first".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u64);

/// A chained digest: it stands for everything from the first slot up to one slot.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub u128);

/// A bid to form a view. Totally ordered, never reused; the least one is "none yet".
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// Higher than any that the proposer had heard of.
    pub number: u64,
    /// Who proposes; `None` only in the ballot that means "none yet".
    pub proposer: Option<MemberId>,
    /// The proposer's store, so that a member with a new disk can't use its old ballots again.
    pub store: StoreId,
}

/// Who takes part in a view: a member with the store and the boot that it has in this view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Participant {
    /// The member.
    pub member: MemberId,
    /// Its store when the view was formed.
    pub store: StoreId,
    /// Its boot when the view was formed: a replica that boots has left its view.
    pub boot: BootId,
}

/// Who orders together, from one install to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The ballot that formed it.
    pub ballot: Ballot,
    /// Its members, by rising id.
    pub members: Vec<Participant>,
    /// The members that take turns as sequencer.
    pub ring: Vec<MemberId>,
}

/// One seat of the configured cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    /// The member that holds it.
    pub member: MemberId,
    /// The store that may vote for it; unknown until the first view.
    pub store: Option<StoreId>,
}

/// The configured cluster: what a quorum is counted against.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Configuration {
    /// Counts the configurations of this cluster; 0 until a first view has learned the stores.
    pub number: u64,
    /// The seats, by rising id.
    pub seats: Vec<Seat>,
}

impl MemberId {
    /// The member with this number; `None` unless it is 1 to 63.
    pub const fn new(id: u8) -> Option<MemberId> {
        if id >= 1 && id <= 63 { Some(MemberId(id)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl MemberSet {
    /// Nobody.
    pub const EMPTY: MemberSet = MemberSet(0);

    /// Just `member`.
    pub fn of(member: MemberId) -> MemberSet {
        MemberSet(1 << member.0)
    }

    /// The set with these bits, bit n for member n.
    pub fn from_bits(bits: u64) -> MemberSet {
        MemberSet(bits & !1)
    }

    /// Its bits, bit n for member n.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Adds one.
    pub fn insert(&mut self, member: MemberId) {
        self.0 |= 1 << member.0;
    }

    /// Takes one out.
    pub fn remove(&mut self, member: MemberId) {
        self.0 &= !(1 << member.0);
    }

    /// Whether it holds `member`.
    pub fn contains(self, member: MemberId) -> bool {
        self.0 & (1 << member.0) != 0
    }

    /// Whether every one of `other` is in it.
    pub fn contains_all(self, other: MemberSet) -> bool {
        other.0 & !self.0 == 0
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// This set and `other`.
    #[must_use]
    pub fn union(self, other: MemberSet) -> MemberSet {
        MemberSet(self.0 | other.0)
    }

    /// Who is in both.
    #[must_use]
    pub fn intersection(self, other: MemberSet) -> MemberSet {
        MemberSet(self.0 & other.0)
    }

    /// This set without `other`.
    #[must_use]
    pub fn minus(self, other: MemberSet) -> MemberSet {
        MemberSet(self.0 & !other.0)
    }

    /// This set with `member`.
    #[must_use]
    pub fn with(self, member: MemberId) -> MemberSet {
        MemberSet(self.0 | 1 << member.0)
    }

    /// This set without `member`.
    #[must_use]
    pub fn without(self, member: MemberId) -> MemberSet {
        MemberSet(self.0 & !(1 << member.0))
    }

    /// The lowest id in it.
    pub fn lowest(self) -> Option<MemberId> {
        self.iter().next()
    }

    /// The highest id in it.
    pub fn highest(self) -> Option<MemberId> {
        (!self.is_empty()).then(|| MemberId(63 - u8::try_from(self.0.leading_zeros()).unwrap_or(0)))
    }

    /// Its members, by rising id.
    pub fn iter(self) -> impl Iterator<Item = MemberId> + Clone {
        let mut bits = self.0;
        core::iter::from_fn(move || {
            let lowest = u8::try_from(bits.trailing_zeros()).unwrap_or(64);
            bits &= bits.wrapping_sub(1);
            MemberId::new(lowest)
        })
    }
}

impl FromIterator<MemberId> for MemberSet {
    fn from_iter<I: IntoIterator<Item = MemberId>>(members: I) -> MemberSet {
        members.into_iter().fold(MemberSet::EMPTY, MemberSet::with)
    }
}

impl Slot {
    /// The slot after this one.
    #[must_use]
    pub fn next(self) -> Slot {
        Slot(self.0 + 1)
    }

    /// The slot before this one; the one before the first has none.
    #[must_use]
    pub fn previous(self) -> Slot {
        Slot(self.0.saturating_sub(1))
    }
}

impl Ballot {
    /// Whether this stands for "no ballot yet".
    pub fn is_none(&self) -> bool {
        self.proposer.is_none()
    }
}

impl View {
    /// The members, as a set.
    pub fn set(&self) -> MemberSet {
        self.members.iter().map(|p| p.member).collect()
    }

    /// The participant that `member` is in this view.
    pub fn participant(&self, member: MemberId) -> Option<&Participant> {
        self.members.iter().find(|p| p.member == member)
    }

    /// Whose turn slot `k` is; nobody's in a view without a ring.
    pub fn sequencer(&self, k: Slot) -> Option<MemberId> {
        let turns = self.ring.len() as u64;
        if turns == 0 {
            return None;
        }
        usize::try_from(k.0 % turns).ok().and_then(|turn| self.ring.get(turn)).copied()
    }
}

impl Configuration {
    /// A cluster of these members whose stores nobody knows yet.
    pub fn founding(members: MemberSet) -> Configuration {
        Configuration { number: 0, seats: members.iter().map(|member| Seat { member, store: None }).collect() }
    }

    /// The members, as a set.
    pub fn set(&self) -> MemberSet {
        self.seats.iter().map(|s| s.member).collect()
    }

    /// Whether this is a cluster that no view has formed yet.
    pub fn is_founding(&self) -> bool {
        self.number == 0
    }

    /// Whether `store` may vote for `member`. Before the first view every store may.
    pub fn seats(&self, member: MemberId, store: StoreId) -> bool {
        self.seats.iter().any(|s| s.member == member && s.store.is_none_or(|known| known == store))
    }

    /// Whether `set` is a quorum: a majority of the cluster, or, at an exact half, the half that
    /// holds the highest id. Any two quorums meet.
    pub fn is_quorum(&self, set: MemberSet) -> bool {
        let all = self.set();
        let have = set.intersection(all);
        match (have.len() * 2).cmp(&all.len()) {
            core::cmp::Ordering::Greater => true,
            core::cmp::Ordering::Equal => all.highest().is_some_and(|m| have.contains(m)),
            core::cmp::Ordering::Less => false,
        }
    }

    /// Whether `set` is enough for a new view: a quorum; for the first view, which settles whose stores may
    /// vote, the whole cluster.
    pub fn may_form_view(&self, set: MemberSet) -> bool {
        if self.is_founding() { set.contains_all(self.set()) } else { self.is_quorum(set) }
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for MemberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for MemberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, member) in self.iter().enumerate() {
            write!(f, "{}{member}", if position == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The first four bytes are enough for a person to tell two apart.
fn short(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes[..4].iter().try_for_each(|b| write!(f, "{b:02x}"))
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        short(&self.0, f)
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        short(&self.0, f)
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        short(&self.0, f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0 >> 96)
    }
}

impl fmt::Debug for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.proposer {
            None => write!(f, "-"),
            Some(proposer) => write!(f, "{}.{}", self.number, proposer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(bits: u64) -> MemberSet {
        MemberSet::from_bits(bits << 1)
    }

    /// The claim behind everything: any two quorums of one configuration share a member.
    #[test]
    fn any_two_quorums_meet() {
        for n in 1..=7u32 {
            let cluster = Configuration::founding(set((1 << n) - 1));
            for a in 0..1u64 << n {
                for b in 0..1u64 << n {
                    if cluster.is_quorum(set(a)) && cluster.is_quorum(set(b)) {
                        assert!(!set(a).intersection(set(b)).is_empty(), "{n}: {a:b} {b:b}");
                    }
                }
            }
        }
    }

    #[test]
    fn s19_an_exact_half_needs_the_highest_member() {
        let four = Configuration::founding(set(0b1111));
        assert!(four.is_quorum(set(0b1001)));
        assert!(!four.is_quorum(set(0b0111 & 0b0011)));
        let two = Configuration::founding(set(0b11));
        assert!(two.is_quorum(set(0b10)) && !two.is_quorum(set(0b01)));
    }
}
