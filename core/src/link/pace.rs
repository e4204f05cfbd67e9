//! How patient to be with one peer: spans that follow the round trip.
//!
//! Correctness never rests on these: they only trade a repair that comes late for one that was not
//! needed.

use super::options::{
    MARK_AFTER, NACK_AGAIN_MAX, NACK_AGAIN_MIN, PROBE_FIRST_MAX, PROBE_MIN, REORDER_MAX, REORDER_MIN, RESEND_QUIET_MIN,
    ROUND_TRIP_MAX,
};
use crate::time::Span;

/// The pace of one peer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// The smoothed round trip; zero until it was measured.
    round_trip: Span,
}

impl Pace {
    /// A round trip took this long.
    pub(super) fn measured(&mut self, round_trip: Span) {
        let sample = round_trip.min(ROUND_TRIP_MAX);
        let known = self.round_trip;
        // RFC 6298 smooths by an eighth.
        self.round_trip = if known == Span::ZERO { sample } else { Span((known.0 * 7 + sample.0) / 8) };
    }

    /// How late a cell may be before it is asked for.
    pub(super) fn reorder(self) -> Span {
        self.round_trip.part(4).clamp(REORDER_MIN, REORDER_MAX)
    }

    /// When to ask again.
    pub(super) fn again(self) -> Span {
        self.round_trip.times(2).clamp(NACK_AGAIN_MIN, NACK_AGAIN_MAX)
    }

    /// How long not to send the same cell again.
    pub(super) fn quiet(self) -> Span {
        self.round_trip.part(2).max(RESEND_QUIET_MIN)
    }

    /// How long to wait for the mark of what was sent last.
    pub(super) fn probe(self) -> Span {
        Span(MARK_AFTER.0 + self.round_trip.0 * 3 / 2).clamp(PROBE_MIN, PROBE_FIRST_MAX)
    }
}
