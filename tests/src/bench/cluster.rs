//! A few replicas in one thread, with a network and disks that only take time: what the core itself costs.

use bytes::Bytes;
use ftq_core::ids::{BootId, ClusterId, Digest, MemberId, MemberSet, Slot, StoreId};
use ftq_core::machine::{Machine, Place, Progress, Ticket, Unrestored};
use ftq_core::replica::{ClientId, Event, Input, Options, Order, Output, Replica};
use ftq_core::session::message::{ClientMessage, ServerMessage, SessionId};
use ftq_core::store::{Generation, Job, JobId, Opened, Report};
use ftq_core::time::{SlotClock, Span, Time};
use ftq_core::wire::Malformed;
use std::collections::{BTreeMap, BTreeSet};

/// A machine that costs next to nothing: it counts.
#[derive(Debug, Default)]
pub struct Tally(u64);

impl Machine for Tally {
    fn advance(&mut self, _: Slot, _: SlotClock) {}
    fn apply(&mut self, _: Place, _: Ticket, _: &Bytes, _: usize, answer: &mut Vec<u8>) -> Progress {
        self.0 += 1;
        answer.extend_from_slice(&self.0.to_le_bytes());
        Progress::Answered
    }
    fn query(&self, _: &Bytes, answer: &mut Vec<u8>) {
        answer.extend_from_slice(&self.0.to_le_bytes());
    }
    fn digest(&self) -> Digest {
        Digest(u128::from(self.0))
    }
    fn snapshot(&mut self) -> Vec<Bytes> {
        vec![Bytes::copy_from_slice(&self.0.to_le_bytes())]
    }
    fn restore(&mut self, pieces: &[Bytes]) -> Result<(), Unrestored> {
        let piece = pieces.first().ok_or(Malformed)?;
        self.0 = u64::from_le_bytes(piece.as_ref().try_into().map_err(|_| Malformed)?);
        Ok(())
    }
}

/// What the load costs beside time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// Datagrams between replicas, one for each receiver.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Requests answered.
    pub answered: u64,
    /// Slots applied at member 1.
    pub slots: u64,
}

/// How long things take in virtual time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// One way between two replicas.
    pub hop: Span,
    /// A sync of the journal.
    pub sync: Span,
}

struct Node {
    replica: Replica<Tally>,
    end: Slot,
    up: bool,
    /// When it last said that it wants to be called.
    tick_at: Time,
}

enum Due {
    Datagram { to: MemberId, from: MemberId, bytes: Bytes },
    Report { at: MemberId, report: Report },
}

/// The load of one client: a session with so many calls outstanding.
struct Load {
    at: MemberId,
    session: Option<SessionId>,
    next: u64,
    floor: u64,
    /// Answered above the floor.
    done: BTreeSet<u64>,
    outstanding: u64,
    body: Bytes,
}

/// Replicas in virtual time.
pub struct Cluster {
    now: Time,
    pace: Pace,
    nodes: BTreeMap<MemberId, Node>,
    queue: BTreeMap<(Time, u64), Due>,
    order: u64,
    loads: Vec<Load>,
    traffic: Traffic,
    last_answer: Time,
}

impl Cluster {
    /// `members` replicas that have formed a view.
    pub fn new(members: u8, order: Order, pace: Pace) -> Cluster {
        let founding: MemberSet = (1..=members).filter_map(MemberId::new).collect();
        let mut cluster = Cluster {
            now: Time(1_000_000),
            pace,
            nodes: BTreeMap::new(),
            queue: BTreeMap::new(),
            order: 0,
            loads: Vec::new(),
            traffic: Traffic::default(),
            last_answer: Time(0),
        };
        for me in founding.iter() {
            let options = Options {
                me,
                cluster: ClusterId([9; 16]),
                founding,
                order,
                datagram_max: 1_400,
                snapshot_every: u64::MAX,
                memory_bytes: None,
                log_keep: u64::MAX,
            };
            let opened = Opened { store: StoreId([me.number(); 16]), ..Opened::default() };
            let (boot, seed) = (BootId([me.number(); 16]), u64::from(me.number()));
            let replica = Replica::new(cluster.now, options, boot, seed, opened, Tally::default());
            cluster.nodes.insert(me, Node { replica, end: Slot(0), up: true, tick_at: cluster.now });
        }
        cluster.run(Span::secs(2));
        cluster
    }

    /// A client at member `at` that keeps `outstanding` calls of `bytes` under way.
    pub fn load(&mut self, at: MemberId, outstanding: u64, bytes: usize) {
        let client = ClientId(self.loads.len() as u64);
        self.loads.push(Load {
            at,
            session: None,
            next: 1,
            floor: 0,
            done: BTreeSet::new(),
            outstanding,
            body: vec![7; bytes].into(),
        });
        let nonce = [u8::try_from(client.0).unwrap_or(0); 16];
        self.client(at, client, ClientMessage::Open { nonce, wait_ms: 60_000 });
    }

    /// Kills a member.
    pub fn kill(&mut self, member: MemberId) {
        if let Some(node) = self.nodes.get_mut(&member) {
            node.up = false;
            node.tick_at = Time::NEVER;
        }
    }

    /// Lets `span` of virtual time pass.
    pub fn run(&mut self, span: Span) {
        let until = self.now + span;
        while self.step(until) {}
        self.now = until;
    }

