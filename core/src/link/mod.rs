//! Link: a reliable mesh out of datagrams.
//!
//! ```text
//!  broadcast(m) ──▶ outgoing ─ cells ─▶ packets ──▶ datagrams ──▶ packets ─ cells ─▶ incoming ──▶ m
//!                      ▲  └── kept until all have it                                   │
//!                      └─────────── marks: "I have all up to n" · nacks: "I lack n..m" ┘
//! ```
//! What always holds:
//! - a message of a stream is delivered once, after all that its sender sent before it on that
//!   stream, or not at all, within one pair of boots (`stream`) or one epoch (`broadcast`);
//! - what a member of the epoch lacks is kept for it until the epoch ends;
//! - nothing but a challenge or its proof is taken from a boot that has not proved itself, and no
//!   packet is taken twice;
//! - whatever comes in is taken or refused and counted; nothing from outside is asserted.
//!
//! Loss is found by the receiver: a number is missing, or the head that a probe tells is above what
//! it has. It asks the sender, which sends what is asked for to that receiver alone. Link knows no
//! slots and no views: an epoch is a tag, and the trailer that rides on every packet is bytes.
//!
//! The sealing around the datagram (`net`) makes the sender true and keeps changed bytes out; link
//! adds what needs state: boots, replays, order.

mod boots;
mod counters;
mod emit;
mod frames;
mod gap;
mod incoming;
mod options;
mod outgoing;
mod pace;
mod packet;
mod peer;
mod receive;
#[cfg(test)]
mod tests;

pub use counters::{Count, Counters};
pub use options::{DATAGRAM_MAX, DATAGRAM_MIN, LAGGARD_AFTER, MESSAGE_MAX, Options, TRAILER_MAX};
pub use options::{RING_BYTES, STREAM_WINDOW_BYTES, WINDOW_BYTES};
pub use packet::{ASIDE, HEADER as HEADER_BYTES, PacketName, SPOKEN, Versions, cluster_tag, opening_aside};

use crate::chance::Chance;
use crate::ids::{BootId, MEMBERS_MAX, MemberId, MemberSet};
use crate::time::Time;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::ops::Range;
use outgoing::{Outgoing, Unwritten};
use peer::{Peer, earliest};

/// Names the broadcast streams of one view; link only compares it. 0 means that there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// What link tells the layer above, in order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A boot is believed: the first of this peer, or a new one. Streams with a former one are gone.
    Boot {
        /// The peer.
        from: MemberId,
        /// Its boot.
        boot: BootId,
    },
    /// The next message of a member's stream of the current epoch.
    Broadcast {
        /// The member.
        from: MemberId,
        /// The message.
        message: Bytes,
    },
    /// The next message of a peer's stream to this boot.
    Stream {
        /// The peer.
        from: MemberId,
        /// The message.
        message: Bytes,
    },
    /// A message that came by itself.
    Note {
        /// The peer.
        from: MemberId,
        /// The message.
        message: Bytes,
    },
    /// The trailer of a packet, after everything else in it.
    Trailer {
        /// The peer.
        from: MemberId,
        /// The epoch that the *sender* is in.
        epoch: Epoch,
        /// The trailer.
        bytes: Bytes,
    },
    /// This member alone has kept the window half full for too long (RULES L8).
    Laggard {
        /// The member.
        member: MemberId,
    },
}

/// One replica's end of the mesh.
#[derive(Debug)]
pub struct Link {
    options: Options,
    /// What every packet begins with.
    opening: [u8; packet::HEADER],
    cluster_tag: [u8; 8],
    boot_tag: u64,
    chance: Chance,
    now: Time,
    peers: Vec<Peer>,
    epoch: Epoch,
    members: MemberSet,
    out: Outgoing,
    /// Who alone has kept the window half full, and since when; who was reported for it.
    lagging: Option<(MemberId, Time)>,
    reported: MemberSet,
    trailer: [u8; TRAILER_MAX],
    trailer_length: usize,
    /// The number of the last packet.
    number: u64,
    notes: Vec<Note>,
    note_bytes: Vec<u8>,
    nudged: MemberSet,
    /// To whom this flush has sent a packet with marks and trailer.
    reached: MemberSet,
    /// Packets are cut from here; their parts are put together in the other two.
    slab: BytesMut,
    body: Vec<u8>,
    tail: Vec<u8>,
    events: VecDeque<Event>,
    sends: VecDeque<(MemberSet, Bytes)>,
    counters: Counters,
}

