//! Opening a directory, whatever state it is in: a store comes out, or a refusal that removed no data.
//!
//! ```text
//! lock ─▶ identity ─▶ left-overs ─▶ archive ─▶ journal ─▶ condition
//!            │                        │           │
//!            lost: all is set aside,  │           lost: set aside, a new store id: Forgetful
//!            a new store: Forgetful   lost: set aside, an empty one: Hollow
//! ```
//!
//! Always: what is damaged is set aside and never thrown away, and said; what stays is exactly what the whole
//! parts say. A store that has lost something never counts as a new one (RULES S12).

use super::archive::{Archive, Bounds};
use super::aside;
use super::directory::{self, Directory};
use super::error::{OpenError, Part};
use super::identity::{self, Identity, State, is_archive_name};
use super::journal::{self, Held, Journal};
use super::register::Register;
use super::space::{self, Space};
use super::{JOURNAL, Options, random, successor};
use ftq_core::ids::StoreId;
use ftq_core::store::{Condition, Heard, Opened, SlotRecord, Snapshot};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What a replica needs of the archive to start: the newest snapshot, the slots after it, what was heard of others.
pub(super) type Contents = (Option<Snapshot>, Vec<SlotRecord>, Vec<Heard>);

/// The parts of an open store.
pub(super) struct Parts {
    pub(super) register: Register,
    pub(super) archive: Archive,
    pub(super) journal: Journal,
    pub(super) contents: Contents,
    pub(super) space: Space,
    pub(super) condition: Condition,
}

/// Opens a store, makes an empty one if the directory never held any.
pub(super) fn open(directory: &Path, options: &Options) -> Result<Parts, OpenError> {
    let directory = Arc::new(Directory::lock(directory)?);
    let space = Space::new(directory.path(), options.ballast_bytes, options.low_bytes);
    space.make_room()?;
    finish_succession(&directory)?;
    let register = identify(directory, options)?;
    remove_leftovers(&register)?;
    let bounds = Bounds { log_keep_bytes: options.log_keep_bytes, slack_bytes: options.slack_bytes };
    let mut archive = open_archive(&register, bounds)?;
    let (journal, contents) = loop {
        let journal = open_journal(&register, &archive);
        match journal.and_then(|journal| Ok((journal, archive.contents()?))) {
            Ok(parts) => break parts,
            Err(OpenError::Damaged { part: Part::Archive, what }) => {
                drop(archive);
                archive = replace_archive(&register, bounds, &what)?;
            }
            Err(OpenError::Damaged { part: Part::Journal, what }) => replace_journal(&register, &what)?,
            Err(other) => return Err(other),
        }
    };
    let condition = condition(&register, &archive, &journal)?;
    space.keep_ballast();
    Ok(Parts { register, archive, journal, contents, condition, space })
}

/// Sets a whole store aside and makes an empty one that belongs to another cluster of the same configuration,
/// named by `code`. Gives the name of what was set aside, if there was anything.
pub(super) fn start_anew(directory: &Path, code: [u8; 16]) -> Result<Option<String>, OpenError> {
    let directory = Arc::new(lock_none_foreign(directory)?);
    finish_succession(&directory)?;
    let journal_bytes = Register::read(&directory)
        .ok()
        .flatten()
        .map_or(Options::default().journal_bytes, |identity| identity.journal_bytes);
    let aside = set_store_aside(&directory)?;
    create(directory, Identity::draw(journal_bytes, Some(code))?)?;
    Ok(aside)
}

/// What a replica finds in a store whose parts hold this.
pub(super) fn opened(store: StoreId, held: Held, contents: Contents, condition: Condition) -> Opened {
    let Held { promise, view, configuration, electorate, tail, shown } = held;
    let (snapshot, delivered, heard) = contents;
    Opened {
        store,
        promise,
        view,
        // If the journal that knew it is lost: the cluster was at least this far.
        configuration: configuration.or_else(|| snapshot.as_ref().map(|snapshot| snapshot.configuration.clone())),
        electorate,
        snapshot,
        delivered,
        tail,
        condition,
        shown,
        heard,
    }
}

/// Whoever has put another store in the place of this one may have been cut short.
pub(super) fn finish_succession(directory: &Directory) -> Result<(), OpenError> {
    if let Some(aside) = successor::finish(directory)? {
        let path = directory.path().display();
        log::warn!(
            "another store has taken its place in {path}, which was begun before; the former one is kept as {path}/{aside}"
        );
    }
    Ok(())
}

/// Locks a directory that is there, to look at the store in it.
pub(super) fn lock_to_look(directory: &Path) -> Result<Directory, OpenError> {
    if !directory.is_dir() {
        return Err(OpenError::io("look into", directory)(io::Error::from(io::ErrorKind::NotFound)));
    }
    lock_none_foreign(directory)
}

