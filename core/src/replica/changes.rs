//! Changes of the cluster that an operator has ordered here, until it is known how they ended.

use crate::group::admission::{ClusterChange, Unfit};
use crate::machine::Machine;
use crate::time::{Span, Time};

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

/// A change that was ordered here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ordered {
    id: ChangeId,
    /// The configuration that it replaces.
    number: u64,
    change: ClusterChange,
    until: Time,
}

impl<M: Machine> Replica<M> {
    /// An operator orders a change.
    pub(super) fn on_change(&mut self, now: Time, id: ChangeId, change: ClusterChange, wait: Span) {
        match self.group.change_cluster(now, change, wait) {
            Ok(number) => self.ordered.push(Ordered { id, number, change, until: now + wait }),
            Err(unfit) => self.out.push_back(Output::Changed { id, outcome: ChangeOutcome::Unfit(unfit) }),
        }
    }

    /// Tells how changes ended.
    pub(super) fn settle_changes(&mut self, now: Time) {
        if self.ordered.is_empty() {
            return;
        }
        let proven = self.group.committed_electorate().sealed;
        let out = &mut self.out;
        self.ordered.retain(|ordered| {
            let next = proven.number == ordered.number + 1;
            let outcome = if next && ordered.change.is_done(&proven) {
                ChangeOutcome::Done { configuration: proven.number }
            } else if next {
                ChangeOutcome::Overtaken
            } else if proven.number > ordered.number || now >= ordered.until {
                ChangeOutcome::Unknown
            } else {
                return true;
            };
            out.push_back(Output::Changed { id: ordered.id, outcome });
            false
        });
    }
}
