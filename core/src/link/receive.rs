//! What a packet does to the link.
//!
//! A packet is admitted by its header, then checked as a whole, then taken frame by frame. The
//! frames of the epoch count only if sender and receiver are in the same one; those of the pair of
//! boots only behind a `To` that names this boot. Before its boot has proved itself, only
//! challenges and proofs of a packet count.

use super::frames::{Frame, Frames, ranges};
use super::incoming::Taken;
use super::options::{DATAGRAM_LIMIT, MARK_AFTER, MARK_CELLS, RESEND_MAX};
use super::outgoing::Marked;
use super::packet::{self, HEADER, Header, Kind};
use super::{Count, Epoch, Event, Link};
use crate::ids::{BootId, MemberId};
use crate::time::{Span, Time};
use bytes::Bytes;
use core::ops::Range;

/// What holds for the frames of one packet.
#[derive(Clone, Copy, Debug)]
struct Context {
    /// Where the sender stands among the peers.
    at: usize,
    from: MemberId,
    /// Whether sender and receiver are in the same epoch.
    same_epoch: bool,
    /// Whether a `To` has named this boot.
    to_me: bool,
    /// Whether the sender probes: heads in this packet are old news.
    probed: bool,
}

impl Link {
    /// A datagram has come that `from` is said to have sent. It may be anything.
    pub fn receive(&mut self, now: Time, from: MemberId, datagram: Bytes) {
        self.advance(now);
        self.counters.add(Count::PacketsReceived);
        if let Err(refused) = self.take_packet(from, &datagram) {
            self.counters.add(refused);
        }
    }

    fn take_packet(&mut self, from: MemberId, datagram: &Bytes) -> Result<(), Count> {
        if datagram.len() < HEADER || datagram.len() > DATAGRAM_LIMIT {
            return Err(Count::RefusedLength);
        }
        let header = Header::read(datagram).map_err(|_| Count::RefusedLength)?;
        if !self.options.speaks.contains(header.version) {
            return Err(Count::RefusedVersion);
        }
        if header.cluster != self.cluster_tag {
            return Err(Count::RefusedCluster);
        }
        if from == self.options.me || header.sender == self.options.me.number() {
            return Err(Count::RefusedMyself);
        }
        if header.sender != from.number() {
            return Err(Count::RefusedSender);
        }
        let at = self.place(from).ok_or(Count::RefusedStranger)?;
        let frames = Frames::new(datagram, self.options.me);
        frames.check().map_err(|_| Count::RefusedMalformed)?;
        if self.peers[at].boots.believed() != Some(header.boot) {
            return self.take_unbelieved(at, &header, frames);
        }
        let peer = &mut self.peers[at];
        if !peer.boots.take(header.number) {
            return Err(Count::RefusedReplay);
        }
        peer.heard_at = Some(self.now);
        if datagram.len() >= self.options.datagram_max {
            peer.full_size_at = Some(self.now);
        }
        peer.newest = peer.newest.max((header.number, Epoch(header.epoch)));
        let same_epoch = self.epoch != Epoch(0) && header.epoch == self.epoch.0 && self.members.contains(from);
        let context = Context { at, from, same_epoch, to_me: false, probed: false };
        self.take_frames(context, header.epoch, frames, datagram)
    }

    /// A packet of a boot that is not believed.
    fn take_unbelieved(&mut self, at: usize, header: &Header, frames: Frames<'_>) -> Result<(), Count> {
        let mut wrong_proof = false;
        let mut speaks = None;
        for frame in frames.flatten() {
            match frame {
                Frame::Challenge { boot, nonce } if boot == self.options.boot => self.send_proof(at, nonce),
                Frame::Proof { nonce } => {
                    let peer = &mut self.peers[at];
                    match peer.boots.prove(self.now, header.boot, nonce, header.number) {
                        Some(round_trip) => {
                            peer.speaks = speaks;
                            self.believe(at, round_trip, header);
                            return Ok(());
                        }
                        None => wrong_proof = true,
                    }
                }
                Frame::Versions(versions) => speaks = Some(versions),
                Frame::Challenge { .. }
                | Frame::Cell { .. }
                | Frame::To { .. }
                | Frame::Marks { .. }
                | Frame::StreamMark { .. }
                | Frame::Nack { .. }
                | Frame::Head { .. }
                | Frame::Note { .. }
                | Frame::Trailer { .. }
                | Frame::Probe { .. }
                | Frame::Echo { .. }
                | Frame::Hello
                | Frame::Unknown
                | Frame::Padding => {}
            }
        }
        if let Some(nonce) = self.peers[at].boots.meet(self.now, header.boot, &mut self.chance) {
            self.send_challenge(at, header.boot, nonce);
        }
        Err(if wrong_proof { Count::RefusedProof } else { Count::RefusedBoot })
    }

