//! One member: a replica, its disk, its clock, its processor. It takes inputs into a bounded queue and
//! is as slow, as hung or as dead as it was told to be.
//!
//! ```text
//!           start                    pause
//!   down ──────────▶ running ◀──────────────▶ standing still   (inputs wait, the disk goes on)
//!    ▲                  │
//!    └── crash, power cut, a failed disk
//! ```

use crate::clock::LocalClock;
use ftq_core::ids::{BootId, MemberId, StoreId};
use ftq_core::machine::queues::{Limits, Queues, Rules};
use ftq_core::replica::{Input, Options, Order, Output, Replica, Succession};
use ftq_core::store::Opened;
use ftq_core::time::{Span, Time};
use ftq_storage::memory::{Disk, Faults, Memory};
use ftq_storage::{Done, Store};
use std::collections::VecDeque;

/// How many inputs from the network wait for a replica: about what a socket's buffer of 200 KiB holds.
/// More are dropped.
const INBOX_MAX: usize = 256;

/// How many inputs are taken before the outputs are looked at, as the daemon's loop does.
const BATCH: usize = 64;

/// The limits of the simulated cluster: as they are by default.
pub const LIMITS: Limits = Limits { item_bytes_max: 1 << 20, memory_bytes_max: 1 << 30 };

/// A replica that runs.
#[derive(Debug)]
pub struct Running {
    /// The replica.
    pub replica: Replica<Queues>,
    /// Its store.
    pub store: Memory,
    /// This run of it.
    pub boot: BootId,
}

/// A member of the cluster.
#[derive(Debug)]
pub struct Node {
    /// Its id.
    pub member: MemberId,
    /// The replica, while it runs.
    pub running: Option<Box<Running>>,
    /// The disk, while nothing runs on it.
    pub disk: Option<Disk>,
    /// How its disk behaves.
    pub faults: Faults,
    /// How long its processor takes for one input: now, and when nothing is wrong with it.
    pub cpu: Span,
    pub(crate) healthy_cpu: Span,
    /// How much later than it wants to it is called when time has passed.
    pub(crate) tick_late: Span,
    /// The build that is installed, by the newest rules of the queues that it knows; and the rules under which the
    /// cluster began.
    pub build: Rules,
    pub(crate) begins: Rules,
    /// How often it has started.
    pub boots: u64,
    pub(crate) clock: LocalClock,
    pub(crate) paused: bool,
    /// How often it was paused; how often its disk and its processor got into trouble: so that the end
    /// of an old trouble is not taken for the end of a new one.
    pub(crate) pauses: u64,
    pub(crate) disk_troubles: u64,
    pub(crate) cpu_troubles: u64,
    /// The moment for which a wake is queued.
    pub(crate) wake_at: Time,
    /// Whether the processor is at work, and on how many inputs.
    pub(crate) busy: bool,
    working_on: usize,
    /// Whether it is to run: a spare is not before it is told to, and who was removed is not any more.
    pub(crate) enlisted: bool,
    /// Whom a replica that joins knows; nobody knows it.
    pub(crate) contact: Option<MemberId>,
    /// The store that has forgotten something, until the cluster has admitted another one in its place.
    pub(crate) forgotten: Option<StoreId>,
    /// What its store has forgotten it could only be told by others.
    pub(crate) is_behind: bool,
    /// Since when its disk has not forgotten anything.
    pub(crate) disk_since: Time,
    /// What order it is told, if not the cluster's; and whether it has said that most others were told another.
    pub(crate) order: Option<Order>,
    pub(crate) is_disordered: bool,
    /// How it has retired, if that ended its last run.
    pub(crate) retired: Option<Succession>,
    /// How long after that it is started again, if it is.
    pub(crate) back_after: Option<Span>,
    /// Its disk is nearly full.
    pub(crate) is_full: bool,
    /// It has said that its store is older than what others have heard.
    pub(crate) is_older: bool,
    /// A copy of its disk that somebody may put back.
    pub(crate) copy: Option<Disk>,
    /// The moment at which something is to happen to it, and what.
    pub(crate) armed: Option<(Moment, Blow)>,
    inbox: VecDeque<Input>,
    ticking: bool,
}

/// What happens to a member at a bad moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// Its power is cut; it is back soon.
    PowerCut,
    /// What it sends from then on reaches nobody, or few, for so long.
    CutOff(Span),
    /// Two sides do not hear each other, for so long.
    Part(Span),
}

/// A moment at which a blow hurts most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It has sequenced a slot, and perhaps nobody has heard of it.
    Sequenced,
    /// Several slots are on their way to its disk at once.
    SeveralSlots,
    /// A promise is on its way to its disk.
    Promise,
    /// An install is on its way to its disk.
    Install,
    /// It has answered a client.
    Answered,
    /// A change of the cluster is on its way to its disk.
    Changed,
}

/// How the first input of the queue may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There is nothing to take, or nobody to take it.
    Idle,
    /// At once.
    Now,
    /// After so long.
    After(Span),
}

