//! The delivered log below the newest snapshot is taken out, a few values at a time.
//!
//! Always: what is above the newest durable snapshot stays, and of what is below it as much as is kept for
//! slow members. The last value stays too: it says where the log ends.

use super::log::{Extent, Key, end_key, extent_of, first_key};
use super::{Archive, Trouble};
use ftq_core::ids::Slot;

/// How many values go in one step: about a millisecond's worth.
const KEYS_PER_STEP: usize = 32;

/// How many values of a log that a snapshot has replaced go before the next sync.
const KEYS_AT_ONCE: usize = 256;

/// What may go.
#[derive(Default)]
pub(super) struct Trim {
    below: Slot,
    is_due: bool,
}

impl Archive {
    /// Slots below `below` are not needed any more, but for slow members.
    pub(in crate::disk) fn cut(&mut self, below: Slot) {
        self.trim = Trim { below: self.trim.below.max(below), is_due: true };
    }

    /// Takes out a few values; whether there may be more to take out.
    pub(super) fn step_trim(&mut self) -> Result<bool, Trouble> {
        if !self.trim.is_due {
            return Ok(false);
        }
        let below = self.trim.below.min(self.snapshot.as_ref().map_or(Slot(0), |kept| kept.head.slot.next()));
        let values = self.values.db.range(first_key(Slot(0))..end_key()).take(KEYS_PER_STEP + 1);
        let values = values.collect::<Result<Vec<_>, _>>()?;
        self.trim.is_due = values.len() > KEYS_PER_STEP;
        for pair in values.windows(2) {
            let (next, _) = extent_of(&pair[1]);
            let is_needed = !Key::parse(&pair[1].0)?.is_behind_all_below(below);
            if is_needed || self.log.to.saturating_sub(next) < self.bounds.log_keep_bytes {
                self.trim.is_due = false;
                break;
            }
            self.remove(&pair[0].0)?;
            self.log.from = next;
        }
        self.sync()?;
        Ok(true)
    }

    /// Takes out all slots: a snapshot has replaced them.
    pub(super) fn drop_log(&mut self) -> Result<(), Trouble> {
        loop {
            let keys = self.values.db.range(first_key(Slot(0))..end_key()).keys().take(KEYS_AT_ONCE);
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            if keys.is_empty() {
                self.log = Extent::default();
                return Ok(());
            }
            keys.iter().try_for_each(|key| self.remove(key))?;
            self.sync()?;
        }
    }
}
