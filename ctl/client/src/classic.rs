//! The seven classic calls, with integers: a label and an item are the decimal text of one, so `ftqctl` reads them too.

use crate::blocking::Blocking;
use crate::error::Error;
use crate::options::Options;
use ftq_core::machine::queues::{self, QueueId};
use std::io;

/// Queues of integers with integers for labels. Calls block.
///
/// ```no_run
/// use ftq_client::{FtQueue, Options};
///
/// let queues = FtQueue::open(Options::default())?;
/// let queue = queues.q_create(7)?;
/// queues.q_push(queue, -3)?;
/// assert_eq!(queues.q_size(queue)?, 1);
/// assert_eq!(queues.q_pop(queue)?, -3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FtQueue {
    client: Blocking,
}

impl FtQueue {
    /// Queues of the cluster of these servers.
    pub fn open(options: Options) -> io::Result<FtQueue> {
        Ok(FtQueue { client: Blocking::open(options)? })
    }

    /// Makes a queue; if the label is taken, names the queue that has it.
    pub fn q_create(&self, label: i32) -> Result<i32, Error> {
        number(self.client.create(&label.to_string())?)
    }

    /// The queue that has this label, or -1 if none has.
    pub fn q_id(&self, label: i32) -> Result<i32, Error> {
        match self.client.id(&label.to_string()) {
            Err(Error::No(queues::Error::NoSuchLabel)) => Ok(-1),
            id => number(id?),
        }
    }

    /// Puts an integer at the end of a queue.
    pub fn q_push(&self, queue: i32, item: i32) -> Result<(), Error> {
        self.client.push(id(queue)?, [item.to_string()]).map(drop)
    }

    /// Takes the first integer off a queue for good. An item that is none is gone too.
    pub fn q_pop(&self, queue: i32) -> Result<i32, Error> {
        integer(&self.client.pop(id(queue)?)?)
    }

    /// The first integer of a queue, which stays there.
    pub fn q_top(&self, queue: i32) -> Result<i32, Error> {
        integer(&self.client.top(id(queue)?)?)
    }

    /// How many items of a queue are ready.
    pub fn q_size(&self, queue: i32) -> Result<i32, Error> {
        i32::try_from(self.client.size(id(queue)?)?).map_err(|_| Error::BeyondIntegers)
    }

    /// Ends a queue with all that is in it.
    pub fn q_destroy(&self, queue: i32) -> Result<(), Error> {
        self.client.destroy(id(queue)?).map(drop)
    }
}

fn number(queue: QueueId) -> Result<i32, Error> {
    i32::try_from(queue.0).map_err(|_| Error::BeyondIntegers)
}

/// What is below 0 is the id of no queue.
fn id(queue: i32) -> Result<QueueId, Error> {
    u64::try_from(queue).map(QueueId).map_err(|_| Error::No(queues::Error::NoSuchQueue))
}

fn integer(item: &[u8]) -> Result<i32, Error> {
    std::str::from_utf8(item).ok().and_then(|text| text.parse().ok()).ok_or(Error::NotAnInteger)
}
