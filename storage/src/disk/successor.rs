//! A store that is put in the place of another one, which is looked at and not changed.
//!
//! ```text
//!  look ─▶ successor.new/ is made and filled ─▶ renamed to successor/ ─▶ sled journal identity ─▶ successor/former/
//!                                                                   ─▶ the same out of successor/ ─▶ set aside, gone
//!  ├─ cut short: the former store is there, and what was begun goes ─┼─ cut short: whoever opens it next goes on ──┤
//! ```
//!
//! Always: at each moment either the former store is there as a whole, or the successor is, perhaps with some of the way
//! to its place still to go; no byte of the former one is written.

#[cfg(test)]
mod tests;

use super::aside;
use super::directory::{self, Directory};
use super::error::{OpenError, Part};
use super::identity::{self, Identity, State, archive_name};
use super::journal::Journal;
use super::opening;
use super::scratch;
use super::space::Space;
use super::{DiskStore, JOURNAL, Options};
use crate::{Done, Store};
use ftq_core::ids::{Ballot, Digest, Slot, StoreId};
use ftq_core::store::{Condition, Generation, Job, JobId, Opened, Report, Snapshot};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

/// Where a successor is from the moment on from which it counts.
pub(super) const NAME: &str = "successor";

/// Where it is made.
const UNFINISHED: &str = "successor.new";

/// Where the former store waits, in there, until the successor is in its place.
const FORMER: &str = "former";

/// A snapshot is written in values of a page table of their own; sled's segments and its snapshot come on top.
const SPREAD: u64 = 3;

/// What a closed store holds. It is locked as long as this is there.
#[derive(Debug)]
pub struct Predecessor {
    directory: Arc<Directory>,
    identity: Identity,
    opened: Opened,
}

impl Predecessor {
    /// Looks at the store in `directory`. What is damaged is refused: what is missing may be what counts.
    pub fn look(directory: &Path) -> Result<Predecessor, OpenError> {
        let directory = Arc::new(opening::lock_to_look(directory)?);
        opening::finish_succession(&directory)?;
        let identity = opening::identity_of(&directory)?;
        let opened = read(&directory, &identity)?;
        Ok(Predecessor { directory, identity, opened })
    }

    /// Whose store it is.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// What a replica would find in it.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Puts another store in its place, of the cluster that `code` makes of the configured one. `begin` is told the id of
    /// that store and says what it is to hold. Gives the name under which the former one is kept.
    pub fn succeed(
        self,
        code: [u8; 16],
        begin: impl FnOnce(StoreId) -> (Ballot, Snapshot),
    ) -> Result<String, OpenError> {
        let Predecessor { directory, identity, opened: _ } = self;
        directory.remove(UNFINISHED)?;
        let made = make(&directory, identity, code, begin);
        if made.is_err() {
            // It takes room that whoever made it run out needs; what can't be removed goes at the next opening.
            let _ = directory.remove(UNFINISHED);
        }
        made?;
        directory.rename(UNFINISHED, NAME)?;
        let aside = finish(&directory)?;
        Ok(aside.expect("there is a successor"))
    }
}

/// Whether another store is on its way to the place of the one in `directory`: whoever opens it next finishes that.
pub fn has_successor(directory: &Path) -> bool {
    directory.join(NAME).exists()
}

/// Makes the successor, whole and durable, in a place where it does not count yet.
fn make(
    directory: &Directory,
    of: Identity,
    code: [u8; 16],
    begin: impl FnOnce(StoreId) -> (Ballot, Snapshot),
) -> Result<(), OpenError> {
    let path = directory.at(UNFINISHED);
    let store = StoreId(super::random()?);
    let (promise, snapshot) = begin(store);
    let bytes: usize = snapshot.pieces.iter().map(|piece| piece.len()).sum();
    Space::new(directory.path(), 0, 0).require(of.journal_bytes + SPREAD * bytes as u64)?;
    let identity = Identity { store, configured: of.configured, ..Identity::draw(of.journal_bytes, Some(code))? };
    opening::create(Arc::new(Directory::lock(&path)?), identity)?;
    let options = Options { ballast_bytes: 0, low_bytes: 0, ..Options::default() };
    let (wake, woken) = channel();
    let (mut disk, _) = DiskStore::open(&path, &options, move || {
        // Nobody listens any more when it closes.
        let _ = wake.send(());
    })?;
    disk.submit(JobId(1), Job::Promise { ballot: promise });
    disk.submit(JobId(2), Job::Adopt { generation: Generation(0), snapshot });
    wait_until_durable(&mut disk, &woken, JobId(2), &path)?;
    drop(disk);
    directory::sync(&path).map_err(OpenError::io("sync the directory", &path))
}

