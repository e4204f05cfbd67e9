//! When a view should change: who is missed, who could come in, whose blame it is that nothing moves.

use crate::ids::{MemberId, MemberSet};
use crate::replica::{Cause, Order};
use crate::time::{Span, Time};

use super::detector::Peer;
use super::{Group, clique};

/// Somebody is to blame when nothing moves for so many times as long as silence is borne.
const STALL: u64 = 3;

/// A reason for a view change, and the members to propose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Warrant {
    pub(super) missing: MemberSet,
    pub(super) proposed: MemberSet,
    pub(super) slow: MemberSet,
}

impl Group {
    /// Whether a view change is called for, as far as this replica can see.
    pub(super) fn warrant(&self, now: Time) -> Option<Warrant> {
        let me = self.options.me;
        if self.is_retiring() || !self.votes() || !self.is_whole() || self.job_age(now) > self.options.timing.failure {
            return None;
        }
        let configured = self.admitted(now, self.log.electorate());
        if !self.active {
            if self.hears_live_view(now) {
                return None;
            }
            let proposed = self.best_set(now, configured, MemberSet::EMPTY)?;
            return Some(Warrant { missing: MemberSet::EMPTY, proposed, slow: MemberSet::EMPTY });
        }
        let current = self.view().set();
        let missing = self.missing(now, self.options.timing.failure);
        let strangers = configured.minus(current).iter().filter(|m| self.may_join(now, *m)).collect();
        let rebooted = missing.iter().filter(|m| self.may_join(now, *m) && self.has_rebooted(*m)).collect();
        let candidates = current.minus(missing).union(strangers).union(rebooted).with(me);
        // Without a quorum of others even who is missed, but heard, has to do, or who was dropped lately.
        let strangers_near = configured.minus(current).iter().filter(|m| self.is_near(now, *m)).collect();
        let proposed = self
            .best_set(now, candidates, current)
            .or_else(|| self.best_set(now, candidates.union(missing).union(strangers_near), current))?;
        let better = proposed.len() > current.len();
        // Behind a change of the cluster only a view of both quorums can go on (RULES S5).
        if better || !missing.is_empty() || self.view_is_over() {
            return Some(Warrant { missing, proposed, slow: MemberSet::EMPTY });
        }
        let slow = self.agreed_slow(now);
        (self.ring_without(current, slow) != self.ring()).then_some(Warrant { missing, proposed: current, slow })
    }

    /// What a person would name as the reason.
    pub(super) fn cause(&self, warrant: &Warrant) -> Cause {
        let Warrant { missing, proposed, slow } = *warrant;
        let retired = missing.iter().all(|m| self.detector.peer(m).is_some_and(Peer::is_retiring));
        let joined = proposed.minus(self.view().set());
        match () {
            () if self.view().ballot.is_none() => Cause::First,
            () if !self.active => Cause::Outside,
            () if self.view_is_over() => Cause::Changed,
            () if !missing.is_empty() && retired => Cause::Retired(missing),
            () if !missing.is_empty() => Cause::Missing(missing),
            () if !joined.is_empty() => Cause::Joined(joined),
            () => Cause::Slow(slow),
        }
    }

    /// Whose turns this replica finds slow.
    pub(super) fn slow(&self, now: Time) -> MemberSet {
        if self.active { self.turns.slow(now, self.options.me, self.ring()) } else { MemberSet::EMPTY }
    }

    /// Whether this replica sees it the same way that `slow` should be off the ring, and nobody else.
    pub(super) fn agrees_on_slow(&self, now: Time, slow: MemberSet) -> bool {
        let wanted = self.ring_without(self.view().set(), slow);
        let mine = self.slow(now);
        let (leaves, returns) = (self.ring().minus(wanted), wanted.minus(self.ring()));
        wanted != self.ring() && mine.contains_all(leaves) && mine.intersection(returns).is_empty()
    }

    /// Who takes turns among `members` when `slow` should not: never nobody.
    pub(super) fn ring_without(&self, members: MemberSet, slow: MemberSet) -> MemberSet {
        let quick = members.minus(slow);
        let able = if quick.is_empty() { members } else { quick };
        match self.options.order {
            Order::Rotating => able,
            Order::Fixed => able.lowest().map_or(able, MemberSet::of),
        }
    }

    fn ring(&self) -> MemberSet {
        self.view().ring.iter().copied().collect()
    }

    /// Whose turns most of the members find slow.
    fn agreed_slow(&self, now: Time) -> MemberSet {
        let members = self.view().set();
        let me = self.options.me;
        let says = |m: MemberId| {
            if m == me { self.slow(now) } else { self.detector.fresh(now, m).map_or(MemberSet::EMPTY, |h| h.slow) }
        };
        let most = |slow: &MemberId| members.iter().filter(|m| says(*m).contains(*slow)).count() * 2 > members.len();
        members.iter().filter(most).collect()
    }

