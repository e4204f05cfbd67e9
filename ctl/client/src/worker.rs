//! A helper for working off a queue: it takes, has an item handled, acks, and keeps the lease meanwhile.
//!
//! ```text
//!  take ── nothing in time ──▶ Nothing
//!   └─▶ handle ── Ok ─────────▶ ack ──▶ Done
//!         │ └──── Err, panic ─▶ nack ─▶ SentBack (a panic goes on)
//!         └ while it takes: touch, each third of the lease
//! ```
//! Always: an item is acked only after its handler has said that it is done. Whatever becomes of this process, the
//! item goes back when its lease ends, so a handler may see one twice and none is lost.

use crate::blocking::Blocking;
use crate::error::Error;
use crate::queues::Client;
use async_io::Timer;
use ftq_core::machine::queues::{self, Delivery, QueueId};
use futures_lite::{FutureExt, future};
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

/// The lease of an item, unless another one is asked for.
const LEASE: Duration = Duration::from_secs(60);

/// For how long an empty queue is waited at.
const WAIT: Duration = Duration::from_secs(30);

/// After how long an item that is sent back is ready again.
const DELAY: Duration = Duration::from_secs(1);

/// A lease is extended when a third of it is over, so that it may go wrong once.
const PARTS: u32 = 3;

/// Works off a queue.
#[derive(Clone, Debug)]
pub struct Worker {
    client: Client,
    queue: QueueId,
    lease: Duration,
    wait: Duration,
    delay: Duration,
}

/// What became of the next item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worked {
    /// There was none in time.
    Nothing,
    /// It was handled and is acked.
    Done,
    /// Its handler failed: it is back in the queue.
    SentBack,
    /// Its lease had ended before that could be said: it is back in the queue, or somebody else has it.
    Late,
}

impl Client {
    /// A worker for this queue: leases of a minute, half a minute of waiting, a second until what failed is ready
    /// again.
    pub fn worker(&self, queue: QueueId) -> Worker {
        Worker { client: self.clone(), queue, lease: LEASE, wait: WAIT, delay: DELAY }
    }
}

impl Blocking {
    /// See [`Client::worker`].
    pub fn worker(&self, queue: QueueId) -> Worker {
        self.client().worker(queue)
    }
}

impl Worker {
    /// Items are leased for so long at a time. It bounds how long one waits when its worker has died.
    pub fn lease(self, lease: Duration) -> Worker {
        Worker { lease, ..self }
    }

    /// An empty queue is waited at for so long.
    pub fn wait(self, wait: Duration) -> Worker {
        Worker { wait, ..self }
    }

    /// An item whose handler failed is ready again only after so long.
    pub fn delay(self, delay: Duration) -> Worker {
        Worker { delay, ..self }
    }

    /// Has the next item handled. If `handle` fails or panics the item is sent back; a panic then goes on.
    pub async fn one<F, E>(&self, handle: impl FnOnce(Delivery) -> F) -> Result<Worked, Error>
    where
        F: Future<Output = Result<(), E>>,
    {
        let Some(delivery) = self.take().await? else { return Ok(Worked::Nothing) };
        let kept = self.keep(&delivery);
        let handled = AssertUnwindSafe(async { handle(delivery.clone()).await }).catch_unwind();
        match future::or(handled, kept).await {
            Ok(handled) => self.settle(&delivery, handled.is_ok()).await,
            Err(panic) => {
                // The panic is what matters; if this fails the lease ends by itself.
                let _ = self.settle(&delivery, false).await;
                resume_unwind(panic)
            }
        }
    }

    /// The same for a handler that blocks, and without an executor. The lease is kept by another thread.
    pub fn one_blocking<E>(&self, handle: impl FnOnce(Delivery) -> Result<(), E>) -> Result<Worked, Error> {
        let Some(delivery) = future::block_on(self.take())? else { return Ok(Worked::Nothing) };
        let (over, ended) = async_channel::bounded::<()>(1);
        let handled = std::thread::scope(|scope| {
            let kept = scope.spawn(|| {
                // It is closed when the handler has ended.
                let over = async { ended.recv().await.unwrap_or_default() };
                async_io::block_on(future::or(over, self.keep(&delivery)));
            });
            let handled = std::panic::catch_unwind(AssertUnwindSafe(|| handle(delivery.clone())));
            drop(over);
            // It has nothing to panic about, and if it did the lease ends by itself.
            let _ = kept.join();
            handled
        });
        match handled {
            Ok(handled) => future::block_on(self.settle(&delivery, handled.is_ok())),
            Err(panic) => {
                // The panic is what matters; if this fails the lease ends by itself.
                let _ = future::block_on(self.settle(&delivery, false));
                resume_unwind(panic)
            }
        }
    }

    async fn take(&self) -> Result<Option<Delivery>, Error> {
        match self.client.take(self.queue, 1, self.lease, self.wait).await {
            Ok(taken) => Ok(taken.into_iter().next()),
            Err(Error::No(queues::Error::Empty)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Extends the lease again and again, and never ends.
    async fn keep<T>(&self, delivery: &Delivery) -> T {
        loop {
            Timer::after(self.lease / PARTS).await;
            // If it can't be extended that shows when the item is acked.
            let _ = self.client.touch(self.queue, [delivery.receipt], self.lease).await;
        }
    }

    async fn settle(&self, delivery: &Delivery, is_done: bool) -> Result<Worked, Error> {
        let receipts = [delivery.receipt];
        let (told, worked) = if is_done {
            (self.client.ack(self.queue, receipts).await, Worked::Done)
        } else {
            (self.client.nack(self.queue, receipts, self.delay).await, Worked::SentBack)
        };
        match told {
            Ok(()) => Ok(worked),
            Err(Error::No(queues::Error::NoSuchLease)) => Ok(Worked::Late),
            Err(error) => Err(error),
        }
    }
}
