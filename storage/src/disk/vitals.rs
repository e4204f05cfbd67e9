//! The signs of life of a store's threads, to be seen from outside while a call into the disk hangs.
//!
//! Always: a thread writes its own signs and nobody else's; whoever looks never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The upper bounds of the classes of [`Syncs`] are so many microseconds, doubled for each class: 64 µs to 2 s.
/// What takes longer is in the last class.
pub const SYNC_CLASS_MICROS: u64 = 64;
/// How many classes there are.
pub const SYNC_CLASSES: usize = 17;

/// What is to be seen of one thread.
#[derive(Clone, Copy, Debug)]
pub struct Vital {
    /// Which thread it is.
    pub thread: &'static str,
    /// How many steps it has made: a thread at work that makes none hangs.
    pub steps: u64,
    /// Whether it is at work, or waits for some.
    pub is_at_work: bool,
    /// How long its syncs took.
    pub syncs: Syncs,
    /// How many bytes of its file are in use, by its last look.
    pub bytes: u64,
}

/// How long syncs took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Syncs {
    /// How many took at most [`SYNC_CLASS_MICROS`] times two to the power of the index, and more than the one before.
    pub classes: [u64; SYNC_CLASSES],
    /// How many microseconds all took together.
    pub micros: u64,
}

/// The side of the thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Vitals(Arc<Signs>);

#[derive(Debug, Default)]
struct Signs {
    /// Odd while the thread is at work.
    steps: AtomicU64,
    classes: [AtomicU64; SYNC_CLASSES],
    micros: AtomicU64,
    bytes: AtomicU64,
}

impl Vitals {
    /// The thread has work, or is a step further with it.
    pub(super) fn works(&self) {
        let steps = self.0.steps.load(Ordering::Relaxed);
        self.0.steps.store(steps + 1 + steps % 2, Ordering::Relaxed);
    }

    /// The thread waits for work.
    pub(super) fn rests(&self) {
        let steps = self.0.steps.load(Ordering::Relaxed);
        self.0.steps.store(steps + steps % 2, Ordering::Relaxed);
    }

    /// Does a sync, which is a step, and notes how long it took.
    pub(super) fn timed<T>(&self, sync: impl FnOnce() -> T) -> T {
        self.works();
        let begun = now();
        let done = sync();
        let micros = u64::try_from(now().saturating_duration_since(begun).as_micros()).unwrap_or(u64::MAX);
        self.0.classes[class(micros)].fetch_add(1, Ordering::Relaxed);
        self.0.micros.fetch_add(micros, Ordering::Relaxed);
        self.works();
        done
    }

    /// So many bytes of its file are in use.
    pub(super) fn holds(&self, bytes: u64) {
        self.0.bytes.store(bytes, Ordering::Relaxed);
    }

    /// What is to be seen.
    pub(super) fn look(&self, thread: &'static str) -> Vital {
        let steps = self.0.steps.load(Ordering::Relaxed);
        let classes = std::array::from_fn(|index| self.0.classes[index].load(Ordering::Relaxed));
        let syncs = Syncs { classes, micros: self.0.micros.load(Ordering::Relaxed) };
        let bytes = self.0.bytes.load(Ordering::Relaxed);
        Vital { thread, steps: steps / 2, is_at_work: steps % 2 == 1, syncs, bytes }
    }
}

fn class(micros: u64) -> usize {
    let fits = |class: &usize| micros <= SYNC_CLASS_MICROS << class;
    (0..SYNC_CLASSES - 1).find(fits).unwrap_or(SYNC_CLASSES - 1)
}

/// The one place in the store that asks for the time: it is for gathering, for looking and for counting, and
/// decides nothing.
#[expect(clippy::disallowed_methods, reason = "the store's threads have no other clock")]
pub(super) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_works_makes_steps_and_who_rests_makes_none() {
        let vitals = Vitals::default();
        assert!(!vitals.look("a").is_at_work);
        vitals.works();
        let first = vitals.look("a");
        assert!(first.is_at_work);
        vitals.works();
        assert!(vitals.look("a").is_at_work && vitals.look("a").steps > first.steps);
        vitals.rests();
        let resting = vitals.look("a");
        vitals.rests();
        assert!(!resting.is_at_work && vitals.look("a").steps == resting.steps);
    }

    #[test]
    fn each_sync_is_in_one_class() {
        assert_eq!([0, 64, 65, 128, 129, 64 << 15, (64 << 15) + 1, u64::MAX].map(class), [0, 0, 1, 1, 2, 15, 16, 16]);
        let vitals = Vitals::default();
        assert_eq!(vitals.timed(|| 7), 7);
        assert_eq!(vitals.look("a").syncs.classes.iter().sum::<u64>(), 1);
    }
}
