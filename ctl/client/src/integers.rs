//! The calls for queues of integers: an item is eight bytes, the highest first, in two's complement.

use crate::error::Error;
use crate::queues::Client;
use bytes::Bytes;
use ftq_core::machine::queues::{self, QueueId};

impl Client {
    /// The id of the queue with this label, or -1 if there is none.
    pub async fn id_or_minus_one(&self, label: &str) -> Result<i64, Error> {
        match self.id(label).await {
            Ok(queue) => i64::try_from(queue.0).map_err(|_| Error::Unknown),
            Err(Error::No(queues::Error::NoSuchLabel)) => Ok(-1),
            Err(error) => Err(error),
        }
    }

    /// Puts an integer at the end of a queue; its position.
    pub async fn push_integer(&self, queue: QueueId, integer: i64) -> Result<u64, Error> {
        self.push(queue, [Bytes::copy_from_slice(&integer.to_be_bytes())]).await
    }

    /// Takes the first item off a queue for good. One that is no integer is gone too.
    pub async fn pop_integer(&self, queue: QueueId) -> Result<i64, Error> {
        integer(&self.pop(queue).await?)
    }

    /// The first item of a queue, which stays there.
    pub async fn top_integer(&self, queue: QueueId) -> Result<i64, Error> {
        integer(&self.top(queue).await?)
    }
}

fn integer(item: &[u8]) -> Result<i64, Error> {
    item.try_into().map(i64::from_be_bytes).map_err(|_| Error::NotAnInteger)
}
