//! Whose store a directory holds: a small text file outside the journal and the archive.
//!
//! Always: a directory with a ready identity is never taken for a new one, whatever became of the
//! rest of it (RULES S12). The file is replaced as a whole, so it says at every moment which archive is the
//! current one, and what of the store was lost.

use super::error::{OpenError, Part};
use super::{FORMAT, random};
use ftq_core::ids::{ClusterId, StoreId};
use std::fmt::Write;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

pub(super) const NAME: &str = "identity";
const FIRST_LINE: &str = "ftq store";

/// Whose store this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The store's id, drawn when it was created, and again when its journal was lost.
    pub store: StoreId,
    /// The cluster as it is configured, once that is known.
    pub configured: Option<ClusterId>,
    /// What the operator's order to start anew has drawn: it makes another cluster of the same configuration.
    pub anew: Option<[u8; 16]>,
    /// Seeds the digests of snapshot pieces, so that nobody outside can make two pieces that share one.
    pub(super) salt: u64,
    /// The size of the journal.
    pub(super) journal_bytes: u64,
    /// Which archive is the current one; it rises with each move.
    pub(super) archive: u32,
    pub(super) state: State,
    /// Whether a journal was lost since the store was created: until a view is installed again the store must
    /// not count as a new one.
    pub(super) forgetful: bool,
}

/// How far a store has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It was never created to the end, and holds nothing.
    Creating,
    /// It is all there.
    Ready,
    /// Its archive was lost, and is not yet what the journal builds on.
    Rebuilding,
}

impl State {
    const ALL: [State; 3] = [State::Creating, State::Ready, State::Rebuilding];

    fn text(self) -> &'static str {
        match self {
            State::Creating => "creating",
            State::Ready => "ready",
            State::Rebuilding => "rebuilding",
        }
    }
}

impl Identity {
    /// A new store.
    pub(super) fn draw(journal_bytes: u64, anew: Option<[u8; 16]>) -> Result<Identity, OpenError> {
        Ok(Identity {
            store: StoreId(random()?),
            configured: None,
            anew,
            salt: u64::from_le_bytes(random()?),
            journal_bytes,
            archive: 0,
            state: State::Creating,
            forgetful: false,
        })
    }

    /// The cluster that the store belongs to, once that is known. A store answers to one for ever.
    pub fn cluster(&self) -> Option<ClusterId> {
        let configured = self.configured?;
        let Some(anew) = self.anew else { return Some(configured) };
        Some(ClusterId(xxh3_128(&[configured.0, anew].concat()).to_le_bytes()))
    }

    /// The name of the current archive's directory.
    pub(super) fn archive_name(&self) -> String {
        archive_name(self.archive)
    }

    pub(super) fn text(&self) -> String {
        let optional = |id: Option<[u8; 16]>| id.map_or_else(|| "none".to_owned(), |id| hex(&id));
        let mut text =
            format!("{FIRST_LINE}\nformat {FORMAT}\nstate {}\nstore {}\n", self.state.text(), hex(&self.store.0));
        let configured = optional(self.configured.map(|cluster| cluster.0));
        let _ = write!(text, "cluster {configured}\nanew {}\n", optional(self.anew));
        let _ = write!(text, "salt {:016x}\njournal {}\narchive {}\n", self.salt, self.journal_bytes, self.archive);
        let _ = writeln!(text, "forgetful {}", if self.forgetful { "yes" } else { "no" });
        seal(&mut text);
        text
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Identity, OpenError> {
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
        // A newer version may have another check; what it has written is not judged.
        if format > FORMAT {
            return Err(OpenError::Newer { format });
        }
        if !is_sealed(text) {
            return Err(damaged("its check is wrong"));
        }
        let id = |text: &str| match text {
            "none" | "unknown" => Ok(None),
            id => unhex(id).map(Some).ok_or_else(|| damaged("an id can't be read")),
        };
        let number = |text: &str| text.parse::<u64>().map_err(|_| damaged("a size is no number"));
        let state = field("state")?;
        let state = State::ALL
            .into_iter()
            .find(|known| known.text() == state)
            .ok_or_else(|| damaged("the state is unknown"))?;
        let store = StoreId(id(field("store")?)?.ok_or_else(|| damaged("it names no store"))?);
        let configured = id(field("cluster")?)?.map(ClusterId);
        let anew = if format >= 2 { id(field("anew")?)? } else { None };
        let salt = u64::from_str_radix(field("salt")?, 16).map_err(|_| damaged("the salt can't be read"))?;
        let journal_bytes = number(field("journal")?)?;
        let (archive, forgetful) = match format {
            0 | 1 => (0, false),
            _ => (number(field("archive")?)?, field("forgetful")? == "yes"),
        };
        let archive = u32::try_from(archive).map_err(|_| damaged("the archive's number is too large"))?;
        Ok(Identity { store, configured, anew, salt, journal_bytes, archive, state, forgetful })
    }
}

/// The directory of the archive with this number.
pub(super) fn archive_name(number: u32) -> String {
    if number == 0 { "sled".to_owned() } else { format!("sled.{number}") }
}

/// Whether this could be the name of an archive.
pub(super) fn is_archive_name(name: &str) -> bool {
    name == "sled" || name.strip_prefix("sled.").is_some_and(|number| number.parse::<u32>().is_ok())
}

fn seal(text: &mut String) {
    let check = xxh3_64(text.as_bytes());
    let _ = writeln!(text, "check {check:016x}");
}

fn is_sealed(text: &str) -> bool {
    let Some(at) = text.rfind("check ") else { return false };
    let mut again = text[..at].to_owned();
    seal(&mut again);
    again == text
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
