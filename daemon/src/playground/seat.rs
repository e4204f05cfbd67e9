//! The place of one replica, which runs there or does not.

use super::Event;
use crate::board::Board;
use crate::config::Config;
use crate::ending::Ending;
use crate::http;
use crate::lines;
use crate::living::{Means, Parting, live};
use crate::manager::Manager;
use crate::memory;
use crate::orders::{ORDERS_MAX, Order};
use ftq_core::ids::MemberId;
use ftq_net::keys::Keys;
use smol::channel::{self, Sender};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// The place.
pub(super) struct Seat {
    pub(super) config: Config,
    keys: Keys,
    means: Means,
    board: Board,
    say: Sender<Event>,
    /// Gives it orders, while it runs.
    running: Option<Sender<Order>>,
}

impl Seat {
    /// An empty one; whether it is ready can be seen already. Of `replicas` each gets its part of the memory, and
    /// holds no room back on a disk that is not its own.
    pub(super) fn new(config: Config, replicas: u8, say: Sender<Event>) -> Result<Seat, Ending> {
        let keys = config.keys()?;
        let board = Board::default();
        if let Some(address) = &config.http {
            http::serve(address, board.clone())?;
        }
        let memory_bytes = memory::limit().map(|bytes| bytes / u64::from(replicas));
        Ok(Seat { config, keys, means: Means { ballast_bytes: 0, memory_bytes }, board, say, running: None })
    }

    /// Starts its replica, which says when it is open, and how it has ended.
    pub(super) fn start(&mut self) -> Result<(), Ending> {
        let (tell, orders) = channel::bounded(ORDERS_MAX);
        let (config, keys, means) = (self.config.clone(), self.keys.clone(), self.means);
        let (board, say, id) = (self.board.clone(), self.say.clone(), self.id());
        let work = move || {
            let opened = || drop(say.send_blocking(Event::Opened(id)));
            let mut manager = Manager::nobody();
            let run = AssertUnwindSafe(|| live(&config, &keys, means, (&orders, &board), &mut manager, opened));
            let ended = match catch_unwind(run) {
                // The next one can be started when this one has let go of the store.
                Ok(Ok(Parting::AtOnce(store))) => {
                    drop(store);
                    Ok(())
                }
                Ok(Ok(Parting::InOrder)) => Ok(()),
                Ok(Err(ending)) => Err(ending),
                Err(_) => Err(Ending::Stopped("it panicked".to_owned())),
            };
            drop(say.send_blocking(Event::Ended(id, ended)));
        };
        let spawned = thread::Builder::new().name(format!("{}{id}", lines::REPLICA)).spawn(work);
        spawned.map_err(|error| Ending::System { doing: "start a thread", error })?;
        self.running = Some(tell);
        Ok(())
    }

    /// Gives its replica an order, if one runs.
    pub(super) fn tell(&self, order: Order) {
        if let Some(running) = &self.running {
            // One that has ended, or that can't keep up with a person's orders, is not waited for.
            let _ = running.try_send(order);
        }
    }

    /// Its replica has said so.
    pub(super) fn has_ended(&mut self) {
        self.running = None;
    }

    pub(super) fn id(&self) -> MemberId {
        self.config.me
    }

    pub(super) fn runs(&self) -> bool {
        self.running.is_some()
    }
}
