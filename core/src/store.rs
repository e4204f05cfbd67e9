//! What the core asks of a store, and what the store tells back: plain data, no I/O.
//!
//! A store works in two lanes:
//! - the **journal** lane ([`Job::Append`], [`Job::Promise`], [`Job::Install`], [`Job::Electorate`],
//!   [`Job::CatchUp`], [`Job::Adopt`]) is durable in the order of its job numbers: when one job is durable, so is every
//!   journal job before it. A power cut keeps a prefix of them, at most the last one in part, and a
//!   part only of an `Append` or a `CatchUp`: its first slots.
//! - the **archive** lane ([`Job::Deliver`], [`Job::Snapshot`], [`Job::Cut`], [`Job::Heard`]) follows in the background.
//!   A `Deliver` waits until the last install, electorate, catch-up or adopted snapshot before it is durable.
//!
//! Reports may arrive late and in any order, so each says which job it is about and repeats the
//! generation that the job carried (RULES S8).

use crate::electorate::Electorate;
use crate::ids::{Ballot, BootId, Configuration, Digest, MemberId, Slot, StoreId, View};
use crate::time::SlotClock;
use alloc::vec::Vec;
use bytes::Bytes;

/// One slot of the log as it is kept and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRecord {
    /// Its index.
    pub slot: Slot,
    /// The view in which it was sequenced. It never votes: the log view is a field of its own.
    pub view: Ballot,
    /// Its clock reading.
    pub clock: SlotClock,
    /// The chained digest up to and including this slot.
    pub digest: Digest,
    /// The ordered requests: ranges and bodies, see `group::content`.
    pub content: Bytes,
}

/// How far one origin's requests are ordered, as a function of the log (RULES S2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The origin.
    pub origin: MemberId,
    /// The last view in which one of its requests was ordered.
    pub view: Ballot,
    /// The number of the last one there.
    pub number: u64,
}

/// Everything up to one slot, in pieces that are the same bytes on every replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The last slot that it covers.
    pub slot: Slot,
    /// The chained digest at that slot.
    pub digest: Digest,
    /// The clock at that slot.
    pub clock: SlotClock,
    /// The cluster at that slot.
    pub configuration: Configuration,
    /// The positions of all origins at that slot.
    pub positions: Vec<Position>,
    /// The digest of the machine's state.
    pub state: Digest,
    /// The machine's state.
    pub pieces: Vec<Bytes>,
}

/// What a store shows of itself. Of two states of one store the one with the lower ordinal is the older,
/// so a store that came back older than others had heard from it can be told (RULES S13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The number of the last record that is known to be durable; it never falls.
    pub ordinal: u64,
    /// The promise there.
    pub promise: Ballot,
    /// The log view there.
    pub view: Ballot,
    /// The end of the log there.
    pub end: Slot,
}

/// The highest mark that was heard from another store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The store.
    pub store: StoreId,
    /// The boot that it was heard from: only later ones have to show as much.
    pub boot: BootId,
    /// Its mark.
    pub mark: Mark,
}

/// What became of a store while it was closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// It holds all that it ever said was durable; or nothing was ever written to it.
    #[default]
    Whole,
    /// Its archive is lost: what was applied up to `base` is not here. Promise, log view and the accepted
    /// slots above `base` stand, so it answers Prepare. But it is no member, applies nothing and answers no
    /// read until it is rebuilt from the others up to `base` ([`Job::Adopt`], then [`Job::CatchUp`]).
    Hollow {
        /// The slot below the first accepted one.
        base: Slot,
        /// The chained digest there.
        digest: Digest,
    },
    /// Its journal is lost: it may have promised and acknowledged what it doesn't know of, so it has a new
    /// id and is a learner. It is not a new store either: it never takes part in a first view (RULES S12).
    Forgetful,
}

