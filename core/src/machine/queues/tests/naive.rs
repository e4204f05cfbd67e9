//! The machine as a newcomer would write it: lists and scans, no digest, no segments. It is what the
//! words of the operations mean, and the real one has to agree with it.

use crate::machine::queues::*;
use alloc::vec::Vec;
use bytes::Bytes;

/// One queue: every item that it holds, with its position.
struct NaiveQueue {
    id: u64,
    label: Label,
    next: u64,
    items: Vec<(u64, Bytes)>,
}

/// All queues and sequences.
pub(super) struct Naive {
    limits: Limits,
    created: u64,
    queues: Vec<NaiveQueue>,
    sequences: Vec<(Label, u64)>,
}

impl Naive {
    pub(super) fn new(limits: Limits) -> Naive {
        Naive { limits, created: 0, queues: Vec::new(), sequences: Vec::new() }
    }

    pub(super) fn execute(&mut self, command: &Command) -> Reply {
        match command {
            Command::Create { label } => {
                if let Some(queue) = self.queues.iter().find(|queue| queue.label == *label) {
                    return Ok(Answer::Queue(QueueId(queue.id)));
                }
                self.room(1536 + label.as_str().len())?;
                self.created += 1;
                let queue = NaiveQueue { id: self.created, label: label.clone(), next: 1, items: Vec::new() };
                self.queues.push(queue);
                Ok(Answer::Queue(QueueId(self.created)))
            }
            Command::Destroy { queue } => {
                let at = self.queues.iter().position(|q| q.id == queue.0).ok_or(Error::NoSuchQueue)?;
                self.queues.remove(at);
                Ok(Answer::Destroyed)
            }
            Command::Push { queue, items } => {
                self.find(*queue)?;
                if items.is_empty() || items.len() > 65_536 {
                    return Err(Error::BadCount);
                }
                if items.iter().any(|item| item.len() as u64 > self.limits.item_bytes_max) {
                    return Err(Error::ItemTooLarge);
                }
                self.room(items.iter().map(|item| item.len() + 64).sum())?;
                let queue = self.queues.iter_mut().find(|q| q.id == queue.0).ok_or(Error::NoSuchQueue)?;
                let first = queue.next;
                for item in items {
                    queue.items.push((queue.next, item.clone()));
                    queue.next += 1;
                }
                Ok(Answer::Pushed { first, count: items.len() as u64 })
            }
            Command::Pop { queue, count } => {
                let queue = self.queues.iter_mut().find(|q| q.id == queue.0).ok_or(Error::NoSuchQueue)?;
                if *count == 0 || *count > 65_536 {
                    return Err(Error::BadCount);
                }
                let (first, _) = *queue.items.first().ok_or(Error::Empty)?;
                let mut taken = 0;
                let mut bytes = 0;
                for (_, item) in queue.items.iter().take(*count as usize) {
                    bytes += item.len() + 4;
                    if taken > 0 && bytes > 48 << 10 {
                        break;
                    }
                    taken += 1;
                }
                Ok(Answer::Popped { first, items: queue.items.drain(..taken).map(|(_, item)| item).collect() })
            }
            Command::GetId { name, count } => {
                if *count == 0 {
                    return Err(Error::BadCount);
                }
                let last = self.sequences.iter().find(|(known, _)| known == name).map(|(_, last)| *last);
                let end = u128::from(last.unwrap_or(0)) + u128::from(*count);
                if end > i64::MAX as u128 {
                    return Err(Error::NumberExhausted);
                }
                if last.is_none() {
                    self.room(128 + name.as_str().len())?;
                }
                self.sequences.retain(|(known, _)| known != name);
                self.sequences.push((name.clone(), end as u64));
                Ok(Answer::Ids { first: last.unwrap_or(0) + 1, count: *count })
            }
        }
    }

    pub(super) fn answer(&self, question: &Question) -> Reply {
        match question {
            Question::Id { label } => {
                let queue = self.queues.iter().find(|queue| queue.label == *label).ok_or(Error::NoSuchLabel)?;
                Ok(Answer::Queue(QueueId(queue.id)))
            }
            Question::Top { queue } => {
                let (position, item) = self.find(*queue)?.items.first().ok_or(Error::Empty)?;
                Ok(Answer::Top { position: *position, item: item.clone() })
            }
            Question::Size { queue } => Ok(Answer::Size { ready: self.find(*queue)?.items.len() as u64 }),
            Question::Summary => Ok(Answer::Summary(Summary {
                queues: self.queues.len() as u64,
                sequences: self.sequences.len() as u64,
                items: self.queues.iter().map(|queue| queue.items.len() as u64).sum(),
                memory_bytes: self.memory() as u64,
                memory_bytes_max: self.limits.memory_bytes_max,
                digest: Digest::default(),
            })),
        }
    }

    fn find(&self, queue: QueueId) -> Result<&NaiveQueue, Error> {
        self.queues.iter().find(|q| q.id == queue.0).ok_or(Error::NoSuchQueue)
    }

    fn memory(&self) -> usize {
        let items = |queue: &NaiveQueue| queue.items.iter().map(|(_, item)| item.len() + 64).sum::<usize>();
        let queues: usize = self.queues.iter().map(|q| 1536 + q.label.as_str().len() + items(q)).sum();
        queues + self.sequences.iter().map(|(name, _)| 128 + name.as_str().len()).sum::<usize>()
    }

    fn room(&self, charge: usize) -> Result<(), Error> {
        let fits = (self.memory() + charge) as u64 <= self.limits.memory_bytes_max;
        if fits { Ok(()) } else { Err(Error::MemoryLimit) }
    }
}
