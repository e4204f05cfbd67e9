//! What a victim has said, and whether what it finds at its next start can have come of it.
//!
//! The journal lane is checked to the job: what is found must be exactly what stood after some job at or behind the
//! last one that was reported, perhaps with the first slots of the next. So nothing that was acknowledged is
//! missing, and no install is half there.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

/// A journal job that was handed over.
#[derive(Clone, Debug)]
enum Asked {
    Promise(u64),
    Append { first: u64, digests: Vec<u128> },
    Install { view: u64, keep: u64, digests: Vec<u128> },
    CatchUp { first: u64, digests: Vec<u128> },
    Adopt { slot: u64, digest: u128 },
    Electorate(u64),
}

/// What stands after some jobs.
#[derive(Clone, Debug)]
struct Standing {
    promise: u64,
    view: u64,
    electorate: u64,
    /// A slot, and the digests from it on, at least its own.
    from: u64,
    digests: Vec<u128>,
}

impl Default for Standing {
    fn default() -> Standing {
        Standing { promise: 0, view: 0, electorate: 0, from: 0, digests: vec![0] }
    }
}

/// What is known of a store.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// What stands for sure.
    standing: Standing,
    /// The jobs behind that, which nobody has reported.
    pending: VecDeque<(u64, Asked)>,
    /// Bounds of what the archive may hold: what was reported, and what was asked for.
    delivered: (u64, u64),
    snapshot: (u64, u64),
    heard: (u64, u64),
    /// What was heard when a delivery was asked for, which makes it durable.
    heard_with: VecDeque<(u64, u64)>,
    ordinal: u64,
    /// How often it was opened, and how many jobs were reported.
    pub(super) openings: u64,
    pub(super) reports: u64,
    /// How often the archive has moved.
    pub(super) moves: u64,
    /// Jobs that no report covered: found, and not found.
    pub(super) spared: u64,
    pub(super) lost: u64,
}

impl Story {
    /// Takes note of a line of the victim; what is wrong with it, if something is.
    pub(super) fn line(&mut self, line: &str) -> Result<(), String> {
        let Some(line) = line.strip_suffix(" .") else { return Ok(()) };
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| -> Result<u64, String> {
            words.get(at).and_then(|word| word.parse().ok()).ok_or_else(|| format!("no number in \"{line}\""))
        };
        match words[0] {
            "opened" => {
                self.opened(&words).map_err(|what| format!("{what}\n  found: {line}\n  known: {}", self.known()))
            }
            "job" => {
                let asked = match words[2] {
                    "promise" => Asked::Promise(number(3)?),
                    "append" => Asked::Append { first: number(3)?, digests: digests(words[4]) },
                    "install" => Asked::Install { view: number(3)?, keep: number(4)?, digests: digests(words[5]) },
                    "catch-up" => Asked::CatchUp { first: number(3)?, digests: digests(words[4]) },
                    "adopt" => Asked::Adopt { slot: number(3)?, digest: digests(words[4])[0] },
                    "electorate" => Asked::Electorate(number(3)?),
                    other => return Err(format!("unknown job {other}")),
                };
                match &asked {
                    Asked::CatchUp { first, digests } => self.delivered.1 = first + digests.len() as u64 - 1,
                    Asked::Adopt { slot, .. } => (self.delivered.1, self.snapshot.1) = (*slot, *slot),
                    Asked::Promise(_) | Asked::Append { .. } | Asked::Install { .. } | Asked::Electorate(_) => {}
                }
                self.pending.push_back((number(1)?, asked));
                Ok(())
            }
            "durable" => {
                self.reports += 1;
                self.durable(number(1)?);
                Ok(())
            }
            "deliver" => {
                self.delivered.1 = number(1)?;
                self.heard_with.push_back((self.delivered.1, self.heard.1));
                Ok(())
            }
            "snapshot" => {
                self.snapshot.1 = number(1)?;
                Ok(())
            }
            "hear" => {
                self.heard.1 = number(1)?;
                Ok(())
            }
            "delivered" => {
                self.delivered.0 = self.delivered.0.max(number(1)?);
                while self.heard_with.front().is_some_and(|(slot, _)| *slot <= self.delivered.0) {
                    self.heard.0 = self.heard_with.pop_front().map_or(0, |(_, heard)| heard);
                }
                Ok(())
            }
            "snapshotted" => {
                self.snapshot.0 = self.snapshot.0.max(number(1)?);
                Ok(())
            }
            other => Err(format!("unknown line {other}")),
        }
    }

    fn durable(&mut self, job: u64) {
        while self.pending.front().is_some_and(|(id, _)| *id <= job) {
            let Some((_, asked)) = self.pending.pop_front() else { return };
            match &asked {
                Asked::CatchUp { first, digests } => {
                    self.delivered.0 = self.delivered.0.max(first + digests.len() as u64 - 1);
                }
                Asked::Adopt { slot, .. } => {
                    (self.delivered.0, self.snapshot.0) = (self.delivered.0.max(*slot), self.snapshot.0.max(*slot));
                }
                Asked::Promise(_) | Asked::Append { .. } | Asked::Install { .. } | Asked::Electorate(_) => {}
            }
            self.standing.apply(&asked, usize::MAX);
        }
    }

