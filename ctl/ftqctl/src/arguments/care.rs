//! The commands for the cluster as a whole, for keys and for the shell.

use crate::words;
use argh::{ArgsInfo, FromArgs};
use ftq_net::keys::Role;
use std::path::PathBuf;

/// Ask each server how it is, and whether there is a quorum.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "status")]
pub(crate) struct Status {}

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

/// Print which keys are in a file, without their secrets.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand, name = "list")]
pub(crate) struct KeyList {
    #[argh(positional)]
    pub(crate) file: PathBuf,
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
