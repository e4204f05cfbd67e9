//! What a client and a replica say to each other. The bytes are made in `net`.

use crate::machine::Place;
use crate::wire::{Malformed, Reader, Writer};
use alloc::vec::Vec;
use bytes::Bytes;

/// A session, named by the place of the request that opened it: `slot << 16 | position`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

impl SessionId {
    /// The session that a request opens which stands at this place: no other has this name, ever.
    pub fn opened_at(place: Place) -> SessionId {
        SessionId(place.slot << 16 | u64::from(place.position))
    }
}

/// From a client to any replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// Open a session. A retry carries the same nonce and gets the same session.
    Open {
        /// Drawn once by the client.
        nonce: [u8; 16],
        /// For how long the client still waits, in milliseconds.
        wait_ms: u32,
    },
    /// Execute a command once.
    Call {
        /// The session.
        session: SessionId,
        /// The command's number in it, from 1.
        number: u64,
        /// All numbers up to this one are settled for the client: their answers may be forgotten,
        /// and copies of them that are still under way are refused for ever.
        floor: u64,
        /// For how long the client still waits, in milliseconds.
        wait_ms: u32,
        /// What to execute; only the machine understands it.
        command: Bytes,
    },
    /// Close a session: its leases go back, its waits end, its answers are forgotten. Closing one that is not
    /// there is answered too.
    Close {
        /// The session.
        session: SessionId,
        /// For how long the client still waits, in milliseconds.
        wait_ms: u32,
    },
    /// Ask without changing anything.
    Read {
        /// Drawn by the client, to tell its answers apart.
        nonce: u64,
        /// `false`: as of now, for everybody. `true`: as this replica knows it, perhaps stale.
        local: bool,
        /// For how long the client still waits, in milliseconds.
        wait_ms: u32,
        /// What to ask; only the machine understands it.
        question: Bytes,
    },
}

/// Why a replica would not take a request. Nothing of it has left the replica: it was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// This replica is in no view that commits.
    NoQuorum,
    /// Too much is under way; try again after so many milliseconds.
    Busy {
        /// How long to wait.
        after_ms: u32,
    },
    /// The request is larger than the limit.
    TooLarge,
    /// The client's key does not allow it.
    NotAllowed,
    /// The disks of too many replicas are nearly full for what makes the state grow; the rest goes on.
    DiskFull,
}

impl Refusal {
    /// Whether every other replica would say the same, at any time.
    pub fn is_final(self) -> bool {
        match self {
            Refusal::NoQuorum | Refusal::Busy { .. } | Refusal::DiskFull => false,
            Refusal::TooLarge | Refusal::NotAllowed => true,
        }
    }
}

/// How a command ended, as the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was executed, once, at the place that comes with it.
    Done(Bytes),
    /// The session is not there (any more). The command was not executed by this copy of it.
    NoSession,
    /// The client had said that this number is settled; this copy was not executed.
    Settled,
    /// The number is further ahead of the floor than the window, or the answers kept, allow; it was not executed.
    AheadOfWindow,
}

/// From a replica to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage {
    /// The session is open.
    Opened {
        /// The nonce of the request.
        nonce: [u8; 16],
        /// The session.
        session: SessionId,
    },
    /// The session is closed.
    Closed {
        /// The session.
        session: SessionId,
    },
    /// The log's answer to a command.
    Answer {
        /// The session.
        session: SessionId,
        /// The command's number.
        number: u64,
        /// Where it was executed first.
        place: Place,
        /// How it ended.
        outcome: Outcome,
    },
    /// The answer to a question.
    ReadAnswer {
        /// The nonce of the request.
        nonce: u64,
        /// The last slot applied when it was read.
        slot: u64,
        /// The machine's answer.
        answer: Bytes,
    },
    /// A definite refusal: nothing was done, and nothing has left this replica.
    Refused {
        /// Which request.
        request: RequestName,
        /// Why.
        refusal: Refusal,
    },
    /// This replica can't say how it ends; ask another one, with the same number.
    TryAnother {
        /// Which request.
        request: RequestName,
    },
}

/// How an answer names the request that it is about when the log has not named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestName {
    /// An opening, by its nonce.
    Open([u8; 16]),
    /// A command.
    Call(SessionId, u64),
    /// The closing of a session.
    Close(SessionId),
    /// A question, by its nonce.
    Read(u64),
}

/// A request as the log carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Open a session.
    Open {
        /// See [`ClientMessage::Open`].
        nonce: [u8; 16],
    },
    /// Execute a command.
    Call {
        /// See [`ClientMessage::Call`].
        session: SessionId,
        /// See [`ClientMessage::Call`].
        number: u64,
        /// See [`ClientMessage::Call`].
        floor: u64,
        /// See [`ClientMessage::Call`].
        command: Bytes,
    },
    /// Close a session.
    Close {
        /// See [`ClientMessage::Close`].
        session: SessionId,
    },
    /// Switch to a version of the machine's rules. No client can ask for it: a replica does, when every member
    /// knows that version.
    Rules {
        /// The version.
        version: u64,
    },
    /// Limit the machine's memory, unless somebody has chosen a limit. The replica that orders first asks for it.
    Memory {
        /// How much there may be.
        bytes: u64,
    },
}

impl Request {
    /// The bytes that go into the log.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer::onto(core::mem::take(out));
        match self {
            Request::Open { nonce } => w.u8(1).raw(nonce),
            Request::Call { session, number, floor, command } => {
                w.u8(2).u64(session.0).u64(*number).u64(*floor).raw(command)
            }
            Request::Close { session } => w.u8(3).u64(session.0),
            Request::Rules { version } => w.u8(4).u64(*version),
            Request::Memory { bytes } => w.u8(5).u64(*bytes),
        };
        *out = w.into_vec();
    }

    /// Reads what [`Request::encode`] wrote.
    pub fn decode(bytes: Bytes) -> Result<Request, Malformed> {
        let mut r = Reader::new(bytes);
        match r.u8()? {
            1 => {
                let nonce = r.array()?;
                ended(&r, Request::Open { nonce })
            }
            2 => {
                Ok(Request::Call { session: SessionId(r.u64()?), number: r.u64()?, floor: r.u64()?, command: r.rest() })
            }
            3 => {
                let session = SessionId(r.u64()?);
                ended(&r, Request::Close { session })
            }
            4 => {
                let version = r.u64()?;
                ended(&r, Request::Rules { version })
            }
            5 => {
                let bytes = r.u64()?;
                ended(&r, Request::Memory { bytes })
            }
            _ => Err(Malformed),
        }
    }
}

/// `request`, unless bytes are left over.
fn ended(r: &Reader, request: Request) -> Result<Request, Malformed> {
    if r.remaining() == 0 { Ok(request) } else { Err(Malformed) }
}
