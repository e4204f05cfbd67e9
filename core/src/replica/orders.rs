//! What a replica orders by itself, as the lowest member of the view: newer rules of the machine, as soon as every
//! member of the cluster says that its build knows them, and the first limit of memory. Who does not know the
//! rules that the log switches to, or those of a snapshot, stops.

use crate::machine::Machine;
use crate::session::message::Request;
use crate::time::{Span, Time};

use super::Replica;

/// How often something is ordered while it is not so.
const AGAIN: Span = Span::secs(1);

impl<M: Machine> Replica<M> {
    /// Orders what is missing, if it is for this replica to do.
    pub(super) fn order_by_itself(&mut self, now: Time) {
        let lowest = || self.group.view().set().iter().next() == Some(self.options.me);
        if now < self.orders_at || !lowest() || !self.is_serving(now) {
            return;
        }
        let (known, machine) = (self.group.rules_known(), self.machine.machine());
        let rules = (known > machine.rules()).then_some(Request::Rules { version: known });
        let memory = self.options.memory_bytes.filter(|_| machine.wants_memory_limit());
        for request in rules.into_iter().chain(memory.map(|bytes| Request::Memory { bytes })) {
            self.orders_at = now + AGAIN;
            let (token, body) = self.clients.unasked(&request);
            self.group.submit(token, body);
        }
    }
}
