//! What the service manager is told, if one has started this daemon: that it is ready, how it is, that it still
//! works, that it stops.
//!
//! The protocol is that of `sd_notify(3)`: lines of text in a datagram to the socket that `$NOTIFY_SOCKET` names.
//! The watchdog is fed only while the loop comes round *and* no thread of the store hangs in one call.

use ftq_core::time::{Span, Time};
use ftq_storage::disk::Vital;
use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The manager gives a time after which it bites: it is told this many times in between …
const FED_PER_BITE: u64 = 4;

/// … and a thread of the store that has stood still for this part of it is not covered for.
const HANGS_AFTER: u64 = 2;

/// The status is looked at so often.
const STATUS_EVERY: Span = Span::secs(1);

/// The service manager, or nobody.
#[derive(Debug)]
pub(crate) struct Manager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Watchdog>,
    /// It has not heard yet that this replica is ready.
    owes_ready: bool,
    status: String,
    status_at: Time,
}

/// What feeds the manager's watchdog.
#[derive(Debug)]
struct Watchdog {
    bites_after: Span,
    next: Time,
    /// For each thread of the store: how far it was, and since when.
    seen: Vec<(u64, Time)>,
    is_hanging: bool,
}

impl Manager {
    /// The one that the environment names.
    pub(crate) fn of_environment() -> Manager {
        let socket = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()).and_then(|name| {
            let opened = open(&name);
            if let Err(error) = &opened {
                log::warn!("the service manager can't be told anything at {}: {error}", name.to_string_lossy());
            }
            opened.ok()
        });
        let ours = env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
        let micros = env::var("WATCHDOG_USEC").ok().and_then(|micros| micros.parse().ok()).filter(|micros| *micros > 0);
        let watchdog = micros.filter(|_| ours && socket.is_some()).map(|micros| Watchdog::new(Span(micros)));
        Manager { socket, watchdog, ..Manager::nobody() }
    }

    /// There is none.
    pub(crate) fn nobody() -> Manager {
        Manager { socket: None, watchdog: None, owes_ready: false, status: String::new(), status_at: Time(0) }
    }

    /// The store is open and the ports are taken. Whether clients are served is up to the other members too: who
    /// starts a cluster one after the other must not wait for that.
    pub(crate) fn ready(&mut self) {
        self.owes_ready = !self.tell("READY=1");
    }

    /// The daemon stops, as it was told to.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=hands over and stops");
    }

    /// Does what is due: one line on how it is, if that has changed, and food for the watchdog.
    pub(crate) fn tick(&mut self, now: Time, status: impl FnOnce() -> String, threads: impl FnOnce() -> [Vital; 2]) {
        if self.socket.is_none() {
            return;
        }
        if now >= self.status_at {
            self.status_at = now + STATUS_EVERY;
            // A manager that was too busy to hear it would take the start for failed.
            if self.owes_ready {
                self.ready();
            }
            let status = status();
            if status != self.status && self.tell(&format!("STATUS={status}")) {
                self.status = status;
            }
        }
        if self.watchdog.as_mut().is_some_and(|watchdog| watchdog.is_fed(now, threads)) {
            self.tell("WATCHDOG=1");
        }
    }

    /// When to tick again at the latest.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let status = self.socket.as_ref().map(|_| self.status_at);
        let food = self.watchdog.as_ref().map(|watchdog| watchdog.next);
        [status, food].into_iter().flatten().min()
    }

    /// Whether it was told, if there is one. Whoever does not listen is not waited for.
    fn tell(&self, lines: &str) -> bool {
        let Some((socket, to)) = &self.socket else { return true };
        let told = socket.send_to_addr(lines.as_bytes(), to);
        if let Err(error) = &told {
            log::debug!("the service manager is not told {lines:?}: {error}");
        }
        told.is_ok()
    }
}

impl Watchdog {
    fn new(bites_after: Span) -> Watchdog {
        Watchdog { bites_after, next: Time(0), seen: Vec::new(), is_hanging: false }
    }

    /// Whether it is due and everybody is well.
    fn is_fed<const N: usize>(&mut self, now: Time, threads: impl FnOnce() -> [Vital; N]) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + self.bites_after.part(FED_PER_BITE);
        let threads = threads();
        self.seen.resize(N, (0, now));
        let mut hanging = None;
        for (thread, seen) in threads.iter().zip(&mut self.seen) {
            if !thread.is_at_work || thread.steps != seen.0 {
                *seen = (thread.steps, now);
            }
            if now.since(seen.1) >= self.bites_after.part(HANGS_AFTER) {
                hanging = Some((thread.thread, now.since(seen.1)));
            }
        }
        if let (Some((thread, since)), false) = (hanging, self.is_hanging) {
            log::error!("the disk hangs: the {thread} has waited {} s for it", since.0 / 1_000_000);
        }
        self.is_hanging = hanging.is_some();
        !self.is_hanging
    }
}

/// A socket, and the address behind a name: a path, or an abstract name after an `@`.
fn open(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let to = match name.as_bytes() {
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ftq_storage::disk::Syncs;

    const SECOND: u64 = 1_000_000;

    fn thread(steps: u64, is_at_work: bool) -> Vital {
        Vital { thread: "journal", steps, is_at_work, syncs: Syncs::default(), bytes: 0 }
    }

    #[test]
    fn a_thread_that_hangs_is_not_covered_for() {
        let mut watchdog = Watchdog::new(Span::secs(8));
        assert!(watchdog.is_fed(Time(SECOND), || [thread(1, true)]));
        assert!(!watchdog.is_fed(Time(2 * SECOND), || [thread(1, true)]), "it is not due");
        assert!(watchdog.is_fed(Time(3 * SECOND), || [thread(1, true)]));
        assert!(!watchdog.is_fed(Time(5 * SECOND), || [thread(1, true)]));
        assert!(!watchdog.is_fed(Time(7 * SECOND), || [thread(1, true)]));
        assert!(watchdog.is_fed(Time(9 * SECOND), || [thread(2, true)]), "it was slow");
    }

    #[test]
    fn a_thread_without_work_does_not_hang() {
        let mut watchdog = Watchdog::new(Span::secs(8));
        for second in 1..60 {
            watchdog.is_fed(Time(second * SECOND), || [thread(1, false)]);
            assert!(!watchdog.is_hanging);
        }
        assert!(watchdog.is_fed(Time(61 * SECOND), || [thread(1, true)]), "it has only begun");
    }

    #[test]
    fn an_abstract_socket_is_told_too() {
        let name = format!("ftqd-test-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let socket = Some(open(OsStr::new(&format!("@{name}"))).unwrap());
        let mut manager = Manager { socket, ..Manager::nobody() };
        manager.ready();
        manager.tick(Time(1), || "well".to_owned(), || [thread(0, false); 2]);
        manager.tick(Time(2 * SECOND), || "well".to_owned(), || [thread(0, false); 2]);
        manager.stopping();
        let mut buffer = [0; 100];
        let mut next = || {
            let n = listener.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..n]).into_owned()
        };
        assert_eq!(
            [next(), next(), next()].map(|told| told.lines().next().unwrap().to_owned()),
            ["READY=1", "STATUS=well", "STOPPING=1"]
        );
    }
}
