//! The thread that works on the archive, off the critical path.
//!
//! Delivered slots are gathered for a moment and written in bulk; everything else is done in the order
//! in which it was asked for. Each call into sled can block, so nothing else runs here.

use super::archive::{Archive, Step, Trouble};
use super::error::OpenError;
use super::identity::archive_name;
use super::journal::Point;
use super::outlet::Outlet;
use super::register::Register;
use super::space::Space;
use super::vitals::{Vitals, now};
use super::writer;
use crate::Done;
use ftq_core::ids::Slot;
use ftq_core::replica::FetchId;
use ftq_core::store::{Fetch, Heard, Report, SlotRecord, Snapshot};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// How long delivered slots wait for more of them: one sync in the archive costs as much as several in
/// the journal, and nobody waits for it.
const GATHER: Duration = Duration::from_millis(20);

/// How often the room on the disk is looked at while nothing else happens.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    /// How much log is kept, and when the disk is nearly full.
    Limit { log_keep_bytes: u64, low_bytes: u64 },
}

/// The thread.
pub(super) struct Archivist {
    archive: Archive,
    orders: Receiver<Order>,
    journal: Sender<writer::Order>,
    outlet: Outlet,
    register: Register,
    space: Space,
    vitals: Vitals,
    /// Whether there may be work that nobody waits for.
    is_idle: bool,
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
        register: Register,
        space: Space,
        vitals: Vitals,
    ) -> Archivist {
        Archivist {
            archive: archive.watched_by(vitals.clone()),
            orders,
            journal,
            outlet,
            register,
            space,
            vitals,
            is_idle: false,
            gathered: Vec::new(),
            gathered_bytes: 0,
            owed: None,
        }
    }

    /// Works until nobody can ask for anything any more, or something fails.
    pub(super) fn run(mut self) {
        match catch_unwind(AssertUnwindSafe(|| self.work())) {
            Ok(Ok(())) => {}
            Ok(Err(trouble)) => self.outlet.fail("archive", &trouble),
            Err(_) => self.outlet.fail("archive", &"sled panicked"),
        }
        if self.outlet.has_failed() {
            // Closing sled would write again, and panic when that fails. The first failure was the last write.
            std::mem::forget(self.archive);
        }
    }

    fn work(&mut self) -> Result<(), Trouble> {
        loop {
            self.vitals.rests();
            let order = match (self.is_idle, self.owed) {
                (false, _) => self.orders.recv_timeout(Duration::ZERO),
                (true, Some((_, due))) => self.orders.recv_timeout(due.saturating_duration_since(now())),
                (true, None) => self.orders.recv_timeout(LOOK_EVERY),
            };
            self.vitals.works();
            if self.outlet.has_failed() {
                return Ok(());
            }
            match order {
                Ok(order) => self.carry_out(order)?,
                Err(RecvTimeoutError::Disconnected) => return self.deliver(),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.owed.is_some_and(|(_, due)| due <= now()) {
                self.deliver()?;
            }
            self.look_around()?;
            self.step()?;
        }
    }

    /// A little of what nobody waits for.
    fn step(&mut self) -> Result<(), Trouble> {
        let step = self.archive.step()?;
        self.is_idle = step == Step::Idle;
        match step {
            Step::Idle | Step::Working => Ok(()),
            Step::Snapshotted(slot) => {
                self.outlet.say([Done::Report(Report::Snapshotted { slot })]);
                Ok(())
            }
            Step::Copied => self.end_move(),
        }
    }

    /// Whether the disk fills up, and whether the archive should move.
    fn look_around(&mut self) -> Result<(), Trouble> {
        let Some(look) = self.space.look(now()) else { return Ok(()) };
        if let Some(is_nearly_full) = look.changed {
            self.outlet.say([Done::Report(Report::NearlyFull(is_nearly_full))]);
        }
        self.vitals.holds(self.archive.disk_bytes()?);
        let Some(live) = self.archive.wants_move()? else { return Ok(()) };
        if !self.space.has(live) {
            log::debug!("the archive takes more than it needs, and there is no room to write it anew");
            return Ok(());
        }
        let next = archive_name(self.register.identity().archive + 1);
        self.register.directory().remove(&next).map_err(fresh)?;
        self.archive.begin_move(&self.register.directory().at(&next))
    }

    /// Everything is in the fresh database, and synced: it is named the current one.
    fn end_move(&mut self) -> Result<(), Trouble> {
        self.register.directory().sync().map_err(fresh)?;
        self.register.change(|identity| identity.archive += 1).map_err(fresh)?;
        if let Some(former) = self.archive.end_move()? {
            let name = former.file_name().unwrap_or_default().to_string_lossy();
            self.register.directory().remove(&name).map_err(fresh)?;
        }
        Ok(())
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
                self.archive.save(snapshot)
            }
            Order::Cut(below) => {
                self.archive.cut(below);
                Ok(())
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
                let slot = snapshot.slot;
                self.archive.adopt(snapshot)?;
                self.outlet.say([Done::Report(Report::Snapshotted { slot })]);
                let _ = synced.send(());
                Ok(())
            }
            Order::Hear(marks) => self.archive.hear(&marks),
            Order::Limit { log_keep_bytes, low_bytes } => {
                self.archive.keep_log(log_keep_bytes);
                self.space.mind(low_bytes);
                Ok(())
            }
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

/// The fresh database could not be made, or not be named.
fn fresh(error: OpenError) -> Trouble {
    Trouble::Fresh(error.to_string())
}
