//! What a client has the machine do, and its bytes: a MessagePack array that begins with its kind.
//!
//! ```text
//! [1, label]                            create
//! [2, queue]                            destroy
//! [3, queue, [item …]]                  push
//! [3, queue, [item …], priority, delay-ms, ttl-ms, key]
//! [4, queue, count, wait-ms]            pop
//! [5, name, count]                      getid
//! [6, queue, count, lease-ms, wait-ms]  take
//! [7, queue, [receipt …]]               ack
//! [8, queue, [receipt …], delay-ms]     nack
//! [9, queue, [receipt …], lease-ms]     touch
//! [10, queue, items, bytes, deliveries, dead-letters, key-window-ms]   configure
//! [11, queue, paused]                   pause
//! [12, queue]                           purge
//! [13, queue, count]                    send back
//! [14, [command …]]                     steps
//! [15, item-bytes, memory-bytes]        limit
//! receipt: [position, token]
//! ```
//!
//! Items are bin, labels, names and keys text, the rest numbers; `ttl-ms`, `key` and the settings may be nil.
//! A command changes the state and goes through the log.

use super::error::Error;
use super::label::{Label, QueueId, Receipt};
use super::limits::{BATCH_ITEMS_MAX, Limits, REQUEST_BYTES_MAX};
use super::options::{PushOptions, Settings};
use crate::pack::{Packer, Unpacker};
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
        /// How.
        options: PushOptions,
    },
    /// Take items off the front of a queue for good.
    Pop {
        /// The queue.
        queue: QueueId,
        /// The most items to take.
        count: u64,
        /// How long to wait while there is none.
        wait_ms: u64,
    },
    /// Draw numbers from a sequence, which begins with 1 when it is first named.
    GetId {
        /// The sequence.
        name: Label,
        /// How many.
        count: u64,
    },
    /// Take items off the front of a queue under a lease: who does not say in time that they are done
    /// loses them to the next.
    Take {
        /// The queue.
        queue: QueueId,
        /// The most items to take.
        count: u64,
        /// How long the lease is.
        lease_ms: u64,
        /// How long to wait while there is none.
        wait_ms: u64,
    },
    /// Leased items are done: they go for good. All or none.
    Ack {
        /// The queue.
        queue: QueueId,
        /// The deliveries.
        receipts: Vec<Receipt>,
    },
    /// Leased items come back to their place in the order. All or none.
    Nack {
        /// The queue.
        queue: QueueId,
        /// The deliveries.
        receipts: Vec<Receipt>,
        /// For so long they are not ready.
        delay_ms: u64,
    },
    /// Leases last for so long from now. All or none.
    Touch {
        /// The queue.
        queue: QueueId,
        /// The deliveries.
        receipts: Vec<Receipt>,
        /// How long.
        lease_ms: u64,
    },
    /// Give a queue other settings.
    Configure {
        /// The queue.
        queue: QueueId,
        /// All of them.
        settings: Settings,
    },
    /// Stop giving out items, or go on.
    Pause {
        /// The queue.
        queue: QueueId,
        /// Whether to stop.
        paused: bool,
    },
    /// Drop all items that are ready or delayed; leased ones stay.
    Purge {
        /// The queue.
        queue: QueueId,
    },
    /// Put dead letters back at the end of the queues that they came from.
    SendBack {
        /// The queue of dead letters.
        queue: QueueId,
        /// The most items.
        count: u64,
    },
    /// Do several things, all or none: pushes, acks, nacks, touches and getids.
    Steps(Vec<Command>),
    /// Give the cluster other limits.
    Limit(Limits),
}

const CREATE: u64 = 1;
const DESTROY: u64 = 2;
const PUSH: u64 = 3;
const POP: u64 = 4;
const GET_ID: u64 = 5;
const TAKE: u64 = 6;
const ACK: u64 = 7;
const NACK: u64 = 8;
const TOUCH: u64 = 9;
const CONFIGURE: u64 = 10;
const PAUSE: u64 = 11;
const PURGE: u64 = 12;
const SEND_BACK: u64 = 13;
const STEPS: u64 = 14;
const LIMIT: u64 = 15;

/// What commands of this kind are called.
fn name(kind: u64) -> &'static str {
    match kind {
        CREATE => "create",
        DESTROY => "destroy",
        PUSH => "push",
        POP => "pop",
        GET_ID => "get_id",
        TAKE => "take",
        ACK => "ack",
        NACK => "nack",
        TOUCH => "touch",
        CONFIGURE => "configure",
        PAUSE => "pause",
        PURGE => "purge",
        SEND_BACK => "send_back",
        STEPS => "steps",
        LIMIT => "limit",
        _ => "malformed",
    }
}

