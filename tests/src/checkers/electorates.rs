//! Which configurations there were, and by which of them each view counts, from what stands in the slots.
//!
//! Always: a view counts by the configuration that the log under it has proven and, if a change ends that
//! log, by the one that this proposes as well; it is the same for all who install it, and its members are a
//! quorum by it. A change is the last slot of its view, and the slot behind it is its seal (RULES S5).

use super::{Checked, Invariant, require};
use ftq_core::electorate::Electorate;
use ftq_core::group::notice::Notice;
use ftq_core::ids::{Ballot, Configuration, Digest, MemberId, MemberSet, Slot, StoreId, View};
use ftq_core::store::SlotRecord;
use std::collections::BTreeMap;

/// Of how many slots it is remembered which configuration was proven behind them.
const SLOTS_KEPT: usize = 20_000;

/// The configurations of a cluster.
#[derive(Clone, Debug)]
pub struct Electorates {
    founding: MemberSet,
    notices: BTreeMap<(Slot, Digest), Notice>,
    /// The number of the configuration that a log with this end has proven.
    proven: BTreeMap<(Slot, Digest), u64>,
    views: BTreeMap<Ballot, Vec<Configuration>>,
    current: Configuration,
}

impl Electorates {
    /// A cluster of these members that has not begun.
    pub fn new(founding: MemberSet) -> Electorates {
        Electorates {
            founding,
            notices: BTreeMap::new(),
            proven: BTreeMap::new(),
            views: BTreeMap::new(),
            current: Configuration::founding(founding),
        }
    }

    /// A slot was appended behind another one.
    pub(crate) fn appended(&mut self, before: (Slot, Digest), record: &SlotRecord) -> Checked {
        let here = (record.slot, record.digest);
        if let Some(Notice::Change(next)) = self.notices.get(&before) {
            let is_seal = matches!(Notice::of(&record.content), Some(Notice::Seal(sealed)) if sealed == *next);
            require(is_seal, Invariant::Electorate, || {
                format!("slot {} follows a change of the cluster, and is not its seal", record.slot)
            })?;
        }
        let mut proven = if before.0 == Slot(0) { Some(1) } else { self.proven.get(&before).copied() };
        if let Some(notice) = Notice::of(&record.content) {
            if let Notice::Seal(sealed) = &notice {
                proven = Some(sealed.number);
            }
            self.notices.insert(here, notice);
        }
        if let Some(proven) = proven {
            self.proven.insert(here, proven);
        }
        if self.proven.len() > SLOTS_KEPT {
            self.proven.pop_first();
        }
        Ok(())
    }

    /// A member is about to install a view over a log with this end, and says that this is what it has proven.
    pub(crate) fn installing(&mut self, view: &View, sealed: &Configuration, end: (Slot, Digest)) -> Checked {
        let members: Vec<(MemberId, StoreId)> = view.members.iter().map(|p| (p.member, p.store)).collect();
        let view = view.ballot;
        let known = self.proven.get(&end).copied();
        require(known.is_none_or(|number| number == sealed.number), Invariant::Electorate, || {
            format!("view {view:?} counts by configuration {}, its log has proven {known:?}", sealed.number)
        })?;
        let is_said = |notice: &Notice| matches!(notice, Notice::Seal(said) if said == sealed);
        let is_first = sealed.number == 1 && sealed.set() == self.founding;
        require(is_first || self.notices.values().any(is_said), Invariant::Electorate, || {
            format!("view {view:?} counts by {sealed:?}, which no slot has said")
        })?;
        let mut counts = vec![sealed.clone()];
        if let Some(Notice::Change(next)) = self.notices.get(&end) {
            counts.push(next.clone());
        }
        let before = self.views.entry(view).or_insert_with(|| counts.clone());
        require(*before == counts, Invariant::Electorate, || {
            format!("view {view:?} counts by {counts:?} and by {before:?}")
        })?;
        require(self.is_quorum(view, &members), Invariant::Electorate, || {
            format!("the members of view {view:?}, {members:?}, are no quorum by {counts:?}")
        })
    }

