//! What a replica is told, and what it wants done: plain data.

use super::{ChangeId, ChangeOutcome, Event};
use crate::group::admission::ClusterChange;
use crate::ids::{ClusterId, MemberId, MemberSet};
use crate::session::message::{ClientMessage, ServerMessage};
use crate::store::{Fetch, Fetched, Job, JobId, Report};
use crate::time::Span;
use bytes::Bytes;

/// A client as the shell knows it; it means nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// Names a [`Output::Fetch`] until its answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub u64);

/// Who takes turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Every member of the view whose turns are not slow.
    #[default]
    Rotating,
    /// One member, the lowest of those.
    Fixed,
}

/// What a replica is told once.
#[derive(Clone, Debug)]
pub struct Options {
    /// This member.
    pub me: MemberId,
    /// The cluster.
    pub cluster: ClusterId,
    /// The members as configured; it counts until a first view has formed. None: there is a cluster already, and this
    /// replica founds no other, but learns from whom it is introduced to.
    pub founding: MemberSet,
    /// Who takes turns.
    pub order: Order,
    /// The largest datagram, in bytes.
    pub datagram_max: usize,
    /// A snapshot is taken at every slot that this divides.
    pub snapshot_every: u64,
    /// How much memory the queues of a new cluster may take, if this replica is the one that orders first and no
    /// operator has said otherwise; without it, what the machine begins with.
    pub memory_bytes: Option<u64>,
    /// How many delivered slots below the newest snapshot are not cut; the store may keep more.
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
    /// This member runs, has the cluster's key, and can be reached: it is greeted, though nothing of the link's has
    /// come from it yet.
    Introduced {
        /// Who.
        member: MemberId,
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
    /// An operator orders a change of the cluster.
    Change {
        /// Comes back with its end.
        id: ChangeId,
        /// What is to be changed.
        change: ClusterChange,
        /// For how long to try.
        wait: Span,
    },
    /// An operator wants it stopped: it takes no more requests, answers what is under way, has the others go on
    /// without it, and ends with [`Event::Retired`].
    Retire,
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
    /// A change of the cluster has ended, or nobody knows.
    Changed {
        /// The id of the [`Input::Change`].
        id: ChangeId,
        /// How.
        outcome: ChangeOutcome,
    },
    /// Tell whoever watches: the log, the metrics, the simulator's checkers.
    Event(Event),
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
    /// Replica: the log of the store is not applied yet.
    Replay,
    /// Replica: the end of its patience when it retires.
    Retirement,
}
