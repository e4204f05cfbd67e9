//! Groups alone: perfect links, a store that is durable after a moment, virtual time.
//!
//! What a lossy network and a disk that forgets do to them is the simulator's part; here the protocol is
//! seen without the noise.

mod downloads;
mod opened;
mod rules;

use super::own::Token;
use super::*;
use crate::ids::{ClusterId, Digest, MemberId};
use crate::replica::Order;
use crate::store::Report;
use alloc::collections::BTreeMap;
use alloc::vec;

const HOP: Span = Span::millis(1);
const SYNC: Span = Span::millis(1);

fn m(n: u8) -> MemberId {
    MemberId::new(n).unwrap()
}

fn set(ids: &[u8]) -> MemberSet {
    ids.iter().map(|n| m(*n)).collect()
}

enum Happens {
    Message { to: MemberId, from: MemberId, message: Message },
    Broadcast { to: MemberId, from: MemberId, epoch: u64, message: Message },
    Trailer { to: MemberId, from: MemberId, epoch: u64, bytes: Bytes },
    Durable { at: MemberId, report: Report },
}

struct Node {
    group: Group,
    boot: BootId,
    epoch: u64,
    members: MemberSet,
    tick_at: Time,
    delivered: Vec<(Slot, Digest, u64)>,
    answered: Vec<u64>,
    events: Vec<Event>,
    end: Slot,
    log: Vec<SlotRecord>,
    reads: Vec<Token>,
}

struct World {
    now: Time,
    nodes: BTreeMap<MemberId, Node>,
    queue: BTreeMap<(Time, u64), Happens>,
    order: u64,
    cut: MemberSet,
}

struct Heard<'a>(&'a World, MemberId);

impl Mesh for Heard<'_> {
    fn heard_at(&self, member: MemberId) -> Option<Time> {
        let up = |m: MemberId| self.0.nodes.contains_key(&m) && !self.0.cut.contains(m);
        (up(member) && up(self.1)).then_some(self.0.now)
    }
    fn gap_since(&self, _: MemberId) -> Option<Time> {
        None
    }
    fn full_size_at(&self, _: MemberId) -> Option<Time> {
        Some(self.0.now)
    }
}

impl World {
    fn new(n: u8, order: Order) -> World {
        let founding: MemberSet = (1..=n).map(m).collect();
        let mut world = World {
            now: Time(1_000_000),
            nodes: BTreeMap::new(),
            queue: BTreeMap::new(),
            order: 0,
            cut: MemberSet::EMPTY,
        };
        for member in founding.iter() {
            let options = Options {
                me: member,
                cluster: ClusterId([7; 16]),
                founding,
                order,
                log_keep: 100,
                rules: 1,
                timing: Timing::default(),
            };
            let opened = Opened { store: StoreId([member.number(); 16]), ..Opened::default() };
            let boot = BootId([member.number(); 16]);
            let group = Group::new(world.now, options, boot, u64::from(member.number()), opened);
            let node = Node {
                group,
                boot,
                epoch: 0,
                members: MemberSet::EMPTY,
                tick_at: world.now,
                delivered: vec![],
                answered: vec![],
                events: vec![],
                end: Slot(0),
                log: vec![],
                reads: vec![],
            };
            world.nodes.insert(member, node);
        }
        let all: Vec<(MemberId, BootId)> = world.nodes.iter().map(|(m, n)| (*m, n.boot)).collect();
        for (member, node) in &mut world.nodes {
            for (peer, boot) in all.iter().filter(|(peer, _)| peer != member) {
                node.group.boot(world.now, *peer, *boot);
            }
        }
        world
    }

    fn at(&mut self, time: Time, what: Happens) {
        self.order += 1;
        self.queue.insert((time, self.order), what);
    }

