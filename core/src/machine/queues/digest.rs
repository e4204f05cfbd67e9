//! The digest of the state, kept up to date as the state changes and read in O(1).
//!
//! The state is a set of elements, each of which says its own place: an item its queue and position, a
//! queue its id, label and positions, a sequence its name. The digest is their sum, so that an element
//! comes and goes by one addition, and two states with the same elements in another order differ.

use super::label::{Label, QueueId};
use super::limits::Limits;
use crate::ids::Digest;
use core::ops::{AddAssign, SubAssign};
use xxhash_rust::xxh3::xxh3_128;

/// The sum of elements, modulo 2^128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(pub(super) u128);

const ITEM: u8 = 1;
const QUEUE: u8 = 2;
const SEQUENCE: u8 = 3;

/// An item at a position of a queue.
pub(super) fn item(queue: QueueId, position: u64, item: &[u8]) -> Sum {
    element(ITEM, queue.0, position, 0, item)
}

/// A queue with the positions of its first item and of its next one.
pub(super) fn queue(queue: QueueId, label: &Label, first: u64, next: u64) -> Sum {
    element(QUEUE, queue.0, first, next, label.as_bytes())
}

/// A sequence with its next number.
pub(super) fn sequence(name: &Label, next: u64) -> Sum {
    element(SEQUENCE, next, 0, 0, name.as_bytes())
}

/// The whole: the elements, and what there is one of.
pub(super) fn whole(sum: Sum, limits: Limits, next_queue: u64, memory_bytes: u64) -> Digest {
    let mut bytes = [0; 16 + 4 * 8];
    bytes[..16].copy_from_slice(&sum.0.to_le_bytes());
    let numbers = [limits.item_bytes_max, limits.memory_bytes_max, next_queue, memory_bytes];
    for (place, number) in bytes[16..].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    Digest(xxh3_128(&bytes))
}

fn element(kind: u8, a: u64, b: u64, c: u64, content: &[u8]) -> Sum {
    let mut bytes = [0; 17 + 3 * 8];
    bytes[0] = kind;
    bytes[1..17].copy_from_slice(&xxh3_128(content).to_le_bytes());
    for (place, number) in bytes[17..].chunks_exact_mut(8).zip([a, b, c]) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    Sum(xxh3_128(&bytes))
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Sum) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl SubAssign for Sum {
    fn sub_assign(&mut self, other: Sum) {
        self.0 = self.0.wrapping_sub(other.0);
    }
}
