//! The one clock of the process: microseconds since it started, which never run backwards.

use ftq_core::time::Time;
use std::time::{Duration, Instant};

/// A monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that stands at zero.
    pub(crate) fn start() -> Clock {
        Clock { started: instant() }
    }

    /// What it says.
    pub(crate) fn now(&self) -> Time {
        let passed = instant().duration_since(self.started).as_micros();
        Time(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// The system's name for a moment; none for one that never comes.
    pub(crate) fn instant(&self, time: Time) -> Option<Instant> {
        self.started.checked_add(Duration::from_micros(time.0)).filter(|_| time < Time::NEVER)
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is where time comes in")]
fn instant() -> Instant {
    Instant::now()
}
