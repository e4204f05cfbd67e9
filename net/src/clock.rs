//! The one clock of a process that speaks: microseconds since it was started, which never run backwards.

use ftq_core::time::Time;
use std::time::{Duration, Instant};

/// A monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that stands at zero.
    pub fn start() -> Clock {
        Clock { started: instant() }
    }

    /// What it says.
    pub fn now(&self) -> Time {
        micros(instant().duration_since(self.started))
    }

    /// The moment after `wait`.
    pub fn after(&self, wait: Duration) -> Time {
        Time(self.now().0.saturating_add(micros(wait).0))
    }

    /// The system's name for a moment; none for one that never comes.
    pub fn instant(&self, time: Time) -> Option<Instant> {
        self.started.checked_add(Duration::from_micros(time.0)).filter(|_| time < Time::NEVER)
    }
}

fn micros(length: Duration) -> Time {
    Time(u64::try_from(length.as_micros()).unwrap_or(u64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "the shells, daemon and client, take their time from here")]
fn instant() -> Instant {
    Instant::now()
}
