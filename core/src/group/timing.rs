//! The spans that the protocol goes by.

use crate::time::Span;

/// The spans that the protocol goes by, in one place.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How often a replica says that it is there.
    pub heartbeat: Span,
    /// After so much silence a member is missed.
    pub failure: Span,
    /// How long each further member waits before it proposes what a lower one did not.
    pub rank_wait: Span,
    /// How often a note is said again while it is not answered.
    pub repeat: Span,
    /// For how long a hole in what a member sent may stay open.
    pub gap: Span,
    /// For how long no full-size packet may come through.
    pub full_size: Span,
    /// How often a heartbeat is made full-size.
    pub pad_every: Span,
}

impl Default for Timing {
    fn default() -> Timing {
        let failure = Span::millis(300);
        Timing {
            heartbeat: Span::millis(50),
            failure,
            rank_wait: Span::millis(15),
            repeat: Span::millis(10),
            gap: failure.times(3),
            full_size: failure.times(5),
            pad_every: Span::millis(200),
        }
    }
}

/// How many failures in a row make a proposer more patient; after that it is patient enough for any disk
/// that the others do not take for hung.
const PATIENT_AFTER: u32 = 6;

/// The steps of a view change.
impl Timing {
    /// Within this the others say whether they see it the same way.
    pub fn question(&self) -> Span {
        self.failure.part(2)
    }

    /// Who is asked agrees a little before it would ask itself.
    pub fn agreeing(&self) -> Span {
        self.failure.times(2).part(3)
    }

    /// Within this the own promise is durable.
    pub fn own_promise(&self) -> Span {
        self.failure.times(2)
    }

    /// Within this a quorum has promised. A slow disk may take long; who gives up sooner each time duels
    /// (RULES L5).
    pub fn promises(&self, failures: u32) -> Span {
        self.failure.times(2 + u64::from(failures.min(PATIENT_AFTER)))
    }

    /// For so long a quorum waits for the promises of the others who are heard (RULES L5).
    pub fn stragglers(&self) -> Span {
        self.failure.part(4)
    }

    /// Within this a member has fetched what it lacks of the adopted log.
    pub fn gathering(&self) -> Span {
        self.failure.times(4)
    }

    /// Within this all members have installed (RULES L2).
    pub fn installing(&self) -> Span {
        self.failure
    }

    /// For so long a member that was too slow for a view is not asked into one.
    pub fn left_out(&self) -> Span {
        self.failure.times(4)
    }

    /// For so long a member of a view may say that it takes no part in it.
    pub fn inactive(&self) -> Span {
        self.failure.part(2)
    }

    /// For so long nothing is asked by who has agreed to the question of a lower member.
    pub fn after_agreeing(&self) -> Span {
        self.failure.part(4)
    }

    /// For so long nothing is asked by who has promised another's ballot.
    pub fn after_promising(&self) -> Span {
        self.failure
    }

    /// For so long a slot waits for a body before its sequencer is asked for the slot: to say a lost body again takes
    /// less, and a dead origin is missed later.
    pub fn body(&self) -> Span {
        self.failure.part(3)
    }

    /// How often a ballot or its outcome is said again while it is not answered.
    pub fn repeat_ballot(&self) -> Span {
        self.repeat.times(2)
    }

    /// How often a part of the adopted log is asked for again: it is bulk.
    pub fn repeat_tail(&self) -> Span {
        self.repeat.times(5)
    }
}
