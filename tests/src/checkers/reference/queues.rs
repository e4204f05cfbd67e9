//! The machine as a newcomer would write it: lists and scans, no digest, no segments, no indexes. It is what
//! the words of the operations mean, and the real one has to agree with it.

mod due;
mod steps;

use super::queue::{Item, Queue, Room, State, counted};
use ftq_core::machine::Ticket;
use ftq_core::machine::queues::{
    Answer, Command, DUE_MAX, Delivery, Error, Executed, LEASE_MS_MAX, Label, Limits, NUMBER_MAX, Question, QueueId,
    REQUEST_BYTES_MAX, Receipt, Reply, Seen, Statistics, Summary, WAIT_MS_MAX, WAITS_MAX,
};
use ftq_core::session::message::SessionId;
use ftq_core::time::{SlotClock, Span};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody who waits.
#[derive(Clone, Debug)]
struct Wait {
    queue: QueueId,
    ticket: Ticket,
    count: u64,
    lease_ms: Option<u64>,
    until: SlotClock,
}

/// Something that is due, in the order in which it is done: its time, items before waits, the queue, keys
/// before items, the position.
type Due = (SlotClock, bool, u64, bool, u64);

/// All queues and sequences.
#[derive(Clone, Debug)]
pub struct Naive {
    /// The version of the rules.
    rules: u64,
    limits: Limits,
    /// Whether somebody has chosen them.
    chosen: bool,
    clock: SlotClock,
    created: u64,
    tokens: u64,
    queues: BTreeMap<QueueId, Queue>,
    sequences: BTreeMap<Label, u64>,
    /// In the order of asking.
    waits: Vec<Wait>,
    /// Sessions that are gone.
    gone: BTreeSet<SessionId>,
    /// How many things that were due this slot has done, and whether that was all.
    done_in_slot: usize,
    settled: bool,
    /// What the answers take that are kept around it.
    kept: u64,
    /// Queues in which something may have become ready.
    touched: BTreeSet<QueueId>,
    completed: Vec<(Ticket, Reply)>,
}

impl Naive {
    /// A machine in which nothing has happened yet, under this version of the rules.
    pub fn new(rules: u64, limits: Limits) -> Naive {
        Naive {
            rules,
            limits,
            chosen: false,
            clock: SlotClock(0),
            created: 0,
            tokens: 0,
            queues: BTreeMap::new(),
            sequences: BTreeMap::new(),
            waits: Vec::new(),
            gone: BTreeSet::new(),
            done_in_slot: 0,
            settled: false,
            kept: 0,
            touched: BTreeSet::new(),
            completed: Vec::new(),
        }
    }

    /// Time moves on.
    pub fn advance(&mut self, clock: SlotClock) {
        self.clock = clock;
        (self.done_in_slot, self.settled) = (0, false);
    }

    /// Does the next thing that is due; whether there was one.
    pub fn settle(&mut self) -> bool {
        if self.done_in_slot == DUE_MAX || self.settled && self.gone.is_empty() {
            return false;
        }
        if let Some((_, id, position)) = self.orphans().min() {
            let touched = self.give_back(id, position, self.clock, None);
            self.touched.insert(touched);
            self.done_in_slot += 1;
            return true;
        }
        self.gone.clear();
        let Some(due) = self.due().min().filter(|due| due.0 <= self.clock) else {
            self.settled = true;
            return false;
        };
        self.do_due(due);
        self.done_in_slot += 1;
        true
    }

    /// From now on these rules are in force, or the later ones that are.
    pub fn switch_rules(&mut self, version: u64) {
        self.rules = self.rules.max(version);
    }

    /// So much memory there may be, if nobody has chosen yet.
    pub fn limit_memory(&mut self, bytes: u64) {
        if !self.chosen {
            self.limits.memory_bytes_max = bytes;
        }
        self.chosen = true;
    }

    /// Sessions are gone.
    pub fn end_sessions(&mut self, sessions: &[SessionId]) {
        self.waits.retain(|wait| !sessions.contains(&wait.ticket.session));
        self.gone.extend(sessions);
    }

    /// Nobody wants this answer any more.
    pub fn abandon(&mut self, ticket: Ticket) {
        self.waits.retain(|wait| wait.ticket != ticket);
    }

    /// The answers that are kept take so many bytes.
    pub fn keeps(&mut self, bytes: u64) {
        self.kept = bytes;
    }

    /// The next answer to somebody who had waited; none if there is no room for it.
    pub fn completed(&mut self, mut room: impl FnMut(Ticket) -> usize) -> Option<(Ticket, Option<Reply>)> {
        if !self.completed.is_empty() {
            let (ticket, reply) = self.completed.remove(0);
            return Some((ticket, Some(reply)));
        }
        while let Some(id) = self.touched.first().copied() {
            let ready = self.queues.get(&id).is_some_and(|queue| !queue.paused && !queue.in_order().is_empty());
            let Some(first) = self.waits.iter().position(|wait| wait.queue == id).filter(|_| ready) else {
                self.touched.remove(&id);
                continue;
            };
            let wait = self.waits.remove(first);
            let answer = self.give(wait.ticket, id, wait.count, wait.lease_ms, room(wait.ticket));
            return Some((wait.ticket, answer.map(Ok)));
        }
        None
    }

