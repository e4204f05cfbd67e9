//! The store on a disk: a journal for what is accepted, sled for what is delivered (DESIGN.md section 6).
//!
//! ```text
//!               ┌──────────── writer ──── journal  (one synced write per group)
//! submit ──────▶│                │
//! fetch ────────┼──▶ archivist ◀─┘ delivered slots, snapshots
//! poll ◀────────┴──────┘ └─────── archive  (sled, in bulk)
//! ```
//!
//! Always: what was reported as durable is there when the directory is opened again, or opening says
//! why not. `submit`, `fetch` and `poll` never block. The directory belongs to one process at a time,
//! and a directory that ever was a store never counts as a new one.
//!
//! The formats are described in `FORMAT.md`.

mod archive;
mod archivist;
mod directory;
mod error;
mod identity;
mod journal;
mod outlet;
mod verify;
mod writer;

pub use error::{OpenError, Part};
pub use identity::Identity;
pub use verify::{Finding, verify};

use crate::{Done, Store};
use archive::Archive;
use archivist::Archivist;
use directory::Directory;
use ftq_core::ids::{ClusterId, Slot};
use ftq_core::replica::FetchId;
use ftq_core::store::{Condition, Fetch, Job, JobId, Opened, Report};
use journal::Journal;
use outlet::Outlet;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use writer::Writer;

/// The version of the formats of this store.
pub const FORMAT: u32 = 1;

const JOURNAL: &str = "journal";
const ARCHIVE: &str = "sled";

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The cluster that the store must belong to; it is written down when the store is first opened
    /// with one. `None` takes any.
    pub cluster: Option<ClusterId>,
    /// The size of a new journal. An existing one keeps its size.
    pub journal_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { cluster: None, journal_bytes: 64 << 20 }
    }
}

/// An open store. Dropping it finishes what was handed over and lets go of the directory.
pub struct DiskStore {
    identity: Identity,
    writer: Option<Sender<writer::Order>>,
    archivist: Option<Sender<archivist::Order>>,
    done: Receiver<Done>,
    has_failed: bool,
    last: JobId,
    threads: Vec<JoinHandle<()>>,
    _directory: Directory,
}

