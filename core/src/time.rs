//! Time as the core knows it: a number that the caller hands in with every input.
//!
//! [`Time`] is this process's monotonic clock and means nothing to anyone else. [`SlotClock`] is what
//! the log says the time is; it is the only time that the machine knows.

use core::ops::{Add, AddAssign, Sub};

/// A moment on this process's monotonic clock, in microseconds since some start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// A length of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

/// The time that a slot of the log carries, in microseconds. It never runs backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotClock(pub u64);

impl Time {
    /// A moment that never comes.
    pub const NEVER: Time = Time(u64::MAX);

    /// How long ago `earlier` was; nothing if it is still to come.
    pub fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// A span of whole microseconds.
    pub const fn micros(n: u64) -> Span {
        Span(n)
    }

    /// A span of whole milliseconds.
    pub const fn millis(n: u64) -> Span {
        Span(n.saturating_mul(1_000))
    }

    /// A span of whole seconds.
    pub const fn secs(n: u64) -> Span {
        Span(n.saturating_mul(1_000_000))
    }

    /// This span `n` times over.
    pub const fn times(self, n: u64) -> Span {
        Span(self.0.saturating_mul(n))
    }

    /// The `n`th part of this span.
    pub const fn part(self, n: u64) -> Span {
        Span(self.0 / n)
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl Sub<Span> for Span {
    type Output = Span;
    fn sub(self, span: Span) -> Span {
        Span(self.0.saturating_sub(span.0))
    }
}

impl Add<Span> for SlotClock {
    type Output = SlotClock;
    fn add(self, span: Span) -> SlotClock {
        SlotClock(self.0.saturating_add(span.0))
    }
}