    /// Runs until so many more requests are answered.
    pub fn answer(&mut self, requests: u64) {
        let goal = self.traffic.answered + requests;
        while self.traffic.answered < goal && self.step(Time::NEVER) {}
    }

    /// Runs until one more request is answered; gives when.
    pub fn next_answer(&mut self) -> Time {
        let answered = self.traffic.answered;
        while self.traffic.answered == answered && self.step(Time::NEVER) {}
        self.last_answer
    }

    /// What has happened so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    fn step(&mut self, until: Time) -> bool {
        let tick = self.nodes.iter().map(|(m, n)| (n.tick_at, *m)).min();
        let event = self.queue.keys().next().copied();
        let Some((tick_at, ticker)) = tick else { return false };
        if tick_at.min(event.map_or(Time::NEVER, |(at, _)| at)) > until {
            return false;
        }
        if event.is_none_or(|(at, _)| tick_at < at) {
            self.now = self.now.max(tick_at);
            self.input(ticker, Input::Tick);
        } else if let Some(((at, _), due)) = self.queue.pop_first() {
            self.now = self.now.max(at);
            match due {
                Due::Datagram { to, from, bytes } => self.input(to, Input::Datagram { from, bytes }),
                Due::Report { at, report } => self.input(at, Input::Report(report)),
            }
        }
        true
    }

    fn client(&mut self, at: MemberId, client: ClientId, message: ClientMessage) {
        self.input(at, Input::Client { client, message });
    }

    fn due(&mut self, after: Span, due: Due) {
        self.order += 1;
        self.queue.insert((self.now + after, self.order), due);
    }

    fn input(&mut self, at: MemberId, input: Input) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&at).filter(|node| node.up) else { return };
        node.replica.handle(now, input);
        self.drain(at);
    }

    fn drain(&mut self, at: MemberId) {
        let now = self.now;
        let mut replies = Vec::new();
        loop {
            let Some(node) = self.nodes.get_mut(&at) else { return };
            let Some(output) = node.replica.poll(now) else {
                node.tick_at = node.replica.deadline().map_or(Time::NEVER, |(at, _)| at);
                break;
            };
            match output {
                Output::Send { to, bytes } => {
                    for to in to.iter() {
                        self.traffic.datagrams += 1;
                        self.traffic.bytes += bytes.len() as u64;
                        self.due(self.pace.hop, Due::Datagram { to, from: at, bytes: bytes.clone() });
                    }
                }
                Output::Reply { client, message } => replies.push((client, message)),
                Output::Persist { id, job } => self.persist(at, id, job),
                Output::Event(Event::Applied { .. }) => self.traffic.slots += u64::from(at.number() == 1),
                Output::Fetch { .. } | Output::Changed { .. } | Output::Event(_) => {}
            }
        }
        for (client, message) in replies {
            self.reply(client, message);
        }
    }

    /// The store's part: it is durable after a sync, and forgets nothing.
    fn persist(&mut self, at: MemberId, id: JobId, job: Job) {
        let Some(node) = self.nodes.get_mut(&at) else { return };
        let generation = match job {
            Job::Append { generation, slots } | Job::CatchUp { generation, slots } => {
                node.end = slots.last().map_or(node.end, |r| r.slot);
                generation
            }
            Job::Install { generation, keep, slots, .. } => {
                node.end = slots.last().map_or(keep, |r| r.slot);
                generation
            }
            Job::Promise { .. } | Job::Electorate { .. } => Generation(0),
            Job::Deliver { upto } => {
                return self.due(self.pace.sync, Due::Report { at, report: Report::Delivered { upto } });
            }
            Job::Adopt { .. } | Job::Snapshot { .. } | Job::Cut { .. } | Job::Heard { .. } => return,
        };
        let report = Report::Durable { job: id, generation, end: node.end, ordinal: id.0 };
        self.due(self.pace.sync, Due::Report { at, report });
    }

    fn reply(&mut self, client: ClientId, message: ServerMessage) {
        let index = usize::try_from(client.0).unwrap_or(usize::MAX);
        let Some(load) = self.loads.get_mut(index) else { return };
        match message {
            ServerMessage::Opened { session, .. } => load.session = Some(session),
            ServerMessage::Answer { number, .. } => {
                self.traffic.answered += 1;
                self.last_answer = self.now;
                load.done.insert(number);
                while load.done.remove(&(load.floor + 1)) {
                    load.floor += 1;
                }
            }
            ServerMessage::ReadAnswer { .. }
            | ServerMessage::Refused { .. }
            | ServerMessage::TryAnother { .. }
            | ServerMessage::Closed { .. } => {}
        }
        let mut calls = Vec::new();
        if let Some(session) = load.session {
            while load.next <= load.floor + load.done.len() as u64 + load.outstanding {
                let (number, floor, command) = (load.next, load.floor, load.body.clone());
                calls.push(ClientMessage::Call { session, number, floor, wait_ms: 60_000, command });
                load.next += 1;
            }
        }
        let at = load.at;
        for call in calls {
            let now = self.now;
            if let Some(node) = self.nodes.get_mut(&at).filter(|node| node.up) {
                node.replica.handle(now, Input::Client { client, message: call });
            }
        }
        self.drain(at);
    }
}
