//! Whether this member may meet the others: not while another replica that runs may be this member, too.
//!
//! ```text
//!             joins               is answered, and nobody tells of another one
//!  Settled ──────────▶ Unheard ─────────────────────────────────────────────────▶ Settled
//!                         │ is answered, and told of one                             ▲
//!                         ├──────────▶ Doubted ── which does not answer in time ─────┤
//!                         │               │ which answers                            │
//!                         └── it answers ─┴──▶ Taken       any ── the store is known ┘
//! ```
//! Always: who is settled gives way to nobody, and who is taken meets nobody.

use super::MOVES_AFTER;
use ftq_core::time::Time;

/// How sure it is that nobody else is this member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody else is, or who says so is wrong.
    Settled,
    /// It joins, and nobody has answered yet.
    Unheard,
    /// Somebody else may be, and would have precedence; that is waited for until then.
    Doubted { until: Time },
    /// Somebody else is.
    Taken,
}

impl Standing {
    /// Others are to be found who may know another one.
    pub(super) fn join(&mut self) {
        match self {
            Standing::Settled => *self = Standing::Unheard,
            Standing::Unheard | Standing::Doubted { .. } | Standing::Taken => {}
        }
    }

    /// The store here is one that the cluster knows.
    pub(super) fn seat(&mut self) {
        *self = Standing::Settled;
    }

    /// Another member has answered, and told of this one elsewhere, or not. Whether that one is to be asked.
    #[must_use]
    pub(super) fn answered(&mut self, now: Time, is_told_of: bool) -> bool {
        match self {
            Standing::Unheard if is_told_of => *self = Standing::Doubted { until: now + MOVES_AFTER },
            Standing::Unheard => *self = Standing::Settled,
            Standing::Settled | Standing::Doubted { .. } | Standing::Taken => return false,
        }
        is_told_of
    }

    /// Another replica has answered that is this member. Whether this one gives way to it.
    #[must_use]
    pub(super) fn double(&mut self) -> bool {
        match self {
            Standing::Settled => return false,
            Standing::Unheard | Standing::Doubted { .. } | Standing::Taken => *self = Standing::Taken,
        }
        true
    }

    /// Who was waited for long enough is not there.
    pub(super) fn tick(&mut self, now: Time) {
        match self {
            Standing::Doubted { until } if now >= *until => *self = Standing::Settled,
            Standing::Settled | Standing::Unheard | Standing::Doubted { .. } | Standing::Taken => {}
        }
    }

    /// Whether others may be met.
    pub(super) fn is_settled(self) -> bool {
        self == Standing::Settled
    }

    /// When to call [`Standing::tick`] at the latest.
    pub(super) fn deadline(self) -> Time {
        match self {
            Standing::Doubted { until } => until,
            Standing::Settled | Standing::Unheard | Standing::Taken => Time::NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Doubted, Settled, Taken, Unheard};
    use super::*;
    use ftq_core::time::Span;

    const NOW: Time = Time(5_000_000);

    /// Every state, and what becomes of it by every event.
    #[test]
    fn each_event_leads_from_each_state_to_one() {
        let doubted = Doubted { until: NOW + MOVES_AFTER };
        let after = |event: &dyn Fn(&mut Standing)| {
            [Settled, Unheard, doubted, Taken].map(|mut standing| {
                event(&mut standing);
                standing
            })
        };
        let soon = NOW + Span::secs(1);
        assert_eq!(after(&Standing::join), [Unheard, Unheard, doubted, Taken]);
        assert_eq!(after(&Standing::seat), [Settled; 4]);
        let asks = |is_told_of, asked: [bool; 4]| {
            for (mut standing, asks) in [Settled, Unheard, doubted, Taken].into_iter().zip(asked) {
                assert_eq!(standing.answered(soon, is_told_of), asks, "{standing:?}");
            }
        };
        asks(false, [false; 4]);
        asks(true, [false, true, false, false]);
        let answered = |is_told_of| after(&|standing| _ = standing.answered(NOW, is_told_of));
        assert_eq!(answered(false), [Settled, Settled, doubted, Taken]);
        assert_eq!(answered(true), [Settled, doubted, doubted, Taken]);
        assert_eq!(
            after(&|standing| assert_eq!(standing.double(), *standing == Taken)),
            [Settled, Taken, Taken, Taken]
        );
        assert_eq!(after(&|standing| standing.tick(soon)), [Settled, Unheard, doubted, Taken]);
        assert_eq!(after(&|standing| standing.tick(NOW + MOVES_AFTER)), [Settled, Unheard, Settled, Taken]);
        assert_eq!(after(&|standing| assert_eq!(standing.deadline() < Time::NEVER, *standing == doubted))[2], doubted);
    }
}
