//! A member's own monotonic clock: it starts anywhere, drifts, and may jump forward, but never back.

use ftq_core::time::{Span, Time};

/// Parts in a million: what a rate is counted in.
const MILLION: u64 = 1_000_000;

/// How one member's clock follows the true time of the world.
#[derive(Clone, Copy, Debug)]
pub struct LocalClock {
    since: Time,
    shown: Time,
    /// How many millionths of a true second pass on this clock in one.
    rate: u64,
}

impl LocalClock {
    /// A clock that shows `shown` at the true time `now` and runs right.
    pub fn new(now: Time, shown: Time) -> LocalClock {
        LocalClock { since: now, shown, rate: MILLION }
    }

    /// What it shows at the true time `now`.
    pub fn read(&self, now: Time) -> Time {
        self.shown + Span(now.since(self.since).0.saturating_mul(self.rate) / MILLION)
    }

    /// The first true moment at which it shows `shown` or more.
    pub fn when(&self, shown: Time) -> Time {
        if shown == Time::NEVER {
            return Time::NEVER;
        }
        self.since + Span(shown.since(self.shown).0.saturating_mul(MILLION).div_ceil(self.rate))
    }

    /// It jumps forward.
    pub fn jump(&mut self, now: Time, by: Span) {
        *self = LocalClock { since: now, shown: self.read(now) + by, rate: self.rate };
    }

    /// From now on it runs this many millionths too fast, or too slow if below zero.
    pub fn drift(&mut self, now: Time, millionths: i64) {
        *self =
            LocalClock { since: now, shown: self.read(now), rate: MILLION.saturating_add_signed(millionths).max(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_is_never_early() {
        let mut clock = LocalClock::new(Time(10), Time(5_000));
        for millionths in [0, 70_001, -70_001, 13] {
            clock.drift(Time(1_000), millionths);
            for shown in [6_000, 6_001, 7_777, 1_000_003] {
                let at = clock.when(Time(shown));
                assert!(clock.read(at) >= Time(shown));
                assert!(at.0 == 1_000 || clock.read(Time(at.0 - 1)) < Time(shown));
            }
        }
        clock.jump(Time(2_000), Span::secs(3));
        assert!(clock.read(Time(2_000)) > Time(3_000_000));
    }
}
