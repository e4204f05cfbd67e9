//! What group is told once, what it wants to know, and what it wants done.

use crate::ids::{Ballot, ClusterId, MemberId, MemberSet};
use crate::replica::{Event, FetchId, Order};
use crate::store::{Fetch, Job, JobId, SlotRecord, Snapshot};
use crate::time::Time;
use alloc::vec::Vec;

use super::Timing;
use super::message::Message;
use super::own::Token;

/// What group wants to know of link.
pub trait Mesh {
    /// When the last packet of this member came.
    fn heard_at(&self, member: MemberId) -> Option<Time>;
    /// Since when there is a hole in what this member sent.
    fn gap_since(&self, member: MemberId) -> Option<Time>;
    /// When its last full-size packet came.
    fn full_size_at(&self, member: MemberId) -> Option<Time>;
}

/// Something that group wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// A new view: its broadcast streams begin.
    Enter {
        /// The tag of its streams.
        epoch: u64,
        /// The members.
        members: MemberSet,
    },
    /// These are to be talked to, and nobody else.
    Peers(MemberSet),
    /// Out of the view: no packet may name it any more, since the marks on it are not about it.
    Leave,
    /// To every member of the view, reliable and in order.
    Broadcast(Message),
    /// To these, once.
    Note {
        /// The receivers.
        to: MemberSet,
        /// What.
        message: Message,
        /// Whether to fill the datagram up, to probe the path.
        padded: bool,
    },
    /// To one, reliable and in order.
    Stream {
        /// The receiver.
        to: MemberId,
        /// What.
        message: Message,
    },
    /// Tell these the marks soon.
    Nudge(MemberSet),
    /// Something that these have broadcast is missing here, and waited for.
    Hasten(MemberSet),
    /// For the store.
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
    /// A snapshot of other replicas is here: restore it, then say [`Group::adopt`]; or, if it is not what its
    /// digest says, [`Group::distrust`].
    Restore {
        /// Who has sent pieces of it.
        from: MemberSet,
        /// All of it.
        snapshot: Snapshot,
    },
    /// Everything that these reads must see is delivered.
    ReadReady(Vec<Token>),
    /// The answers to these own requests are in a snapshot; nobody here has seen them.
    Missed(Vec<Token>),
    /// For whoever watches.
    Event(Event),
}

/// A committed slot, in order.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The slot.
    pub record: SlotRecord,
    /// The log view in which it was found committed; `None` if that was said by another replica or the store.
    pub view: Option<Ballot>,
}

/// What a group is told once.
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
    /// How many delivered slots below the newest snapshot are not cut; the store may keep more.
    pub log_keep: u64,
    /// The newest rules of the machine that this build knows; a number that others are told.
    pub rules: u64,
    /// The spans to go by.
    pub timing: Timing,
}
