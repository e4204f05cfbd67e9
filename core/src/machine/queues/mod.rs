//! The queues: labelled queues of items, and named sequences of numbers.
//!
//! ```text
//! label ──▶ queue id ──▶ queue: items (backlogs, held items), keys, settings      queue.rs
//! name  ──▶ next number
//! queue id ──▶ pops that wait, in the order of asking                             waits.rs
//! slot clock ──▶ queues in which a lease, a delay, a life or a key ends           due.rs
//! session ──▶ leases that it holds                                                holders.rs
//! ```
//!
//! What holds always:
//! - a queue id, a position in a queue, a receipt's token and a number of a sequence are positive, given
//!   once, never again, and at most 2^63 - 1;
//! - every command and question has an answer; an error means that nothing changed. A pop or a take that
//!   waits is answered when there is something, when its time is over or when its queue goes;
//! - an item is in one place: ready, delayed or leased in one queue, or gone. One that comes back stands
//!   where it stood; with too many deliveries it goes to the dead letters in the same slot;
//! - nobody waits at a queue that has something ready and is not paused, once all completions are fetched;
//! - pushes never take what the state is charged, with the answers that are kept around it, past the memory
//!   limit, and taking away always works. A lease makes its item dearer, by no more than
//!   `HELD_CHARGE - ITEM_CHARGE`;
//! - the digest and the charge are those of the state as it is, and are read in O(1).
//!
//! Things that are due are done at the start of a slot: the leases of sessions that are gone go back, then all
//! else in the order of their times; at the same time items before those who wait, then by queue and position.
//! Who waits is served after each of them.

mod answer;
mod apply;
mod backlog;
mod backup;
mod command;
mod digest;
mod due;
mod error;
mod give;
mod held;
mod holders;
mod keys;
mod label;
mod leases;
mod limits;
mod options;
mod question;
mod queue;
mod room;
mod rules;
mod snapshot;
mod steps;
#[cfg(test)]
mod tests;
mod waits;
mod written;

pub use answer::{Answer, Delivery, Reply, Seen, Size, Statistics, Summary, Totals, decode_reply, encode_reply};
pub use command::Command;
pub use error::Error;
pub use label::{Label, QueueId, Receipt};
pub use limits::{
    BATCH_ITEMS_MAX, DUE_MAX, KEY_WINDOW_MS, LABEL_BYTES_MAX, LEASE_MS_MAX, Limits, NUMBER_MAX, POP_BYTES_MAX,
    PRIORITIES, PRIORITY_DEFAULT, REQUEST_BYTES_MAX, RESTORE_STEP, SPAN_MS_MAX, WAIT_MS_MAX, WAITS_MAX,
};
pub use options::{PushOptions, Settings};
pub use question::Question;
pub use rules::Rules;

use super::stretches::Stretches;
use super::{Completion, Machine, SHORT_ANSWER, Ticket};
use crate::time::SlotClock;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use digest::Sum;
use holders::Holders;
use limits::SEQUENCE_CHARGE;
use queue::{Queue, charge_of_queue};
use waits::{Ask, Waits};

/// The machine of a work queue.
#[derive(Debug)]
pub struct Queues {
    rules: Rules,
    /// The newest rules that this build knows.
    newest: Rules,
    limits: Limits,
    /// Whether somebody has chosen them.
    is_limited: bool,
    /// The clock of the slot that is applied.
    clock: SlotClock,
    next_queue: u64,
    next_token: u64,
    labels: BTreeMap<Label, QueueId>,
    queues: BTreeMap<QueueId, Queue>,
    sequences: BTreeMap<Label, u64>,
    /// For snapshots.
    queue_stretches: Stretches<u64>,
    sequence_stretches: Stretches<Option<Label>>,
    /// The queues of which something stood behind the catalogue of the last snapshot.
    apart: BTreeSet<QueueId>,
    waits: Waits,
    leases: Holders,
    /// When something is due in a queue next: an entry for each queue in which something is.
    due: BTreeSet<(SlotClock, QueueId)>,
    /// How many things that were due this slot has done.
    done_in_slot: usize,
    known: Known,
    /// What the answers take that are kept around the machine.
    kept_bytes: u64,
    /// Queues at which somebody who waits may have to be served.
    unserved: BTreeSet<QueueId>,
    /// Errors for those who waited, which nobody has fetched yet.
    completed: VecDeque<Completion>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and mostly it is the large one")]
pub enum Executed {
    /// This is the reply.
    Answered(Reply),
    /// Whoever asked waits.
    Waits,
    /// There is no room for the answer: nothing was done.
    NoRoom,
}

/// What is known of the whole state, so that nobody has to walk it.
#[derive(Debug, Default)]
struct Known {
    sum: Sum,
    items: u64,
    memory_bytes: u64,
}

/// What a queue adds to that.
#[derive(Clone, Copy, Debug)]
struct Share {
    sum: Sum,
    items: u64,
    memory_bytes: u64,
    due: Option<SlotClock>,
}

impl Queues {
    /// A machine in which nothing has happened yet, under the newest rules: for tests. A replica begins with
    /// [`Queues::of_build`].
    pub fn new(limits: Limits) -> Queues {
        Queues { rules: Rules::NEWEST, ..Queues::of_build(Rules::NEWEST, limits) }
    }