impl Node {
    /// A member that is down, with an empty disk.
    pub fn new(member: MemberId, disk: Disk, clock: LocalClock) -> Node {
        Node {
            member,
            running: None,
            disk: Some(disk),
            faults: Faults::default(),
            cpu: Span::ZERO,
            healthy_cpu: Span::ZERO,
            tick_late: Span::ZERO,
            build: Rules::NEWEST,
            begins: Rules::NEWEST,
            boots: 0,
            clock,
            paused: false,
            pauses: 0,
            disk_troubles: 0,
            cpu_troubles: 0,
            wake_at: Time::NEVER,
            enlisted: true,
            contact: None,
            forgotten: None,
            is_behind: false,
            disk_since: Time(0),
            order: None,
            is_disordered: false,
            retired: None,
            back_after: None,
            is_full: false,
            is_older: false,
            copy: None,
            armed: None,
            busy: false,
            working_on: 0,
            inbox: VecDeque::new(),
            ticking: false,
        }
    }

    /// Starts a replica on the disk; gives back what the disk held.
    pub(crate) fn start(&mut self, now: Time, options: Options, boot: BootId, seed: u64) -> Option<Opened> {
        let disk = self.disk.take()?;
        let (store, opened) = Memory::open(disk, now, self.faults, seed);
        let machine = self.machine();
        let replica = Replica::new(self.clock.read(now), options, boot, seed.rotate_left(17), opened.clone(), machine);
        self.running = Some(Box::new(Running { replica, store, boot }));
        self.boots += 1;
        self.inbox.clear();
        (self.busy, self.working_on, self.ticking, self.paused) = (false, 0, false, false);
        (self.wake_at, self.armed, self.retired) = (Time::NEVER, None, None);
        Some(opened)
    }

    /// A machine before the first slot, as the installed build makes it.
    pub(crate) fn machine(&self) -> Queues {
        if self.begins == Rules::FIRST { Queues::of_build(self.build, LIMITS) } else { Queues::new(LIMITS) }
    }

    /// The replica stops; what it leaves on the disk is up to `leave`.
    pub(crate) fn stop(&mut self, leave: impl FnOnce(Memory) -> Disk) -> bool {
        let Some(running) = self.running.take() else { return false };
        self.disk = Some(leave(running.store));
        self.inbox.clear();
        (self.busy, self.working_on, self.ticking, self.paused) = (false, 0, false, false);
        (self.wake_at, self.armed) = (Time::NEVER, None);
        true
    }

    /// Something for the replica; whether there was room for it.
    pub(crate) fn accept(&mut self, input: Input) -> bool {
        let bounded = matches!(input, Input::Datagram { .. } | Input::Client { .. });
        if self.running.is_none() || (bounded && self.inbox.len() >= INBOX_MAX) {
            return false;
        }
        self.inbox.push_back(input);
        true
    }

    /// Time has come to `now`: the store goes on, and the replica is told what it has to know.
    pub(crate) fn advance(&mut self, now: Time) {
        let Some(running) = &mut self.running else { return };
        running.store.advance(now);
        while let Some(done) = running.store.poll() {
            self.inbox.push_back(match done {
                Done::Report(report) => Input::Report(report),
                Done::Fetched(id, fetched) => Input::Fetched { id, fetched },
            });
        }
        let due = running.replica.deadline().is_some_and(|(at, _)| at + self.tick_late <= self.clock.read(now));
        if due && !self.ticking && !self.paused {
            self.ticking = true;
            self.inbox.push_back(Input::Tick);
        }
    }

    /// When the next input may be taken.
    pub(crate) fn turn(&mut self) -> Turn {
        if self.running.is_none() || self.paused || self.inbox.is_empty() || self.busy {
            Turn::Idle
        } else if self.cpu == Span::ZERO {
            Turn::Now
        } else {
            self.busy = true;
            self.working_on = self.inbox.len().min(BATCH);
            Turn::After(self.cpu.times(self.working_on as u64))
        }
    }

    /// The replica takes inputs: those that its processor was at work on, or some. What it wants done goes to `out`.
    pub(crate) fn take(&mut self, now: Time, mut taken: impl FnMut(BootId, &Input), out: &mut Vec<Output>) {
        let Some(running) = &mut self.running else { return };
        let local = self.clock.read(now);
        let batch = if self.working_on > 0 { std::mem::take(&mut self.working_on) } else { BATCH };
        for _ in 0..batch {
            let Some(input) = self.inbox.pop_front() else { break };
            self.ticking &= !matches!(input, Input::Tick);
            taken(running.boot, &input);
            running.replica.handle(local, input);
        }
        while let Some(output) = running.replica.poll(local) {
            out.push(output);
        }
    }

    /// When this member wants to be called next.
    pub(crate) fn next_wake(&self, now: Time) -> Time {
        let Some(running) = &self.running else { return Time::NEVER };
        let store = running.store.deadline().unwrap_or(Time::NEVER);
        let replica = if self.paused || self.ticking {
            Time::NEVER
        } else {
            running.replica.deadline().map_or(Time::NEVER, |(at, _)| self.clock.when(at + self.tick_late))
        };
        // What is due now has been done; a deadline that stays in the past must not stop the world.
        store.min(replica).max(now + Span(1))
    }

    /// How the disk behaves from now on.
    pub(crate) fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        if let Some(running) = &mut self.running {
            running.store.set_faults(faults);
        }
    }

    /// What is durable.
    pub fn durable(&self) -> &Disk {
        match &self.running {
            Some(running) => running.store.disk(),
            None => self.disk.as_ref().expect("who does not run has left its disk"),
        }
    }

    /// Whether it runs and does not stand still.
    pub fn is_up(&self) -> bool {
        self.running.is_some() && !self.paused
    }
}
