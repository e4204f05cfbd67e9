//! Why the daemon ends, each with an exit code of its own and what to do next.

use crate::advice;
use crate::config::Address;
use ftq_core::ids::{MemberId, MemberSet};
use ftq_core::replica::{Order, Unable};
use ftq_storage::disk::{self, OpenError, Part};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why the daemon ended.
#[derive(Debug)]
pub enum Ending {
    /// The configuration can't be used: all that is wrong with it, a line each. Nothing was started.
    Config(String),
    /// An address can't be had. Nothing was started.
    Address {
        /// Whose port it is.
        port: &'static str,
        /// The address.
        address: Address,
        /// What the system said.
        error: io::Error,
    },
    /// The store can't be opened. What was damaged may have been set aside; no data was removed.
    Store(OpenError),
    /// This replica's store, in this directory, can't be opened.
    Unopened(PathBuf, OpenError),
    /// There is no store in this directory, but what is said. Nothing was changed.
    NoStore(PathBuf, String),
    /// The file that says whose store is in this directory is missing or damaged, and nothing else was looked at.
    Unidentified(PathBuf),
    /// A look at a store has found something that must not be. Nothing was changed.
    Wrong {
        /// The store's directory.
        directory: PathBuf,
        /// How many things.
        wrong: usize,
    },
    /// Another cluster was to begin with this store, and can't. Nothing was changed.
    Unable(PathBuf, Unable),
    /// The same, since the store can't be read, or the other one not be written.
    NotGoneOn(PathBuf, OpenError),
    /// Whoever ordered it has not said to be sure. Nothing was changed.
    Unsure {
        /// The store's directory.
        directory: PathBuf,
        /// The other members of its cluster.
        others: MemberSet,
        /// The member that was named in the order, which is to be named again.
        named: Option<MemberId>,
    },
    /// The system has something against it.
    System {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        error: io::Error,
    },
    /// The others know more of this store than it shows: it has to be opened as one that has forgotten.
    Older,
    /// The replica can't trust its state any more. The others go on without it.
    Stopped(String),
    /// A write or a sync of the store in this directory has failed, with what the system said. The others go on.
    Disk(PathBuf, String),
    /// The disk has not let go of the store in this directory.
    Hung(PathBuf),
}

impl Ending {
    /// Most others were told another order.
    pub(crate) fn disordered(mine: Order, others: MemberSet) -> Ending {
        let (mine, theirs) = orders(mine);
        Ending::Config(format!(
            "order is \"{mine}\" here and \"{theirs}\" at {others}: it has to be the same for all members. To change it stop all, \
             and start them with the other"
        ))
    }

    /// This replica was to come into a cluster in which somebody else has its id, and runs.
    pub(crate) fn taken(me: MemberId, address: SocketAddr) -> Ending {
        Ending::Config(format!(
            "me = {me}: another replica that runs is member {me}, at {address}. Give this one a number that no other member has, \
             or stop that one"
        ))
    }