    /// A machine in which nothing has happened yet, as a build has it that knows these rules and the ones
    /// before: under the first, so that all builds begin alike.
    pub fn of_build(newest: Rules, limits: Limits) -> Queues {
        Queues {
            rules: Rules::FIRST,
            newest,
            limits,
            is_limited: false,
            clock: SlotClock(0),
            next_queue: 1,
            next_token: 1,
            labels: BTreeMap::new(),
            queues: BTreeMap::new(),
            sequences: BTreeMap::new(),
            queue_stretches: Stretches::default(),
            sequence_stretches: Stretches::default(),
            apart: BTreeSet::new(),
            waits: Waits::default(),
            leases: Holders::default(),
            due: BTreeSet::new(),
            done_in_slot: 0,
            known: Known::default(),
            kept_bytes: 0,
            unserved: BTreeSet::new(),
            completed: VecDeque::new(),
        }
    }

    /// Does what the command says, if there is room for its answer.
    pub fn execute(&mut self, ticket: Ticket, command: Command, room: usize) -> Executed {
        Executed::Answered(match command {
            Command::Create { label } => self.create(label).map(Answer::Queue),
            Command::Destroy { queue } => self.destroy(queue),
            Command::Pop { queue, count, wait_ms } => {
                return self.ask(queue, Ask { ticket, count, lease_ms: None }, wait_ms, room);
            }
            Command::Take { queue, count, lease_ms, wait_ms } => {
                return self.ask(queue, Ask { ticket, count, lease_ms: Some(lease_ms) }, wait_ms, room);
            }
            Command::Configure { queue, settings } => self.configure(queue, settings),
            Command::Pause { queue, paused } => self.pause(queue, paused),
            Command::Purge { queue } => self.purge(queue),
            Command::SendBack { queue, count } => self.send_back(queue, count),
            Command::Limit(limits) => self.limit(limits),
            Command::Steps(steps) if (steps.len() + 1) * SHORT_ANSWER > room => return Executed::NoRoom,
            Command::Steps(steps) => self.steps(&steps),
            step @ (Command::Push { .. }
            | Command::GetId { .. }
            | Command::Ack { .. }
            | Command::Nack { .. }
            | Command::Touch { .. }) => step.as_step().and_then(|step| self.step(step)),
        })
    }

    /// Says what the question asks.
    pub fn answer(&self, question: &Question) -> Reply {
        match question {
            Question::Id { label } => {
                self.labels.get(label).map(|queue| Answer::Queue(*queue)).ok_or(Error::NoSuchLabel)
            }
            Question::Top { queue } => {
                let (position, item) = self.queue(*queue)?.top().ok_or(Error::Empty)?;
                Ok(Answer::Top { position, item })
            }
            Question::Size { queue } => Ok(Answer::Size(self.queue(*queue)?.size())),
            Question::Summary => Ok(Answer::Summary(self.summary())),
            Question::Next { name } => {
                Ok(Answer::Ids { first: self.sequences.get(name).copied().unwrap_or(1), count: 0 })
            }
            Question::Browse { queue, after, count } => {
                Ok(Answer::Seen(self.queue(*queue)?.browse(*after, counted(*count)?)))
            }
            Question::Statistics { queue } => {
                let waiting = self.waits.count(*queue);
                Ok(Answer::Statistics(self.queue(*queue)?.statistics(waiting, self.clock)))
            }
            Question::List { after, count } => {
                let behind = self.queues.range(QueueId(after.0.saturating_add(1))..);
                // A label takes no more room than an item of its length.
                let mut room = room::Room::unkept();
                let fitting = behind.take(counted(*count)?).take_while(|(_, q)| room.fits(q.label.as_bytes().len()));
                Ok(Answer::Queues(fitting.map(|(id, queue)| (*id, queue.label.clone())).collect()))
            }
        }
    }

    /// How much of everything there is.
    pub fn summary(&self) -> Summary {
        Summary {
            queues: self.queues.len() as u64,
            sequences: self.sequences.len() as u64,
            items: self.known.items,
            memory_bytes: self.charge(),
            memory_bytes_max: self.limits.memory_bytes_max,
            rules: self.rules.number(),
            digest: self.digest(),
        }
    }

    fn create(&mut self, label: Label) -> Result<QueueId, Error> {
        if let Some(queue) = self.labels.get(&label) {
            return Ok(*queue);
        }
        if self.next_queue > NUMBER_MAX {
            return Err(Error::NumberExhausted);
        }
        self.require_room(charge_of_queue(&label), 0)?;
        let id = QueueId(self.next_queue);
        self.next_queue += 1;
        self.labels.insert(label.clone(), id);
        self.admit(Queue::new(id, label));
        Ok(id)
    }

