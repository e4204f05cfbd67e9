//! Pushes of more than one request takes: several requests, one after the other, when that is asked for.

use crate::driver::REQUEST_BYTES_MAX;
use crate::error::Error;
use crate::gather::{HEAD_BYTES, ITEM_HEAD_BYTES};
use crate::queues::Client;
use bytes::Bytes;
use ftq_core::machine::queues::{BATCH_ITEMS_MAX, QueueId};
use std::fmt;

/// A push that was split, and stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// So many items are in the queue for sure, from the first one on.
    pub pushed: usize,
    /// Why the next ones are not, or perhaps are ([`Error::Unknown`]); those behind them are not.
    pub error: Error,
}

impl Client {
    /// Puts items at the end of a queue, in as many requests as it takes: each is done whole or not at all, all of
    /// them are not. The positions of the first item of each.
    pub async fn push_split<T: Into<Bytes>>(
        &self,
        queue: QueueId,
        items: impl IntoIterator<Item = T>,
    ) -> Result<Vec<u64>, Split> {
        let mut items = items.into_iter().map(Into::into).peekable();
        let (mut firsts, mut pushed) = (Vec::new(), 0);
        while items.peek().is_some() {
            let (mut part, mut bytes) = (Vec::<Bytes>::new(), HEAD_BYTES);
            while let Some(item) = items.next_if(|item| {
                let fits = bytes + item.len() + ITEM_HEAD_BYTES <= REQUEST_BYTES_MAX && part.len() < BATCH_ITEMS_MAX;
                fits || part.is_empty()
            }) {
                bytes += item.len() + ITEM_HEAD_BYTES;
                part.push(item);
            }
            let count = part.len();
            firsts.push(self.push(queue, part).await.map_err(|error| Split { pushed, error })?);
            pushed += count;
        }
        Ok(firsts)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} items are pushed, the next: {}", self.pushed, self.error)
    }
}

impl std::error::Error for Split {}