    fn drain(&mut self, member: MemberId) {
        let now = self.now;
        let Some(mut node) = self.nodes.remove(&member) else { return };
        let mut later = vec![];
        let mut speaks = false;
        loop {
            node.group.settle(now);
            let mut more = false;
            while let Some(delivery) = node.group.deliver() {
                more = true;
                let requests = content::requests(&delivery.record.content).unwrap();
                node.delivered.push((delivery.record.slot, delivery.record.digest, requests.total()));
                for (origin, number, _) in requests {
                    if let Some(token) = node.group.own_token(delivery.record.view, origin, number) {
                        node.answered.push(token.0);
                    }
                }
            }
            while let Some(output) = node.group.poll() {
                more = true;
                speaks |= matches!(output, Output::Broadcast(_) | Output::Note { .. } | Output::Nudge(_));
                match output {
                    Output::Enter { epoch, members } => {
                        node.epoch = epoch;
                        node.members = members;
                    }
                    Output::Leave => node.epoch = 0,
                    Output::Broadcast(message) => {
                        for to in node.members.iter() {
                            let (from, epoch) = (member, node.epoch);
                            later.push((now + HOP, Happens::Broadcast { to, from, epoch, message: message.clone() }));
                        }
                    }
                    Output::Note { to, message, .. } => {
                        for to in to.iter() {
                            later.push((now + HOP, Happens::Message { to, from: member, message: message.clone() }));
                        }
                    }
                    Output::Stream { to, message } => {
                        later.push((now + HOP, Happens::Message { to, from: member, message }));
                    }
                    Output::Nudge(_) | Output::Hasten(_) | Output::Peers(_) => {}
                    Output::Persist { id, job } => {
                        let (generation, end) = match job {
                            Job::Append { generation, slots } => {
                                node.log.extend(slots);
                                (generation, node.log.last().map(|r| r.slot).unwrap_or_default())
                            }
                            Job::Install { generation, keep, slots, .. } => {
                                node.log.retain(|r| r.slot <= keep);
                                node.log.extend(slots);
                                (generation, node.log.last().map(|r| r.slot).unwrap_or_default())
                            }
                            Job::Promise { .. } | Job::Electorate { .. } => (Generation(0), node.end),
                            Job::CatchUp { generation, slots } => {
                                let first = slots[0].slot;
                                node.log.retain(|r| r.slot < first);
                                node.log.extend(slots);
                                (generation, node.log.last().map(|r| r.slot).unwrap_or_default())
                            }
                            Job::Adopt { .. }
                            | Job::Deliver { .. }
                            | Job::Snapshot { .. }
                            | Job::Cut { .. }
                            | Job::Heard { .. } => {
                                continue;
                            }
                        };
                        node.end = end;
                        let report = Report::Durable { job: id, generation, end, ordinal: id.0 };
                        later.push((now + SYNC, Happens::Durable { at: member, report }));
                    }
                    Output::Fetch { .. } | Output::Restore { .. } | Output::Missed(_) => {}
                    Output::ReadReady(tokens) => node.reads.extend(tokens),
                    Output::Event(event) => node.events.push(event),
                }
            }
            if !more {
                break;
            }
        }
        let mut w = crate::wire::Writer::new();
        node.group.trailer(now, &mut w);
        let bytes = w.into_bytes();
        for to in node.members.iter().filter(|_| speaks) {
            later.push((now + HOP, Happens::Trailer { to, from: member, epoch: node.epoch, bytes: bytes.clone() }));
        }
        node.tick_at = node.tick_at.min(node.group.deadline(now));
        self.nodes.insert(member, node);
        for (time, what) in later {
            self.at(time, what);
        }
    }

    fn run(&mut self, span: Span) {
        let until = self.now + span;
        loop {
            let tick = self.nodes.iter().map(|(m, n)| (n.tick_at, *m)).min();
            let event = self.queue.keys().next().copied();
            let (tick_at, ticker) = tick.unwrap();
            if tick_at.min(event.map_or(Time::NEVER, |e| e.0)) > until {
                self.now = until;
                return;
            }
            if event.is_none_or(|e| tick_at <= e.0) {
                self.now = self.now.max(tick_at);
                let mut node = self.nodes.remove(&ticker).unwrap();
                self.nodes.insert(ticker, Node { tick_at: Time::NEVER, ..node });
                node = self.nodes.remove(&ticker).unwrap();
                // The mesh looks at the others only.
                let heard = Heard(self, ticker);
                let alive = Present(&heard, ticker);
                node.group.tick(self.now, &alive);
                self.nodes.insert(ticker, node);
                self.drain(ticker);
                continue;
            }
            let ((at, _), what) = self.queue.pop_first().unwrap();
            self.now = at;
            let (to, from) = match &what {
                Happens::Message { to, from, .. }
                | Happens::Broadcast { to, from, .. }
                | Happens::Trailer { to, from, .. } => (*to, *from),
                Happens::Durable { at, .. } => (*at, *at),
            };
            if from != to && (self.cut.contains(to) || self.cut.contains(from)) {
                continue;
            }
            let now = self.now;
            let Some(node) = self.nodes.get_mut(&to) else { continue };
            match what {
                Happens::Message { message, .. } => {
                    let mut w = crate::wire::Writer::new();
                    message.encode(&mut w);
                    assert_eq!(Message::decode(w.into_bytes()).unwrap(), message);
                    node.group.message(now, from, message);
                }
                Happens::Broadcast { epoch, message, .. } if epoch == node.epoch => {
                    node.group.broadcast(now, from, message);
                }
                Happens::Broadcast { .. } => {}
                Happens::Trailer { epoch, bytes, .. } => node.group.on_trailer(from, epoch, bytes),
                Happens::Durable { report, .. } => node.group.report(now, report),
            }
            self.drain(to);
        }
    }

    fn submit(&mut self, at: u8, token: u64) {
        self.nodes.get_mut(&m(at)).unwrap().group.submit(Token(token), Bytes::from_static(b"hello"));
        self.drain(m(at));
    }

    fn serving(&self) -> Vec<u8> {
        let now = self.now;
        self.nodes.iter().filter(|(_, n)| n.group.is_serving(now)).map(|(m, _)| m.number()).collect()
    }

