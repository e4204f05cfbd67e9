//! A key file on the disk: nobody but its owner and its group may have a hand in it.

use super::{BadLine, Keys};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// No key file is longer: all keys that it may have, with room for comments.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the group (but for reading) and everybody else may do with a file, as bits of its mode.
const TOO_OPEN: u32 = 0o037;

/// Why a key file can't be used.
#[derive(Debug)]
pub struct Problem {
    path: PathBuf,
    what: What,
}

#[derive(Debug)]
enum What {
    System(io::Error),
    Open(u32),
    Long,
    Line(BadLine),
}

/// The keys in the file at `path`.
pub fn read(path: &Path) -> Result<Keys, Problem> {
    keys(path).map_err(|what| Problem { path: path.to_owned(), what })
}

fn keys(path: &Path) -> Result<Keys, What> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & TOO_OPEN != 0 {
        return Err(What::Open(mode));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(What::Long);
    }
    Keys::parse(&text).map_err(What::Line)
}

impl From<io::Error> for What {
    fn from(error: io::Error) -> What {
        What::System(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.what {
            What::System(error) if error.kind() == io::ErrorKind::NotFound => {
                write!(f, "{path}: there is no such key file; `ftqctl key new --file {path}` makes one")
            }
            What::System(error) => write!(f, "{path}: {error}"),
            What::Open(mode) => write!(
                f,
                "{path}: others can read or change this key file (its mode is {mode:03o}): `chmod 600 {path}`, and draw \
                 a new key if somebody may have seen it"
            ),
            What::Long => write!(f, "{path}: this is longer than any key file"),
            What::Line(bad) => write!(f, "{path}: {bad}"),
        }
    }
}

impl std::error::Error for Problem {}
