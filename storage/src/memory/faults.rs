//! How a simulated disk behaves, and what has happened to it.

use ftq_core::chance::Chance;
use ftq_core::time::Span;

/// A time that is drawn anew each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// It takes at least this long.
    pub base: Span,
    /// And at most this much longer.
    pub jitter: Span,
}

/// How a disk behaves from now on. The default is a healthy disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// How long the journal's sync takes.
    pub journal: Drawn,
    /// How long the archive's sync takes.
    pub archive: Drawn,
    /// How long a read takes.
    pub read: Drawn,
    /// All of that takes this many times as long.
    pub slow: u64,
    /// Nothing that is under way ends until this is `false` again.
    pub hanging: bool,
    /// The sync that ends next fails, and it was the last one.
    pub failing: bool,
    /// The read that ends next fails, and the store with it: a value is not what was written, or the disk says EIO.
    pub failing_reads: bool,
    /// There is no room: the archive's next write fails. The journal has its space for good.
    pub full: bool,
    /// The journal takes no more slots while so many wait in it for the archive. A promise or an install still
    /// gets through, and so do the slots that it waits behind.
    pub accepted_max: u64,
    /// A power cut keeps any of the writes that no sync has covered, not only the first ones.
    pub reordering: bool,
    /// How many of the power cuts in a hundred that come while something is being written make the write land
    /// in another place.
    pub misdirected_percent: u64,
    /// How many reports in a hundred come late, each for itself, so that they overtake one another.
    pub late_percent: u64,
    /// How late they come at most.
    pub late: Span,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            journal: Drawn { base: Span::micros(200), jitter: Span::micros(100) },
            archive: Drawn { base: Span::millis(5), jitter: Span::millis(5) },
            read: Drawn { base: Span::micros(100), jitter: Span::micros(200) },
            slow: 1,
            hanging: false,
            failing: false,
            failing_reads: false,
            full: false,
            accepted_max: u64::MAX,
            reordering: false,
            misdirected_percent: 0,
            late_percent: 0,
            late: Span::ZERO,
        }
    }
}

impl Faults {
    pub(super) fn draw(&self, drawn: Drawn, chance: &mut Chance) -> Span {
        Span(drawn.base.0 + chance.below(drawn.jitter.0 + 1)).times(self.slow)
    }

    /// How late the next report comes.
    pub(super) fn lateness(&self, chance: &mut Chance) -> Span {
        if self.late_percent > 0 && chance.below(100) < self.late_percent {
            Span(chance.below(self.late.0 + 1))
        } else {
            Span::ZERO
        }
    }
}

/// What has happened to a disk since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Journal syncs that ended well.
    pub journal_syncs: u64,
    /// Archive syncs that ended well.
    pub archive_syncs: u64,
    /// Syncs that failed.
    pub failed_syncs: u64,
    /// Slots appended.
    pub appended: u64,
    /// Promises made durable.
    pub promises: u64,
    /// Installs made durable.
    pub installs: u64,
    /// Catch-ups made durable.
    pub catch_ups: u64,
    /// Snapshots of other replicas that became the base.
    pub adopted: u64,
    /// Own snapshots made durable.
    pub snapshots: u64,
    /// Slots that an install took out of the log.
    pub cut_by_install: u64,
    /// Slots that a catch-up took out of the log.
    pub cut_by_catch_up: u64,
    /// Accepted slots that did not chain onto what the archive was found to hold, or an adopted snapshot.
    pub cut_by_rebase: u64,
    /// Slots below a snapshot that were given up.
    pub trimmed: u64,
    /// Slots taken out of the log although they had been delivered. Nothing may ever do that: the
    /// disk obeys, and a checker looks here.
    pub delivered_cut: u64,
    /// Reports that came late.
    pub late_reports: u64,
    /// Processes killed over this disk.
    pub crashes: u64,
    /// Power cuts.
    pub power_cuts: u64,
    /// Journal jobs that had been handed over and were gone afterwards.
    pub lost: u64,
    /// Journal jobs that were there afterwards although no sync had covered them.
    pub spared: u64,
    /// Appends, catch-ups and deliveries of which a power cut left only the first slots.
    pub torn: u64,
    /// Journal jobs that were written behind one that was not, so that they counted for nothing.
    pub reordered: u64,
    /// Writes that landed in another place.
    pub misdirected: u64,
    /// Reads that failed.
    pub failed_reads: u64,
    /// Writes for which there was no room.
    pub full: u64,
    /// Groups that slots had to wait for because the journal had no room for them.
    pub waited: u64,
    /// Bits that flipped, whatever they hit.
    pub rotted: u64,
    /// Times that the last group was gone without anybody noticing.
    pub tails_lost: u64,
    /// Journals lost.
    pub journals_lost: u64,
    /// Archives lost.
    pub archives_lost: u64,
    /// Identities lost, and all else with them.
    pub identities_lost: u64,
    /// Older copies put back.
    pub put_back: u64,
}
