//! The commands for working off a queue, and for what could not be worked off.

use crate::words::{self, QueueName};
use argh::{ArgsInfo, FromArgs};
use ftq_client::Receipt;
use std::time::Duration;

/// Take items off a queue under a lease, and print each behind its receipt. What is not acked before its lease ends
/// goes back.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "take")]
pub(crate) struct Take {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
    /// at most how many (default 1)
    #[argh(option, arg_name = "n", default = "1")]
    pub(crate) count: u64,
    /// for how long they are leased (default 60)
    #[argh(option, arg_name = "s", default = "Duration::from_secs(60)", from_str_fn(words::seconds))]
    pub(crate) lease: Duration,
    /// wait for so long while there is none
    #[argh(option, arg_name = "s", default = "Duration::ZERO", from_str_fn(words::seconds))]
    pub(crate) wait: Duration,
}

/// Leased items are done and go for good, all or none.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "ack")]
pub(crate) struct Ack {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
    #[argh(positional, arg_name = "receipt", from_str_fn(words::receipt))]
    pub(crate) receipts: Vec<Receipt>,
}

/// Leased items go back to their places, all or none.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "nack")]
pub(crate) struct Nack {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
    #[argh(positional, arg_name = "receipt", from_str_fn(words::receipt))]
    pub(crate) receipts: Vec<Receipt>,
    /// ready only after so long
    #[argh(option, arg_name = "s", default = "Duration::ZERO", from_str_fn(words::seconds))]
    pub(crate) delay: Duration,
}

/// Leases last for so long from now, all or none.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "touch")]
pub(crate) struct Touch {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
    #[argh(positional, arg_name = "receipt", from_str_fn(words::receipt))]
    pub(crate) receipts: Vec<Receipt>,
    /// for how long (default 60)
    #[argh(option, arg_name = "s", default = "Duration::from_secs(60)", from_str_fn(words::seconds))]
    pub(crate) lease: Duration,
}

/// Run a command for each item of a queue, with the item on its standard input: exit code 0 acks it, any other sends
/// it back. $FTQ_QUEUE, $FTQ_POSITION and $FTQ_DELIVERIES tell the command what it is about.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "work", example = "{command_name} letters --until-empty -- sh -c 'lpr && echo printed'")]
pub(crate) struct Work {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
    #[argh(positional, greedy)]
    pub(crate) command: Vec<String>,
    /// for how long an item is leased at a time; while the command runs the lease is extended (default 60)
    #[argh(option, arg_name = "s", default = "Duration::from_secs(60)", from_str_fn(words::seconds))]
    pub(crate) lease: Duration,
    /// an item that is sent back is ready only after so long (default 1)
    #[argh(option, arg_name = "s", default = "Duration::from_secs(1)", from_str_fn(words::seconds))]
    pub(crate) delay: Duration,
    /// end when nothing is ready, with exit code 0
    #[argh(switch)]
    pub(crate) until_empty: bool,
    /// end after so many items
    #[argh(option, arg_name = "n")]
    pub(crate) count: Option<u64>,
}

/// What became a dead letter: it came back too often (see set --deliveries).
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "dead")]
pub(crate) struct Dead {
    #[argh(subcommand)]
    pub(crate) command: DeadCommand,
}

#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(crate) enum DeadCommand {
    List(DeadList),
    Retry(DeadRetry),
}

/// Print what is ready in the queue where the dead letters of this one go.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "list")]
pub(crate) struct DeadList {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
    /// at most how many (default 100)
    #[argh(option, arg_name = "n", default = "100")]
    pub(crate) count: u64,
}

/// Send dead letters back to the end of the queues that they came from, and print how many. All that share the queue
/// where the dead letters of this one go are sent back alike.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "retry")]
pub(crate) struct DeadRetry {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
    /// at most how many (default 1000)
    #[argh(option, arg_name = "n", default = "1000")]
    pub(crate) count: u64,
}