    /// The members of the present view that this replica can't work with; silent for at least `patience`.
    pub(super) fn missing(&self, now: Time, patience: Span) -> MemberSet {
        let me = self.options.me;
        let timing = &self.options.timing;
        let mut missing = MemberSet::EMPTY;
        for participant in self.view().members.iter().filter(|p| p.member != me) {
            let member = participant.member;
            let gone = !self.log.electorate().admits(member, participant.store)
                || !self.detector.hears_within(now, member, patience)
                || self.has_rebooted(member)
                || self.detector.is_impaired(now, member)
                || self.detector.inactive_for(now, member) > timing.inactive()
                || self.detector.stuck_for(now, member) > patience.times(STALL);
            if gone {
                missing.insert(member);
            }
        }
        if !self.opened && now.since(self.installed_at) > opening_within(patience) {
            missing = missing.union(self.view().set().minus(self.ordering.installed));
        }
        missing.union(self.to_blame(now, patience)).without(me)
    }

    /// Whether `member` runs with another boot than its view names: it has left that view (RULES S1).
    pub(super) fn has_rebooted(&self, member: MemberId) -> bool {
        let boot = self.detector.peer(member).and_then(|peer| peer.boot);
        self.view().participant(member).is_some_and(|p| boot.is_some_and(|boot| boot != p.boot))
    }

    /// Whether something waits for ordering: a request, a deadline (RULES L13), a commit.
    pub(super) fn is_owed_progress(&self, now: Time) -> bool {
        let to_order = self.ordering.has_work() || self.alarm_is_due(now) || self.seal_due().is_some();
        (to_order && !self.view_is_over()) || self.log.end() > self.log.committed()
    }

    /// Whose fault it is that requests wait and no slot comes: not simply the silent sequencer, but
    /// whomever it waits for (RULES L3).
    fn to_blame(&self, now: Time, patience: Span) -> MemberSet {
        let allowed = patience.times(STALL);
        if !self.opened || !self.is_owed_progress(now) || now.since(self.progress_at) < allowed {
            return MemberSet::EMPTY;
        }
        let me = self.options.me;
        let lacks = self.ordering.lacks(self.log.end());
        if !lacks.is_empty() {
            return lacks.without(me);
        }
        let uncommitted = self.log.end().0 - self.log.committed().0;
        if uncommitted > 0 && (!self.ordering.has_work() || uncommitted >= super::slots::PIPELINE_SLOTS) {
            // Nothing is committed: whoever is not durable yet holds it up.
            let end = self.log.end();
            return self
                .view()
                .set()
                .iter()
                .filter(|m| self.ordering.mark_of(*m) < end)
                .collect::<MemberSet>()
                .without(me);
        }
        let Some(sequencer) = self.view().sequencer(self.log.end().next()).filter(|m| *m != me) else {
            return MemberSet::EMPTY;
        };
        let named = self.detector.fresh(now, sequencer).map_or(MemberSet::EMPTY, |h| h.waits_for).without(sequencer);
        if named.is_empty() { MemberSet::of(sequencer) } else { named.without(me) }
    }

    /// Whether `member`, outside the view or rebooted, could come in: it is near enough to the end of the
    /// log (RULES L6) and has been well for long enough (RULES L4).
    pub(super) fn may_join(&self, now: Time, member: MemberId) -> bool {
        self.detector.is_steady(now, member) && self.is_near(now, member)
    }

    pub(super) fn is_near(&self, now: Time, member: MemberId) -> bool {
        let near = |committed: u64| committed.saturating_add(super::change::JOIN_SLOTS) >= self.log.committed().0;
        self.detector.fresh(now, member).is_some_and(|h| h.whole && near(h.committed.0))
    }

    /// Whether somebody who is heard takes part in a later view that can commit, so that it is theirs to
    /// take this replica in. A view that this replica was in itself needs it, and can't go on.
    pub(super) fn hears_live_view(&self, now: Time) -> bool {
        self.detector.peers().any(|(member, _)| {
            self.detector.fresh(now, member).is_some_and(|h| {
                h.active
                    && h.open
                    && h.view > self.view().ballot
                    && self.detector.hears(now, member)
                    && self.log.electorate().is_quorum(h.hears.with(member))
            })
        })
    }

    /// The best set of members to propose: the largest in which everyone hears everyone.
    fn best_set(&self, now: Time, candidates: MemberSet, keep: MemberSet) -> Option<MemberSet> {
        let me = self.options.me;
        let electorate = self.log.electorate();
        let whole = |m: MemberId| self.detector.fresh(now, m).is_some_and(|heartbeat| heartbeat.whole);
        let fit = |m: &MemberId| *m == me || (self.detector.is_fit(now, *m) && whole(*m));
        let candidates = candidates.intersection(self.admitted(now, electorate)).iter().filter(fit).collect();
        let hears = |m: MemberId| self.hears_of(now, m);
        clique::largest(me, candidates, keep, hears, |set| electorate.may_form_view(set))
    }

    /// Whom `member` hears, by what it said last.
    pub(super) fn hears_of(&self, now: Time, member: MemberId) -> MemberSet {
        if member == self.options.me {
            self.detector.heard(now)
        } else {
            self.detector.fresh(now, member).map_or(MemberSet::EMPTY, |heartbeat| heartbeat.hears)
        }
    }
}

/// Within this all members say that they have installed: their promises are there, so it takes them a sync and
/// what they lack of the log.
fn opening_within(patience: Span) -> Span {
    patience.times(3).part(2)
}
