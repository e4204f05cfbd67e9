//! The client library: a durable work queue and id service, from any executor or from none.
//!
//! ```text
//! your code ──call──▶ Client ──▶ driver (a thread of its own) ──UDP──▶ any replica
//!           ◀─result─                session: retries with the same number, moves to other replicas
//! ```
//!
//! A command is executed once at most, however often its datagrams are sent. When it can't be told
//! whether it was executed, the error is [`Error::Unknown`] and never anything more definite. A call goes
//! on until its timeout, whatever becomes of single replicas.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use ftq_client::{Client, Options};
//!
//! let client = Client::open(Options::default())?;
//! let queue = client.create("letters").await?;
//! client.push(queue, ["dear reader"]).await?;
//! assert_eq!(client.pop(queue).await?, "dear reader");
//! # Ok(())
//! # }
//! ```

mod blocking;
mod driver;
mod error;
mod integers;
mod options;
mod queues;
mod split;

pub use blocking::Blocking;
pub use bytes::Bytes;
pub use error::Error;
pub use ftq_core::machine::Place;
pub use ftq_core::machine::queues::{
    Answer, Command, Delivery, Error as No, Label, Limits, PushOptions, Question, QueueId, Receipt, Seen, Settings,
    Size, Statistics, Summary, Totals,
};
pub use ftq_net::keys::{ClientKey, Role};
pub use options::{Options, key};
pub use queues::Client;
pub use split::Split;
