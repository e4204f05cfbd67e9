//! What a client has to do until it has ended, and how it ends when its time is over.

use super::attempt::Attempt;
use super::{CallId, Ended};
use crate::session::message::{Refusal, SessionId};
use crate::time::Time;
use alloc::vec::Vec;
use bytes::Bytes;

/// A command that has no number yet.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) call: CallId,
    pub(super) deadline: Time,
    pub(super) command: Bytes,
}

/// A command that was sent.
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    pub(super) call: CallId,
    pub(super) deadline: Time,
    pub(super) command: Bytes,
    pub(super) attempt: Attempt,
    /// Copies sent to each server that it has not refused: any of them may be executed.
    pub(super) copies: Vec<u32>,
    pub(super) refusal: Option<Refusal>,
}

impl Outstanding {
    /// How many copies may still be executed, or have been.
    pub(super) fn under_way(&self) -> u32 {
        self.copies.iter().sum()
    }

    /// How it ends when its time is over.
    pub(super) fn late(&self) -> Ended {
        match self.refusal {
            Some(refusal) if self.under_way() == 0 => Ended::Refused(refusal),
            Some(_) | None => Ended::Unknown,
        }
    }
}

/// A question that was sent.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) call: CallId,
    pub(super) deadline: Time,
    pub(super) local: bool,
    /// Whether it is one by which something is ordered: then it matters who has heard it.
    pub(super) is_order: bool,
    pub(super) question: Bytes,
    pub(super) attempt: Attempt,
    /// Copies sent to each server that it has not refused.
    pub(super) copies: Vec<u32>,
    pub(super) refusal: Option<Refusal>,
}

impl Reading {
    /// How many copies may still be answered, or have been.
    pub(super) fn under_way(&self) -> u32 {
        self.copies.iter().sum()
    }

    /// How it ends when its time is over.
    pub(super) fn late(&self) -> Ended {
        match self.refusal {
            Some(refusal) if !self.is_order || self.under_way() == 0 => Ended::Refused(refusal),
            Some(_) | None => Ended::Unknown,
        }
    }
}

/// A session that is to be closed.
#[derive(Clone, Debug)]
pub(super) struct Closing {
    pub(super) call: CallId,
    pub(super) session: SessionId,
    pub(super) deadline: Time,
    pub(super) attempt: Attempt,
}