    /// Ends a queue; who waits at it is told.
    fn destroy(&mut self, id: QueueId) -> Reply {
        let queue = self.queues.remove(&id).ok_or(Error::NoSuchQueue)?;
        self.labels.remove(&queue.label);
        self.queue_stretches.touch(snapshot::queue_stretch(id));
        self.apart.remove(&id);
        for (position, held) in &queue.leased {
            self.leases.end(held.session, id, *position);
        }
        self.count_out(id, Share::of(&queue));
        while let Some(ask) = self.waits.take_first(id) {
            self.complete(ask.ticket, &Err(Error::NoSuchQueue));
        }
        Ok(Answer::Done { count: queue.len() })
    }

    fn configure(&mut self, id: QueueId, settings: Settings) -> Reply {
        self.queue(id)?;
        settings.check(id)?;
        self.change(id, |queue| queue.settings = settings)?;
        Ok(Answer::Done { count: 0 })
    }

    fn pause(&mut self, id: QueueId, paused: bool) -> Reply {
        self.change(id, |queue| queue.paused = paused)?;
        self.serve(id);
        Ok(Answer::Done { count: 0 })
    }

    fn purge(&mut self, id: QueueId) -> Reply {
        Ok(Answer::Done { count: self.change(id, Queue::purge)? })
    }

    fn limit(&mut self, limits: Limits) -> Reply {
        let sane = (1..=REQUEST_BYTES_MAX as u64).contains(&limits.item_bytes_max);
        if !sane || limits.memory_bytes_max > NUMBER_MAX {
            return Err(Error::BadOption);
        }
        (self.limits, self.is_limited) = (limits, true);
        Ok(Answer::Done { count: 0 })
    }

    /// Somebody who waited is told so.
    fn complete(&mut self, ticket: Ticket, reply: &Reply) {
        self.completed.push_back(Completion::of(ticket, Some(reply)));
    }

    /// Takes a queue in, whose label is known already.
    fn admit(&mut self, queue: Queue) {
        let id = queue.id;
        self.count_in(id, Share::of(&queue));
        self.queue_stretches.touch(snapshot::queue_stretch(id));
        let before = self.queues.insert(id, queue);
        assert!(before.is_none(), "queue {id} was given twice");
    }

    /// Changes a queue, and with it what is known of all of them.
    fn change<T>(&mut self, id: QueueId, change: impl FnOnce(&mut Queue) -> T) -> Result<T, Error> {
        let queue = self.queues.get_mut(&id).ok_or(Error::NoSuchQueue)?;
        let before = Share::of(queue);
        let done = change(queue);
        let after = Share::of(queue);
        self.count_out(id, before);
        self.count_in(id, after);
        self.queue_stretches.touch(snapshot::queue_stretch(id));
        Ok(done)
    }

    fn count_in(&mut self, id: QueueId, share: Share) {
        self.known.sum += share.sum;
        self.known.items += share.items;
        self.known.memory_bytes += share.memory_bytes;
        if let Some(at) = share.due {
            self.due.insert((at, id));
        }
    }

    fn count_out(&mut self, id: QueueId, share: Share) {
        self.known.sum -= share.sum;
        self.known.items -= share.items;
        self.known.memory_bytes -= share.memory_bytes;
        if let Some(at) = share.due {
            self.due.remove(&(at, id));
        }
    }

    /// Whether so much more may be charged, when what is charged has changed by `delta` before.
    fn require_room(&self, charge: u64, delta: i64) -> Result<(), Error> {
        let used = self.charge().saturating_add_signed(delta);
        let room = self.limits.memory_bytes_max.saturating_sub(used);
        if charge > room { Err(Error::MemoryLimit) } else { Ok(()) }
    }

    /// What everything is charged, with the answers that are kept around it.
    fn charge(&self) -> u64 {
        self.known.memory_bytes + self.kept_bytes
    }

    fn queue(&self, queue: QueueId) -> Result<&Queue, Error> {
        self.queues.get(&queue).ok_or(Error::NoSuchQueue)
    }
}

impl Share {
    fn of(queue: &Queue) -> Share {
        Share { sum: queue.sum(), items: queue.len(), memory_bytes: queue.charge(), due: queue.due() }
    }
}

/// How many are asked for: at least one, and no more than one request may have.
fn counted(count: u64) -> Result<usize, Error> {
    let count = usize::try_from(count).map_err(|_| Error::BadCount)?;
    if count == 0 || count > BATCH_ITEMS_MAX { Err(Error::BadCount) } else { Ok(count) }
}

/// What a sequence with this name is charged.
fn charge_of_sequence(name: &Label) -> u64 {
    SEQUENCE_CHARGE + name.as_bytes().len() as u64
}
