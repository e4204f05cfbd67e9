//! Who can be counted on: what this replica hears of its peers, and what they say of each other.
//!
//! "i hears j" means that j's packets come in, that no hole in them stays open, and that full-size ones
//! get through: a path that lets only small packets pass carries heartbeats and no work (RULES L3).
//! A peer that was dropped must hold out for longer each time before it is taken in again (RULES L4).

use crate::ids::{BootId, MemberId, MemberSet, Slot};
use crate::replica::Order;
use crate::time::{Span, Time};
use alloc::vec::Vec;

use super::message::Heartbeat;
use super::{Mesh, Timing};

/// For how long a peer must have been well before it may join: at first, then after each drop.
const HOLD: [Span; 4] = [Span::millis(100), Span::secs(1), Span::secs(8), Span::secs(64)];

/// After so long without a drop a peer counts as never dropped.
const FORGIVEN_AFTER: Span = Span::secs(600);

/// What is known of one peer.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Its believed boot.
    pub boot: Option<BootId>,
    /// What it said last.
    pub heartbeat: Heartbeat,
    heartbeat_at: Option<Time>,
    heard_at: Option<Time>,
    gap_since: Option<Time>,
    full_size_at: Option<Time>,
    well_since: Option<Time>,
    inactive_since: Option<Time>,
    /// Since when its log has not grown although there is more to have.
    stuck_since: Option<Time>,
    laggard_until: Time,
    left_out_until: Time,
    /// It has said that it stops, and has not started again.
    retires: bool,
    drops: usize,
    dropped_at: Time,
}

/// What is known of all peers.
#[derive(Clone, Debug)]
pub struct Detector {
    timing: Timing,
    order: Order,
    /// How often a peer was dropped that is heard well here: two others don't hear each other, and
    /// which of them is dropped changes.
    quarrels: usize,
    quarrel_at: Time,
    peers: Vec<(MemberId, Peer)>,
}

impl Peer {
    /// For how long nothing has come from it.
    pub fn silent_for(&self, now: Time) -> Option<Span> {
        self.heard_at.map(|at| now.since(at))
    }

    /// Whether it has said that it stops, and has not started again.
    pub fn is_retiring(&self) -> bool {
        self.retires
    }
}

impl Detector {
    /// Nothing is known yet.
    pub fn new(timing: Timing, order: Order) -> Detector {
        Detector { timing, order, quarrels: 0, quarrel_at: Time(0), peers: Vec::new() }
    }

    /// Takes in what link knows now.
    pub fn refresh(&mut self, now: Time, mesh: &dyn Mesh) {
        if now.since(self.quarrel_at) > FORGIVEN_AFTER {
            self.quarrels = 0;
        }
        for (member, peer) in &mut self.peers {
            peer.heard_at = mesh.heard_at(*member);
            peer.gap_since = mesh.gap_since(*member);
            peer.full_size_at = mesh.full_size_at(*member);
        }
        for index in 0..self.peers.len() {
            let Some((member, _)) = self.peers.get(index) else { continue };
            let well = self.is_fit(now, *member);
            if let Some((_, peer)) = self.peers.get_mut(index) {
                peer.well_since = if well { peer.well_since.or(Some(now)) } else { None };
                if peer.drops > 0 && now.since(peer.dropped_at) > FORGIVEN_AFTER {
                    peer.drops = 0;
                }
            }
        }
    }

    /// These are talked to from now on.
    pub fn meet(&mut self, peers: MemberSet) {
        for member in peers.iter() {
            if self.peer(member).is_none() {
                self.peers.push((member, Peer::default()));
            }
        }
        self.peers.sort_unstable_by_key(|(member, _)| *member);
    }

    /// A boot was believed.
    pub fn boot(&mut self, now: Time, member: MemberId, boot: BootId) {
        if let Some(peer) = self.peer_mut(member) {
            peer.boot = Some(boot);
            peer.heard_at = Some(now);
            peer.heartbeat = Heartbeat::default();
            peer.heartbeat_at = None;
            peer.full_size_at = None;
            peer.inactive_since = None;
            peer.stuck_since = None;
            // What made the former run unsteady may be gone with it.
            peer.drops = peer.drops.min(1);
            peer.left_out_until = Time(0);
            peer.laggard_until = Time(0);
            peer.retires = false;
        }
    }

    /// A peer spoke of itself.
    pub fn heartbeat(&mut self, now: Time, member: MemberId, heartbeat: Heartbeat, committed: Slot) {
        if let Some(peer) = self.peer_mut(member) {
            let grows = heartbeat.end > peer.heartbeat.end || heartbeat.end >= committed;
            peer.stuck_since = if grows { None } else { peer.stuck_since.or(Some(now)) };
            peer.inactive_since = if heartbeat.active { None } else { peer.inactive_since.or(Some(now)) };
            peer.heartbeat = heartbeat;
            peer.heartbeat_at = Some(now);
            peer.heard_at = Some(now);
        }
    }

    /// A peer holds the resend ring up, alone.
    pub fn laggard(&mut self, now: Time, member: MemberId) {
        let until = now + self.timing.left_out();
        if let Some(peer) = self.peer_mut(member) {
            peer.laggard_until = until;
        }
    }

