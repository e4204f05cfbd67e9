//! Who holds which leases, so that a session that goes gives back what it holds and nothing else is looked at.
//!
//! Always: a lease is here as long as its item is leased. The leases of sessions that are gone go back one at
//! a time, by rising session, queue and position.

use super::digest::{self, Sum};
use super::label::QueueId;
use crate::session::message::SessionId;
use crate::wire::{Malformed, Reader, Writer};
use alloc::collections::{BTreeMap, BTreeSet};

/// All leases, by who holds them.
#[derive(Debug, Default)]
pub(super) struct Holders {
    held: BTreeMap<(SessionId, QueueId), BTreeSet<u64>>,
    /// Sessions that are gone, and still have leases.
    gone: BTreeSet<SessionId>,
    sum: Sum,
}

impl Holders {
    /// Leases begin.
    pub(super) fn begin(&mut self, session: SessionId, queue: QueueId, positions: impl IntoIterator<Item = u64>) {
        self.held.entry((session, queue)).or_default().extend(positions);
    }

    /// A lease ends.
    pub(super) fn end(&mut self, session: SessionId, queue: QueueId, position: u64) {
        let positions = self.held.get_mut(&(session, queue)).expect("who holds a lease is known");
        assert!(positions.remove(&position), "a lease ends once");
        if positions.is_empty() {
            self.held.remove(&(session, queue));
            if self.gone.contains(&session) && !self.holds(session) {
                self.gone.remove(&session);
                self.sum -= digest::gone(session);
            }
        }
    }

    /// A session is gone: its leases are due to go back.
    pub(super) fn end_session(&mut self, session: SessionId) {
        if self.holds(session) && self.gone.insert(session) {
            self.sum += digest::gone(session);
        }
    }

    /// The next lease that has to go back: its queue and its position.
    pub(super) fn next_orphan(&self) -> Option<(QueueId, u64)> {
        let session = *self.gone.first()?;
        let ((_, queue), positions) = self.of(session).next()?;
        Some((*queue, *positions.first()?))
    }

    /// What the sessions that are gone add to the digest; the leases are in it with their items.
    pub(super) fn sum(&self) -> Sum {
        self.sum
    }

    /// For a snapshot: the sessions that are gone.
    pub(super) fn write(&self, w: &mut Writer) {
        w.u64(self.gone.len() as u64);
        for session in &self.gone {
            w.u64(session.0);
        }
    }

    /// Reads what [`Holders::write`] wrote, when all leases are known.
    pub(super) fn read(&mut self, r: &mut Reader) -> Result<(), Malformed> {
        let mut last = None;
        for _ in 0..r.u64()? {
            let session = SessionId(r.u64()?);
            if last >= Some(session) || !self.holds(session) {
                return Err(Malformed);
            }
            last = Some(session);
            self.end_session(session);
        }
        Ok(())
    }

    fn holds(&self, session: SessionId) -> bool {
        self.of(session).next().is_some()
    }

    fn of(&self, session: SessionId) -> impl Iterator<Item = (&(SessionId, QueueId), &BTreeSet<u64>)> {
        self.held.range((session, QueueId(0))..=(session, QueueId(u64::MAX)))
    }
}
