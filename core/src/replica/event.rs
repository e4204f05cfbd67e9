//! What a watcher is told: the log lines, the metrics and the simulator's checkers are made of it.

use crate::ids::{Ballot, Digest, MemberId, MemberSet, Slot};
use crate::time::SlotClock;

use super::Order;
use bytes::Bytes;
use core::fmt;

/// Why a view began, as far as this replica saw a reason itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It saw none.
    Unknown,
    /// There was no view before.
    First,
    /// These were missing in the view before: silent, restarted, or unable to do their part.
    Missing(MemberSet),
    /// These had said that they stop.
    Retired(MemberSet),
    /// These could come in.
    Joined(MemberSet),
    /// These were too slow for their turns, or not any more.
    Slow(MemberSet),
    /// Who belongs to the cluster was changed.
    Changed,
    /// The replica took part in no view: it had restarted, or had been left out.
    Outside,
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
        /// Why.
        cause: Cause,
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
    /// It takes no further part in its view: it accepted a higher promise, was left out, or can't follow it.
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
    /// Another member says that it stops, and hands its turns over.
    Retires {
        /// The member.
        member: MemberId,
    },
    /// This replica was told to stop, and has nothing left to do.
    Retired {
        /// What the others do now.
        succession: Succession,
    },
    /// Members were told another order than this replica, and can't be in a view with it.
    Disordered {
        /// Who they are.
        members: MemberSet,
        /// What this replica was told; they were told the other.
        mine: Order,
        /// Whether they form views without this replica.
        is_outnumbered: bool,
    },
    /// Whether the disk is nearly full has changed.
    NearlyFull(bool),
    /// A retry was answered from the session table.
    Repeated,
    /// Something from outside was refused.
    Refused {
        /// Why.
        why: &'static str,
    },
    /// A configuration is proven: it counts from now on.
    Configured {
        /// Its number.
        configuration: u64,
        /// Its members.
        members: MemberSet,
    },
    /// This replica's store has no seat in the cluster any more, and it stops. To come back it needs a store
    /// that starts anew.
    Removed {
        /// The number of the configuration that does without it.
        configuration: u64,
    },
    /// This replica's store is older than what others have heard of it, and it stops. It has to be opened as
    /// one that has forgotten, with a new id.
    Older,
    /// What was applied is lost here and at all others that could give it back: without an operator's order
    /// this goes no further.
    Stranded,
    /// The replica stops for good: its state or its disk can't be trusted any more.
    Stopped {
        /// Why.
        why: Stop,
    },
}

/// Why a replica stops for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The first write or sync that failed.
    StoreFailed,
    /// Others have heard more of the store than it shows.
    StoreOlder,
    /// The cluster does without the store.
    NoSeat,
    /// The log that was applied here is not the one that others have committed.
    OtherLog,
    /// A quorum has come to another state.
    OtherState,
    /// Nobody can say which state is the right one.
    NoState,
    /// The snapshot in the store is none of the machine's.
    BadSnapshot,
    /// A committed slot holds no requests.
    BadSlot,
    /// The log or a snapshot is of rules of the machine that came after this build.
    UnknownRules,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::StoreFailed => "a write or a sync of the store failed",
            Stop::StoreOlder => "its store is older than what it has shown to others",
            Stop::NoSeat => "its store has no seat in the cluster any more",
            Stop::OtherLog => "what others have committed differs from what was applied here",
            Stop::OtherState => "its state differs from that of a quorum",
            Stop::NoState => "members differ in their states, and no quorum has the same",
            Stop::BadSnapshot => "the snapshot in the store can't be read",
            Stop::BadSlot => "a committed slot can't be read",
            Stop::UnknownRules => {
                "the cluster has switched to rules of the queues that this build does not know: start a newer one"
            }
        })
    }
}

/// What becomes of the cluster without a replica that has retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succession {
    /// A view goes on without it, or there was none that it took part in.
    HandedOver,
    /// The others are no quorum: nothing is ordered until it is back.
    NoQuorum,
    /// The others did not form a view in time; they will when they miss it.
    Late,
}