    /// Does what the command says, if an answer of this length is enough.
    pub fn execute(&mut self, ticket: Ticket, command: &Command, room: usize) -> Executed {
        Executed::Answered(match command {
            Command::Create { label } => self.create(label),
            Command::Destroy { queue } => self.destroy(*queue),
            Command::Pop { queue, count, wait_ms } => return self.ask(ticket, *queue, *count, None, *wait_ms, room),
            Command::Take { queue, count, lease_ms, wait_ms } => {
                return self.ask(ticket, *queue, *count, Some(*lease_ms), *wait_ms, room);
            }
            Command::Configure { queue, settings } => self.configure(*queue, settings),
            Command::Pause { queue, paused } => match self.queues.get_mut(queue) {
                None => Err(Error::NoSuchQueue),
                Some(found) => {
                    found.paused = *paused;
                    self.touched.insert(*queue);
                    Ok(Answer::Done { count: 0 })
                }
            },
            Command::Purge { queue } => self.purge(*queue),
            Command::SendBack { queue, count } => self.send_back(*queue, *count),
            Command::Limit(limits) => {
                let sane = limits.item_bytes_max > 0 && limits.item_bytes_max <= REQUEST_BYTES_MAX as u64;
                if sane && limits.memory_bytes_max <= NUMBER_MAX {
                    (self.limits, self.chosen) = (*limits, true);
                    Ok(Answer::Done { count: 0 })
                } else {
                    Err(Error::BadOption)
                }
            }
            Command::Steps(steps) if 23 + 23 * steps.len() > room => return Executed::NoRoom,
            Command::Steps(_) if self.rules < 2 => Err(Error::NotInRules),
            Command::Steps(steps) if steps.is_empty() => Err(Error::BadCount),
            Command::Steps(steps) => self.all_or_none(steps).map(Answer::Steps),
            Command::Push { .. }
            | Command::GetId { .. }
            | Command::Ack { .. }
            | Command::Nack { .. }
            | Command::Touch { .. } => {
                self.all_or_none(std::slice::from_ref(command)).map(|mut answers| answers.remove(0))
            }
        })
    }

    /// Says what the question asks.
    pub fn answer(&self, question: &Question) -> Reply {
        match question {
            Question::Id { label } => {
                let found = self.queues.iter().find(|(_, queue)| queue.label == *label);
                found.map(|(id, _)| Answer::Queue(*id)).ok_or(Error::NoSuchLabel)
            }
            Question::Top { queue } => {
                let first = self.find(*queue)?.in_order().into_iter().next().ok_or(Error::Empty)?;
                Ok(Answer::Top { position: first.position, item: first.item.clone() })
            }
            Question::Size { queue } => Ok(Answer::Size(self.find(*queue)?.size())),
            Question::Summary => Ok(Answer::Summary(Summary {
                queues: self.queues.len() as u64,
                sequences: self.sequences.len() as u64,
                items: self.queues.values().map(|queue| queue.items.len() as u64).sum(),
                memory_bytes: self.memory(),
                memory_bytes_max: self.limits.memory_bytes_max,
                rules: self.rules,
                digest: ftq_core::ids::Digest::default(),
            })),
            Question::Next { name } => {
                Ok(Answer::Ids { first: self.sequences.get(name).map_or(1, |last| last + 1), count: 0 })
            }
            Question::Browse { queue, after, count } => {
                let queue = self.find(*queue)?;
                let count = counted(*count)?;
                let behind = queue.in_order().into_iter().filter(|item| (item.priority, item.position) > *after);
                let mut room = Room::unkept();
                let seen = behind.take(count).take_while(|item| room.fits(item.item.len())).map(|item| Seen {
                    priority: item.priority,
                    position: item.position,
                    deliveries: item.deliveries,
                    item: item.item.clone(),
                });
                Ok(Answer::Seen(seen.collect()))
            }
            Question::Statistics { queue } => {
                let waiting = self.waits.iter().filter(|wait| wait.queue == *queue).count() as u64;
                let queue = self.find(*queue)?;
                let oldest = queue.in_order().into_iter().min_by_key(|item| item.position);
                Ok(Answer::Statistics(Statistics {
                    label: queue.label.clone(),
                    size: queue.size(),
                    waiting,
                    bytes: queue.items.iter().map(|item| item.item.len() as u64).sum(),
                    oldest_ms: oldest.map(|item| self.clock.0 / 1_000 - item.came_ms),
                    paused: queue.paused,
                    totals: queue.totals,
                    settings: queue.settings.clone(),
                }))
            }
            Question::List { after, count } => {
                let behind = self.queues.iter().filter(|(id, _)| *id > after).take(counted(*count)?);
                let mut room = Room::unkept();
                let fitting = behind.take_while(|(_, queue)| room.fits(queue.label.as_str().len()));
                Ok(Answer::Queues(fitting.map(|(id, queue)| (*id, queue.label.clone())).collect()))
            }
        }
    }

