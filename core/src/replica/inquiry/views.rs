//! The views that a replica was in during its present run, the newest last: `[66, …]`.
//!
//! It is made of the events that everybody else is told too, so that nothing in the group depends on it.

use super::VIEWS;
use super::fields::{FIELDS_MAX, id, member, put_set, set};
use crate::ids::{MemberId, MemberSet, Slot};
use crate::pack::{Packer, Unpacker};
use crate::replica::{Cause, Event};
use crate::time::Time;
use crate::wire::Malformed;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

/// How many views are kept: those of a bad day, in an answer of a few kilobytes.
const KEPT: usize = 64;

/// A view, as one of its members has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewSeen {
    /// The number of its ballot.
    pub number: u64,
    /// Who has formed it.
    pub proposer: Option<MemberId>,
    /// Who took part.
    pub members: MemberSet,
    /// Who took turns.
    pub ring: MemberSet,
    /// The first slot of its own.
    pub from: Slot,
    /// Why it began.
    pub cause: Cause,
    /// How long ago this replica installed it.
    pub ago_ms: u64,
    /// How long it took from the first step that this replica saw until slots could be sequenced; nothing while
    /// they can't.
    pub took_ms: Option<u64>,
    /// For how long this replica took part; nothing if it still does.
    pub lasted_ms: Option<u64>,
}

/// The views of a replica's present run that it still knows of, the newest last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Views {
    /// Who it is.
    pub me: MemberId,
    /// How long ago it began to run.
    pub runs_ms: u64,
    /// The views.
    pub views: Vec<ViewSeen>,
}

/// What a replica remembers of its views.
#[derive(Debug)]
pub(in crate::replica) struct Chronicle {
    began: Time,
    /// What it saw of the next view: since when, and why.
    stir: Option<(Time, Cause)>,
    eras: VecDeque<Era>,
}

#[derive(Debug)]
struct Era {
    number: u64,
    proposer: Option<MemberId>,
    members: MemberSet,
    ring: MemberSet,
    from: Slot,
    cause: Cause,
    began: Time,
    installed: Time,
    opened: Option<Time>,
    left: Option<Time>,
}

impl Chronicle {
    /// The run begins.
    pub(in crate::replica) fn new(now: Time) -> Chronicle {
        Chronicle { began: now, stir: None, eras: VecDeque::new() }
    }

    /// Takes note of what happens.
    pub(in crate::replica) fn note(&mut self, now: Time, event: &Event) {
        match event {
            Event::Suspects { cause, .. } => self.stir = Some((now, *cause)),
            Event::Left { .. } => {
                if let Some(era) = self.eras.back_mut() {
                    era.left = Some(now);
                }
                self.stir.get_or_insert((now, Cause::Unknown));
            }
            Event::Promised { .. } => {
                self.stir.get_or_insert((now, Cause::Unknown));
            }
            Event::Installed { view, members, ring, end, .. } => {
                if let Some(era) = self.eras.back_mut() {
                    era.left.get_or_insert(now);
                }
                let (began, cause) = self.stir.take().unwrap_or((now, Cause::Unknown));
                if self.eras.len() >= KEPT {
                    self.eras.pop_front();
                }
                self.eras.push_back(Era {
                    number: view.number,
                    proposer: view.proposer,
                    members: *members,
                    ring: *ring,
                    from: end.next(),
                    cause,
                    began,
                    installed: now,
                    opened: None,
                    left: None,
                });
            }
            Event::Opened { view } => {
                if let Some(era) = self.eras.back_mut().filter(|era| era.number == view.number) {
                    era.opened = Some(now);
                }
            }
            Event::Sequenced { .. }
            | Event::Appended { .. }
            | Event::Applied { .. }
            | Event::Restored { .. }
            | Event::CaughtUp { .. }
            | Event::Retires { .. }
            | Event::Retired { .. }
            | Event::Disordered { .. }
            | Event::NearlyFull(_)
            | Event::Repeated
            | Event::Refused { .. }
            | Event::Configured { .. }
            | Event::Removed { .. }
            | Event::Older
            | Event::Stranded
            | Event::Stopped { .. } => {}
        }
    }

