//! Who belongs to the cluster: members that are added, removed, replaced by order of an operator, and a
//! member with another store, which is re-admitted without one (RULES S5, S7).
//!
//! ```text
//!   wanted ──a quorum of the old and of the new is there──▶ a change ends the log ──a view over both──▶ sealed
//! ```
//!
//! Whoever's turn it is orders the change, since it is the one who holds the log up to there. A change names
//! the configuration that it replaces, so it is done once at most, however often it is asked for.

use crate::electorate::Electorate;
use crate::ids::{Configuration, MEMBERS_MAX, MemberId, MemberSet, Seat, Slot, StoreId};
use crate::replica::{Event, Stop};
use crate::time::{Span, Time};
use crate::wire::{Malformed, Reader, Writer};

use super::message::Message;
use super::notice::Notice;
use super::{Group, Output, clique};

/// How often a change is asked for again.
const ASK_EVERY: Span = Span::millis(100);

/// For how long a change is wanted by others after it was asked for last.
const WANTED: Span = Span::secs(1);

/// A change of the cluster that an operator orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterChange {
    /// A replica that runs already, as a learner, becomes a member.
    Add(MemberId),
    /// A member is none any more.
    Remove(MemberId),
    /// A replica that runs already takes a member's place.
    Replace {
        /// The member that goes.
        old: MemberId,
        /// The one that comes.
        new: MemberId,
    },
}

/// Why a change can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is a member already.
    AlreadyMember,
    /// It is no member.
    NotAMember,
    /// There would be nobody left.
    LastMember,
    /// There would be more than [`MEMBERS_MAX`].
    TooMany,
    /// Nobody here hears of a replica with that id.
    NotHeard,
    /// It runs with the store with which it was a member before: it has to start anew.
    HadASeat,
    /// This replica takes part in no view that orders.
    NotServing,
    /// Another change was ordered here and is not done.
    Busy,
}

/// A change that somebody wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// The number of the configuration that it replaces.
    number: u64,
    change: ClusterChange,
    until: Time,
    /// Whether it was ordered here: then this replica keeps asking.
    own: bool,
    again: Time,
}

impl ClusterChange {
    /// What comes of `configuration` by this change; `store` says with which store a replica comes in.
    pub fn apply(
        self,
        configuration: &Configuration,
        store: impl Fn(MemberId) -> Result<StoreId, Unfit>,
    ) -> Result<Configuration, Unfit> {
        let is_member = |member| configuration.set().contains(member);
        let (leaves, comes) = match self {
            ClusterChange::Add(new) => (None, Some(new)),
            ClusterChange::Remove(old) => (Some(old), None),
            ClusterChange::Replace { old, new } => (Some(old), Some(new)),
        };
        if leaves.is_some_and(|member| !is_member(member)) {
            return Err(Unfit::NotAMember);
        }
        if comes.is_some_and(is_member) {
            return Err(Unfit::AlreadyMember);
        }
        let mut seats = configuration.seats.clone();
        seats.retain(|seat| Some(seat.member) != leaves);
        if let Some(member) = comes {
            seats.push(Seat { member, store: Some(store(member)?) });
            seats.sort_unstable_by_key(|seat| seat.member);
        }
        if seats.is_empty() {
            return Err(Unfit::LastMember);
        }
        if seats.len() > MEMBERS_MAX {
            return Err(Unfit::TooMany);
        }
        Ok(Configuration { number: configuration.number + 1, seats })
    }

    /// Whether this configuration could have come of it.
    pub fn is_done(self, configuration: &Configuration) -> bool {
        let has = |member| configuration.set().contains(member);
        match self {
            ClusterChange::Add(new) => has(new),
            ClusterChange::Remove(old) => !has(old),
            ClusterChange::Replace { old, new } => !has(old) && has(new),
        }
    }

    /// Appends the bytes of this change.
    pub fn encode(self, w: &mut Writer) -> &mut Writer {
        match self {
            ClusterChange::Add(new) => w.u8(1).member(new),
            ClusterChange::Remove(old) => w.u8(2).member(old),
            ClusterChange::Replace { old, new } => w.u8(3).member(old).member(new),
        }
    }

    /// Reads a change.
    pub fn decode(r: &mut Reader) -> Result<ClusterChange, Malformed> {
        match r.u8()? {
            1 => Ok(ClusterChange::Add(r.member()?)),
            2 => Ok(ClusterChange::Remove(r.member()?)),
            3 => Ok(ClusterChange::Replace { old: r.member()?, new: r.member()? }),
            _ => Err(Malformed),
        }
    }
}

