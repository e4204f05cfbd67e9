//! The loop: sockets, store and clock on one side, the replica on the other.
//!
//! Each turn takes what is there in the order of these priorities, of each no more than its budget, and
//! then carries out all that the replica wants. Only when there is nothing left does the loop sleep.
//!
//! | priority | what | why in this place |
//! | --- | --- | --- |
//! | 1 | reports of the store | they free what others wait for, and there are only as many as there were jobs |
//! | 2 | datagrams of peers | the others' progress hangs on them, and link bounds how many are under way |
//! | 3 | datagrams of clients | new work comes last: under load it waits in the socket, then it is lost and sent again |
//! | 4 | time | every turn, when it is due |

use crate::client_port::ClientPort;
use crate::config::Config;
use crate::ending::Ending;
use crate::greeting;
use crate::peer_port::PeerPort;
use crate::story::Story;
use ftq_core::ids::BootId;
use ftq_core::machine::queues::{Limits, Queues, Rules};
use ftq_core::replica::{Event, Input, Options, Output, Replica};
use ftq_core::time::Time;
use ftq_net::clock::Clock;
use ftq_net::keys::Keys;
use ftq_net::peer::SEAL_BYTES;
use ftq_storage::disk::{self, DiskStore};
use ftq_storage::{Done, Store};
use smol::Timer;
use smol::channel::{self, Receiver};
use smol::future;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;

/// What one turn takes of each priority: a few milliseconds of work, well below a heartbeat.
const REPORTS_BUDGET: usize = 1_024;
const PEERS_BUDGET: usize = 256;
const CLIENTS_BUDGET: usize = 128;

/// A snapshot is taken every so many slots: at start no more than these are replayed.
const SNAPSHOT_EVERY: u64 = 10_000;

/// One replica with all that it needs.
pub(crate) struct Service {
    clock: Clock,
    replica: Replica<Queues>,
    store: DiskStore,
    woken: Receiver<()>,
    peers: PeerPort,
    clients: ClientPort,
    address: SocketAddr,
    story: Story,
    timer: Timer,
    /// When the timer goes off.
    armed: Time,
    greeted: bool,
}

impl Service {
    /// Takes the addresses and the store.
    pub(crate) fn open(config: &Config, keys: &Keys) -> Result<Service, Ending> {
        let clock = Clock::start();
        let mut random = [0; 56];
        getrandom::fill(&mut random)
            .map_err(|error| Ending::System { doing: "draw random bytes", error: error.into() })?;
        let boot = BootId(std::array::from_fn(|at| random[at]));
        let seed = u64::from_le_bytes(std::array::from_fn(|at| random[16 + at]));
        let clients = ClientPort::open(config, keys, std::array::from_fn(|at| random[24 + at]))?;
        let (wake, woken) = channel::bounded(1);
        // Full means that the loop is going to look anyway.
        let wake = move || {
            let _ = wake.try_send(());
        };
        let stored = disk::Options { cluster: Some(config.cluster_id()), ..disk::Options::default() };
        let (store, opened) = DiskStore::open(&config.data_dir, &stored, wake)?;
        // Another one than the configured, once the operator has ordered to start anew.
        let cluster = store.identity().cluster().unwrap_or_else(|| config.cluster_id());
        let peers = PeerPort::open(config, cluster, keys, boot)?;
        if let Some(warning) = greeting::loss(opened.condition, config) {
            log::error!("{warning}");
        }
        println!("{}\n{}", greeting::summary(config), greeting::invitation(config.client));
        let options = Options {
            me: config.me,
            cluster,
            founding: config.member_set(),
            order: config.order,
            datagram_max: config.datagram - SEAL_BYTES,
            snapshot_every: SNAPSHOT_EVERY,
            log_keep: 0,
        };
        let replica =
            Replica::new(clock.now(), options, boot, seed, opened, Queues::of_build(Rules::NEWEST, Limits::default()));
        Ok(Service {
            clock,
            replica,
            store,
            woken,
            peers,
            clients,
            address: config.client,
            story: Story::new(config.me),
            timer: Timer::never(),
            armed: Time::NEVER,
            greeted: false,
        })
    }

