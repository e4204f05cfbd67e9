//! What befalls a disk: it shows when the disk is opened next, as it does with a real one.
//!
//! | what | what a store finds that notices all it can |
//! | --- | --- |
//! | nothing that is needed was hit | nothing |
//! | the last group, of which no mark tells yet | a torn tail: it is silently shorter, and shows an older mark |
//! | the journal | [`Condition::Forgetful`](ftq_core::store::Condition): a new store id, what was delivered is there |
//! | the archive | [`Condition::Hollow`](ftq_core::store::Condition) down to what the journal begins with |
//! | the identity | a forgetful store with nothing in it |
//! | an older copy of all of it | nothing: only the others can tell, by the mark that it shows |
//! | an older copy of the archive | hollow, unless the journal still holds the difference |
//! | an older copy of the journal | what is delivered is there; promise and log view are those of the copy |
//!
//! A disk that holds less than it had said was durable is one [that has forgotten](Disk::has_forgotten).

use super::disk::Disk;
use super::{Archive, Journal};
use ftq_core::chance::Chance;

/// Something that befalls a disk.
#[derive(Clone, Debug)]
pub enum Mishap {
    /// A bit flips, or a write that was meant for another place lands somewhere: it hits whatever is there.
    Rot,
    /// The records at the end of which no mark tells are gone.
    TailLost,
    /// The journal can't be read any more.
    JournalLost,
    /// The archive can't be read any more.
    ArchiveLost,
    /// The file that says whose store this is can't be read any more, so nothing of it counts.
    IdentityLost,
    /// Somebody puts back an older copy of the directory.
    PutBack(Box<Disk>),
    /// Somebody puts back the archive out of an older copy.
    ArchivePutBack(Box<Disk>),
    /// Somebody puts back the journal out of an older copy.
    JournalPutBack(Box<Disk>),
}

/// How many times in sixteen a bit hits the journal's last group, the rest of the journal, the archive, the
/// identity; else it hits nothing that is needed.
const HITS: [u64; 4] = [3, 3, 5, 1];

impl Disk {
    /// Something befalls this disk, over which no store is open.
    pub fn befall(&mut self, mishap: Mishap, chance: &mut Chance) {
        match mishap {
            Mishap::Rot => {
                self.counts.rotted += 1;
                if let Some(hit) = hit(chance) {
                    self.befall(hit, chance);
                }
            }
            Mishap::TailLost => {
                if self.journal.lose_unmarked() {
                    self.counts.tails_lost += 1;
                    self.forgotten = true;
                }
            }
            Mishap::JournalLost => {
                self.counts.journals_lost += 1;
                self.journal = Journal::default();
                self.journal.base = self.archive.end;
                (self.lost_journal, self.forgotten) = (true, true);
            }
            Mishap::ArchiveLost => {
                self.counts.archives_lost += 1;
                self.archive = Archive::default();
                self.forgotten = true;
            }
            Mishap::IdentityLost => {
                self.counts.identities_lost += 1;
                (self.journal, self.archive) = (Journal::default(), Archive::default());
                (self.lost_journal, self.forgotten) = (true, true);
            }
            Mishap::PutBack(copy) => {
                self.counts.put_back += 1;
                let (counts, facts) = (self.counts, std::mem::take(&mut self.facts));
                let forgotten = self.forgotten || copy.journal.ordinal < self.journal.ordinal;
                *self = Disk { counts, facts, forgotten, ..*copy };
            }
            Mishap::ArchivePutBack(copy) => {
                assert_eq!(copy.store, self.store, "a copy of this store");
                self.counts.put_back += 1;
                if copy.archive.end.slot < self.journal.base.slot {
                    // The journal knows better: the copy is set aside.
                    self.befall(Mishap::ArchiveLost, chance);
                } else {
                    self.archive = copy.archive;
                }
            }
            Mishap::JournalPutBack(copy) => {
                assert_eq!(copy.store, self.store, "a copy of this store");
                self.counts.put_back += 1;
                self.forgotten |= copy.journal.ordinal < self.journal.ordinal;
                self.journal = copy.journal;
            }
        }
    }
}

/// What a bit hits that flips somewhere on the disk.
fn hit(chance: &mut Chance) -> Option<Mishap> {
    let at = chance.below(16);
    let hits = [Mishap::TailLost, Mishap::JournalLost, Mishap::ArchiveLost, Mishap::IdentityLost];
    let mut below = 0;
    hits.into_iter().zip(HITS).find_map(|(mishap, share)| {
        below += share;
        (at < below).then_some(mishap)
    })
}
