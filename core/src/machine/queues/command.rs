//! What a client asks of the machine, and its bytes.
//!
//! A [`Command`] changes the state and goes through the log; a [`Question`] changes nothing and needs no
//! slot. Both start with one byte that says which they are; bytes that are left over are refused.

use super::error::Error;
use super::label::{Label, QueueId};
use super::limits::{BATCH_ITEMS_MAX, REQUEST_BYTES_MAX};
use crate::wire::{Reader, Writer};
use alloc::vec::Vec;
use bytes::Bytes;

/// Something to do, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make a queue; if the label is taken, name the queue that has it.
    Create {
        /// Its label.
        label: Label,
    },
    /// End a queue with all that is in it.
    Destroy {
        /// The queue.
        queue: QueueId,
    },
    /// Put items at the end of a queue, all or none.
    Push {
        /// The queue.
        queue: QueueId,
        /// The items, in their order.
        items: Vec<Bytes>,
    },
    /// Take items off the front of a queue.
    Pop {
        /// The queue.
        queue: QueueId,
        /// The most items to take.
        count: u64,
    },
    /// Draw numbers from a sequence, which begins with 1 when it is first named.
    GetId {
        /// The sequence.
        name: Label,
        /// How many.
        count: u64,
    },
}

/// Something to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Which queue has this label?
    Id {
        /// The label.
        label: Label,
    },
    /// What is the first item?
    Top {
        /// The queue.
        queue: QueueId,
    },
    /// How many items are there?
    Size {
        /// The queue.
        queue: QueueId,
    },
    /// How much of everything is there?
    Summary,
}

impl Command {
    const CREATE: u8 = 1;
    const DESTROY: u8 = 2;
    const PUSH: u8 = 3;
    const POP: u8 = 4;
    const GET_ID: u8 = 5;

    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::new();
        match self {
            Command::Create { label } => w.u8(Command::CREATE).bytes(label.as_bytes()),
            Command::Destroy { queue } => w.u8(Command::DESTROY).u64(queue.0),
            Command::Push { queue, items } => {
                w.u8(Command::PUSH).u64(queue.0).u64(items.len() as u64);
                items.iter().fold(&mut w, |w, item| w.bytes(item))
            }
            Command::Pop { queue, count } => w.u8(Command::POP).u64(queue.0).u64(*count),
            Command::GetId { name, count } => w.u8(Command::GET_ID).bytes(name.as_bytes()).u64(*count),
        };
        w.into_bytes()
    }

    /// Reads what [`Command::encode`] wrote; what is wrong with other bytes is its answer.
    pub fn decode(bytes: &Bytes) -> Result<Command, Error> {
        let mut r = request(bytes)?;
        let command = match r.u8()? {
            Command::CREATE => Command::Create { label: Label::read(&mut r)? },
            Command::DESTROY => Command::Destroy { queue: QueueId(r.u64()?) },
            Command::PUSH => Command::Push { queue: QueueId(r.u64()?), items: items(&mut r)? },
            Command::POP => Command::Pop { queue: QueueId(r.u64()?), count: r.u64()? },
            Command::GET_ID => Command::GetId { name: Label::read(&mut r)?, count: r.u64()? },
            _ => return Err(Error::Malformed),
        };
        if r.remaining() == 0 { Ok(command) } else { Err(Error::Malformed) }
    }
}

impl Question {
    const ID: u8 = 1;
    const TOP: u8 = 2;
    const SIZE: u8 = 3;
    const SUMMARY: u8 = 4;

    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::new();
        match self {
            Question::Id { label } => w.u8(Question::ID).bytes(label.as_bytes()),
            Question::Top { queue } => w.u8(Question::TOP).u64(queue.0),
            Question::Size { queue } => w.u8(Question::SIZE).u64(queue.0),
            Question::Summary => w.u8(Question::SUMMARY),
        };
        w.into_bytes()
    }

    /// Reads what [`Question::encode`] wrote; what is wrong with other bytes is its answer.
    pub fn decode(bytes: &Bytes) -> Result<Question, Error> {
        let mut r = request(bytes)?;
        let question = match r.u8()? {
            Question::ID => Question::Id { label: Label::read(&mut r)? },
            Question::TOP => Question::Top { queue: QueueId(r.u64()?) },
            Question::SIZE => Question::Size { queue: QueueId(r.u64()?) },
            Question::SUMMARY => Question::Summary,
            _ => return Err(Error::Malformed),
        };
        if r.remaining() == 0 { Ok(question) } else { Err(Error::Malformed) }
    }
}

/// A reader over a request that is not too large to look at.
fn request(bytes: &Bytes) -> Result<Reader, Error> {
    if bytes.len() > REQUEST_BYTES_MAX { Err(Error::RequestTooLarge) } else { Ok(Reader::new(bytes.clone())) }
}

/// The items of a push. Each takes a byte at least, so no more are made room for than can be there.
fn items(r: &mut Reader) -> Result<Vec<Bytes>, Error> {
    let count = r.u64()?;
    if count > BATCH_ITEMS_MAX as u64 {
        return Err(Error::BadCount);
    }
    let count = usize::try_from(count).map_err(|_| Error::BadCount)?;
    let mut items = Vec::with_capacity(count.min(r.remaining()));
    for _ in 0..count {
        items.push(r.bytes()?);
    }
    Ok(items)
}
