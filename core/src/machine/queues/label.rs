//! The names of things in the machine: queue ids, receipts, and the text that names a queue, a sequence or
//! a push.

use super::error::Error;
use super::limits::LABEL_BYTES_MAX;
use crate::pack::Unpacker;
use crate::wire::{Malformed, Reader};
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::fmt;

/// A queue: a positive number, given once and never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u64);

/// A delivery of an item under a lease. The token grows with every delivery, of whatever item: whoever
/// guards something with it can tell a late holder from the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// The position of the item in its queue.
    pub position: u64,
    /// Which delivery it is.
    pub token: u64,
}

/// Text of 1 to 255 bytes without control characters: a queue's label, a sequence's name or a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Arc<str>);

impl Label {
    /// The label that these bytes spell.
    pub fn parse(bytes: &[u8]) -> Result<Label, Error> {
        if bytes.is_empty() || bytes.len() > LABEL_BYTES_MAX {
            return Err(Error::BadLabel);
        }
        let text = core::str::from_utf8(bytes).map_err(|_| Error::BadLabel)?;
        if text.chars().any(char::is_control) {
            return Err(Error::BadLabel);
        }
        Ok(Label(Arc::from(text)))
    }

    /// Reads a label off a request. Text that is there but is no label is told from text that is missing.
    pub(super) fn unpack(r: &mut Unpacker) -> Result<Label, Error> {
        Label::parse(&r.text()?)
    }

    /// Reads a label off a snapshot.
    pub(super) fn read(r: &mut Reader) -> Result<Label, Malformed> {
        Label::parse(&r.bytes()?).map_err(|_| Malformed)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl From<Malformed> for Error {
    fn from(_: Malformed) -> Error {
        Error::Malformed
    }
}

impl Borrow<str> for Label {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
