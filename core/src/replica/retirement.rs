//! What a replica does that is told to stop, so that its clients and the other members hardly notice.
//!
//! ```text
//!   told ──▶ answering ──all answered──▶ handing over ──a view without it──▶ retired
//! ```
//!
//! From the first moment new requests are refused, so that clients go elsewhere; what has left is answered
//! first. Neither waits for ever: the log answers the rest, at any other replica.

use crate::machine::Machine;
use crate::time::{Span, Time};

use super::event::Succession;
use super::{Event, Output, Replica};

/// For how long what is under way may take to be answered.
const ANSWERING: Span = Span::millis(500);

/// For how long the others may take for a view: a slow disk takes a part of a second for a promise.
const HANDING_OVER: Span = Span::millis(800);

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retirement {
    /// Nobody wants it to stop.
    None,
    /// What is under way is answered, until then.
    Answering { until: Time },
    /// The others form a view, until then.
    HandingOver { until: Time },
}

impl Retirement {
    /// When its patience ends.
    pub(super) fn deadline(self) -> Option<Time> {
        match self {
            Retirement::None => None,
            Retirement::Answering { until } | Retirement::HandingOver { until } => Some(until),
        }
    }
}

impl<M: Machine> Replica<M> {
    /// Takes no more requests from now on.
    pub(super) fn retire(&mut self, now: Time) {
        if self.retirement == Retirement::None {
            self.retirement = Retirement::Answering { until: now + ANSWERING };
            self.turn_away_unsent();
        }
    }

    /// Whether new requests are to go elsewhere.
    pub(super) fn is_retiring(&self) -> bool {
        self.retirement != Retirement::None
    }

    /// Goes on as far as it can; the last event is that there is nothing left to do.
    pub(super) fn step_retirement(&mut self, now: Time) {
        if let Retirement::Answering { until } = self.retirement
            && (self.group.own().is_empty() || now >= until)
        {
            self.retirement = Retirement::HandingOver { until: now + HANDING_OVER };
            self.group.retire(now);
            self.carry_out(now);
        }
        let Retirement::HandingOver { until } = self.retirement else { return };
        let is_replaced = self.group.is_replaced(now);
        // Who is missed for a moment may be back in time, unless even all others together are no quorum.
        if is_replaced != Some(true) && now < until && self.group.is_replaceable() {
            return;
        }
        let succession = match is_replaced {
            Some(true) => Succession::HandedOver,
            Some(false) => Succession::Late,
            None => Succession::NoQuorum,
        };
        // Who has come to wait meanwhile finds the answer elsewhere.
        self.turn_away();
        self.out.push_back(Output::Event(Event::Retired { succession }));
        self.stopped = true;
    }
}
