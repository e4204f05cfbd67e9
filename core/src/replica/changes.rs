//! Changes of the cluster that an operator has ordered here, until it is known how they ended.

use crate::group::admission::{ClusterChange, Unfit};
use crate::ids::Configuration;
use crate::machine::Machine;
use crate::session::message::{Refusal, RequestName};
use crate::time::{Span, Time};

use super::inquiry::Asking;
use super::{Output, Replica};

/// Names an [`Input::Change`](super::Input::Change) until its end is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId(pub u64);

/// How a change of the cluster ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// It is done, by the configuration with this number.
    Done {
        /// The number.
        configuration: u64,
    },
    /// It can't be made; nothing was changed.
    Unfit(Unfit),
    /// Another change came first; nothing was changed by this one.
    Overtaken,
    /// Nobody here knows: it was not done in time, and may still be.
    Unknown,
}

/// Who is told how a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orderer {
    /// The shell.
    Shell(ChangeId),
    /// A client.
    Client(Asking),
}

/// A change that was ordered here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ordered {
    orderer: Orderer,
    /// The configuration that it replaces.
    number: u64,
    change: ClusterChange,
    until: Time,
}

impl<M: Machine> Replica<M> {
    /// An operator orders a change.
    pub(super) fn order_change(
        &mut self,
        now: Time,
        orderer: Orderer,
        change: ClusterChange,
        replaces: Option<u64>,
        wait: Span,
    ) {
        if self.is_retiring() {
            return self.tell_orderer(orderer, ChangeOutcome::Unfit(Unfit::NotServing));
        }
        let proven = self.group.committed_electorate().sealed;
        if let Some(number) = replaces.filter(|number| *number < proven.number) {
            return self.tell_orderer(orderer, outcome_of(change, number, &proven));
        }
        match self.group.change_cluster(now, change, replaces, wait) {
            Ok(number) => self.ordered.push(Ordered { orderer, number, change, until: now + wait }),
            Err(unfit) => self.tell_orderer(orderer, ChangeOutcome::Unfit(unfit)),
        }
    }

    /// Whether this client waits already for the change that it asks for: from now on it is told where it is now.
    pub(super) fn asks_again(&mut self, asking: Asking) -> bool {
        let same =
            |ordered: &&mut Ordered| matches!(ordered.orderer, Orderer::Client(known) if known.nonce == asking.nonce);
        match self.ordered.iter_mut().find(same) {
            Some(ordered) => {
                ordered.orderer = Orderer::Client(asking);
                true
            }
            None => false,
        }
    }

    /// Tells how changes ended.
    pub(super) fn settle_changes(&mut self, now: Time) {
        if self.ordered.is_empty() {
            return;
        }
        let proven = self.group.committed_electorate().sealed;
        for ordered in core::mem::take(&mut self.ordered) {
            if proven.number > ordered.number {
                self.tell_orderer(ordered.orderer, outcome_of(ordered.change, ordered.number, &proven));
            } else if now >= ordered.until {
                self.tell_orderer(ordered.orderer, ChangeOutcome::Unknown);
            } else {
                self.ordered.push(ordered);
            }
        }
    }

    fn tell_orderer(&mut self, orderer: Orderer, outcome: ChangeOutcome) {
        match orderer {
            Orderer::Shell(id) => self.out.push_back(Output::Changed { id, outcome }),
            // That is for another replica to do, and clients know what to make of such a refusal.
            Orderer::Client(asking) if outcome == ChangeOutcome::Unfit(Unfit::NotServing) => {
                self.refuse_client(asking.client, RequestName::Read(asking.nonce), Refusal::NoQuorum);
            }
            Orderer::Client(asking) => self.tell_changed(asking, outcome),
        }
    }
}

/// How a change ended that was to replace the configuration with this number, now that a later one is proven.
fn outcome_of(change: ClusterChange, number: u64, proven: &Configuration) -> ChangeOutcome {
    let next = proven.number == number + 1;
    if next && change.is_done(proven) {
        ChangeOutcome::Done { configuration: proven.number }
    } else if next {
        ChangeOutcome::Overtaken
    } else {
        ChangeOutcome::Unknown
    }
}