impl Group {
    /// An operator orders a change of the cluster, perhaps only if it replaces the configuration with this number.
    /// Gives that number; it is done when the proven one has a higher number and is what was ordered.
    pub fn change_cluster(
        &mut self,
        now: Time,
        change: ClusterChange,
        replaces: Option<u64>,
        wait: Span,
    ) -> Result<u64, Unfit> {
        if !self.is_serving(now) {
            return Err(Unfit::NotServing);
        }
        if self.wanted.is_some_and(|wanted| wanted.own && now < wanted.until) {
            return Err(Unfit::Busy);
        }
        let electorate = self.log.electorate();
        let number = electorate.sealed.number;
        match replaces {
            // A change of that one has been ordered, and is not proven here.
            Some(replaced) if replaced < number => return Err(Unfit::Busy),
            // This replica knows less than whoever asks.
            Some(replaced) if replaced > number => return Err(Unfit::NotServing),
            Some(_) | None => {}
        }
        change.apply(&electorate.sealed, |member| self.comes_with(now, member))?;
        self.wanted = Some(Wanted { number, change, until: now + wait, own: true, again: now });
        self.step_admission(now);
        Ok(number)
    }

    /// Says so when a configuration is proven.
    pub(super) fn announce_configuration(&mut self) {
        let proven = self.committed_electorate().sealed;
        if proven.number > self.configured {
            self.configured = proven.number;
            self.event(Event::Configured { configuration: proven.number, members: proven.set() });
        }
    }

    /// What everyone has to go by, whatever happens: the electorate by the committed slots.
    pub fn committed_electorate(&self) -> Electorate {
        self.log.electorate_at(self.log.committed())
    }

    /// Somebody wants a change.
    pub(super) fn on_want_change(&mut self, now: Time, number: u64, change: ClusterChange) {
        let replaceable = self.wanted.is_none_or(|wanted| !wanted.own || wanted.number < number);
        if number == self.log.electorate().sealed.number && replaceable {
            self.wanted = Some(Wanted { number, change, until: now + WANTED, own: false, again: Time::NEVER });
        }
    }

    /// Asks again for what was ordered here, and sees whether a change could be made now.
    pub(super) fn step_admission(&mut self, now: Time) {
        let number = self.log.electorate().sealed.number;
        if self.wanted.is_some_and(|wanted| wanted.number != number || now >= wanted.until) {
            self.wanted = None;
        }
        if let Some(wanted) = self.wanted.as_mut().filter(|wanted| wanted.own && now >= wanted.again) {
            wanted.again = now + ASK_EVERY;
            let message = Message::WantChange(wanted.number, wanted.change);
            self.note(self.view().set(), message);
        }
        self.next = self.next_configuration(now);
    }

    /// The configuration that is wanted next, if a quorum of the present one and of it is there for it.
    fn next_configuration(&self, now: Time) -> Option<Configuration> {
        let electorate = self.log.electorate();
        let settled = electorate.proposed.is_none() && self.committed_electorate() == *electorate;
        if !self.active || !self.opened || electorate.is_founding() || !settled {
            return None;
        }
        let store = |member| self.comes_with(now, member);
        let wanted = self.wanted.and_then(|wanted| wanted.change.apply(&electorate.sealed, store).ok());
        let next = wanted.or_else(|| self.readmission(now))?;
        let comers = next.seats.iter().filter(|seat| !electorate.sealed.seats.contains(seat));
        let joint = Electorate { sealed: electorate.sealed.clone(), proposed: Some(next.clone()) };
        let ready = comers.clone().all(|seat| self.may_join(now, seat.member));
        (ready && self.could_form(now, &joint)).then_some(next)
    }

    /// With which store a replica would become a member. One that was a member before, and was removed, may have
    /// stopped for that reason already, though it was heard a moment ago.
    pub(super) fn comes_with(&self, now: Time, member: MemberId) -> Result<StoreId, Unfit> {
        let heartbeat = self.detector.fresh(now, member).ok_or(Unfit::NotHeard)?;
        // It may not know yet that it was given a seat, which has been taken from it since.
        let had_seat = heartbeat.seated || self.log.has_seated(member, heartbeat.store);
        if had_seat { Err(Unfit::HadASeat) } else { Ok(heartbeat.store) }
    }

