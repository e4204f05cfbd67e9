//! How packets leave the link.
//!
//! Cells go out as they are closed: a full one at once, the last one at the flush. What is due
//! besides, by a timer or by something that came in, goes out behind them: notes, the probe of the
//! broadcast stream, one packet to each peer that needs one of its own, and one to all that only
//! wait for marks and trailer. Every packet ends in marks, head and trailer.

use super::incoming::Incoming;
use super::options::{HELLO_EVERY, HELLO_JITTER, RANGES_MAX, RESEND_MAX};
use super::outgoing::{Outgoing, slab};
use super::packet::{self, CELL_HEAD, HEADER, Kind, Stamp, TAIL_MAX, TO, Versions};
use super::peer::{Pair, Peer};
use super::{Count, Epoch, Event, Link, Options};
use crate::ids::{MemberId, MemberSet};
use crate::time::{Span, Time};
use bytes::{BufMut, Bytes};

/// The broadcast stream of an epoch.
pub(super) fn broadcast_stream(options: &Options, opening: &[u8; HEADER], members: MemberSet) -> Outgoing {
    let cell_max = options.datagram_max - HEADER - CELL_HEAD - TAIL_MAX;
    Outgoing::new(Kind::Broadcast, opening.to_vec(), cell_max, members.iter())
}

/// The streams between the boot with this tag and ours.
pub(super) fn pair(options: &Options, opening: &[u8; HEADER], member: MemberId, tag: u64) -> Pair {
    let cell_max = options.datagram_max - HEADER - TO - CELL_HEAD - TAIL_MAX;
    let mut opening = opening.to_vec();
    packet::put_to(&mut opening, tag);
    let out = Outgoing::new(Kind::Pair, opening, cell_max, core::iter::once(member));
    Pair { tag, out, incoming: Incoming::default(), mark_at: None, untold: 0 }
}

impl Link {
    /// Closes the open cells and makes packets of everything that is due.
    pub fn flush(&mut self, now: Time) {
        self.advance(now);
        self.reached = MemberSet::EMPTY;
        if self.out.is_open() {
            self.ship_broadcast();
        }
        for at in 0..self.peers.len() {
            if self.peers[at].pair.as_ref().is_some_and(|pair| pair.out.is_open()) {
                self.ship_stream(at);
            }
        }
        self.send_notes();
        self.send_due();
    }

    /// Time has passed: sends what is due by a timer.
    pub fn tick(&mut self, now: Time) {
        self.advance(now);
        self.reached = MemberSet::EMPTY;
        self.send_due();
    }

    /// Closes the open cell of the broadcast stream and sends it.
    pub(super) fn ship_broadcast(&mut self) {
        self.write_tail(false, None);
        let stamp = self.stamp();
        let packet = self.out.close(stamp, &self.tail);
        let wait = self.peers.iter().filter(|p| self.members.contains(p.member)).map(|p| p.pace.probe()).max();
        self.out.watch(self.now, wait.unwrap_or(Span::ZERO));
        self.counters.add(Count::CellsSent);
        self.post(self.members, packet);
    }

    /// Closes the open cell of the stream to one peer and sends it.
    pub(super) fn ship_stream(&mut self, at: usize) {
        self.write_tail(false, Some(at));
        let stamp = self.stamp();
        let peer = &mut self.peers[at];
        let Some(pair) = &mut peer.pair else { return };
        let packet = pair.out.close(stamp, &self.tail);
        pair.out.watch(self.now, peer.pace.probe());
        let to = MemberSet::of(peer.member);
        self.counters.add(Count::CellsSent);
        self.post(to, packet);
    }

    /// Sends again what one peer asks for, as far as one nack goes.
    pub(super) fn resend(&mut self, at: usize, kind: Kind, asked: impl Iterator<Item = (u64, u64)>) {
        let mut left = RESEND_MAX;
        self.begin_resend(at, kind);
        let empty = self.body.len();
        for (first, last) in asked {
            let mut next = Some(first);
            while let Some(from) = next {
                next = self.gather(at, kind, from, last, &mut left);
                if next.is_some() {
                    self.send_to_peer(at);
                    self.begin_resend(at, kind);
                }
            }
        }
        if self.body.len() > empty {
            self.send_to_peer(at);
        }
    }

    fn begin_resend(&mut self, at: usize, kind: Kind) {
        self.body.clear();
        match (kind, &self.peers[at].pair) {
            (Kind::Pair, Some(pair)) => packet::put_to(&mut self.body, pair.tag),
            (Kind::Broadcast, _) | (Kind::Pair, None) => {}
        }
    }

