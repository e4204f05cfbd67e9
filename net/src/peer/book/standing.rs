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
use super::page::Round;
use ftq_core::time::Time;
use std::net::SocketAddr;

/// How sure it is that nobody else is this member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody else is, or who says so is wrong.
    Settled,
    /// It joins, and nobody has answered yet.
    Unheard,
    /// Somebody else may be, there, and would have precedence; that is asked, and waited for until then.
    Doubted { elsewhere: SocketAddr, round: Round, until: Time },
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

    /// Another member has answered, and told where else this one may be, if anywhere.
    pub(super) fn answered(&mut self, now: Time, elsewhere: Option<SocketAddr>) {
        match self {
            Standing::Unheard => {
                *self = elsewhere.map_or(Standing::Settled, |elsewhere| Standing::Doubted {
                    elsewhere,
                    round: Round::new(now),
                    until: now + MOVES_AFTER,
                });
            }
            Standing::Settled | Standing::Doubted { .. } | Standing::Taken => {}
        }
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

    /// Where to ask for another one now, unless that was waited for long enough.
    pub(super) fn due(&mut self, now: Time) -> Option<SocketAddr> {
        match self {
            Standing::Doubted { until, .. } if now >= *until => {
                *self = Standing::Settled;
                None
            }
            Standing::Doubted { elsewhere, round, .. } => round.is_due(now, Round::FIRST).then_some(*elsewhere),
            Standing::Settled | Standing::Unheard | Standing::Taken => None,
        }
    }

    /// Whether others may be met.
    pub(super) fn is_settled(self) -> bool {
        self == Standing::Settled
    }

    /// When to call [`Standing::due`] at the latest.
    pub(super) fn deadline(self) -> Time {
        match self {
            Standing::Doubted { round, until, .. } => round.at.min(until),
            Standing::Settled | Standing::Unheard | Standing::Taken => Time::NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Doubted, Settled, Taken, Unheard};
    use super::*;
    use ftq_core::time::Span;
    use std::net::Ipv4Addr;

    const NOW: Time = Time(5_000_000);

    fn elsewhere() -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(192, 0, 2, 44), 7411))
    }

    fn doubted() -> Standing {
        Doubted { elsewhere: elsewhere(), round: Round::new(NOW), until: NOW + MOVES_AFTER }
    }

    /// What becomes of each by this event.
    fn after(event: impl Fn(&mut Standing)) -> [Standing; 4] {
        [Settled, Unheard, doubted(), Taken].map(|mut standing| {
            event(&mut standing);
            standing
        })
    }

    #[test]
    fn each_event_leads_from_each_standing_to_one() {
        assert_eq!(after(Standing::join), [Unheard, Unheard, doubted(), Taken]);
        assert_eq!(after(Standing::seat), [Settled; 4]);
        assert_eq!(after(|it| it.answered(NOW, None)), [Settled, Settled, doubted(), Taken]);
        assert_eq!(after(|it| it.answered(NOW, Some(elsewhere()))), [Settled, doubted(), doubted(), Taken]);
        assert_eq!(after(|it| assert_eq!(it.double(), *it == Taken)), [Settled, Taken, Taken, Taken]);
        let ended = after(|it| assert_eq!(it.due(NOW + MOVES_AFTER), None));
        assert_eq!(ended, [Settled, Unheard, Settled, Taken]);
        assert_eq!(ended.map(Standing::deadline), [Time::NEVER; 4]);
    }

    #[test]
    fn who_may_be_elsewhere_is_asked_each_second_until_its_time_is_up() {
        let mut standing = doubted();
        let mut asked_at = Vec::new();
        while standing.deadline() < Time::NEVER {
            let now = standing.deadline();
            asked_at.extend(standing.due(now).map(|_| now.since(NOW)));
        }
        assert_eq!((standing, asked_at), (Settled, vec![Span::ZERO, Span::secs(1)]));
    }
}