    /// A member has lost its log up to `base`, and goes by this electorate there (RULES S6): by that of the log or a
    /// later one, which slots have said.
    pub(crate) fn lost(&self, member: MemberId, base: (Slot, Digest), goes_by: &Electorate) -> Checked {
        let proven = self.proven.get(&base).copied().unwrap_or(0);
        let under_way = self.under_way(base);
        let number = goes_by.sealed.number;
        let knows = number > proven || (number == proven && under_way.is_none_or(|next| goes_by.successor() == next));
        require(knows, Invariant::Electorate, || {
            format!(
                "member {member} has lost its log up to slot {}, which has proven configuration {proven} \
                 and has {under_way:?} under way, and goes by {goes_by:?}",
                base.0
            )
        })?;
        let is_said = |what: &Configuration| {
            self.notices.values().any(|notice| match notice {
                Notice::Change(said) | Notice::Seal(said) => said == what,
            })
        };
        let is_first = number <= 1 && goes_by.sealed.set() == self.founding;
        let is_real = (is_first || is_said(&goes_by.sealed)) && goes_by.proposed.as_ref().is_none_or(is_said);
        require(is_real, Invariant::Electorate, || {
            format!("member {member} has lost its log and goes by {goes_by:?}, which no slot has said")
        })
    }

    /// Whether the log up to `base` says more of the cluster than that it is this configuration.
    pub(crate) fn says_more(&self, base: (Slot, Digest), than: u64) -> bool {
        self.proven.get(&base).is_some_and(|proven| *proven > than.max(1)) || self.under_way(base).is_some()
    }

    /// The change that a log with this end has under way.
    fn under_way(&self, end: (Slot, Digest)) -> Option<&Configuration> {
        match self.notices.get(&end) {
            Some(Notice::Change(next)) => Some(next),
            Some(Notice::Seal(_)) | None => None,
        }
    }

    /// Whether some configuration, of those that there are or may be, has this store.
    pub(crate) fn has_seated(&self, member: MemberId, store: StoreId) -> bool {
        self.notices.values().any(|notice| match notice {
            Notice::Change(said) | Notice::Seal(said) => said.seats(member, store),
        })
    }

    /// By order of an operator the cluster is this one from here on, though no slot says so.
    pub(crate) fn ordered(&mut self, end: (Slot, Digest), configuration: Configuration) {
        self.proven.insert(end, configuration.number);
        self.notices.insert(end, Notice::Seal(configuration.clone()));
        self.current = configuration;
    }

    /// Whether these stores are a quorum in a view.
    pub fn is_quorum(&self, view: Ballot, who: &[(MemberId, StoreId)]) -> bool {
        let counts = self.views.get(&view).map_or(std::slice::from_ref(&self.current), Vec::as_slice);
        counts.iter().all(|configuration| holds_quorum(configuration, who))
    }

    /// Whether these stores are a quorum of some configuration that has been proven.
    pub fn was_quorum(&self, who: &[(MemberId, StoreId)]) -> bool {
        self.notices.values().any(|notice| match notice {
            Notice::Seal(sealed) => holds_quorum(sealed, who),
            Notice::Change(_) => false,
        })
    }

    /// Whether a view counts by two configurations.
    pub fn is_joint(&self, view: Ballot) -> bool {
        self.views.get(&view).is_some_and(|counts| counts.len() > 1)
    }

    /// A slot is committed; whether a new configuration is in force by it.
    pub(crate) fn committed(&mut self, slot: Slot, digest: Digest) -> bool {
        match self.notices.get(&(slot, digest)) {
            Some(Notice::Seal(sealed)) => {
                self.current = sealed.clone();
                true
            }
            Some(Notice::Change(_)) | None => false,
        }
    }

    /// The configuration in force.
    pub fn current(&self) -> &Configuration {
        &self.current
    }

    /// The configuration in force, and all that somebody has ordered to follow it.
    pub fn possible(&self) -> impl Iterator<Item = &Configuration> {
        let next = self.notices.values().filter_map(|notice| match notice {
            Notice::Change(next) if next.number == self.current.number + 1 => Some(next),
            Notice::Change(_) | Notice::Seal(_) => None,
        });
        std::iter::once(&self.current).chain(next)
    }
}

fn holds_quorum(configuration: &Configuration, who: &[(MemberId, StoreId)]) -> bool {
    let seated = who.iter().filter(|(member, store)| configuration.seats(*member, *store));
    configuration.is_quorum(seated.map(|(member, _)| *member).collect())
}
