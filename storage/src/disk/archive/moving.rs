//! sled never gives space back: when it takes too much, everything moves into a fresh database beside it.
//!
//! ```text
//! keys:  [ copied, and written to both from then on | not yet: written to the present one only ]
//!                                          cursor ──▶
//! ```
//!
//! Always: the present database holds everything until the fresh one is synced and named the current one, so
//! a crash at any moment finds one that is whole. Nobody waits for a move; it goes on in small steps.

use super::log::{Key, PREFIX, end_key};
use super::values::{Values, checked};
use super::{Archive, Step, Trouble};
use ftq_core::ids::Slot;
use std::ops::Bound;
use std::path::{Path, PathBuf};

/// What one step copies, about.
const STEP_BYTES: usize = 256 << 10;

/// A database takes so many times of what is in it before that counts as too much.
const SPREAD: u64 = 2;

/// The move under way, and the size of the present database when it was fresh.
#[derive(Default)]
pub(super) struct Moving {
    to: Option<Values>,
    /// Everything up to this key is in both.
    copied: Vec<u8>,
    fresh_bytes: u64,
}

impl Moving {
    /// Does to the fresh database what was done to the present one, as far as it is copied.
    pub(super) fn mirror(
        &mut self,
        key: &[u8],
        to: impl FnOnce(&mut Values) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        match &mut self.to {
            Some(values) if *key <= self.copied[..] => to(values),
            Some(_) | None => Ok(()),
        }
    }
}

impl Archive {
    /// Whether the present database takes so much more than what is in it that moving pays; and what is in it.
    pub(in crate::disk) fn wants_move(&self) -> Result<Option<u64>, Trouble> {
        let live = self.log.bytes() + self.snapshot.as_ref().map_or(0, |kept| kept.bytes());
        let takes = self.disk_bytes()?;
        let too_much = takes > SPREAD * live + self.bounds.slack_bytes && takes / 3 * 2 > self.moving.fresh_bytes;
        Ok((too_much && self.moving.to.is_none()).then_some(live))
    }

    /// What the present database takes on the disk.
    pub(in crate::disk) fn disk_bytes(&self) -> Result<u64, Trouble> {
        self.values.disk_bytes().map_err(Trouble::Sync)
    }

    /// Begins to copy everything into a fresh database in the directory `to`, where nothing is.
    pub(in crate::disk) fn begin_move(&mut self, to: &Path) -> Result<(), Trouble> {
        let mut to = Values::open(to).map_err(|error| Trouble::Fresh(error.to_string()))?;
        to.vitals = self.values.vitals.clone();
        self.moving = Moving { to: Some(to), ..Moving::default() };
        Ok(())
    }

    /// Copies a little.
    pub(super) fn step_moving(&mut self) -> Result<Step, Trouble> {
        let Some(mut to) = self.moving.to.take() else { return Ok(Step::Idle) };
        let rest = (Bound::Excluded(self.moving.copied.clone()), Bound::Unbounded);
        let mut bytes = 0;
        for entry in self.values.db.range::<Vec<u8>, _>(rest) {
            let (key, value) = entry?;
            match checked(&key, &value) {
                Ok(body) => to.copy(&key, &body)?,
                // A hole in the log below the snapshot: who needs what is there gets a snapshot instead.
                Err(trouble) if self.is_covered(&key)? => log::error!("not moved: {trouble}"),
                Err(trouble) => return Err(trouble),
            }
            bytes += value.len();
            self.moving.copied = key.to_vec();
            if bytes >= STEP_BYTES {
                self.moving.to = Some(to);
                return Ok(Step::Working);
            }
        }
        to.sync()?;
        self.moving.to = Some(to);
        Ok(Step::Copied)
    }

    /// The fresh database was named the current one: it becomes the present one. Gives the place of the other.
    pub(in crate::disk) fn end_move(&mut self) -> Result<Option<PathBuf>, Trouble> {
        let Some(to) = std::mem::take(&mut self.moving).to else { return Ok(None) };
        let former = std::mem::replace(&mut self.values, to);
        self.moving.fresh_bytes = self.values.disk_bytes().map_err(Trouble::Sync)?;
        Ok(Some(former.path().to_owned()))
    }

    /// Whether a value is of the log, and the newest snapshot covers all that it can hold.
    fn is_covered(&self, key: &[u8]) -> Result<bool, Trouble> {
        if key.first() != Some(&PREFIX) {
            return Ok(false);
        }
        let above = self.snapshot.as_ref().map_or(Slot(0), |kept| kept.head.slot).next();
        let behind = self.values.db.range::<&[u8], _>((Bound::Excluded(key), Bound::Excluded(&end_key()[..])));
        let Some(next) = behind.keys().next().transpose()? else { return Ok(false) };
        Ok(Key::parse(&next)?.is_behind_all_below(above))
    }
}
