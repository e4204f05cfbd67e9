//! The loop: sockets, store and clock on one side, the replica on the other.
//!
//! Each turn takes what is there in the order of these priorities, of each no more than its budget, and
//! then carries out all that the replica wants. Only when there is nothing left does the loop sleep.
//!
//! | priority | what | why in this place |
//! | --- | --- | --- |
//! | 0 | orders of the operator | few, and not to be kept waiting |
//! | 1 | reports of the store | they free what others wait for, and there are only as many as there were jobs |
//! | 2 | datagrams of peers | the others' progress hangs on them, and link bounds how many are under way |
//! | 3 | datagrams of clients | new work comes last: under load it waits in the socket, then it is lost and sent again |
//! | 4 | time | every turn, when it is due |

mod opening;

use crate::board::{Board, Check};
use crate::client_port::ClientPort;
use crate::closing;
use crate::config::{Config, format_bytes};
use crate::ending::Ending;
use crate::greeting;
use crate::host::Host;
use crate::lines;
use crate::living::Parting;
use crate::manager::Manager;
use crate::metrics::{self, Meter, Seen};
use crate::names::Names;
use crate::orders::Order;
use crate::peer_port::PeerPort;
use crate::standing::Standing;
use crate::story::Story;
use crate::stuck::Stuck;
use ftq_core::ids::MemberId;
use ftq_core::machine::queues::Queues;
use ftq_core::replica::{Event, Input, Output, Replica};
use ftq_core::store::Report;
use ftq_core::time::{Span, Time};
use ftq_net::clock::Clock;
use ftq_net::keys::Keys;
use ftq_storage::disk::DiskStore;
use ftq_storage::{Done, Store};
use smol::Timer;
use smol::channel::Receiver;
use smol::future;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;

/// What one turn takes of each priority: a few milliseconds of work, well below a heartbeat.
const REPORTS_BUDGET: usize = 1_024;
const PEERS_BUDGET: usize = 256;
const CLIENTS_BUDGET: usize = 128;

/// How often the board is written anew: what is asked for is no older than that.
const POST_EVERY: Span = Span::millis(500);

/// One replica with all that it needs.
pub(crate) struct Service {
    me: MemberId,
    clock: Clock,
    replica: Replica<Queues>,
    store: DiskStore,
    woken: Receiver<()>,
    orders: Receiver<Order>,
    order: Option<Order>,
    peers: PeerPort,
    names: Names,
    clients: ClientPort,
    config: Config,
    host: Host,
    stuck: Stuck,
    story: Story,
    meter: Meter,
    board: Board,
    post_at: Time,
    timer: Timer,
    /// When the timer goes off.
    armed: Time,
    greeted: bool,
    end: End,
}

/// Whether it goes on.
#[derive(Debug)]
enum End {
    /// Nobody wants it to stop.
    None,
    /// It was told to stop.
    Asked,
    /// Nothing is left to do for the replica.
    Retired,
    /// There is no time for anything more.
    AtOnce,
    /// It can't go on.
    Failed(Ending),
}

impl Service {
    /// Serves until there is a reason to end; that it was told to is a good one.
    pub(crate) fn serve(mut self, manager: &mut Manager) -> Result<Parting, Ending> {
        manager.ready();
        smol::block_on(async {
            while matches!(self.end, End::None | End::Asked) {
                self.take_orders(manager);
                let more = self.take_reports() | self.take_peers() | self.take_clients();
                self.replica.handle(self.clock.now(), Input::Tick);
                self.carry_out();
                self.greet();
                self.tell(manager);
                self.post();
                if !more && matches!(self.end, End::None | End::Asked) {
                    self.sleep(manager).await;
                }
            }
        });
        match self.end {
            End::Failed(ending) => {
                let patience = if matches!(ending, Ending::Older) { closing::REOPENING } else { closing::FINISHING };
                let is_closed = closing::close(self.store, &self.orders, patience);
                // It is opened again only when nobody else has it any more.
                let hangs = matches!(ending, Ending::Older) && !is_closed;
                Err(if hangs { Ending::Hung(self.config.data_dir) } else { ending })
            }
            End::AtOnce => {
                log::warn!("told to stop at once");
                Ok(Parting::AtOnce(self.store))
            }
            End::None | End::Asked | End::Retired => {
                if !closing::close(self.store, &self.orders, closing::FINISHING) {
                    log::warn!(
                        "the disk has not finished in time: what is left is read from the other members, or again, at the \
                         next start"
                    );
                }
                log::info!("stopped");
                Ok(Parting::InOrder)
            }
        }
    }