    /// The boot of the peer has just proved itself.
    fn believe(&mut self, at: usize, round_trip: Span, header: &Header) {
        self.pair_up(at);
        let peer = &mut self.peers[at];
        peer.pace.measured(round_trip);
        peer.heard_at = Some(self.now);
        peer.full_size_at = None;
        // What is missing of the former boot's stream will never come, and is no fault of this one.
        peer.forget_broadcast();
        peer.newest = (header.number, Epoch(header.epoch));
        // It asked who we are at the same time; if that got lost, it learns of us now.
        peer.answer = true;
        let Some(boot) = peer.boots.believed() else { return };
        let from = peer.member;
        self.counters.add(Count::BootsBelieved);
        self.events.push_back(Event::Boot { from, boot });
    }

    fn take_frames(
        &mut self,
        mut context: Context,
        epoch: u64,
        frames: Frames<'_>,
        datagram: &Bytes,
    ) -> Result<(), Count> {
        let Context { at, from, .. } = context;
        let mut trailer = None;
        for frame in frames.flatten() {
            match frame {
                Frame::Cell { kind, number, body } => self.take_cell(&context, kind, number, datagram.slice(body)),
                Frame::To { boot } => {
                    context.to_me = boot == self.boot_tag;
                    if context.to_me {
                        self.peers[at].believes_me = true;
                    } else {
                        self.counters.add(Count::OtherBoot);
                    }
                }
                Frame::Marks { mine } => {
                    if let Some(mark) = mine
                        && self.applies(&context, Kind::Broadcast)
                    {
                        self.take_mark(&context, mark);
                    }
                }
                Frame::StreamMark { mark } => self.take_stream_mark(&context, mark),
                Frame::Nack { kind, ranges } => self.take_nack(&context, kind, datagram, ranges),
                Frame::Head { kind, number } => self.take_head(&context, kind, number),
                Frame::Note { body } => self.events.push_back(Event::Note { from, message: datagram.slice(body) }),
                Frame::Trailer { body } => trailer = Some(datagram.slice(body)),
                Frame::Challenge { boot, nonce } => {
                    if boot == self.options.boot {
                        self.send_proof(at, nonce);
                    }
                }
                // A challenge that was sent twice is answered twice.
                Frame::Proof { .. } => {}
                Frame::Probe { stamp } => {
                    context.probed = true;
                    self.peers[at].stamp = Some(stamp);
                    self.peers[at].answer = true;
                }
                Frame::Echo { stamp } => {
                    if stamp > self.now.0 {
                        return Err(Count::RefusedNumber);
                    }
                    self.peers[at].pace.measured(self.now.since(Time(stamp)));
                }
                Frame::Hello => self.peers[at].answer = true,
                Frame::Versions(versions) => self.peers[at].speaks = Some(versions),
                Frame::Unknown => self.counters.add(Count::FramesUnknown),
                Frame::Padding => self.peers[at].full_size_at = Some(self.now),
            }
        }
        if let Some(bytes) = trailer {
            self.events.push_back(Event::Trailer { from, epoch: Epoch(epoch), bytes });
        }
        Ok(())
    }

    /// Whether the frames of one kind of stream hold here; counted if not.
    fn applies(&mut self, context: &Context, kind: Kind) -> bool {
        let (holds, count) = match kind {
            Kind::Broadcast => (context.same_epoch, Count::OtherEpoch),
            Kind::Pair => (context.to_me, Count::OtherBoot),
        };
        if !holds {
            self.counters.add(count);
        }
        holds
    }

