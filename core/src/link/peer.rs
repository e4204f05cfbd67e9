//! What link knows of one peer.

use super::Epoch;
use super::boots::Boots;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::pace::Pace;
use super::packet::Versions;
use crate::ids::MemberId;
use crate::time::Time;

/// One peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) member: MemberId,
    /// Whether it may talk to us. What is known of a former peer is kept, since the numbers of its
    /// streams go on where they were when it comes back with the same boot.
    pub(super) admitted: bool,
    pub(super) boots: Boots,
    /// The versions that its believed boot has said to speak.
    pub(super) speaks: Option<Versions>,
    pub(super) pace: Pace,
    /// The streams between its believed boot and ours.
    pub(super) pair: Option<Pair>,
    /// Its stream of this epoch.
    pub(super) broadcast: Incoming,
    /// The number of the newest packet of its believed boot, and the epoch that it named.
    pub(super) newest: (u64, Epoch),
    /// Whether its believed boot has shown that it believes ours.
    pub(super) believes_me: bool,
    pub(super) heard_at: Option<Time>,
    pub(super) full_size_at: Option<Time>,
    /// When to greet it, while one of us does not believe the other.
    pub(super) hello_at: Time,
    /// When to tell it what we have of its broadcast stream, at the latest, and how many of its
    /// cells we took since it was told.
    pub(super) marks_at: Option<Time>,
    pub(super) untold: u32,
    /// It asked to be answered at once.
    pub(super) answer: bool,
    /// The stamp of its last probe, to go with the answer.
    pub(super) stamp: Option<u64>,
}

/// The two streams between two boots.
#[derive(Debug)]
pub(super) struct Pair {
    /// The tag of the peer's boot.
    pub(super) tag: u64,
    pub(super) out: Outgoing,
    pub(super) incoming: Incoming,
    /// As `marks_at` and `untold`, for this stream.
    pub(super) mark_at: Option<Time>,
    pub(super) untold: u32,
}

impl Peer {
    pub(super) fn new(member: MemberId) -> Peer {
        Peer {
            member,
            admitted: false,
            boots: Boots::default(),
            speaks: None,
            pace: Pace::default(),
            pair: None,
            broadcast: Incoming::default(),
            newest: (0, Epoch(0)),
            believes_me: false,
            heard_at: None,
            full_size_at: None,
            hello_at: Time::NEVER,
            marks_at: None,
            untold: 0,
            answer: false,
            stamp: None,
        }
    }

    /// Whether one of us does not know the other yet.
    pub(super) fn is_strange(&self) -> bool {
        self.pair.is_none() || !self.believes_me
    }

    /// Forgets its stream of the epoch.
    pub(super) fn forget_broadcast(&mut self) {
        self.broadcast = Incoming::default();
        self.marks_at = None;
        self.untold = 0;
    }

    /// Since when its streams have a hole that it could fill. What is missing of its stream of `epoch` will
    /// never come once it has left that, and is no sign that nothing of what it sends now comes through.
    pub(super) fn gap_since(&self, epoch: Epoch) -> Option<Time> {
        let broadcast = self.broadcast.gap_since().filter(|_| self.newest.1 == epoch);
        earliest([broadcast, self.pair.as_ref().and_then(|pair| pair.incoming.gap_since())])
    }

    /// The next thing to do about it.
    pub(super) fn deadline(&self) -> Option<Time> {
        let hello = self.is_strange().then_some(self.hello_at);
        let pair =
            self.pair.as_ref().and_then(|pair| earliest([pair.out.deadline(), pair.incoming.deadline(), pair.mark_at]));
        earliest([hello, pair, self.broadcast.deadline(), self.marks_at])
    }
}

/// The earliest of some moments.
pub(super) fn earliest<const N: usize>(moments: [Option<Time>; N]) -> Option<Time> {
    moments.into_iter().flatten().min()
}
