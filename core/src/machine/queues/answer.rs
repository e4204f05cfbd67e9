//! What the machine says to a command or a question, and its bytes: a MessagePack array that begins with
//! its kind.
//!
//! ```text
//! [0, error]                                  not done
//! [1, queue]                                  create, id
//! [2, count]                                  destroy, ack, nack, touch, configure, pause, purge, send back, limit
//! [3, first, count]                           push
//! [4, [[position, item] …]]                   pop
//! [5, position, item]                         top
//! [6, ready, leased, delayed]                 size
//! [7, first, count]                           getid, and next, with no count
//! [8, queues, sequences, items, memory-bytes, memory-bytes-max, rules, digest]    summary
//! [9, [[position, token, deliveries, item] …]]                                    take
//! [10, [[priority, position, deliveries, item] …]]                                browse
//! [11, label, ready, leased, delayed, waiting, bytes, oldest-ms, paused, pushed, popped, acked, returned,
//!      expired, dead, purged, items, bytes, deliveries, dead-letters, key-window] statistics
//! [12, [[queue, label] …]]                                                        list
//! [13, [answer …]]                                                                steps
//! ```

use super::error::Error;
use super::label::{Label, QueueId, Receipt};
use super::limits::BATCH_ITEMS_MAX;
use super::options::Settings;
use crate::ids::Digest;
use crate::pack::{Packer, Unpacker};
use crate::wire::Malformed;
use alloc::vec::Vec;
use bytes::Bytes;

/// What the machine says.
pub type Reply = Result<Answer, Error>;

/// What was done, or is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The queue that has the label: to create and to id.
    Queue(QueueId),
    /// It is done, to so many items.
    Done {
        /// How many items it was about.
        count: u64,
    },
    /// The items are in the queue, at consecutive positions: to push.
    Pushed {
        /// The position of the first one; a queue counts all its items from 1.
        first: u64,
        /// How many there are.
        count: u64,
    },
    /// The items that were taken for good, each with its position, at least one: to pop.
    Popped(Vec<(u64, Bytes)>),
    /// The items that were taken under a lease, at least one: to take.
    Taken(Vec<Delivery>),
    /// The first item, left in place: to top.
    Top {
        /// Its position.
        position: u64,
        /// The item.
        item: Bytes,
    },
    /// How many items there are: to size.
    Size(Size),
    /// Consecutive numbers of a sequence: to getid; to next, none, and where they would begin.
    Ids {
        /// The first one.
        first: u64,
        /// How many.
        count: u64,
    },
    /// How much of everything there is.
    Summary(Summary),
    /// Items that are ready, in their order: to browse.
    Seen(Vec<Seen>),
    /// How a queue is.
    Statistics(Statistics),
    /// Queues, by rising id: to list.
    Queues(Vec<(QueueId, Label)>),
    /// The answer to each step.
    Steps(Vec<Answer>),
}

/// An item that was given out under a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What proves the lease.
    pub receipt: Receipt,
    /// How often the item was given out, this time included.
    pub deliveries: u64,
    /// The item.
    pub item: Bytes,
}

/// An item that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its priority.
    pub priority: u8,
    /// Its position.
    pub position: u64,
    /// How often it was given out.
    pub deliveries: u64,
    /// The item.
    pub item: Bytes,
}

/// How many items a queue has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// How many a pop could take.
    pub ready: u64,
    /// How many are given out under a lease.
    pub leased: u64,
    /// How many are not ready yet.
    pub delayed: u64,
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
    /// What may be charged before pushes are refused.
    pub memory_bytes_max: u64,
    /// The version of the rules in force.
    pub rules: u64,
    /// The digest of the whole state.
    pub digest: Digest,
}

/// What became of the items of a queue since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Put in, by a push, as a dead letter or sent back.
    pub pushed: u64,
    /// Popped.
    pub popped: u64,
    /// Acked.
    pub acked: u64,
    /// Come back from a lease to this queue.
    pub returned: u64,
    /// Dropped when their time to live was over.
    pub expired: u64,
    /// Moved to another queue: dead letters, or those sent back.
    pub moved: u64,
    /// Dropped by a purge.
    pub purged: u64,
}

/// How a queue is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Its label.
    pub label: Label,
    /// How many items it has.
    pub size: Size,
    /// How many pops and takes wait at it.
    pub waiting: u64,
    /// How many bytes its items have.
    pub bytes: u64,
    /// How long the oldest item that is ready has been in the queue; nothing if none is ready.
    pub oldest_ms: Option<u64>,
    /// Whether it gives nothing out.
    pub paused: bool,
    /// What became of its items.
    pub totals: Totals,
    /// How it behaves.
    pub settings: Settings,
}

