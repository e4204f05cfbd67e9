//! What commands do that nobody waits for, one by one or all or none.

use super::super::queue::{Item, Queue, State};
use super::{Naive, Wait};
use bytes::Bytes;
use ftq_core::machine::queues::{
    Answer, BATCH_ITEMS_MAX, Command, Error, LEASE_MS_MAX, Label, NUMBER_MAX, PRIORITIES, PushOptions, QueueId,
    Receipt, Reply, SPAN_MS_MAX, Settings, Totals,
};
use ftq_core::time::Span;

impl Naive {
    pub(super) fn create(&mut self, label: &Label) -> Reply {
        if let Some((id, _)) = self.queues.iter().find(|(_, queue)| queue.label == *label) {
            return Ok(Answer::Queue(*id));
        }
        if self.created == NUMBER_MAX {
            return Err(Error::NumberExhausted);
        }
        self.room(1536 + label.as_str().len() as u64)?;
        self.created += 1;
        let queue = Queue {
            label: label.clone(),
            settings: Settings::default(),
            paused: false,
            last: 0,
            items: Vec::new(),
            keys: Vec::new(),
            totals: Totals::default(),
        };
        self.queues.insert(QueueId(self.created), queue);
        Ok(Answer::Queue(QueueId(self.created)))
    }

    pub(super) fn destroy(&mut self, id: QueueId) -> Reply {
        let queue = self.queues.remove(&id).ok_or(Error::NoSuchQueue)?;
        let (here, elsewhere) = self.waits.drain(..).partition(|wait| wait.queue == id);
        self.waits = elsewhere;
        let here: Vec<Wait> = here;
        self.completed.extend(here.into_iter().map(|wait| (wait.ticket, Err(Error::NoSuchQueue))));
        Ok(Answer::Done { count: queue.items.len() as u64 })
    }

    pub(super) fn configure(&mut self, id: QueueId, settings: &Settings) -> Reply {
        let queue = self.queues.get_mut(&id).ok_or(Error::NoSuchQueue)?;
        let numbers = [settings.items_max, settings.bytes_max, settings.deliveries_max];
        let sane = numbers.into_iter().flatten().all(|number| number > 0 && number <= NUMBER_MAX);
        let dead = settings.dead_letters.is_none_or(|dead| dead != id && dead != QueueId(0));
        if !sane || !dead || settings.key_window_ms == 0 || settings.key_window_ms > SPAN_MS_MAX {
            return Err(Error::BadOption);
        }
        queue.settings = settings.clone();
        Ok(Answer::Done { count: 0 })
    }

    pub(super) fn purge(&mut self, id: QueueId) -> Reply {
        let queue = self.queues.get_mut(&id).ok_or(Error::NoSuchQueue)?;
        let before = queue.items.len();
        queue.items.retain(|item| matches!(item.state, State::Leased { .. }));
        let count = (before - queue.items.len()) as u64;
        queue.totals.purged += count;
        Ok(Answer::Done { count })
    }

    /// Does the steps one after the other; if one fails, everything is as it was before.
    pub(super) fn all_or_none(&mut self, steps: &[Command]) -> Result<Vec<Answer>, Error> {
        let alone = matches!(steps, [Command::Push { .. } | Command::GetId { .. }]);
        let before = if alone { None } else { Some(self.clone()) };
        let mut touched = Vec::new();
        let answers = steps.iter().map(|step| self.step(step, &mut touched)).collect::<Result<_, _>>();
        match (&answers, before) {
            (Ok(_), _) => self.touched.extend(touched),
            (Err(_), Some(before)) => *self = before,
            // A push or a getid that fails has changed nothing.
            (Err(_), None) => {}
        }
        answers
    }