    /// A peer did not answer an install in time (RULES L2).
    pub fn left_out(&mut self, now: Time, member: MemberId) {
        let until = now + self.timing.left_out();
        if let Some(peer) = self.peer_mut(member) {
            peer.left_out_until = until;
        }
    }

    /// A peer says that it stops; whether that is news.
    pub fn retires(&mut self, member: MemberId) -> bool {
        self.peer_mut(member).is_some_and(|peer| !core::mem::replace(&mut peer.retires, true))
    }

    /// A peer was dropped from a view while it was running, or could not be taken into one.
    pub fn dropped(&mut self, now: Time, member: MemberId) {
        if self.is_fit(now, member) {
            self.quarrels = (self.quarrels + 1).min(HOLD.len() - 1);
            self.quarrel_at = now;
        }
        let quarrels = self.quarrels;
        // Who goes by itself is welcome when it comes back.
        if let Some(peer) = self.peer_mut(member).filter(|peer| !peer.retires) {
            peer.drops = (peer.drops + 1).max(quarrels).min(HOLD.len() - 1);
            peer.dropped_at = now;
            peer.well_since = None;
        }
    }

    /// Whether `member` is heard, with less silence than `patience`.
    pub fn hears_within(&self, now: Time, member: MemberId, patience: Span) -> bool {
        let Some(peer) = self.peer(member) else { return false };
        let within = |at: Option<Time>, span: Span| at.is_some_and(|at| now.since(at) < span);
        within(peer.heard_at, patience)
            && within(peer.full_size_at, self.timing.full_size)
            && peer.gap_since.is_none_or(|since| now.since(since) < self.timing.gap)
    }

    /// Whether `member` is heard.
    pub fn hears(&self, now: Time, member: MemberId) -> bool {
        self.hears_within(now, member, self.timing.failure)
    }

    /// Everyone who is heard.
    pub fn heard(&self, now: Time) -> MemberSet {
        self.peers.iter().map(|(m, _)| *m).filter(|m| self.hears(now, *m)).collect()
    }

    /// Whether `member` could do the work of a view: it is heard, its disk moves, it keeps up.
    pub fn is_fit(&self, now: Time, member: MemberId) -> bool {
        self.hears(now, member) && !self.is_impaired(now, member)
    }

    /// Whether `member`, though perhaps heard, can't do the work of a view.
    pub fn is_impaired(&self, now: Time, member: MemberId) -> bool {
        self.peer(member).is_none_or(|peer| {
            Span::millis(peer.heartbeat.job_age_ms) > self.timing.failure
                || now < peer.laggard_until
                || peer.retires
                || (peer.heartbeat_at.is_some() && peer.heartbeat.order != self.order)
                || now < peer.left_out_until
        })
    }

    /// Whether `member` has been well for as long as it must before it may join.
    pub fn is_steady(&self, now: Time, member: MemberId) -> bool {
        self.peer(member).is_some_and(|peer| {
            let hold = HOLD[peer.drops.min(HOLD.len() - 1)];
            peer.well_since.is_some_and(|since| now.since(since) >= hold)
        })
    }

    /// Whether `member` was dropped before and has not been well for long enough since.
    pub fn is_held_back(&self, now: Time, member: MemberId) -> bool {
        self.peer(member).is_some_and(|peer| peer.drops > 0) && !self.is_steady(now, member)
    }

    /// For how long `member` has said that it takes no part in a view.
    pub fn inactive_for(&self, now: Time, member: MemberId) -> Span {
        self.peer(member).and_then(|peer| peer.inactive_since).map_or(Span::ZERO, |since| now.since(since))
    }

    /// For how long the log of `member` has stood still although there is more to have.
    pub fn stuck_for(&self, now: Time, member: MemberId) -> Span {
        self.peer(member).and_then(|peer| peer.stuck_since).map_or(Span::ZERO, |since| now.since(since))
    }

    /// What `member` said last, if that is not too old to count.
    pub fn fresh(&self, now: Time, member: MemberId) -> Option<&Heartbeat> {
        let peer = self.peer(member)?;
        peer.heartbeat_at.is_some_and(|at| now.since(at) < self.timing.failure).then_some(&peer.heartbeat)
    }

    /// What is known of `member`.
    pub fn peer(&self, member: MemberId) -> Option<&Peer> {
        self.peers.iter().find(|(m, _)| *m == member).map(|(_, peer)| peer)
    }

    /// All peers.
    pub fn peers(&self) -> impl Iterator<Item = (MemberId, &Peer)> {
        self.peers.iter().map(|(member, peer)| (*member, peer))
    }

    /// The next moment at which somebody who is heard now would no longer be.
    pub fn next_silence(&self, now: Time) -> Option<Time> {
        let silent_at = |peer: &Peer| peer.heard_at.map(|at| at + self.timing.failure).filter(|at| *at > now);
        self.peers.iter().filter_map(|(_, peer)| silent_at(peer)).min()
    }

    fn peer_mut(&mut self, member: MemberId) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|(m, _)| *m == member).map(|(_, peer)| peer)
    }
}