fn wait_until_durable(disk: &mut DiskStore, woken: &Receiver<()>, last: JobId, path: &Path) -> Result<(), OpenError> {
    loop {
        match disk.poll() {
            Some(Done::Report(Report::Durable { job, .. })) if job == last => return Ok(()),
            Some(Done::Report(Report::Failed)) => {
                let why = disk.failure().unwrap_or("nobody knows why").to_owned();
                return Err(OpenError::io("write", path)(io::Error::other(why)));
            }
            Some(
                Done::Report(
                    Report::Durable { .. }
                    | Report::Delivered { .. }
                    | Report::Snapshotted { .. }
                    | Report::NearlyFull(_),
                )
                | Done::Fetched(..),
            ) => {}
            // Its threads say so before they end.
            None => {
                woken.recv().map_err(|_| OpenError::io("write", path)(io::Error::other("its threads have ended")))?
            }
        }
    }
}

/// Goes on where a successor was on its way to its place, to the end. Gives the name under which the former store is kept;
/// `None` if there is no successor, or nothing was left to do but to clean up.
pub(super) fn finish(directory: &Directory) -> Result<Option<String>, OpenError> {
    if !has_successor(directory.path()) {
        return Ok(None);
    }
    let former = inside(FORMER);
    if directory.at(&inside(&archive_name(0))).exists() {
        let create = || {
            fs::create_dir_all(directory.at(&former))?;
            // Or what is moved into it hangs in a directory without a name after a power cut.
            directory::sync(&directory.at(NAME))
        };
        create().map_err(OpenError::io("create", &directory.at(&former)))?;
    }
    while let Some((from, to)) = next_move(directory)? {
        directory.rename(&from, &to)?;
    }
    let aside = directory.set_aside_as(&former, aside::STORE)?;
    directory.remove(NAME)?;
    directory.sync()?;
    Ok(aside)
}

/// What is moved next, and to where. The archive comes out of the successor first: as long as it is in there, all that is
/// outside is of the former store.
fn next_move(directory: &Directory) -> Result<Option<(String, String)>, OpenError> {
    let is_there = |name: &str| directory.at(name).exists();
    let archive = archive_name(0);
    if is_there(&inside(&archive)) {
        let former =
            opening::parts(directory)?.into_iter().chain([identity::NAME.to_owned()]).find(|name| is_there(name));
        if let Some(name) = former {
            let to = inside(&format!("{FORMER}/{name}"));
            return Ok(Some((name, to)));
        }
    }
    let rest = [&archive, JOURNAL, identity::NAME].into_iter().find(|name| is_there(&inside(name)));
    Ok(rest.map(|name| (inside(name), name.to_owned())))
}

/// Something in the successor.
fn inside(name: &str) -> String {
    format!("{NAME}/{name}")
}

/// What a replica would find in a store that nobody has open. Nothing of it is changed: its archive is read in a copy.
fn read(directory: &Directory, identity: &Identity) -> Result<Opened, OpenError> {
    match identity.state {
        State::Ready => {}
        State::Creating => return Ok(Opened { store: identity.store, ..Opened::default() }),
        State::Rebuilding => {
            let condition = Condition::Hollow { base: Slot(0), digest: Digest::default() };
            return Ok(Opened { store: identity.store, condition, ..Opened::default() });
        }
    }
    let (archive, journal) = (directory.at(&identity.archive_name()), directory.at(JOURNAL));
    for (part, is_there) in [(Part::Archive, archive.join("db").exists()), (Part::Journal, journal.exists())] {
        if !is_there {
            return Err(OpenError::damaged(part, "it is missing"));
        }
    }
    let bytes = scratch::bytes(&archive).map_err(OpenError::io("look into", &archive))?;
    Space::new(directory.path(), 0, 0).require(bytes)?;
    let (_copy, archive) = scratch::open(directory, identity)?;
    let contents = archive.contents()?;
    let read = Journal::examine(&journal, identity.journal_bytes, identity.store)?;
    let forgetful = identity.forgetful && read.shown.view.is_none();
    let condition = if forgetful { Condition::Forgetful } else { Condition::Whole };
    Ok(opening::opened(identity.store, read.held(&archive.archive_end(false))?, contents, condition))
}
