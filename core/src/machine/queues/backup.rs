//! What happens to the numbers when a backup is restored.

use super::limits::NUMBER_MAX;
use super::{Queues, digest};

impl Queues {
    /// Raises what gives numbers away by `step`: every sequence, the ids of queues and the tokens of
    /// receipts. Whatever was given away after the backup was made is then never given again, if it was
    /// no more than `step`. A sequence that can't be raised so far is at its end.
    pub fn raise(&mut self, step: u64) {
        let raised = |next: u64| next.saturating_add(step).min(NUMBER_MAX + 1);
        self.next_queue = raised(self.next_queue);
        self.next_token = raised(self.next_token);
        for (name, next) in &mut self.sequences {
            self.known.sum -= digest::sequence(name, *next);
            *next = raised(*next);
            self.sequence_stretches.change(name);
            self.known.sum += digest::sequence(name, *next);
        }
    }
}
