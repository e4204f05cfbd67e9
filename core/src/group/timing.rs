//! The spans that the protocol goes by.

use crate::time::Span;

/// The spans that the protocol goes by, in one place.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How often a replica says that it is there.
    pub heartbeat: Span,
    /// After so much silence a member is missed.
    pub failure: Span,
    /// How long each further member waits before it proposes what a lower one did not.
    pub rank_wait: Span,
    /// How often a note is said again while it is not answered.
    pub repeat: Span,
    /// For how long a hole in what a member sent may stay open.
    pub gap: Span,
    /// For how long no full-size packet may come through.
    pub full_size: Span,
    /// How often a heartbeat is made full-size.
    pub pad_every: Span,
    /// For how long requests may wait without a new slot.
    pub stall: Span,
}

impl Default for Timing {
    fn default() -> Timing {
        let failure = Span::millis(300);
        Timing {
            heartbeat: Span::millis(50),
            failure,
            rank_wait: Span::millis(15),
            repeat: Span::millis(10),
            gap: failure.times(3),
            full_size: failure.times(5),
            pad_every: Span::millis(200),
            stall: failure.times(3),
        }
    }
}
