//! A command for each item of a queue: exit code 0 acks it, any other sends it back.

use super::Asked;
use crate::arguments::Work;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use ftq_client::{Delivery, Error, No, Worked};
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// An empty queue is waited at for so long before it is looked whether somebody wants this to end.
const WAIT: Duration = Duration::from_secs(1);

/// A lease that ends before its item could be extended is none.
const LEASE_MIN: Duration = Duration::from_secs(1);

pub(super) fn perform(asked: &Asked, it: &Work) -> Result<(), Failure> {
    if it.command.is_empty() {
        return Err(Failure::Usage("work: say which command to run, behind --".to_owned()));
    }
    if it.lease < LEASE_MIN {
        return Err(Failure::Usage("work: a lease of less than a second can't be extended in time".to_owned()));
    }
    let queue = asked.queue(&it.queue)?;
    let interrupt = Interrupt::watch(|| {}).map_err(|error| Failure::No(format!("no signals: {error}")))?;
    let wait = if it.until_empty { Duration::ZERO } else { WAIT };
    let worker = asked.client.worker(queue).lease(it.lease).wait(wait).delay(it.delay);
    let mut tally = Tally::default();
    while it.count.is_none_or(|count| tally.done + tally.sent_back < count) {
        if interrupt.asked() {
            return Err(Failure::Interrupted(format!("interrupted: {tally}")));
        }
        interrupt.would_say(format!("interrupted again: {tally}; what was under way goes back when its lease ends"));
        let mut broken = None;
        let worked = worker.one_blocking(|delivery| match run(it, &delivery) {
            Ok(true) => Ok(()),
            Ok(false) => Err(()),
            Err(error) => {
                broken = Some(format!("{}: {error}; item {} was sent back", it.command[0], delivery.receipt.position));
                Err(())
            }
        });
        match worked {
            Ok(Worked::Nothing) if it.until_empty => break,
            Ok(Worked::Nothing) => {}
            Ok(Worked::Done) => tally.done += 1,
            Ok(Worked::SentBack) => tally.sent_back += 1,
            Ok(Worked::Late) => {
                eprintln!("ftqctl: the lease of an item had ended before it was done; another may do it again");
            }
            // An operator wants it so for a while.
            Err(Error::No(No::Paused)) if !it.until_empty => pause(WAIT),
            // It may have been taken, or acked: if not, it goes back when its lease ends.
            Err(Error::Unknown) => {}
            Err(error) => return Err(Failure::of(&it.queue, error).with(&tally.to_string())),
        }
        // A command that can't be run would be that for every item.
        if let Some(what) = broken {
            return Err(Failure::No(what));
        }
    }
    asked.out.done(vec![("done", tally.done.into()), ("sent_back", tally.sent_back.into())])
}

/// What became of the items.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    done: u64,
    sent_back: u64,
}

/// Runs the command for an item; whether it is done.
fn run(it: &Work, delivery: &Delivery) -> io::Result<bool> {
    let mut child = Command::new(&it.command[0])
        .args(&it.command[1..])
        .env("FTQ_QUEUE", it.queue.to_string())
        .env("FTQ_POSITION", delivery.receipt.position.to_string())
        .env("FTQ_DELIVERIES", delivery.deliveries.to_string())
        .stdin(Stdio::piped())
        .spawn()?;
    // A command that reads nothing, or not all of it, has its reasons; one that reads slowly holds nobody up.
    if let Some(mut input) = child.stdin.take() {
        let item = delivery.item.clone();
        thread::spawn(move || input.write_all(&item));
    }
    Ok(child.wait()?.success())
}

#[expect(clippy::disallowed_methods, reason = "this is a shell around commands, and waits between them")]
fn pause(length: Duration) {
    thread::sleep(length);
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} items are done, {} were sent back", self.done, self.sent_back)
    }
}