const FAILED: u64 = 0;
const QUEUE: u64 = 1;
const DONE: u64 = 2;
const PUSHED: u64 = 3;
const POPPED: u64 = 4;
const TOP: u64 = 5;
const SIZE: u64 = 6;
const IDS: u64 = 7;
const SUMMARY: u64 = 8;
const TAKEN: u64 = 9;
const SEEN: u64 = 10;
const STATISTICS: u64 = 11;
const QUEUES: u64 = 12;
const STEPS: u64 = 13;

/// How many fields statistics have, with their kind.
const STATISTICS_FIELDS: usize = 9 + Totals::FIELDS + Settings::FIELDS;

/// Appends the bytes of a reply to `out`.
pub fn encode_reply(reply: &Reply, out: &mut Vec<u8>) {
    let mut w = Packer::onto(core::mem::take(out));
    match reply {
        Err(error) => {
            w.array(2).uint(FAILED).uint(u64::from(error.number()));
        }
        Ok(answer) => answer.pack(&mut w),
    }
    *out = w.into_vec();
}

/// Reads what [`encode_reply`] wrote; other bytes, and errors of later rules, are [`Error::Malformed`].
pub fn decode_reply(bytes: &Bytes) -> Reply {
    let mut r = Unpacker::new(bytes.clone());
    let fields = r.array(STATISTICS_FIELDS)?;
    if fields == 0 {
        return Err(Error::Malformed);
    }
    let kind = r.uint()?;
    let reply = if (kind, fields) == (FAILED, 2) {
        Err(Error::numbered(r.uint()?).ok_or(Error::Malformed)?)
    } else {
        Ok(Answer::unpack(&mut r, kind, fields)?)
    };
    r.end()?;
    reply
}

impl Answer {
    fn pack(&self, w: &mut Packer) {
        match self {
            Answer::Queue(queue) => {
                w.array(2).uint(QUEUE).uint(queue.0);
            }
            Answer::Done { count } => {
                w.array(2).uint(DONE).uint(*count);
            }
            Answer::Pushed { first, count } => {
                w.array(3).uint(PUSHED).uint(*first).uint(*count);
            }
            Answer::Popped(items) => {
                w.array(2).uint(POPPED).array(items.len());
                for (position, item) in items {
                    w.array(2).uint(*position).bin(item);
                }
            }
            Answer::Taken(deliveries) => {
                w.array(2).uint(TAKEN).array(deliveries.len());
                for Delivery { receipt, deliveries, item } in deliveries {
                    w.array(4).uint(receipt.position).uint(receipt.token).uint(*deliveries).bin(item);
                }
            }
            Answer::Top { position, item } => {
                w.array(3).uint(TOP).uint(*position).bin(item);
            }
            Answer::Size(size) => {
                w.array(4).uint(SIZE);
                size.pack(w);
            }
            Answer::Ids { first, count } => {
                w.array(3).uint(IDS).uint(*first).uint(*count);
            }
            Answer::Summary(it) => {
                w.array(8).uint(SUMMARY).uint(it.queues).uint(it.sequences).uint(it.items);
                w.uint(it.memory_bytes).uint(it.memory_bytes_max).uint(it.rules).digest(it.digest);
            }
            Answer::Seen(items) => {
                w.array(2).uint(SEEN).array(items.len());
                for Seen { priority, position, deliveries, item } in items {
                    w.array(4).uint(u64::from(*priority)).uint(*position).uint(*deliveries).bin(item);
                }
            }
            Answer::Statistics(it) => it.pack(w.array(STATISTICS_FIELDS).uint(STATISTICS)),
            Answer::Queues(queues) => {
                w.array(2).uint(QUEUES).array(queues.len());
                for (queue, label) in queues {
                    w.array(2).uint(queue.0).text(label.as_str());
                }
            }
            Answer::Steps(answers) => {
                w.array(2).uint(STEPS).array(answers.len());
                answers.iter().for_each(|answer| answer.pack(w));
            }
        }
    }

