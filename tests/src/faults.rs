//! What a seed makes of the world: its size, its load, and its own mix of faults (a swarm).
//!
//! Not every fault is on in every seed: what happens rarely in a mix of everything happens often where
//! only two or three kinds of trouble are at work.

use crate::clients::Load;
use crate::network::Behaviour;
use crate::world::Setup;
use ftq_core::chance::Chance;
use ftq_core::replica::Order;
use ftq_core::time::{Span, Time};
use ftq_storage::memory::{Drawn, Faults};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing gets from one member to another.
    OneWayCut,
    /// Two halves do not hear each other.
    Halves,
    /// One member is alone.
    Isolated,
    /// Whose turn it is is alone, for long enough that the others go on without it.
    Sequencer,
    /// A member is cut off, from all or most of the others, just as it sequences a slot.
    SequencerArmed,
    /// Two sides hear each other only through one member.
    Bridge,
    /// A link comes and goes each second.
    Flapping,
    /// A path takes only small datagrams.
    BlackHole,
    /// Links lose much for a while.
    LossBurst,
    /// A member stands still for a while.
    Pause,
    /// A process is killed.
    Crash,
    /// The power of one member is cut.
    PowerCutOne,
    /// The power of one member is cut at the next moment at which that hurts.
    PowerCutArmed,
    /// The power of some members is cut at one moment.
    PowerCutSome,
    /// The power of all members is cut at one moment.
    PowerCutAll,
    /// A disk is slow for a while.
    SlowDisk,
    /// A disk hangs for a while.
    HungDisk,
    /// A sync fails.
    FailedSync,
    /// A processor is slow for a while.
    SlowCpu,
    /// A member's clock jumps.
    ClockJump,
    /// The clocks of all members jump, far enough for sessions to expire.
    ClocksJump,
    /// A member's clock drifts.
    ClockDrift,
    /// A member comes back with a new disk.
    NewDisk,
    /// Something rots on a disk, or is lost.
    Rot,
    /// A copy of a disk is put back.
    PutBack,
    /// The cluster changes.
    ClusterChange,
    /// The cluster changes, and just then two sides do not hear each other any more.
    ChangeArmed,
    /// A member is told to stop, hands over, and is started again.
    Retire,
    /// A disk is nearly full for a while.
    FullDisk,
}

const ALL: [Fault; 29] = [
    Fault::OneWayCut,
    Fault::Halves,
    Fault::Isolated,
    Fault::Sequencer,
    Fault::SequencerArmed,
    Fault::Bridge,
    Fault::Flapping,
    Fault::BlackHole,
    Fault::LossBurst,
    Fault::Pause,
    Fault::Crash,
    Fault::PowerCutOne,
    Fault::PowerCutArmed,
    Fault::PowerCutSome,
    Fault::PowerCutAll,
    Fault::SlowDisk,
    Fault::HungDisk,
    Fault::FailedSync,
    Fault::SlowCpu,
    Fault::ClockJump,
    Fault::ClocksJump,
    Fault::ClockDrift,
    Fault::NewDisk,
    Fault::Rot,
    Fault::PutBack,
    Fault::ClusterChange,
    Fault::ChangeArmed,
    Fault::Retire,
    Fault::FullDisk,
];

/// How much later than it wants a replica is called when time has passed: nearly as late as it would be missed.
const TICK_LATE_MAX: Span = Span::millis(250);

/// The random faults of a run.
#[derive(Clone, Debug)]
pub struct Mix {
    /// The kinds that are on; at least one.
    pub kinds: Vec<Fault>,
    /// When the first one may happen.
    pub from: Time,
    /// About how far apart they are.
    pub every: Span,
    /// About how long each of them lasts.
    pub lasts: Span,
}

/// What a seed is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A few seconds of its own mix of everything; now and then with more stores lost than a cluster survives.
    Mix,
    /// The same, and always with more stores lost.
    Beyond,
    /// Five members, all kinds of faults for so many minutes, and a change of the cluster in each.
    Long {
        /// How many minutes of virtual time.
        minutes: u64,
    },
}

