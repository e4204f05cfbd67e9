//! The world: members, clients and the network between them, in virtual time.
//!
//! Always: one queue says what happens next; what happens is a function of the setup and its seed; after
//! each step the checkers have seen all of it, and the first violation stops the world.

mod budget;
mod chaos;
mod cluster;
mod look;
mod observe;
mod queue;
mod script;
mod seed;
mod setup;
mod traps;

pub use setup::Setup;

use crate::checkers::Violation;
use crate::checkers::durability::Durability;
use crate::checkers::history::History;
use crate::checkers::sequencing::Sequencing;
use crate::checkers::snapshots::Snapshots;
use crate::checkers::submissions::Submissions;
use crate::checkers::witness::Witness;
use crate::clients::SimClient;
use crate::counts::{Count, Counts};
use crate::faults::Mix;
use crate::network::{Datagram, Endpoint, Network};
use crate::node::{LIMITS, Node, Turn};
use crate::trace::{Trace, Who};
use ftq_core::chance::Chance;
use ftq_core::group::admission::ClusterChange;
use ftq_core::ids::{Ballot, BootId, ClusterId, MemberId, MemberSet};
use ftq_core::machine::queues::Rules;
use ftq_core::replica::{ChangeId, ChangeOutcome, ClientId, Input, Options, Order, Output};
use ftq_core::time::{Span, Time};
use ftq_net::client;
use ftq_storage::Store as _;
use ftq_storage::memory::{Faults, Mishap};
use queue::{Happening, Queue};

/// How many things may happen at one and the same moment before the world is taken to spin.
const SPIN_MAX: u64 = 1_000_000;

/// The world.
#[derive(Debug)]
pub struct World {
    now: Time,
    queue: Queue,
    chance: Chance,
    cluster: ClusterId,
    founding: MemberSet,
    order: Order,
    snapshot_every: u64,
    log_keep: u64,
    datagram_max: usize,
    network: Network,
    nodes: Vec<Node>,
    clients: Vec<SimClient>,
    mix: Option<Mix>,
    checks: Checks,
    counts: Counts,
    trace: Trace,
    violation: Option<Violation>,
    spinning: u64,
    outputs: Vec<Output>,
    /// The highest view that anybody has opened.
    opened: Ballot,
    /// The changes of the cluster that were ordered, and how they ended.
    ordered: Vec<(ChangeId, ClusterChange)>,
    changes: Vec<(ChangeId, ChangeOutcome)>,
    last_change: u64,
    /// How small and how large the cluster may become by chance.
    members_min: usize,
    members_max: usize,
    /// Whether builds that know newer rules are installed by and by.
    upgrade: bool,
    /// Whether more stores may be lost than a cluster survives.
    beyond: bool,
    /// In how many minutes the cluster has changed, and how many changes had been made by then.
    reshaped: (u64, u64),
}

/// All checkers.
#[derive(Debug)]
struct Checks {
    durability: Durability,
    sequencing: Sequencing,
    snapshots: Snapshots,
    submissions: Submissions,
    witness: Witness,
    history: History,
    /// The highest promise that each member has announced.
    promised: Vec<Ballot>,
}

impl World {
    /// Lets happen what happens until `until`; stops at a violation.
    fn run_until_time(&mut self, until: Time) {
        while self.violation.is_none() {
            let Some((at, happening)) = self.queue.pop(until) else { break };
            self.spinning = if at > self.now { 0 } else { self.spinning + 1 };
            assert!(self.spinning < SPIN_MAX, "the world spins at {at:?}: {happening:?}");
            self.now = at;
            self.counts.one(Count::Happenings);
            self.happen(happening);
        }
        if self.violation.is_none() {
            self.now = self.now.max(until);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrival(datagram) => self.arrive(&datagram),
            Happening::Wake { node } => {
                if self.nodes[node].wake_at == self.now {
                    self.nodes[node].wake_at = Time::NEVER;
                    self.step(node);
                }
            }
            Happening::Processed { node, boot } => {
                if self.nodes[node].boots == boot && self.nodes[node].busy {
                    self.nodes[node].busy = false;
                    if self.nodes[node].is_up() {
                        self.take(node);
                    }
                    self.step(node);
                }
            }
            Happening::ClientWake { client } => {
                if self.clients[client].wake_at == self.now {
                    self.clients[client].wake_at = Time::NEVER;
                    self.client_step(client);
                }
            }
            Happening::Restart { node, boot } => {
                if self.nodes[node].boots == boot {
                    self.start_node(node);
                }
            }
            Happening::Resume { node, pause } => {
                if self.nodes[node].pauses == pause {
                    self.resume_node(node);
                }
            }
            Happening::DiskHeals { node, trouble } => {
                if self.nodes[node].disk_troubles == trouble {
                    self.heal_disk(node);
                }
            }
            Happening::CpuHeals { node, trouble } => {
                if self.nodes[node].cpu_troubles == trouble {
                    self.heal_cpu(node);
                }
            }
            Happening::PowerCut { node, boot } => {
                if self.nodes[node].boots == boot {
                    self.cut_armed(node);
                }
            }
            Happening::Chaos => self.chaos(),
            Happening::Reshape => self.reshape(),
        }
    }

