//! What a slot may say about the cluster, instead of ordering requests (RULES S5).
//!
//! Always: a change is the last slot of its view; the first slot of the view over it is its seal, and so is
//! the first slot of all. Any slot above a change is thus sequenced in a view that had both quorums, and
//! proves the change committed.

use crate::ids::{Configuration, Slot};
use crate::wire::{Malformed, Reader, Writer};
use alloc::collections::VecDeque;
use bytes::Bytes;

use super::content;
use crate::electorate::Electorate;

/// What a slot says about the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// The next configuration is to be this one, if the number of the present one is one less.
    Change(Configuration),
    /// This is the configuration from here on; the one before it is not needed any more.
    Seal(Configuration),
}

impl Notice {
    /// The bytes of a slot that says this.
    pub fn content(&self) -> Bytes {
        let mut w = content::begin([].into_iter(), 0);
        self.encode(&mut w);
        w.into_bytes()
    }

    /// Appends the bytes of this notice.
    pub fn encode(&self, w: &mut Writer) {
        match self {
            Notice::Change(configuration) => w.u8(1).configuration(configuration),
            Notice::Seal(configuration) => w.u8(2).configuration(configuration),
        };
    }

    /// Reads a notice.
    pub fn decode(r: &mut Reader) -> Result<Notice, Malformed> {
        Notice::decode_any(r)?.ok_or(Malformed)
    }

    /// Reads a notice, or a nought where there is none.
    pub fn decode_any(r: &mut Reader) -> Result<Option<Notice>, Malformed> {
        match r.u8()? {
            0 => Ok(None),
            1 => Ok(Some(Notice::Change(r.configuration()?))),
            2 => Ok(Some(Notice::Seal(r.configuration()?))),
            _ => Err(Malformed),
        }
    }

    /// What a slot with this content says, if it says anything.
    pub fn of(content: &Bytes) -> Option<Notice> {
        let mut r = Reader::new(content.clone());
        if content.len() == 1 || r.u64() != Ok(0) {
            return None;
        }
        Notice::decode(&mut r).ok()
    }
}

/// How many former configurations are remembered: more than follow one another while a replica is heard that one of them took
/// the seat of.
const FORMER: usize = 8;

/// The configurations that a log goes through.
#[derive(Clone, Debug)]
pub struct Notices {
    /// As of the last slot whose notices need not be told apart any more.
    base: Electorate,
    later: VecDeque<(Slot, Notice)>,
    now: Electorate,
    /// The configurations proven last before the base.
    former: VecDeque<Configuration>,
}

impl Notices {
    /// A log that begins with this electorate.
    pub fn new(base: Electorate) -> Notices {
        Notices { now: base.clone(), base, later: VecDeque::new(), former: VecDeque::new() }
    }

    /// A slot was appended.
    pub fn push(&mut self, slot: Slot, content: &Bytes) {
        if let Some(notice) = Notice::of(content) {
            follow(&mut self.now, &notice);
            self.later.push_back((slot, notice));
        }
    }

    /// Everything above `keep` was cut.
    pub fn truncate(&mut self, keep: Slot) {
        if self.later.back().is_some_and(|(slot, _)| *slot > keep) {
            self.later.retain(|(slot, _)| *slot <= keep);
            self.now = self.at(Slot(u64::MAX));
        }
    }

    /// Nothing at or below `slot` will be cut or asked for any more.
    pub fn settle(&mut self, slot: Slot) {
        while self.later.front().is_some_and(|(at, _)| *at <= slot) {
            let Some((_, notice)) = self.later.pop_front() else { return };
            if matches!(notice, Notice::Seal(_)) {
                self.former.push_back(self.base.sealed.clone());
                if self.former.len() > FORMER {
                    self.former.pop_front();
                }
            }
            follow(&mut self.base, &notice);
        }
    }

    /// The electorate by the slots up to this one.
    pub fn at(&self, slot: Slot) -> Electorate {
        let mut electorate = self.base.clone();
        self.later.iter().take_while(|(at, _)| *at <= slot).for_each(|(_, notice)| follow(&mut electorate, notice));
        electorate
    }

