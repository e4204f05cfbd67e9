//! Links over a network that loses, doubles, delays and changes datagrams, in virtual time.

mod boots;
mod delivery;
mod epochs;
mod hostile;
mod repair;
mod versions;

use super::*;
use crate::ids::ClusterId;
use crate::time::Span;
use alloc::collections::{BTreeMap, BTreeSet, BinaryHeap};
use core::cmp::Reverse;

const CLUSTER: ClusterId = ClusterId([42; 16]);

fn member(n: u8) -> MemberId {
    MemberId::new(n).unwrap()
}

fn boot(n: u8, run: u8) -> BootId {
    let mut bytes = [n; 16];
    bytes[0] = run;
    BootId(bytes)
}

fn ms(n: u64) -> Span {
    Span::millis(n)
}

/// What the network does to datagrams, in percent, and how long they take.
#[derive(Clone, Copy, Debug)]
struct Faults {
    loss: u64,
    double: u64,
    /// An old datagram is sent again.
    replay: u64,
    /// A bit is changed; the seal of the real network drops such a datagram.
    change: u64,
    delay: Span,
    jitter: Span,
}

const CALM: Faults = Faults { loss: 0, double: 0, replay: 0, change: 0, delay: ms_const(1), jitter: Span::ZERO };

const fn ms_const(n: u64) -> Span {
    Span::millis(n)
}

/// One node: its link and what came out of it.
struct Node {
    link: Link,
    boots: Vec<(MemberId, BootId)>,
    broadcasts: BTreeMap<MemberId, Vec<Bytes>>,
    streams: BTreeMap<MemberId, Vec<Bytes>>,
    notes: Vec<(MemberId, Bytes)>,
    trailers: Vec<(MemberId, Epoch, Bytes)>,
    laggards: Vec<MemberId>,
}

/// A datagram on its way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    at: Time,
    order: u64,
    from: MemberId,
    to: MemberId,
    bytes: Bytes,
}

/// Some links and the network between them.
struct Mesh {
    now: Time,
    nodes: BTreeMap<MemberId, Node>,
    flights: BinaryHeap<Reverse<Flight>>,
    faults: Faults,
    /// Nothing passes from the first to the second.
    cuts: BTreeSet<(MemberId, MemberId)>,
    /// So many of the next datagrams are lost.
    lose_next: usize,
    chance: Chance,
    order: u64,
    sent: u64,
    /// All that was ever sent, for replays.
    record: Vec<(MemberId, MemberId, Bytes)>,
}

fn link(n: u8, run: u8) -> Link {
    Link::new(Options::new(member(n), CLUSTER, boot(n, run)), u64::from(n) * 1_000 + u64::from(run))
}

impl Node {
    fn new(link: Link) -> Node {
        Node {
            link,
            boots: Vec::new(),
            broadcasts: BTreeMap::new(),
            streams: BTreeMap::new(),
            notes: Vec::new(),
            trailers: Vec::new(),
            laggards: Vec::new(),
        }
    }

    fn drain(&mut self) {
        while let Some(event) = self.link.poll_event() {
            match event {
                Event::Boot { from, boot } => self.boots.push((from, boot)),
                Event::Broadcast { from, message } => self.broadcasts.entry(from).or_default().push(message),
                Event::Stream { from, message } => self.streams.entry(from).or_default().push(message),
                Event::Note { from, message } => self.notes.push((from, message)),
                Event::Trailer { from, epoch, bytes } => self.trailers.push((from, epoch, bytes)),
                Event::Laggard { member } => self.laggards.push(member),
            }
        }
    }
}

impl Mesh {
    /// `n` nodes that know each other as peers and nothing else.
    fn new(n: u8, faults: Faults, seed: u64) -> Mesh {
        let all: MemberSet = (1..=n).map(member).collect();
        let mut mesh = Mesh {
            now: Time(1_000_000),
            nodes: BTreeMap::new(),
            flights: BinaryHeap::new(),
            faults,
            cuts: BTreeSet::new(),
            lose_next: 0,
            chance: Chance::new(seed),
            order: 0,
            sent: 0,
            record: Vec::new(),
        };
        for m in all.iter() {
            let mut link = link(m.number(), 1);
            link.set_peers(mesh.now, all.without(m));
            mesh.nodes.insert(m, Node::new(link));
        }
        mesh
    }

    /// The same, all in epoch 7, who have met over a calm network.
    fn met(n: u8, faults: Faults, seed: u64) -> Mesh {
        let mut mesh = Mesh::new(n, CALM, seed);
        mesh.run(ms(200));
        mesh.open(7);
        mesh.run(ms(50));
        mesh.faults = faults;
        mesh
    }

    fn all(&self) -> MemberSet {
        self.nodes.keys().copied().collect()
    }

    fn open(&mut self, epoch: u64) {
        for m in self.all().iter() {
            let (now, others) = (self.now, self.all().without(m));
            self.node(m.number()).link.open_epoch(now, Epoch(epoch), others);
            self.flush(m);
        }
    }

    fn node(&mut self, n: u8) -> &mut Node {
        self.nodes.get_mut(&member(n)).unwrap()
    }

    fn link(&mut self, n: u8) -> &mut Link {
        &mut self.node(n).link
    }