    fn arrive(&mut self, datagram: &Datagram) {
        let Some(bytes) = self.network.open(datagram) else {
            return self.counts.one(Count::Corrupted);
        };
        let members = self.nodes.len();
        let from = datagram.from.0;
        match (from.checked_sub(members), datagram.to.0.checked_sub(members)) {
            (None, None) => {
                let node = datagram.to.0;
                let input = Input::Datagram { from: self.nodes[from].member, bytes };
                self.deliver(node, input);
            }
            (Some(sender), None) => match client::decode_request(bytes) {
                Ok(message) => {
                    self.deliver(datagram.to.0, Input::Client { client: ClientId(sender as u64), message });
                }
                Err(refused) => panic!("a client's message does not decode: {refused:?}"),
            },
            (None, Some(receiver)) => match client::decode_answer(bytes) {
                Ok(message) => {
                    self.clients[receiver].receive(self.now, from, message);
                    self.client_step(receiver);
                }
                Err(refused) => panic!("a replica's answer does not decode: {refused:?}"),
            },
            (Some(_), Some(_)) => unreachable!("clients do not talk to each other"),
        }
    }

    fn deliver(&mut self, node: usize, input: Input) {
        // The store goes first: what it has done by now was done before.
        self.nodes[node].advance(self.now);
        if self.nodes[node].accept(input) {
            self.step(node);
        } else {
            let what = if self.nodes[node].running.is_some() { Count::InboxFull } else { Count::Undelivered };
            self.counts.one(what);
        }
    }

    /// Lets a member do all that it can do now, and sees to it that it is called again in time.
    fn step(&mut self, node: usize) {
        self.nodes[node].advance(self.now);
        self.look_at_disk(node);
        loop {
            match self.nodes[node].turn() {
                Turn::Idle => break,
                Turn::Now => self.take(node),
                Turn::After(span) => {
                    let boot = self.nodes[node].boots;
                    self.queue.push(self.now + span, Happening::Processed { node, boot });
                }
            }
            self.nodes[node].advance(self.now);
        }
        let at = self.nodes[node].next_wake(self.now);
        if at < self.nodes[node].wake_at || self.nodes[node].wake_at <= self.now {
            self.nodes[node].wake_at = at;
            if at < Time::NEVER {
                self.queue.push(at, Happening::Wake { node });
            }
        }
    }

    /// A replica takes inputs, and what it wants done is done.
    fn take(&mut self, node: usize) {
        let mut outputs = std::mem::take(&mut self.outputs);
        let member = self.nodes[node].member;
        let submissions = &mut self.checks.submissions;
        let taken = |boot: BootId, input: &Input| {
            if let Input::Client { client: _, message } = input {
                submissions.given(member, boot, message);
            }
        };
        self.nodes[node].take(self.now, taken, &mut outputs);
        // A watcher's view first: an answer is judged by what was applied before it.
        for output in &outputs {
            if let Output::Event(event) = output {
                self.observe(node, event);
            }
        }
        let mut stopped = false;
        self.spring(node, &outputs);
        for output in outputs.drain(..) {
            stopped |= self.carry_out(node, output);
        }
        self.outputs = outputs;
        self.observe_marks(node);
        if stopped {
            self.exit(node);
        } else if let Some(succession) = self.nodes[node].retired {
            self.retired_by(node, succession);
        }
    }

