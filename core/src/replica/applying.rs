//! Committed slots are applied to the machine, and whoever waits for them is answered.
//!
//! After a start that can be a long log: it is applied in parts, so that everything else goes on meanwhile, and
//! nothing is taken from clients until it is through. Then slots are applied as they are committed, all at once:
//! there are only as many as the replica orders and hears of between two inputs.

use crate::group::{Delivery, content};
use crate::ids::Slot;
use crate::machine::{Machine, Place};
use crate::session::table::Applied;
use crate::store::Opened;
use crate::time::Time;

use super::{Event, Output, Replica, Stop};

/// So many slots, requests, and items of requests are applied at once after a start: some 20 ms of work, less than a
/// heartbeat.
pub(super) const REPLAYED_AT_ONCE: usize = 8_192;

/// A request may hold thousands of items, each with at least so many bytes or little work.
const ITEM_BYTES: usize = 32;

/// How far the log that was in the store is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replay {
    /// Not all of what is committed is, and the store held it up to here.
    UnderWay(Slot),
    /// It is, and the store held it up to here.
    Ended(Slot),
}

impl Replay {
    /// Nothing is applied yet of what the store holds.
    pub(super) fn of(opened: &Opened) -> Replay {
        Replay::UnderWay(opened.delivered.last().map_or(Slot(0), |record| record.slot))
    }

    fn ended(self) -> Replay {
        Replay::Ended(self.end())
    }

    pub(super) fn is_under_way(self) -> bool {
        match self {
            Replay::UnderWay(_) => true,
            Replay::Ended(_) => false,
        }
    }

    /// The end of what was in the store: no snapshot of it is taken again.
    pub(super) fn end(self) -> Slot {
        match self {
            Replay::UnderWay(end) | Replay::Ended(end) => end,
        }
    }
}

impl<M: Machine> Replica<M> {
    /// Applies what is committed, of a long log after a start only a part; whether there was anything.
    pub(super) fn apply_committed(&mut self, now: Time) -> bool {
        let mut applied = false;
        let mut work = 0;
        while !(self.replay.is_under_way() && work >= REPLAYED_AT_ONCE) {
            let Some(Delivery { record, view }) = self.group.deliver() else {
                self.replay = self.replay.ended();
                break;
            };
            applied = true;
            work += 1;
            self.machine.advance(record.slot, record.clock);
            self.complete();
            let Ok(requests) = content::requests(&record.content) else {
                self.group.stop(Stop::BadSlot);
                return true;
            };
            for (position, (origin, number, body)) in (0u32..).zip(requests) {
                work += 1 + body.len() / ITEM_BYTES;
                let place = Place { slot: record.slot.0, position };
                let done = self.machine.apply(place, &body);
                if let Applied::UnknownRules(_) = done {
                    self.group.stop(Stop::UnknownRules);
                    return true;
                }
                if done.is_repeated() {
                    self.out.push_back(Output::Event(Event::Repeated));
                }
                if let Some(token) = self.group.own_token(record.view, origin, number) {
                    self.clients.answer(token, done, &mut self.out);
                }
                self.complete();
            }
            let (slot, clock) = (record.slot, record.clock);
            let due = slot.0 % self.options.snapshot_every == 0 && slot > self.replay.end();
            if due && self.group.may_snapshot(now) {
                self.take_snapshot(now, &record);
            }
            let (digest, content, state) = (record.digest, record.content, self.machine.digest());
            self.out.push_back(Output::Event(Event::Applied { view, slot, digest, clock, content, state }));
        }
        // What is due in the middle of the log was done further on in it.
        self.group.set_alarm(self.machine.deadline().filter(|_| !self.replay.is_under_way()));
        self.group.set_awaited(self.clients.has_parked());
        applied
    }

    /// Answers those who had waited.
    fn complete(&mut self) {
        while let Some(done) = self.machine.completed() {
            self.clients.complete(done, &mut self.out);
        }
    }
}
