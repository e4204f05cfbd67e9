//! A replica: link, group and machine joined, with a store and clients outside.
//!
//! [`Replica::handle`] takes an input and never fails; [`Replica::poll`] is drained after one or more
//! inputs; [`Replica::deadline`] says when to call with [`Input::Tick`] at the latest.

use crate::ids::{Ballot, BootId, ClusterId, Digest, MemberId, MemberSet, Slot};
use crate::machine::Machine;
use crate::session::message::{ClientMessage, ServerMessage};
use crate::store::{Fetch, Fetched, Job, JobId, Opened, Report};
use crate::time::{SlotClock, Time};
use bytes::Bytes;
use core::marker::PhantomData;

/// A client as the shell knows it; it means nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// Names a [`Output::Fetch`] until its answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub u64);

/// Who takes turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Every member of the view.
    #[default]
    Rotating,
    /// One member.
    Fixed,
}

/// What a replica is told once.
#[derive(Clone, Debug)]
pub struct Options {
    /// This member.
    pub me: MemberId,
    /// The cluster.
    pub cluster: ClusterId,
    /// The members as configured; it counts until a first view has formed.
    pub founding: MemberSet,
    /// Who takes turns.
    pub order: Order,
    /// The largest datagram, in bytes.
    pub datagram_max: usize,
    /// A snapshot is taken at every slot that this divides.
    pub snapshot_every: u64,
    /// How many delivered slots are kept below the newest snapshot.
    pub log_keep: u64,
}

/// Something that happened to the replica.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram that `from` is said to have sent. It may be anything.
    Datagram {
        /// The sender, by its address or its seal.
        from: MemberId,
        /// The bytes.
        bytes: Bytes,
    },
    /// A client's message.
    Client {
        /// Who to answer.
        client: ClientId,
        /// What it said.
        message: ClientMessage,
    },
    /// The store has done something.
    Report(Report),
    /// The store has read something.
    Fetched {
        /// The id of the [`Output::Fetch`].
        id: FetchId,
        /// What it read.
        fetched: Fetched,
    },
    /// Time has passed.
    Tick,
}

/// Something that the replica wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send one datagram to each of `to`.
    Send {
        /// The receivers.
        to: MemberSet,
        /// The bytes.
        bytes: Bytes,
    },
    /// Answer a client.
    Reply {
        /// Who.
        client: ClientId,
        /// With what.
        message: ServerMessage,
    },
    /// Hand a job to the store.
    Persist {
        /// Its number.
        id: JobId,
        /// The job.
        job: Job,
    },
    /// Have the store read something.
    Fetch {
        /// Comes back with the answer.
        id: FetchId,
        /// What to read.
        fetch: Fetch,
    },
    /// Tell whoever watches: the log, the metrics, the simulator's checkers.
    Event(Event),
}

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// This replica sequenced a slot.
    Sequenced {
        /// The view.
        view: Ballot,
        /// The slot.
        slot: Slot,
        /// Its digest.
        digest: Digest,
        /// Its requests, 0 in an empty slot.
        requests: u64,
    },
    /// A complete slot was handed to the store.
    Appended {
        /// The view in which it was sequenced.
        view: Ballot,
        /// The slot.
        slot: Slot,
        /// Its digest.
        digest: Digest,
    },
    /// A slot is committed and was applied. `view` is the log view in which it was found committed;
    /// `None` when another replica said so (catch-up).
    Applied {
        /// The log view, or none.
        view: Option<Ballot>,
        /// The slot.
        slot: Slot,
        /// Its chained digest.
        digest: Digest,
        /// Its clock.
        clock: SlotClock,
        /// Its content, see `group::content`.
        content: Bytes,
        /// The digest of the machine's state after it.
        state: Digest,
    },
    /// A snapshot of another replica became the state.
    Restored {
        /// Its slot.
        slot: Slot,
        /// The chained digest there.
        digest: Digest,
        /// The digest of the machine's state.
        state: Digest,
    },
    /// A promise is durable.
    Promised {
        /// The ballot.
        ballot: Ballot,
    },
    /// This replica asks for a view change.
    Suspects {
        /// Whom it misses.
        missing: MemberSet,
    },
    /// An install is durable: this replica is in a new view.
    Installed {
        /// The view's ballot.
        view: Ballot,
        /// Its members.
        members: MemberSet,
        /// Its ring.
        ring: MemberSet,
        /// The end of the adopted log.
        end: Slot,
        /// How many slots of its own log it gave up.
        cut: u64,
    },
    /// All members have installed: slots may be sequenced.
    Opened {
        /// The view's ballot.
        view: Ballot,
    },
    /// It left its view (a higher promise), or found itself left out.
    Left {
        /// The view that it was in.
        view: Ballot,
    },
    /// It learned committed slots from another replica.
    CaughtUp {
        /// How many slots.
        slots: u64,
        /// The last of them.
        upto: Slot,
    },
    /// A retry was answered from the session table.
    Repeated,
    /// Something from outside was refused.
    Refused {
        /// Why.
        why: &'static str,
    },
    /// The replica stops for good: its state or its disk can't be trusted any more.
    Stopped {
        /// Why.
        why: &'static str,
    },
}

/// Why the replica wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Link: a repair, a probe.
    Link,
    /// Group: a heartbeat, a suspicion, a step of a view change.
    Group,
    /// Replica: a client's deadline.
    Clients,
}

/// One member of a cluster.
#[derive(Debug)]
pub struct Replica<M> {
    machine: PhantomData<M>,
}

impl<M: Machine> Replica<M> {
    /// A replica over what its store holds. `boot` and `seed` are random, drawn for this run.
    pub fn new(now: Time, options: Options, boot: BootId, seed: u64, opened: Opened, machine: M) -> Replica<M> {
        let _ = (now, options, boot, seed, opened, machine);
        Replica { machine: PhantomData }
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Time, input: Input) {
        let _ = (now, input);
    }

    /// The next thing to do; `None` when all is said for now. Called after one or more inputs.
    pub fn poll(&mut self, now: Time) -> Option<Output> {
        let _ = now;
        None
    }

    /// When to call with [`Input::Tick`] if nothing else happens before.
    pub fn deadline(&self) -> Option<(Time, Reason)> {
        None
    }
}
