//! Where other members were found, kept beside the store: so replicas that are in nobody's file find each other again
//! when several of them start, and whoever they came by is gone.
//!
//! ```text
//! ftq addresses 1
//! 4 192.0.2.4:7411
//! ```
//! It is nothing but a beginning: who is said to be there is asked. So what is damaged or missing is learned anew.

use ftq_core::ids::MemberId;
use ftq_storage::disk::{self, ADDRESSES};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

const FIRST_LINE: &str = "ftq addresses 1";

/// The file, which is written on a thread of its own: a disk may be slow.
#[derive(Debug)]
pub(crate) struct Addresses {
    directory: PathBuf,
    /// None before there is anything to be in it.
    writer: Option<Writer>,
}

/// A thread that writes. Only the newest counts, so what a slow disk has not taken yet does not pile up.
#[derive(Debug)]
struct Writer {
    newest: Arc<Mutex<Option<String>>>,
    bell: SyncSender<()>,
}

impl Addresses {
    /// The file in the directory of a store, and what it says.
    pub(crate) fn open(directory: &Path) -> (Addresses, Vec<(MemberId, SocketAddr)>) {
        let path = directory.join(ADDRESSES);
        let known = match fs::read_to_string(&path) {
            Ok(text) => parse(&text).unwrap_or_else(|| {
                log::warn!("{} is damaged: where the other members are is learned anew", path.display());
                Vec::new()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                log::warn!("{} can't be read, so where the other members are is learned anew: {error}", path.display());
                Vec::new()
            }
        };
        (Addresses { directory: directory.to_owned(), writer: None }, known)
    }

    /// From now on this is in it.
    pub(crate) fn keep(&mut self, known: impl Iterator<Item = (MemberId, SocketAddr)>) {
        let mut text = format!("{FIRST_LINE}\n");
        for (member, address) in known {
            // Writing into a string can't fail.
            let _ = writeln!(text, "{member} {address}");
        }
        let directory = &self.directory;
        self.writer.get_or_insert_with(|| Writer::begin(directory.clone())).write(text);
    }
}

impl Writer {
    /// It ends when nobody has anything to be written any more.
    fn begin(directory: PathBuf) -> Writer {
        let (bell, rings) = sync_channel(1);
        let newest = Arc::new(Mutex::new(None));
        let path = directory.join(ADDRESSES);
        let refused = format!("{} can't be written, so it is learned again after the next start", path.display());
        let work = {
            let (refused, newest) = (refused.clone(), newest.clone());
            move || {
                for () in rings {
                    let Some(text) = taken(&newest) else { continue };
                    if let Err(error) = disk::replace(&directory, ADDRESSES, text.as_bytes()) {
                        log::warn!("{refused}: {error}");
                    }
                }
            }
        };
        if let Err(error) = thread::Builder::new().name("ftq-addresses".to_owned()).spawn(work) {
            log::warn!("{refused}: {error}");
        }
        Writer { newest, bell }
    }

    fn write(&self, text: String) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        // It has been rung already, or there is no thread, which was said.
        let _ = self.bell.try_send(());
    }
}

fn taken(newest: &Mutex<Option<String>>) -> Option<String> {
    newest.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn parse(text: &str) -> Option<Vec<(MemberId, SocketAddr)>> {
    let lines = text.strip_prefix(FIRST_LINE)?.strip_prefix('\n')?;
    let known = |line: &str| {
        let (member, address) = line.split_once(' ')?;
        Some((MemberId::new(member.parse().ok()?)?, address.parse().ok()?))
    };
    lines.lines().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn known() -> Vec<(MemberId, SocketAddr)> {
        let seat = |n, address: &str| (MemberId::new(n).expect("an id"), address.parse().expect("an address"));
        vec![seat(4, "192.0.2.4:7411"), seat(5, "[2001:db8::5]:7411")]
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let (mut addresses, nothing) = Addresses::open(directory.path());
        assert_eq!(nothing, []);
        addresses.keep(known().into_iter().take(1));
        addresses.keep(known().into_iter());
        let read = || Addresses::open(directory.path()).1;
        let mut tries = 0..600;
        while read() != known() {
            assert!(tries.next().is_some(), "it is not written");
            smol::block_on(smol::Timer::after(Duration::from_millis(50)));
        }
    }

    #[test]
    fn what_is_damaged_is_learned_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let whole = format!("{FIRST_LINE}\n4 192.0.2.4:7411\n");
        for damaged in ["", "ftq addresses 2\n", &whole[..20], &whole.replace("4 ", "70 "), &whole.replace("192", "x")]
        {
            fs::write(directory.path().join(ADDRESSES), damaged).expect("a file");
            assert_eq!(Addresses::open(directory.path()).1, [], "{damaged:?}");
        }
        fs::write(directory.path().join(ADDRESSES), [0xff; 9]).expect("a file");
        assert_eq!(Addresses::open(directory.path()).1, []);
        fs::write(directory.path().join(ADDRESSES), whole).expect("a file");
        assert_eq!(Addresses::open(directory.path()).1, known()[..1]);
    }
}
