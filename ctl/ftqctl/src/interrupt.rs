//! Ctrl-C in the middle of something long: it comes to an end that can be told. A second one ends it at once, with as
//! much said as is known.

use async_signal::{Signal, Signals};
use futures_lite::{StreamExt, future};
use std::io;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// As shells have it: 128, and the number of the signal.
const INTERRUPTED: i32 = 130;

/// Whether somebody wants it to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    asked: Arc<AtomicBool>,
    last_words: Arc<Mutex<String>>,
}

impl Interrupt {
    /// From now on Ctrl-C, and a request to terminate, are only noted; `heard` is called once.
    pub(crate) fn watch(heard: impl Fn() + Send + 'static) -> io::Result<Interrupt> {
        let mut signals = Signals::new([Signal::Int, Signal::Term])?;
        let interrupt = Interrupt { asked: Arc::default(), last_words: Arc::default() };
        let noted = interrupt.clone();
        thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
            while future::block_on(signals.next()).is_some() {
                if noted.asked.swap(true, Ordering::Relaxed) {
                    eprintln!("ftqctl: {}", noted.last_words.lock().unwrap_or_else(PoisonError::into_inner));
                    process::exit(INTERRUPTED);
                }
                heard();
            }
        })?;
        Ok(interrupt)
    }

    /// What is said if it is ended at once from here on.
    pub(crate) fn would_say(&self, words: String) {
        *self.last_words.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// Whether it was asked for.
    pub(crate) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}
