//! The end of a store: what was handed to it is finished, if the disk does so in time.

use crate::orders::Order;
use ftq_storage::disk::DiskStore;
use smol::Timer;
use smol::channel::{self, Receiver};
use smol::future::FutureExt;
use std::thread;
use std::time::Duration;

/// How long a disk may take for what is left when the daemon ends. It is little, and nothing that was acknowledged
/// hangs on it.
pub(crate) const FINISHING: Duration = Duration::from_millis(600);

/// How long it may take when the store is to be opened again: less than the watchdog bears, which nobody feeds then.
pub(crate) const REOPENING: Duration = Duration::from_secs(15);

/// Closes the store, and says whether it is closed: a disk that hangs is not waited for beyond `patience`, nor when the
/// daemon is told to stop at once.
#[must_use]
pub(crate) fn close(store: DiskStore, orders: &Receiver<Order>, patience: Duration) -> bool {
    let (closed, when_closed) = channel::bounded::<()>(1);
    let work = move || {
        drop(store);
        drop(closed);
    };
    if thread::Builder::new().name("ftq-closing".to_owned()).spawn(work).is_err() {
        return false;
    }
    smol::block_on(async {
        let finished = async {
            // The sender is dropped when the store is.
            let _ = when_closed.recv().await;
            true
        };
        let given_up = async {
            Timer::after(patience).await;
            false
        };
        let hastened = async {
            while orders.recv().await.is_ok_and(|order| order != Order::StopNow) {}
            false
        };
        finished.or(given_up).or(hastened).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ftq_storage::disk::Options;
    use std::path::Path;
    use std::sync::{Arc, Condvar, Mutex};

    /// A store of whose threads one stands still, as long as this is held: what it has to say is not taken.
    struct Hung(Arc<(Mutex<bool>, Condvar)>);

    impl Hung {
        fn open(directory: &Path) -> (Hung, DiskStore) {
            let hung = Arc::new((Mutex::new(true), Condvar::new()));
            let stands = hung.clone();
            let wake = move || {
                let (hangs, changed) = &*stands;
                drop(changed.wait_while(hangs.lock().expect("nobody panics"), |hangs| *hangs));
            };
            // The disk is nearly full at once, and the thread says so.
            let options =
                Options { journal_bytes: 1 << 20, ballast_bytes: 0, low_bytes: u64::MAX / 4, ..Options::default() };
            let (store, _) = DiskStore::open(directory, &options, wake).expect("a store");
            while !store.vitals().iter().any(|vital| vital.thread == "archive" && vital.is_at_work) {
                std::thread::yield_now();
            }
            (Hung(hung), store)
        }
    }

    impl Drop for Hung {
        fn drop(&mut self) {
            let (hangs, changed) = &*self.0;
            *hangs.lock().expect("nobody panics") = false;
            changed.notify_all();
        }
    }

    #[test]
    fn a_disk_that_hangs_is_not_waited_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let (_tell, orders) = channel::bounded(1);
        let (hung, store) = Hung::open(directory.path());
        assert!(!close(store, &orders, Duration::from_millis(50)));
        drop(hung);
    }

    #[test]
    fn whoever_is_told_to_stop_at_once_waits_no_longer() {
        let directory = tempfile::tempdir().expect("a directory");
        let (tell, orders) = channel::bounded(1);
        let (hung, store) = Hung::open(directory.path());
        tell.try_send(Order::StopNow).expect("there is room");
        assert!(!close(store, &orders, Duration::from_secs(3_600)));
        drop(hung);
    }

    #[test]
    fn a_store_without_work_is_closed() {
        let directory = tempfile::tempdir().expect("a directory");
        let (_tell, orders) = channel::bounded(1);
        let options = Options { journal_bytes: 1 << 20, ballast_bytes: 0, low_bytes: 0, ..Options::default() };
        let (store, _) = DiskStore::open(directory.path(), &options, || ()).expect("a store");
        assert!(close(store, &orders, Duration::from_secs(30)));
    }
}
