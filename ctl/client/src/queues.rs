//! The calls, typed.

use crate::driver::{self, Order, REQUEST_BYTES_MAX, Request, Said};
use crate::error::Error;
use crate::gather::Kind;
use crate::options::Options;
use async_channel::Sender;
use bytes::Bytes;
use ftq_core::machine::Place;
use ftq_core::machine::queues::{
    Answer, Command, Delivery, Label, Limits, PushOptions, Question, QueueId, Receipt, Seen, Settings, Size,
    Statistics, Summary, decode_reply,
};
use std::io;
use std::time::Duration;

/// A client of a cluster. Clones share one session and one thread, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Client {
    orders: Sender<Order>,
}

impl Client {
    /// A client of these servers. Nothing is sent before the first call.
    pub fn open(options: Options) -> io::Result<Client> {
        Ok(Client { orders: driver::start(options)? })
    }

    /// Makes a queue; if the label is taken, names the queue that has it.
    pub async fn create(&self, label: &str) -> Result<QueueId, Error> {
        match self.execute(Command::Create { label: parse(label)? }).await? {
            (_, Answer::Queue(queue)) => Ok(queue),
            other => Err(unfitting(other)),
        }
    }

    /// The queue that has this label.
    pub async fn id(&self, label: &str) -> Result<QueueId, Error> {
        match self.ask(Question::Id { label: parse(label)? }, false).await? {
            (_, Answer::Queue(queue)) => Ok(queue),
            other => Err(unfitting(other)),
        }
    }

    /// Ends a queue with all that is in it; how many items that was.
    pub async fn destroy(&self, queue: QueueId) -> Result<u64, Error> {
        self.done(Command::Destroy { queue }).await
    }

    /// Puts items at the end of a queue, all or none; the position of the first one.
    pub async fn push<T: Into<Bytes>>(&self, queue: QueueId, items: impl IntoIterator<Item = T>) -> Result<u64, Error> {
        self.push_with(queue, items, PushOptions::default()).await
    }

    /// Puts items at the end of a queue, all or none, with a priority, a delay, a time to live or a key; the
    /// position of the first one. Where many push at the same time, their pushes go in one request; that changes
    /// nothing else.
    pub async fn push_with<T: Into<Bytes>>(
        &self,
        queue: QueueId,
        items: impl IntoIterator<Item = T>,
        options: PushOptions,
    ) -> Result<u64, Error> {
        let items: Vec<Bytes> = items.into_iter().map(Into::into).collect();
        let (place, answer) = match Kind::of(queue, &items, &options) {
            Some(kind) => {
                let Said { place, bytes, .. } = self.order(Request::Push { kind, items }).await?;
                (place, decode_reply(&bytes).map_err(Error::No)?)
            }
            None => self.execute(Command::Push { queue, items, options }).await?,
        };
        match (place, answer) {
            (_, Answer::Pushed { first, count: _ }) => Ok(first),
            other => Err(unfitting(other)),
        }
    }

    /// Takes the first item off a queue for good. A queue without one is [`crate::No::Empty`].
    pub async fn pop(&self, queue: QueueId) -> Result<Bytes, Error> {
        let items = self.pop_many(queue, 1, Duration::ZERO).await?;
        items.into_iter().next().map(|(_, item)| item).ok_or(Error::Unknown)
    }

    /// Takes up to `count` items off a queue for good, each with its position; waits while there is none.
    pub async fn pop_many(&self, queue: QueueId, count: u64, wait: Duration) -> Result<Vec<(u64, Bytes)>, Error> {
        match self.wait_for(Command::Pop { queue, count, wait_ms: millis(wait) }, wait).await? {
            (_, Answer::Popped(items)) => Ok(items),
            other => Err(unfitting(other)),
        }
    }