    /// Does what a replica wants done; whether it has stopped for good.
    fn carry_out(&mut self, node: usize, output: Output) -> bool {
        match output {
            Output::Send { to, bytes } => {
                for receiver in to.iter() {
                    let to = usize::from(receiver.number()) - 1;
                    if to < self.nodes.len() {
                        self.counts.one(Count::Datagrams);
                        self.counts.add(Count::DatagramBytes, bytes.len() as u64);
                        self.send(Endpoint(node), Endpoint(to), bytes.clone());
                    }
                }
            }
            Output::Reply { client, message } => {
                self.observe_reply(node, &message);
                let at = usize::try_from(client.0).expect("a client of ours");
                let to = Endpoint(self.nodes.len() + at);
                self.counts.one(Count::ClientDatagrams);
                self.send(Endpoint(node), to, client::encode_answer(&message));
            }
            Output::Persist { id, job } => {
                self.observe_job(node, &job);
                if let Some(running) = &mut self.nodes[node].running {
                    running.store.submit(id, job);
                }
            }
            Output::Fetch { id, fetch } => {
                if let Some(running) = &mut self.nodes[node].running {
                    running.store.fetch(id, fetch);
                }
            }
            Output::Changed { id, outcome } => self.changed(node, id, outcome),
            Output::Event(ftq_core::replica::Event::Stopped { .. }) => return true,
            Output::Event(_) => {}
        }
        false
    }

    fn send(&mut self, from: Endpoint, to: Endpoint, bytes: bytes::Bytes) {
        let World { network, counts, queue, now, .. } = self;
        network.send(*now, from, to, bytes, counts, |at, datagram| queue.push(at, Happening::Arrival(datagram)));
    }

    /// Lets a client do all that it can do now, and sees to it that it is called again in time.
    fn client_step(&mut self, client: usize) {
        let from = Endpoint(self.nodes.len() + client);
        loop {
            let step = self.clients[client].step(self.now, &mut self.checks.history);
            match step {
                crate::clients::Step::Send { server, message } => {
                    self.counts.one(Count::ClientDatagrams);
                    self.send(from, Endpoint(server), client::encode_request(&message));
                }
                crate::clients::Step::Ended { call, end } => self.observe_end(client, call, end),
                crate::clients::Step::Rest => break,
            }
        }
        let at = self.clients[client].next_wake(self.now);
        if at < self.clients[client].wake_at || self.clients[client].wake_at <= self.now {
            self.clients[client].wake_at = at;
            if at < Time::NEVER {
                self.queue.push(at, Happening::ClientWake { client });
            }
        }
    }

    fn start_node(&mut self, node: usize) {
        if self.nodes[node].running.is_some() || !self.nodes[node].enlisted {
            return;
        }
        let member = self.nodes[node].member;
        let options = Options {
            me: member,
            cluster: self.cluster,
            founding: self.nodes[node].contact.map_or(self.founding, MemberSet::of),
            order: self.nodes[node].order.unwrap_or(self.order),
            datagram_max: self.datagram_max,
            snapshot_every: self.snapshot_every,
            memory_bytes: self.upgrade.then_some(LIMITS.memory_bytes_max),
            log_keep: self.log_keep,
        };
        let boot = BootId(self.chance.bytes16());
        let seed = self.chance.draw();
        if self.upgrade && self.mix.is_some() && self.chance.below(2) == 0 {
            self.nodes[node].build = Rules::NEWEST;
        }
        if self.nodes[node].boots > 0 {
            self.counts.one(Count::Restart);
        }
        if let Some(opened) = self.nodes[node].start(self.now, options, boot, seed) {
            self.observe_start(node, boot, &opened);
            if self.nodes[node].is_full {
                self.fill_disk(member.number(), true);
            }
            self.step(node);
        }
    }

    /// A replica that has stopped for good leaves its disk; something starts it again later, as a service
    /// manager does.
    fn exit(&mut self, node: usize) {
        self.nodes[node].stop(|store| store.crash());
        if std::mem::take(&mut self.nodes[node].is_older) {
            // What the store did not notice by itself, it is told.
            self.befall(node, Mishap::JournalLost);
        }
        let faults = self.nodes[node].faults;
        self.nodes[node].set_faults(Faults { failing: false, ..faults });
        self.look_at_disk(node);
        let boot = self.nodes[node].boots;
        self.queue.push(self.now + Span::millis(500), Happening::Restart { node, boot });
    }

    fn say(&mut self, who: Who, what: &str, details: std::fmt::Arguments<'_>) {
        if self.trace.is_on() {
            self.trace.line(self.now, who, what, details);
        }
    }
}

/// The member at an index.
pub(super) fn member(index: usize) -> MemberId {
    u8::try_from(index + 1).ok().and_then(MemberId::new).expect("a small cluster")
}