    /// There is no reason for another view any more: who was missed is heard again.
    pub(in crate::replica) fn calm(&mut self) {
        self.stir = None;
    }

    /// What it remembers.
    pub(super) fn views(&self, now: Time, me: MemberId) -> Views {
        let millis = |from: Time, to: Time| to.since(from).0 / 1_000;
        let seen = |era: &Era| ViewSeen {
            number: era.number,
            proposer: era.proposer,
            members: era.members,
            ring: era.ring,
            from: era.from,
            cause: era.cause,
            ago_ms: millis(era.installed, now),
            took_ms: era.opened.map(|opened| millis(era.began, opened)),
            lasted_ms: era.left.map(|left| millis(era.installed, left)),
        };
        Views { me, runs_ms: millis(self.began, now), views: self.eras.iter().map(seen).collect() }
    }
}

impl Cause {
    fn number(self) -> (u64, MemberSet) {
        match self {
            Cause::Unknown => (0, MemberSet::EMPTY),
            Cause::First => (1, MemberSet::EMPTY),
            Cause::Missing(members) => (2, members),
            Cause::Retired(members) => (3, members),
            Cause::Joined(members) => (4, members),
            Cause::Slow(members) => (5, members),
            Cause::Changed => (6, MemberSet::EMPTY),
            Cause::Outside => (7, MemberSet::EMPTY),
        }
    }

    /// A cause of a later version is one that this one does not know.
    fn numbered(number: u64, members: MemberSet) -> Cause {
        match number {
            1 => Cause::First,
            2 => Cause::Missing(members),
            3 => Cause::Retired(members),
            4 => Cause::Joined(members),
            5 => Cause::Slow(members),
            6 => Cause::Changed,
            7 => Cause::Outside,
            _ => Cause::Unknown,
        }
    }
}

const VIEW_FIELDS: usize = 10;

impl Views {
    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        w.array(4).uint(VIEWS).uint(id(self.me)).uint(self.runs_ms).array(self.views.len());
        for view in &self.views {
            let (cause, whom) = view.cause.number();
            w.array(VIEW_FIELDS).uint(view.number).option(view.proposer, |w, m| w.uint(id(m)));
            put_set(&mut w, view.members);
            put_set(&mut w, view.ring);
            w.uint(view.from.0).uint(cause);
            put_set(&mut w, whom);
            w.uint(view.ago_ms).option(view.took_ms, Packer::uint).option(view.lasted_ms, Packer::uint);
        }
        w.into_bytes()
    }

    /// Reads what [`Views::encode`] wrote. A newer replica may say more behind that.
    pub fn decode(bytes: Bytes) -> Result<Views, Malformed> {
        let mut r = Unpacker::new(bytes);
        if r.array(FIELDS_MAX)? < 4 || r.uint()? != VIEWS {
            return Err(Malformed);
        }
        let (me, runs_ms) = (member(&mut r)?, r.uint()?);
        let views = (0..r.array(KEPT)?).map(|_| ViewSeen::unpack(&mut r)).collect::<Result<_, _>>()?;
        Ok(Views { me, runs_ms, views })
    }
}

