//! The client protocol's messages as MessagePack: arrays that begin with a small integer, their kind.
//!
//! ```text
//! to a replica                                        to a client
//! [1, nonce, wait-ms]                      open       [1, nonce, session]                       opened
//! [2, session, number, floor, wait-ms, command] call  [2, session, number, slot, position, outcome] answer
//! [3, nonce, local, wait-ms, question]     read       [3, nonce, slot, answer]                  read answer
//!                                                     [4, request, refusal]                     refused
//! [4, session, wait-ms]                    close      [5, request]                              try another
//!                                                     [8, session]                              closed
//! outcome: [0, answer] done, [1] no session, [2] settled, [3] ahead of the window
//! request: [1, nonce] an opening, [2, session, number] a call, [3, nonce] a read, [4, session] a closing
//! refusal: [1] no quorum, [2, after-ms] busy, [3] too large, [4] not allowed with this key
//! ```
//!
//! Nonces of openings are 16 bytes (bin), those of reads integers; commands, questions and answers are
//! bin. Reading is strict: a message is one array of exactly these fields, and nothing follows it. It
//! never panics, and takes no memory for a length that the bytes do not hold.

mod channel;
mod envelope;
mod fields;
mod host;
mod line;
mod pieces;
mod port;
mod shares;
#[cfg(test)]
mod tests;

pub use envelope::{Datagram, HELLO_BYTES_MIN, VERSION};
pub use fields::Malformed;
pub use host::{HostQuestion, HostSettings, KeysHeld};
pub use line::Line;
pub use pieces::MESSAGE_BYTES_MAX;
pub use port::{Count, Options, Port, needed};

use bytes::Bytes;
use fields::{Fields, array, bin, boolean, int};
use ftq_core::machine::Place;
use ftq_core::session::message::{ClientMessage, Outcome, Refusal, RequestName, ServerMessage, SessionId};

/// The bytes of what a client says.
pub fn encode_request(message: &ClientMessage) -> Bytes {
    let mut out = Vec::new();
    match message {
        ClientMessage::Open { nonce, wait_ms } => {
            array(&mut out, 3, 1);
            bin(&mut out, nonce);
            int(&mut out, (*wait_ms).into());
        }
        ClientMessage::Call { session, number, floor, wait_ms, command } => {
            array(&mut out, 6, 2);
            int(&mut out, session.0);
            int(&mut out, *number);
            int(&mut out, *floor);
            int(&mut out, (*wait_ms).into());
            bin(&mut out, command);
        }
        ClientMessage::Close { session, wait_ms } => {
            array(&mut out, 3, 4);
            int(&mut out, session.0);
            int(&mut out, (*wait_ms).into());
        }
        ClientMessage::Read { nonce, local, wait_ms, question } => {
            array(&mut out, 5, 3);
            int(&mut out, *nonce);
            boolean(&mut out, *local);
            int(&mut out, (*wait_ms).into());
            bin(&mut out, question);
        }
    }
    out.into()
}

/// Reads what a client says.
pub fn decode_request(bytes: Bytes) -> Result<ClientMessage, Malformed> {
    let mut fields = Fields::of(bytes);
    let message = match fields.array()? {
        (1, 3) => ClientMessage::Open { nonce: fields.bin_of()?, wait_ms: fields.int()? },
        (2, 6) => ClientMessage::Call {
            session: SessionId(fields.int()?),
            number: fields.int()?,
            floor: fields.int()?,
            wait_ms: fields.int()?,
            command: fields.bin()?,
        },
        (3, 5) => ClientMessage::Read {
            nonce: fields.int()?,
            local: fields.bool()?,
            wait_ms: fields.int()?,
            question: fields.bin()?,
        },
        (4, 3) => ClientMessage::Close { session: SessionId(fields.int()?), wait_ms: fields.int()? },
        (kind, length) => return Err(Malformed::Array { kind, length }),
    };
    fields.end()?;
    Ok(message)
}

/// The bytes of what a replica says to a client.
pub fn encode_answer(message: &ServerMessage) -> Bytes {
    let mut out = Vec::new();
    match message {
        ServerMessage::Opened { nonce, session } => {
            array(&mut out, 3, 1);
            bin(&mut out, nonce);
            int(&mut out, session.0);
        }
        ServerMessage::Answer { session, number, place, outcome } => {
            array(&mut out, 6, 2);
            int(&mut out, session.0);
            int(&mut out, *number);
            int(&mut out, place.slot);
            int(&mut out, place.position.into());
            encode_outcome(&mut out, outcome);
        }
        ServerMessage::ReadAnswer { nonce, slot, answer } => {
            array(&mut out, 4, 3);
            int(&mut out, *nonce);
            int(&mut out, *slot);
            bin(&mut out, answer);
        }
        ServerMessage::Refused { request, refusal } => {
            array(&mut out, 3, 4);
            encode_name(&mut out, *request);
            encode_refusal(&mut out, *refusal);
        }
        ServerMessage::TryAnother { request } => {
            array(&mut out, 2, 5);
            encode_name(&mut out, *request);
        }
        ServerMessage::Closed { session } => {
            array(&mut out, 2, 8);
            int(&mut out, session.0);
        }
    }
    out.into()
}

