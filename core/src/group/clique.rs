//! The largest set in which everyone hears everyone.

use crate::ids::{MEMBERS_MAX, MemberId, MemberSet};
use alloc::vec::Vec;

/// The best set of `candidates` that holds `me`, satisfies `fits`, and in which everyone hears everyone:
/// the largest, then the one that keeps most of `keep`, then the one with the lowest ids.
pub fn largest(
    me: MemberId,
    candidates: MemberSet,
    keep: MemberSet,
    hears: impl Fn(MemberId) -> MemberSet,
    fits: impl Fn(MemberSet) -> bool,
) -> Option<MemberSet> {
    let others: Vec<MemberId> = candidates.without(me).iter().take(MEMBERS_MAX).collect();
    let rows: Vec<(MemberId, MemberSet)> = candidates.with(me).iter().map(|m| (m, hears(m).with(m))).collect();
    let mut best: Option<MemberSet> = None;
    // At most nine members: every subset can be looked at.
    for pick in 0..1u32 << others.len() {
        let chosen = others.iter().enumerate().filter(|(i, _)| pick & (1 << i) != 0).map(|(_, m)| *m);
        let set = chosen.collect::<MemberSet>().with(me);
        let whole = rows.iter().all(|(m, row)| !set.contains(*m) || row.contains_all(set));
        if !whole || !fits(set) {
            continue;
        }
        let rank = |s: MemberSet| (s.len(), s.intersection(keep).len(), core::cmp::Reverse(s.bits()));
        if best.is_none_or(|b| rank(set) > rank(b)) {
            best = Some(set);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn m(n: u8) -> MemberId {
        MemberId::new(n).unwrap()
    }

    fn set(ids: &[u8]) -> MemberSet {
        ids.iter().map(|n| m(*n)).collect()
    }

    /// Two pairs joined by member 3: both halves with the bridge are as large; the present one stays.
    #[test]
    fn a_bridge_keeps_the_view_that_it_is_in() {
        let hears = |who: MemberId| match who.number() {
            1 | 2 => set(&[1, 2, 3]),
            3 => set(&[1, 2, 3, 4, 5]),
            _ => set(&[3, 4, 5]),
        };
        let all = set(&[1, 2, 3, 4, 5]);
        assert_eq!(largest(m(3), all, set(&[3, 4, 5]), hears, |s| s.len() >= 3), Some(set(&[3, 4, 5])));
        assert_eq!(largest(m(3), all, set(&[1, 2, 3]), hears, |s| s.len() >= 3), Some(set(&[1, 2, 3])));
    }

    #[test]
    fn who_is_not_heard_is_not_in_it() {
        let hears = |who: MemberId| if who == m(2) { set(&[2]) } else { set(&[1, 2, 3]) };
        assert_eq!(largest(m(1), set(&[1, 2, 3]), MemberSet::EMPTY, hears, |_| true), Some(set(&[1, 3])));
    }
}
