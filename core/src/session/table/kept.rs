//! The answers that a session keeps until its client has them.
//!
//! Always: there is an entry for each number from the floor to the highest executed one, and none at
//! or below the floor. A command that waits has an entry without an answer, and so has one that waited and
//! found no room: it counts as not seen.

use crate::machine::{Place, SHORT_ANSWER};
use crate::wire::{Malformed, Reader, Writer};
use alloc::collections::VecDeque;
use bytes::Bytes;

/// How far a number may be ahead of the floor: what a session can have kept at once.
pub const WINDOW: u64 = 1024;

/// What an entry is charged for, besides an answer that is not short. Short ones need no allocation of their
/// own.
pub(super) const ENTRY_BYTES: usize = 64;

/// The most entries that an idle session keeps room for.
const ROOM: usize = 256;

/// One executed command.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) place: Place,
    pub(super) answer: Answer,
}

/// The bytes of an answer.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Short { length: u8, bytes: [u8; SHORT_ANSWER] },
    Long(Bytes),
}

/// What is known of a number above the floor.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// It has not been seen, and higher ones have.
    Missing,
    /// It was executed, and waits for its answer.
    Waiting,
    /// It has its answer.
    Kept(Kept),
}

/// What a session keeps.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    floor: u64,
    entries: VecDeque<Entry>,
    /// How many of them have no answer.
    under_way: usize,
    long_bytes: usize,
}

impl Answer {
    /// Takes a copy of `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Answer {
        match u8::try_from(bytes.len()) {
            Ok(length) if bytes.len() <= SHORT_ANSWER => {
                let mut short = [0; SHORT_ANSWER];
                short[..bytes.len()].copy_from_slice(bytes);
                Answer::Short { length, bytes: short }
            }
            Ok(_) | Err(_) => Answer::Long(Bytes::copy_from_slice(bytes)),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Answer::Short { length, bytes } => &bytes[..usize::from(*length)],
            Answer::Long(bytes) => bytes,
        }
    }

    fn long_bytes(&self) -> usize {
        match self {
            Answer::Short { .. } => 0,
            Answer::Long(bytes) => bytes.len(),
        }
    }
}

impl Answers {
    /// Forgets everything up to `floor`, for ever, and says which numbers waited.
    pub(super) fn raise_floor(&mut self, floor: u64, mut waited: impl FnMut(u64)) {
        while self.floor < floor {
            let Some(entry) = self.entries.pop_front() else {
                self.floor = floor;
                break;
            };
            self.floor += 1;
            match entry {
                Entry::Kept(kept) => self.long_bytes -= kept.answer.long_bytes(),
                Entry::Missing => self.under_way -= 1,
                Entry::Waiting => {
                    self.under_way -= 1;
                    waited(self.floor);
                }
            }
        }
        if self.entries.is_empty() && self.entries.capacity() > ROOM {
            self.entries = VecDeque::new();
        }
    }

    /// Keeps the answer of a number that is in the window, and has none.
    pub(super) fn keep(&mut self, number: u64, kept: Kept) {
        self.long_bytes += kept.answer.long_bytes();
        *self.open_entry(number) = Entry::Kept(kept);
        self.under_way -= 1;
    }

    /// A number that is in the window waits for its answer.
    pub(super) fn wait(&mut self, number: u64) {
        *self.open_entry(number) = Entry::Waiting;
    }

    /// A number that waited does so no longer: it may come again.
    pub(super) fn give_up(&mut self, number: u64) {
        *self.open_entry(number) = Entry::Missing;
    }

    /// The entry of a number that has no answer; it counts as under way.
    fn open_entry(&mut self, number: u64) -> &mut Entry {
        assert!(self.is_in_window(number), "only a number of the window is executed");
        while self.floor + (self.entries.len() as u64) < number {
            self.entries.push_back(Entry::Missing);
            self.under_way += 1;
        }
        let index = self.index(number).expect("a number of the window");
        let entry = &mut self.entries[index];
        assert!(!matches!(entry, Entry::Kept(_)), "a number is answered once");
        entry
    }

    /// The highest number that is settled.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// Whether this number may be executed, as far as the floor goes.
    pub(super) fn is_in_window(&self, number: u64) -> bool {
        number > self.floor && number - self.floor <= WINDOW
    }

    /// Whether this number is the one right above the floor.
    pub(super) fn is_next(&self, number: u64) -> bool {
        number.checked_sub(1) == Some(self.floor)
    }

    /// How many entries more there will be when this number, which is in the window, has one.
    pub(super) fn entries_up_to(&self, number: u64) -> usize {
        self.index(number).map_or(0, |index| (index + 1).saturating_sub(self.entries.len()))
    }

    /// What is known of this number; nothing of one at or below the floor.
    pub(super) fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.get(self.index(number)?)
    }

    /// The numbers that wait.
    pub(super) fn waiting(&self) -> impl Iterator<Item = u64> {
        let waiting = self.entries.iter().enumerate().filter(|(_, entry)| matches!(entry, Entry::Waiting));
        waiting.map(|(index, _)| self.floor + 1 + index as u64)
    }

    /// Whether there is a number below the highest one seen that has no answer: the client is at work.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way > 0
    }

    /// What all of it is charged for.
    pub(super) fn bytes(&self) -> usize {
        self.entries.len() * ENTRY_BYTES + self.long_bytes
    }

    fn index(&self, number: u64) -> Option<usize> {
        number.checked_sub(self.floor.checked_add(1)?).and_then(|at| usize::try_from(at).ok())
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        w.u64(self.floor).u64(self.entries.len() as u64);
        for entry in &self.entries {
            match entry {
                Entry::Missing => w.u8(0),
                Entry::Kept(Kept { place, answer }) => {
                    w.u8(1).u64(place.slot).u64(u64::from(place.position)).bytes(answer.bytes())
                }
                Entry::Waiting => w.u8(2),
            };
        }
    }

    pub(super) fn decode(r: &mut Reader) -> Result<Answers, Malformed> {
        let mut answers = Answers { floor: r.u64()?, ..Answers::default() };
        for _ in 0..r.count(usize::try_from(WINDOW).unwrap_or(0))? {
            let entry = match r.u8()? {
                0 => Entry::Missing,
                1 => {
                    let place = Place { slot: r.u64()?, position: u32::try_from(r.u64()?).map_err(|_| Malformed)? };
                    Entry::Kept(Kept { place, answer: Answer::of(&r.bytes()?) })
                }
                2 => Entry::Waiting,
                _ => return Err(Malformed),
            };
            match &entry {
                Entry::Kept(kept) => answers.long_bytes += kept.answer.long_bytes(),
                Entry::Missing | Entry::Waiting => answers.under_way += 1,
            }
            answers.entries.push_back(entry);
        }
        Ok(answers)
    }
}
