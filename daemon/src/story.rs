//! What happens to the replica, as lines of the log: a view change is one that a person understands.
//!
//! A line for each slot is for tracing; what the network can bring about is for debugging.

use crate::ending;
use crate::standing::Standing;
use ftq_core::ids::{MemberId, MemberSet};
use ftq_core::replica::{Event, Succession};

/// Tells what happens to one replica.
#[derive(Debug)]
pub(crate) struct Story {
    me: MemberId,
    /// Its last line on whom it misses, so that it is not repeated with every attempt.
    missing: MemberSet,
}

impl Story {
    /// The story of this member.
    pub(crate) fn new(me: MemberId) -> Story {
        Story { me, missing: MemberSet::EMPTY }
    }

    /// Whom it missed it may hear again, without a view change.
    pub(crate) fn look(&mut self, standing: &Standing) {
        let back = standing.is_serving && standing.heard.intersection(standing.members).contains_all(self.missing);
        if back && !self.missing.is_empty() {
            log::info!("hears {} again: view {:?} stays", self.missing, standing.view);
            self.missing = MemberSet::EMPTY;
        }
    }

    /// Writes it down.
    pub(crate) fn tell(&mut self, event: &Event) {
        match event {
            Event::Sequenced { slot, requests, .. } => log::trace!("slot {slot}: ordered {requests} requests"),
            Event::Appended { slot, .. } => log::trace!("slot {slot}: complete"),
            Event::Applied { slot, .. } => log::trace!("slot {slot}: applied"),
            Event::Restored { slot, .. } => log::info!("took over a snapshot of the state at slot {slot}"),
            Event::Promised { ballot } => log::debug!("promised {ballot:?}"),
            Event::Suspects { missing, .. } => {
                if *missing != self.missing {
                    self.missing = *missing;
                    log::info!("does not hear {}: asks for a new view", missing);
                }
            }
            Event::Installed { view, members, end, cut, .. } => {
                self.missing = MemberSet::EMPTY;
                let cut = if *cut == 0 { String::new() } else { format!(", {cut} slots of its own given up") };
                let company = match members.without(self.me) {
                    MemberSet::EMPTY => "alone".to_owned(),
                    others => format!("with {}", others),
                };
                log::info!("view {view:?}: {company}, from slot {} on{cut}", end.next());
            }
            Event::Opened { view } => log::debug!("view {view:?}: all of its members are there"),
            Event::Left { view } => log::info!("left view {view:?}"),
            Event::CaughtUp { slots, upto } => log::debug!("caught up {slots} slots, to slot {upto}"),
            Event::Configured { configuration, members } => {
                log::info!("the cluster is {}, by configuration {configuration}", members);
            }
            Event::Removed { configuration } => {
                log::error!(
                    "configuration {configuration} of the cluster does without this store: to come back, start it anew"
                );
            }
            Event::Older => log::warn!("this store is older than what it has shown to the others"),
            Event::Stranded => {
                log::error!("what was applied is lost here and at all others: only an operator can start it anew");
            }
            Event::Retires { member } => log::info!("member {member} stops, and hands over"),
            Event::Retired { succession } => log::info!("{}", parting(*succession)),
            Event::Disordered { members, mine, is_outnumbered } => {
                // The ending says so.
                if !is_outnumbered {
                    let (mine, theirs) = ending::orders(*mine);
                    log::error!(
                        "{members} is told the order \"{theirs}\", and this one \"{mine}\": it can't be in a view with this \
                         replica"
                    );
                }
            }
            Event::NearlyFull(true) => {
                log::warn!(
                    "the disk is nearly full: nothing is pushed here any more until there is room; pops and acks go on"
                );
            }
            Event::NearlyFull(false) => log::info!("there is room on the disk again"),
            Event::Repeated => log::debug!("answered a request again"),
            Event::Refused { why } => log::debug!("refused: {why}"),
            // The ending says so.
            Event::Stopped { .. } => {}
        }
    }
}

fn parting(succession: Succession) -> &'static str {
    match succession {
        Succession::HandedOver => "the others go on without this replica",
        Succession::NoQuorum => "the others are no quorum without this replica: nothing is ordered until it is back",
        Succession::Late => "the others have not gone on yet: they will when they miss this replica",
    }
}