    /// Takes up to `count` items off a queue under a lease; waits while there is none. An item that is not
    /// acked before the lease ends, or before the session does, goes back to its place.
    pub async fn take(
        &self,
        queue: QueueId,
        count: u64,
        lease: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, Error> {
        let take = Command::Take { queue, count, lease_ms: millis(lease), wait_ms: millis(wait) };
        match self.wait_for(take, wait).await? {
            (_, Answer::Taken(deliveries)) => Ok(deliveries),
            other => Err(unfitting(other)),
        }
    }

    /// Leased items are done, all or none.
    pub async fn ack(&self, queue: QueueId, receipts: impl Into<Vec<Receipt>>) -> Result<(), Error> {
        self.done(Command::Ack { queue, receipts: receipts.into() }).await.map(drop)
    }

    /// Leased items go back to their places, all or none; they are ready after `delay`.
    pub async fn nack(&self, queue: QueueId, receipts: impl Into<Vec<Receipt>>, delay: Duration) -> Result<(), Error> {
        self.done(Command::Nack { queue, receipts: receipts.into(), delay_ms: millis(delay) }).await.map(drop)
    }

    /// Leases last for so long from now, all or none.
    pub async fn touch(&self, queue: QueueId, receipts: impl Into<Vec<Receipt>>, lease: Duration) -> Result<(), Error> {
        self.done(Command::Touch { queue, receipts: receipts.into(), lease_ms: millis(lease) }).await.map(drop)
    }

    /// Gives a queue other settings.
    pub async fn configure(&self, queue: QueueId, settings: Settings) -> Result<(), Error> {
        self.done(Command::Configure { queue, settings }).await.map(drop)
    }

    /// A queue gives nothing out any more.
    pub async fn pause(&self, queue: QueueId) -> Result<(), Error> {
        self.done(Command::Pause { queue, paused: true }).await.map(drop)
    }

    /// A queue gives out again.
    pub async fn resume(&self, queue: QueueId) -> Result<(), Error> {
        self.done(Command::Pause { queue, paused: false }).await.map(drop)
    }

    /// Drops what is ready or delayed in a queue; how many items that was. Leased ones stay.
    pub async fn purge(&self, queue: QueueId) -> Result<u64, Error> {
        self.done(Command::Purge { queue }).await
    }

    /// Puts up to `count` dead letters of this queue back at the end of the queues that they came from; how many.
    pub async fn send_back(&self, queue: QueueId, count: u64) -> Result<u64, Error> {
        self.done(Command::SendBack { queue, count }).await
    }

    /// Does several things, all or none: pushes, acks, nacks, touches and getids. To ack here and to push
    /// there in one request is to process an item exactly once.
    pub async fn steps(&self, steps: Vec<Command>) -> Result<Vec<Answer>, Error> {
        match self.execute(Command::Steps(steps)).await? {
            (_, Answer::Steps(answers)) => Ok(answers),
            other => Err(unfitting(other)),
        }
    }

    /// The first item of a queue, which stays there.
    pub async fn top(&self, queue: QueueId) -> Result<Bytes, Error> {
        match self.ask(Question::Top { queue }, false).await? {
            (_, Answer::Top { position: _, item }) => Ok(item),
            other => Err(unfitting(other)),
        }
    }

    /// How many items of a queue are ready.
    pub async fn size(&self, queue: QueueId) -> Result<u64, Error> {
        Ok(self.sizes(queue).await?.ready)
    }

    /// How many items of a queue are ready, leased and delayed.
    pub async fn sizes(&self, queue: QueueId) -> Result<Size, Error> {
        match self.ask(Question::Size { queue }, false).await? {
            (_, Answer::Size(size)) => Ok(size),
            other => Err(unfitting(other)),
        }
    }

    /// What is ready in a queue behind a place (a priority and a position, both 0 at first), in its order. Fewer
    /// than `count` do not mean that there are no more; none does.
    pub async fn browse(&self, queue: QueueId, after: (u8, u64), count: u64) -> Result<Vec<Seen>, Error> {
        match self.ask(Question::Browse { queue, after, count }, false).await? {
            (_, Answer::Seen(items)) => Ok(items),
            other => Err(unfitting(other)),
        }
    }

    /// How a queue is.
    pub async fn statistics(&self, queue: QueueId) -> Result<Statistics, Error> {
        match self.ask(Question::Statistics { queue }, false).await? {
            (_, Answer::Statistics(statistics)) => Ok(statistics),
            other => Err(unfitting(other)),
        }
    }

    /// The queues with ids above `after`, by rising id. Fewer than `count` do not mean that there are no more;
    /// none does.
    pub async fn list(&self, after: QueueId, count: u64) -> Result<Vec<(QueueId, String)>, Error> {
        match self.ask(Question::List { after, count }, false).await? {
            (_, Answer::Queues(queues)) => {
                Ok(queues.into_iter().map(|(id, label)| (id, label.as_str().to_owned())).collect())
            }
            other => Err(unfitting(other)),
        }
    }

    /// Numbers that nobody else gets, rising by one from the first, of the sequence with this name.
    pub async fn get_ids(&self, name: &str, count: u64) -> Result<std::ops::Range<u64>, Error> {
        match self.execute(Command::GetId { name: parse(name)?, count }).await? {
            (_, Answer::Ids { first, count }) => Ok(first..first.saturating_add(count)),
            other => Err(unfitting(other)),
        }
    }

    /// The number of a sequence that would be drawn next.
    pub async fn next_id(&self, name: &str) -> Result<u64, Error> {
        match self.ask(Question::Next { name: parse(name)? }, false).await? {
            (_, Answer::Ids { first, count: _ }) => Ok(first),
            other => Err(unfitting(other)),
        }
    }

    /// Gives the cluster other limits.
    pub async fn limit(&self, limits: Limits) -> Result<(), Error> {
        self.done(Command::Limit(limits)).await.map(drop)
    }

    /// How much of everything there is, and the slot as of which it is so.
    pub async fn summary(&self) -> Result<(u64, Summary), Error> {
        summary_of(self.ask(Question::Summary, false).await?)
    }

    /// The same as one replica knows it, without asking the others: perhaps stale.
    pub async fn local_summary(&self) -> Result<(u64, Summary), Error> {
        summary_of(self.ask(Question::Summary, true).await?)
    }

    /// Closes the session: what is leased goes back at once, and calls of clones that are under way may end as
    /// unknown. A later call opens another one.
    pub async fn close(&self) -> Result<(), Error> {
        self.order(Request::Close).await.map(drop)
    }

    /// Executes any command: where in the log, and the answer.
    pub async fn execute(&self, command: Command) -> Result<(Place, Answer), Error> {
        self.wait_for(command, Duration::ZERO).await
    }

    /// Asks any question: the slot as of which it is so, and the answer.
    pub async fn ask(&self, question: Question, local: bool) -> Result<(Place, Answer), Error> {
        let Said { place, bytes, .. } = self.read(local, fitting(question.encode())?).await?;
        Ok((place, decode_reply(&bytes).map_err(Error::No)?))
    }

    /// Executes a command that may itself wait for so long.
    async fn wait_for(&self, command: Command, wait: Duration) -> Result<(Place, Answer), Error> {
        let Said { place, bytes, .. } = self.order(Request::Call { command: fitting(command.encode())?, wait }).await?;
        Ok((place, decode_reply(&bytes).map_err(Error::No)?))
    }

    /// Executes a command whose answer is about how many items it was.
    async fn done(&self, command: Command) -> Result<u64, Error> {
        match self.execute(command).await? {
            (_, Answer::Done { count }) => Ok(count),
            other => Err(unfitting(other)),
        }
    }

    /// Asks a question that changes nothing: not to know its answer is only not to have reached anybody.
    pub(crate) async fn read(&self, local: bool, question: Bytes) -> Result<Said, Error> {
        match self.order(Request::Read { local, question }).await {
            Err(Error::Unknown) => Err(Error::Unreachable),
            other => other,
        }
    }

    pub(crate) async fn order(&self, request: Request) -> Result<Said, Error> {
        let (answer, answered) = async_channel::bounded(1);
        self.orders.send(Order { request, answer }).await.map_err(|_| Error::Closed)?;
        answered.recv().await.map_err(|_| Error::Unknown)?
    }
}

/// A span as the machine counts it: one that is not nothing is a millisecond at least.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn parse(label: &str) -> Result<Label, Error> {
    Label::parse(label.as_bytes()).map_err(Error::No)
}

fn fitting(request: Bytes) -> Result<Bytes, Error> {
    if request.len() > REQUEST_BYTES_MAX { Err(Error::TooLarge { bytes_max: REQUEST_BYTES_MAX }) } else { Ok(request) }
}

/// An answer to something else than what was asked, from a server that speaks other rules: who knows
/// what it did.
fn unfitting(_: (Place, Answer)) -> Error {
    Error::Unknown
}

fn summary_of(answer: (Place, Answer)) -> Result<(u64, Summary), Error> {
    match answer {
        (place, Answer::Summary(summary)) => Ok((place.slot, summary)),
        other => Err(unfitting(other)),
    }
}
