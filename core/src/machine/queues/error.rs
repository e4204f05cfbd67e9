//! Why an operation was not done: one table of numbers and names, the same on the wire, in the client
//! library and in `ftqctl`.
//!
//! An error is definite: nothing of the command was done. A number is never given to another error.

use core::fmt;

/// Why an operation was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Error {
    /// The bytes are not a command, a question or an answer that these rules know.
    Malformed,
    /// No queue has this id (any more).
    NoSuchQueue,
    /// No queue has this label.
    NoSuchLabel,
    /// The queue has no item that is ready; that is never confused with an item of no bytes. A pop that
    /// waited says so when its time is over.
    Empty,
    /// A label, a name or a key is not 1 to 255 bytes of text without control characters.
    BadLabel,
    /// How many were asked for is none, or more than one request may have.
    BadCount,
    /// An item is larger than the limit; of a batch nothing was pushed.
    ItemTooLarge,
    /// The request is larger than the limit.
    RequestTooLarge,
    /// The memory limit is reached. Pops and acks still work, and make room.
    MemoryLimit,
    /// The number would pass 2^63 - 1.
    NumberExhausted,
    /// The queue's own limit of items or bytes is reached.
    QueueFull,
    /// The queue is paused: nothing is given out.
    Paused,
    /// No lease has this receipt: it ran out, was ended, or was superseded by a later delivery.
    NoSuchLease,
    /// A priority, a time or a setting is outside of what is allowed.
    BadOption,
    /// Too many pops wait already.
    TooManyWaits,
    /// This can't be a step of a request with several steps.
    NotAStep,
    /// The rules in force do not have this operation yet.
    NotInRules,
}

/// Every error with its number and its name, for ever.
const TABLE: [(Error, u16, &str); 17] = [
    (Error::Malformed, 1, "malformed"),
    (Error::NoSuchQueue, 2, "no such queue"),
    (Error::NoSuchLabel, 3, "no such label"),
    (Error::Empty, 4, "empty"),
    (Error::BadLabel, 5, "bad label"),
    (Error::BadCount, 6, "bad count"),
    (Error::ItemTooLarge, 7, "item too large"),
    (Error::RequestTooLarge, 8, "request too large"),
    (Error::MemoryLimit, 9, "memory limit"),
    (Error::NumberExhausted, 10, "number exhausted"),
    (Error::QueueFull, 11, "queue full"),
    (Error::Paused, 12, "paused"),
    (Error::NoSuchLease, 13, "no such lease"),
    (Error::BadOption, 14, "bad option"),
    (Error::TooManyWaits, 15, "too many waits"),
    (Error::NotAStep, 16, "not a step"),
    (Error::NotInRules, 17, "not in the rules"),
];

impl Error {
    /// The error with this number.
    pub fn numbered(number: u64) -> Option<Error> {
        TABLE.iter().find(|(_, known, _)| u64::from(*known) == number).map(|(error, _, _)| *error)
    }

    /// All errors, by rising number.
    pub fn all() -> impl Iterator<Item = Error> {
        TABLE.iter().map(|(error, _, _)| *error)
    }

    /// Its number.
    pub fn number(self) -> u16 {
        self.row().1
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Its row: the table stands in the order of the variants, which a test walks.
    fn row(self) -> (Error, u16, &'static str) {
        TABLE[self as usize]
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Error {}
