//! Why a call did not do what it was asked to.

use ftq_core::machine::queues;
use std::fmt;

/// Why a call did not do what it was asked to. All but [`Error::Unknown`], [`Error::NotAnInteger`] and
/// [`Error::BeyondIntegers`] say that nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The cluster says no: the queue is empty, is not there …
    No(queues::Error),
    /// The client's key does not allow it.
    NotAllowed,
    /// The request is larger than any may be.
    TooLarge {
        /// How many bytes it may have.
        bytes_max: usize,
    },
    /// No replica answered.
    Unreachable,
    /// Replicas answered, but they are not enough to decide anything.
    NoQuorum,
    /// Every replica had too much to do.
    Busy,
    /// The disks of too many replicas are nearly full for what is pushed; the rest goes on.
    DiskFull,
    /// The client's session had expired. Another call opens a new one.
    Expired,
    /// The item that was popped or looked at is not the decimal text of an integer of 32 bits.
    NotAnInteger,
    /// The id or the size of the queue does not fit in an integer of 32 bits.
    BeyondIntegers,
    /// The replica does not understand what it is asked, or this client the answer.
    OtherVersion,
    /// The client has ended.
    Closed,
    /// The time ran out after the command was sent: it may have been done, or may still be, but only once.
    Unknown,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::No(why) => write!(f, "{why}"),
            Error::TooLarge { bytes_max } => {
                write!(f, "too large, nothing was done: a request has at most {bytes_max} bytes")
            }
            Error::NotAllowed => {
                write!(f, "not allowed with this key, nothing was done: it takes one with a higher role")
            }
            Error::Unreachable => write!(f, "no server answers, nothing was done: is ftqd running, is --server right?"),
            Error::NoQuorum => write!(f, "no quorum, nothing was done: too few replicas hear each other"),
            Error::DiskFull => {
                write!(f, "the servers' disks are nearly full, nothing was done: make room on them, or pop")
            }
            Error::Busy => write!(f, "the servers are too busy, nothing was done: try again"),
            Error::Expired => write!(f, "the session had expired, nothing was done: try again"),
            Error::NotAnInteger => write!(f, "the item is no integer of 32 bits; if it was popped, it is gone"),
            Error::BeyondIntegers => write!(f, "the number does not fit in an integer of 32 bits"),
            Error::OtherVersion => {
                write!(f, "the server does not know this question, nothing was done: it is of another version")
            }
            Error::Closed => write!(f, "the client has ended, nothing was done"),
            Error::Unknown => write!(f, "no answer in time, outcome unknown: it may have been done, once at most"),
        }
    }
}

impl std::error::Error for Error {}
