//! Counts of what happened: a simulation in which nothing happened has shown nothing.

use bytes::Bytes;
use ftq_core::machine::queues::{Answer, Command, Error, decode_reply};
use std::fmt;

macro_rules! counts {
    ($($(#[doc = $doc:literal])+ $name:ident = $label:literal,)+) => {
        /// Something that is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Count {
            $($(#[doc = $doc])+ $name,)+
        }

        /// Everything that is counted, in the order in which it is printed.
        const ALL: &[(Count, &str)] = &[$((Count::$name, $label),)+];
    };
}

counts! {
    /// Things that happened in virtual time.
    Happenings = "happenings",
    /// Virtual milliseconds that went by.
    Milliseconds = "virtual milliseconds",
    /// Datagrams handed to the network by replicas.
    Datagrams = "datagrams",
    /// Their bytes.
    DatagramBytes = "datagram bytes",
    /// Datagrams between clients and replicas.
    ClientDatagrams = "client datagrams",
    /// Datagrams that were lost by chance.
    Lost = "datagrams lost",
    /// Datagrams that came twice.
    Duplicated = "datagrams duplicated",
    /// Old datagrams that came again.
    Replayed = "old datagrams replayed",
    /// Datagrams that were altered, and did not open.
    Corrupted = "datagrams corrupted",
    /// Datagrams that took much longer than others.
    Delayed = "datagrams held up",
    /// Datagrams that arrived before one that was sent earlier.
    Reordered = "datagrams reordered",
    /// Datagrams that a cut took.
    CutOff = "datagrams cut off",
    /// Large datagrams that a path took.
    BlackHoled = "large datagrams vanished",
    /// Datagrams for a replica that was down or had no room.
    Undelivered = "datagrams nobody took",
    /// One-way cuts.
    OneWayCut = "one-way cuts",
    /// Two halves without a link.
    Halves = "partitions in halves",
    /// One member without links.
    Isolated = "members isolated",
    /// The one whose turn it was was alone.
    Sequencer = "sequencers isolated",
    /// Members that were cut off just as they sequenced a slot.
    SequencerCut = "sequencers cut off as they spoke",
    /// Changes of the cluster in whose midst two sides were parted.
    ChangeParted = "changes parted",
    /// Two sides joined by one member.
    Bridge = "bridges",
    /// Links that come and go each second.
    Flapping = "flapping links",
    /// Paths that only small datagrams pass.
    BlackHole = "path black holes",
    /// Spells of heavy loss.
    LossBurst = "bursts of loss",
    /// Members that stood still.
    Pause = "pauses",
    /// Processes killed.
    Crash = "crashes",
    /// Power cuts of one member.
    PowerCutOne = "power cuts of one",
    /// Power cuts of one member at a moment at which that hurts.
    PowerCutArmed = "power cuts at a bad moment",
    /// Power cuts of some members at once.
    PowerCutSome = "power cuts of some",
    /// Power cuts of all members at once.
    PowerCutAll = "power cuts of all",
    /// Starts of a replica on a disk that has been in use.
    Restart = "restarts",
    /// Disks that became slow.
    SlowDisk = "slow disks",
    /// Disks that hung.
    HungDisk = "hung disks",
    /// Syncs that failed.
    FailedSync = "failed syncs",
    /// Processors that became slow.
    SlowCpu = "slow processors",
    /// Clocks that jumped.
    ClockJump = "clock jumps",
    /// Clocks that drifted.
    ClockDrift = "clock drifts",
    /// Appends of which a power cut left a part.
    TornAppend = "appends torn",
    /// Journal jobs that a crash or a power cut took.
    LostJob = "journal jobs lost",
    /// Reports of a store that came late.
    LateReport = "store reports late",
    /// Members that got a new disk.
    NewDisk = "new disks",
    /// Stores that came back older than others had heard of them.
    OlderStore = "older stores",
    /// Stores that had lost what was applied.
    HollowStore = "stores without their archive",
    /// Of those, the ones that lost with it a change of the cluster later than their last install.
    LostChange = "stores without their archive, and a change with it",
    /// Stores that had lost what they had promised.
    ForgetfulStore = "stores without their journal",
    /// Mishaps that hit nothing that is needed.
    Unhurt = "mishaps that hurt nothing",
    /// Members that were re-admitted with another store.
    Readmitted = "members re-admitted",
    /// Members that were rebuilt.
    Rebuilt = "members rebuilt",
    /// Members that were told to stop, and have.
    Retired = "members retired",
    /// Those of them without whom the others had gone on by then.
    HandedOver = "members that handed over",
    /// Disks that were nearly full.
    FullDisk = "disks nearly full",
    /// Requests that were refused since too few disks had room.
    RefusedForRoom = "requests refused for want of room",
    /// Runs that may lose more stores than a cluster survives.
    Beyond = "runs beyond the fault budget",
    /// Such runs that ended without a quorum of stores that have forgotten nothing.
    QuorumLost = "runs that lost their quorum",
    /// Changes of the cluster that were ordered.
    ChangeOrdered = "changes ordered",
    /// Members added.
    Added = "members added",
    /// Members removed.
    Removed = "members removed",
    /// Members replaced.
    Replaced = "members replaced",
    /// Changes that could not be made.
    ChangeUnfit = "changes refused",
    /// Changes of which nobody knows how they ended.
    ChangeUnknown = "changes unknown",
    /// Views over a change that was not proven.
    JointView = "joint views",
    /// Runs in which time passes unnoticed for a while.
    TickLate = "runs that are called late",
    /// Runs with the fixed ring.
    FixedOrder = "runs in fixed order",
    /// Views that a quorum of members began to order in.
    ViewChange = "views opened",
    /// Installs made durable.
    Installed = "installs",
    /// Slots cut off a log by an install.
    CutByInstall = "slots cut by an install",
    /// Slots committed.
    Committed = "slots committed",
    /// Slots without a request.
    EmptySlot = "empty slots",
    /// Requests executed.
    Executed = "requests executed",
    /// Pops and takes that waited.
    Waiting = "requests that waited",
    /// Pushes that were done.
    Pushed = "pushes",
    /// Items popped.
    Popped = "items popped",
    /// Items taken under a lease.
    Taken = "items leased",
    /// Leases that were acked.
    Acked = "items acked",
    /// Receipts that were refused.
    StaleReceipt = "receipts refused",
    /// Requests with several steps that were done.
    Stepped = "requests of several steps",
    /// Waits that ended without anything.
    WaitedInVain = "waits in vain",
    /// Dead letters sent back.
    SentBack = "dead letters sent back",
    /// Retries that were ordered and answered from a session table.
    Repeated = "retries answered from a session table",
    /// Requests refused by a session's floor.
    Settled = "requests below a session's floor",
    /// Requests of sessions that were gone.
    NoSession = "requests without a session",
    /// Switches to newer rules of the queues.
    Ruled = "switches of rules",
    /// Slots caught up by ranges of the log.
    CaughtUpByLog = "catch-ups by log",
    /// Snapshots taken over.
    CaughtUpBySnapshot = "catch-ups by snapshot",
    /// Calls that clients began.
    Called = "calls",
    /// Calls that were answered.
    Answered = "calls answered",
    /// Calls that were definitely refused.
    Refused = "calls refused",
    /// Calls that ended unknown.
    Unknown = "calls unknown",
    /// Calls that ended because the session was gone.
    Expired = "calls of expired sessions",
    /// Sessions closed by their clients.
    Closed = "sessions closed",
    /// Linearizable reads answered.
    Read = "linearizable reads",
    /// Local reads answered.
    LocalRead = "local reads",
    /// Things that a replica refused.
    RefusedInput = "inputs refused by a replica",
    /// Members found behind the network's or their own bounds: inputs dropped from a full queue.
    InboxFull = "inputs dropped from a full queue",
}

/// How often each of them happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts([u64; ALL.len()]);

impl Default for Counts {
    fn default() -> Counts {
        Counts([0; ALL.len()])
    }
}

impl Counts {
    /// Once more.
    pub fn one(&mut self, what: Count) {
        self.add(what, 1);
    }

    /// So many more.
    pub fn add(&mut self, what: Count, n: u64) {
        self.0[what as usize] += n;
    }

    /// Adds up two runs.
    pub fn merge(&mut self, other: &Counts) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, n)| *sum += n);
    }

    /// A command got its answer.
    pub fn answer(&mut self, command: &Bytes, answer: &Bytes) {
        let Ok(command) = Command::decode(command) else { return };
        match (command, decode_reply(answer)) {
            (_, Ok(Answer::Pushed { .. })) => self.one(Count::Pushed),
            (_, Ok(Answer::Popped(items))) => self.add(Count::Popped, items.len() as u64),
            (_, Ok(Answer::Taken(items))) => self.add(Count::Taken, items.len() as u64),
            (_, Ok(Answer::Steps(_))) => self.one(Count::Stepped),
            (Command::Ack { .. }, Ok(Answer::Done { count })) => self.add(Count::Acked, count),
            (Command::SendBack { .. }, Ok(Answer::Done { count })) => self.add(Count::SentBack, count),
            (Command::Pop { wait_ms: 1.., .. } | Command::Take { wait_ms: 1.., .. }, Err(Error::Empty)) => {
                self.one(Count::WaitedInVain);
            }
            (_, Err(Error::NoSuchLease)) => self.one(Count::StaleReceipt),
            (_, Ok(_) | Err(_)) => {}
        }
    }

    /// How often it happened.
    pub fn of(&self, what: Count) -> u64 {
        self.0[what as usize]
    }

    /// What never happened, and so was not tested.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> + '_ {
        ALL.iter().filter(|(what, _)| self.of(*what) == 0).map(|(_, label)| *label)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ALL.iter().try_for_each(|(what, label)| writeln!(f, "{:>14}  {label}", self.of(*what)))
    }
}