    /// Puts cells of `first..=last` into the body, `left` at most. The answer is the first that did
    /// not fit any more.
    fn gather(&mut self, at: usize, kind: Kind, first: u64, last: u64, left: &mut usize) -> Option<u64> {
        let Link { peers, out, body, counters, options, now, .. } = self;
        let peer = &mut peers[at];
        let stream = match (kind, &mut peer.pair) {
            (Kind::Broadcast, _) => out,
            (Kind::Pair, Some(pair)) => &mut pair.out,
            (Kind::Pair, None) => return None,
        };
        let full = options.datagram_max - HEADER - TAIL_MAX;
        let mut over = None;
        stream.again(*now, peer.pace, peer.member, first, last, |number, cell| {
            if *left == 0 {
                return false;
            }
            if body.len() + CELL_HEAD + cell.len() > full {
                over = Some(number);
                return false;
            }
            let length = u16::try_from(cell.len()).expect("a cell fits a datagram");
            body.put_slice(&packet::cell_head(kind, number, length));
            body.put_slice(cell);
            *left -= 1;
            counters.add(Count::CellsResent);
            true
        });
        over
    }

    /// Sends the body to one peer.
    pub(super) fn send_to_peer(&mut self, at: usize) {
        self.write_tail(true, None);
        self.send_body(MemberSet::of(self.peers[at].member), false);
    }

    fn send_notes(&mut self) {
        if self.notes.is_empty() {
            return;
        }
        let admitted: MemberSet = self.peers.iter().filter(|p| p.admitted).map(|p| p.member).collect();
        for at in 0..self.notes.len() {
            let note = &self.notes[at];
            let (to, padded) = (note.to.intersection(admitted), note.padded);
            if to.is_empty() {
                continue;
            }
            self.body.clear();
            packet::put_note(&mut self.body, &self.note_bytes[note.body.clone()]);
            self.write_tail(true, None);
            self.send_body(to, padded);
        }
        self.notes.clear();
        self.note_bytes.clear();
    }

    fn send_due(&mut self) {
        self.send_probe();
        for at in 0..self.peers.len() {
            if self.peers[at].admitted && self.peers[at].is_due(self.now) {
                self.send_own(at);
            }
        }
        let waiting = core::mem::take(&mut self.nudged).minus(self.reached);
        let waiting: MemberSet =
            self.peers.iter().filter(|p| p.admitted && waiting.contains(p.member)).map(|p| p.member).collect();
        if !waiting.is_empty() {
            self.body.clear();
            self.write_tail(true, None);
            self.send_body(waiting, false);
        }
        self.watch_laggard();
    }

    /// Asks who lacks the end of the broadcast stream whether it came.
    fn send_probe(&mut self) {
        let lacking = self.out.probe(self.now);
        if lacking.is_empty() {
            return;
        }
        self.counters.add(Count::ProbesSent);
        self.body.clear();
        packet::put_probe(&mut self.body, self.now.0);
        self.write_tail(true, None);
        self.send_body(lacking, false);
    }

    /// Sends what is due to one peer alone: nacks, the probe of its stream, an answer, a greeting.
    fn send_own(&mut self, at: usize) {
        let now = self.now;
        let Link { peers, counters, body, nudged, chance, options, .. } = self;
        let peer = &mut peers[at];
        let mut wanted = peer.answer;
        let mut missing = [(0, 0); RANGES_MAX];
        body.clear();
        if let Some(pair) = &mut peer.pair {
            packet::put_to(body, pair.tag);
            let asked = pair.incoming.ask(now, peer.pace, &mut missing);
            if !asked.is_empty() {
                packet::put_nack(body, Kind::Pair, asked);
                counters.add(Count::NacksSent);
                wanted = true;
            }
            if !pair.out.probe(now).is_empty() {
                packet::put_probe(body, now.0);
                counters.add(Count::ProbesSent);
                wanted = true;
            }
            wanted |= pair.mark_at.is_some_and(|at| at <= now);
        }
        let asked = peer.broadcast.ask(now, peer.pace, &mut missing);
        if !asked.is_empty() {
            packet::put_nack(body, Kind::Broadcast, asked);
            counters.add(Count::NacksSent);
            wanted = true;
        }
        if let Some(stamp) = peer.stamp.take() {
            packet::put_echo(body, stamp);
            wanted = true;
        }
        if peer.is_strange() && peer.hello_at <= now {
            packet::put_hello(body);
            packet::put_versions(body, options.speaks);
            peer.hello_at = now + HELLO_EVERY + Span(chance.below(HELLO_JITTER.0));
            wanted = true;
        }
        peer.answer = false;
        if wanted {
            self.write_tail(true, Some(at));
            self.send_body(MemberSet::of(self.peers[at].member), false);
        } else if peer.marks_at.is_some_and(|at| at <= now) {
            // One packet tells all of them.
            nudged.insert(peer.member);
        }
    }