impl Profile {
    /// The options of the command that runs it.
    pub(crate) fn options(self) -> String {
        match self {
            Profile::Mix => String::new(),
            Profile::Beyond => String::from(" --beyond"),
            Profile::Long { minutes } => format!(" --minutes {minutes}"),
        }
    }
}

/// One seed in so many loses more stores than a cluster survives.
const BEYOND_EVERY: u64 = 16;

/// How many members a long run begins with, and how many replicas more there are.
const LONG_MEMBERS: usize = 5;
const LONG_SPARES: usize = 2;

/// All of what one seed does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The world.
    pub setup: Setup,
    /// What each client does.
    pub loads: Vec<Load>,
    /// How far apart the members start at most.
    pub starts_apart: Span,
    /// For how long there are faults.
    pub trouble: Span,
}

impl Plan {
    /// What `seed` does in this profile.
    pub fn of(profile: Profile, seed: u64) -> Plan {
        match profile {
            Profile::Mix => Plan::draw(seed),
            Profile::Beyond => Plan::draw(seed).beyond(),
            Profile::Long { minutes } => Plan::long(seed, minutes),
        }
    }

    /// A few seconds of anything.
    fn draw(seed: u64) -> Plan {
        let mut chance = Chance::new(seed ^ 0x5eed_0fa1_1fa1);
        let c = &mut chance;
        let members = [1, 2, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7][index(c, 12)];
        let delay = if c.below(2) == 0 { Span::millis(1) } else { Span::micros(50) };
        let spares = if c.below(4) == 0 { 1 + index(c, 3) } else { 0 };
        let clients = 1 + index(c, 4);
        let setup = Setup {
            members,
            spares,
            clients,
            seed,
            order: if c.below(4) == 0 { Order::Fixed } else { Order::Rotating },
            links: Plan::links(c, delay),
            // The seal of the client protocol has a replay window: no datagram gets through twice.
            client_links: Behaviour { duplicate: 0, replay: 0, ..Plan::links(c, delay) },
            disks: Plan::disks(c),
            cpu: [Span::ZERO, Span::ZERO, Span::micros(5), Span::micros(100)][index(c, 4)],
            tick_late: if c.below(6) == 0 { Span(c.below(TICK_LATE_MAX.0)) } else { Span::ZERO },
            snapshot_every: [20, 100, 1_000][index(c, 3)],
            log_keep: [10, 100, 1_000][index(c, 3)],
            mix: Some(Plan::mix(c)),
            upgrade: seed % 8 == 3,
            ..Setup::cluster(members)
        };
        let loads = (0..clients).map(|_| Load::draw(c)).collect();
        let starts_apart = [Span::ZERO, Span::millis(100), Span::secs(2)][index(c, 3)];
        let trouble = Span::millis(2_000 + c.below(6_000));
        let plan = Plan { setup, loads, starts_apart, trouble };
        if seed % BEYOND_EVERY == 7 { plan.beyond() } else { plan }
    }

    /// The same, but more stores are lost than a cluster survives.
    fn beyond(mut self) -> Plan {
        if let Some(mix) = &mut self.setup.mix {
            mix.kinds.extend([Fault::NewDisk, Fault::Rot]);
        }
        self.setup.beyond = true;
        self
    }

