//! One queue: its label, its items and their positions.
//!
//! Positions count the items of the queue from 1 and are never used again; `first..next` are in the
//! backlog. The queue's own sum of elements makes destroying it O(1) for the digest.

use super::backlog::Backlog;
use super::digest::{self, Sum};
use super::error::Error;
use super::label::{Label, QueueId};
use super::limits::{ITEM_CHARGE, NUMBER_MAX, POP_BYTES_MAX, POP_ITEM_CHARGE, QUEUE_CHARGE};
use crate::wire::Malformed;
use alloc::vec::Vec;
use bytes::Bytes;

/// One queue.
#[derive(Debug)]
pub(super) struct Queue {
    id: QueueId,
    label: Label,
    first: u64,
    next: u64,
    backlog: Backlog,
    items: Sum,
    item_bytes: u64,
}

impl Queue {
    /// A queue without items.
    pub(super) fn new(id: QueueId, label: Label) -> Queue {
        let (items, item_bytes) = (Sum::default(), 0);
        Queue { id, label, first: 1, next: 1, backlog: Backlog::default(), items, item_bytes }
    }

    /// A queue out of a snapshot, with everything that follows from its items worked out again.
    pub(super) fn restored(
        id: QueueId,
        label: Label,
        first: u64,
        next: u64,
        backlog: Backlog,
    ) -> Result<Queue, Malformed> {
        if first == 0 || next < first || next > NUMBER_MAX + 1 {
            return Err(Malformed);
        }
        let (mut items, mut item_bytes, mut position) = (Sum::default(), 0, first);
        let count = backlog.check(|item| {
            items += digest::item(id, position, item);
            item_bytes += item.len() as u64;
            position += 1;
        })?;
        if count != next - first {
            return Err(Malformed);
        }
        Ok(Queue { id, label, first, next, backlog, items, item_bytes })
    }

    /// Puts items at the end, all or none, and says the position of the first one.
    pub(super) fn push(&mut self, items: &[Bytes]) -> Result<u64, Error> {
        let first = self.next;
        if items.len() as u64 > NUMBER_MAX + 1 - first {
            return Err(Error::NumberExhausted);
        }
        for item in items {
            self.items += digest::item(self.id, self.next, item);
            self.item_bytes += item.len() as u64;
            self.backlog.push(item);
            self.next += 1;
        }
        Ok(first)
    }

    /// Takes up to `count` items off the front, and says the position of the first one.
    pub(super) fn pop(&mut self, count: usize) -> (u64, Vec<Bytes>) {
        let first = self.first;
        let mut items = Vec::new();
        let mut bytes = 0;
        while items.len() < count {
            let Some(next) = self.backlog.top_len() else { break };
            bytes += next + POP_ITEM_CHARGE;
            if bytes > POP_BYTES_MAX && !items.is_empty() {
                break;
            }
            let Some(item) = self.backlog.pop() else { break };
            self.items -= digest::item(self.id, self.first, &item);
            self.item_bytes -= item.len() as u64;
            self.first += 1;
            items.push(item);
        }
        (first, items)
    }

    /// The first item with its position.
    pub(super) fn top(&self) -> Option<(u64, Bytes)> {
        self.backlog.top().map(|item| (self.first, item))
    }

    /// How many items there are.
    pub(super) fn size(&self) -> u64 {
        self.next - self.first
    }

    /// Its label.
    pub(super) fn label(&self) -> &Label {
        &self.label
    }

    /// The positions of its first item and of its next one.
    pub(super) fn positions(&self) -> (u64, u64) {
        (self.first, self.next)
    }

    /// Its items, as they are kept.
    pub(super) fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// What it adds to the sum of all elements.
    pub(super) fn sum(&self) -> Sum {
        let mut sum = digest::queue(self.id, &self.label, self.first, self.next);
        sum += self.items;
        sum
    }

    /// What it is charged.
    pub(super) fn charge(&self) -> u64 {
        charge_of_queue(&self.label) + charge_of_items(self.size(), self.item_bytes)
    }
}

/// What a queue with this label is charged before it has items.
pub(super) fn charge_of_queue(label: &Label) -> u64 {
    QUEUE_CHARGE + label.as_bytes().len() as u64
}

/// What so many items of so many bytes together are charged.
pub(super) fn charge_of_items(count: u64, bytes: u64) -> u64 {
    count * ITEM_CHARGE + bytes
}
