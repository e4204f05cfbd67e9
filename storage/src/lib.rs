//! Where a replica's promises, log and snapshots are kept, behind one trait.
//!
//! A store is a queue with a disk behind it: jobs go in by [`Store::submit`], what was done comes out
//! of [`Store::poll`], and nothing in between blocks, whatever the disk does. A store on a real disk
//! has threads that work the queue off; the one in memory has virtual time. Neither runs on an
//! executor, and neither decides anything: what the jobs mean is written at [`ftq_core::store`].
//!
//! A store is opened by a function of its own that hands over what the disk holds
//! ([`ftq_core::store::Opened`]) together with the store. Each opening counts its jobs from 1; reports
//! of an earlier opening never come. The queue has no bound here: the replica keeps what it has handed
//! over and not seen reported within its own limits.

use ftq_core::replica::FetchId;
use ftq_core::store::{Fetch, Fetched, Job, JobId, Report};

pub mod disk;
pub mod memory;

/// A disk that takes jobs and says when they are done.
pub trait Store {
    /// Takes a job. Job numbers rise by one from 1.
    fn submit(&mut self, id: JobId, job: Job);

    /// Asks for something to be read back. It is answered by [`Done::Fetched`], or never after a failure.
    fn fetch(&mut self, id: FetchId, fetch: Fetch);

    /// The next thing that was done; `None` when there is nothing new.
    fn poll(&mut self) -> Option<Done>;
}

/// Something that a store has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A job made progress. After [`Report::Failed`] nothing else comes.
    Report(Report),
    /// Something was read.
    Fetched(FetchId, Fetched),
}
