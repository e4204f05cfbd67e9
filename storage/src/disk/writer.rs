//! The thread that works on the journal: what waited during one sync goes into the next.
//!
//! ```text
//! submit ─▶ jobs ──group──▶ journal ──sync──▶ (mark, sync) ──▶ reports
//!      └──▶ later ──when the journal is there──▶ archivist
//! ```
//!
//! Always: jobs become durable in the order in which they came; a promise, an electorate or an install is reported
//! only after a mark that tells of it was synced; the archivist gets only what the journal holds.

mod room;

use super::archivist;
use super::error::OpenError;
use super::identity::State;
use super::journal::{Journal, Misfit, Point, Record};
use super::outlet::Outlet;
use super::register::Register;
use super::vitals::Vitals;
use crate::Done;
use ftq_core::ids::Slot;
use ftq_core::store::{Generation, Job, JobId, Report, SlotRecord, Snapshot};
use room::portion;
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};

/// The most that is written with one sync: a few milliseconds' worth, so that reports keep coming.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// Something to do.
pub(super) enum Order {
    /// A job of the replica.
    Job(JobId, Job),
    /// The archive has synced everything up to here.
    Archived(Point),
    /// Finish what can be finished, and end.
    Close,
}

/// Why the journal can't go on.
#[derive(Debug)]
enum Trouble {
    Io(io::Error),
    Misfit,
    TooLarge,
    /// The archivist is gone; it has said why.
    Archive,
    /// What the store is could not be written down.
    Register(OpenError),
}

/// The thread.
pub(super) struct Writer {
    journal: Journal,
    orders: Receiver<Order>,
    archivist: Sender<archivist::Order>,
    outlet: Outlet,
    register: Register,
    vitals: Vitals,
    /// Jobs of the journal, in order.
    jobs: VecDeque<(JobId, Job)>,
    /// Jobs of the archive, each with the last job of the journal that must be durable first: one that may replace slots, or
    /// says what the electorate is.
    later: VecDeque<(JobId, Job)>,
    last_awaited: JobId,
    /// The last job that is durable, and the generation there.
    done: JobId,
    generation: Generation,
    /// What the archivist was given, or the archive held when it was opened.
    handed: Point,
    /// The last snapshot that the archivist was given.
    snapshot: Slot,
    /// Jobs in the group that is being put together, with what will be reported about them.
    group: Vec<Written>,
    closing: bool,
}

/// A job whose record is in the group.
struct Written {
    report: Report,
    /// Whether a mark must tell of it before it is reported.
    is_solemn: bool,
}

impl Writer {
    /// A thread's work over an open journal, above an archive with this end and this snapshot.
    pub(super) fn new(
        journal: Journal,
        orders: Receiver<Order>,
        archivist: Sender<archivist::Order>,
        outlet: Outlet,
        register: Register,
        vitals: Vitals,
        (archived, snapshot): (Point, Slot),
    ) -> Writer {
        Writer {
            journal,
            orders,
            archivist,
            outlet,
            register,
            vitals,
            jobs: VecDeque::new(),
            later: VecDeque::new(),
            last_awaited: JobId(0),
            done: JobId(0),
            generation: Generation(0),
            handed: archived,
            snapshot,
            group: Vec::new(),
            closing: false,
        }
    }

    /// Works until it is told to close, or something fails.
    pub(super) fn run(mut self) {
        while !self.closing {
            self.vitals.holds(self.journal.used());
            self.vitals.rests();
            let Ok(order) = self.orders.recv() else { return };
            self.vitals.works();
            self.take(order);
            self.take_waiting();
            if self.outlet.has_failed() {
                return;
            }
            match self.work() {
                Ok(()) => {}
                Err(Trouble::Archive) => return,
                Err(trouble) => return self.outlet.fail("journal", &trouble),
            }
        }
    }

