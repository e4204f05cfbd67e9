//! What the slots mean: a pure, deterministic function of the log.
//!
//! The same slots give the same state, byte for byte, on every replica, build and platform. A machine
//! knows no members and no other time than the slot clock.

pub mod list;
pub mod pieces;
pub mod queues;

use crate::ids::{Digest, Slot};
use crate::time::SlotClock;
use crate::wire::Malformed;
use alloc::vec::Vec;
use bytes::Bytes;

/// Where in the log a request stands: the witness that every answer carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The slot.
    pub slot: u64,
    /// The index of the request within its slot.
    pub position: u32,
}

/// A deterministic state machine over commands that are opaque to everybody else.
pub trait Machine: Sized {
    /// Time moves on to the clock of the slot that is applied next; called once per slot, before its requests.
    fn advance(&mut self, slot: Slot, clock: SlotClock);

    /// Executes one command and appends its answer to `answer`. A command that makes no sense is answered too.
    fn apply(&mut self, place: Place, command: &Bytes, answer: &mut Vec<u8>);

    /// Answers a question without changing anything.
    fn query(&self, question: &Bytes, answer: &mut Vec<u8>);

    /// When, by the slot clock, something is due although nobody asks.
    fn deadline(&self) -> Option<SlotClock>;

    /// Stands for the whole state.
    fn digest(&self) -> Digest;

    /// The state, in pieces of at most 48 KiB.
    fn snapshot(&self) -> Vec<Bytes>;

    /// Takes the state from pieces that [`Machine::snapshot`] made.
    fn restore(&mut self, pieces: &[Bytes]) -> Result<(), Malformed>;
}