    fn opened(&mut self, words: &[&str]) -> Result<(), String> {
        let [_, condition, promise, view, delivered, snapshot, ordinal, heard, tail, moves, electorate] = words else {
            return Err("an opening with other fields".to_owned());
        };
        if *condition != "Whole" {
            return Err(format!("it opens {condition}"));
        }
        let number = |word: &str| word.parse::<u64>().map_err(|error| format!("{word}: {error}"));
        let found = Standing {
            promise: number(promise)?,
            view: number(view)?,
            electorate: number(electorate)?,
            from: number(delivered)?,
            digests: digests(tail),
        };
        let within = |what: &str, found: u64, bounds: (u64, u64)| {
            let (reported, asked) = bounds;
            let is_within = (reported..=asked.max(reported)).contains(&found);
            if is_within { Ok(()) } else { Err(format!("{what} {found}, reported {reported}, asked for {asked}")) }
        };
        within("delivered", found.from, self.delivered)?;
        within("a snapshot at", number(snapshot)?, self.snapshot)?;
        within("heard", number(heard)?, self.heard)?;
        if number(ordinal)? < self.ordinal {
            return Err(format!("it shows ordinal {ordinal}, and has shown {}", self.ordinal));
        }
        let jobs = self.jobs_in(&found)?;
        self.moves = number(moves)?;
        self.spared += jobs as u64;
        self.lost += (self.pending.len() - jobs) as u64;
        self.openings += 1;
        self.pending.clear();
        self.heard_with.clear();
        let (delivered, snapshot, heard) = (found.from, number(snapshot)?, number(heard)?);
        (self.delivered, self.snapshot, self.heard) = ((delivered, delivered), (snapshot, snapshot), (heard, heard));
        (self.standing, self.ordinal) = (found, number(ordinal)?);
        Ok(())
    }

    /// How many of the pending jobs are in what was found.
    fn jobs_in(&self, found: &Standing) -> Result<usize, String> {
        let mut standing = self.standing.clone();
        for (done, (_, next)) in self.pending.iter().enumerate() {
            if standing.is(found) {
                return Ok(done);
            }
            // The first slots of the next one, or all of it and the following jobs.
            let parts = match next {
                Asked::Append { digests, .. } | Asked::CatchUp { digests, .. } => digests.len(),
                Asked::Promise(_) | Asked::Install { .. } | Asked::Adopt { .. } | Asked::Electorate(_) => 1,
            };
            for part in 1..parts {
                let mut torn = standing.clone();
                torn.apply(next, part);
                if torn.is(found) {
                    return Ok(done);
                }
            }
            standing.apply(next, usize::MAX);
        }
        if standing.is(found) {
            return Ok(self.pending.len());
        }
        Err("what stands is not what stood after any job from the last reported one on".to_owned())
    }

    fn known(&self) -> String {
        format!(
            "promise {}, view {}, end {}, {:?} and {} jobs pending: {:?}",
            self.standing.promise,
            self.standing.view,
            self.standing.end(),
            self.delivered,
            self.pending.len(),
            self.pending
        )
    }
}

impl Standing {
    /// What stands after one more job, or after its first slots.
    fn apply(&mut self, asked: &Asked, slots_max: usize) {
        match asked {
            Asked::Promise(promise) => self.promise = self.promise.max(*promise),
            Asked::Electorate(electorate) => self.electorate = *electorate,
            Asked::Append { first, digests } => self.put(*first, &digests[..digests.len().min(slots_max)]),
            Asked::Install { view, keep, digests } => {
                self.view = *view;
                self.truncate(*keep);
                self.put(keep + 1, digests);
            }
            Asked::CatchUp { first, digests } => self.put(*first, &digests[..digests.len().min(slots_max)]),
            Asked::Adopt { slot, digest } => (self.from, self.digests) = (*slot, vec![*digest]),
        }
    }

    /// These slots are in the log; what differs from them goes, and what follows that.
    fn put(&mut self, first: u64, digests: &[u128]) {
        for (slot, digest) in (first..).zip(digests) {
            if slot < self.from || self.at(slot) == Some(*digest) {
                continue;
            }
            self.truncate(slot - 1);
            self.digests.push(*digest);
        }
    }

    fn truncate(&mut self, keep: u64) {
        self.digests.truncate(usize::try_from(keep + 1 - self.from).unwrap_or(usize::MAX));
    }

    fn at(&self, slot: u64) -> Option<u128> {
        self.digests.get(usize::try_from(slot.checked_sub(self.from)?).ok()?).copied()
    }

    fn end(&self) -> u64 {
        self.from + self.digests.len() as u64 - 1
    }

    /// The end's digest stands for all that is below it.
    fn is(&self, found: &Standing) -> bool {
        let end = |standing: &Standing| (standing.end(), standing.digests.last().copied().unwrap_or_default());
        let rest = |standing: &Standing| (standing.promise, standing.view, standing.electorate);
        rest(self) == rest(found) && end(self) == end(found)
    }
}

fn digests(words: &str) -> Vec<u128> {
    words.split(',').filter(|word| !word.is_empty()).filter_map(|word| u128::from_str_radix(word, 16).ok()).collect()
}
