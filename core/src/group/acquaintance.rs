//! With whom this replica talks: everyone in the cluster, everyone in its view, and guests, who are in
//! neither: a replica that is to be added, or one that was removed and has not heard of it.

use crate::ids::{MEMBERS_MAX, MemberId, MemberSet};
use crate::time::{Span, Time};
use alloc::vec::Vec;

use super::{Group, Output};

/// After so much silence a guest is forgotten; it is met again when it speaks.
const GUEST_SILENCE: Span = Span::secs(10);

/// How many guests there may be: more than join a cluster at once.
const GUESTS_MAX: usize = MEMBERS_MAX;

/// With whom this replica talks.
#[derive(Clone, Debug, Default)]
pub(super) struct Acquaintance {
    guests: Vec<(MemberId, Time)>,
    announced: MemberSet,
}

impl Group {
    /// Whether `member` is one to talk to.
    pub fn knows(&self, member: MemberId) -> bool {
        self.acquaintance.announced.contains(member)
    }

    /// A stranger speaks, who has the cluster's key.
    pub fn meet(&mut self, now: Time, member: MemberId) {
        let guests = &mut self.acquaintance.guests;
        if member != self.options.me && guests.len() < GUESTS_MAX && !guests.iter().any(|(m, _)| *m == member) {
            guests.push((member, now));
        }
        self.refresh_peers(now);
    }

    /// Everyone to talk to.
    pub(super) fn peers(&self) -> MemberSet {
        let guests = self.acquaintance.guests.iter().map(|(member, _)| *member).collect();
        self.log.electorate().set().union(self.view().set()).union(guests).without(self.options.me)
    }

    /// Sees to it that the right ones are talked to.
    pub(super) fn refresh_peers(&mut self, now: Time) {
        for guest in &mut self.acquaintance.guests {
            if self.detector.hears(now, guest.0) {
                guest.1 = now;
            }
        }
        self.acquaintance.guests.retain(|(_, seen)| now.since(*seen) < GUEST_SILENCE);
        let peers = self.peers();
        if peers != self.acquaintance.announced {
            self.acquaintance.announced = peers;
            self.detector.meet(peers);
            self.out.push_back(Output::Peers(peers));
        }
    }
}
