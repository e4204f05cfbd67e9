//! A replica with all that it needs: its store is opened, and its addresses are taken.

use super::{End, Service};
use crate::board::Board;
use crate::client_port::ClientPort;
use crate::config::Config;
use crate::ending::Ending;
use crate::greeting;
use crate::host::Host;
use crate::limits;
use crate::living::Means;
use crate::metrics::Meter;
use crate::names::Names;
use crate::orders::Order;
use crate::peer_port::{Drawn, PeerPort};
use crate::story::Story;
use crate::stuck::Stuck;
use ftq_core::ids::BootId;
use ftq_core::machine::queues::{Limits, Queues, Rules};
use ftq_core::replica::{Options, Replica};
use ftq_core::time::Time;
use ftq_net::clock::Clock;
use ftq_net::keys::Keys;
use ftq_net::peer::SEAL_BYTES;
use ftq_storage::disk::{self, DiskStore};
use smol::Timer;
use smol::channel::{self, Receiver};

/// A snapshot is taken every so many slots: at start no more than these are replayed.
const SNAPSHOT_EVERY: u64 = 10_000;

impl Service {
    /// Takes the addresses and the store.
    pub(crate) fn open(
        config: &Config,
        keys: &Keys,
        means: Means,
        orders: Receiver<Order>,
        board: Board,
    ) -> Result<Service, Ending> {
        let clock = Clock::start();
        let mut random = [0; 104];
        getrandom::fill(&mut random)
            .map_err(|error| Ending::System { doing: "draw random bytes", error: error.into() })?;
        let boot = BootId(std::array::from_fn(|at| random[at]));
        let drawn = Drawn {
            boot,
            greeting: BootId(std::array::from_fn(|at| random[56 + at])),
            secret: std::array::from_fn(|at| random[72 + at]),
        };
        let seed = u64::from_le_bytes(std::array::from_fn(|at| random[16 + at]));
        let clients = ClientPort::open(config, keys, std::array::from_fn(|at| random[24 + at]))?;
        let (wake, woken) = channel::bounded(1);
        // Full means that the loop is going to look anyway.
        let wake = move || {
            let _ = wake.try_send(());
        };
        let stored = disk::Options {
            cluster: Some(config.cluster_id()),
            journal_bytes: config.journal,
            log_keep_bytes: config.log_keep,
            low_bytes: config.disk_low,
            ballast_bytes: means.ballast_bytes,
            ..disk::Options::default()
        };
        let opened = DiskStore::open(&config.data_dir, &stored, wake.clone());
        let (store, opened) = opened.map_err(|error| Ending::Unopened(config.data_dir.clone(), error))?;
        // Another one than the configured, once the operator has ordered to start anew.
        let cluster = store.identity().cluster().unwrap_or_else(|| config.cluster_id());
        let mut peers = PeerPort::open(clock.now(), config, cluster, keys, &drawn)?;
        limits::raise(peers.buffers().chain(clients.buffer()));
        let names = Names::ask(config, peers.from(), wake.clone())?;
        let is_alone = config.members.len() == 1 && config.join.is_empty() && !peers.knows_others();
        if let Some(warning) = greeting::loss(&opened, config, is_alone) {
            log::error!("{warning}");
        }
        let options = Options {
            me: config.me,
            cluster,
            founding: config.founders(),
            order: config.order,
            datagram_max: config.datagram - SEAL_BYTES,
            snapshot_every: SNAPSHOT_EVERY,
            memory_bytes: means.memory_bytes,
            log_keep: 0,
        };
        let store_id = opened.store;
        let replica =
            Replica::new(clock.now(), options, boot, seed, opened, Queues::of_build(Rules::NEWEST, Limits::default()));
        if replica.group().log().electorate().admits(config.me, store_id) {
            peers.seat();
        }
        Ok(Service {
            me: config.me,
            clock,
            replica,
            store,
            woken,
            orders,
            order: None,
            peers,
            names,
            clients,
            config: config.clone(),
            host: Host::new(config, keys),
            stuck: Stuck::new(clock.now()),
            story: Story::new(config.me),
            meter: Meter::new(),
            board,
            post_at: Time(0),
            timer: Timer::never(),
            armed: Time::NEVER,
            greeted: false,
            end: End::None,
        })
    }
}
