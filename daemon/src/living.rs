//! One replica from its start to its end. One whose store turns out to be older than what it has shown to the others
//! begins again, as a learner.

use crate::board::Board;
use crate::config::Config;
use crate::ending::Ending;
use crate::manager::Manager;
use crate::orders::Order;
use crate::service::Service;
use ftq_net::keys::Keys;
use ftq_storage::disk::{self, DiskStore};
use smol::channel::Receiver;

/// What a replica may take of its machine, beside what its configuration says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    /// What is held back on its disk for the day on which that is full.
    pub(crate) ballast_bytes: u64,
    /// What the queues of a new cluster may take; if that is known.
    pub(crate) memory_bytes: Option<u64>,
}

impl Means {
    /// Of a machine that is there for one replica.
    pub(crate) fn whole() -> Means {
        Means { ballast_bytes: disk::Options::default().ballast_bytes, memory_bytes: crate::memory::limit() }
    }
}

/// How a replica has ended that was told to.
pub(crate) enum Parting {
    /// Its store is closed, or its disk has not done so in time.
    InOrder,
    /// There was no time for anything. Dropping the store waits for the disk.
    AtOnce(DiskStore),
}

/// Runs a replica. `opened` is called when its store is open and its ports are taken.
pub(crate) fn live(
    config: &Config,
    keys: &Keys,
    means: Means,
    (orders, board): (&Receiver<Order>, &Board),
    manager: &mut Manager,
    opened: impl Fn(),
) -> Result<Parting, Ending> {
    loop {
        let service = Service::open(config, keys, means, orders.clone(), board.clone())?;
        opened();
        let ending = match service.serve(manager) {
            Err(Ending::Older) => Ending::Older,
            ended => return ended,
        };
        log::error!("{ending}. It goes on as a learner until the others admit it again");
        let directory = config.data_dir.display();
        if let Some(aside) = disk::distrust_journal(&config.data_dir)? {
            log::warn!(
                "the journal that can't be trusted is kept as {directory}/{aside}; an empty one is in its place"
            );
        }
    }
}
