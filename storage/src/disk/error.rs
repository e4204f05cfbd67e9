//! Why a store could not be opened. A refusal removes no data; the ballast may be gone.

use ftq_core::ids::ClusterId;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a store was not opened, and what to do about it.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it open.
    InUse {
        /// The directory.
        directory: PathBuf,
        /// What the lock file says about that process.
        holder: String,
    },
    /// It was written by a newer version.
    Newer {
        /// Its format.
        format: u32,
    },
    /// It belongs to another cluster than the one asked for.
    OtherCluster {
        /// The cluster that it belongs to.
        found: ClusterId,
        /// The one that was asked for.
        wanted: ClusterId,
    },
    /// Something that was synced is gone or differs.
    Damaged {
        /// Which part of the store.
        part: Part,
        /// What is wrong with it.
        what: String,
    },
    /// There is no room to open it.
    Full {
        /// The directory.
        directory: PathBuf,
        /// How many bytes are free.
        free: u64,
        /// How many are needed.
        needed: u64,
    },
    /// There is no store to be looked at.
    Empty {
        /// The directory.
        directory: PathBuf,
    },
    /// A store was to be made anew in a directory that holds something else.
    NoStore {
        /// The directory.
        directory: PathBuf,
        /// Something in it.
        foreign: String,
    },
    /// The options make no sense.
    Options(&'static str),
    /// The system refused something.
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// The answer.
        error: io::Error,
    },
}

/// The parts of a store that can be damaged each on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The file that says whose store this is.
    Identity,
    /// The journal: promise, view, accepted slots.
    Journal,
    /// The archive: delivered slots, snapshots.
    Archive,
}

impl OpenError {
    pub(super) fn damaged(part: Part, what: impl Into<String>) -> OpenError {
        OpenError::Damaged { part, what: what.into() }
    }

    /// For `map_err`: what was tried, and on which file.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
        let path = path.to_owned();
        move |error| OpenError::Io { doing, path, error }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::InUse { directory, holder } => {
                write!(f, "{} is in use by another process ({holder}): stop it first", directory.display())
            }
            OpenError::Newer { format } => {
                write!(f, "the store has format {format}, this version knows only up to {}: update ftq", super::FORMAT)
            }
            OpenError::OtherCluster { found, wanted } => {
                write!(
                    f,
                    "the store belongs to cluster {found:?}, and `cluster` in the configuration means {wanted:?}: give each \
                     cluster a directory of its own"
                )
            }
            OpenError::Damaged { part, what } => {
                write!(f, "the store's {part} is damaged: {what}")
            }
            OpenError::Full { directory, free, needed } => {
                write!(
                    f,
                    "the disk is full: {} has {} MiB free, opening needs {} MiB. Nothing is lost: make room there \
                     (what is named set-aside-… is only kept for inspection), then start again",
                    directory.display(),
                    free >> 20,
                    needed >> 20
                )
            }
            OpenError::Empty { directory } => {
                write!(f, "{} holds no store: nothing was changed. Name the directory of a store", directory.display())
            }
            OpenError::NoStore { directory, foreign } => {
                write!(
                    f,
                    "{} holds no store, but {foreign}: nothing was changed. Name the directory of a store, or an empty one",
                    directory.display()
                )
            }
            OpenError::Options(what) => write!(f, "{what}"),
            OpenError::Io { doing, path, error } => write!(f, "can't {doing} {}: {error}", path.display()),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Identity => "identity file",
            Part::Journal => "journal",
            Part::Archive => "archive",
        })
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::Io { error, .. } => Some(error),
            OpenError::InUse { .. }
            | OpenError::Newer { .. }
            | OpenError::OtherCluster { .. }
            | OpenError::Damaged { .. }
            | OpenError::Full { .. }
            | OpenError::Empty { .. }
            | OpenError::NoStore { .. }
            | OpenError::Options(_) => None,
        }
    }
}