    fn agree(&self) {
        let mut longest: &[(Slot, Digest, u64)] = &[];
        for node in self.nodes.values() {
            let shorter = longest.len().min(node.delivered.len());
            assert_eq!(longest[..shorter], node.delivered[..shorter]);
            if node.delivered.len() > longest.len() {
                longest = &node.delivered;
            }
        }
    }
}

/// A node that is being ticked hears the others, though it is out of the table for the moment.
struct Present<'a>(&'a Heard<'a>, MemberId);

impl Mesh for Present<'_> {
    fn heard_at(&self, member: MemberId) -> Option<Time> {
        if self.0.0.cut.contains(self.1) || self.0.0.cut.contains(member) {
            return Some(Time(1));
        }
        self.0.0.nodes.contains_key(&member).then_some(self.0.0.now)
    }
    fn gap_since(&self, member: MemberId) -> Option<Time> {
        self.0.gap_since(member)
    }
    fn full_size_at(&self, member: MemberId) -> Option<Time> {
        self.0.full_size_at(member)
    }
}

#[test]
fn one_to_seven_members_form_a_view_and_order_requests() {
    for order in [Order::Rotating, Order::Fixed] {
        for n in 1..=7 {
            let mut world = World::new(n, order);
            world.run(Span::millis(400));
            assert_eq!(world.serving().len(), usize::from(n), "{n} {order:?}");
            for token in 0..100 {
                let at = u8::try_from(token % u64::from(n)).unwrap() + 1;
                world.submit(at, token);
                world.run(Span::micros(300));
            }
            world.run(Span::millis(200));
            let answered: usize = world.nodes.values().map(|node| node.answered.len()).sum();
            assert_eq!(answered, 100, "{n} {order:?}");
            world.agree();
        }
    }
}

#[test]
fn a_member_is_cut_off_and_comes_back() {
    let mut world = World::new(3, Order::Rotating);
    world.run(Span::millis(400));
    assert_eq!(world.serving(), [1, 2, 3]);
    for token in 0..50 {
        world.submit(1 + (token % 3) as u8, token);
        world.run(Span::millis(1));
    }
    world.cut = set(&[1]);
    world.run(Span::millis(400));
    assert_eq!(world.serving(), [2, 3]);
    for token in 50..100 {
        world.submit(2 + (token % 2) as u8, token);
        world.run(Span::millis(1));
    }
    world.cut = MemberSet::EMPTY;
    world.run(Span::millis(1_500));
    assert_eq!(world.serving(), [1, 2, 3]);
    world.run(Span::millis(200));
    world.agree();
    let lengths: Vec<usize> = world.nodes.values().map(|n| n.delivered.len()).collect();
    assert!(lengths.iter().all(|l| *l == lengths[0]), "{lengths:?}");
    let answered: usize = world.nodes.values().map(|node| node.answered.len()).sum();
    assert_eq!(answered, 100);
}

/// A mark is about the view that it names: out of its view a replica names none, and the marks of another
/// view than the own one are not counted, whatever the packet that they ride on says (RULES S4).
#[test]
fn s4_a_mark_names_its_view() {
    let mut world = World::new(3, Order::Rotating);
    world.run(Span::millis(400));
    let now = world.now;
    let mark_of = |group: &Group| {
        let mut w = crate::wire::Writer::new();
        group.trailer(now, &mut w);
        w.into_bytes()
    };
    let node = world.nodes.get_mut(&m(1)).unwrap();
    let (own, view) = (epoch(node.group.view().ballot), node.group.view().ballot);
    assert_eq!(crate::wire::Reader::new(mark_of(&node.group)).u64(), Ok(own));
    let mut foreign = crate::wire::Writer::new();
    foreign.u64(own ^ 1).slot(Slot(77)).u64(0).u64(0);
    node.group.on_trailer(m(2), own, foreign.into_bytes());
    assert_eq!(node.group.ordering().mark_of(m(2)), Slot(1), "of the seal");
    let electorate = node.group.log().electorate().clone();
    node.group.message(
        now,
        m(2),
        Message::Prepare(Ballot { number: view.number + 1, proposer: Some(m(2)), store: view.store }, electorate),
    );
    assert_eq!(crate::wire::Reader::new(mark_of(&node.group)).u64(), Ok(0));
}

#[test]
fn s15_a_read_sees_what_was_answered_before() {
    let mut world = World::new(3, Order::Rotating);
    world.run(Span::millis(400));
    world.submit(1, 1);
    world.run(Span::millis(20));
    let now = world.now;
    let node = world.nodes.get_mut(&m(3)).unwrap();
    node.group.read(Token(9));
    node.group.settle(now);
    world.drain(m(3));
    world.run(Span::millis(20));
    assert_eq!(world.nodes[&m(3)].reads, [Token(9)]);
    assert_eq!(world.nodes[&m(3)].delivered.len(), 2, "the seal and the request");
}
