//! The commands for queues and sequences.

use crate::words::{self, Framing, QueueName};
use argh::{ArgsInfo, FromArgs};
use std::path::PathBuf;
use std::time::Duration;

/// Make a queue, and print its id. If the label is taken, print the id of the queue that has it.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "create")]
pub(crate) struct Create {
    #[argh(positional)]
    pub(crate) label: String,
}

/// End a queue with all that is in it.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "destroy")]
pub(crate) struct Destroy {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
}

/// Print the id of the queue that has this label.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "id")]
pub(crate) struct Id {
    #[argh(positional)]
    pub(crate) label: String,
}

/// Put items at the end of a queue: those that are given, all or none; else those of a file or of standard
/// input, in requests of many, each all or none.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "push")]
pub(crate) struct Push {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
    #[argh(positional)]
    pub(crate) items: Vec<String>,
    /// file to read items from; - is standard input
    #[argh(option, arg_name = "file")]
    pub(crate) file: Option<PathBuf>,
    /// how items are told apart there: line (default), length (a decimal number and a line feed before each), or
    /// whole (all of it is one)
    #[argh(option, arg_name = "line|length|whole", default = "Framing::Line", from_str_fn(words::framing))]
    pub(crate) by: Framing,
    /// from 0, which goes first, to 7 (default 4)
    #[argh(option, arg_name = "n")]
    pub(crate) priority: Option<u8>,
    /// ready only after so long
    #[argh(option, arg_name = "s", from_str_fn(words::seconds))]
    pub(crate) delay: Option<Duration>,
    /// dropped after so long, unless leased just then
    #[argh(option, arg_name = "s", from_str_fn(words::seconds))]
    pub(crate) ttl: Option<Duration>,
    /// names this push, which is done once however often it is asked for; for items that are given
    #[argh(option, arg_name = "name")]
    pub(crate) once: Option<String>,
}

/// Take items off a queue for good, and print them.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "pop")]
pub(crate) struct Pop {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
    /// at most how many (default 1)
    #[argh(option, arg_name = "n", default = "1")]
    pub(crate) count: u64,
    /// wait for so long while there is none
    #[argh(option, arg_name = "s", default = "Duration::ZERO", from_str_fn(words::seconds))]
    pub(crate) wait: Duration,
}

/// Print the first item of a queue, and leave it there.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "top")]
pub(crate) struct Top {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
}

/// Print how many items of a queue are ready.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "size")]
pub(crate) struct Size {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
}

/// Print all queues, with their sizes.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "list")]
pub(crate) struct List {}

/// Print how a queue is: its sizes, settings, and what became of its items.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "show")]
pub(crate) struct Show {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
}

/// Give a queue other settings. What is not named stays as it is.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "set")]
pub(crate) struct Set {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
    /// the most items in it, or none
    #[argh(option, arg_name = "n", from_str_fn(words::bound))]
    pub(crate) items: Option<Option<u64>>,
    /// the most bytes of items in it, or none
    #[argh(option, arg_name = "n", from_str_fn(words::bound))]
    pub(crate) bytes: Option<Option<u64>>,
    /// after so many deliveries an item that comes back is a dead letter, or none
    #[argh(option, arg_name = "n", from_str_fn(words::bound))]
    pub(crate) deliveries: Option<Option<u64>>,
    /// the queue where dead letters go, or none
    #[argh(option, arg_name = "queue", from_str_fn(words::dead_letters))]
    pub(crate) dead: Option<Option<QueueName>>,
    /// for how long the name of a push (--once) is known
    #[argh(option, arg_name = "s", from_str_fn(words::seconds))]
    pub(crate) window: Option<Duration>,
}

/// Drop what is ready or delayed in a queue, and print how many items that was. What is leased stays.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "purge")]
pub(crate) struct Purge {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
}

/// Have a queue give nothing out any more. Pushes go on.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "pause")]
pub(crate) struct Pause {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
}

/// Have a queue give out again.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "resume")]
pub(crate) struct Resume {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
}

/// Print what is ready in a queue, in its order, and leave it there.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "browse")]
pub(crate) struct Browse {
    #[argh(positional, from_str_fn(words::queue))]
    pub(crate) queue: QueueName,
    /// at most how many (default 100)
    #[argh(option, arg_name = "n", default = "100")]
    pub(crate) count: u64,
    /// only what is behind this PLACE, as browse prints it
    #[argh(option, arg_name = "place", default = "(0, 0)", from_str_fn(words::place))]
    pub(crate) after: (u8, u64),
}

/// Draw numbers that nobody else gets from a sequence, and print them.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "getid")]
pub(crate) struct GetId {
    /// the sequence (default "default")
    #[argh(positional, default = "\"default\".to_owned()")]
    pub(crate) name: String,
    /// how many
    #[argh(option, arg_name = "n", default = "1")]
    pub(crate) count: u64,
}