impl Command {
    /// Whether these bytes are of a command that puts something in: the rest takes out, or leaves all as large.
    pub fn adds(bytes: &Bytes) -> bool {
        match kind(bytes) {
            Some(PUSH | CREATE) => true,
            Some(STEPS) => match Command::decode(bytes) {
                Ok(Command::Steps(steps)) => {
                    steps.iter().any(|step| matches!(step, Command::Push { .. } | Command::Create { .. }))
                }
                Ok(_) | Err(_) => false,
            },
            Some(_) | None => false,
        }
    }

    /// What the command that these bytes are begins with is called, for those who count; whether it is right to
    /// its end is not looked at.
    pub fn name_of(bytes: &Bytes) -> &'static str {
        kind(bytes).map_or("malformed", name)
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        name(match self {
            Command::Create { .. } => CREATE,
            Command::Destroy { .. } => DESTROY,
            Command::Push { .. } => PUSH,
            Command::Pop { .. } => POP,
            Command::GetId { .. } => GET_ID,
            Command::Take { .. } => TAKE,
            Command::Ack { .. } => ACK,
            Command::Nack { .. } => NACK,
            Command::Touch { .. } => TOUCH,
            Command::Configure { .. } => CONFIGURE,
            Command::Pause { .. } => PAUSE,
            Command::Purge { .. } => PURGE,
            Command::SendBack { .. } => SEND_BACK,
            Command::Steps(_) => STEPS,
            Command::Limit(_) => LIMIT,
        })
    }

    /// Whether these bytes are of a command that changes how the cluster behaves for everybody, and so is for
    /// its operators.
    pub fn is_for_operators(bytes: &Bytes) -> bool {
        kind(bytes) == Some(LIMIT)
    }

    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        self.pack(&mut w);
        w.into_bytes()
    }

    /// Reads what [`Command::encode`] wrote; what is wrong with other bytes is its answer.
    pub fn decode(bytes: &Bytes) -> Result<Command, Error> {
        let mut r = request(bytes)?;
        let command = Command::unpack(&mut r, true)?;
        r.end()?;
        Ok(command)
    }

    fn pack(&self, w: &mut Packer) {
        match self {
            Command::Create { label } => w.array(2).uint(CREATE).text(label.as_str()),
            Command::Destroy { queue } => w.array(2).uint(DESTROY).uint(queue.0),
            Command::Push { queue, items, options } => {
                let plain = *options == PushOptions::default();
                w.array(if plain { 3 } else { 3 + PushOptions::FIELDS }).uint(PUSH).uint(queue.0).array(items.len());
                for item in items {
                    w.bin(item);
                }
                if !plain {
                    options.pack(w);
                }
                w
            }
            Command::Pop { queue, count, wait_ms } => w.array(4).uint(POP).uint(queue.0).uint(*count).uint(*wait_ms),
            Command::GetId { name, count } => w.array(3).uint(GET_ID).text(name.as_str()).uint(*count),
            Command::Take { queue, count, lease_ms, wait_ms } => {
                w.array(5).uint(TAKE).uint(queue.0).uint(*count).uint(*lease_ms).uint(*wait_ms)
            }
            Command::Ack { queue, receipts } => pack_receipts(w.array(3).uint(ACK).uint(queue.0), receipts),
            Command::Nack { queue, receipts, delay_ms } => {
                pack_receipts(w.array(4).uint(NACK).uint(queue.0), receipts).uint(*delay_ms)
            }
            Command::Touch { queue, receipts, lease_ms } => {
                pack_receipts(w.array(4).uint(TOUCH).uint(queue.0), receipts).uint(*lease_ms)
            }
            Command::Configure { queue, settings } => {
                w.array(2 + Settings::FIELDS).uint(CONFIGURE).uint(queue.0);
                settings.pack(w);
                w
            }
            Command::Pause { queue, paused } => w.array(3).uint(PAUSE).uint(queue.0).boolean(*paused),
            Command::Purge { queue } => w.array(2).uint(PURGE).uint(queue.0),
            Command::SendBack { queue, count } => w.array(3).uint(SEND_BACK).uint(queue.0).uint(*count),
            Command::Steps(steps) => {
                w.array(2).uint(STEPS).array(steps.len());
                steps.iter().for_each(|step| step.pack(w));
                w
            }
            Command::Limit(limits) => w.array(3).uint(LIMIT).uint(limits.item_bytes_max).uint(limits.memory_bytes_max),
        };
    }

    /// Reads a command; steps do not have steps.
    fn unpack(r: &mut Unpacker, outer: bool) -> Result<Command, Error> {
        let fields = r.array(FIELDS_MAX)?;
        if fields == 0 {
            return Err(Error::Malformed);
        }
        Ok(match (r.uint()?, fields) {
            (CREATE, 2) => Command::Create { label: Label::unpack(r)? },
            (DESTROY, 2) => Command::Destroy { queue: queue(r)? },
            (PUSH, 3) => Command::Push { queue: queue(r)?, items: items(r)?, options: PushOptions::default() },
            (PUSH, 7) => Command::Push { queue: queue(r)?, items: items(r)?, options: PushOptions::unpack(r)? },
            (POP, 4) => Command::Pop { queue: queue(r)?, count: r.uint()?, wait_ms: r.uint()? },
            (GET_ID, 3) => Command::GetId { name: Label::unpack(r)?, count: r.uint()? },
            (TAKE, 5) => Command::Take { queue: queue(r)?, count: r.uint()?, lease_ms: r.uint()?, wait_ms: r.uint()? },
            (ACK, 3) => Command::Ack { queue: queue(r)?, receipts: receipts(r)? },
            (NACK, 4) => Command::Nack { queue: queue(r)?, receipts: receipts(r)?, delay_ms: r.uint()? },
            (TOUCH, 4) => Command::Touch { queue: queue(r)?, receipts: receipts(r)?, lease_ms: r.uint()? },
            (CONFIGURE, 7) => Command::Configure { queue: queue(r)?, settings: Settings::unpack(r)? },
            (PAUSE, 3) => Command::Pause { queue: queue(r)?, paused: r.boolean()? },
            (PURGE, 2) => Command::Purge { queue: queue(r)? },
            (SEND_BACK, 3) => Command::SendBack { queue: queue(r)?, count: r.uint()? },
            (STEPS, 2) if outer => {
                let count = r.array(BATCH_ITEMS_MAX)?;
                Command::Steps((0..count).map(|_| Command::unpack(r, false)).collect::<Result<_, _>>()?)
            }
            (STEPS, 2) => return Err(Error::NotAStep),
            (LIMIT, 3) => Command::Limit(Limits { item_bytes_max: r.uint()?, memory_bytes_max: r.uint()? }),
            _ => return Err(Error::Malformed),
        })
    }
}

