//! How a world begins.

use super::queue::{Happening, Queue};
use super::{Checks, World, member};
use crate::checkers::durability::Durability;
use crate::checkers::history::History;
use crate::checkers::reference::Reference;
use crate::checkers::sequencing::Sequencing;
use crate::checkers::snapshots::Snapshots;
use crate::checkers::submissions::Submissions;
use crate::checkers::witness::Witness;
use crate::clients::SimClient;
use crate::clock::LocalClock;
use crate::counts::Counts;
use crate::faults::Mix;
use crate::network::{Behaviour, Endpoint, Network};
use crate::node::{LIMITS, Node};
use crate::trace::Trace;
use ftq_core::chance::Chance;
use ftq_core::ids::{Ballot, ClusterId, MemberSet, StoreId};
use ftq_core::machine::queues::Rules;
use ftq_core::replica::Order;
use ftq_core::time::{Span, Time};
use ftq_storage::memory::{Disk, Faults};

/// A datagram of Ethernet's size without the headers around it.
const DATAGRAM_MAX: usize = 1_400;

/// How far apart the members' clocks may be at first.
const CLOCKS_APART: Span = Span::secs(3_600);

/// What to build.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many members.
    pub members: usize,
    /// How many further replicas, which are down and may be added.
    pub spares: usize,
    /// How many clients.
    pub clients: usize,
    /// What everything else is drawn from.
    pub seed: u64,
    /// Who takes turns.
    pub order: Order,
    /// How the links between members behave.
    pub links: Behaviour,
    /// How the links between clients and members behave.
    pub client_links: Behaviour,
    /// How the disks behave.
    pub disks: Faults,
    /// How long the processors take for one input.
    pub cpu: Span,
    /// How much later than they want replicas are called when time has passed.
    pub tick_late: Span,
    /// A snapshot is taken at every slot that this divides.
    pub snapshot_every: u64,
    /// How many delivered slots are kept below the newest snapshot.
    pub log_keep: u64,
    /// Whether the cluster begins under the first rules, with builds that know no others, and is upgraded one member
    /// at a time; else it has long switched to the newest.
    pub upgrade: bool,
    /// The random faults; none in a scripted world.
    pub mix: Option<Mix>,
    /// Whether more stores may be lost than a cluster survives.
    pub beyond: bool,
    /// Whether the cluster changes in each minute.
    pub changes: bool,
    /// Where the lines go.
    pub trace: Trace,
}

impl Setup {
    /// So many members on 1 ms links with healthy disks, four clients, no faults.
    pub fn cluster(members: usize) -> Setup {
        let links = Behaviour { delay: Span::millis(1), jitter: Span::micros(20), ..Behaviour::default() };
        Setup {
            members,
            spares: 0,
            clients: 4,
            seed: 1,
            order: Order::Rotating,
            links,
            client_links: links,
            disks: Faults::default(),
            cpu: Span::ZERO,
            tick_late: Span::ZERO,
            snapshot_every: 1_000,
            log_keep: 1_000,
            upgrade: false,
            mix: None,
            beyond: false,
            changes: false,
            trace: Trace::Off,
        }
    }

    /// The same with this seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Setup {
        Setup { seed, ..self }
    }

    /// The same with so many replicas that may be added.
    #[must_use]
    pub fn spares(self, spares: usize) -> Setup {
        Setup { spares, ..self }
    }

    /// The same with so many clients.
    #[must_use]
    pub fn clients(self, clients: usize) -> Setup {
        Setup { clients, ..self }
    }

    /// The same with this order.
    #[must_use]
    pub fn order(self, order: Order) -> Setup {
        Setup { order, ..self }
    }

    /// The same, but every link between members behaves like this.
    #[must_use]
    pub fn links(self, links: Behaviour) -> Setup {
        Setup { links, ..self }
    }

    /// The same, but each link takes so long.
    #[must_use]
    pub fn delay(self, delay: Span) -> Setup {
        let delayed = |behaviour: Behaviour| Behaviour { delay, ..behaviour };
        Setup { links: delayed(self.links), client_links: delayed(self.client_links), ..self }
    }

    /// The same, but a snapshot is taken at every slot that `every` divides, and `keep` slots are kept below it.
    #[must_use]
    pub fn snapshots(self, every: u64, keep: u64) -> Setup {
        Setup { snapshot_every: every, log_keep: keep, ..self }
    }

    /// The same with builds that know the first rules only.
    #[must_use]
    pub fn upgrade(self) -> Setup {
        Setup { upgrade: true, ..self }
    }

    /// The same with a trace.
    #[must_use]
    pub fn trace(self, trace: Trace) -> Setup {
        Setup { trace, ..self }
    }

    /// A world in which nothing runs yet.
    pub fn build_down(self) -> World {
        let mut chance = Chance::new(self.seed);
        let cluster = ClusterId(chance.bytes16());
        let all = self.members + self.spares;
        let begins = if self.upgrade { Rules::FIRST } else { Rules::NEWEST };
        let mut network = Network::new(all + self.clients, self.links, chance.draw());
        for at_client in all..all + self.clients {
            for at_member in 0..all {
                network.set_behaviour(Endpoint(at_client), Endpoint(at_member), self.client_links);
                network.set_behaviour(Endpoint(at_member), Endpoint(at_client), self.client_links);
            }
        }
        let nodes: Vec<Node> = (0..all)
            .map(|index| {
                let disk = Disk::create(StoreId(chance.bytes16()));
                let clock = LocalClock::new(Time(0), Time(chance.below(CLOCKS_APART.0)));
                let mut node = Node::new(member(index), disk, clock);
                node.set_faults(self.disks);
                node.begins = begins;
                node.build = if index < self.members { begins } else { Rules::NEWEST };
                node.cpu = self.cpu;
                node.healthy_cpu = self.cpu;
                node.tick_late = self.tick_late;
                node.enlisted = index < self.members;
                node
            })
            .collect();
        let clients = (0..self.clients).map(|index| SimClient::new(index, (0..all).collect(), chance.draw())).collect();
        let members: MemberSet = nodes.iter().map(|node| node.member).collect();
        let founding: MemberSet = members.iter().take(self.members).collect();
        let mut queue = Queue::default();
        if self.mix.is_some() {
            queue.push(Time(0), Happening::Chaos);
        }
        if self.changes {
            queue.push(Time(0), Happening::Reshape);
        }
        World {
            now: Time(0),
            queue,
            chance,
            cluster,
            founding,
            order: self.order,
            snapshot_every: self.snapshot_every,
            log_keep: self.log_keep,
            datagram_max: DATAGRAM_MAX,
            network,
            checks: Checks {
                durability: Durability::new(founding, members),
                sequencing: Sequencing::new(cluster, members),
                snapshots: Snapshots::default(),
                submissions: Submissions::default(),
                witness: Witness::new(Reference::new(begins.number(), LIMITS)),
                history: History::default(),
                promised: vec![Ballot::default(); all],
            },
            nodes,
            clients,
            mix: self.mix,
            counts: Counts::default(),
            trace: self.trace,
            violation: None,
            spinning: 0,
            outputs: Vec::new(),
            opened: Ballot::default(),
            ordered: Vec::new(),
            changes: Vec::new(),
            last_change: 0,
            members_min: self.members.min(3),
            members_max: (self.members + 2).min(7),
            upgrade: self.upgrade,
            beyond: self.beyond,
            reshaped: (0, 0),
        }
    }

    /// A world in which all members start at once.
    pub fn build(self) -> World {
        let mut world = self.build_down();
        world.start_all();
        world
    }
}