    /// A member runs with another store than the cluster knows, and has caught up: it could have its seat
    /// back, with that store.
    fn readmission(&self, now: Time) -> Option<Configuration> {
        let sealed = &self.log.electorate().sealed;
        let returned = |seat: &Seat| {
            let heartbeat = self.detector.fresh(now, seat.member)?;
            let another = Some(heartbeat.store) != seat.store && !heartbeat.seated && heartbeat.whole;
            (another && self.may_join(now, seat.member)).then_some(Seat { store: Some(heartbeat.store), ..*seat })
        };
        let seat = sealed.seats.iter().find_map(returned)?;
        let seats = sealed.seats.iter().map(|known| if known.member == seat.member { seat } else { *known }).collect();
        Some(Configuration { number: sealed.number + 1, seats })
    }

    /// Whether members who all hear each other are there now for a view with these quorums.
    fn could_form(&self, now: Time, joint: &Electorate) -> bool {
        let me = self.options.me;
        let there = |m: MemberId| m == me || (self.detector.is_fit(now, m) && self.is_near(now, m));
        let candidates: MemberSet = self.admitted(now, joint).iter().filter(|m| there(*m)).collect();
        let hears = |m: MemberId| self.hears_of(now, m);
        clique::largest(me, candidates, self.view().set(), hears, |set| joint.may_form_view(set)).is_some()
    }

    /// Who of an electorate runs with the store that it knows.
    pub(super) fn admitted(&self, now: Time, electorate: &Electorate) -> MemberSet {
        let me = self.options.me;
        let store = |m: MemberId| {
            if m == me { Some(self.store) } else { self.detector.fresh(now, m).map(|heartbeat| heartbeat.store) }
        };
        electorate.set().iter().filter(|m| store(*m).is_some_and(|store| electorate.admits(*m, store))).collect()
    }

    /// Whether the log ends with a change that this view has ordered: nothing may follow it here.
    pub(super) fn view_is_over(&self) -> bool {
        let proposed = self.log.electorate().proposed.as_ref();
        proposed.is_some_and(|next| next.number > self.electorate.successor().number)
    }

    /// What this view has to say of the cluster before it orders anything: the configuration that it
    /// goes by is proven. The first slot of all says so too, so that the log tells it to who learns it.
    pub(super) fn seal_due(&self) -> Option<Notice> {
        let successor = self.electorate.successor();
        let unproven = self.log.electorate().sealed.number < successor.number || self.log.end() == Slot(0);
        unproven.then(|| Notice::Seal(successor.clone()))
    }

    /// What the next slot has to say of the cluster, or could.
    pub(super) fn notice_due(&self) -> Option<Notice> {
        let current = self.log.electorate().sealed.number;
        let next = || self.next.clone().filter(|next| next.number == current + 1).map(Notice::Change);
        self.seal_due().or_else(next)
    }

    /// Whether a slot that says this may be the next one.
    pub(super) fn fits(&self, notice: Option<&Notice>) -> bool {
        let current = self.log.electorate().sealed.number;
        match (self.seal_due(), notice) {
            (Some(seal), notice) => notice == Some(&seal),
            (None, Some(Notice::Seal(_))) => false,
            (None, Some(Notice::Change(next))) => !self.view_is_over() && next.number == current + 1,
            (None, None) => !self.view_is_over(),
        }
    }

    /// Tells a replica that has had a seat that it has none any more. Only what is committed counts: until then
    /// it may still be needed; and who still takes part in this view is first left out of the next one.
    pub(super) fn tell_if_removed(&mut self, now: Time, member: MemberId) {
        let Some(heartbeat) = self.detector.fresh(now, member) else { return };
        let (store, number) = (heartbeat.store, heartbeat.configuration);
        let takes_part = self.active && self.view().participant(member).is_some_and(|p| p.store == store);
        // Who does not know all that it has applied may have had its seat since.
        if !heartbeat.seated || !heartbeat.whole || takes_part || number == 0 {
            return;
        }
        let proven = self.committed_electorate();
        if number <= proven.sealed.number && !proven.admits(member, store) {
            self.note(MemberSet::of(member), Message::Removed(store, proven.sealed.number));
        }
    }

    /// This store has no seat any more.
    pub(super) fn on_removed(&mut self, store: StoreId, number: u64) {
        let own = self.log.electorate();
        let knows_better =
            own.sealed.number > number || (own.sealed.number == number && own.admits(self.options.me, self.store));
        if store == self.store && !knows_better {
            self.stop(Stop::NoSeat);
            self.out.push_front(Output::Event(Event::Removed { configuration: number }));
        }
    }

    /// Takes note if the own store has a seat.
    pub(super) fn see_own_seat(&mut self) {
        let sealed = &self.log.electorate().sealed;
        self.was_seated |= !sealed.is_founding() && sealed.seats(self.options.me, self.store);
    }
}
