//! What became of the requests of the log.

use crate::machine::{Place, UnknownRules};
use crate::session::message::{Outcome, SessionId};

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// A session is open.
    Opened {
        /// The nonce of the request.
        nonce: [u8; 16],
        /// The session.
        session: SessionId,
        /// Whether it was open before.
        repeated: bool,
    },
    /// A command has an answer.
    Answered {
        /// The session.
        session: SessionId,
        /// The command's number.
        number: u64,
        /// Where it was executed first; if it was not, the place of this copy.
        place: Place,
        /// How it ended.
        outcome: Outcome,
        /// Whether it was executed before.
        repeated: bool,
    },
    /// A command waits for its answer, which comes out of [`Sessions::completed`].
    Waiting {
        /// The session.
        session: SessionId,
        /// The command's number.
        number: u64,
        /// Whether it has waited before.
        repeated: bool,
    },
    /// A session is not there, any more or at all.
    Closed {
        /// The session.
        session: SessionId,
    },
    /// There are too many sessions with requests under way for another one.
    Full {
        /// The nonce of the request.
        nonce: [u8; 16],
    },
    /// This version of the machine's rules is in force from here on, or a later one.
    Ruled {
        /// The version.
        version: u64,
    },
    /// A limit of the machine's memory is chosen, by this or before.
    Limited,
    /// The machine does not know the rules that hold from here on: this replica can't follow the log.
    UnknownRules(UnknownRules),
    /// The bytes made no sense. Nobody is answered.
    Malformed,
}

/// What the log says about a command, as far as it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has ended: where, and how.
    Ended(Place, Outcome),
    /// It was executed, and waits for its answer.
    Waiting,
}

impl Applied {
    /// Whether it had been done before, and nothing was done now.
    pub fn is_repeated(&self) -> bool {
        match self {
            Applied::Opened { repeated, .. }
            | Applied::Answered { repeated, .. }
            | Applied::Waiting { repeated, .. } => *repeated,
            Applied::Closed { .. }
            | Applied::Full { .. }
            | Applied::Ruled { .. }
            | Applied::Limited
            | Applied::UnknownRules(_)
            | Applied::Malformed => false,
        }
    }
}
