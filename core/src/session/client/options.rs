//! What a client can be told, and what is good for most.

use crate::time::Span;

/// What a client is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many replicas there are; they are named 0, 1, 2 …
    pub servers: usize,
    /// How many commands may be under way at once; more wait.
    pub window: u64,
    /// How many calls may wait; a further one is refused.
    pub waiting_max: usize,
    /// How long the first copy waits for an answer before the next one is sent.
    pub retry_first: Span,
    /// How long a copy waits at most: the pauses double up to here.
    pub retry_max: Span,
    /// A session that was not used for so long is not used again, since it might expire under way.
    pub idle_max: Span,
}

impl Options {
    /// What is good for most, with so many replicas.
    pub fn new(servers: usize) -> Options {
        Options {
            servers,
            window: 64,
            waiting_max: 4096,
            retry_first: Span::millis(100),
            retry_max: Span::secs(1),
            idle_max: Span::secs(300),
        }
    }
}
