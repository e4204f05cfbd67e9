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
//! Single pushes of many tasks at a time go in few requests, without being asked to; nothing else changes by that.
//!
//! With [smol](https://docs.rs/smol), or any other executor:
//!
//! ```no_run
#![doc = include_str!("../examples/smol.rs")]
//! ```
//!
//! With [tokio](https://docs.rs/tokio):
//!
//! ```no_run
#![doc = include_str!("../examples/tokio.rs")]
//! ```
//!
//! With none, a worker that takes items under a lease:
//!
//! ```no_run
#![doc = include_str!("../examples/worker.rs")]
//! ```

mod blocking;
mod classic;
mod cluster;
mod driver;
mod error;
mod gather;
mod history;
mod options;
mod queues;
mod split;
mod worker;

pub use blocking::Blocking;
pub use bytes::Bytes;
pub use classic::FtQueue;
pub use error::Error;
pub use ftq_core::group::admission::{ClusterChange, Unfit};
pub use ftq_core::ids::{Digest, MemberId, MemberSet, Slot};
pub use ftq_core::machine::Place;
pub use ftq_core::machine::queues::{
    Answer, Command, Delivery, Error as No, Label, Limits, PushOptions, Question, QueueId, Receipt, Seen, Settings,
    Size, Statistics, Summary, Totals,
};
pub use ftq_core::replica::{
    Cause, ChangeOutcome, LogPage, LogRequest, LogSlot, Peer, RequestKind, SnapshotSeen, SnapshotTaken, State, Status,
    ViewSeen, Views,
};
pub use ftq_core::session::message::SessionId;
pub use ftq_net::client::{HostSettings, KeysHeld};
pub use ftq_net::keys::{ClientKey, Role};
pub use history::Decoded;
pub use options::{Options, key};
pub use queues::Client;
pub use split::Split;
pub use worker::{Worked, Worker};