/// A note until the next flush.
#[derive(Debug)]
struct Note {
    to: MemberSet,
    body: Range<usize>,
    padded: bool,
}

impl Link {
    /// A link without peers. `seed` is drawn for this run; challenges come from it.
    pub fn new(options: Options, seed: u64) -> Link {
        assert!(options.datagram_max >= DATAGRAM_MIN, "the frames of one packet need {DATAGRAM_MIN} bytes");
        assert!(options.datagram_max <= options::DATAGRAM_LIMIT);
        let opening = packet::opening(options.cluster, options.me, options.boot);
        Link {
            opening,
            cluster_tag: packet::cluster_tag(options.cluster),
            boot_tag: packet::boot_tag(options.boot),
            chance: Chance::new(seed),
            now: Time(0),
            peers: Vec::new(),
            epoch: Epoch(0),
            members: MemberSet::EMPTY,
            out: emit::broadcast_stream(&options, &opening, MemberSet::EMPTY),
            lagging: None,
            reported: MemberSet::EMPTY,
            trailer: [0; TRAILER_MAX],
            trailer_length: 0,
            number: 0,
            notes: Vec::new(),
            note_bytes: Vec::new(),
            nudged: MemberSet::EMPTY,
            reached: MemberSet::EMPTY,
            slab: BytesMut::new(),
            body: Vec::new(),
            tail: Vec::new(),
            events: VecDeque::new(),
            sends: VecDeque::new(),
            counters: Counters::default(),
            options,
        }
    }

    /// Who may talk to us, without ourselves. New ones are greeted.
    pub fn set_peers(&mut self, now: Time, peers: MemberSet) {
        self.advance(now);
        let peers = peers.without(self.options.me);
        for member in peers.iter() {
            let at = self.peer_place(member);
            let peer = &mut self.peers[at];
            if !peer.admitted {
                peer.hello_at = now;
            }
        }
        for peer in &mut self.peers {
            peer.admitted = peers.contains(peer.member);
        }
    }

    /// Begins the streams of `epoch` among `members`, without ourselves, and forgets those of the
    /// epoch before, messages of it that were not polled yet included.
    pub fn open_epoch(&mut self, now: Time, epoch: Epoch, members: MemberSet) {
        assert!(epoch != Epoch(0) && !members.contains(self.options.me) && members.len() < MEMBERS_MAX);
        self.advance(now);
        self.close_epoch();
        for member in members.iter() {
            self.peer_place(member);
        }
        self.epoch = epoch;
        self.members = members;
        self.out = emit::broadcast_stream(&self.options, &self.opening, members);
        // Who sent before we were here learns from our marks that we have nothing yet.
        self.nudge(members);
    }

    /// Ends the epoch: its streams and what was not polled of them are gone.
    pub fn close_epoch(&mut self) {
        self.epoch = Epoch(0);
        self.members = MemberSet::EMPTY;
        self.out = emit::broadcast_stream(&self.options, &self.opening, MemberSet::EMPTY);
        self.lagging = None;
        self.reported = MemberSet::EMPTY;
        for peer in &mut self.peers {
            peer.forget_broadcast();
        }
        self.events.retain(|event| !matches!(event, Event::Broadcast { .. }));
    }

    /// Sends `message` to all members of the epoch, reliably and in order. It is never held back:
    /// whoever sends bodies asks [`Link::room`] first.
    pub fn broadcast(&mut self, message: &[u8]) {
        assert!(message.len() <= MESSAGE_MAX);
        if self.members.is_empty() {
            return;
        }
        let mut rest = Unwritten::new(message);
        while !self.out.write(&mut rest) {
            self.ship_broadcast();
        }
    }

    /// Sends `message` to the believed boot of `to`, reliably and in order. Dropped if there is none.
    pub fn stream(&mut self, to: MemberId, message: &[u8]) {
        assert!(message.len() <= MESSAGE_MAX);
        let Some(at) = self.place(to) else {
            self.counters.add(Count::StreamDropped);
            return;
        };
        let mut rest = Unwritten::new(message);
        while let Some(pair) = &mut self.peers[at].pair {
            if pair.out.write(&mut rest) {
                return;
            }
            self.ship_stream(at);
        }
        self.counters.add(Count::StreamDropped);
    }