    /// Priority 0.
    fn take_orders(&mut self, manager: &mut Manager) {
        while let Some(order) = self.order.take().or_else(|| self.orders.try_recv().ok()) {
            match order {
                Order::Stop => {
                    log::info!("told to stop: takes no more requests, and hands over");
                    manager.stopping();
                    self.end = End::Asked;
                    // Who asks whether it is ready hears at once that it is not.
                    self.post_at = Time(0);
                    self.replica.handle(self.clock.now(), Input::Retire);
                }
                Order::StopNow => self.end = End::AtOnce,
                Order::Reload(read) => self.reload(&read.0, &read.1),
                Order::Part(from) => self.peers.part(from),
            }
        }
    }

    /// What can change while it runs does, and what can't is named.
    fn reload(&mut self, config: &Config, keys: &Keys) {
        lines::set(config.log);
        self.peers.change_keys(keys);
        self.clients.change_keys(keys);
        self.host.change_keys(keys);
        let (cluster, clients) = (keys.cluster.len(), keys.clients.len());
        self.store.limit(config.log_keep, config.disk_low);
        log::info!(
            "read the configuration again: log is {}, there are {cluster} cluster keys and {clients} client keys, disk-low is \
             {}, log-keep is {}",
            config.log,
            format_bytes(config.disk_low),
            format_bytes(config.log_keep)
        );
        let fixed = self.config.fixed_that_differ(config);
        if !fixed.is_empty() {
            log::warn!("changed, and only in force after a restart: {}", fixed.join(", "));
        }
    }

