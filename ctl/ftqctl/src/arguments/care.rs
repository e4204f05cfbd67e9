//! The commands for the cluster as a whole, for keys and for the shell.

use crate::words::{self, QueueName};
use argh::{ArgsInfo, FromArgs};
use ftq_client::MemberId;
use ftq_net::keys::Role;
use std::path::PathBuf;

/// Ask each server how it is, and say whether there is a quorum, what the cluster can still lose, and what to do.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "status")]
pub(crate) struct Status {}

/// Print who belongs to the cluster, and how one replica sees each of them.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "members")]
pub(crate) struct Members {}

/// Change who belongs to the cluster. A replica that is to come in has to run already.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "member")]
pub(crate) struct Member {
    #[argh(subcommand)]
    pub(crate) command: MemberCommand,
}

#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(crate) enum MemberCommand {
    Add(MemberAdd),
    Remove(MemberRemove),
    Replace(MemberReplace),
}

/// A replica that runs becomes a member: `ftqctl status` calls it a learner.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "add")]
pub(crate) struct MemberAdd {
    #[argh(positional, from_str_fn(words::member))]
    pub(crate) id: MemberId,
}

/// A member is none any more.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "remove")]
pub(crate) struct MemberRemove {
    #[argh(positional, from_str_fn(words::member))]
    pub(crate) id: MemberId,
}

/// A replica that runs, as a learner, takes a member's place.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "replace")]
pub(crate) struct MemberReplace {
    #[argh(positional, from_str_fn(words::member))]
    pub(crate) old: MemberId,
    #[argh(positional, from_str_fn(words::member))]
    pub(crate) new: MemberId,
}

/// Say whether all is well, for a monitor: exit code 0 well, 1 degraded, 2 down. Each finding comes with its remedy.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "check")]
pub(crate) struct Check {}

/// Print the views that the servers were in since they started: who took part, why each began, how long it took.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "views")]
pub(crate) struct Views {
    /// only the newest so many (default 20)
    #[argh(option, arg_name = "n", default = "20")]
    pub(crate) count: usize,
}

/// Print what the log holds: the newest requests, or those from a slot on.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "log")]
pub(crate) struct Log {
    /// from this slot on, to the end unless --count is given
    #[argh(option, arg_name = "slot")]
    pub(crate) from: Option<u64>,
    /// at most how many: the newest (default 20), or with --from the first
    #[argh(option, arg_name = "n")]
    pub(crate) count: Option<usize>,
    /// only what is about this queue
    #[argh(option, arg_name = "queue", from_str_fn(words::queue))]
    pub(crate) queue: Option<QueueName>,
    /// only what is said in this session, and what opens or closes it
    #[argh(option, arg_name = "n")]
    pub(crate) session: Option<u64>,
    /// go on with what comes, until interrupted
    #[argh(switch)]
    pub(crate) follow: bool,
}

/// Print the newest snapshot of each server: its slot, its size, its age.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "snapshot")]
pub(crate) struct Snapshot {
    #[argh(subcommand)]
    pub(crate) command: Option<SnapshotCommand>,
}

#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(crate) enum SnapshotCommand {
    Take(SnapshotTake),
}

/// Have each server that is named take a snapshot now, and wait until it is on its disk.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "take")]
pub(crate) struct SnapshotTake {}

/// Compare the replicas: whether those that have applied the same slot have the same state. Exit code 1 if not.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "verify")]
pub(crate) struct Verify {}

/// Print all that a report of a bug needs and that can be known from here, as one JSON document without secrets.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "doctor")]
pub(crate) struct Doctor {}

/// Keys for replicas and clients.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "key")]
pub(crate) struct Key {
    #[argh(subcommand)]
    pub(crate) command: KeyCommand,
}

#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(crate) enum KeyCommand {
    New(KeyNew),
    List(KeyList),
}

/// Draw a new key: one that the replicas of a cluster share, or, with a name and a role, one for clients.
/// Add its line to a file that nobody else can read, or print it.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "new")]
pub(crate) struct KeyNew {
    /// file to add the key to; it is made if it is not there
    #[argh(option, arg_name = "file")]
    pub(crate) file: Option<PathBuf>,
    /// make a key for clients, with this name
    #[argh(option, arg_name = "name")]
    pub(crate) client: Option<String>,
    /// what clients with this key may do: read, write (default) or admin
    #[argh(option, from_str_fn(words::role))]
    pub(crate) role: Option<Role>,
}

/// Print which keys are in a file, or else which the servers hold, without their secrets.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "list")]
pub(crate) struct KeyList {
    #[argh(positional)]
    pub(crate) file: Option<PathBuf>,
}

/// Print what makes a shell complete the command lines of ftqctl.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "completions",
    example = "{command_name} bash > ~/.local/share/bash-completion/completions/ftqctl\n\
               {command_name} zsh > a directory of $fpath/_ftqctl\n\
               {command_name} fish > ~/.config/fish/completions/ftqctl.fish"
)]
pub(crate) struct Completions {
    /// bash, zsh or fish
    #[argh(positional)]
    pub(crate) shell: String,
}
