//! The queues: labelled queues of items, and named sequences of numbers.
//!
//! ```text
//! label ──▶ queue id ──▶ queue: label, positions, items in segments
//! name  ──▶ next number
//! ```
//!
//! What holds always:
//! - a queue id, a position in a queue and a number of a sequence are positive, given once, never again,
//!   and at most 2^63 - 1;
//! - every command and question has an answer; an error means that nothing changed;
//! - what the state is charged never passes the memory limit, and taking away always works;
//! - the digest and the charge are those of the state as it is, and are read in O(1).

mod answer;
mod backlog;
mod command;
mod digest;
mod error;
mod label;
mod limits;
mod queue;
mod snapshot;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Reply, Summary, decode_reply, encode_reply};
pub use command::{Command, Question};
pub use error::Error;
pub use label::{Label, QueueId};
pub use limits::{BATCH_ITEMS_MAX, LABEL_BYTES_MAX, Limits, NUMBER_MAX, POP_BYTES_MAX, REQUEST_BYTES_MAX};

use super::{Machine, Place};
use crate::ids::{Digest, Slot};
use crate::time::SlotClock;
use crate::wire::Malformed;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;
use digest::Sum;
use limits::SEQUENCE_CHARGE;
use queue::{Queue, charge_of_items, charge_of_queue};

/// The machine of a work queue.
#[derive(Debug)]
pub struct Queues {
    limits: Limits,
    next_queue: u64,
    labels: BTreeMap<Label, QueueId>,
    queues: BTreeMap<QueueId, Queue>,
    sequences: BTreeMap<Label, u64>,
    totals: Totals,
}

/// What is known of the whole state, so that nobody has to walk it.
#[derive(Debug, Default)]
struct Totals {
    sum: Sum,
    items: u64,
    memory_bytes: u64,
}

impl Queues {
    /// A machine in which nothing has happened yet.
    pub fn new(limits: Limits) -> Queues {
        Queues {
            limits,
            next_queue: 1,
            labels: BTreeMap::new(),
            queues: BTreeMap::new(),
            sequences: BTreeMap::new(),
            totals: Totals::default(),
        }
    }

    /// Does what the command says.
    pub fn execute(&mut self, command: Command) -> Reply {
        match command {
            Command::Create { label } => self.create(label).map(Answer::Queue),
            Command::Destroy { queue } => self.destroy(queue).map(|()| Answer::Destroyed),
            Command::Push { queue, items } => self.push(queue, &items),
            Command::Pop { queue, count } => self.pop(queue, count),
            Command::GetId { name, count } => self.getid(name, count),
        }
    }

    /// Says what the question asks.
    pub fn answer(&self, question: &Question) -> Reply {
        match question {
            Question::Id { label } => {
                self.labels.get(label).map(|queue| Answer::Queue(*queue)).ok_or(Error::NoSuchLabel)
            }
            Question::Top { queue } => {
                let (position, item) = self.queue(*queue)?.top().ok_or(Error::Empty)?;
                Ok(Answer::Top { position, item })
            }
            Question::Size { queue } => Ok(Answer::Size { ready: self.queue(*queue)?.size() }),
            Question::Summary => Ok(Answer::Summary(self.summary())),
        }
    }

    /// How much of everything there is.
    pub fn summary(&self) -> Summary {
        Summary {
            queues: self.queues.len() as u64,
            sequences: self.sequences.len() as u64,
            items: self.totals.items,
            memory_bytes: self.totals.memory_bytes,
            memory_bytes_max: self.limits.memory_bytes_max,
            digest: self.digest(),
        }
    }

    fn create(&mut self, label: Label) -> Result<QueueId, Error> {
        if let Some(queue) = self.labels.get(&label) {
            return Ok(*queue);
        }
        if self.next_queue > NUMBER_MAX {
            return Err(Error::NumberExhausted);
        }
        self.require_room(charge_of_queue(&label))?;
        let id = QueueId(self.next_queue);
        self.next_queue += 1;
        self.labels.insert(label.clone(), id);
        self.admit(id, Queue::new(id, label));
        Ok(id)
    }

    fn destroy(&mut self, queue: QueueId) -> Result<(), Error> {
        let gone = self.queues.remove(&queue).ok_or(Error::NoSuchQueue)?;
        self.labels.remove(gone.label());
        self.totals.take(&gone);
        Ok(())
    }