impl DiskStore {
    /// Opens the store in `directory`, makes it if there is none. `wake` is called by the store's
    /// threads whenever there is something to [`poll`](Store::poll).
    pub fn open(
        directory: &Path,
        options: &Options,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<(DiskStore, Opened), OpenError> {
        let directory = Directory::lock(directory)?;
        verify::clean_up(&directory)?;
        let identity = identify(&directory, options)?;
        let boot = u64::from_le_bytes(random()?);
        let archive = Archive::open(&directory.at(ARCHIVE), identity.salt)?;
        let end = archive.archive_end();
        let path = directory.at(JOURNAL);
        let journal = Journal::open(&path, identity.journal_bytes, identity.store, boot, &end)?;

        let (snapshot, delivered) = archive.contents()?;
        let (promise, view, configuration) = journal.standing();
        let tail = journal.slots(end.end.slot.next()).cloned().collect();
        let store = identity.store;
        let opened = Opened {
            store,
            promise,
            view,
            configuration: configuration.or_else(|| snapshot.as_ref().map(|snapshot| snapshot.configuration.clone())),
            snapshot,
            delivered,
            tail,
            condition: Condition::Whole,
            shown: journal.shown(),
            heard: archive.heard().map_err(|trouble| OpenError::damaged(Part::Archive, trouble.to_string()))?,
        };

        let (said, done) = channel();
        let outlet = Outlet::new(said, Arc::new(wake));
        let (to_writer, writer_orders) = channel();
        let (to_archivist, archivist_orders) = channel();
        let snapshot = opened.snapshot.as_ref().map_or(Slot(0), |snapshot| snapshot.slot);
        let writer = Writer::new(journal, writer_orders, to_archivist.clone(), outlet.clone(), end.end, snapshot);
        let archivist = Archivist::new(archive, archivist_orders, to_writer.clone(), outlet.clone());
        let threads = vec![
            spawn("journal", outlet.clone(), move || writer.run())?,
            spawn("archive", outlet, move || archivist.run())?,
        ];
        let disk = DiskStore {
            identity,
            writer: Some(to_writer),
            archivist: Some(to_archivist),
            done,
            has_failed: false,
            last: JobId(0),
            threads,
            _directory: directory,
        };
        Ok((disk, opened))
    }

    /// Whose store it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Store for DiskStore {
    fn submit(&mut self, id: JobId, job: Job) {
        assert_eq!(id.0, self.last.0 + 1, "job numbers rise by one");
        self.last = id;
        if let Some(writer) = &self.writer {
            // A thread that has failed is gone; it has said so.
            let _ = writer.send(writer::Order::Job(id, job));
        }
    }

    fn fetch(&mut self, id: FetchId, fetch: Fetch) {
        if let Some(archivist) = &self.archivist {
            let _ = archivist.send(archivist::Order::Fetch(id, fetch));
        }
    }

    fn poll(&mut self) -> Option<Done> {
        if self.has_failed {
            return None;
        }
        let done = self.done.try_recv().ok()?;
        self.has_failed = done == Done::Report(Report::Failed);
        Some(done)
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            let _ = writer.send(writer::Order::Close);
        }
        // The archivist ends when neither this nor the writer can ask it for anything.
        self.archivist = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Whose store the directory holds; makes an empty one if it never held any.
fn identify(directory: &Directory, options: &Options) -> Result<Identity, OpenError> {
    let mut identity = match Identity::read(directory)? {
        Some(identity) if identity.ready => {
            if !directory.at(JOURNAL).exists() {
                return Err(OpenError::damaged(Part::Journal, "it is missing"));
            }
            if !directory.at(ARCHIVE).join("db").exists() {
                return Err(OpenError::damaged(Part::Archive, "it is missing"));
            }
            identity
        }
        Some(unfinished) => create(directory, unfinished)?,
        None if directory.at(JOURNAL).exists() || directory.at(ARCHIVE).exists() => {
            return Err(OpenError::damaged(Part::Identity, "it is missing"));
        }
        None => create(directory, Identity::draw(journal_bytes(options)?)?)?,
    };
    match (identity.cluster, options.cluster) {
        (Some(found), Some(wanted)) if found != wanted => return Err(OpenError::OtherCluster { found }),
        (None, Some(wanted)) => {
            identity.cluster = Some(wanted);
            identity.write(directory)?;
        }
        (Some(_), Some(_)) | (Some(_) | None, None) => {}
    }
    Ok(identity)
}

/// Makes an empty store. Until its identity says that it is ready, it holds nothing and is made anew.
fn create(directory: &Directory, identity: Identity) -> Result<Identity, OpenError> {
    identity.write(directory)?;
    let archive = directory.at(ARCHIVE);
    if archive.exists() {
        fs::remove_dir_all(&archive).map_err(OpenError::io("clean up", &archive))?;
    }
    let boot = u64::from_le_bytes(random()?);
    Journal::create(&directory.at(JOURNAL), identity.journal_bytes, identity.store, boot)?;
    drop(Archive::open(&archive, identity.salt)?);
    let ready = Identity { ready: true, ..identity };
    ready.write(directory)?;
    Ok(ready)
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

/// A thread whose panic is a failure of the store: sled has some in it.
fn spawn(
    name: &'static str,
    outlet: Outlet,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, OpenError> {
    let guarded = move || {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            outlet.fail(name, &"it panicked");
        }
    };
    let spawned = thread::Builder::new().name(format!("ftq-{name}")).spawn(guarded);
    spawned.map_err(OpenError::io("start the thread for", Path::new(name)))
}

/// Bytes that nobody can guess.
fn random<const N: usize>() -> Result<[u8; N], OpenError> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            Err(OpenError::io("draw random bytes for", Path::new("the store"))(io::Error::other(error.to_string())))
        }
    }
}