    /// Sends one message that may get lost. At most [`Link::note_max`] bytes. `padded` fills the
    /// datagram up, to learn whether the path takes it.
    pub fn note(&mut self, to: MemberSet, message: &[u8], padded: bool) {
        assert!(message.len() <= self.note_max());
        let from = self.note_bytes.len();
        self.note_bytes.extend_from_slice(message);
        self.notes.push(Note { to, body: from..self.note_bytes.len(), padded });
    }

    /// Has a packet with marks and trailer go to `to` with the next flush, even if nothing else does.
    pub fn nudge(&mut self, to: MemberSet) {
        self.nudged = self.nudged.union(to);
    }

    /// The layer above waits for something that `from` has broadcast: what is missing of it is asked for
    /// with the next flush, without the allowance for what is only late (RULES P4).
    pub fn hasten(&mut self, now: Time, from: MemberSet) {
        for peer in self.peers.iter_mut().filter(|peer| from.contains(peer.member)) {
            peer.broadcast.hasten(now, peer.pace);
        }
    }

    /// What rides on every packet from now on, at most [`TRAILER_MAX`] bytes.
    pub fn set_trailer(&mut self, bytes: &[u8]) {
        self.trailer[..bytes.len()].copy_from_slice(bytes);
        self.trailer_length = bytes.len();
    }

    /// The next thing to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next datagram to send, to each of a set.
    pub fn poll_send(&mut self) -> Option<(MemberSet, Bytes)> {
        self.sends.pop_front()
    }

    /// The epoch, 0 if none is open.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How many bytes of bodies the window still takes.
    pub fn room(&self) -> usize {
        self.options.window_bytes.saturating_sub(self.out.unmarked())
    }

    /// How many bytes are still welcome in the stream to `to`; none without a believed boot.
    pub fn stream_room(&self, to: MemberId) -> usize {
        let pair = self.peer(to).and_then(|peer| peer.pair.as_ref());
        pair.map_or(0, |pair| self.options.stream_window_bytes.saturating_sub(pair.out.unmarked()))
    }

    /// The longest note.
    pub fn note_max(&self) -> usize {
        self.options.datagram_max - packet::HEADER - packet::NOTE_HEAD - packet::TAIL_MAX
    }

    /// When to [`Link::tick`] if nothing else happens before.
    pub fn deadline(&self) -> Option<Time> {
        let peers = self.peers.iter().filter(|peer| peer.admitted).filter_map(Peer::deadline).min();
        let laggard = self.lagging.filter(|(member, _)| !self.reported.contains(*member));
        earliest([peers, self.out.deadline(), laggard.map(|(_, since)| since + self.options.laggard_after)])
    }

    /// The boot of `peer` that is believed.
    pub fn believed(&self, peer: MemberId) -> Option<BootId> {
        self.peer(peer).and_then(|peer| peer.boots.believed())
    }

    /// When the last packet of the believed boot of `peer` was accepted.
    pub fn heard_at(&self, peer: MemberId) -> Option<Time> {
        self.peer(peer).and_then(|peer| peer.heard_at)
    }

    /// Since when the streams of `peer` to us have a hole that is known and was not filled.
    pub fn gap_since(&self, peer: MemberId) -> Option<Time> {
        self.peer(peer)?.gap_since(self.epoch)
    }

    /// When the last full-size packet of `peer` was accepted.
    pub fn full_size_at(&self, peer: MemberId) -> Option<Time> {
        self.peer(peer).and_then(|peer| peer.full_size_at)
    }

    /// How many bytes of our broadcast stream `peer` has not acknowledged.
    pub fn behind(&self, peer: MemberId) -> u64 {
        self.out.behind(peer)
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// A peer that may talk to us.
    fn peer(&self, member: MemberId) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.member == member && peer.admitted)
    }

    /// Where a peer that may talk to us stands.
    fn place(&self, member: MemberId) -> Option<usize> {
        self.peers.iter().position(|peer| peer.member == member && peer.admitted)
    }

    /// Where `member` stands, known from now on.
    fn peer_place(&mut self, member: MemberId) -> usize {
        self.peers.iter().position(|peer| peer.member == member).unwrap_or_else(|| {
            self.peers.push(Peer::new(member));
            self.peers.len() - 1
        })
    }
}
