//! What stores have shown of themselves, so that one that comes back older is told from one that is whole.
//!
//! A mark is compared by its ordinal, which never falls: an install lowers the end of a log with good
//! reason. What a boot shows is what its store opened with. Whoever shows less than was heard from an
//! earlier boot has lost something that it once said was durable, and is no voter (RULES S13).

use crate::ids::{BootId, MemberId, MemberSet, StoreId};
use crate::replica::{Event, Stop};
use crate::store::{Heard, Job, Mark};
use crate::time::{Span, Time};
use alloc::vec::Vec;

use super::message::{HEARD_MAX, Message};
use super::{Group, Output};

/// How often what was heard is written down, if there is anything new.
const WRITE_EVERY: Span = Span::secs(1);

/// The highest marks that were heard, of each store at most those of two boots.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    heard: Vec<Heard>,
    is_new: bool,
    write_at: Time,
}

impl Marks {
    /// What was written down in earlier runs.
    pub(super) fn new(heard: Vec<Heard>) -> Marks {
        Marks { heard, ..Marks::default() }
    }

    /// A boot of a store has shown this.
    pub(super) fn hear(&mut self, store: StoreId, boot: BootId, mark: Mark) {
        match self.heard.iter_mut().find(|known| known.store == store && known.boot == boot) {
            Some(known) if known.mark.ordinal >= mark.ordinal => return,
            Some(known) => known.mark = mark,
            None => {
                // Of the boots before only the one counts that showed most.
                let least = |heard: &[Heard]| {
                    let mut earlier = heard.iter().enumerate().filter(|(_, known)| known.store == store);
                    let first = earlier.next()?;
                    let second = earlier.next()?;
                    Some(if first.1.mark.ordinal < second.1.mark.ordinal { first.0 } else { second.0 })
                };
                if let Some(index) = least(&self.heard) {
                    self.heard.remove(index);
                }
                self.heard.push(Heard { store, boot, mark });
            }
        }
        self.is_new = true;
    }

    /// A packet of a boot that was heard before says how far its store has come.
    pub(super) fn hear_ordinal(&mut self, store: StoreId, boot: BootId, ordinal: u64) {
        if let Some(known) = self.heard.iter_mut().find(|known| known.store == store && known.boot == boot)
            && known.mark.ordinal < ordinal
        {
            known.mark.ordinal = ordinal;
            self.is_new = true;
        }
    }

    /// Whether a store that shows this in `boot` has shown more in an earlier one.
    pub(super) fn know_more(&self, store: StoreId, boot: BootId, shown: Mark) -> bool {
        is_older(&self.heard, store, boot, shown)
    }

    /// Forgets all but these stores.
    fn retain(&mut self, matters: impl Fn(StoreId) -> bool) {
        self.heard.retain(|known| matters(known.store));
        self.heard.truncate(HEARD_MAX);
    }
}

/// Whether `heard` tells of more than a store shows in `boot`.
pub(super) fn is_older(heard: &[Heard], store: StoreId, boot: BootId, shown: Mark) -> bool {
    heard.iter().any(|known| known.store == store && known.boot != boot && known.mark.ordinal > shown.ordinal)
}

impl Group {
    /// What this replica has said so far of what is durable here.
    pub(super) fn own_mark(&self) -> Mark {
        Mark { ordinal: self.ordinal, promise: self.promise, view: self.view().ballot, end: self.durable }
    }

    /// What this replica tells a proposer of the marks of others.
    pub(super) fn heard_marks(&self) -> Vec<Heard> {
        self.marks.heard.iter().take(HEARD_MAX).copied().collect()
    }

    /// A peer has shown what its store holds. If it once held more, the peer is told.
    pub(super) fn hear_mark(&mut self, member: MemberId, store: StoreId, shown: Mark, mark: Mark) {
        let Some(boot) = self.detector.peer(member).and_then(|peer| peer.boot) else { return };
        if self.marks.know_more(store, boot, shown) {
            self.note(MemberSet::of(member), Message::Older(store));
        } else {
            self.marks.hear(store, boot, mark);
        }
    }

    /// This store is older than what another replica has heard of it: it may have promised and
    /// acknowledged what it does not know of.
    pub(super) fn on_older(&mut self, store: StoreId) {
        if store == self.store {
            self.stop(Stop::StoreOlder);
            self.out.push_front(Output::Event(Event::Older));
        }
    }

    /// Writes down what was heard, when it suits.
    pub(super) fn write_marks(&mut self, now: Time) {
        if !self.marks.is_new || now < self.marks.write_at {
            return;
        }
        self.marks.write_at = now + WRITE_EVERY;
        self.marks.is_new = false;
        let electorate = self.log.electorate().clone();
        let seated = |store| {
            let seats = electorate.sealed.seats.iter().chain(electorate.proposed.iter().flat_map(|c| &c.seats));
            seats.into_iter().any(|seat| seat.store == Some(store))
        };
        if !electorate.is_founding() {
            self.marks.retain(seated);
        }
        let marks = self.marks.heard.clone();
        self.persist(now, Job::Heard { marks });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(ordinal: u64) -> Mark {
        Mark { ordinal, ..Mark::default() }
    }

    fn boot(n: u8) -> BootId {
        BootId([n; 16])
    }

    /// What a boot shows is held against all boots before it, and never against itself.
    #[test]
    fn a_store_that_shows_less_than_before_is_older() {
        let store = StoreId([1; 16]);
        let mut marks = Marks::default();
        marks.hear(store, boot(1), mark(10));
        marks.hear_ordinal(store, boot(1), 17);
        assert!(!marks.know_more(store, boot(1), mark(5)), "it showed 5 and has gone on since");
        assert!(marks.know_more(store, boot(2), mark(16)));
        assert!(!marks.know_more(store, boot(2), mark(17)));
        assert!(!marks.know_more(StoreId([2; 16]), boot(2), mark(0)), "another store");
        marks.hear(store, boot(2), mark(18));
        marks.hear(store, boot(3), mark(12));
        assert!(marks.know_more(store, boot(3), mark(12)), "the highest of the boots before counts");
        assert_eq!(marks.heard.len(), 2);
    }
}
