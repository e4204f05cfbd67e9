//! The digest of the state, kept up to date as the state changes and read in O(1).
//!
//! The state is a set of elements, each of which says its own place: an item its queue and position, a
//! queue its id, label and numbers, a sequence its name. The digest is their sum, so that an element
//! comes and goes by one addition, and two states with the same elements in another order differ.

use super::label::{Label, QueueId};
use crate::ids::Digest;
use crate::session::message::SessionId;
use core::ops::{AddAssign, SubAssign};
use xxhash_rust::xxh3::xxh3_128;

/// The sum of elements, modulo 2^128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(pub(super) u128);

/// What an element is about. The numbers are part of the digest.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Item = 1,
    Queue = 2,
    Sequence = 3,
    Held = 4,
    Key = 5,
    Wait = 6,
    Whole = 7,
    Gone = 8,
}

/// A plain item: its queue, its position, its priority and when it came.
pub(super) fn item(queue: QueueId, position: u64, priority: u8, came_ms: u64, item: &[u8]) -> Sum {
    element(Kind::Item, [queue.0, position, u64::from(priority), came_ms], xxh3_128(item))
}

/// An item about which more is known.
pub(super) fn held(numbers: [u64; 9], item: &[u8]) -> Sum {
    element(Kind::Held, numbers, xxh3_128(item))
}

/// A queue with all that is known of it beside its items.
pub(super) fn queue(numbers: [u64; 15], label: u128) -> Sum {
    element(Kind::Queue, numbers, label)
}

/// The key of a push, and what it was answered.
pub(super) fn key(queue: QueueId, key: &Label, first: u64, count: u64, until: u64) -> Sum {
    element(Kind::Key, [queue.0, first, count, until], xxh3_128(key.as_bytes()))
}

/// A pop that waits.
pub(super) fn wait(numbers: [u64; 7]) -> Sum {
    element(Kind::Wait, numbers, 0)
}

/// A session that is gone and still has leases.
pub(super) fn gone(session: SessionId) -> Sum {
    element(Kind::Gone, [session.0], 0)
}

/// A sequence with its next number.
pub(super) fn sequence(name: &Label, next: u64) -> Sum {
    element(Kind::Sequence, [next], xxh3_128(name.as_bytes()))
}

/// The whole: the elements, and what there is one of.
pub(super) fn whole(sum: Sum, numbers: [u64; 8]) -> Digest {
    Digest(element(Kind::Whole, numbers, sum.0).0)
}

/// `M` numbers and the hash of some bytes, under their kind.
fn element<const M: usize>(kind: Kind, numbers: [u64; M], bytes: u128) -> Sum {
    // The longest is that of a queue.
    let mut all = [0; 8 + 16 + 15 * 8];
    all[0] = kind as u8;
    all[8..24].copy_from_slice(&bytes.to_le_bytes());
    for (place, number) in all[24..].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    Sum(xxh3_128(&all[..24 + 8 * M]))
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
