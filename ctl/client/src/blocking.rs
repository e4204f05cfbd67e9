//! The same calls for programs without an executor: each returns when it has ended.

use crate::error::Error;
use crate::options::Options;
use crate::queues::Client;
use bytes::Bytes;
use ftq_core::machine::queues::{QueueId, Summary};
use futures_lite::future::block_on;
use std::io;
use std::ops::Range;

/// A [`Client`] whose calls block.
#[derive(Clone, Debug)]
pub struct Blocking {
    client: Client,
}

impl Blocking {
    /// See [`Client::open`].
    pub fn open(options: Options) -> io::Result<Blocking> {
        Ok(Blocking { client: Client::open(options)? })
    }

    /// See [`Client::create`].
    pub fn create(&self, label: &str) -> Result<QueueId, Error> {
        block_on(self.client.create(label))
    }

    /// See [`Client::id`].
    pub fn id(&self, label: &str) -> Result<QueueId, Error> {
        block_on(self.client.id(label))
    }

    /// See [`Client::destroy`].
    pub fn destroy(&self, queue: QueueId) -> Result<(), Error> {
        block_on(self.client.destroy(queue))
    }

    /// See [`Client::push`].
    pub fn push<T: Into<Bytes>>(&self, queue: QueueId, items: impl IntoIterator<Item = T>) -> Result<u64, Error> {
        block_on(self.client.push(queue, items))
    }

    /// See [`Client::pop`].
    pub fn pop(&self, queue: QueueId) -> Result<Bytes, Error> {
        block_on(self.client.pop(queue))
    }

    /// See [`Client::top`].
    pub fn top(&self, queue: QueueId) -> Result<Bytes, Error> {
        block_on(self.client.top(queue))
    }

    /// See [`Client::size`].
    pub fn size(&self, queue: QueueId) -> Result<u64, Error> {
        block_on(self.client.size(queue))
    }

    /// See [`Client::get_ids`].
    pub fn get_ids(&self, name: &str, count: u64) -> Result<Range<u64>, Error> {
        block_on(self.client.get_ids(name, count))
    }

    /// See [`Client::summary`].
    pub fn summary(&self) -> Result<(u64, Summary), Error> {
        block_on(self.client.summary())
    }

    /// See [`Client::local_summary`].
    pub fn local_summary(&self) -> Result<(u64, Summary), Error> {
        block_on(self.client.local_summary())
    }
}