/// Reads what a replica says to a client.
pub fn decode_answer(bytes: Bytes) -> Result<ServerMessage, Malformed> {
    let mut fields = Fields::of(bytes);
    let message = match fields.array()? {
        (1, 3) => ServerMessage::Opened { nonce: fields.bin_of()?, session: SessionId(fields.int()?) },
        (2, 6) => ServerMessage::Answer {
            session: SessionId(fields.int()?),
            number: fields.int()?,
            place: Place { slot: fields.int()?, position: fields.int()? },
            outcome: decode_outcome(&mut fields)?,
        },
        (3, 4) => ServerMessage::ReadAnswer { nonce: fields.int()?, slot: fields.int()?, answer: fields.bin()? },
        (4, 3) => ServerMessage::Refused { request: decode_name(&mut fields)?, refusal: decode_refusal(&mut fields)? },
        (5, 2) => ServerMessage::TryAnother { request: decode_name(&mut fields)? },
        (8, 2) => ServerMessage::Closed { session: SessionId(fields.int()?) },
        (kind, length) => return Err(Malformed::Array { kind, length }),
    };
    fields.end()?;
    Ok(message)
}

/// Which request this is.
pub fn name_of_request(message: &ClientMessage) -> RequestName {
    match message {
        ClientMessage::Open { nonce, .. } => RequestName::Open(*nonce),
        ClientMessage::Call { session, number, .. } => RequestName::Call(*session, *number),
        ClientMessage::Close { session, .. } => RequestName::Close(*session),
        ClientMessage::Read { nonce, .. } => RequestName::Read(*nonce),
    }
}

/// Which request this is about.
pub fn name_of_answer(message: &ServerMessage) -> RequestName {
    match message {
        ServerMessage::Opened { nonce, .. } => RequestName::Open(*nonce),
        ServerMessage::Answer { session, number, .. } => RequestName::Call(*session, *number),
        ServerMessage::Closed { session } => RequestName::Close(*session),
        ServerMessage::ReadAnswer { nonce, .. } => RequestName::Read(*nonce),
        ServerMessage::Refused { request, .. } | ServerMessage::TryAnother { request } => *request,
    }
}

fn encode_outcome(out: &mut Vec<u8>, outcome: &Outcome) {
    match outcome {
        Outcome::Done(answer) => {
            array(out, 2, 0);
            bin(out, answer);
        }
        Outcome::NoSession => array(out, 1, 1),
        Outcome::Settled => array(out, 1, 2),
        Outcome::AheadOfWindow => array(out, 1, 3),
    }
}

fn decode_outcome(fields: &mut Fields) -> Result<Outcome, Malformed> {
    match fields.array()? {
        (0, 2) => Ok(Outcome::Done(fields.bin()?)),
        (1, 1) => Ok(Outcome::NoSession),
        (2, 1) => Ok(Outcome::Settled),
        (3, 1) => Ok(Outcome::AheadOfWindow),
        (kind, length) => Err(Malformed::Array { kind, length }),
    }
}

fn encode_name(out: &mut Vec<u8>, name: RequestName) {
    match name {
        RequestName::Open(nonce) => {
            array(out, 2, 1);
            bin(out, &nonce);
        }
        RequestName::Call(session, number) => {
            array(out, 3, 2);
            int(out, session.0);
            int(out, number);
        }
        RequestName::Read(nonce) => {
            array(out, 2, 3);
            int(out, nonce);
        }
        RequestName::Close(session) => {
            array(out, 2, 4);
            int(out, session.0);
        }
    }
}

fn decode_name(fields: &mut Fields) -> Result<RequestName, Malformed> {
    match fields.array()? {
        (1, 2) => Ok(RequestName::Open(fields.bin_of()?)),
        (2, 3) => Ok(RequestName::Call(SessionId(fields.int()?), fields.int()?)),
        (3, 2) => Ok(RequestName::Read(fields.int()?)),
        (4, 2) => Ok(RequestName::Close(SessionId(fields.int()?))),
        (kind, length) => Err(Malformed::Array { kind, length }),
    }
}

fn encode_refusal(out: &mut Vec<u8>, refusal: Refusal) {
    match refusal {
        Refusal::NoQuorum => array(out, 1, 1),
        Refusal::Busy { after_ms } => {
            array(out, 2, 2);
            int(out, after_ms.into());
        }
        Refusal::TooLarge => array(out, 1, 3),
        Refusal::NotAllowed => array(out, 1, 4),
        Refusal::DiskFull => array(out, 1, 5),
    }
}

fn decode_refusal(fields: &mut Fields) -> Result<Refusal, Malformed> {
    match fields.array()? {
        (1, 1) => Ok(Refusal::NoQuorum),
        (2, 2) => Ok(Refusal::Busy { after_ms: fields.int()? }),
        (3, 1) => Ok(Refusal::TooLarge),
        (4, 1) => Ok(Refusal::NotAllowed),
        (5, 1) => Ok(Refusal::DiskFull),
        (kind, length) => Err(Malformed::Array { kind, length }),
    }
}
