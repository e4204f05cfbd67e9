//! The identity as it stands, shared by all who change it.
//!
//! Always: the file changes first, and what is read here is in the file.

use super::directory::Directory;
use super::error::OpenError;
use super::identity::{self, Identity};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A directory and whose store it holds.
#[derive(Clone, Debug)]
pub(super) struct Register {
    directory: Arc<Directory>,
    identity: Arc<Mutex<Identity>>,
}

impl Register {
    /// What the directory says; `None` if it says nothing.
    pub(super) fn read(directory: &Directory) -> Result<Option<Identity>, OpenError> {
        directory.read(identity::NAME)?.map(|bytes| Identity::parse(&bytes)).transpose()
    }

    /// A register that is written down.
    pub(super) fn write(directory: Arc<Directory>, identity: Identity) -> Result<Register, OpenError> {
        directory.replace(identity::NAME, identity.text().as_bytes())?;
        Ok(Register { directory, identity: Arc::new(Mutex::new(identity)) })
    }

    /// Changes something, on the disk first.
    pub(super) fn change(&self, change: impl FnOnce(&mut Identity)) -> Result<(), OpenError> {
        let mut current = self.lock();
        let mut next = *current;
        change(&mut next);
        if next != *current {
            self.directory.replace(identity::NAME, next.text().as_bytes())?;
            *current = next;
        }
        Ok(())
    }

    /// Whose store it is.
    pub(super) fn identity(&self) -> Identity {
        *self.lock()
    }

    /// The directory.
    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// A thread that panicked while it held the lock had either changed the identity or not: it is whole.
    fn lock(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