    /// What `n` has of the broadcast stream of `from`.
    fn broadcasts(&self, n: u8, from: u8) -> &[Bytes] {
        self.nodes[&member(n)].broadcasts.get(&member(from)).map_or(&[], Vec::as_slice)
    }

    fn streams(&self, n: u8, from: u8) -> &[Bytes] {
        self.nodes[&member(n)].streams.get(&member(from)).map_or(&[], Vec::as_slice)
    }

    fn broadcast(&mut self, n: u8, message: &[u8]) {
        self.link(n).broadcast(message);
        self.flush(member(n));
    }

    fn stream(&mut self, n: u8, to: u8, message: &[u8]) {
        self.link(n).stream(member(to), message);
        self.flush(member(n));
    }

    /// Restarts a node with another boot.
    fn restart(&mut self, n: u8, run: u8) {
        let mut link = link(n, run);
        link.set_peers(self.now, self.all().without(member(n)));
        self.nodes.insert(member(n), Node::new(link));
        self.flush(member(n));
    }

    fn flush(&mut self, m: MemberId) {
        let now = self.now;
        let node = self.nodes.get_mut(&m).unwrap();
        node.link.flush(now);
        node.drain();
        let mut out = Vec::new();
        while let Some(send) = node.link.poll_send() {
            out.push(send);
        }
        for (to, bytes) in out {
            assert!(bytes.len() <= DATAGRAM_MAX);
            for to in to.iter() {
                self.sent += 1;
                self.send(m, to, bytes.clone());
            }
        }
    }

    fn send(&mut self, from: MemberId, to: MemberId, bytes: Bytes) {
        if self.faults.replay > 0 {
            self.record.push((from, to, bytes.clone()));
        }
        if self.cuts.contains(&(from, to)) {
            return;
        }
        if self.lose_next > 0 {
            self.lose_next -= 1;
            return;
        }
        let hits = |chance: &mut Chance, percent: u64| chance.below(100) < percent;
        if hits(&mut self.chance, self.faults.loss) || hits(&mut self.chance, self.faults.change) {
            return;
        }
        self.fly(from, to, bytes.clone());
        if hits(&mut self.chance, self.faults.double) {
            self.fly(from, to, bytes);
        }
        if hits(&mut self.chance, self.faults.replay) {
            let at = self.chance.below(self.record.len() as u64);
            let (from, to, bytes) = self.record[usize::try_from(at).unwrap()].clone();
            self.fly(from, to, bytes);
        }
    }

    fn fly(&mut self, from: MemberId, to: MemberId, bytes: Bytes) {
        let at = self.now + self.faults.delay + Span(self.chance.below(self.faults.jitter.0 + 1));
        self.order += 1;
        self.flights.push(Reverse(Flight { at, order: self.order, from, to, bytes }));
    }

    fn run(&mut self, span: Span) {
        self.run_until(self.now + span);
    }

    fn run_until(&mut self, end: Time) {
        let mut ticks_at = (Time(0), 0);
        loop {
            let flight = self.flights.peek().map(|f| f.0.at);
            let tick = self.nodes.iter().filter_map(|(m, n)| n.link.deadline().map(|at| (at, *m))).min();
            let next = earliest([flight, tick.map(|(at, _)| at)]).unwrap_or(Time::NEVER);
            if next > end {
                self.now = self.now.max(end);
                return;
            }
            self.now = self.now.max(next);
            if flight == Some(next) {
                let Reverse(flight) = self.flights.pop().unwrap();
                let now = self.now;
                if let Some(node) = self.nodes.get_mut(&flight.to) {
                    node.link.receive(now, flight.from, flight.bytes);
                    self.flush(flight.to);
                }
                continue;
            }
            let (_, m) = tick.unwrap();
            ticks_at = if ticks_at.0 == self.now { (self.now, ticks_at.1 + 1) } else { (self.now, 1) };
            assert!(ticks_at.1 < 100, "a deadline that is met must move on");
            let now = self.now;
            self.link(m.number()).tick(now);
            self.flush(m);
        }
    }

    /// Runs until `done`, at most for `limit`; the answer is how long it took.
    fn run_till(&mut self, limit: Span, done: impl Fn(&Mesh) -> bool) -> Span {
        let start = self.now;
        while !done(self) {
            assert!(self.now.since(start) < limit, "not done after {} µs", self.now.since(start).0);
            self.run(Span::micros(500));
        }
        self.now.since(start)
    }

    /// Whether nobody lacks anything.
    fn is_settled(&self) -> bool {
        self.nodes.values().all(|n| {
            n.link.out.unmarked() == 0
                && n.link.peers.iter().all(|p| p.pair.as_ref().is_none_or(|pair| pair.out.unmarked() == 0))
        })
    }
}

/// A message that says who sent it, as which, and is as long as asked.
fn numbered(from: u8, number: u64, length: usize) -> Vec<u8> {
    let mut message = alloc::vec![from; length.max(9)];
    message[1..9].copy_from_slice(&number.to_le_bytes());
    message
}

/// Whether these are the messages 0.. of `from`, `count` of them.
fn assert_in_order(messages: &[Bytes], from: u8, count: u64) {
    for (at, message) in messages.iter().enumerate() {
        assert_eq!(message[0], from);
        assert_eq!(message[1..9], (at as u64).to_le_bytes(), "message {at} of {from}");
        assert!(message[9..].iter().all(|b| *b == from));
    }
    assert_eq!(messages.len() as u64, count);
}
