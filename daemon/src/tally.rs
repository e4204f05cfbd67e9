//! What a port has refused, as a line of the log now and then, however much of it there is.

use ftq_core::time::{Span, Time};

/// A line no more often than this: what strangers send must not fill the log.
const EVERY: Span = Span::secs(60);

/// Tells what one port has refused.
#[derive(Debug)]
pub(crate) struct Tally {
    port: &'static str,
    told: Vec<u64>,
    next: Time,
}

impl Tally {
    /// Nothing yet.
    pub(crate) fn new(port: &'static str) -> Tally {
        Tally { port, told: Vec::new(), next: Time(0) }
    }

    /// Writes down by how much these counts have grown, if they have and it is time for a line.
    pub(crate) fn tell(&mut self, now: Time, counts: impl Iterator<Item = (&'static str, u64)>) {
        if now < self.next {
            return;
        }
        self.next = now + EVERY;
        if let Some(line) = self.line(counts) {
            log::warn!("{}: {line}", self.port);
        }
    }

    fn line(&mut self, counts: impl Iterator<Item = (&'static str, u64)>) -> Option<String> {
        let mut grown = Vec::new();
        for (place, (name, count)) in counts.enumerate() {
            if self.told.len() <= place {
                self.told.push(0);
            }
            let more = count - self.told[place];
            self.told[place] = count;
            if more > 0 {
                grown.push(format!("{more} {}", name.replace('_', " ")));
            }
        }
        (!grown.is_empty()).then(|| grown.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_told() {
        let mut tally = Tally::new("peers");
        assert_eq!(tally.line([("refused_short", 0), ("refused_other_key", 0)].into_iter()), None);
        let line = tally.line([("refused_short", 2), ("refused_other_key", 1)].into_iter());
        assert_eq!(line.as_deref(), Some("2 refused short, 1 refused other key"));
        let line = tally.line([("refused_short", 2), ("refused_other_key", 4)].into_iter());
        assert_eq!(line.as_deref(), Some("3 refused other key"));
    }
}
