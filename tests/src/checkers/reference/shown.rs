//! What could be seen of the machine after which slot.

use super::queues::Naive;
use bytes::Bytes;
use ftq_core::machine::queues::{Answer, Error, Label, Question, QueueId, Reply};
use ftq_core::time::SlotClock;
use std::collections::BTreeMap;

/// How many items of a queue can be looked at again.
pub const BROWSED: u64 = 4;

/// What could be seen of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Face {
    top: Reply,
    size: Reply,
    statistics: Reply,
    first: Reply,
    /// The clock as of which the statistics were made; their only number that moves with it is an age.
    clock: SlotClock,
}

/// What something was from which slot on; `None` while it was not there.
type Since<T> = Vec<(u64, Option<T>)>;

/// What could be seen.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    clocks: Vec<SlotClock>,
    queues: BTreeMap<QueueId, Since<Face>>,
    labels: BTreeMap<Label, Since<QueueId>>,
    sequences: BTreeMap<Label, Since<u64>>,
}

impl Shown {
    /// A slot has been applied.
    pub fn look(&mut self, machine: &Naive) {
        self.clocks.push(machine.clock());
        let slot = self.clocks.len() as u64;
        let now: BTreeMap<QueueId, Face> = machine.queues().map(|(id, _)| (id, Face::of(machine, id))).collect();
        note(&mut self.queues, slot, now, Face::is_like);
        let labels = machine.queues().map(|(id, label)| (label.clone(), id)).collect();
        note(&mut self.labels, slot, labels, QueueId::eq);
        let sequences = machine.sequences().map(|(name, last)| (name.clone(), last)).collect();
        note(&mut self.sequences, slot, sequences, u64::eq);
    }

    /// What a question's answer was after a slot; nothing of those that are not remembered.
    pub fn answer_at(&self, slot: u64, question: &Bytes) -> Option<Reply> {
        let face = |queue: &QueueId| at(self.queues.get(queue), slot).ok_or(Error::NoSuchQueue);
        Some(match Question::decode(question).ok()? {
            Question::Id { label } => at(self.labels.get(&label), slot).map(Answer::Queue).ok_or(Error::NoSuchLabel),
            Question::Next { name } => {
                Ok(Answer::Ids { first: at(self.sequences.get(&name), slot).unwrap_or(0) + 1, count: 0 })
            }
            Question::Top { queue } => face(&queue).and_then(|face| face.top),
            Question::Size { queue } => face(&queue).and_then(|face| face.size),
            Question::Browse { queue, after: (0, 0), count: BROWSED } => face(&queue).and_then(|face| face.first),
            Question::Statistics { queue } => {
                let clock = usize::try_from(slot).ok().and_then(|slot| self.clocks.get(slot.checked_sub(1)?))?;
                face(&queue).and_then(|face| face.statistics_at(*clock))
            }
            Question::Browse { .. } | Question::Summary | Question::List { .. } => return None,
        })
    }
}

impl Face {
    fn of(machine: &Naive, queue: QueueId) -> Face {
        Face {
            top: machine.answer(&Question::Top { queue }),
            size: machine.answer(&Question::Size { queue }),
            statistics: machine.answer(&Question::Statistics { queue }),
            first: machine.answer(&Question::Browse { queue, after: (0, 0), count: BROWSED }),
            clock: machine.clock(),
        }
    }

    /// Whether nothing has changed but the time.
    fn is_like(&self, later: &Face) -> bool {
        let aged = Face { statistics: self.clone().statistics_at(later.clock), clock: later.clock, ..self.clone() };
        aged == *later
    }

    fn statistics_at(self, clock: SlotClock) -> Reply {
        let Ok(Answer::Statistics(mut statistics)) = self.statistics else { return self.statistics };
        let passed = clock.0 / 1_000 - self.clock.0 / 1_000;
        statistics.oldest_ms = statistics.oldest_ms.map(|age| age + passed);
        Ok(Answer::Statistics(statistics))
    }
}

/// Notes what has changed.
fn note<K: Ord + Clone, T>(
    shown: &mut BTreeMap<K, Since<T>>,
    slot: u64,
    now: BTreeMap<K, T>,
    same: impl Fn(&T, &T) -> bool,
) {
    for (key, since) in shown.iter_mut() {
        if since.last().is_some_and(|(_, value)| value.is_some()) && !now.contains_key(key) {
            since.push((slot, None));
        }
    }
    for (key, value) in now {
        let since = shown.entry(key).or_default();
        if !since.last().is_some_and(|(_, last)| last.as_ref().is_some_and(|last| same(last, &value))) {
            since.push((slot, Some(value)));
        }
    }
}

/// What was shown after a slot.
fn at<T: Clone>(since: Option<&Since<T>>, slot: u64) -> Option<T> {
    let since = since?;
    let upto = since.partition_point(|(from, _)| *from <= slot);
    since[..upto].last().and_then(|(_, value)| value.clone())
}