/// The number of a job: rising by one from 1, within one opening of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// Raised by each install, so that a late report of an older one can be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// Something to make durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Slots of the log view, right behind everything that was handed over before.
    Append {
        /// The generation that they belong to.
        generation: Generation,
        /// The slots, rising by one.
        slots: Vec<SlotRecord>,
    },
    /// Never answer a lower ballot again.
    Promise {
        /// The ballot.
        ballot: Ballot,
    },
    /// Replace the log above `keep` and move to `view`: all of it or nothing of it.
    Install {
        /// The generation that begins with it.
        generation: Generation,
        /// The view; its ballot becomes the log view.
        view: View,
        /// The cluster as of this view.
        configuration: Configuration,
        /// The last slot of the present log that stays.
        keep: Slot,
        /// The slots above it, rising by one.
        slots: Vec<SlotRecord>,
    },
    /// What quorums are counted against, as of slots that are committed. It is durable before the archive has them: a store
    /// that loses its archive loses them, and must still say this (RULES S6). Each is later than the one before it.
    Electorate {
        /// As of the last of these slots.
        electorate: Electorate,
    },
    /// Committed slots, learned from another replica. They are delivered too. What the present log
    /// has at or above the first slot that differs is cut. Neither log view nor promise change.
    CatchUp {
        /// The generation in force.
        generation: Generation,
        /// The slots, rising by one; the first is at most one above the present end.
        slots: Vec<SlotRecord>,
    },
    /// A snapshot of another replica becomes the base: the log at and below it goes. What is above it goes
    /// too, unless it chains onto the snapshot: a slot that it covers has its digest, or the store is
    /// [hollow](Condition::Hollow) and the snapshot lies at or below the hollow's `base`.
    Adopt {
        /// The generation in force.
        generation: Generation,
        /// The snapshot.
        snapshot: Snapshot,
    },
    /// The highest marks that were heard from the other stores. They are written down when it suits.
    Heard {
        /// One for each store that still matters.
        marks: Vec<Heard>,
    },
    /// Everything up to this slot is committed and belongs into the delivered log.
    Deliver {
        /// The last committed slot.
        upto: Slot,
    },
    /// This replica's own snapshot; it covers only delivered slots.
    Snapshot {
        /// The snapshot.
        snapshot: Snapshot,
    },
    /// The delivered log below `below` is not needed any more; a snapshot covers it.
    Cut {
        /// The first slot that stays.
        below: Slot,
    },
}

/// What the store has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// This journal job, and each journal job before it, is durable.
    Durable {
        /// The job.
        job: JobId,
        /// The generation that it carried; for a promise or an electorate, the one of the journal job before it.
        generation: Generation,
        /// The end of the log when it was done.
        end: Slot,
        /// The number of the last record of it: what the store shows is at least this (RULES S13).
        ordinal: u64,
    },
    /// The delivered log is durable up to here: after a restart it counts as committed.
    Delivered {
        /// The last slot.
        upto: Slot,
    },
    /// This replica's snapshot at this slot is durable.
    Snapshotted {
        /// The slot.
        slot: Slot,
    },
    /// Whether the disk is nearly full has changed.
    NearlyFull(bool),
    /// A write or a sync failed. It was the last one: the replica must stop.
    Failed,
}

/// Something to read back, for another replica or for whoever looks at the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// Delivered slots from `from` on, of about `bytes_max` together, at least one.
    Slots {
        /// The first slot wanted.
        from: Slot,
        /// When to stop.
        bytes_max: usize,
    },
    /// The same from the oldest slot on that is kept.
    Oldest {
        /// When to stop.
        bytes_max: usize,
    },
    /// A piece of the newest durable snapshot, if it is the one at `slot`.
    Piece {
        /// The snapshot's slot.
        slot: Slot,
        /// The index of the piece.
        index: u32,
    },
}

/// What was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The slots; none if the log does not reach there (any more).
    Slots(Vec<SlotRecord>),
    /// The snapshot without its pieces, how many there are, and the piece; nothing if it is gone.
    Piece(Option<(Snapshot, u32, Bytes)>),
}

/// What a store holds when it is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The store's own id.
    pub store: StoreId,
    /// The highest ballot promised.
    pub promise: Ballot,
    /// The view that was installed last; its ballot is the log view.
    pub view: View,
    /// The cluster as of that view; `None` in a store that no view has touched.
    pub configuration: Option<Configuration>,
    /// What quorums are counted against, by committed slots that the archive may have lost.
    pub electorate: Option<Electorate>,
    /// The newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// Slots known to be committed, from the snapshot (or the first slot) on.
    pub delivered: Vec<SlotRecord>,
    /// Slots above those, accepted but not known to be committed.
    pub tail: Vec<SlotRecord>,
    /// What became of the store.
    pub condition: Condition,
    /// What the store shows: the mark that it opened with, fixed before anything is written.
    pub shown: Mark,
    /// The highest marks that were heard from other stores and written down.
    pub heard: Vec<Heard>,
}
