//! What the machine says to a command or a question, and its bytes.
//!
//! A reply is an [`Answer`] or an [`Error`]; both start with one byte that says which they are.

use super::error::Error;
use super::label::QueueId;
use super::limits::BATCH_ITEMS_MAX;
use crate::ids::Digest;
use crate::wire::{Reader, Writer};
use alloc::vec::Vec;
use bytes::Bytes;

/// What the machine says.
pub type Reply = Result<Answer, Error>;

/// What was done, or is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The queue that has the label: to create and to id.
    Queue(QueueId),
    /// The queue is gone: to destroy.
    Destroyed,
    /// The items are in the queue, at consecutive positions: to push.
    Pushed {
        /// The position of the first one; a queue counts all its items from 1.
        first: u64,
        /// How many there are.
        count: u64,
    },
    /// The items that were taken, at consecutive positions, at least one: to pop.
    Popped {
        /// The position of the first one.
        first: u64,
        /// The items.
        items: Vec<Bytes>,
    },
    /// The first item, left in place: to top.
    Top {
        /// Its position.
        position: u64,
        /// The item.
        item: Bytes,
    },
    /// How many items a pop could take: to size.
    Size {
        /// How many.
        ready: u64,
    },
    /// Consecutive numbers of a sequence: to getid.
    Ids {
        /// The first one.
        first: u64,
        /// How many.
        count: u64,
    },
    /// How much of everything there is.
    Summary(Summary),
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many queues.
    pub queues: u64,
    /// How many sequences.
    pub sequences: u64,
    /// How many items in all queues.
    pub items: u64,
    /// What is charged for all of it.
    pub memory_bytes: u64,
    /// What may be charged.
    pub memory_bytes_max: u64,
    /// The digest of the whole state.
    pub digest: Digest,
}

const FAILED: u8 = 0;
const QUEUE: u8 = 1;
const DESTROYED: u8 = 2;
const PUSHED: u8 = 3;
const POPPED: u8 = 4;
const TOP: u8 = 5;
const SIZE: u8 = 6;
const IDS: u8 = 7;
const SUMMARY: u8 = 8;

/// Appends the bytes of a reply to `out`.
pub fn encode_reply(reply: &Reply, out: &mut Vec<u8>) {
    let mut w = Writer::onto(core::mem::take(out));
    match reply {
        Err(error) => w.u8(FAILED).u64(u64::from(error.number())),
        Ok(Answer::Queue(queue)) => w.u8(QUEUE).u64(queue.0),
        Ok(Answer::Destroyed) => w.u8(DESTROYED),
        Ok(Answer::Pushed { first, count }) => w.u8(PUSHED).u64(*first).u64(*count),
        Ok(Answer::Popped { first, items }) => {
            w.u8(POPPED).u64(*first).u64(items.len() as u64);
            items.iter().fold(&mut w, |w, item| w.bytes(item))
        }
        Ok(Answer::Top { position, item }) => w.u8(TOP).u64(*position).bytes(item),
        Ok(Answer::Size { ready }) => w.u8(SIZE).u64(*ready),
        Ok(Answer::Ids { first, count }) => w.u8(IDS).u64(*first).u64(*count),
        Ok(Answer::Summary(summary)) => w
            .u8(SUMMARY)
            .u64(summary.queues)
            .u64(summary.sequences)
            .u64(summary.items)
            .u64(summary.memory_bytes)
            .u64(summary.memory_bytes_max)
            .digest(summary.digest),
    };
    *out = w.into_vec();
}

/// Reads what [`encode_reply`] wrote; other bytes, and errors of later rules, are [`Error::Malformed`].
pub fn decode_reply(bytes: &Bytes) -> Reply {
    let mut r = Reader::new(bytes.clone());
    let reply = match r.u8()? {
        FAILED => {
            let number = u16::try_from(r.u64()?).map_err(|_| Error::Malformed)?;
            Err(Error::numbered(number).ok_or(Error::Malformed)?)
        }
        QUEUE => Ok(Answer::Queue(QueueId(r.u64()?))),
        DESTROYED => Ok(Answer::Destroyed),
        PUSHED => Ok(Answer::Pushed { first: r.u64()?, count: r.u64()? }),
        POPPED => {
            let first = r.u64()?;
            let count = r.count(BATCH_ITEMS_MAX.min(r.remaining()))?;
            let mut items = Vec::with_capacity(count);
            for _ in 0..count {
                items.push(r.bytes()?);
            }
            Ok(Answer::Popped { first, items })
        }
        TOP => Ok(Answer::Top { position: r.u64()?, item: r.bytes()? }),
        SIZE => Ok(Answer::Size { ready: r.u64()? }),
        IDS => Ok(Answer::Ids { first: r.u64()?, count: r.u64()? }),
        SUMMARY => Ok(Answer::Summary(Summary {
            queues: r.u64()?,
            sequences: r.u64()?,
            items: r.u64()?,
            memory_bytes: r.u64()?,
            memory_bytes_max: r.u64()?,
            digest: r.digest()?,
        })),
        _ => return Err(Error::Malformed),
    };
    if r.remaining() == 0 { reply } else { Err(Error::Malformed) }
}