    fn take_cell(&mut self, context: &Context, kind: Kind, number: u64, cell: Bytes) {
        if !self.applies(context, kind) {
            return;
        }
        let Context { at, from, .. } = *context;
        let Link { peers, events, counters, now, .. } = self;
        let peer = &mut peers[at];
        let taken = match (kind, &mut peer.pair) {
            (Kind::Broadcast, _) => {
                let taken = peer.broadcast.take(*now, peer.pace, number, cell, &mut |message| {
                    events.push_back(Event::Broadcast { from, message });
                });
                owe(&mut peer.marks_at, &mut peer.untold, *now, taken);
                taken
            }
            (Kind::Pair, Some(pair)) => {
                let taken = pair.incoming.take(*now, peer.pace, number, cell, &mut |message| {
                    events.push_back(Event::Stream { from, message });
                });
                owe(&mut pair.mark_at, &mut pair.untold, *now, taken);
                taken
            }
            (Kind::Pair, None) => return,
        };
        counters.add(match taken {
            Taken::New => Count::CellsReceived,
            Taken::Again => Count::CellsAgain,
            Taken::Absurd => Count::RefusedNumber,
            Taken::Broken => Count::RefusedStream,
        });
    }

    fn take_mark(&mut self, context: &Context, mark: u64) {
        match self.out.marked(context.from, mark) {
            Marked::Still => return,
            Marked::Absurd => {
                self.counters.add(Count::RefusedNumber);
                return;
            }
            Marked::Moved { first } => {
                let head = self.out.head();
                if first && mark < head {
                    // It has just come into the epoch and can't have heard what was sent before.
                    let last = head.min(mark + RESEND_MAX as u64);
                    self.resend(context.at, Kind::Broadcast, core::iter::once((mark + 1, last)));
                }
            }
        }
        if self.reported.contains(context.from) && self.out.behind(context.from) == 0 {
            self.reported.remove(context.from);
        }
    }

    fn take_stream_mark(&mut self, context: &Context, mark: u64) {
        if !self.applies(context, Kind::Pair) {
            return;
        }
        let Some(pair) = &mut self.peers[context.at].pair else { return };
        match pair.out.marked(context.from, mark) {
            Marked::Still | Marked::Moved { .. } => {}
            Marked::Absurd => self.counters.add(Count::RefusedNumber),
        }
    }

    fn take_head(&mut self, context: &Context, kind: Kind, number: u64) {
        if !self.applies(context, kind) {
            return;
        }
        let peer = &mut self.peers[context.at];
        let incoming = match (kind, &mut peer.pair) {
            (Kind::Broadcast, _) => &mut peer.broadcast,
            (Kind::Pair, Some(pair)) => &mut pair.incoming,
            (Kind::Pair, None) => return,
        };
        if !incoming.heard_head(self.now, peer.pace, number, context.probed) {
            self.counters.add(Count::RefusedNumber);
        }
    }

    fn take_nack(&mut self, context: &Context, kind: Kind, datagram: &Bytes, asked: Range<usize>) {
        if !self.applies(context, kind) {
            return;
        }
        self.counters.add(Count::NacksReceived);
        let head = match (kind, &self.peers[context.at].pair) {
            (Kind::Broadcast, _) => self.out.head(),
            (Kind::Pair, Some(pair)) => pair.out.head(),
            (Kind::Pair, None) => return,
        };
        if ranges(&datagram[asked.clone()]).any(|(_, last)| last > head) {
            self.counters.add(Count::RefusedNumber);
            return;
        }
        self.resend(context.at, kind, ranges(&datagram[asked]));
    }

    /// Starts the streams between the boot of a peer that is believed now and ours.
    fn pair_up(&mut self, at: usize) {
        let peer = &mut self.peers[at];
        let Some(tag) = peer.boots.tag() else { return };
        peer.believes_me = false;
        peer.pair = Some(super::emit::pair(&self.options, &self.opening, peer.member, tag));
    }

    fn send_challenge(&mut self, at: usize, boot: BootId, nonce: u64) {
        self.counters.add(Count::ChallengesSent);
        self.body.clear();
        packet::put_versions(&mut self.body, self.options.speaks);
        packet::put_challenge(&mut self.body, boot, nonce);
        self.send_to_peer(at);
    }

    fn send_proof(&mut self, at: usize, nonce: u64) {
        self.body.clear();
        packet::put_versions(&mut self.body, self.options.speaks);
        packet::put_proof(&mut self.body, nonce);
        self.send_to_peer(at);
    }
}

/// A cell was taken: if it is new, its receipt is owed, at once if it is one of many.
fn owe(at: &mut Option<Time>, untold: &mut u32, now: Time, taken: Taken) {
    match taken {
        Taken::New => {
            *untold += 1;
            let due = now + if *untold >= MARK_CELLS { Span::ZERO } else { MARK_AFTER };
            *at = Some(at.map_or(due, |set| set.min(due)));
        }
        Taken::Again | Taken::Absurd | Taken::Broken => {}
    }
}
