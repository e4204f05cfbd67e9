//! The end of a store that is closed in good order: what was handed to it is finished, if the disk does so in time.

use crate::orders::Order;
use ftq_storage::disk::DiskStore;
use smol::Timer;
use smol::channel::{self, Receiver};
use smol::future::FutureExt;
use std::thread;
use std::time::Duration;

/// How long a disk may take for what is left. It is little, and nothing that was acknowledged hangs on it.
const FINISHING: Duration = Duration::from_millis(600);

/// Closes the store; does not wait for a disk that hangs, nor when it is told to stop at once.
pub(crate) fn close(store: DiskStore, orders: &Receiver<Order>) {
    let (closed, when_closed) = channel::bounded::<()>(1);
    let work = move || {
        drop(store);
        drop(closed);
    };
    if thread::Builder::new().name("ftq-closing".to_owned()).spawn(work).is_err() {
        return;
    }
    let is_closed = smol::block_on(async {
        let finished = async {
            // The sender is dropped when the store is.
            let _ = when_closed.recv().await;
            true
        };
        let given_up = async {
            Timer::after(FINISHING).await;
            false
        };
        let hastened = async {
            while orders.recv().await.is_ok_and(|order| order != Order::StopNow) {}
            false
        };
        finished.or(given_up).or(hastened).await
    });
    if !is_closed {
        log::warn!(
            "the disk has not finished in time: what is left is read from the other members, or again, at the next start"
        );
    }
}
