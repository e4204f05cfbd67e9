//! The room that an answer has for items.

use super::limits::{POP_BYTES_MAX, POP_ITEM_CHARGE};

/// The room that an answer has for items.
#[derive(Clone, Debug)]
pub(super) struct Room {
    used: usize,
    /// For the first item, whatever its size.
    first: usize,
    /// For all, if there are several.
    all: usize,
}

impl Room {
    /// The room in an answer of at most so many bytes.
    pub(super) fn of(bytes: usize) -> Room {
        let first = bytes.saturating_sub(POP_ITEM_CHARGE);
        Room { used: 0, first, all: first.min(POP_BYTES_MAX) }
    }

    /// The room in an answer that nobody keeps: one item always fits.
    pub(super) fn unkept() -> Room {
        Room::of(usize::MAX)
    }

    /// Whether one more item of this length fits; if so it is counted.
    pub(super) fn fits(&mut self, bytes: usize) -> bool {
        let used = self.used + bytes + POP_ITEM_CHARGE;
        let fits = used <= if self.used == 0 { self.first } else { self.all };
        if fits {
            self.used = used;
        }
        fits
    }
}
