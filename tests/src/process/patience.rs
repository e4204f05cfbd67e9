//! How long real processes may take: ceilings, never measures.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up: far above what it takes on a loaded machine.
pub const CEILING: Duration = Duration::from_secs(30);

/// A clock for ceilings.
#[derive(Clone, Copy, Debug)]
pub struct Ticks(Instant);

impl Ticks {
    /// A clock that stands at zero.
    #[expect(clippy::disallowed_methods, reason = "real processes take real time")]
    pub fn start() -> Ticks {
        Ticks(Instant::now())
    }

    /// What it says.
    pub fn passed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Lets the processes work for a little while.
    pub fn pause(&self) {
        pause(Duration::from_millis(20));
    }
}

/// Lets the processes work.
#[expect(clippy::disallowed_methods, reason = "real processes take real time")]
pub fn pause(length: Duration) {
    std::thread::sleep(length);
}