    /// Takes everything that waits, without waiting.
    fn take_waiting(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            self.take(order);
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Job(id, job) => match &job {
                Job::Append { .. } | Job::Promise { .. } => self.jobs.push_back((id, job)),
                Job::Install { .. } | Job::Electorate { .. } | Job::CatchUp { .. } | Job::Adopt { .. } => {
                    self.last_awaited = id;
                    self.jobs.push_back((id, job));
                }
                Job::Deliver { .. } | Job::Snapshot { .. } | Job::Cut { .. } | Job::Heard { .. } => {
                    self.later.push_back((self.last_awaited, job));
                }
            },
            Order::Archived(to) => self.journal.archived(to),
            Order::Close => self.closing = true,
        }
    }

    /// Does all that can be done now.
    fn work(&mut self) -> Result<(), Trouble> {
        loop {
            while self.journal.group_bytes() < GROUP_BYTES_MAX && self.write_next()? {}
            if !self.journal.has_group() {
                return self.hand_over();
            }
            self.sync_group()?;
            self.hand_over()?;
            self.take_waiting();
        }
    }

    /// Puts the next job's record into the group. Not if there is no job, no room, or if it must wait
    /// for the group to be synced.
    fn write_next(&mut self) -> Result<bool, Trouble> {
        let Some((id, job)) = self.jobs.front_mut() else { return Ok(false) };
        let id = *id;
        match job {
            Job::Append { generation, slots } => {
                let generation = *generation;
                let n = portion(slots, self.journal.area_bytes());
                let record = Record::Append(slots[..n].to_vec());
                let is_whole = n == slots.len();
                if !self.has_room(&record)? {
                    return Ok(false);
                }
                self.journal.write(record)?;
                if is_whole {
                    self.jobs.pop_front();
                    self.written(id, Some(generation), false);
                } else if let Some((_, Job::Append { slots, .. })) = self.jobs.front_mut() {
                    slots.drain(..n);
                }
                Ok(true)
            }
            Job::Promise { ballot } => {
                let record = Record::Promise(*ballot);
                self.write_solemn(id, None, record)
            }
            Job::Electorate { electorate } => {
                let record = Record::Electorate(electorate.clone());
                self.write_solemn(id, None, record)
            }
            Job::Install { generation, view, configuration, keep, slots } => {
                let generation = *generation;
                let keeps_delivered = *keep >= self.handed.slot
                    || slots.iter().any(|r| r.slot == self.handed.slot && r.digest == self.handed.digest);
                if !keeps_delivered {
                    return Err(Trouble::Misfit);
                }
                let record = Record::Install {
                    view: view.clone(),
                    configuration: configuration.clone(),
                    keep: *keep,
                    slots: slots.clone(),
                };
                self.write_solemn(id, Some(generation), record)
            }
            Job::CatchUp { .. } | Job::Adopt { .. } => {
                // The archive comes first, and it must not know more than the reports before this one said.
                if self.journal.has_group() {
                    return Ok(false);
                }
                let base =
                    Record::Base { slot: Slot(0), digest: Default::default(), adopted: Some(Default::default()) };
                if !self.has_room(&base)? {
                    return Ok(false);
                }
                match self.jobs.pop_front() {
                    Some((_, Job::CatchUp { generation, slots })) => self.catch_up(id, generation, slots)?,
                    Some((_, Job::Adopt { generation, snapshot })) => self.adopt(id, generation, snapshot)?,
                    Some(_) | None => unreachable!("the job was looked at a moment ago"),
                }
                Ok(true)
            }
            Job::Deliver { .. } | Job::Snapshot { .. } | Job::Cut { .. } | Job::Heard { .. } => {
                unreachable!("not a job of the journal")
            }
        }
    }

    fn write_solemn(&mut self, id: JobId, generation: Option<Generation>, record: Record) -> Result<bool, Trouble> {
        if !self.has_room(&record)? {
            return Ok(false);
        }
        self.jobs.pop_front();
        self.journal.write(record)?;
        self.written(id, generation, true);
        Ok(true)
    }

    /// Slots that others have committed go into the archive; the journal then begins behind them.
    fn catch_up(&mut self, id: JobId, generation: Generation, slots: Vec<SlotRecord>) -> Result<(), Trouble> {
        if let (Some(first), Some(last)) = (slots.first(), slots.last())
            && last.slot > self.handed.slot
        {
            let differs = |r: &SlotRecord| r.slot == self.handed.slot && r.digest != self.handed.digest;
            if first.slot > self.journal.end().next() || slots.iter().any(differs) {
                return Err(Trouble::Misfit);
            }
            let end = Point { slot: last.slot, digest: last.digest };
            // What lies between was accepted here, and is committed since what follows it is.
            let between = self.journal.slots(self.handed.slot.next()).take_while(|r| r.slot < first.slot);
            let above = slots.iter().filter(|r| r.slot > self.handed.slot);
            let slots = between.chain(above).cloned().collect();
            self.ask(|synced| archivist::Order::CatchUp { slots, synced })?;
            self.handed = end;
            self.end_rebuilding()?;
        }
        let Point { slot, digest } = self.handed;
        self.journal.write(Record::Base { slot, digest, adopted: None })?;
        self.written(id, Some(generation), false);
        Ok(())
    }

    /// Another replica's snapshot replaces everything; the journal then begins behind it.
    fn adopt(&mut self, id: JobId, generation: Generation, snapshot: Snapshot) -> Result<(), Trouble> {
        let Snapshot { slot, digest, .. } = snapshot;
        if slot < self.handed.slot {
            return Err(Trouble::Misfit);
        }
        let adopted = Some(snapshot.configuration.clone());
        self.ask(|synced| archivist::Order::Adopt { snapshot, synced })?;
        self.handed = Point { slot, digest };
        self.snapshot = slot;
        self.end_rebuilding()?;
        self.journal.write(Record::Base { slot, digest, adopted })?;
        self.written(id, Some(generation), true);
        Ok(())
    }

    /// An archive that was lost is back when it reaches what the journal builds on.
    fn end_rebuilding(&self) -> Result<(), Trouble> {
        let is_lost = self.register.identity().state == State::Rebuilding;
        if is_lost && self.handed.slot >= self.journal.base().slot {
            self.register.change(|identity| identity.state = State::Ready).map_err(Trouble::Register)?;
            log::info!("the archive is rebuilt up to slot {}", self.handed.slot);
        }
        Ok(())
    }

    /// Has the archivist do something, and waits until it is synced.
    fn ask(&self, order: impl FnOnce(Sender<()>) -> archivist::Order) -> Result<(), Trouble> {
        let (synced, answer) = channel();
        self.archivist.send(order(synced)).map_err(|_| Trouble::Archive)?;
        // While this waits, the archivist's signs are the ones to look at.
        self.vitals.rests();
        let answer = answer.recv().map_err(|_| Trouble::Archive);
        self.vitals.works();
        answer
    }

    fn written(&mut self, job: JobId, generation: Option<Generation>, is_solemn: bool) {
        self.generation = generation.unwrap_or(self.generation);
        let report = Report::Durable {
            job,
            generation: self.generation,
            end: self.journal.end(),
            ordinal: self.journal.last_ordinal(),
        };
        self.group.push(Written { report, is_solemn });
    }

    fn sync_group(&mut self) -> Result<(), Trouble> {
        self.vitals.timed(|| self.journal.sync())?;
        let plain = self.group.iter().position(|written| written.is_solemn).unwrap_or(self.group.len());
        let solemn = self.group.split_off(plain);
        let group = std::mem::take(&mut self.group);
        self.report(group);
        if !solemn.is_empty() {
            self.vitals.timed(|| self.journal.sync_mark())?;
            self.report(solemn);
        }
        Ok(())
    }

    fn report(&mut self, group: Vec<Written>) {
        if let Some(Written { report: Report::Durable { job, .. }, .. }) = group.last() {
            self.done = *job;
        }
        self.outlet.say(group.into_iter().map(|written| Done::Report(written.report)));
    }

    /// Gives the archivist what the journal allows.
    fn hand_over(&mut self) -> Result<(), Trouble> {
        while let Some((after, job)) = self.later.front() {
            let is_ready = match job {
                Job::Deliver { upto } => *after <= self.done && *upto <= self.journal.end(),
                Job::Snapshot { snapshot } => snapshot.slot <= self.handed.slot,
                Job::Cut { below } => below.previous() <= self.snapshot,
                Job::Heard { .. } => true,
                Job::Append { .. }
                | Job::Promise { .. }
                | Job::Install { .. }
                | Job::Electorate { .. }
                | Job::CatchUp { .. }
                | Job::Adopt { .. } => unreachable!("not a job of the archive"),
            };
            if !is_ready {
                return Ok(());
            }
            let Some((_, job)) = self.later.pop_front() else { return Ok(()) };
            let order = self.order(job);
            self.archivist.send(order).map_err(|_| Trouble::Archive)?;
        }
        Ok(())
    }

    fn order(&mut self, job: Job) -> archivist::Order {
        match job {
            Job::Deliver { upto } => {
                let slots = self.journal.slots(self.handed.slot.next()).take_while(|r| r.slot <= upto);
                let slots: Vec<SlotRecord> = slots.cloned().collect();
                if let Some(last) = slots.last() {
                    self.handed = Point { slot: last.slot, digest: last.digest };
                }
                archivist::Order::Deliver { slots, upto }
            }
            Job::Snapshot { snapshot } => {
                self.snapshot = self.snapshot.max(snapshot.slot);
                archivist::Order::Save(snapshot)
            }
            Job::Cut { below } => archivist::Order::Cut(below),
            Job::Heard { marks } => archivist::Order::Hear(marks),
            Job::Append { .. }
            | Job::Promise { .. }
            | Job::Install { .. }
            | Job::Electorate { .. }
            | Job::CatchUp { .. }
            | Job::Adopt { .. } => unreachable!("not a job of the archive"),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Io(error)
    }
}

impl From<Misfit> for Trouble {
    fn from(Misfit: Misfit) -> Trouble {
        Trouble::Misfit
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Io(error) => write!(f, "{error}"),
            Trouble::Misfit => write!(f, "slots that contradict what is stored"),
            Trouble::TooLarge => write!(f, "a record that is larger than the journal can hold"),
            Trouble::Archive => write!(f, "the archive is gone"),
            Trouble::Register(error) => write!(f, "{error}"),
        }
    }
}
