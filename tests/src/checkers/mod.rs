//! What must hold, checked after every step, against what is true and not against what a replica claims.
//!
//! ```text
//! jobs handed to stores ─▶ sequencing      what was sequenced, by whom, and what is in it
//! what slots say        ─▶ electorates     what is a quorum, in which view
//! facts on the disks    ─▶ durability      what is committed: the only truth about commits
//! snapshots             ─▶ snapshots       who has the state that a log is cut below
//! slots applied         ─▶ witness         the one log, executed by a naive reference
//! inputs of clients     ─▶ submissions     who was given which request, and what was refused
//! calls and their ends  ─▶ history         what clients were told, and when
//! ```
//!
//! Each invariant has a short name that does not change; the mutants are known by the names that catch them.

pub mod durability;
pub mod electorates;
pub mod history;
pub mod reference;
pub mod sequencing;
pub mod snapshots;
pub mod submissions;
pub mod witness;

use ftq_core::time::Time;
use std::fmt;

/// Something that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Slot k is sequenced only by `ring[k mod len]`, in the boot that the view names.
    Sequencer,
    /// Whoever sequences slot k holds every slot below it and every request that those order.
    Conditions,
    /// No slot is sequenced twice in a view.
    SequencedOnce,
    /// The same slot has the same content wherever it is held in the same log view, or applied.
    SameContent,
    /// What is committed stays, unchanged, in every log that is installed later.
    CommittedKept,
    /// The requests of one origin are ordered without gaps and as that origin got them.
    OriginOrder,
    /// Only what a quorum of the cluster has durable in one view is applied.
    DurableQuorum,
    /// A mark that a replica announces is on its disk.
    MarkHonest,
    /// A promise that a replica announces is on its disk, and stays there.
    PromiseKept,
    /// Only what is committed is answered.
    ReplyCommitted,
    /// What was definitely refused is never executed.
    RefusalFinal,
    /// A request is executed at most once.
    Once,
    /// Every answer is what the log says, and calls that follow one another are ordered so.
    Linearizable,
    /// The clock of the slots never runs backwards.
    Clock,
    /// The same slots give the same state.
    Digest,
    /// No replica stops unless its disk failed.
    Stopped,
    /// After the faults everything is answered, and all agree.
    Progress,
    /// The loss of the last datagram of a burst is found and repaired soon.
    TailRepaired,
    /// A view counts by the configurations that the log under it says.
    Electorate,
    /// The log is cut only where a quorum has the same state.
    CutAgreed,
    /// Nothing panics.
    NoPanic,
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub what: String,
    /// When, in virtual time.
    pub at: Time,
}

/// What a check says: nothing, or which invariant is broken and how.
pub type Checked = Result<(), (Invariant, String)>;

impl Invariant {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Invariant::Sequencer => "sequencer",
            Invariant::Conditions => "conditions",
            Invariant::SequencedOnce => "sequenced-once",
            Invariant::SameContent => "same-content",
            Invariant::CommittedKept => "committed-kept",
            Invariant::OriginOrder => "origin-order",
            Invariant::DurableQuorum => "durable-quorum",
            Invariant::MarkHonest => "mark-honest",
            Invariant::PromiseKept => "promise-kept",
            Invariant::ReplyCommitted => "reply-committed",
            Invariant::RefusalFinal => "refusal-final",
            Invariant::Once => "once",
            Invariant::Linearizable => "linearizable",
            Invariant::Clock => "clock",
            Invariant::Digest => "digest",
            Invariant::Stopped => "stopped",
            Invariant::Progress => "progress",
            Invariant::TailRepaired => "tail-repaired",
            Invariant::Electorate => "electorate",
            Invariant::CutAgreed => "cut-agreed",
            Invariant::NoPanic => "no-panic",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, us) = (self.at.0 / 1_000, self.at.0 % 1_000);
        write!(f, "{} at {ms}.{us:03} ms: {}", self.invariant.name(), self.what)
    }
}

/// Says that `invariant` is broken unless `holds`.
pub(crate) fn require(holds: bool, invariant: Invariant, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err((invariant, what())) }
}