    /// Priority 1. Whether there may be more.
    fn take_reports(&mut self) -> bool {
        for _ in 0..REPORTS_BUDGET {
            let Some(done) = self.store.poll() else { return false };
            if done == Done::Report(Report::Failed) {
                let why = self.store.failure().unwrap_or("nobody knows why").to_owned();
                self.finish(End::Failed(Ending::Disk(self.config.data_dir.clone(), why)));
            }
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
        while let Some(found) = self.names.found() {
            self.peers.locate(self.clock.now(), &found);
        }
        let may_be_more = self.receive_from_peers();
        self.peers.introduce(self.clock.now());
        while let Some(member) = self.peers.met() {
            self.replica.handle(self.clock.now(), Input::Introduced { member });
        }
        if let Some(ending) = self.peers.taken() {
            self.finish(End::Failed(ending));
        }
        may_be_more
    }

    /// Takes a batch of what they have sent. Whether there may be more.
    fn receive_from_peers(&mut self) -> bool {
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
                let now = self.clock.now();
                self.meter.asked(now, &message);
                match self.host.answer(&message) {
                    Some(answer) => {
                        self.meter.answered(now, &answer);
                        self.clients.send(now, client, &answer);
                    }
                    None => self.replica.handle(now, Input::Client { client, message }),
                }
            }
        }
        true
    }

    /// Does what the replica wants done.
    fn carry_out(&mut self) {
        let now = self.clock.now();
        while let Some(output) = self.replica.poll(now) {
            match output {
                Output::Send { to, bytes } => self.peers.send(to, &bytes),
                Output::Reply { client, message } => {
                    self.meter.answered(now, &message);
                    self.clients.send(now, client, &message);
                }
                Output::Persist { id, job } => self.store.submit(id, job),
                Output::Fetch { id, fetch } => self.store.fetch(id, fetch),
                Output::Changed { id, outcome } => log::info!("change {} of the cluster: {outcome:?}", id.0),
                Output::Event(event) => self.take_note(&event),
            }
        }
        self.peers.flush(now);
        self.clients.flush(now);
    }

    /// Why it ends: what comes first says most.
    fn finish(&mut self, end: End) {
        if matches!(self.end, End::None | End::Asked) {
            self.end = end;
        }
    }

    /// Something has happened; the last words of the replica may still follow.
    fn take_note(&mut self, event: &Event) {
        self.story.tell(event);
        self.meter.note(self.clock.now(), event);
        match event {
            // Told to stop before: it does not begin anew.
            Event::Older if matches!(self.end, End::Asked) => self.finish(End::Retired),
            Event::Older => self.finish(End::Failed(Ending::Older)),
            Event::Stopped { why } => self.finish(End::Failed(Ending::Stopped(why.to_string()))),
            Event::Disordered { members, mine, is_outnumbered: true } => {
                self.finish(End::Failed(Ending::disordered(*mine, *members)));
            }
            Event::Retired { .. } => self.finish(End::Retired),
            Event::Configured { members, .. } => {
                if let Some(warning) = greeting::forlorn(&self.config, *members, self.peers.known()) {
                    log::warn!("{warning}");
                }
            }
            Event::Sequenced { .. }
            | Event::Appended { .. }
            | Event::Applied { .. }
            | Event::Restored { .. }
            | Event::Promised { .. }
            | Event::Suspects { .. }
            | Event::Installed { .. }
            | Event::Opened { .. }
            | Event::Left { .. }
            | Event::CaughtUp { .. }
            | Event::NearlyFull(_)
            | Event::Repeated
            | Event::Refused { .. }
            | Event::Removed { .. }
            | Event::Retires { .. }
            | Event::Disordered { .. }
            | Event::Stranded => {}
        }
    }

    /// Says once that clients are served.
    fn greet(&mut self) {
        if !self.greeted && self.replica.is_serving(self.clock.now()) {
            self.greeted = true;
            log::info!("ready: clients are served at {}", self.config.client);
        }
    }

    /// Tells the service manager how it is.
    fn tell(&mut self, manager: &mut Manager) {
        let now = self.clock.now();
        manager.tick(now, || Standing::of(&self.replica, self.me, now).to_string(), || self.store.vitals());
    }

    /// Pins up how it is, for whoever watches.
    fn post(&mut self) {
        self.meter.turned();
        let now = self.clock.now();
        if now < self.post_at {
            return;
        }
        self.post_at = now + POST_EVERY;
        let standing = Standing::of(&self.replica, self.me, now);
        self.story.look(&standing);
        if let Some(line) = self.stuck.look(now, &self.replica, self.me, &self.config.data_dir) {
            log::warn!("{line}");
        }
        let Service { me, replica, store, peers, clients, meter, .. } = self;
        let seen = Seen { now, me: *me, standing: &standing, replica, store, peers, clients, meter };
        let stops = Check {
            name: "staying",
            holds: matches!(self.end, End::None),
            details: if matches!(self.end, End::None) { "not told to stop" } else { "told to stop" }.to_owned(),
        };
        let checks = standing.checks().into_iter().chain([stops]).collect();
        self.board.post(metrics::collect(&seen), checks);
    }

    /// Until something comes in, or the replica wants to be called, or a little before that.
    async fn sleep(&mut self, manager: &Manager) {
        let deadline = self.replica.deadline().map_or(Time::NEVER, |(at, _)| at);
        let others = [self.clients.deadline(), manager.deadline(), Some(self.post_at), Some(self.peers.deadline())];
        let deadline = others.into_iter().flatten().fold(deadline, Time::min);
        // An earlier call does no harm, and each setting of the timer costs the reactor a wake-up.
        if deadline < self.armed {
            self.armed = deadline;
            self.timer = self.clock.instant(deadline).map_or_else(Timer::never, Timer::at);
        }
        let mut woken = pin!(self.woken.recv());
        let mut ordered = pin!(self.orders.recv());
        future::poll_fn(|context| {
            // An order is taken in the next turn.
            let order = ordered.as_mut().poll(context);
            let is_ordered = order.is_ready();
            if let Poll::Ready(Ok(order)) = order {
                self.order = Some(order);
            }
            let ready = [
                is_ordered,
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
