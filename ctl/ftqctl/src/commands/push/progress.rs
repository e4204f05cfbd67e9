//! How far a long push is: a line that is written over itself, where somebody sees it.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// A push that is over by then needs no progress.
const QUIET: Duration = Duration::from_millis(500);

/// The line is written anew this often.
const EVERY: Duration = Duration::from_millis(100);

/// The width of the bar.
const BAR: u64 = 30;

/// A line on standard error, if that is a terminal.
pub(super) struct Progress {
    total: Option<u64>,
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// Of so many bytes, if that is known.
    pub(super) fn begin(total: Option<u64>) -> Progress {
        let seen = io::stderr().is_terminal();
        Progress { total, next: seen.then(|| now() + QUIET), shown: false }
    }

    /// So many items are pushed, and so many bytes read.
    pub(super) fn at(&mut self, items: u64, bytes: u64) {
        let Some(next) = self.next else { return };
        if now() < next {
            return;
        }
        self.next = Some(now() + EVERY);
        self.shown = true;
        // Who can't be shown it misses nothing else.
        let _ = write!(io::stderr(), "\r{}\x1b[K", line(self.total, items, bytes));
    }

    /// The line makes room for what is said next.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "progress is for who watches a clock")]
fn now() -> Instant {
    Instant::now()
}

fn line(total: Option<u64>, items: u64, bytes: u64) -> String {
    let Some(total) = total.filter(|total| *total > 0) else { return format!("{items} items") };
    let part = |of: u64| u64::try_from(u128::from(bytes.min(total)) * u128::from(of) / u128::from(total)).unwrap_or(of);
    let done = usize::try_from(part(BAR)).unwrap_or(0);
    let left = usize::try_from(BAR).unwrap_or(done) - done;
    format!("[{}{}] {:>3} %  {items} items", "#".repeat(done), " ".repeat(left), part(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_up() {
        assert_eq!(line(Some(10), 3, 5), "[###############               ]  50 %  3 items");
        assert_eq!(line(Some(10), 6, 11), "[##############################] 100 %  6 items");
        assert_eq!(line(None, 6, 11), "6 items");
    }
}
