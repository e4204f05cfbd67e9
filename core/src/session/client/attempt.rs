//! How one request goes looking for a replica that answers: first the same one again, then the others.

use super::Options;
use crate::chance::Chance;
use crate::time::{Span, Time};

/// How often a silent replica is asked before another one is.
const SAME_SERVER_TRIES: u32 = 2;

/// The longest that a busy replica can make a request wait.
const BUSY_MAX: Span = Span::secs(1);

/// Where a request stands.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    server: usize,
    /// Copies in a row to this server.
    tries: u32,
    /// Servers in a row that said no at once.
    moves: usize,
    /// How long to wait for the next answer, before jitter.
    pause: Span,
    next: Time,
}

impl Attempt {
    /// To be sent at once.
    pub(super) fn new(now: Time, server: usize, options: &Options) -> Attempt {
        Attempt { server, tries: 0, moves: 0, pause: options.retry_first, next: now }
    }

    /// A copy is due: where it goes to. The next one is due after a pause that doubles.
    pub(super) fn send(&mut self, now: Time, options: &Options, chance: &mut Chance) -> usize {
        if self.tries >= SAME_SERVER_TRIES {
            self.server = (self.server + 1) % options.servers;
            self.tries = 0;
        }
        self.tries += 1;
        self.rest(now, options, chance);
        self.server
    }

    /// This server can't help: the next one is asked at once. When none could, after a pause.
    pub(super) fn move_on(&mut self, now: Time, options: &Options, chance: &mut Chance) {
        self.server = (self.server + 1) % options.servers;
        self.tries = 0;
        self.moves += 1;
        self.next = now;
        if self.moves >= options.servers {
            self.moves = 0;
            self.rest(now, options, chance);
        }
    }

    /// Another server is asked next: what this one knows of all of them may be out of date.
    pub(super) fn pass_on(&mut self, options: &Options) {
        self.server = (self.server + 1) % options.servers;
    }

    /// This server wants to be left alone for a while.
    pub(super) fn wait(&mut self, now: Time, after_ms: u32, chance: &mut Chance) {
        let asked = Span::millis(u64::from(after_ms)).min(BUSY_MAX);
        self.tries = 0;
        self.next = now + jittered(asked.max(Span::millis(1)), chance);
    }

    /// The next copy is due after a pause that doubles.
    pub(super) fn rest(&mut self, now: Time, options: &Options, chance: &mut Chance) {
        self.next = now + jittered(self.pause, chance);
        self.pause = self.pause.times(2).min(options.retry_max);
    }

    pub(super) fn server(&self) -> usize {
        self.server
    }

    pub(super) fn next(&self) -> Time {
        self.next
    }
}

/// Between three and five quarters of `span`, so that clients do not come back all at once.
fn jittered(span: Span, chance: &mut Chance) -> Span {
    Span(span.0 - span.0 / 4 + chance.below(span.0 / 2 + 1))
}
