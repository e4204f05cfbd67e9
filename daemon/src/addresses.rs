//! Where other members were found, kept beside the store: so replicas that are in nobody's file find each other again
//! when several of them start, and whoever they came by is gone.
//!
//! ```text
//! ftq addresses 1
//! 4 192.0.2.4:7411
//! ```
//! It is nothing but a beginning: who is said to be there is asked. So what is damaged or missing is learned anew.

use ftq_core::ids::MemberId;
use ftq_storage::disk::ADDRESSES;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread;

const FIRST_LINE: &str = "ftq addresses 1";

/// The file, which is written on a thread of its own: a disk may be slow.
#[derive(Debug)]
pub(crate) struct Addresses {
    path: PathBuf,
    /// What is to be in it; none before there is anything.
    writer: Option<Sender<String>>,
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
        (Addresses { path, writer: None }, known)
    }

    /// From now on this is in it.
    pub(crate) fn keep(&mut self, known: impl Iterator<Item = (MemberId, SocketAddr)>) {
        let mut text = format!("{FIRST_LINE}\n");
        for (member, address) in known {
            // Writing into a string can't fail.
            let _ = writeln!(text, "{member} {address}");
        }
        let path = &self.path;
        let writer = self.writer.get_or_insert_with(|| writer(path.clone()));
        // It ends only if there was no thread for it, which was said.
        let _ = writer.send(text);
    }
}

/// A thread that writes what it is told to, and ends when nobody does so any more.
fn writer(path: PathBuf) -> Sender<String> {
    let (tell, told) = channel::<String>();
    let refused = format!("{} can't be written, so it is learned again after the next start", path.display());
    let work = {
        let refused = refused.clone();
        move || {
            for text in told {
                if let Err(error) = replace(&path, &text) {
                    log::warn!("{refused}: {error}");
                }
            }
        }
    };
    if let Err(error) = thread::Builder::new().name("ftq-addresses".to_owned()).spawn(work) {
        log::warn!("{refused}: {error}");
    }
    tell
}

/// After a power cut it is the old one or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let staged = path.with_extension("new");
    let mut file = File::create(&staged)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&staged, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
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
