//! The operations that can be steps of one request: pushes, acks, nacks, touches and getids.
//!
//! Each is first checked, with a [`Tally`] of what the steps before it will have changed, and done only
//! when all have passed: so a request is done whole or not at all, and nothing is ever undone.

use super::answer::{Answer, Reply};
use super::command::Command;
use super::error::Error;
use super::held::{Held, State};
use super::keys::{Keyed, charge_of_key};
use super::label::{Label, QueueId, Receipt};
use super::leases::Fate;
use super::limits::{
    BATCH_ITEMS_MAX, HELD_CHARGE, ITEM_CHARGE, LEASE_MS_MAX, NUMBER_MAX, REQUEST_BYTES_MAX, SPAN_MS_MAX, millis,
};
use super::options::PushOptions;
use super::queue::Queue;
use super::snapshot::begins_stretch;
use super::{Queues, charge_of_sequence, digest};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bytes::Bytes;

/// What can be a step of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    /// See [`Command::Push`].
    Push { queue: QueueId, items: &'a [Bytes], options: &'a PushOptions },
    /// See [`Command::GetId`].
    GetId { name: &'a Label, count: u64 },
    /// See [`Command::Ack`].
    Ack { queue: QueueId, receipts: &'a [Receipt] },
    /// See [`Command::Nack`].
    Nack { queue: QueueId, receipts: &'a [Receipt], delay_ms: u64 },
    /// See [`Command::Touch`].
    Touch { queue: QueueId, receipts: &'a [Receipt], lease_ms: u64 },
}

impl Command {
    /// The step that it can be, if it can.
    pub(super) fn as_step(&self) -> Result<Step<'_>, Error> {
        Ok(match self {
            Command::Push { queue, items, options } => Step::Push { queue: *queue, items, options },
            Command::GetId { name, count } => Step::GetId { name, count: *count },
            Command::Ack { queue, receipts } => Step::Ack { queue: *queue, receipts },
            Command::Nack { queue, receipts, delay_ms } => Step::Nack { queue: *queue, receipts, delay_ms: *delay_ms },
            Command::Touch { queue, receipts, lease_ms } => {
                Step::Touch { queue: *queue, receipts, lease_ms: *lease_ms }
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
            | Command::Limit(_) => return Err(Error::NotAStep),
        })
    }
}

/// What the steps that passed will have changed.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// There is only one step, so nobody asks what it will have changed.
    alone: bool,
    memory_bytes: i64,
    queues: BTreeMap<QueueId, Change>,
    ended: BTreeSet<(QueueId, u64)>,
    keys: BTreeSet<(QueueId, Label)>,
    drawn: BTreeMap<Label, u64>,
}

/// What they will have changed in one queue.
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    items: i64,
    bytes: i64,
    pushed: u64,
}

impl Tally {
    /// So many items more in a queue, if its limits and its numbers allow it.
    pub(super) fn push(&mut self, queue: &Queue, count: u64, bytes: u64) -> Result<(), Error> {
        let change = self.queues.get(&queue.id).copied().unwrap_or_default();
        let items = queue.len().saturating_add_signed(change.items).saturating_add(count);
        let total = queue.bytes().saturating_add_signed(change.bytes).saturating_add(bytes);
        let full = queue.settings.items_max.is_some_and(|max| items > max)
            || queue.settings.bytes_max.is_some_and(|max| total > max);
        if full {
            return Err(Error::QueueFull);
        }
        if count + change.pushed > NUMBER_MAX + 1 - queue.next {
            return Err(Error::NumberExhausted);
        }
        self.moved(queue.id, signed(count), signed(bytes), count);
        Ok(())
    }

    fn moved(&mut self, queue: QueueId, items: i64, bytes: i64, pushed: u64) {
        if !self.alone {
            let change = self.queues.entry(queue).or_default();
            change.items += items;
            change.bytes += bytes;
            change.pushed += pushed;
        }
    }

    /// Whether this lease ends here first.
    fn ends(&mut self, queue: QueueId, position: u64) -> bool {
        self.alone || self.ended.insert((queue, position))
    }
}

impl Queues {
    /// Does one thing.
    pub(super) fn step(&mut self, step: Step<'_>) -> Reply {
        let many = matches!(step, Step::Ack { receipts, .. } | Step::Nack { receipts, .. } if receipts.len() > 1);
        self.check(step, &mut Tally { alone: !many, ..Tally::default() })?;
        let mut touched = Vec::new();
        let answer = self.carry_out(step, &mut touched);
        self.serve_all(touched);
        Ok(answer)
    }

    /// Does several things, all or none. Who waits is served when all are done.
    pub(super) fn steps(&mut self, commands: &[Command]) -> Reply {
        if !self.rules.has_steps() {
            return Err(Error::NotInRules);
        }
        if commands.is_empty() {
            return Err(Error::BadCount);
        }
        let (mut steps, mut tally) = (Vec::with_capacity(commands.len()), Tally::default());
        for command in commands {
            let step = command.as_step()?;
            self.check(step, &mut tally)?;
            steps.push(step);
        }
        let mut touched = Vec::new();
        let answers = steps.into_iter().map(|step| self.carry_out(step, &mut touched)).collect();
        self.serve_all(touched);
        Ok(Answer::Steps(answers))
    }

    /// Whether this can be done behind what the tally holds.
    fn check(&self, step: Step<'_>, tally: &mut Tally) -> Result<(), Error> {
        match step {
            Step::Push { queue, items, options } => self.check_push(queue, items, options, tally),
            Step::GetId { name, count } => self.check_getid(name, count, tally),
            Step::Ack { queue, receipts } => {
                for receipt in checked(receipts)? {
                    let held = self.leased(queue, *receipt)?;
                    let bytes = signed(held.item.len() as u64);
                    if !tally.ends(queue, receipt.position) {
                        return Err(Error::NoSuchLease);
                    }
                    tally.moved(queue, -1, -bytes, 0);
                    tally.memory_bytes -= signed(HELD_CHARGE) + bytes;
                }
                Ok(())
            }
            Step::Nack { queue, receipts, delay_ms } => {
                if delay_ms > SPAN_MS_MAX {
                    return Err(Error::BadOption);
                }
                checked(receipts)?.iter().try_for_each(|receipt| self.check_nack(queue, *receipt, tally))
            }
            Step::Touch { queue, receipts, lease_ms } => {
                if !(1..=LEASE_MS_MAX).contains(&lease_ms) {
                    return Err(Error::BadOption);
                }
                for receipt in checked(receipts)? {
                    self.leased(queue, *receipt)?;
                    if tally.ended.contains(&(queue, receipt.position)) {
                        return Err(Error::NoSuchLease);
                    }
                }
                Ok(())
            }
        }
    }

    fn check_push(&self, id: QueueId, items: &[Bytes], options: &PushOptions, tally: &mut Tally) -> Result<(), Error> {
        let queue = self.queue(id)?;
        if items.is_empty() || items.len() > BATCH_ITEMS_MAX {
            return Err(Error::BadCount);
        }
        options.check()?;
        let item_bytes_max = self.limits.item_bytes_max.min(REQUEST_BYTES_MAX as u64);
        if items.iter().any(|item| item.len() as u64 > item_bytes_max) {
            return Err(Error::ItemTooLarge);
        }
        let mut charge = 0;
        if let Some(key) = &options.key {
            if queue.keys.find(key).is_some() || tally.keys.contains(&(id, key.clone())) {
                return Ok(());
            }
            charge += charge_of_key(key);
        }
        let (count, bytes) = (items.len() as u64, items.iter().map(|item| item.len() as u64).sum::<u64>());
        charge += bytes + count * if options.is_plain() { ITEM_CHARGE } else { HELD_CHARGE };
        self.require_room(charge, tally.memory_bytes)?;
        tally.push(queue, count, bytes)?;
        tally.memory_bytes += signed(charge);
        if let Some(key) = options.key.clone().filter(|_| !tally.alone) {
            tally.keys.insert((id, key));
        }
        Ok(())
    }

    fn check_nack(&self, id: QueueId, receipt: Receipt, tally: &mut Tally) -> Result<(), Error> {
        let held = self.leased(id, receipt)?;
        if !tally.ends(id, receipt.position) {
            return Err(Error::NoSuchLease);
        }
        let dead = |queue: QueueId| tally.queues.get(&queue).map_or(0, |change| change.pushed);
        let bytes = signed(held.item.len() as u64);
        match self.fate(self.queue(id)?, held, self.clock, dead) {
            Fate::Expires => {
                tally.moved(id, -1, -bytes, 0);
                tally.memory_bytes -= signed(HELD_CHARGE) + bytes;
            }
            Fate::Dies(target) => {
                tally.moved(id, -1, -bytes, 0);
                tally.moved(target, 1, bytes, 1);
            }
            Fate::Returns => {}
        }
        Ok(())
    }

    fn check_getid(&self, name: &Label, count: u64, tally: &mut Tally) -> Result<(), Error> {
        if count == 0 {
            return Err(Error::BadCount);
        }
        let (known, drawn) = (self.sequences.get(name).copied(), tally.drawn.get(name).copied());
        let first = known.unwrap_or(1) + drawn.unwrap_or(0);
        if count > NUMBER_MAX + 1 - first {
            return Err(Error::NumberExhausted);
        }
        if known.is_none() && drawn.is_none() {
            let charge = charge_of_sequence(name);
            self.require_room(charge, tally.memory_bytes)?;
            tally.memory_bytes += signed(charge);
        }
        if !tally.alone {
            *tally.drawn.entry(name.clone()).or_default() += count;
        }
        Ok(())
    }

    /// Does what was checked, and notes which queues may have got something ready.
    fn carry_out(&mut self, step: Step<'_>, touched: &mut Vec<QueueId>) -> Answer {
        match step {
            Step::Push { queue, items, options } => {
                touched.push(queue);
                self.push(queue, items, options)
            }
            Step::GetId { name, count } => self.getid(name, count),
            Step::Ack { queue, receipts } => {
                receipts.iter().for_each(|receipt| self.finish(queue, receipt.position));
                done(receipts)
            }
            Step::Nack { queue, receipts, delay_ms } => {
                let ready_at = self.ready_at(delay_ms);
                let back = |receipt: &Receipt| self.give_back(queue, receipt.position, self.clock, ready_at);
                touched.extend(receipts.iter().map(back));
                done(receipts)
            }
            Step::Touch { queue, receipts, lease_ms } => {
                let until = self.clock + millis(lease_ms);
                let changed = self.change(queue, |queue| {
                    for receipt in receipts {
                        let mut held = queue.lift(State::Leased, 0, receipt.position).expect("it was checked");
                        held.until = until;
                        queue.place(State::Leased, receipt.position, held);
                    }
                });
                changed.expect("it was checked");
                done(receipts)
            }
        }
    }

    fn push(&mut self, id: QueueId, items: &[Bytes], options: &PushOptions) -> Answer {
        let clock = self.clock;
        let pushed = self.change(id, |queue| {
            if let Some(keyed) = options.key.as_ref().and_then(|key| queue.keys.find(key)) {
                return Answer::Pushed { first: keyed.first, count: keyed.count };
            }
            let (first, count, came_ms) = (queue.next, items.len() as u64, clock.0 / 1_000);
            for item in items {
                if options.is_plain() {
                    queue.push(options.priority, came_ms, item);
                    continue;
                }
                let mut held = Box::new(Held::new(item, options.priority, came_ms));
                if let Some(ttl_ms) = options.ttl_ms {
                    held.expire(clock + millis(ttl_ms));
                }
                if options.delay_ms > 0 {
                    held.until = clock + millis(options.delay_ms);
                }
                queue.push_held(if options.delay_ms > 0 { State::Delayed } else { State::Ready }, held);
            }
            if let Some(key) = options.key.clone() {
                let until = clock + millis(queue.settings.key_window_ms);
                queue.keys.insert(id, key, Keyed { first, count, until });
            }
            Answer::Pushed { first, count }
        });
        pushed.expect("it was checked")
    }

    fn getid(&mut self, name: &Label, count: u64) -> Answer {
        let first = match self.sequences.get(name).copied() {
            Some(next) => {
                self.known.sum -= digest::sequence(name, next);
                next
            }
            None => {
                self.known.memory_bytes += charge_of_sequence(name);
                1
            }
        };
        self.known.sum += digest::sequence(name, first + count);
        match self.sequences.get_mut(name) {
            Some(next) => {
                *next = first + count;
                self.sequence_stretches.change(name);
            }
            None => {
                self.sequences.insert(name.clone(), first + count);
                self.sequence_stretches.begin(name, begins_stretch(name));
            }
        }
        Answer::Ids { first, count }
    }
}

/// The receipts of a request: at least one.
fn checked(receipts: &[Receipt]) -> Result<&[Receipt], Error> {
    if receipts.is_empty() { Err(Error::BadCount) } else { Ok(receipts) }
}

fn done(receipts: &[Receipt]) -> Answer {
    Answer::Done { count: receipts.len() as u64 }
}

/// A number of bytes or items, to be added or taken away: no state is so large that it does not fit.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
