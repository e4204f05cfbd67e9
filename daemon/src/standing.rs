//! Where a replica stands, as a person asks: in which view, in what role, how far behind. The service manager's
//! status, the readiness page and the metrics are made of it.

use crate::board::Check;
use ftq_core::ids::{Ballot, MemberId, MemberSet, Slot};
use ftq_core::machine::Machine;
use ftq_core::replica::Replica;
use ftq_core::time::Time;
use std::fmt;

/// With more slots to apply than this, answers come late.
const LAG_MAX: u64 = 1_024;

/// What a replica does in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It takes turns in ordering.
    Sequencer,
    /// It votes, and takes no turns.
    Voter,
    /// It could vote, and is in no view.
    Outside,
    /// It learns from the others, and does not vote.
    Learner,
}

/// Where a replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The view that it was in last.
    pub(crate) view: Ballot,
    /// The members of that view.
    pub(crate) members: MemberSet,
    /// Who of the others is heard.
    pub(crate) heard: MemberSet,
    pub(crate) role: Role,
    /// Whether it orders, and hears a quorum.
    pub(crate) is_serving: bool,
    /// The last slot that it has applied.
    pub(crate) applied: Slot,
    /// How many slots are committed, here or at others, that it has not applied.
    pub(crate) lag: u64,
    /// Up to which slot it still applies what was in its store, after a start.
    pub(crate) replays_to: Option<Slot>,
}

impl Standing {
    /// Where the replica of `me` stands.
    pub(crate) fn of<M: Machine>(replica: &Replica<M>, me: MemberId, now: Time) -> Standing {
        let group = replica.group();
        let view = group.view();
        let role = match (group.is_active(), group.votes() && group.is_whole()) {
            (true, _) if view.ring.contains(&me) => Role::Sequencer,
            (true, _) => Role::Voter,
            (false, true) => Role::Outside,
            (false, false) => Role::Learner,
        };
        let applied = group.log().delivered();
        Standing {
            view: view.ballot,
            members: view.set(),
            heard: group.heard(now),
            role,
            is_serving: replica.is_serving(now),
            applied,
            lag: group.known_committed(now).0.saturating_sub(applied.0),
            replays_to: replica.replays_to(),
        }
    }
}

impl Role {
    /// All roles, by the names that the metrics have for them.
    pub(crate) const ALL: [(Role, &str); 4] = [
        (Role::Sequencer, "sequencer"),
        (Role::Voter, "voter"),
        (Role::Outside, "outside"),
        (Role::Learner, "learner"),
    ];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Sequencer => "takes turns",
            Role::Voter => "votes, takes no turns",
            Role::Outside => "in no view",
            Role::Learner => "learns, does not vote",
        })
    }
}

impl Standing {
    /// What a client needs of a replica: where one does not hold it should go elsewhere.
    pub(crate) fn checks(&self) -> Vec<Check> {
        let Standing { view, members, heard, role, is_serving, applied, lag, replays_to } = self;
        vec![
            Check {
                name: "replayed",
                holds: replays_to.is_none(),
                details: replays_to.map_or_else(
                    || "what was in the store is applied".to_owned(),
                    |end| format!("slot {applied} of the {end} in the store"),
                ),
            },
            Check { name: "role", holds: matches!(role, Role::Sequencer | Role::Voter), details: role.to_string() },
            Check {
                name: "serving",
                holds: *is_serving,
                details: format!(
                    "view {view:?} of {members}, hears {}",
                    if heard.is_empty() { "nobody".to_owned() } else { heard.to_string() }
                ),
            },
            Check { name: "up-to-date", holds: *lag <= LAG_MAX, details: format!("slot {applied}, {lag} behind") },
        ]
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Standing { view, members, role, is_serving, applied, lag, replays_to, .. } = self;
        let serving = if *is_serving { "serving" } else { "not serving" };
        if view.is_none() {
            write!(f, "{serving}, {role}, no view yet")?;
        } else {
            write!(f, "{serving}, {role}, view {view:?} of {members}")?;
        }
        write!(f, ", slot {applied}")?;
        if let Some(end) = replays_to {
            write!(f, " of the {end} in the store")?;
        }
        if *lag > 0 { write!(f, ", {lag} behind") } else { Ok(()) }
    }
}
