//! What may stand on the command line.

use argh::FromArgs;
use ftq_client::QueueId;
use ftq_net::keys::Role;
use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// Works with a durable queue.
///
/// A QUEUE is its label, or @ and its id. Exit codes: 0 done, 1 no (empty, not found), 2 can't reach or no
/// quorum, 3 outcome unknown, 64 usage.
#[derive(Debug, FromArgs)]
pub(crate) struct Arguments {
    /// address of a replica; several may be given (default 127.0.0.1:7410)
    #[argh(option, arg_name = "host:port", from_str_fn(address))]
    pub(crate) server: Vec<SocketAddr>,

    /// file with a client's key, to seal what is said; without one, replicas on this machine only
    #[argh(option, arg_name = "file")]
    pub(crate) key: Option<PathBuf>,

    /// for how many seconds to try (default 10)
    #[argh(option, arg_name = "s", default = "10.0", from_str_fn(seconds))]
    pub(crate) timeout: f64,

    #[argh(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, FromArgs)]
#[argh(subcommand)]
pub(crate) enum Command {
    Create(Create),
    Push(Push),
    Pop(Pop),
    Top(Top),
    Size(Size),
    Id(Id),
    Destroy(Destroy),
    GetId(GetId),
    Status(Status),
    Key(Key),
}

/// Make a queue, and print its id. If the label is taken, print the id of the queue that has it.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "create")]
pub(crate) struct Create {
    #[argh(positional)]
    pub(crate) label: String,
}

/// Put items at the end of a queue, all or none.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "push")]
pub(crate) struct Push {
    #[argh(positional, from_str_fn(queue))]
    pub(crate) queue: QueueName,
    #[argh(positional)]
    pub(crate) items: Vec<String>,
}

/// Take the first item off a queue, and print it.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "pop")]
pub(crate) struct Pop {
    #[argh(positional, from_str_fn(queue))]
    pub(crate) queue: QueueName,
}

/// Print the first item of a queue, and leave it there.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "top")]
pub(crate) struct Top {
    #[argh(positional, from_str_fn(queue))]
    pub(crate) queue: QueueName,
}

/// Print how many items of a queue are ready.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "size")]
pub(crate) struct Size {
    #[argh(positional, from_str_fn(queue))]
    pub(crate) queue: QueueName,
}

/// Print the id of the queue that has this label.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "id")]
pub(crate) struct Id {
    #[argh(positional)]
    pub(crate) label: String,
}

/// End a queue with all that is in it.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "destroy")]
pub(crate) struct Destroy {
    #[argh(positional, from_str_fn(queue))]
    pub(crate) queue: QueueName,
}

/// Draw numbers that nobody else gets from a sequence, and print them.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "getid")]
pub(crate) struct GetId {
    /// the sequence (default "default")
    #[argh(positional, default = "\"default\".to_owned()")]
    pub(crate) name: String,
    /// how many
    #[argh(option, default = "1")]
    pub(crate) count: u64,
}

/// Ask each server how it is, and whether there is a quorum.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "status")]
pub(crate) struct Status {}

/// Keys for replicas and clients.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "key")]
pub(crate) struct Key {
    #[argh(subcommand)]
    pub(crate) command: KeyCommand,
}

#[derive(Debug, FromArgs)]
#[argh(subcommand)]
pub(crate) enum KeyCommand {
    New(KeyNew),
}

/// Draw a new key: one that the replicas of a cluster share, or, with a name and a role, one for clients.
/// Add its line to a file that nobody else can read, or print it.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "new")]
pub(crate) struct KeyNew {
    /// file to add the key to; it is made if it is not there
    #[argh(option, arg_name = "file")]
    pub(crate) file: Option<PathBuf>,
    /// make a key for clients, with this name
    #[argh(option, arg_name = "name")]
    pub(crate) client: Option<String>,
    /// what clients with this key may do: read, write (default) or admin
    #[argh(option, from_str_fn(role))]
    pub(crate) role: Option<Role>,
}

/// A queue, by its label or as @id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QueueName {
    Label(String),
    Id(QueueId),
}

/// Why the command line leads to no command.
#[derive(Debug)]
pub(crate) enum Early {
    /// Help was asked for.
    Help(String),
    /// It is wrong.
    Wrong(String),
}

impl Arguments {
    /// Reads a command line, without the program's name.
    pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Arguments, Early> {
        let texts = arguments.map(|argument| argument.into_string()).collect::<Result<Vec<String>, OsString>>();
        let texts = texts.map_err(|bad| Early::Wrong(format!("{} is not valid text", bad.to_string_lossy())))?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut arguments = Arguments::from_args(&["ftqctl"], &texts).map_err(|early| match early.status {
            Ok(()) => Early::Help(early.output),
            Err(()) => {
                let lines: Vec<&str> = early.output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                Early::Wrong(lines.join(" "))
            }
        })?;
        let elsewhere = arguments.server.iter().find(|server| !server.ip().to_canonical().is_loopback());
        if let (Some(server), None) = (elsewhere, &arguments.key) {
            return Err(Early::Wrong(format!(
                "{server} is on another machine, so what it is told has to be sealed: give --key with a client's key file"
            )));
        }
        if arguments.server.is_empty() {
            arguments.server.push(SocketAddr::from(([127, 0, 0, 1], 7410)));
        }
        Ok(arguments)
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|error| format!("{text}: {error} (expected HOST:PORT)"))?;
    found.next().ok_or_else(|| format!("{text}: there is no such address"))
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| format!("{text}: a role is read, write or admin"))
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        Ok(_) | Err(_) => Err(format!("{text}: expected a number of seconds above 0, at most 3600")),
    }
}

fn queue(text: &str) -> Result<QueueName, String> {
    match text.strip_prefix('@') {
        None => Ok(QueueName::Label(text.to_owned())),
        Some(id) => match id.parse() {
            Ok(id) => Ok(QueueName::Id(QueueId(id))),
            Err(_) => Err(format!("{text}: after @ comes the id of a queue, a number")),
        },
    }
}