/// Whose store a directory holds. One without anything of a store is empty; one with other parts is damaged.
pub(super) fn identity_of(directory: &Directory) -> Result<Identity, OpenError> {
    match Register::read(directory)? {
        Some(identity) => Ok(identity),
        None if parts(directory)?.is_empty() => Err(OpenError::Empty { directory: directory.path().to_owned() }),
        None => Err(OpenError::damaged(Part::Identity, "it is missing")),
    }
}

/// Locks a directory, unless there are other things in it and no store: a lock would be left there.
fn lock_none_foreign(directory: &Path) -> Result<Directory, OpenError> {
    match foreign_name(directory)? {
        Some(foreign) => Err(OpenError::NoStore { directory: directory.to_owned(), foreign }),
        None => Directory::lock(directory),
    }
}

/// Something in a directory that no store has put there, so that it is none.
fn foreign_name(directory: &Path) -> Result<Option<String>, OpenError> {
    let read = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(OpenError::io("look into", directory))?,
    };
    let names: Vec<String> = read.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let is_store = names
        .iter()
        .any(|name| [identity::NAME, JOURNAL, successor::NAME].contains(&name.as_str()) || is_archive_name(name));
    let beside = [directory::LOCK, space::BALLAST, directory::ADDRESSES];
    let is_ours = |name: &String| beside.contains(&name.as_str()) || name.starts_with(aside::PREFIX);
    Ok(if is_store { None } else { names.into_iter().find(|name| !is_ours(name)) })
}

/// Sets the journal of a closed store aside, because others know more of this store than it shows: it is one that
/// has lost its journal from then on. Gives the name of what was set aside.
pub(super) fn distrust_journal(directory: &Path) -> Result<Option<String>, OpenError> {
    let directory = Arc::new(Directory::lock(directory)?);
    finish_succession(&directory)?;
    match Register::read(&directory)? {
        Some(identity) => forget_journal(&Register::write(directory, identity)?),
        // Opening it says that its identity is lost, and what follows from that.
        None => Ok(None),
    }
}

/// Whose store the directory holds.
fn identify(directory: Arc<Directory>, options: &Options) -> Result<Register, OpenError> {
    let register = match Register::read(&directory) {
        Ok(Some(identity)) if identity.state == State::Creating => create(directory, identity)?,
        Ok(Some(identity)) => Register::write(directory, identity)?,
        Ok(None) if !parts(&directory)?.is_empty() => replace_all(directory, options, "it is missing")?,
        Ok(None) => {
            // Whoever has set a store aside may have been cut short before the next one was made.
            let forgetful = directory.names()?.iter().any(|name| name.starts_with(aside::PREFIX));
            let identity = Identity::draw(journal_bytes(options)?, None)?;
            create(directory, Identity { forgetful, ..identity })?
        }
        Err(OpenError::Damaged { part: _, what }) => replace_all(directory, options, &what)?,
        Err(other) => return Err(other),
    };
    match (register.identity().configured, options.cluster) {
        (Some(found), Some(wanted)) if found != wanted => return Err(OpenError::OtherCluster { found, wanted }),
        (None, Some(wanted)) => register.change(|identity| identity.configured = Some(wanted))?,
        (Some(_), Some(_)) | (Some(_) | None, None) => {}
    }
    Ok(register)
}

/// Makes an empty store. Until its identity says that it is ready, it holds nothing and is made anew.
pub(super) fn create(directory: Arc<Directory>, identity: Identity) -> Result<Register, OpenError> {
    let register = Register::write(directory, Identity { state: State::Creating, ..identity })?;
    register.directory().remove(&identity.archive_name())?;
    create_journal(&register)?;
    Archive::create(&register.directory().at(&identity.archive_name()))?;
    register.change(|identity| identity.state = State::Ready)?;
    Ok(register)
}

fn create_journal(register: &Register) -> Result<(), OpenError> {
    let Identity { journal_bytes, store, .. } = register.identity();
    Journal::create(&register.directory().at(JOURNAL), journal_bytes, store, u64::from_le_bytes(random()?))
}

/// Nothing can be told of a store whose identity is lost, but that there was one.
fn replace_all(directory: Arc<Directory>, options: &Options, what: &str) -> Result<Register, OpenError> {
    let aside = set_store_aside(&directory)?;
    said(
        &directory,
        "identity",
        what,
        aside.as_deref(),
        "All of it is lost to this member, which starts over as a learner",
    );
    let identity = Identity::draw(journal_bytes(options)?, None)?;
    create(directory, Identity { forgetful: true, ..identity })
}

/// The identity goes last: whatever is left when this is cut short can't be taken for a new store.
fn set_store_aside(directory: &Directory) -> Result<Option<String>, OpenError> {
    let mut names = parts(directory)?;
    if directory.at(identity::NAME).exists() {
        names.push(identity::NAME.to_owned());
    }
    if names.is_empty() { Ok(None) } else { directory.set_all_aside(&names).map(Some) }
}

