//! The thread that works on the archive, off the critical path.
//!
//! Delivered slots are gathered for a moment and written in bulk; everything else is done in the order
//! in which it was asked for. Each call into sled can block, so nothing else runs here.

use super::archive::{Archive, Trouble};
use super::journal::Point;
use super::outlet::Outlet;
use super::writer;
use crate::Done;
use ftq_core::ids::Slot;
use ftq_core::replica::FetchId;
use ftq_core::store::{Fetch, Heard, Report, SlotRecord, Snapshot};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// How long delivered slots wait for more of them: one sync in the archive costs as much as several in
/// the journal, and nobody waits for it.
const GATHER: Duration = Duration::from_millis(20);

/// How many bytes of slots don't wait any more.
const GATHER_BYTES: usize = 512 << 10;

/// Something to do.
pub(super) enum Order {
    /// These slots, up to `upto`, are delivered and not in the archive yet.
    Deliver { slots: Vec<SlotRecord>, upto: Slot },
    /// This replica's own snapshot.
    Save(Snapshot),
    /// Slots below this one are not needed.
    Cut(Slot),
    /// Delivered slots that did not come by way of the journal, which waits for the answer.
    CatchUp { slots: Vec<SlotRecord>, synced: Sender<()> },
    /// Another replica's snapshot; the journal waits for the answer.
    Adopt { snapshot: Snapshot, synced: Sender<()> },
    /// What was heard of the other stores.
    Hear(Vec<Heard>),
    /// Something to read.
    Fetch(FetchId, Fetch),
}

/// The thread.
pub(super) struct Archivist {
    archive: Archive,
    orders: Receiver<Order>,
    journal: Sender<writer::Order>,
    outlet: Outlet,
    /// Delivered slots that wait for more.
    gathered: Vec<SlotRecord>,
    gathered_bytes: usize,
    /// What is to be reported once they are synced, and when they are written at the latest.
    owed: Option<(Slot, Instant)>,
}

impl Archivist {
    /// A thread's work over an open archive.
    pub(super) fn new(
        archive: Archive,
        orders: Receiver<Order>,
        journal: Sender<writer::Order>,
        outlet: Outlet,
    ) -> Archivist {
        Archivist { archive, orders, journal, outlet, gathered: Vec::new(), gathered_bytes: 0, owed: None }
    }

    /// Works until nobody can ask for anything any more, or something fails.
    pub(super) fn run(mut self) {
        if let Err(trouble) = self.work() {
            self.outlet.fail("archive", &trouble);
        }
    }

    fn work(&mut self) -> Result<(), Trouble> {
        loop {
            let order = match self.owed {
                None => self.orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some((_, due)) => self.orders.recv_timeout(due.saturating_duration_since(now())),
            };
            if self.outlet.has_failed() {
                return Ok(());
            }
            match order {
                Ok(order) => self.carry_out(order)?,
                Err(RecvTimeoutError::Timeout) => self.deliver()?,
                Err(RecvTimeoutError::Disconnected) => return self.deliver(),
            }
        }
    }

    fn carry_out(&mut self, order: Order) -> Result<(), Trouble> {
        match order {
            Order::Deliver { slots, upto } => {
                self.gathered_bytes += slots.iter().map(|record| record.content.len()).sum::<usize>();
                self.gathered.extend(slots);
                let due = self.owed.map_or_else(|| now() + GATHER, |(_, due)| due);
                self.owed = Some((upto, due));
                if self.gathered_bytes >= GATHER_BYTES { self.deliver() } else { Ok(()) }
            }
            Order::Save(snapshot) => {
                self.deliver()?;
                let slot = snapshot.slot;
                self.archive.save(snapshot)?;
                self.outlet.say([Done::Report(Report::Snapshotted { slot })]);
                Ok(())
            }
            Order::Cut(below) => {
                self.deliver()?;
                self.archive.cut(below)
            }
            Order::CatchUp { slots, synced } => {
                self.deliver()?;
                self.archive.append(&slots)?;
                self.archive.sync()?;
                // The journal waits unless it has failed, and then nothing matters.
                let _ = synced.send(());
                Ok(())
            }
            Order::Adopt { snapshot, synced } => {
                self.deliver()?;
                self.archive.adopt(snapshot)?;
                let _ = synced.send(());
                Ok(())
            }
            Order::Hear(marks) => self.archive.hear(&marks),
            Order::Fetch(id, fetch) => {
                let fetched = self.archive.fetched(fetch)?;
                self.outlet.say([Done::Fetched(id, fetched)]);
                Ok(())
            }
        }
    }

    /// Writes what was gathered, and says so.
    fn deliver(&mut self) -> Result<(), Trouble> {
        let Some((upto, _)) = self.owed.take() else { return Ok(()) };
        self.archive.append(&self.gathered)?;
        self.archive.sync()?;
        self.gathered.clear();
        self.gathered_bytes = 0;
        let end: Point = self.archive.end();
        let _ = self.journal.send(writer::Order::Archived(end));
        self.outlet.say([Done::Report(Report::Delivered { upto })]);
        Ok(())
    }
}

/// The one place in the store that asks for the time: how long slots are gathered decides nothing.
#[expect(clippy::disallowed_methods, reason = "the store's thread has no other clock")]
fn now() -> Instant {
    Instant::now()
}