    /// Serves until there is a reason to end.
    pub(crate) fn serve(mut self) -> Ending {
        smol::block_on(async {
            loop {
                let more = self.take_reports() | self.take_peers() | self.take_clients();
                self.replica.handle(self.clock.now(), Input::Tick);
                if let Some(ending) = self.carry_out() {
                    return ending;
                }
                self.greet();
                if !more {
                    self.sleep().await;
                }
            }
        })
    }

    /// Priority 1. Whether there may be more.
    fn take_reports(&mut self) -> bool {
        for _ in 0..REPORTS_BUDGET {
            let Some(done) = self.store.poll() else { return false };
            let input = match done {
                Done::Report(report) => Input::Report(report),
                Done::Fetched(id, fetched) => Input::Fetched { id, fetched },
            };
            self.replica.handle(self.clock.now(), input);
        }
        true
    }

    /// Priority 2. Whether there may be more.
    fn take_peers(&mut self) -> bool {
        for _ in 0..PEERS_BUDGET {
            let Some(received) = self.peers.receive(self.clock.now()) else { return false };
            if let Some((from, bytes)) = received {
                self.replica.handle(self.clock.now(), Input::Datagram { from, bytes });
            }
        }
        true
    }

    /// Priority 3. Whether there may be more.
    fn take_clients(&mut self) -> bool {
        for _ in 0..CLIENTS_BUDGET {
            let Some(received) = self.clients.receive(self.clock.now()) else { return false };
            if let Some((client, message)) = received {
                self.replica.handle(self.clock.now(), Input::Client { client, message });
            }
        }
        true
    }

    /// Does what the replica wants done.
    fn carry_out(&mut self) -> Option<Ending> {
        let now = self.clock.now();
        while let Some(output) = self.replica.poll(now) {
            match output {
                Output::Send { to, bytes } => self.peers.send(to, &bytes),
                Output::Reply { client, message } => self.clients.send(now, client, &message),
                Output::Persist { id, job } => self.store.submit(id, job),
                Output::Fetch { id, fetch } => self.store.fetch(id, fetch),
                Output::Changed { id, outcome } => log::info!("change {} of the cluster: {outcome:?}", id.0),
                Output::Event(Event::Older) => return Some(Ending::Older),
                Output::Event(event) => {
                    if let Some(why) = self.story.tell(&event) {
                        return Some(Ending::Stopped(why));
                    }
                }
            }
        }
        self.peers.flush(now);
        self.clients.flush(now);
        None
    }

    /// Says once that clients are served.
    fn greet(&mut self) {
        if !self.greeted && self.replica.group().is_serving(self.clock.now()) {
            self.greeted = true;
            log::info!("ready: clients are served at {}", self.address);
        }
    }

    /// Until something comes in, or the replica wants to be called, or a little before that.
    async fn sleep(&mut self) {
        let deadline = self.replica.deadline().map_or(Time::NEVER, |(at, _)| at);
        let deadline = self.clients.deadline().map_or(deadline, |at| at.min(deadline));
        // An earlier call does no harm, and each setting of the timer costs the reactor a wake-up.
        if deadline < self.armed {
            self.armed = deadline;
            self.timer = self.clock.instant(deadline).map_or_else(Timer::never, Timer::at);
        }
        let mut woken = pin!(self.woken.recv());
        future::poll_fn(|context| {
            let ready = [
                // A store that has dropped its end has nothing to say any more.
                woken.as_mut().poll(context).map(|end| end.is_ok()) == Poll::Ready(true),
                self.peers.poll_readable(context).is_ready(),
                self.clients.poll_readable(context).is_ready(),
            ];
            let due = Pin::new(&mut self.timer).poll(context).is_ready();
            if due {
                self.armed = Time::NEVER;
            }
            if due || ready.contains(&true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