    /// Reports who alone has kept the window half full for too long.
    fn watch_laggard(&mut self) {
        let half_full = self.out.unmarked() >= self.options.window_bytes / 2;
        let Some(alone) = half_full.then(|| self.out.alone()).flatten() else {
            self.lagging = None;
            return;
        };
        let since = match self.lagging {
            Some((member, since)) if member == alone => since,
            Some(_) | None => self.now,
        };
        self.lagging = Some((alone, since));
        if self.now.since(since) >= self.options.laggard_after && !self.reported.contains(alone) {
            self.reported.insert(alone);
            self.counters.add(Count::Laggards);
            self.events.push_back(Event::Laggard { member: alone });
        }
    }

    /// Writes what follows the body: the mark and head of one peer's stream, if it is to that peer
    /// and behind a `To`; marks, head and trailer.
    fn write_tail(&mut self, with_head: bool, peer: Option<usize>) {
        let Link { peers, tail, members, epoch, out, trailer, trailer_length, .. } = self;
        tail.clear();
        if let Some(pair) = peer.and_then(|at| peers[at].pair.as_mut()) {
            packet::put_stream_mark(tail, pair.incoming.mark());
            pair.mark_at = None;
            pair.untold = 0;
            if with_head && pair.out.head() > 0 {
                packet::put_head(tail, Kind::Pair, pair.out.head());
            }
        }
        if *epoch != Epoch(0) {
            let marks = peers.iter().filter(|p| members.contains(p.member)).map(|p| (p.member, p.broadcast.mark()));
            packet::put_marks(tail, marks);
            if with_head && out.head() > 0 {
                packet::put_head(tail, Kind::Broadcast, out.head());
            }
        }
        if *trailer_length > 0 {
            packet::put_trailer(tail, &trailer[..*trailer_length]);
        }
        assert!(tail.len() <= TAIL_MAX, "no epoch sends 2^35 cells");
    }

    /// Makes a packet of body and tail, filled up to a whole datagram if it is to be `padded`.
    fn send_body(&mut self, to: MemberSet, padded: bool) {
        let datagram_max = self.options.datagram_max;
        slab(&mut self.slab, datagram_max);
        self.slab.put_slice(&self.opening);
        self.slab.put_slice(&self.body);
        self.slab.put_slice(&self.tail);
        assert!(self.slab.len() <= datagram_max, "a packet fits a datagram");
        if padded && self.slab.len() < datagram_max {
            let rest = datagram_max - self.slab.len();
            packet::put_padding(&mut self.slab, rest);
        }
        let stamp = self.stamp();
        packet::stamp(&mut self.slab, stamp);
        let packet = self.slab.split().freeze();
        self.post(to, packet);
    }

    /// What goes into the header of the next packet.
    fn stamp(&mut self) -> Stamp {
        self.number += 1;
        Stamp { version: self.version(), number: self.number, epoch: self.epoch.0 }
    }

    /// The newest version that all peers have said to speak; the oldest while one of them has said nothing.
    fn version(&self) -> u8 {
        let Versions { oldest, newest } = self.options.speaks;
        let said = |peer: &Peer| peer.speaks.map_or(oldest, |speaks| speaks.newest);
        let shared = self.peers.iter().filter(|peer| peer.admitted).map(said).min();
        shared.unwrap_or(newest).clamp(oldest, newest)
    }

    /// Hands out a packet; its receivers have our marks with it.
    fn post(&mut self, to: MemberSet, packet: Bytes) {
        for peer in self.peers.iter_mut().filter(|p| to.contains(p.member)) {
            peer.marks_at = None;
            peer.untold = 0;
        }
        self.reached = self.reached.union(to);
        self.counters.add(Count::PacketsSent);
        self.sends.push_back((to, packet));
    }
}

impl Peer {
    /// Whether it is time for anything about this peer.
    fn is_due(&self, now: Time) -> bool {
        self.answer || self.deadline().is_some_and(|at| at <= now)
    }
}