    /// The exit code; the numbers are those of `sysexits.h`.
    pub fn code(&self) -> u8 {
        match self {
            Ending::Config(_) => 78,
            Ending::Address { .. } => 69,
            Ending::Store(_) | Ending::Unopened(..) | Ending::NoStore(..) | Ending::NotGoneOn(..) => 74,
            Ending::Unidentified(_) | Ending::Wrong { .. } | Ending::Unable(..) => 65,
            Ending::Unsure { .. } => 64,
            Ending::System { .. } => 71,
            Ending::Older | Ending::Stopped(_) => 70,
            Ending::Disk(..) | Ending::Hung(_) => 73,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Config(what) => f.write_str(what),
            Ending::Address { port, address, error } => {
                write!(f, "can't have {address} for {port}: {error} (is another ftqd running?)")
            }
            Ending::Store(error) => write!(f, "{error}"),
            Ending::Unopened(directory, error) => write!(f, "the store in {}: {error}", directory.display()),
            Ending::NoStore(directory, instead) => write!(
                f,
                "{} {instead}: nothing was changed. Name the directory of a store: `ftqd --check-config` says where a replica \
                 has its own. {}",
                directory.display(),
                advice::former(directory)
            ),
            Ending::Unidentified(directory) => write!(
                f,
                "nothing says whose store is in {}: see above. If it was never one, name the directory of a store: `ftqd \
                 --check-config` says where a replica has its own. If it was, and there is a copy of the file `identity` in \
                 it, put that back; else start ftqd, which sets all of it aside, and learns from other members if there are \
                 any. A replica without others serves nothing then until an empty cluster begins with `ftqd start-anew`",
                directory.display()
            ),
            Ending::Wrong { directory, wrong } => {
                let things = if *wrong == 1 { "1 thing is".to_owned() } else { format!("{wrong} things are") };
                write!(f, "{things} wrong with the store in {}: see above", directory.display())
            }
            Ending::Unable(directory, why) => write!(f, "{}: {}", directory.display(), unable(directory, *why)),
            Ending::NotGoneOn(directory, error) => write!(f, "{error}. {}", how_it_stands(directory, error)),
            Ending::Unsure { directory, others, named } => {
                let sure = if others.is_empty() {
                    String::new()
                } else {
                    format!("If no quorum can ever come back, see to it that ftqd runs on none of {others}. ")
                };
                let me = named.map_or(String::new(), |me| format!(" --me {me}"));
                write!(f, "nothing was changed. {sure}To do it: ftqd go-on-alone {}{me} --yes", directory.display())
            }
            Ending::System { doing, error } => write!(f, "can't {doing}: {error}"),
            Ending::Older => {
                write!(f, "the others know more of this store than it shows: its journal can't be trusted")
            }
            Ending::Disk(directory, why) => write!(
                f,
                "a write or a sync of the store in {} has failed ({why}): nothing more is acknowledged from it, and the other \
                 replicas go on. Look at the disk, then start again: what was acknowledged is read back from the disk, and the \
                 rest from the others",
                directory.display()
            ),
            Ending::Hung(directory) => write!(
                f,
                "the disk has not let go of the store in {}: the other replicas go on. Look at the disk, then start again",
                directory.display()
            ),
            Ending::Stopped(why) => {
                write!(f, "this replica stops for good: {why}. Its data is left as it is; the other replicas go on")
            }
        }
    }
}

/// Why no other cluster begins with a store, and what to do.
fn unable(directory: &Path, why: Unable) -> String {
    let place = directory.display();
    match why {
        Unable::Blank => format!(
            "this store holds nothing of any cluster: start ftqd, or begin an empty cluster with: ftqd start-anew {place}"
        ),
        Unable::Hollow => format!(
            "this store has lost its archive, and with it the queues: nothing can go on from it. {}",
            advice::elsewhere(directory)
        ),
        Unable::Seatless(members) => format!(
            "the members {members} do not know this store: it was about to join, was removed, or has lost its journal, and may \
             lack a lot. If no member has a better one, say which member it is to be: ftqd go-on-alone {place} --me ID"
        ),
        Unable::Seated(me) => format!("this is the store of member {me}: leave --me out"),
        Unable::Quorum { me, members } => format!(
            "member {me} is a quorum of {members} by itself: start ftqd, and it serves. To be rid of the others: ftqctl \
             member remove ID"
        ),
        Unable::Unreadable(why) => format!("what this store holds can't be applied: {why}"),
    }
}

/// How things stand after a store was not put in the place of another, and what to do.
fn how_it_stands(directory: &Path, error: &OpenError) -> String {
    let place = directory.display();
    if disk::has_successor(directory) {
        return "The other store is whole and on its way to its place: the next start of ftqd finishes that".to_owned();
    }
    let then = match error {
        OpenError::Damaged { part: Part::Journal, .. } => {
            ": start ftqd here once, which sets the journal aside, and stop it; then say this again with --me ID, to go on \
             with what is in the archive. What was accepted and is not there is lost then"
                .to_owned()
        }
        OpenError::Damaged { part: Part::Archive, .. } => {
            format!(": without its archive nothing can go on from this store. {}", advice::elsewhere(directory))
        }
        OpenError::Damaged { part: Part::Identity, .. } => {
            ": if there is a copy of the file `identity` in it, put that back".to_owned()
        }
        OpenError::InUse { .. }
        | OpenError::Newer { .. }
        | OpenError::OtherCluster { .. }
        | OpenError::Full { .. }
        | OpenError::Empty { .. }
        | OpenError::NoStore { .. }
        | OpenError::Options(_)
        | OpenError::Io { .. } => String::new(),
    };
    format!("The store in {place} is as it was{then}")
}

/// What the order here is called, and the other one.
pub(crate) fn orders(mine: Order) -> (&'static str, &'static str) {
    match mine {
        Order::Rotating => ("rotating", "fixed"),
        Order::Fixed => ("fixed", "rotating"),
    }
}

impl std::error::Error for Ending {}

impl From<OpenError> for Ending {
    fn from(error: OpenError) -> Ending {
        Ending::Store(error)
    }
}
