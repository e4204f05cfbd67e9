//! What may stand on the command line: the options that every command takes, and the commands.

mod care;
mod queues;
mod work;

pub(crate) use care::{
    Check, Completions, Doctor, Key, KeyCommand, KeyList, KeyNew, Log, Member, MemberCommand, Members, Snapshot,
    SnapshotCommand, Status, Verify, Views,
};
pub(crate) use queues::{
    Browse, Create, Destroy, GetId, Id, List, Pause, Pop, Purge, Push, Resume, Set, Show, Size, Top,
};
pub(crate) use work::{Ack, Dead, DeadCommand, DeadList, DeadRetry, Nack, Take, Touch, Work};

use crate::words::{self, Output};
use argh::{ArgsInfo, FromArgs};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Works with a durable queue.
///
/// A QUEUE is its label, or @ and its id; S is a number of seconds.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    note = "The options above may stand before or after a command. What they don't say comes from the context in\n\
            $XDG_CONFIG_HOME/ftq/ctl.toml, if there is one; else a replica on this machine is asked.",
    error_code(0, "done"),
    error_code(1, "no: empty, not found, not allowed; nothing was changed"),
    error_code(2, "no server could be reached, or there is no quorum; nothing was changed"),
    error_code(3, "the outcome is unknown: it may have been done, once; or it was, and could not be shown"),
    error_code(64, "the command line is wrong"),
    error_code(130, "interrupted; what was done is said")
)]
pub(crate) struct Arguments {
    /// a replica; several may be given (default port 7410)
    #[argh(option, arg_name = "host:port", from_str_fn(words::server))]
    pub(crate) server: Vec<SocketAddr>,

    /// file with a client's key, to seal what is said; without one, replicas on this machine only
    #[argh(option, arg_name = "file")]
    pub(crate) key: Option<PathBuf>,

    /// for how many seconds to try (default 10)
    #[argh(option, arg_name = "s", from_str_fn(words::timeout))]
    pub(crate) timeout: Option<Duration>,

    /// how what is shown looks: table (default) or json
    #[argh(option, short = 'o', arg_name = "table|json", from_str_fn(words::output))]
    pub(crate) output: Option<Output>,

    /// a context of ctl.toml
    #[argh(option, arg_name = "name")]
    pub(crate) context: Option<String>,

    /// print the version, and exit
    #[argh(switch)]
    pub(crate) version: bool,

    #[argh(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The commands.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(crate) enum Command {
    Create(Create),
    Destroy(Destroy),
    Id(Id),
    Push(Push),
    Pop(Pop),
    Top(Top),
    Size(Size),
    List(List),
    Show(Show),
    Set(Set),
    Purge(Purge),
    Pause(Pause),
    Resume(Resume),
    Browse(Browse),
    Take(Take),
    Ack(Ack),
    Nack(Nack),
    Touch(Touch),
    Work(Work),
    Dead(Dead),
    GetId(GetId),
    Status(Status),
    Members(Members),
    Member(Member),
    Views(Views),
    Log(Log),
    Snapshot(Snapshot),
    Check(Check),
    Verify(Verify),
    Doctor(Doctor),
    Key(Key),
    Completions(Completions),
}
