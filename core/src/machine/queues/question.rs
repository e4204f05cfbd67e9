//! What a client asks the machine, and its bytes: a MessagePack array that begins with its kind.
//!
//! ```text
//! [1, label]                             id
//! [2, queue]                             top
//! [3, queue]                             size
//! [4]                                    summary
//! [5, queue, priority, position, count]  browse
//! [6, queue]                             statistics
//! [7, queue, count]                      list
//! [8, name]                              next
//! ```
//!
//! Labels and names are text, the rest numbers. A question changes nothing and needs no slot.

use super::command::{FIELDS_MAX, kind, queue, request};
use super::error::Error;
use super::label::{Label, QueueId};
use crate::pack::Packer;
use bytes::Bytes;

/// Something to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Which queue has this label?
    Id {
        /// The label.
        label: Label,
    },
    /// What is the first item?
    Top {
        /// The queue.
        queue: QueueId,
    },
    /// How many items are there?
    Size {
        /// The queue.
        queue: QueueId,
    },
    /// How much of everything is there?
    Summary,
    /// Which items are ready, in their order?
    Browse {
        /// The queue.
        queue: QueueId,
        /// Only what stands behind this place: a priority and a position, both 0 at first.
        after: (u8, u64),
        /// The most items.
        count: u64,
    },
    /// How is a queue?
    Statistics {
        /// The queue.
        queue: QueueId,
    },
    /// Which queues are there?
    List {
        /// Only those with higher ids.
        after: QueueId,
        /// The most queues.
        count: u64,
    },
    /// Which number of a sequence would be drawn next?
    Next {
        /// The sequence.
        name: Label,
    },
}

const ID: u64 = 1;
const TOP: u64 = 2;
const SIZE: u64 = 3;
const SUMMARY: u64 = 4;
const BROWSE: u64 = 5;
const STATISTICS: u64 = 6;
const LIST: u64 = 7;
const NEXT: u64 = 8;

impl Question {
    /// What the question that these bytes are begins with is called.
    pub fn name_of(bytes: &Bytes) -> &'static str {
        match kind(bytes) {
            Some(ID) => "id",
            Some(TOP) => "top",
            Some(SIZE) => "size",
            Some(SUMMARY) => "summary",
            Some(BROWSE) => "browse",
            Some(STATISTICS) => "statistics",
            Some(LIST) => "list",
            Some(NEXT) => "next",
            Some(_) | None => "malformed",
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        match self {
            Question::Id { label } => w.array(2).uint(ID).text(label.as_str()),
            Question::Top { queue } => w.array(2).uint(TOP).uint(queue.0),
            Question::Size { queue } => w.array(2).uint(SIZE).uint(queue.0),
            Question::Summary => w.array(1).uint(SUMMARY),
            Question::Browse { queue, after: (priority, position), count } => {
                w.array(5).uint(BROWSE).uint(queue.0).uint(u64::from(*priority)).uint(*position).uint(*count)
            }
            Question::Statistics { queue } => w.array(2).uint(STATISTICS).uint(queue.0),
            Question::List { after, count } => w.array(3).uint(LIST).uint(after.0).uint(*count),
            Question::Next { name } => w.array(2).uint(NEXT).text(name.as_str()),
        };
        w.into_bytes()
    }

    /// Reads what [`Question::encode`] wrote; what is wrong with other bytes is its answer.
    pub fn decode(bytes: &Bytes) -> Result<Question, Error> {
        let mut r = request(bytes)?;
        let fields = r.array(FIELDS_MAX)?;
        if fields == 0 {
            return Err(Error::Malformed);
        }
        let question = match (r.uint()?, fields) {
            (ID, 2) => Question::Id { label: Label::unpack(&mut r)? },
            (TOP, 2) => Question::Top { queue: queue(&mut r)? },
            (SIZE, 2) => Question::Size { queue: queue(&mut r)? },
            (SUMMARY, 1) => Question::Summary,
            (BROWSE, 5) => Question::Browse {
                queue: queue(&mut r)?,
                after: (u8::try_from(r.uint()?).map_err(|_| Error::BadOption)?, r.uint()?),
                count: r.uint()?,
            },
            (STATISTICS, 2) => Question::Statistics { queue: queue(&mut r)? },
            (LIST, 3) => Question::List { after: queue(&mut r)?, count: r.uint()? },
            (NEXT, 2) => Question::Next { name: Label::unpack(&mut r)? },
            _ => return Err(Error::Malformed),
        };
        r.end()?;
        Ok(question)
    }
}
