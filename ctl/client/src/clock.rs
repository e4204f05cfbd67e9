//! The client's clock: microseconds since it was opened.

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
        micros(instant().duration_since(self.started))
    }

    /// The moment after `wait`.
    pub(crate) fn after(&self, wait: Duration) -> Time {
        Time(self.now().0.saturating_add(micros(wait).0))
    }

    /// The system's name for a moment; none for one that never comes.
    pub(crate) fn instant(&self, time: Time) -> Option<Instant> {
        self.started.checked_add(Duration::from_micros(time.0)).filter(|_| time < Time::NEVER)
    }
}

fn micros(length: Duration) -> Time {
    Time(u64::try_from(length.as_micros()).unwrap_or(u64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "the client's driver is where time comes in")]
fn instant() -> Instant {
    Instant::now()
}