    /// The electorate by the slots up to this one, if it is a later one than `known`, and the first slot by which it is; 0 if
    /// that can't be told any more.
    pub fn later_at(&self, slot: Slot, known: &Electorate) -> Option<(Slot, Electorate)> {
        let mut first = self.base.is_later_than(known).then_some(Slot(0));
        // This is asked with every slot, and nearly always there is nothing.
        if first.is_none() && self.later.front().is_none_or(|(at, _)| *at > slot) {
            return None;
        }
        let mut electorate = self.base.clone();
        for (at, notice) in self.later.iter().take_while(|(at, _)| *at <= slot) {
            follow(&mut electorate, notice);
            first = first.or_else(|| electorate.is_later_than(known).then_some(*at));
        }
        first.map(|first| (first, electorate))
    }

    /// The configurations that are known to have been proven: the present ones, and those right before them.
    pub fn sealed(&self) -> impl Iterator<Item = &Configuration> {
        let later = self.later.iter().filter_map(|(_, notice)| match notice {
            Notice::Seal(sealed) => Some(sealed),
            Notice::Change(_) => None,
        });
        self.former.iter().chain([&self.base.sealed]).chain(later)
    }

    /// The electorate by all slots.
    pub fn now(&self) -> &Electorate {
        &self.now
    }
}

/// What becomes of an electorate by a notice.
fn follow(electorate: &mut Electorate, notice: &Notice) {
    match notice {
        // A change of another configuration than the present one changes nothing.
        Notice::Change(next) if next.number == electorate.sealed.number + 1 => electorate.proposed = Some(next.clone()),
        Notice::Change(_) => {}
        Notice::Seal(sealed) if sealed.number >= electorate.sealed.number => {
            *electorate = Electorate::of(sealed.clone())
        }
        Notice::Seal(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{MemberId, Seat, StoreId};
    use alloc::vec::Vec;

    fn configuration(number: u64) -> Configuration {
        let seat = |n: u8| Seat { member: MemberId::new(n).unwrap(), store: Some(StoreId([n; 16])) };
        Configuration { number, seats: (1..=u8::try_from(number).unwrap()).map(seat).collect() }
    }

    #[test]
    fn what_is_written_is_read() {
        for notice in [Notice::Change(configuration(3)), Notice::Seal(configuration(1))] {
            let content = notice.content();
            assert_eq!(Notice::of(&content), Some(notice));
            assert_eq!(content::requests(&content).unwrap().total(), 0);
            assert!(content::requests(&content.slice(..content.len() - 1)).is_err(), "half a notice");
        }
        assert_eq!(Notice::of(&content::begin([].into_iter(), 0).into_bytes()), None);
    }

    /// A change counts until it is cut off or sealed, and nothing of what was cut is left.
    #[test]
    fn a_change_is_followed_and_forgotten_with_its_slot() {
        let mut notices = Notices::new(Electorate::of(configuration(1)));
        let joint = Electorate { sealed: configuration(1), proposed: Some(configuration(2)) };
        notices.push(Slot(5), &Notice::Change(configuration(2)).content());
        assert_eq!(*notices.now(), joint);
        notices.push(Slot(6), &Notice::Seal(configuration(2)).content());
        assert_eq!(*notices.now(), Electorate::of(configuration(2)));
        notices.truncate(Slot(5));
        assert_eq!(*notices.now(), joint);
        notices.truncate(Slot(4));
        assert_eq!(*notices.now(), Electorate::of(configuration(1)));
        notices.push(Slot(5), &Notice::Change(configuration(3)).content());
        assert_eq!(*notices.now(), Electorate::of(configuration(1)), "a change of another configuration");
    }

    #[test]
    fn former_configurations_are_remembered_for_a_while() {
        let mut notices = Notices::new(Electorate::of(configuration(1)));
        for number in 2..=12 {
            let sealed = Configuration { number, ..configuration(1) };
            notices.push(Slot(number), &Notice::Seal(sealed).content());
            notices.settle(Slot(number));
        }
        let numbers: Vec<u64> = notices.sealed().map(|sealed| sealed.number).collect();
        assert_eq!(numbers, [4, 5, 6, 7, 8, 9, 10, 11, 12]);
    }

    #[test]
    fn what_is_settled_stays() {
        let mut notices = Notices::new(Electorate::of(configuration(1)));
        notices.push(Slot(5), &Notice::Change(configuration(2)).content());
        notices.push(Slot(6), &Notice::Seal(configuration(2)).content());
        assert_eq!(notices.at(Slot(4)), Electorate::of(configuration(1)));
        notices.settle(Slot(6));
        notices.truncate(Slot(6));
        assert_eq!(notices.at(Slot(6)), Electorate::of(configuration(2)));
        assert_eq!(*notices.now(), Electorate::of(configuration(2)));
    }
}