    /// All queues that there are, with their labels.
    pub fn queues(&self) -> impl Iterator<Item = (QueueId, &Label)> {
        self.queues.iter().map(|(id, queue)| (*id, &queue.label))
    }

    /// All sequences that there are, with their last numbers.
    pub fn sequences(&self) -> impl Iterator<Item = (&Label, u64)> {
        self.sequences.iter().map(|(name, last)| (name, *last))
    }

    /// The version of the rules that is in force.
    pub fn rules(&self) -> u64 {
        self.rules
    }

    /// The clock of the slot that is applied.
    pub fn clock(&self) -> SlotClock {
        self.clock
    }

    /// When something is due.
    pub fn deadline(&self) -> Option<SlotClock> {
        let orphans = self.orphans().map(|_| self.clock);
        self.due().map(|due| due.0).chain(orphans).min()
    }

    fn ask(
        &mut self,
        ticket: Ticket,
        id: QueueId,
        count: u64,
        lease_ms: Option<u64>,
        wait_ms: u64,
        room: usize,
    ) -> Executed {
        let allowed = || -> Result<(), Error> {
            let queue = self.find(id)?;
            counted(count)?;
            if lease_ms.is_some_and(|lease| lease == 0 || lease > LEASE_MS_MAX) || wait_ms > WAIT_MS_MAX {
                return Err(Error::BadOption);
            }
            if queue.paused {
                return Err(Error::Paused);
            }
            if queue.in_order().is_empty() { Err(Error::Empty) } else { Ok(()) }
        };
        match allowed() {
            Ok(()) => match self.give(ticket, id, count, lease_ms, room) {
                Some(answer) => Executed::Answered(Ok(answer)),
                None => Executed::NoRoom,
            },
            Err(Error::Empty | Error::Paused) if wait_ms > 0 => {
                if self.waits.len() == WAITS_MAX {
                    return Executed::Answered(Err(Error::TooManyWaits));
                }
                let until = self.clock + Span::millis(wait_ms);
                self.waits.push(Wait { queue: id, ticket, count, lease_ms, until });
                Executed::Waits
            }
            Err(error) => Executed::Answered(Err(error)),
        }
    }

    /// Gives what is ready, unless not even the first item fits.
    fn give(&mut self, ticket: Ticket, id: QueueId, count: u64, lease_ms: Option<u64>, room: usize) -> Option<Answer> {
        let queue = self.queues.get_mut(&id).expect("a queue with something in it");
        let (mut room, mut popped, mut taken) = (Room::of(room), Vec::new(), Vec::new());
        while ((popped.len() + taken.len()) as u64) < count {
            let Some((position, bytes)) = queue.in_order().first().map(|item| (item.position, item.item.len())) else {
                break;
            };
            if !room.fits(bytes) {
                break;
            }
            let at = queue.at(position);
            let Some(lease_ms) = lease_ms else {
                queue.totals.popped += 1;
                popped.push((position, queue.items.remove(at).item));
                continue;
            };
            self.tokens += 1;
            let item = &mut queue.items[at];
            let until = self.clock + Span::millis(lease_ms);
            item.state = State::Leased { session: ticket.session, token: self.tokens, until };
            item.deliveries += 1;
            item.plain = false;
            let receipt = Receipt { position, token: self.tokens };
            taken.push(Delivery { receipt, deliveries: item.deliveries, item: item.item.clone() });
        }
        match (popped.is_empty(), taken.is_empty()) {
            (true, true) => None,
            (false, _) => Some(Answer::Popped(popped)),
            (true, false) => Some(Answer::Taken(taken)),
        }
    }

    fn leased(&self, id: QueueId, receipt: Receipt) -> Result<usize, Error> {
        let found = self.find(id)?.items.iter().position(|item| item.position == receipt.position);
        let mine = |n: &usize| matches!(self.queues[&id].items[*n].state, State::Leased { token, .. } if token == receipt.token);
        found.filter(mine).ok_or(Error::NoSuchLease)
    }

    fn find(&self, queue: QueueId) -> Result<&Queue, Error> {
        self.queues.get(&queue).ok_or(Error::NoSuchQueue)
    }

    fn memory(&self) -> u64 {
        let item = |item: &Item| item.item.len() as u64 + if item.plain { 64 } else { 160 };
        let queue = |queue: &Queue| {
            let keys: u64 = queue.keys.iter().map(|key| 160 + key.0.as_str().len() as u64).sum();
            1536 + queue.label.as_str().len() as u64 + keys + queue.items.iter().map(item).sum::<u64>()
        };
        let sequences: u64 = self.sequences.keys().map(|name| 128 + name.as_str().len() as u64).sum();
        self.kept + sequences + self.queues.values().map(queue).sum::<u64>()
    }

    fn room(&self, charge: u64) -> Result<(), Error> {
        if self.memory() + charge <= self.limits.memory_bytes_max { Ok(()) } else { Err(Error::MemoryLimit) }
    }
}