/// What a command or a question begins with.
pub(super) fn kind(bytes: &Bytes) -> Option<u64> {
    let mut r = Unpacker::new(bytes.clone());
    r.array(FIELDS_MAX).ok().filter(|fields| *fields > 0)?;
    r.uint().ok()
}

/// The most fields that a command or a question has, with its kind.
pub(super) const FIELDS_MAX: usize = 7;

/// A reader over a request that is not too large to look at.
pub(super) fn request(bytes: &Bytes) -> Result<Unpacker, Error> {
    if bytes.len() > REQUEST_BYTES_MAX { Err(Error::RequestTooLarge) } else { Ok(Unpacker::new(bytes.clone())) }
}

pub(super) fn queue(r: &mut Unpacker) -> Result<QueueId, Error> {
    Ok(QueueId(r.uint()?))
}

fn items(r: &mut Unpacker) -> Result<Vec<Bytes>, Error> {
    let count = r.array(usize::MAX)?;
    if count > BATCH_ITEMS_MAX {
        return Err(Error::BadCount);
    }
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        items.push(r.bin()?);
    }
    Ok(items)
}

fn receipts(r: &mut Unpacker) -> Result<Vec<Receipt>, Error> {
    let count = r.array(usize::MAX)?;
    if count > BATCH_ITEMS_MAX {
        return Err(Error::BadCount);
    }
    let mut receipts = Vec::with_capacity(count);
    for _ in 0..count {
        if r.array(2)? != 2 {
            return Err(Error::Malformed);
        }
        receipts.push(Receipt { position: r.uint()?, token: r.uint()? });
    }
    Ok(receipts)
}

fn pack_receipts<'a>(w: &'a mut Packer, receipts: &[Receipt]) -> &'a mut Packer {
    w.array(receipts.len());
    for receipt in receipts {
        w.array(2).uint(receipt.position).uint(receipt.token);
    }
    w
}
