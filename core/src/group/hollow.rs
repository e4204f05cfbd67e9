//! A replica whose archive is lost: what it accepted and promised is here, what it applied is not.
//!
//! ```text
//!   lost:   1 ────────────── base        fetched again from the others, log or snapshot, and applied
//!   here:                    base ── end promise, log view and accepted slots: they count in a view change
//! ```
//!
//! It answers Prepare, and others may have its tail. But it is no candidate for a view, answers no read and
//! applies nothing above `base` until what lies below is rebuilt.

use crate::ids::{Digest, Slot};
use crate::replica::{Event, Stop};
use crate::store::{Job, SlotRecord, Snapshot};
use crate::time::Time;
use alloc::vec::Vec;

use super::Group;
use super::log::Log;

/// What is lost, and how far it is rebuilt.
#[derive(Clone, Debug)]
pub(super) struct Hollow {
    base: Slot,
    digest: Digest,
    /// The log below `base`, as far as it is here again.
    pub(super) rebuilt: Log,
    is_stranded: bool,
}

impl Hollow {
    /// So much is rebuilt so far: a rebuilding that was cut short goes on where it was.
    pub(super) fn new(rebuilt: Log, base: Slot, digest: Digest) -> Hollow {
        Hollow { base, digest, rebuilt, is_stranded: false }
    }
}

impl Group {
    /// Up to where this replica has all that is committed.
    pub(super) fn complete_to(&self) -> Slot {
        self.hollow.as_ref().map_or(self.log.committed(), |hollow| hollow.rebuilt.committed())
    }

    /// Committed slots that follow what is rebuilt.
    pub(super) fn rebuild(&mut self, now: Time, slots: &[SlotRecord]) {
        let Some(hollow) = &mut self.hollow else { return };
        let slots: Vec<SlotRecord> = slots.iter().take_while(|record| record.slot <= hollow.base).cloned().collect();
        let Some(last) = slots.last().map(|record| record.slot) else { return };
        slots.iter().for_each(|record| hollow.rebuilt.push(record.clone()));
        hollow.rebuilt.commit(last);
        let generation = self.generation;
        self.event(Event::CaughtUp { slots: slots.len() as u64, upto: last });
        self.persist(now, Job::CatchUp { generation, slots });
    }

    /// The machine was restored from a snapshot of another replica: what it covers is here again.
    pub(super) fn rebuild_from(&mut self, snapshot: &Snapshot) {
        match &mut self.hollow {
            Some(hollow) if snapshot.slot <= hollow.base => hollow.rebuilt.rebase(snapshot),
            Some(_) | None => {
                self.hollow = None;
                self.log.rebase(snapshot);
            }
        }
    }

    /// Once all that was lost is applied again, this replica is whole.
    pub(super) fn step_hollow(&mut self, now: Time) {
        let Some(hollow) = &self.hollow else { return };
        if hollow.rebuilt.delivered() < hollow.base {
            return;
        }
        if hollow.rebuilt.end_digest() != hollow.digest {
            return self.stop(Stop::OtherLog);
        }
        self.log.follow(&hollow.rebuilt);
        self.archived = hollow.base;
        self.hollow = None;
        self.write_electorate(now, self.log.electorate_at(self.log.committed()));
    }

    /// Says so if there is nobody who could give back what is lost: all are heard, and have lost it too.
    pub(super) fn see_if_stranded(&mut self, now: Time) {
        let others = self.log.electorate().set().without(self.options.me);
        let none_has_it = others.iter().all(|m| self.detector.fresh(now, m).is_some_and(|h| !h.whole));
        if let Some(hollow) = self.hollow.as_mut().filter(|hollow| none_has_it && !hollow.is_stranded) {
            hollow.is_stranded = true;
            self.event(Event::Stranded);
        }
    }
}
