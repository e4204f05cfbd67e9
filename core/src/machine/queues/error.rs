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
    /// The queue has no item; that is never confused with an item of no bytes.
    Empty,
    /// A label or a name is not 1 to 255 bytes of text without control characters.
    BadLabel,
    /// How many were asked for is none, or more than one request may have.
    BadCount,
    /// An item is larger than the limit; of a batch nothing was pushed.
    ItemTooLarge,
    /// The request is larger than the limit.
    RequestTooLarge,
    /// The memory limit is reached. Pops still work, and make room.
    MemoryLimit,
    /// The number would pass 2^63 - 1.
    NumberExhausted,
}

/// Every error with its number and its name, for ever.
const TABLE: [(Error, u16, &str); 10] = [
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
];

impl Error {
    /// The error with this number.
    pub fn numbered(number: u16) -> Option<Error> {
        TABLE.iter().find(|(_, known, _)| *known == number).map(|(error, _, _)| *error)
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
