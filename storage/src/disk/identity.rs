//! Whose store a directory holds: a small text file outside the journal and the archive.
//!
//! Always: a directory with a ready identity is never taken for a new one, whatever became of the
//! rest of it (RULES S12).

use super::directory::Directory;
use super::error::{OpenError, Part};
use super::{FORMAT, random};
use ftq_core::ids::{ClusterId, StoreId};
use std::fmt::Write;
use xxhash_rust::xxh3::xxh3_64;

const NAME: &str = "identity";
const FIRST_LINE: &str = "ftq store";

/// Whose store this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The store's id, drawn when it was created.
    pub store: StoreId,
    /// The cluster that it belongs to, once that is known.
    pub cluster: Option<ClusterId>,
    /// Seeds the digests of snapshot pieces, so that nobody outside can make two pieces that share one.
    pub(super) salt: u64,
    /// The size of the journal.
    pub(super) journal_bytes: u64,
    /// Whether the store was ever created to the end.
    pub(super) ready: bool,
}

impl Identity {
    /// A new store.
    pub(super) fn draw(journal_bytes: u64) -> Result<Identity, OpenError> {
        Ok(Identity {
            store: StoreId(random()?),
            cluster: None,
            salt: u64::from_le_bytes(random()?),
            journal_bytes,
            ready: false,
        })
    }

    /// What the directory says; `None` if it says nothing.
    pub(super) fn read(directory: &Directory) -> Result<Option<Identity>, OpenError> {
        directory.read(NAME)?.map(|bytes| Identity::parse(&bytes)).transpose()
    }

    /// Writes it down.
    pub(super) fn write(&self, directory: &Directory) -> Result<(), OpenError> {
        directory.replace(NAME, self.text().as_bytes())
    }

    fn text(&self) -> String {
        let state = if self.ready { "ready" } else { "creating" };
        let cluster = self.cluster.map_or_else(|| "unknown".to_owned(), |cluster| hex(&cluster.0));
        let mut text = format!(
            "{FIRST_LINE}\nformat {FORMAT}\nstate {state}\nstore {}\ncluster {cluster}\nsalt {:016x}\njournal {}\n",
            hex(&self.store.0),
            self.salt,
            self.journal_bytes
        );
        let check = xxh3_64(text.as_bytes());
        text.push_str(&format!("check {check:016x}\n"));
        text
    }

    fn parse(bytes: &[u8]) -> Result<Identity, OpenError> {
        let damaged = |what: &str| OpenError::damaged(Part::Identity, what);
        let text = std::str::from_utf8(bytes).map_err(|_| damaged("it is not text"))?;
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(damaged("it is no identity of a store"));
        }
        let mut field = |name: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.ok_or_else(|| damaged(&format!("there is no line \"{name}\"")))
        };
        let format = field("format")?.parse::<u32>().map_err(|_| damaged("the format is no number"))?;
        if format > FORMAT {
            return Err(OpenError::Newer { format });
        }
        let ready = match field("state")? {
            "ready" => true,
            "creating" => false,
            _ => return Err(damaged("the state is unknown")),
        };
        let store = StoreId(unhex(field("store")?).ok_or_else(|| damaged("the store's id can't be read"))?);
        let cluster = match field("cluster")? {
            "unknown" => None,
            id => Some(ClusterId(unhex(id).ok_or_else(|| damaged("the cluster's id can't be read"))?)),
        };
        let salt = u64::from_str_radix(field("salt")?, 16).map_err(|_| damaged("the salt can't be read"))?;
        let journal_bytes = field("journal")?.parse().map_err(|_| damaged("the journal's size is no number"))?;
        let identity = Identity { store, cluster, salt, journal_bytes, ready };
        if format == FORMAT && identity.text() != text { Err(damaged("its check is wrong")) } else { Ok(identity) }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
