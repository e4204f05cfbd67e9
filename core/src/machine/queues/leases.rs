//! How a lease ends, and what becomes of the item: gone, back in its place, or among the dead letters.

use super::Queues;
use super::answer::{Answer, Reply};
use super::error::Error;
use super::held::{Held, State};
use super::label::{QueueId, Receipt};
use super::limits::{NUMBER_MAX, millis};
use super::queue::Queue;
use super::steps::Tally;
use crate::time::SlotClock;
use alloc::vec::Vec;

/// What becomes of an item whose lease ends without an ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its time is over.
    Expires,
    /// It has been given out too often, and goes to this queue.
    Dies(QueueId),
    /// It goes back to its place.
    Returns,
}

impl Queues {
    /// The leased item that this receipt is for.
    pub(super) fn leased(&self, id: QueueId, receipt: Receipt) -> Result<&Held, Error> {
        let held = self.queue(id)?.leased.get(&receipt.position).map(AsRef::as_ref);
        held.filter(|held| held.token == receipt.token).ok_or(Error::NoSuchLease)
    }

    /// What becomes of a leased item if its lease ends at this moment. `dead` says how many items go to a
    /// queue of dead letters before it.
    pub(super) fn fate(&self, queue: &Queue, held: &Held, at: SlotClock, dead: impl Fn(QueueId) -> u64) -> Fate {
        if held.expires_at() <= at {
            return Fate::Expires;
        }
        let too_often = queue.settings.deliveries_max.is_some_and(|max| u64::from(held.deliveries) >= max);
        let target = queue.settings.dead_letters.filter(|_| too_often).and_then(|dead| self.queues.get(&dead));
        match target {
            Some(target) if NUMBER_MAX.saturating_sub(dead(target.id)) >= target.next => Fate::Dies(target.id),
            Some(_) | None => Fate::Returns,
        }
    }

    /// A leased item is done. The lease is known to be there.
    pub(super) fn finish(&mut self, id: QueueId, position: u64) {
        let session = self.change(id, |queue| {
            let held = queue.lift(State::Leased, 0, position).expect("a lease that was checked");
            queue.totals.acked += 1;
            held.session
        });
        self.leases.end(session.expect("a queue that was checked"), id, position);
    }

    /// A lease ends at `at` without an ack: its item may be ready from `ready_at` on. Says which queue got
    /// something ready, perhaps.
    pub(super) fn give_back(&mut self, id: QueueId, position: u64, at: SlotClock, ready_at: SlotClock) -> QueueId {
        let queue = self.queues.get(&id).expect("a queue that was checked");
        let held = queue.leased.get(&position).expect("a lease that was checked");
        let (fate, session) = (self.fate(queue, held, at, |_| 0), held.session);
        let dead = self.change(id, |queue| {
            let mut held = queue.lift(State::Leased, 0, position)?;
            held.release();
            match fate {
                Fate::Expires => queue.totals.expired += 1,
                Fate::Dies(_) => {
                    queue.totals.moved += 1;
                    return Some(held);
                }
                Fate::Returns => {
                    queue.totals.returned += 1;
                    held.until = ready_at;
                    let state = if ready_at.0 > 0 { State::Delayed } else { State::Ready };
                    queue.place(state, position, held);
                }
            }
            None
        });
        self.leases.end(session, id, position);
        let (Fate::Dies(target), Ok(Some(mut dead))) = (fate, dead) else { return id };
        dead.die(id, self.clock.0 / 1_000);
        let moved = self.change(target, |queue| queue.push_held(State::Ready, dead));
        moved.expect("the queue of dead letters is there");
        target
    }

    /// Puts dead letters back at the end of the queues that they came from, all or none of those that are
    /// found.
    pub(super) fn send_back(&mut self, id: QueueId, count: u64) -> Reply {
        let count = super::counted(count)?;
        let queue = self.queue(id)?;
        let mut found = Vec::new();
        let mut tally = Tally::default();
        for ((priority, position), held) in &queue.ready {
            if found.len() >= count {
                break;
            }
            if let Some(origin) = self.queues.get(&held.origin()) {
                tally.push(origin, 1, held.item.len() as u64)?;
                found.push((*priority, *position, held.origin()));
            }
        }
        if found.is_empty() {
            return Err(Error::Empty);
        }
        let mut touched = Vec::new();
        for (priority, position, origin) in &found {
            let held = self.change(id, |queue| {
                queue.totals.moved += 1;
                queue.lift(State::Ready, *priority, *position).expect("what was found is there")
            })?;
            let came_ms = self.clock.0 / 1_000;
            self.change(*origin, |queue| queue.push(held.priority, came_ms, &held.item))?;
            touched.push(*origin);
        }
        self.serve_all(touched);
        Ok(Answer::Done { count: found.len() as u64 })
    }

    /// For how long an item that comes back is not ready.
    pub(super) fn ready_at(&self, delay_ms: u64) -> SlotClock {
        if delay_ms > 0 { self.clock + millis(delay_ms) } else { SlotClock(0) }
    }

    /// Serves who waits at these queues, each once, by rising id.
    pub(super) fn serve_all(&mut self, mut queues: Vec<QueueId>) {
        queues.sort_unstable();
        queues.dedup();
        queues.into_iter().for_each(|queue| self.serve(queue));
    }
}
