//! The lines that somebody types, or a script writes.

use super::Event;
use crate::ending::Ending;
use rustix::process::getpgrp;
use rustix::termios::{isatty, tcgetpgrp};
use smol::channel::Sender;
use std::io::{self, BufRead};
use std::thread;

/// Reads them from now on, until there are no more.
pub(super) fn lines(say: Sender<Event>) -> Result<(), Ending> {
    if !may_read() {
        return Ok(());
    }
    let work = move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if say.send_blocking(Event::Line(line)).is_err() {
                return;
            }
        }
    };
    let spawned = thread::Builder::new().name("ftq-lines".to_owned()).spawn(work);
    spawned.map(drop).map_err(|error| Ending::System { doing: "start a thread", error })
}

/// Who reads from a terminal in whose background it is, is stopped by that.
fn may_read() -> bool {
    let input = io::stdin();
    !isatty(&input) || tcgetpgrp(&input).is_ok_and(|foreground| foreground == getpgrp())
}
