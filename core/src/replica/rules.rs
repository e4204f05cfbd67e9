//! The switch to newer rules of the machine: ordered by the lowest member of the view, as soon as every member of
//! the cluster says that its build knows them. Who does not know the rules that the log switches to, or those of
//! a snapshot, stops.

use crate::machine::{Machine, Unrestored};
use crate::session::message::Request;
use crate::time::{Span, Time};

use super::Replica;

/// How often a switch is ordered while it is not in force.
const AGAIN: Span = Span::secs(1);

/// Why a replica stops that does not know the rules in force.
pub(super) const UNKNOWN: &str =
    "the cluster has switched to rules of the queues that this build does not know: start a newer one";

impl<M: Machine> Replica<M> {
    /// Orders the newest rules that all know, if it is for this replica to do.
    pub(super) fn order_rules(&mut self, now: Time) {
        let known = self.group.rules_known();
        let wanted = known > self.machine.machine().rules() && now >= self.rules_at;
        let lowest = || self.group.view().set().iter().next() == Some(self.options.me);
        if wanted && lowest() && self.group.is_serving(now) {
            self.rules_at = now + AGAIN;
            let (token, body) = self.clients.unasked(&Request::Rules { version: known });
            self.group.submit(token, body);
        }
    }
}

/// Why a snapshot is not taken.
pub(super) fn refusal(unrestored: Unrestored, else_why: &'static str) -> &'static str {
    match unrestored {
        Unrestored::UnknownRules(_) => UNKNOWN,
        Unrestored::Malformed => else_why,
    }
}