    fn unpack(r: &mut Unpacker, kind: u64, fields: usize) -> Result<Answer, Malformed> {
        Ok(match (kind, fields) {
            (QUEUE, 2) => Answer::Queue(QueueId(r.uint()?)),
            (DONE, 2) => Answer::Done { count: r.uint()? },
            (PUSHED, 3) => Answer::Pushed { first: r.uint()?, count: r.uint()? },
            (POPPED, 2) => Answer::Popped(rows(r, 2, |r| Ok((r.uint()?, r.bin()?)))?),
            (TAKEN, 2) => Answer::Taken(rows(r, 4, |r| {
                let receipt = Receipt { position: r.uint()?, token: r.uint()? };
                Ok(Delivery { receipt, deliveries: r.uint()?, item: r.bin()? })
            })?),
            (TOP, 3) => Answer::Top { position: r.uint()?, item: r.bin()? },
            (SIZE, 4) => Answer::Size(Size::unpack(r)?),
            (IDS, 3) => Answer::Ids { first: r.uint()?, count: r.uint()? },
            (SUMMARY, 8) => Answer::Summary(Summary {
                queues: r.uint()?,
                sequences: r.uint()?,
                items: r.uint()?,
                memory_bytes: r.uint()?,
                memory_bytes_max: r.uint()?,
                rules: r.uint()?,
                digest: r.digest()?,
            }),
            (SEEN, 2) => Answer::Seen(rows(r, 4, |r| {
                let priority = u8::try_from(r.uint()?).map_err(|_| Malformed)?;
                Ok(Seen { priority, position: r.uint()?, deliveries: r.uint()?, item: r.bin()? })
            })?),
            (STATISTICS, STATISTICS_FIELDS) => Answer::Statistics(Statistics::unpack(r)?),
            (QUEUES, 2) => Answer::Queues(rows(r, 2, |r| Ok((QueueId(r.uint()?), label(r)?)))?),
            (STEPS, 2) => {
                let count = r.array(BATCH_ITEMS_MAX)?;
                let step = |_| {
                    let (fields, kind) = (r.array(STATISTICS_FIELDS)?, r.uint()?);
                    if kind == STEPS { Err(Malformed) } else { Answer::unpack(r, kind, fields) }
                };
                Answer::Steps((0..count).map(step).collect::<Result<_, _>>()?)
            }
            _ => return Err(Malformed),
        })
    }
}

impl Size {
    fn pack(self, w: &mut Packer) {
        w.uint(self.ready).uint(self.leased).uint(self.delayed);
    }

    fn unpack(r: &mut Unpacker) -> Result<Size, Malformed> {
        Ok(Size { ready: r.uint()?, leased: r.uint()?, delayed: r.uint()? })
    }
}

impl Totals {
    const FIELDS: usize = 7;

    /// All of them, in a fixed order: on the wire, in a snapshot and in the digest.
    pub(super) fn numbers(&self) -> [u64; Totals::FIELDS] {
        [self.pushed, self.popped, self.acked, self.returned, self.expired, self.moved, self.purged]
    }

    /// The same back.
    pub(super) fn of(mut number: impl FnMut() -> Result<u64, Malformed>) -> Result<Totals, Malformed> {
        Ok(Totals {
            pushed: number()?,
            popped: number()?,
            acked: number()?,
            returned: number()?,
            expired: number()?,
            moved: number()?,
            purged: number()?,
        })
    }
}

impl Statistics {
    fn pack(&self, w: &mut Packer) {
        w.text(self.label.as_str());
        self.size.pack(w);
        w.uint(self.waiting).uint(self.bytes);
        w.option(self.oldest_ms, Packer::uint).boolean(self.paused);
        for number in self.totals.numbers() {
            w.uint(number);
        }
        self.settings.pack(w);
    }

    fn unpack(r: &mut Unpacker) -> Result<Statistics, Malformed> {
        Ok(Statistics {
            label: label(r)?,
            size: Size::unpack(r)?,
            waiting: r.uint()?,
            bytes: r.uint()?,
            oldest_ms: r.option(Unpacker::uint)?,
            paused: r.boolean()?,
            totals: Totals::of(|| r.uint())?,
            settings: Settings::unpack(r)?,
        })
    }
}

fn label(r: &mut Unpacker) -> Result<Label, Malformed> {
    Label::unpack(r).map_err(|_| Malformed)
}

/// Values that are arrays of `fields` values each.
fn rows<T>(
    r: &mut Unpacker,
    fields: usize,
    read: impl Fn(&mut Unpacker) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = r.array(BATCH_ITEMS_MAX)?;
    let mut rows = Vec::with_capacity(count);
    for _ in 0..count {
        if r.array(fields)? != fields {
            return Err(Malformed);
        }
        rows.push(read(r)?);
    }
    Ok(rows)
}
