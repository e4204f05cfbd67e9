//! What bounds the machine: the limits that a cluster may choose, and those that the rules fix.
//!
//! Memory is charged by what is in the queues and not by how it is laid out, so that every replica
//! refuses the same push. A long queue takes less than it is charged; a short one may for a while take four
//! times as much (a buffer that grows by doubling, half of it popped), but no more than two segments.

/// The limits that a cluster chooses. They decide answers, so they are part of the state: a machine
/// that takes its state from a snapshot takes them from there too, and replicas that were given
/// different ones differ in the digest from the first slot on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest item.
    pub item_bytes_max: u64,
    /// What everything together may be charged; what would pass it is refused.
    pub memory_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { item_bytes_max: 1 << 20, memory_bytes_max: 1 << 30 }
    }
}

/// The largest command or question: what the replica takes from a client as one request.
pub const REQUEST_BYTES_MAX: usize = 8 << 20;

/// The most items in one push or pop: it bounds what one command may cost all others.
pub const BATCH_ITEMS_MAX: usize = 1 << 16;

/// A pop of many stops before its items pass this, each with its length: sessions keep answers
/// until they are confirmed, and an answer has to fit into one datagram, or what it holds would be popped
/// and never seen. One item is always given, whatever its size.
pub const POP_BYTES_MAX: usize = 48 << 10;

/// What an item of an answer is charged beyond its bytes: its length in front.
pub(super) const POP_ITEM_CHARGE: usize = 4;

/// The longest label of a queue or name of a sequence, in bytes.
pub const LABEL_BYTES_MAX: usize = 255;

/// The highest id, position or number of a sequence: all of them fit a signed 64-bit integer.
pub const NUMBER_MAX: u64 = i64::MAX as u64;

/// What an item is charged beyond its bytes: its length in front, its share of a segment's head and
/// of the room that a growing buffer keeps.
pub(super) const ITEM_CHARGE: u64 = 64;

/// What a queue is charged beyond its label and its items: two map entries, and the popped items that
/// a head segment may still carry (`BEHIND_BYTES_MAX` in `backlog`).
pub(super) const QUEUE_CHARGE: u64 = 1536;

/// What a sequence is charged beyond its name: a map entry.
pub(super) const SEQUENCE_CHARGE: u64 = 128;
