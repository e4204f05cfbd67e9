//! What is being done about the cells that a stream lacks.
//!
//! ```text
//!  no gap ── a later cell, a head ──▶ known ── allowance ──▶ asked ── back-off ──▶ asked again …
//!     ▲                                                        │
//!     └───────────────────── the last missing cell ────────────┘
//! ```
//! Two waits run side by side. What is missing up to `asked_to` has been asked for, and is asked for
//! again after a back-off that doubles while nothing comes; what was found missing since is young,
//! and may only be late, so it has an allowance of its own. Neither delays the other.

use super::options::NACK_AGAIN_MAX;
use super::pace::Pace;
use super::peer::earliest;
use crate::time::{Span, Time};

/// The missing cells of one stream. The stream tells where it stands: its mark, below which nothing
/// is missing, and its top, above which nothing is known.
#[derive(Debug, Default)]
pub(super) struct Gap {
    /// Since when the first missing cell is the first, and known to be missing.
    since: Option<Time>,
    /// What is missing up to this cell has been asked for.
    asked_to: u64,
    /// When to ask for what is missing above, up to `fresh_to`.
    fresh_at: Option<Time>,
    fresh_to: u64,
    /// When to ask again for what was asked for, and how long the wait for that is.
    again_at: Option<Time>,
    again_after: Span,
}

impl Gap {
    /// Something may be missing between mark and top. What nobody has asked for yet will be, after
    /// `patience`.
    pub(super) fn known(&mut self, now: Time, patience: Span, mark: u64, top: u64) {
        if top == mark {
            return;
        }
        self.since.get_or_insert(now);
        if top <= self.asked_to.max(mark) {
            return;
        }
        let at = now + patience;
        if self.fresh_at.is_none_or(|set| at <= set) {
            self.fresh_at = Some(at);
            self.fresh_to = top;
        }
    }

    /// A cell above the first missing one has come.
    pub(super) fn came(&mut self, number: u64) {
        if number == self.asked_to + 1 {
            // Nothing is missing between what was asked for and this one.
            self.asked_to = number;
        }
    }

    /// The mark has moved: what was missing first is not any more.
    pub(super) fn advanced(&mut self, now: Time, pace: Pace, mark: u64, top: u64) {
        if top == mark {
            if self.since.is_some() {
                *self = Gap::default();
            }
            self.asked_to = mark;
            return;
        }
        self.since = Some(now);
        self.again_after = pace.again();
        if mark >= self.asked_to {
            self.asked_to = mark;
            self.again_at = None;
        }
        self.known(now, pace.reorder(), mark, top);
    }

    /// The cells among which to ask for the missing ones now, first and last.
    pub(super) fn due(&self, now: Time, mark: u64) -> Option<(u64, u64)> {
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        let asked_to = self.asked_to.max(mark);
        match (is_due(self.fresh_at), is_due(self.again_at)) {
            (false, false) => None,
            (true, false) => Some((asked_to + 1, self.fresh_to)),
            (false, true) => Some((mark + 1, asked_to)),
            (true, true) => Some((mark + 1, self.fresh_to)),
        }
    }

    /// What was due has been asked for, up to `covered`.
    pub(super) fn asked(&mut self, now: Time, pace: Pace, covered: u64) {
        let again = self.again_at.is_some_and(|at| at <= now);
        if again {
            self.again_after = self.again_after.times(2);
        }
        if again || self.again_at.is_none() {
            self.again_after = self.again_after.clamp(pace.again(), NACK_AGAIN_MAX);
            self.again_at = Some(now + self.again_after);
        }
        self.asked_to = covered;
        self.fresh_at = None;
    }

    /// Nothing will fill it: it stays for ever, so that the layer above sees that nothing comes through.
    pub(super) fn give_up(&mut self, now: Time) {
        self.since.get_or_insert(now);
        self.fresh_at = None;
        self.again_at = None;
    }

    /// Since when it is known that a cell is missing.
    pub(super) fn since(&self) -> Option<Time> {
        self.since
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        earliest([self.fresh_at, self.again_at])
    }
}
