//! Looks at a store that nobody has open, and says what is there and what is wrong.
//!
//! Always: nothing of the store is changed. sled repairs what it opens, so a copy of it is opened, which
//! needs as much room again for as long as it is looked at.

use super::directory::Directory;
use super::error::{OpenError, Part};
use super::identity::{Identity, State};
use super::journal::{Examined, Journal, Point};
use super::{JOURNAL, opening, scratch, successor};
use ftq_core::ids::Slot;
use ftq_core::store::SlotRecord;
use std::fmt;
use std::path::Path;

/// Something that was found in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub part: Part,
    /// Whether it is something that must not be.
    pub is_wrong: bool,
    /// What it is.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", if self.is_wrong { "WRONG " } else { "" }, self.part, self.what)
    }
}

/// Walks everything that the store in `directory` holds. An error means that it could not be looked at.
pub fn verify(directory: &Path) -> Result<Vec<Finding>, OpenError> {
    let directory = opening::lock_to_look(directory)?;
    let mut findings = Findings::default();
    if successor::has_successor(directory.path()) {
        findings.there(
            Part::Identity,
            "another store is on its way to this place: the next start finishes that".to_owned(),
        );
        return Ok(findings.0);
    }
    let Some(identity) = findings.identity(&directory)? else { return Ok(findings.0) };
    let archive = findings.archive(&directory, &identity)?;
    let above = archive.map_or(Slot(0), |end| end.slot);
    let tail = findings.journal(&directory, &identity, above)?;
    if let (Some(end), Some(tail)) = (archive, tail) {
        findings.joint(end, &tail);
    }
    Ok(findings.0)
}

/// What the journal says, as far as the archive has to fit it.
struct Tail {
    archived: Point,
    slots: Vec<SlotRecord>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn there(&mut self, part: Part, what: String) {
        self.0.push(Finding { part, is_wrong: false, what });
    }

    fn wrong(&mut self, part: Part, what: String) {
        self.0.push(Finding { part, is_wrong: true, what });
    }

    /// Damage is a finding; that something could not be read is not.
    fn noted<T>(&mut self, read: Result<T, OpenError>) -> Result<Option<T>, OpenError> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(OpenError::Damaged { part, what }) => {
                self.wrong(part, what);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    fn identity(&mut self, directory: &Directory) -> Result<Option<Identity>, OpenError> {
        let Some(identity) = self.noted(opening::identity_of(directory))? else { return Ok(None) };
        if identity.state == State::Creating {
            self.there(Part::Identity, "the store was never created to its end, and holds nothing".to_owned());
            return Ok(None);
        }
        let of = identity.cluster().map_or("no cluster yet".to_owned(), |id| format!("cluster {id:?}"));
        self.there(Part::Identity, format!("store {:?} of {of}", identity.store));
        if identity.state == State::Rebuilding {
            self.there(Part::Archive, "it was lost, and is being rebuilt from the other members".to_owned());
        }
        if identity.forgetful {
            self.there(Part::Journal, "one was lost; this store began with another".to_owned());
        }
        Ok(Some(identity))
    }

    /// `above` is what the archive holds: slots up to there are of no interest here.
    fn journal(&mut self, directory: &Directory, identity: &Identity, above: Slot) -> Result<Option<Tail>, OpenError> {
        let path = directory.at(JOURNAL);
        if !path.exists() {
            self.wrong(Part::Journal, "it is missing".to_owned());
            return Ok(None);
        }
        let examined = Journal::examine(&path, identity.journal_bytes, identity.store);
        let Some(examined) = self.noted(examined)? else { return Ok(None) };
        let (Examined { oldest, shown, .. }, archived, slots) = (&examined, examined.archived(), examined.slots());
        let live: Vec<SlotRecord> = slots.iter().filter(|record| record.slot > above).cloned().collect();
        self.there(Part::Journal, format!("records {oldest} to {}, promise {:?}", shown.ordinal, shown.promise));
        self.there(Part::Journal, format!("log view {:?}, accepted {}", shown.view, range(&live)));
        Ok(Some(Tail { archived, slots }))
    }

    fn archive(&mut self, directory: &Directory, identity: &Identity) -> Result<Option<Point>, OpenError> {
        let path = directory.at(&identity.archive_name());
        if !path.join("db").exists() {
            self.wrong(Part::Archive, "it is missing".to_owned());
            return Ok(None);
        }
        let Some((_copy, archive)) = self.noted(scratch::open(directory, identity))? else { return Ok(None) };
        let Some((snapshot, delivered, _)) = self.noted(archive.contents())? else { return Ok(None) };
        match snapshot {
            None => self.there(Part::Archive, "no snapshot".to_owned()),
            Some(snapshot) => {
                let pieces = snapshot.pieces.len();
                let bytes: usize = snapshot.pieces.iter().map(|piece| piece.len()).sum();
                self.there(
                    Part::Archive,
                    format!("a snapshot at slot {}, {pieces} pieces, {bytes} bytes", snapshot.slot),
                );
            }
        }
        for what in self.noted(archive.damaged_values())?.unwrap_or_default() {
            self.wrong(Part::Archive, what);
        }
        self.there(Part::Archive, format!("delivered up to slot {}, {}", archive.end().slot, range(&delivered)));
        Ok(Some(archive.end()))
    }

    /// The archive has to reach the journal, and the journal to continue the archive.
    fn joint(&mut self, end: Point, tail: &Tail) {
        if end.slot < tail.archived.slot {
            let (end, archived) = (end.slot, tail.archived.slot);
            self.wrong(Part::Archive, format!("it ends at slot {end}, and had synced {archived}"));
        }
        let first = tail.slots.first().map_or(Slot(u64::MAX), |first| first.slot);
        if first < Slot(u64::MAX) && first > end.slot.next() {
            self.wrong(Part::Archive, format!("it ends at slot {}, the journal begins at {first}", end.slot));
        }
        if tail.slots.iter().any(|record| record.slot == end.slot && record.digest != end.digest) {
            // Catch-up was cut short between archive and journal; opening puts it right.
            self.there(Part::Journal, format!("what it holds does not fit the archive at slot {}", end.slot));
        }
    }
}

fn range(slots: &[SlotRecord]) -> String {
    match (slots.first(), slots.last()) {
        (Some(first), Some(last)) => format!("slots {} to {}", first.slot, last.slot),
        (Some(_) | None, _) => "no slots".to_owned(),
    }
}
