//! The same calls for programs without an executor: each returns when it has ended.

use crate::error::Error;
use crate::options::Options;
use crate::queues::Client;
use crate::split::Split;
use bytes::Bytes;
use ftq_core::group::admission::ClusterChange;
use ftq_core::machine::Place;
use ftq_core::machine::queues::{
    Answer, Command, Delivery, Limits, PushOptions, QueueId, Receipt, Seen, Settings, Size, Statistics, Summary,
};
use ftq_core::replica::{ChangeOutcome, LogPage, SnapshotSeen, SnapshotTaken, Status, Views};
use ftq_net::client::{HostSettings, KeysHeld};
use futures_lite::future::block_on;
use std::io;
use std::ops::Range;
use std::time::Duration;

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

    /// The client whose calls don't block.
    pub fn client(&self) -> &Client {
        &self.client
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
    pub fn destroy(&self, queue: QueueId) -> Result<u64, Error> {
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

    /// See [`Client::push_with`].
    pub fn push_with<T: Into<Bytes>>(
        &self,
        queue: QueueId,
        items: impl IntoIterator<Item = T>,
        options: PushOptions,
    ) -> Result<u64, Error> {
        block_on(self.client.push_with(queue, items, options))
    }

    /// See [`Client::push_split`].
    pub fn push_split<T: Into<Bytes>>(
        &self,
        queue: QueueId,
        items: impl IntoIterator<Item = T>,
    ) -> Result<Vec<u64>, Split> {
        block_on(self.client.push_split(queue, items))
    }

    /// See [`Client::pop_many`].
    pub fn pop_many(&self, queue: QueueId, count: u64, wait: Duration) -> Result<Vec<(u64, Bytes)>, Error> {
        block_on(self.client.pop_many(queue, count, wait))
    }

    /// See [`Client::take`].
    pub fn take(&self, queue: QueueId, count: u64, lease: Duration, wait: Duration) -> Result<Vec<Delivery>, Error> {
        block_on(self.client.take(queue, count, lease, wait))
    }

    /// See [`Client::ack`].
    pub fn ack(&self, queue: QueueId, receipts: impl Into<Vec<Receipt>>) -> Result<(), Error> {
        block_on(self.client.ack(queue, receipts))
    }

    /// See [`Client::nack`].
    pub fn nack(&self, queue: QueueId, receipts: impl Into<Vec<Receipt>>, delay: Duration) -> Result<(), Error> {
        block_on(self.client.nack(queue, receipts, delay))
    }

    /// See [`Client::touch`].
    pub fn touch(&self, queue: QueueId, receipts: impl Into<Vec<Receipt>>, lease: Duration) -> Result<(), Error> {
        block_on(self.client.touch(queue, receipts, lease))
    }

    /// See [`Client::configure`].
    pub fn configure(&self, queue: QueueId, settings: Settings) -> Result<(), Error> {
        block_on(self.client.configure(queue, settings))
    }

    /// See [`Client::pause`].
    pub fn pause(&self, queue: QueueId) -> Result<(), Error> {
        block_on(self.client.pause(queue))
    }

    /// See [`Client::resume`].
    pub fn resume(&self, queue: QueueId) -> Result<(), Error> {
        block_on(self.client.resume(queue))
    }

    /// See [`Client::purge`].
    pub fn purge(&self, queue: QueueId) -> Result<u64, Error> {
        block_on(self.client.purge(queue))
    }

    /// See [`Client::send_back`].
    pub fn send_back(&self, queue: QueueId, count: u64) -> Result<u64, Error> {
        block_on(self.client.send_back(queue, count))
    }

    /// See [`Client::steps`].
    pub fn steps(&self, steps: Vec<Command>) -> Result<Vec<Answer>, Error> {
        block_on(self.client.steps(steps))
    }

    /// See [`Client::sizes`].
    pub fn sizes(&self, queue: QueueId) -> Result<Size, Error> {
        block_on(self.client.sizes(queue))
    }

    /// See [`Client::browse`].
    pub fn browse(&self, queue: QueueId, after: (u8, u64), count: u64) -> Result<Vec<Seen>, Error> {
        block_on(self.client.browse(queue, after, count))
    }

    /// See [`Client::statistics`].
    pub fn statistics(&self, queue: QueueId) -> Result<Statistics, Error> {
        block_on(self.client.statistics(queue))
    }

    /// See [`Client::list`].
    pub fn list(&self, after: QueueId, count: u64) -> Result<Vec<(QueueId, String)>, Error> {
        block_on(self.client.list(after, count))
    }

    /// See [`Client::limit`].
    pub fn limit(&self, limits: Limits) -> Result<(), Error> {
        block_on(self.client.limit(limits))
    }

    /// See [`Client::status`].
    pub fn status(&self) -> Result<Status, Error> {
        block_on(self.client.status())
    }

    /// See [`Client::views`].
    pub fn views(&self) -> Result<Views, Error> {
        block_on(self.client.views())
    }

    /// See [`Client::log_page`].
    pub fn log_page(&self, from: Place) -> Result<LogPage, Error> {
        block_on(self.client.log_page(from))
    }

    /// See [`Client::snapshot`].
    pub fn snapshot(&self) -> Result<SnapshotSeen, Error> {
        block_on(self.client.snapshot())
    }

    /// See [`Client::take_snapshot`].
    pub fn take_snapshot(&self) -> Result<SnapshotTaken, Error> {
        block_on(self.client.take_snapshot())
    }

    /// See [`Client::keys_held`].
    pub fn keys_held(&self, from: u64) -> Result<KeysHeld, Error> {
        block_on(self.client.keys_held(from))
    }

    /// See [`Client::settings`].
    pub fn settings(&self) -> Result<HostSettings, Error> {
        block_on(self.client.settings())
    }

    /// See [`Client::change_cluster`].
    pub fn change_cluster(&self, change: ClusterChange) -> Result<ChangeOutcome, Error> {
        block_on(self.client.change_cluster(change))
    }

    /// See [`Client::close`].
    pub fn close(&self) -> Result<(), Error> {
        block_on(self.client.close())
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
