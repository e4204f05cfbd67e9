//! The calls, typed.

use crate::driver::{self, Order, REQUEST_BYTES_MAX, Request};
use crate::error::Error;
use crate::options::Options;
use async_channel::Sender;
use bytes::Bytes;
use ftq_core::machine::Place;
use ftq_core::machine::queues::{Answer, Command, Label, Question, QueueId, Summary, decode_reply};
use std::io;

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

    /// Ends a queue with all that is in it.
    pub async fn destroy(&self, queue: QueueId) -> Result<(), Error> {
        match self.execute(Command::Destroy { queue }).await? {
            (_, Answer::Destroyed) => Ok(()),
            other => Err(unfitting(other)),
        }
    }

    /// Puts items at the end of a queue, all or none; the position of the first one.
    pub async fn push<T: Into<Bytes>>(&self, queue: QueueId, items: impl IntoIterator<Item = T>) -> Result<u64, Error> {
        let items = items.into_iter().map(Into::into).collect();
        match self.execute(Command::Push { queue, items }).await? {
            (_, Answer::Pushed { first, count: _ }) => Ok(first),
            other => Err(unfitting(other)),
        }
    }

    /// Takes the first item off a queue. A queue without one is [`crate::No::Empty`].
    pub async fn pop(&self, queue: QueueId) -> Result<Bytes, Error> {
        match self.execute(Command::Pop { queue, count: 1 }).await? {
            (_, Answer::Popped { first: _, items }) => items.into_iter().next().ok_or(Error::Unknown),
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

    /// How many items a queue has.
    pub async fn size(&self, queue: QueueId) -> Result<u64, Error> {
        match self.ask(Question::Size { queue }, false).await? {
            (_, Answer::Size { ready }) => Ok(ready),
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

    /// How much of everything there is, and the slot as of which it is so.
    pub async fn summary(&self) -> Result<(u64, Summary), Error> {
        summary_of(self.ask(Question::Summary, false).await?)
    }

    /// The same as one replica knows it, without asking the others: perhaps stale.
    pub async fn local_summary(&self) -> Result<(u64, Summary), Error> {
        summary_of(self.ask(Question::Summary, true).await?)
    }

    /// Executes any command: where in the log, and the answer.
    pub async fn execute(&self, command: Command) -> Result<(Place, Answer), Error> {
        self.order(Request::Call(fitting(command.encode())?)).await
    }

    /// Asks any question: the slot as of which it is so, and the answer.
    pub async fn ask(&self, question: Question, local: bool) -> Result<(Place, Answer), Error> {
        match self.order(Request::Read { local, question: fitting(question.encode())? }).await {
            // A question changes nothing: not to know its answer is only not to have reached anybody.
            Err(Error::Unknown) => Err(Error::Unreachable),
            ended => ended,
        }
    }

    async fn order(&self, request: Request) -> Result<(Place, Answer), Error> {
        let (answer, answered) = async_channel::bounded(1);
        self.orders.send(Order { request, answer }).await.map_err(|_| Error::Closed)?;
        let (place, bytes) = answered.recv().await.map_err(|_| Error::Unknown)??;
        Ok((place, decode_reply(&bytes).map_err(Error::No)?))
    }
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
