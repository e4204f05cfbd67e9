//! Whose store has a snapshot of which state: a log is cut only where a quorum has the same state.
//!
//! Always: whoever cuts its log below a snapshot is one of a quorum that all have taken, or adopted, a
//! snapshot of the same state at that slot (RULES S17).

use super::electorates::Electorates;
use super::{Checked, Invariant, require};
use ftq_core::ids::{Digest, MemberId, Slot, StoreId};
use ftq_core::store::Snapshot;
use std::collections::BTreeMap;

/// Of how many slots it is remembered who has a snapshot there.
const SLOTS_KEPT: usize = 1_000;

/// The snapshots that stores were given.
#[derive(Clone, Debug, Default)]
pub struct Snapshots {
    taken: BTreeMap<Slot, Vec<(MemberId, StoreId, Digest)>>,
}

impl Snapshots {
    /// A store is given a snapshot.
    pub(crate) fn taken(&mut self, member: MemberId, store: StoreId, snapshot: &Snapshot) {
        self.taken.entry(snapshot.slot).or_default().push((member, store, snapshot.state));
        if self.taken.len() > SLOTS_KEPT {
            self.taken.pop_first();
        }
    }

    /// A store is told to cut its log below this slot.
    pub(crate) fn cut(&self, member: MemberId, below: Slot, electorates: &Electorates) -> Checked {
        let agreed = self.taken.iter().any(|(slot, taken)| {
            // Who has lost its journal has another store, over the snapshot that it had.
            let own = taken.iter().rev().find(|(m, _, _)| *m == member);
            own.is_some_and(|(_, _, state)| {
                let same = taken.iter().filter(|(_, _, other)| other == state).map(|(m, s, _)| (*m, *s));
                slot.next() >= below && electorates.was_quorum(&same.collect::<Vec<_>>())
            })
        });
        require(agreed, Invariant::CutAgreed, || {
            format!("member {member} cuts its log below {below}, where no quorum has the same state")
        })
    }
}
