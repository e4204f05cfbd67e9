//! A queue as snapshots see it: its held items in stretches, and what it takes back.

use super::backlog::{Backlog, Segment, Stamp};
use super::digest;
use super::held::State;
use super::limits::PRIORITIES;
use super::queue::{Level, Queue};
use super::snapshot::{POSITIONS_IN_STRETCH, stretch};
use crate::machine::stretches::{Budget, Stretches};
use crate::wire::{Malformed, Writer};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

impl Queue {
    /// Takes in what a snapshot has of a priority, and counts it.
    pub(super) fn restore_level(
        &mut self,
        priority: u8,
        sealed: VecDeque<Segment>,
        (base, open): (Stamp, Vec<u8>),
        behind: usize,
    ) -> Result<(), Malformed> {
        let (id, next, plain) = (self.id, self.next, &mut self.plain);
        let mut last = 0;
        let backlog = Backlog::of_segments(sealed, base, open, behind, |stamp, item| {
            plain.add(item.len(), digest::item(id, stamp.position, priority, stamp.came_ms, item));
            last = stamp.position;
        })?;
        let rising = self.levels.last().is_none_or(|level| level.priority < priority);
        if !rising || last >= next || priority >= PRIORITIES || backlog.is_empty() {
            return Err(Malformed);
        }
        self.levels.push(Level { priority, backlog });
        Ok(())
    }

    /// The held items, in pieces for a snapshot.
    pub(super) fn held_pieces(&mut self, budget: &mut Budget) -> Vec<Bytes> {
        let (ready, delayed, leased) = (&self.ready, &self.delayed, &self.leased);
        self.stretches.pieces(budget, |(state, priority, from), _| {
            let positions = *from..*from + POSITIONS_IN_STRETCH;
            stretch(|w| match state {
                State::Ready => {
                    let some = ready.range((*priority, positions.start)..(*priority, positions.end));
                    some.for_each(|((_, position), held)| held.write(*position, w));
                }
                State::Delayed => delayed.range(positions).for_each(|(position, held)| held.write(*position, w)),
                State::Leased => leased.range(positions).for_each(|(position, held)| held.write(*position, w)),
            })
        })
    }

    /// Keeps no stretch without held items in mind; there are few items.
    pub(super) fn forget_empty_stretches(&mut self) {
        self.stretches = Stretches::default();
        let ready = self.ready.keys().map(|(priority, position)| (State::Ready, *priority, *position));
        let delayed = self.delayed.keys().map(|position| (State::Delayed, 0, *position));
        let leased = self.leased.keys().map(|position| (State::Leased, 0, *position));
        let held: Vec<_> = ready.chain(delayed).chain(leased).collect();
        held.into_iter().for_each(|(state, priority, position)| self.touch(state, priority, position));
    }

    /// How many held items there are.
    pub(super) fn held_len(&self) -> u64 {
        self.held.count
    }

    /// How many held items there are in a state.
    pub(super) fn held_in(&self, state: State) -> u64 {
        let count = match state {
            State::Ready => self.ready.len(),
            State::Delayed => self.delayed.len(),
            State::Leased => self.leased.len(),
        };
        count as u64
    }

    /// Writes the held items of a state, in their order.
    pub(super) fn write_held(&self, state: State, w: &mut Writer) {
        match state {
            State::Ready => self.ready.iter().for_each(|((_, position), held)| held.write(*position, w)),
            State::Delayed => self.delayed.iter().for_each(|(position, held)| held.write(*position, w)),
            State::Leased => self.leased.iter().for_each(|(position, held)| held.write(*position, w)),
        }
    }

    /// A held item has come or gone.
    pub(super) fn touch(&mut self, state: State, priority: u8, position: u64) {
        let priority = if state == State::Ready { priority } else { 0 };
        self.stretches.touch((state, priority, position - position % POSITIONS_IN_STRETCH));
    }
}
