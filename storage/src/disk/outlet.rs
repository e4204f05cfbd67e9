//! How the two threads of a store say what they have done.
//!
//! Always: the first failure is said once, and what is said after it is not heard.

use crate::Done;
use ftq_core::store::Report;
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};

/// The side of the threads.
#[derive(Clone)]
pub(super) struct Outlet {
    done: Sender<Done>,
    failed: Arc<OnceLock<String>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Outlet {
    /// What is said comes out of `done`'s other end, after which `wake` is called.
    pub(super) fn new(done: Sender<Done>, wake: Arc<dyn Fn() + Send + Sync>) -> Outlet {
        Outlet { done, failed: Arc::default(), wake }
    }

    /// Says something, and wakes the one who listens.
    pub(super) fn say(&self, said: impl IntoIterator<Item = Done>) {
        let mut any = false;
        for done in said {
            // Nobody listens any more when the store is being closed.
            any |= self.done.send(done).is_ok();
        }
        if any {
            (self.wake)();
        }
    }

    /// Says that a write or a sync has failed, unless that was said.
    pub(super) fn fail(&self, who: &str, why: &dyn std::fmt::Display) {
        if self.failed.set(format!("the {who} failed: {why}")).is_ok() {
            self.say([Done::Report(Report::Failed)]);
        }
    }

    /// What has failed, if something has; whoever has the store can look there too.
    pub(super) fn failure(&self) -> Arc<OnceLock<String>> {
        self.failed.clone()
    }

    /// Whether something has failed: nothing must be written after that.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.get().is_some()
    }
}
