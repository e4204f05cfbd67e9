//! How much sessions may keep, whatever their clients do.
//!
//! Before a command is executed it is known how long its answer may be: its *room*. A machine that would need
//! more does nothing, and the client hears [`Outcome::AheadOfWindow`](super::Outcome): it may settle what it
//! has got, and ask again with the same number. So it is also with a command that has waited, when its turn
//! comes. Rooms are such that
//! - a session keeps at most `session_bytes_max + share_bytes` and an entry;
//! - all sessions keep at most `bytes_max`, and two shares and an entry for each session that there may be:
//!   with the defaults 285 MiB, of which 128 MiB can be taken by few sessions;
//! - a session that keeps less than its share is always executed, whatever others keep, and so is the number
//!   right above the floor of any session, so that no client has to wait for another one to settle: with an
//!   answer as long as a share at least.
//!
//! The number right above a floor can take more than the rest allows only once: for the next such number the
//! floor has to pass it, and then its answer is forgotten.

use super::kept::{Answers, ENTRY_BYTES};
use crate::time::Span;

/// What bounds the sessions. A part of the rules: the same on all replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A session of which nothing was heard for so long is gone.
    pub expiry: Span,
    /// The most sessions. For a further one the session goes that has been idle longest, of those without a
    /// request under way; if there is none, the further one is refused.
    pub sessions_max: usize,
    /// What the answers that a session keeps may take.
    pub session_bytes_max: usize,
    /// What all kept answers may take. While there is less room in it than one session may take, sessions go
    /// that keep more than their share, those first that have been idle longest, and none with a request
    /// under way.
    pub bytes_max: usize,
    /// What a session may keep in any case.
    pub share_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            expiry: Span::secs(600),
            sessions_max: 10_000,
            session_bytes_max: 16 << 20,
            bytes_max: 128 << 20,
            share_bytes: 8 << 10,
        }
    }
}

impl Limits {
    /// How long the answer to a number may be, in a session that keeps these while all keep so much; `None` if
    /// the number may not be executed now.
    pub(super) fn room(&self, answers: &Answers, all: usize, number: u64) -> Option<usize> {
        if !answers.is_in_window(number) {
            return None;
        }
        let own = answers.bytes();
        let rest = self.session_bytes_max.saturating_sub(own).min(self.bytes_max.saturating_sub(all));
        if answers.is_next(number) {
            return Some(rest.max(self.share_bytes));
        }
        let rest = rest.max(self.share_bytes.saturating_sub(own));
        rest.checked_sub(answers.entries_up_to(number) * ENTRY_BYTES)
    }

    /// Whether so much is kept that sessions have to go.
    pub(super) fn is_tight(&self, all: usize) -> bool {
        all.saturating_add(self.session_bytes_max) > self.bytes_max
    }
}