/// The journal and all archives that there are.
pub(super) fn parts(directory: &Directory) -> Result<Vec<String>, OpenError> {
    let names = directory.names()?.into_iter();
    Ok(names.filter(|name| name == JOURNAL || is_archive_name(name)).collect())
}

/// Takes out what a write or a move that was cut short has left: nothing of it ever counted.
fn remove_leftovers(register: &Register) -> Result<(), OpenError> {
    let (directory, current) = (register.directory(), register.identity().archive_name());
    for name in directory.names()? {
        if name.ends_with(".new") || (is_archive_name(&name) && name != current) {
            log::info!("removing {}, which was not finished or not needed any more", directory.at(&name).display());
            directory.remove(&name)?;
        }
    }
    Ok(())
}

fn open_archive(register: &Register, bounds: Bounds) -> Result<Archive, OpenError> {
    let (identity, directory) = (register.identity(), register.directory());
    let path = directory.at(&identity.archive_name());
    let is_there = path.join("db").exists();
    let opened = match identity.state {
        // Perhaps it was set aside a moment ago and not made again yet.
        State::Rebuilding => Archive::open(&path, identity.salt, bounds),
        State::Creating | State::Ready if is_there => Archive::open(&path, identity.salt, bounds),
        State::Creating | State::Ready => Err(OpenError::damaged(Part::Archive, "it is missing")),
    };
    match opened {
        Err(OpenError::Damaged { part: _, what }) => replace_archive(register, bounds, &what),
        opened => opened,
    }
}

/// The damaged archive makes room for an empty one, to be rebuilt from the other members.
fn replace_archive(register: &Register, bounds: Bounds, what: &str) -> Result<Archive, OpenError> {
    let directory = register.directory();
    let aside = directory.set_aside(&register.identity().archive_name())?;
    register.change(|identity| identity.state = State::Rebuilding)?;
    said(directory, "archive", what, aside.as_deref(), "It is rebuilt from the other members, if there are any");
    let identity = register.identity();
    Archive::open(&directory.at(&identity.archive_name()), identity.salt, bounds)
}

fn open_journal(register: &Register, archive: &Archive) -> Result<Journal, OpenError> {
    let (identity, path) = (register.identity(), register.directory().at(JOURNAL));
    if !path.exists() {
        return Err(OpenError::damaged(Part::Journal, "it is missing"));
    }
    let boot = u64::from_le_bytes(random()?);
    let is_rebuilding = identity.state == State::Rebuilding;
    Journal::open(&path, identity.journal_bytes, identity.store, boot, &archive.archive_end(is_rebuilding))
}

/// What the damaged journal had promised is not known any more: the store goes on under another id, as a learner.
fn replace_journal(register: &Register, what: &str) -> Result<(), OpenError> {
    let aside = forget_journal(register)?;
    said(
        register.directory(),
        "journal",
        what,
        aside.as_deref(),
        "What it had promised is unknown, so this member is a learner until the others admit it again",
    );
    Ok(())
}

/// The journal goes aside, and an empty one takes its place, of a store with another id.
fn forget_journal(register: &Register) -> Result<Option<String>, OpenError> {
    let aside = register.directory().set_aside(JOURNAL)?;
    let store = StoreId(random()?);
    register.change(|identity| (identity.store, identity.forgetful) = (store, true))?;
    create_journal(register)?;
    Ok(aside)
}

/// What became of the store, once its parts are open.
fn condition(register: &Register, archive: &Archive, journal: &Journal) -> Result<Condition, OpenError> {
    let base = journal.base();
    if archive.end().slot < base.slot {
        return Ok(Condition::Hollow { base: base.slot, digest: base.digest });
    }
    register.change(|identity| identity.state = State::Ready)?;
    let (_, view, _) = journal.standing();
    let is_forgetful = register.identity().forgetful && view.ballot.is_none();
    Ok(if is_forgetful { Condition::Forgetful } else { Condition::Whole })
}

/// A person must look at this, and be able to.
fn said(directory: &Directory, part: &str, what: &str, aside: Option<&str>, then: &str) {
    let path = directory.path().display();
    let kept = aside.map_or_else(String::new, |name| format!(" What is left of it is kept as {path}/{name}."));
    log::error!(
        "the store's {part} in {path} is damaged: {what}.{kept} {then}. If no member at \
         all has the data any more: `ftqd start-anew {path}` begins an empty cluster and keeps all of this aside"
    );
}

fn journal_bytes(options: &Options) -> Result<u64, OpenError> {
    let bytes = options.journal_bytes;
    let is_possible = (journal::AREA_BYTES_MIN..=journal::AREA_BYTES_MAX).contains(&bytes);
    if is_possible && bytes.is_multiple_of(4096) {
        Ok(bytes)
    } else {
        Err(OpenError::Options("the journal must have a multiple of 4 KiB, between 64 KiB and 2 GiB"))
    }
}
