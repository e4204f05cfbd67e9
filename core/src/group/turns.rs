//! How long each sequencer takes for its turn, and whose turns are slow (RULES L4).
//!
//! A slow member that keeps up otherwise stays a voter, off the ring, so that the others' requests do not
//! wait for its turns. It is tried again after a pause that doubles each time it is found slow.

use crate::ids::{MemberId, MemberSet};
use crate::time::{Span, Time};
use alloc::vec::Vec;

/// A turn is slow when it takes this many times what the others' turns take …
const TIMES_SLOWER: u64 = 4;

/// … and at least this much longer: below it nobody would notice.
const NOTICEABLE: Span = Span::millis(2);

/// So many turns must have been seen before anyone is judged.
const TURNS_SEEN_MIN: u32 = 32;

/// For how long a slow member is kept off the ring at first, and at most.
const PAUSE: Span = Span::secs(10);
const PAUSE_MAX: Span = Span::secs(640);

/// What is known of the turns of each member.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    since: Option<Time>,
    members: Vec<Turn>,
}

#[derive(Clone, Debug)]
struct Turn {
    member: MemberId,
    /// The average of the last turns, in eighths of a microsecond.
    average: u64,
    seen: u32,
    off_until: Time,
    pause: Span,
}

impl Turns {
    /// A new view: everyone on its ring is judged anew.
    pub fn begin(&mut self, now: Time, members: MemberSet, ring: MemberSet) {
        self.since = None;
        for member in members.iter() {
            if !self.members.iter().any(|turn| turn.member == member) {
                self.members.push(Turn { member, average: 0, seen: 0, off_until: Time(0), pause: PAUSE });
            }
        }
        for turn in &mut self.members {
            (turn.average, turn.seen) = (0, 0);
            if members.contains(turn.member) && !ring.contains(turn.member) && now >= turn.off_until {
                turn.off_until = now + turn.pause;
                turn.pause = Span(turn.pause.0 * 2).min(PAUSE_MAX);
            }
        }
    }

    /// Requests wait for somebody's turn, from now on if they did not before.
    pub fn waits(&mut self, now: Time) {
        self.since.get_or_insert(now);
    }

    /// A slot of `sequencer` came; `waits` says whether requests wait for the next one already.
    pub fn taken(&mut self, now: Time, sequencer: MemberId, waits: bool) {
        if let Some(since) = self.since.take()
            && let Some(turn) = self.members.iter_mut().find(|turn| turn.member == sequencer)
        {
            let took = now.since(since).0;
            turn.average = if turn.seen == 0 { took * 8 } else { turn.average - turn.average / 8 + took };
            turn.seen = turn.seen.saturating_add(1);
        }
        if waits {
            self.since = Some(now);
        }
    }

    /// Whose turns on `ring` are slow, and who is off it and has to stay there for now.
    pub fn slow(&self, now: Time, ring: MemberSet) -> MemberSet {
        let judged = |turn: &&Turn| ring.contains(turn.member) && turn.seen >= TURNS_SEEN_MIN;
        let mut averages: Vec<u64> = self.members.iter().filter(judged).map(|turn| turn.average / 8).collect();
        averages.sort_unstable();
        // The lower median: of two, the faster one sets the pace.
        let usual = if averages.len() < 2 { u64::MAX } else { averages[(averages.len() - 1) / 2] };
        let limit = usual.saturating_mul(TIMES_SLOWER).max(usual.saturating_add(NOTICEABLE.0));
        let is_slow = |turn: &&Turn| now < turn.off_until || (judged(turn) && turn.average / 8 > limit);
        self.members.iter().filter(is_slow).map(|turn| turn.member).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn m(n: u8) -> MemberId {
        MemberId::new(n).unwrap()
    }

    /// One of three takes ten times as long: it is found slow, kept off for 10 s, then 20 s.
    #[test]
    fn a_slow_member_is_found_and_tried_again_after_a_pause_that_doubles() {
        let all: MemberSet = [m(1), m(2), m(3)].into_iter().collect();
        let mut turns = Turns::default();
        let mut now = Time(1_000_000);
        turns.begin(now, all, all);
        for round in 0..2u64 {
            for _ in 0..40 {
                for (member, took) in [(m(1), 1_000), (m(2), 1_000), (m(3), 10_000)] {
                    turns.waits(now);
                    now += Span(took);
                    turns.taken(now, member, true);
                }
            }
            assert_eq!(turns.slow(now, all), MemberSet::of(m(3)));
            let ring = all.without(m(3));
            turns.begin(now, all, ring);
            now += Span::secs(10 << round) - Span(1);
            assert_eq!(turns.slow(now, ring), MemberSet::of(m(3)));
            now += Span(1);
            assert_eq!(turns.slow(now, ring), MemberSet::EMPTY);
            turns.begin(now, all, all);
        }
    }
}