    fn push(&mut self, queue: QueueId, items: &[Bytes]) -> Reply {
        self.queue(queue)?;
        if items.is_empty() || items.len() > BATCH_ITEMS_MAX {
            return Err(Error::BadCount);
        }
        let item_bytes_max = self.limits.item_bytes_max.min(REQUEST_BYTES_MAX as u64);
        if items.iter().any(|item| item.len() as u64 > item_bytes_max) {
            return Err(Error::ItemTooLarge);
        }
        let count = items.len() as u64;
        self.require_room(charge_of_items(count, items.iter().map(|item| item.len() as u64).sum()))?;
        let first = self.change(queue, |queue| queue.push(items))??;
        Ok(Answer::Pushed { first, count })
    }

    fn pop(&mut self, queue: QueueId, count: u64) -> Reply {
        self.queue(queue)?;
        let count = usize::try_from(count).map_err(|_| Error::BadCount)?;
        if count == 0 || count > BATCH_ITEMS_MAX {
            return Err(Error::BadCount);
        }
        let (first, items) = self.change(queue, |queue| queue.pop(count))?;
        if items.is_empty() { Err(Error::Empty) } else { Ok(Answer::Popped { first, items }) }
    }

    fn getid(&mut self, name: Label, count: u64) -> Reply {
        if count == 0 {
            return Err(Error::BadCount);
        }
        let known = self.sequences.get(&name).copied();
        let first = known.unwrap_or(1);
        if count > NUMBER_MAX + 1 - first {
            return Err(Error::NumberExhausted);
        }
        let next = first + count;
        match known {
            Some(_) => self.totals.sum -= digest::sequence(&name, first),
            None => {
                self.require_room(charge_of_sequence(&name))?;
                self.totals.memory_bytes += charge_of_sequence(&name);
            }
        }
        self.totals.sum += digest::sequence(&name, next);
        self.sequences.insert(name, next);
        Ok(Answer::Ids { first, count })
    }

    /// Takes a queue in, whose label is known already.
    fn admit(&mut self, id: QueueId, queue: Queue) {
        self.totals.add(&queue);
        let before = self.queues.insert(id, queue);
        assert!(before.is_none(), "queue {id} was given twice");
    }

    /// Changes a queue, and with it what is known of all of them.
    fn change<T>(&mut self, id: QueueId, change: impl FnOnce(&mut Queue) -> T) -> Result<T, Error> {
        let queue = self.queues.get_mut(&id).ok_or(Error::NoSuchQueue)?;
        self.totals.take(queue);
        let done = change(queue);
        self.totals.add(queue);
        Ok(done)
    }

    /// Whether so much more may be charged.
    fn require_room(&self, charge: u64) -> Result<(), Error> {
        let room = self.limits.memory_bytes_max.saturating_sub(self.totals.memory_bytes);
        if charge > room { Err(Error::MemoryLimit) } else { Ok(()) }
    }

    fn queue(&self, queue: QueueId) -> Result<&Queue, Error> {
        self.queues.get(&queue).ok_or(Error::NoSuchQueue)
    }
}

impl Totals {
    fn add(&mut self, queue: &Queue) {
        self.sum += queue.sum();
        self.items += queue.size();
        self.memory_bytes += queue.charge();
    }

    fn take(&mut self, queue: &Queue) {
        self.sum -= queue.sum();
        self.items -= queue.size();
        self.memory_bytes -= queue.charge();
    }
}

/// What a sequence with this name is charged.
fn charge_of_sequence(name: &Label) -> u64 {
    SEQUENCE_CHARGE + name.as_bytes().len() as u64
}

impl Machine for Queues {
    /// Nothing in these rules depends on time.
    fn advance(&mut self, _slot: Slot, _clock: SlotClock) {}

    fn apply(&mut self, _place: Place, command: &Bytes, answer: &mut Vec<u8>) {
        let reply = Command::decode(command).and_then(|command| self.execute(command));
        encode_reply(&reply, answer);
    }

    fn query(&self, question: &Bytes, answer: &mut Vec<u8>) {
        let reply = Question::decode(question).and_then(|question| self.answer(&question));
        encode_reply(&reply, answer);
    }

    fn deadline(&self) -> Option<SlotClock> {
        None
    }

    fn digest(&self) -> Digest {
        digest::whole(self.totals.sum, self.limits, self.next_queue, self.totals.memory_bytes)
    }

    fn snapshot(&self) -> Vec<Bytes> {
        snapshot::pieces(self)
    }

    fn restore(&mut self, pieces: &[Bytes]) -> Result<(), Malformed> {
        *self = snapshot::restore(pieces)?;
        Ok(())
    }
}