    /// Five members and everything that may happen to them, for so many minutes.
    fn long(seed: u64, minutes: u64) -> Plan {
        let mut plan = Plan::draw(seed);
        let mut chance = Chance::new(seed ^ 0x10_5e_ed);
        let mix = Mix {
            kinds: ALL.into_iter().filter(|kind| !matches!(kind, Fault::ClusterChange | Fault::ChangeArmed)).collect(),
            every: [Span::millis(700), Span::secs(2), Span::secs(6)][index(&mut chance, 3)],
            lasts: [Span::millis(100), Span::millis(400), Span::millis(1_500)][index(&mut chance, 3)],
            from: Time(600_000),
        };
        let (members, spares, clients) = (LONG_MEMBERS, LONG_SPARES, 3);
        // What is said all the time is not to hide what follows from the faults.
        let think = [Span::millis(20), Span::millis(200), Span::secs(1)][index(&mut chance, 3)];
        plan.loads = (0..clients).map(|_| Load { think, padding: 0, ..Load::draw(&mut chance) }).collect();
        plan.trouble = Span::secs(minutes * 60);
        plan.setup = Setup { members, spares, clients, mix: Some(mix), upgrade: false, beyond: false, ..plan.setup };
        plan.setup.changes = true;
        plan
    }

    /// The same cluster without any trouble.
    pub(crate) fn quiet(&self) -> Setup {
        let delay = self.setup.links.delay;
        Setup {
            order: self.setup.order,
            seed: self.setup.seed,
            ..Setup::cluster(self.setup.members).clients(1).delay(delay)
        }
    }

    /// What the links do all the time.
    fn links(c: &mut Chance, delay: Span) -> Behaviour {
        let rate = |c: &mut Chance, max: u64| match c.below(4) {
            0 | 1 => 0,
            2 => c.below(max / 10 + 1),
            _ => c.below(max + 1),
        };
        Behaviour {
            delay,
            jitter: match c.below(4) {
                0 | 1 => Span(delay.0 / 20),
                2 => Span(c.below(5_000)),
                _ => Span(c.below(100_000)),
            },
            loss: rate(c, 300),
            duplicate: rate(c, 500),
            replay: rate(c, 500),
            corrupt: rate(c, 50),
            hold: rate(c, 50),
            hold_max: Span::millis(50 + c.below(500)),
        }
    }

    /// What the disks do all the time.
    fn disks(c: &mut Chance) -> Faults {
        let base = [Span::micros(50), Span::micros(250), Span::millis(2)][index(c, 3)];
        let late = c.below(3) == 0;
        // Now and then so late that a view change, or several, lie between (RULES S8).
        let late_max = [20, 20, 2_000, 6_000][index(c, 4)];
        Faults {
            journal: Drawn { base, jitter: Span(c.below(base.0 * 4 + 1)) },
            late_percent: if late { 1 + c.below(50) } else { 0 },
            late: Span::millis(if late { 1 + c.below(late_max) } else { 0 }),
            ..Faults::default()
        }
    }

    /// Which troubles come, and how many.
    fn mix(c: &mut Chance) -> Mix {
        let kinds_max = 1 + c.below(6);
        let mut kinds: Vec<Fault> = (0..kinds_max).map(|_| ALL[index(c, ALL.len())]).collect();
        if c.below(8) == 0 {
            kinds = ALL.to_vec();
        }
        let every = [Span::millis(60), Span::millis(300), Span::millis(1_000)][index(c, 3)];
        let lasts = [Span::millis(30), Span::millis(400), Span::millis(2_000)][index(c, 3)];
        let from = if c.below(4) == 0 { Time(0) } else { Time(600_000) };
        Mix { kinds, from, every, lasts }
    }
}

impl Mix {
    /// The next kind of fault.
    pub(crate) fn next(&self, c: &mut Chance) -> Fault {
        self.kinds[index(c, self.kinds.len())]
    }

    /// How long it is until the next one.
    pub(crate) fn pause(&self, c: &mut Chance) -> Span {
        Span(1 + self.every.0 / 4 + c.below(self.every.0 * 3 / 2))
    }

    /// How long this one lasts.
    pub(crate) fn lasts(&self, c: &mut Chance) -> Span {
        Span(1 + self.lasts.0 / 4 + c.below(self.lasts.0 * 3 / 2))
    }
}

/// An index below `len`, which is not zero.
pub(crate) fn index(c: &mut Chance, len: usize) -> usize {
    usize::try_from(c.below(len as u64)).unwrap_or(0)
}