impl ViewSeen {
    fn unpack(r: &mut Unpacker) -> Result<ViewSeen, Malformed> {
        if r.array(FIELDS_MAX)? != VIEW_FIELDS {
            return Err(Malformed);
        }
        let (number, proposer) = (r.uint()?, r.option(member)?);
        let (members, ring, from) = (set(r)?, set(r)?, Slot(r.uint()?));
        let cause = r.uint()?;
        let cause = Cause::numbered(cause, set(r)?);
        let (ago_ms, took_ms, lasted_ms) = (r.uint()?, r.option(Unpacker::uint)?, r.option(Unpacker::uint)?);
        Ok(ViewSeen { number, proposer, members, ring, from, cause, ago_ms, took_ms, lasted_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Ballot, StoreId};

    const SECOND: u64 = 1_000_000;

    fn m(n: u8) -> MemberId {
        MemberId::new(n).unwrap()
    }

    fn ballot(number: u64) -> Ballot {
        Ballot { number, proposer: Some(m(2)), store: StoreId([2; 16]) }
    }

    fn installed(number: u64, end: u64) -> Event {
        let members: MemberSet = [m(1), m(2)].into_iter().collect();
        Event::Installed { view: ballot(number), members, ring: members, end: Slot(end), cut: 0 }
    }

    #[test]
    fn a_view_is_remembered_with_its_reason_and_its_times() {
        let mut chronicle = Chronicle::new(Time(0));
        let missing = MemberSet::of(m(3));
        let cause = Cause::Missing(missing);
        chronicle.note(Time(SECOND), &installed(1, 0));
        chronicle.note(Time(2 * SECOND), &Event::Suspects { missing, cause });
        chronicle.note(Time(2 * SECOND + 100), &Event::Left { view: ballot(1) });
        chronicle.note(Time(2 * SECOND + 200), &Event::Promised { ballot: ballot(2) });
        chronicle.note(Time(2 * SECOND + 20_000), &installed(2, 41));
        chronicle.note(Time(2 * SECOND + 30_000), &Event::Opened { view: ballot(2) });
        let views = chronicle.views(Time(5 * SECOND), m(1));
        assert_eq!((views.runs_ms, views.views.len()), (5_000, 2));
        let (first, second) = (&views.views[0], &views.views[1]);
        assert_eq!((first.cause, first.took_ms, first.lasted_ms), (Cause::Unknown, None, Some(1_000)));
        assert_eq!((second.cause, second.took_ms, second.lasted_ms), (cause, Some(30), None));
        assert_eq!((second.from, second.ago_ms, second.proposer), (Slot(42), 2_980, Some(m(2))));
        assert_eq!(Views::decode(views.encode()), Ok(views));
    }

    /// A reason that has gone is none of the next view, which another member asks for much later.
    #[test]
    fn a_reason_that_has_gone_is_forgotten() {
        let mut chronicle = Chronicle::new(Time(0));
        let missing = MemberSet::of(m(1));
        chronicle.note(Time(SECOND), &installed(1, 0));
        chronicle.note(Time(2 * SECOND), &Event::Suspects { missing, cause: Cause::Missing(missing) });
        chronicle.calm();
        chronicle.note(Time(9 * SECOND), &Event::Left { view: ballot(1) });
        chronicle.note(Time(9 * SECOND + 10_000), &installed(2, 5));
        chronicle.note(Time(9 * SECOND + 20_000), &Event::Opened { view: ballot(2) });
        let views = chronicle.views(Time(10 * SECOND), m(1)).views;
        assert_eq!((views[1].cause, views[1].took_ms), (Cause::Unknown, Some(20)));
    }

    #[test]
    fn old_views_are_forgotten_and_any_cause_comes_back_as_it_went() {
        let mut chronicle = Chronicle::new(Time(0));
        let whom = MemberSet::of(m(3));
        let causes = [
            Cause::Unknown,
            Cause::First,
            Cause::Missing(whom),
            Cause::Retired(whom),
            Cause::Joined(whom),
            Cause::Slow(whom),
            Cause::Changed,
            Cause::Outside,
        ];
        for (number, cause) in (1..=100).zip(causes.into_iter().cycle()) {
            chronicle.note(Time(number), &Event::Suspects { missing: whom, cause });
            chronicle.note(Time(number), &installed(number, number));
        }
        let views = chronicle.views(Time(SECOND), m(1));
        assert_eq!((views.views.len(), views.views[0].number), (KEPT, 37));
        assert!(causes.iter().all(|cause| views.views.iter().any(|view| view.cause == *cause)));
        let bytes = views.encode();
        assert_eq!(Views::decode(bytes.clone()), Ok(views));
        for end in 0..bytes.len() {
            assert_eq!(Views::decode(bytes.slice(..end)), Err(Malformed));
        }
    }
}
