//! Who may use how much of the journal.
//!
//! ```text
//! |------------- half -------------|------- the other half -------|
//!  slots ──────────────────────────▶                       reserve
//!  slots ahead of one of the next two ─────────────────────▶
//!  promises, installs ────────────────────────────────────────▶
//!  bases, electorates ────────────────────────────────────────────▶
//! ```
//!
//! When the journal is half full because the archive is behind, slots wait: the replica notices that
//! they don't become durable and orders nothing more. Nothing else breaks: what is not needed is freed,
//! and accepted slots that nobody commits are written again when they are little of what is in use.

use super::{Trouble, Writer};
use crate::disk::journal::{Journal, Record, slots_bytes_max};
use ftq_core::store::{Job, SlotRecord};

/// Slots use at most this fraction of the journal: the rest is for what a view change or the archive waits for.
const SLOTS_SHARE: u64 = 2;

/// Even slots ahead of such a record leave this fraction of the journal free.
const RESERVE_SHARE: u64 = 8;

/// What is left free for electorates and bases, which are small and few.
const LAST_BYTES: u64 = 16 << 10;

/// One record of slots is at most this fraction of the journal; more slots make several records.
const RECORD_SHARE: u64 = 8;

impl Writer {
    /// Whether the record may be written now, after making room if that helps. It can't help while a
    /// group is under way: then that is synced first, and this is asked again.
    pub(super) fn has_room(&mut self, record: &Record) -> Result<bool, Trouble> {
        let bytes = record.bytes_max() as u64;
        let area = self.journal.area_bytes();
        let most = match (record, self.solemn_waits()) {
            (Record::Append(_), false) => area / SLOTS_SHARE,
            (Record::Append(_), true) => area - area / RESERVE_SHARE,
            // What makes room, or what that waits for, has the last of it.
            (Record::Electorate(_) | Record::Base { .. } | Record::Rewrite(_), _) => area,
            (Record::Promise(_) | Record::Install { .. }, _) => area - LAST_BYTES.min(area / RESERVE_SHARE),
        };
        if bytes > most {
            return Err(Trouble::TooLarge);
        }
        if self.journal.used() + bytes <= area / SLOTS_SHARE {
            return Ok(true);
        }
        if !self.journal.has_group() {
            self.make_room(bytes)?;
        }
        Ok(self.journal.used() + bytes <= most)
    }

    /// Frees what is not needed; writes the accepted slots again if little of what is in use is theirs.
    fn make_room(&mut self, bytes: u64) -> Result<(), Trouble> {
        let fits = |journal: &Journal| journal.used() + bytes <= journal.area_bytes() / SLOTS_SHARE;
        if self.journal.needed() < self.journal.used() {
            self.journal.sync_mark()?;
        }
        let rewritten = self.journal.rewrite_bytes_max();
        let pays = rewritten * 2 <= self.journal.used() && rewritten <= self.journal.room();
        if !fits(&self.journal) && pays {
            let rewrite = self.journal.rewrite();
            self.journal.write(rewrite)?;
            self.journal.sync()?;
            self.journal.sync_mark()?;
        }
        Ok(())
    }

    /// Whether something waits that a view change or the archive waits for.
    fn solemn_waits(&self) -> bool {
        self.jobs.iter().any(|(_, job)| match job {
            Job::Promise { .. } | Job::Install { .. } | Job::Electorate { .. } => true,
            Job::Append { .. } | Job::CatchUp { .. } | Job::Adopt { .. } => false,
            Job::Deliver { .. } | Job::Snapshot { .. } | Job::Cut { .. } | Job::Heard { .. } => {
                unreachable!("not a job of the journal")
            }
        })
    }
}

/// How many of these slots go into one record of a journal with this area, at least one.
pub(super) fn portion(slots: &[SlotRecord], area_bytes: u64) -> usize {
    let bytes_max = area_bytes / RECORD_SHARE;
    let mut bytes = 0;
    let fits = |record: &&SlotRecord| {
        bytes += slots_bytes_max([*record].into_iter()) as u64;
        bytes <= bytes_max
    };
    slots.iter().take_while(fits).count().max(1.min(slots.len()))
}
