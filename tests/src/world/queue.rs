//! What is going to happen, in the order in which it will.
//!
//! Always: things come out by time, and at the same time in the order in which they went in, so that
//! one seed gives one run.

use crate::network::Datagram;
use ftq_core::time::Time;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Something that happens at one moment.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A datagram arrives.
    Arrival(Datagram),
    /// A member's replica or store wants to be called, if this is still the wake that it waits for.
    Wake {
        /// The index of the member.
        node: usize,
    },
    /// A member's processor is through with the next input.
    Processed {
        /// The index of the member.
        node: usize,
        /// The boot that this was for.
        boot: u64,
    },
    /// A client wants to be called.
    ClientWake {
        /// The index of the client.
        client: usize,
    },
    /// A member that is down starts again.
    Restart {
        /// The index of the member.
        node: usize,
        /// How often it had started when this was decided.
        boot: u64,
    },
    /// A member that stands still goes on.
    Resume {
        /// The index of the member.
        node: usize,
        /// Which pause ends.
        pause: u64,
    },
    /// A member's disk is healthy again.
    DiskHeals {
        /// The index of the member.
        node: usize,
        /// Which trouble ends.
        trouble: u64,
    },
    /// A member's processor is as fast as ever again.
    CpuHeals {
        /// The index of the member.
        node: usize,
        /// Which trouble ends.
        trouble: u64,
    },
    /// A member's power is cut.
    PowerCut {
        /// The index of the member.
        node: usize,
        /// The boot that this is about.
        boot: u64,
    },
    /// The next random fault is due.
    Chaos,
    /// It is looked whether the cluster has changed in this minute.
    Reshape,
}

#[derive(Debug)]
struct Entry {
    at: Time,
    ordinal: u64,
    happening: Happening,
}

/// All that is going to happen.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    ordinal: u64,
}

impl Queue {
    /// `happening` will happen at `at`.
    pub(crate) fn push(&mut self, at: Time, happening: Happening) {
        self.ordinal += 1;
        self.heap.push(Reverse(Entry { at, ordinal: self.ordinal, happening }));
    }

    /// The next thing that happens, if that is not after `until`.
    pub(crate) fn pop(&mut self, until: Time) -> Option<(Time, Happening)> {
        if self.heap.peek()?.0.at > until {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.happening))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        (self.at, self.ordinal).cmp(&(other.at, other.ordinal))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