    pub(super) fn step(&mut self, step: &Command, touched: &mut Vec<QueueId>) -> Result<Answer, Error> {
        let done = |receipts: &[Receipt]| match receipts.len() {
            0 => Err(Error::BadCount),
            count => Ok(Answer::Done { count: count as u64 }),
        };
        match step {
            Command::Push { queue, items, options } => {
                touched.push(*queue);
                self.push(*queue, items, options)
            }
            Command::GetId { name, count } => self.getid(name, *count),
            Command::Ack { queue, receipts } => {
                for receipt in receipts {
                    let at = self.leased(*queue, *receipt)?;
                    let queue = self.queues.get_mut(queue).expect("a queue with a lease");
                    queue.items.remove(at);
                    queue.totals.acked += 1;
                }
                done(receipts)
            }
            Command::Nack { queue, receipts, delay_ms } => {
                if *delay_ms > SPAN_MS_MAX {
                    return Err(Error::BadOption);
                }
                let until = (*delay_ms > 0).then(|| self.clock + Span::millis(*delay_ms));
                for receipt in receipts {
                    self.leased(*queue, *receipt)?;
                    touched.push(self.give_back(*queue, receipt.position, self.clock, until));
                }
                done(receipts)
            }
            Command::Touch { queue, receipts, lease_ms } => {
                if *lease_ms == 0 || *lease_ms > LEASE_MS_MAX {
                    return Err(Error::BadOption);
                }
                for receipt in receipts {
                    let at = self.leased(*queue, *receipt)?;
                    let item = &mut self.queues.get_mut(queue).expect("a queue with a lease").items[at];
                    if let State::Leased { until, .. } = &mut item.state {
                        *until = self.clock + Span::millis(*lease_ms);
                    }
                }
                done(receipts)
            }
            Command::Create { .. }
            | Command::Destroy { .. }
            | Command::Pop { .. }
            | Command::Take { .. }
            | Command::Configure { .. }
            | Command::Pause { .. }
            | Command::Purge { .. }
            | Command::SendBack { .. }
            | Command::Steps(_)
            | Command::Limit(_) => Err(Error::NotAStep),
        }
    }

    pub(super) fn push(&mut self, id: QueueId, items: &[Bytes], options: &PushOptions) -> Result<Answer, Error> {
        let queue = self.find(id)?;
        if items.is_empty() || items.len() > BATCH_ITEMS_MAX {
            return Err(Error::BadCount);
        }
        let ttl = options.ttl_ms.is_some_and(|ttl| ttl == 0 || ttl > SPAN_MS_MAX);
        if options.priority >= PRIORITIES || options.delay_ms > SPAN_MS_MAX || ttl {
            return Err(Error::BadOption);
        }
        if items.iter().any(|item| item.len() as u64 > self.limits.item_bytes_max) {
            return Err(Error::ItemTooLarge);
        }
        let known = options.key.as_ref().and_then(|key| queue.keys.iter().find(|known| known.0 == *key));
        if let Some((_, first, count, _)) = known {
            return Ok(Answer::Pushed { first: *first, count: *count });
        }
        let plain = options.delay_ms == 0 && options.ttl_ms.is_none();
        let each = if plain { 64 } else { 160 };
        let key = options.key.as_ref().map_or(0, |key| 160 + key.as_str().len() as u64);
        self.room(key + items.iter().map(|item| item.len() as u64 + each).sum::<u64>())?;
        let (count, bytes) = (items.len() as u64, items.iter().map(|item| item.len() as u64).sum());
        queue.takes(count, bytes)?;
        let (clock, queue) = (self.clock, self.queues.get_mut(&id).expect("a queue that is there"));
        let first = queue.last + 1;
        for item in items {
            queue.last += 1;
            queue.totals.pushed += 1;
            queue.items.push(Item {
                position: queue.last,
                priority: options.priority,
                came_ms: clock.0 / 1_000,
                item: item.clone(),
                deliveries: 0,
                expires: options.ttl_ms.map(|ttl| clock + Span::millis(ttl)),
                state: match options.delay_ms {
                    0 => State::Ready,
                    delay => State::Delayed { until: clock + Span::millis(delay) },
                },
                origin: None,
                plain,
            });
        }
        if let Some(key) = options.key.clone() {
            queue.keys.push((key, first, count, clock + Span::millis(queue.settings.key_window_ms)));
        }
        Ok(Answer::Pushed { first, count })
    }

    pub(super) fn getid(&mut self, name: &Label, count: u64) -> Result<Answer, Error> {
        if count == 0 {
            return Err(Error::BadCount);
        }
        let last = self.sequences.get(name).copied();
        let end = u128::from(last.unwrap_or(0)) + u128::from(count);
        if end > u128::from(NUMBER_MAX) {
            return Err(Error::NumberExhausted);
        }
        if last.is_none() {
            self.room(128 + name.as_str().len() as u64)?;
        }
        self.sequences.insert(name.clone(), last.unwrap_or(0) + count);
        Ok(Answer::Ids { first: last.unwrap_or(0) + 1, count })
    }
}
