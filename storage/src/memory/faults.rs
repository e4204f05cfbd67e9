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
    /// Appends of which a power cut left only the first slots.
    pub torn: u64,
}
