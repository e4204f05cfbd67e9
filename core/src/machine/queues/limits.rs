//! What bounds the machine: the limits that a cluster may choose, and those that the rules fix.
//!
//! Memory is charged by what is in the queues and not by how it is laid out, so that every replica
//! refuses the same push. A long queue takes less than it is charged; a short one may for a while take four
//! times as much (a buffer that grows by doubling, half of it popped), but no more than two segments.

use crate::time::Span;

/// The limits that a cluster chooses. They decide answers, so they are part of the state: they are
/// changed by a command, and a machine that takes its state from a snapshot takes them from there too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest item.
    pub item_bytes_max: u64,
    /// What everything together, with the answers that sessions keep, may be charged before pushes are refused.
    pub memory_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { item_bytes_max: 1 << 20, memory_bytes_max: 1 << 30 }
    }
}

/// The largest command or question: what the replica takes from a client as one request.
pub const REQUEST_BYTES_MAX: usize = 8 << 20;

/// The most items, receipts or steps in one request: it bounds what one command may cost all others.
pub const BATCH_ITEMS_MAX: usize = 1 << 16;

/// A pop, a take or a look at many stops before its items pass this: sessions keep answers in memory and in
/// snapshots until they are confirmed, and an answer of this length is one datagram on loopback. One item is
/// always given, whatever its size.
pub const POP_BYTES_MAX: usize = 48 << 10;

/// What an item of an answer is charged beyond its bytes: its length, its position, its receipt and how
/// often it was delivered. What stands before the items is charged as much.
pub(super) const POP_ITEM_CHARGE: usize = 32;

/// The longest label of a queue, name of a sequence or key of a push, in bytes.
pub const LABEL_BYTES_MAX: usize = 255;

/// The highest id, position, receipt or number of a sequence: all of them fit a signed 64-bit integer.
pub const NUMBER_MAX: u64 = i64::MAX as u64;

/// How many priorities there are, from 0, which goes first.
pub const PRIORITIES: u8 = 8;

/// The priority of whoever does not name one.
pub const PRIORITY_DEFAULT: u8 = 4;

/// How long a pop may wait. It is less than half of what a session lives unheard, so that a session does
/// not expire under a client that waits and then thinks for a while.
pub const WAIT_MS_MAX: u64 = 240_000;

/// How long a lease may be, from now: a day.
pub const LEASE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// The longest delay, time to live and window of keys: a year.
pub const SPAN_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1_000;

/// For how long a key is known if the queue's settings do not say otherwise.
pub const KEY_WINDOW_MS: u64 = 10 * 60 * 1_000;

/// How many pops may wait in all queues; each holds a few hundred bytes.
pub const WAITS_MAX: usize = 16_384;

/// How many things that are due are done in one slot, leases of sessions that are gone among them; the rest
/// is done in the next ones, which are ordered at once. It takes some tens of milliseconds at most.
pub const DUE_MAX: usize = 1 << 16;

/// By how much numbers are raised when a backup is restored, unless the operator says otherwise.
pub const RESTORE_STEP: u64 = 1_000_000;

/// What a plain item is charged beyond its bytes: its length and its place in front, its share of a
/// segment's head and of the room that a growing buffer keeps.
pub(super) const ITEM_CHARGE: u64 = 64;

/// What an item is charged beyond its bytes that is leased, delayed, returned or dead, or has a time to
/// live: an entry in one map of the queue, one in the index of what is due, and what is known of it.
pub(super) const HELD_CHARGE: u64 = 160;

/// What a key is charged beyond its bytes: an entry in the map and one in the index of what is due.
pub(super) const KEY_CHARGE: u64 = 160;

/// What a queue is charged beyond its label and its items: its map entries, its numbers, and the
/// popped items that a head segment may still carry (`BEHIND_BYTES_MAX` in `backlog`).
pub(super) const QUEUE_CHARGE: u64 = 1536;

/// What a sequence is charged beyond its name: a map entry.
pub(super) const SEQUENCE_CHARGE: u64 = 128;

/// A span of so many milliseconds, which a limit bounds.
pub(super) fn millis(ms: u64) -> Span {
    Span::millis(ms)
}
