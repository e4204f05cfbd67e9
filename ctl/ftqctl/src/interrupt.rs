//! Ctrl-C in the middle of something long: it comes to an end that can be told. A second one ends it at once.

use async_signal::{Signal, Signals};
use futures_lite::{StreamExt, future};
use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// As shells have it: 128, and the number of the signal.
const INTERRUPTED: i32 = 130;

/// Whether somebody wants it to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on Ctrl-C, and a request to terminate, are only noted.
    pub(crate) fn watch() -> io::Result<Interrupt> {
        let mut signals = Signals::new([Signal::Int, Signal::Term])?;
        let asked = Arc::new(AtomicBool::new(false));
        let noted = asked.clone();
        thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
            while future::block_on(signals.next()).is_some() {
                if noted.swap(true, Ordering::Relaxed) {
                    process::exit(INTERRUPTED);
                }
            }
        })?;
        Ok(Interrupt(asked))
    }

    /// Whether it was asked for.
    pub(crate) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
