//! The store on a disk: a journal for what is accepted, sled for what is delivered.
//!
//! ```text
//!               ┌──────────── writer ──── journal  (one synced write per group)
//! submit ──────▶│                │
//! fetch ────────┼──▶ archivist ◀─┘ delivered slots, snapshots
//! poll ◀────────┴──────┘ └─────── archive  (sled, in bulk)
//! ```
//!
//! Always: what was reported as durable is there when the directory is opened again, or
//! [`Opened::condition`] says what is lost; a damaged part is set aside, never overwritten. `submit`, `fetch` and
//! `poll` never block. The directory belongs to one process at a time,
//! and a directory that ever was a store never counts as a new one.
//!
//! The formats are described in `FORMAT.md`.

mod archive;
mod archivist;
mod aside;
mod directory;
mod error;
mod identity;
mod journal;
mod opening;
mod outlet;
mod register;
mod scratch;
mod space;
mod successor;
mod verify;
mod vitals;
mod writer;

pub use aside::former_store;
pub use directory::{ADDRESSES, replace};
pub use error::{OpenError, Part};
pub use identity::Identity;
pub use successor::{Predecessor, has_successor};
pub use verify::{Finding, verify};
pub use vitals::{SYNC_CLASS_MICROS, SYNC_CLASSES, Syncs, Vital};

use crate::{Done, Store};
use archivist::Archivist;
use ftq_core::ids::{ClusterId, Slot};
use ftq_core::replica::FetchId;
use ftq_core::store::{Fetch, Job, JobId, Opened, Report};
use opening::Parts;
use outlet::Outlet;
use register::Register;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use vitals::Vitals;
use writer::Writer;

/// The version of the formats of this store.
pub const FORMAT: u32 = 3;

const JOURNAL: &str = "journal";

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The cluster that the store must belong to; it is written down when the store is first opened
    /// with one. `None` takes any.
    pub cluster: Option<ClusterId>,
    /// The size of a new journal. An existing one keeps its size.
    pub journal_bytes: u64,
    /// Delivered slots below the newest snapshot stay until they are more than this, for members that were away.
    pub log_keep_bytes: u64,
    /// What the archive may take on the disk beyond twice of what is in it, before it is written anew.
    pub slack_bytes: u64,
    /// With less than this free the disk is nearly full, and that is said.
    pub low_bytes: u64,
    /// A file that is removed when a store can't be opened any more for want of room.
    pub ballast_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            cluster: None,
            journal_bytes: 64 << 20,
            log_keep_bytes: 1 << 30,
            slack_bytes: 192 << 20,
            low_bytes: 256 << 20,
            ballast_bytes: 64 << 20,
        }
    }
}

/// An open store. Dropping it finishes what was handed over and lets go of the directory.
pub struct DiskStore {
    register: Register,
    writer: Option<Sender<writer::Order>>,
    archivist: Option<Sender<archivist::Order>>,
    done: Receiver<Done>,
    has_failed: bool,
    failure: Arc<OnceLock<String>>,
    vitals: [Vitals; 2],
    free: Arc<AtomicU64>,
    last: JobId,
    threads: Vec<JoinHandle<()>>,
}

impl DiskStore {
    /// Opens the store in `directory`, makes it if there is none. `wake` is called by the store's
    /// threads whenever there is something to [`poll`](Store::poll).
    pub fn open(
        directory: &Path,
        options: &Options,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<(DiskStore, Opened), OpenError> {
        let Parts { register, archive, journal, contents, condition, space } = opening::open(directory, options)?;
        let end = archive.end();
        let opened = opening::opened(register.identity().store, journal.held(), contents, condition);

        let (said, done) = channel();
        let outlet = Outlet::new(said, Arc::new(wake));
        let failure = outlet.failure();
        let (to_writer, writer_orders) = channel();
        let (to_archivist, archivist_orders) = channel();
        let snapshot = opened.snapshot.as_ref().map_or(Slot(0), |snapshot| snapshot.slot);
        let free = space.seen();
        let vitals = [Vitals::default(), Vitals::default()];
        let [of_writer, of_archivist] = vitals.clone();
        let (to, out, whose) = (to_archivist.clone(), outlet.clone(), register.clone());
        let writer = Writer::new(journal, writer_orders, to, out, whose, of_writer, (end, snapshot));
        let (to, out, whose) = (to_writer.clone(), outlet.clone(), register.clone());
        let archivist = Archivist::new(archive, archivist_orders, to, out, whose, space, of_archivist);
        let threads = vec![
            spawn("journal", outlet.clone(), move || writer.run())?,
            spawn("archive", outlet, move || archivist.run())?,
        ];
        let disk = DiskStore {
            register,
            writer: Some(to_writer),
            archivist: Some(to_archivist),
            done,
            has_failed: false,
            failure,
            vitals,
            free,
            last: JobId(0),
            threads,
        };
        Ok((disk, opened))
    }

    /// The signs of life of its threads.
    pub fn vitals(&self) -> [Vital; 2] {
        let [writer, archivist] = &self.vitals;
        [writer.look("journal"), archivist.look("archive")]
    }

    /// What is free on its disk, once that was looked at.
    pub fn free_bytes(&self) -> Option<u64> {
        Some(self.free.load(Ordering::Relaxed)).filter(|free| *free > 0)
    }

    /// What has failed, once [`Report::Failed`] was said: which part, and what the system answered.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// From now on so much of the delivered log is kept, and the disk is nearly full with less than `low_bytes` free.
    pub fn limit(&self, log_keep_bytes: u64, low_bytes: u64) {
        if let Some(archivist) = &self.archivist {
            let _ = archivist.send(archivist::Order::Limit { log_keep_bytes, low_bytes });
        }
    }

    /// Whose store it is.
    pub fn identity(&self) -> Identity {
        self.register.identity()
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

/// Sets the store in `directory` aside and makes an empty one, of another cluster with the same configuration.
/// `code` names that cluster: all its members must be started anew with the same one. Gives the name of what was
/// set aside, if there was anything.
pub fn start_anew(directory: &Path, code: [u8; 16]) -> Result<Option<String>, OpenError> {
    opening::start_anew(directory, code)
}

/// Sets the journal of a closed store aside, since others know more of the store than it shows. It is one that has
/// lost its journal from then on. Gives the name of what was set aside.
pub fn distrust_journal(directory: &Path) -> Result<Option<String>, OpenError> {
    opening::distrust_journal(directory)
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
