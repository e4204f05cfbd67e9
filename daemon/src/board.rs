//! What the loop says of itself, pinned up for whoever watches: neither ever waits for the other's network.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The loop comes round several times a second; after so long without it is not alive.
const ALIVE_WITHIN: Duration = Duration::from_secs(5);

/// The board.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Notices>>);

#[derive(Debug, Default)]
struct Notices {
    metrics: String,
    checks: Vec<Check>,
    at: Option<Instant>,
}

/// Something that a client needs, and whether it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    /// What.
    pub(crate) name: &'static str,
    /// Whether.
    pub(crate) holds: bool,
    /// More of it, for a person.
    pub(crate) details: String,
}

impl Board {
    /// The loop is alive, and this is how it is.
    pub(crate) fn post(&self, metrics: String, checks: Vec<Check>) {
        *self.notices() = Notices { metrics, checks, at: Some(now()) };
    }

    /// The metrics as they were posted last.
    pub(crate) fn metrics(&self) -> String {
        self.notices().metrics.clone()
    }

    /// All checks, one of which is whether the loop comes round.
    pub(crate) fn checks(&self) -> Vec<Check> {
        let Notices { checks, at, .. } = &*self.notices();
        let age = at.map(|at| now().saturating_duration_since(at));
        let details = age.map_or_else(|| "not yet".to_owned(), |age| format!("{} ms ago", age.as_millis()));
        let loop_comes_round = Check { name: "loop", holds: age.is_some_and(|age| age < ALIVE_WITHIN), details };
        [loop_comes_round].into_iter().chain(checks.iter().cloned()).collect()
    }

    fn notices(&self) -> MutexGuard<'_, Notices> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "a loop that hangs has no time to say so")]
fn now() -> Instant {
    Instant::now()
}
