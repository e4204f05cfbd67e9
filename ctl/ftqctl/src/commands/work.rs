//! A command for each item of a queue: exit code 0 acks it, any other sends it back.
//!
//! ```text
//!  take ──▶ run ── exits 0 ──▶ ack
//!   ▲        │ └── else ────▶ nack, ready again after a while
//!   │        └── while it runs: touch, so that nobody else gets the item
//!   └──────── next
//! ```
//! When this process dies, the lease ends by itself and the item goes back.

use super::Asked;
use crate::arguments::Work;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use ftq_client::{Delivery, Error, No, QueueId};
use std::io::Write;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

/// An empty queue is waited at for so long before it is looked whether somebody wants this to end.
const WAIT: Duration = Duration::from_secs(1);

/// How often it is looked whether a command has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A lease is extended when a third of it is over.
const TOUCHES: u32 = 3;

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
    let interrupt = Interrupt::watch().map_err(|error| Failure::No(format!("no signals: {error}")))?;
    let mut worked = Worked::default();
    loop {
        if interrupt.asked() {
            return Err(Failure::Interrupted(format!("interrupted: {worked}")));
        }
        if it.count.is_some_and(|count| worked.done + worked.sent_back >= count) {
            break;
        }
        let wait = if it.until_empty { Duration::ZERO } else { WAIT };
        match asked.client.take(queue, 1, it.lease, wait) {
            Ok(taken) => {
                for delivery in taken {
                    one(asked, it, queue, &delivery, &mut worked)?;
                }
            }
            Err(Error::No(No::Empty)) if it.until_empty => break,
            Err(Error::No(No::Empty)) => {}
            // An operator wants it so for a while.
            Err(Error::No(No::Paused)) if !it.until_empty => pause(WAIT),
            // It may have been taken: then it goes back when its lease ends.
            Err(Error::Unknown) => {}
            Err(error) => return Err(Failure::of(&it.queue, error).with(&worked.to_string())),
        }
    }
    asked.out.done(vec![("done", worked.done.into()), ("sent_back", worked.sent_back.into())])
}

/// What became of the items.
#[derive(Clone, Copy, Debug, Default)]
struct Worked {
    done: u64,
    sent_back: u64,
}

fn one(asked: &Asked, it: &Work, queue: QueueId, delivery: &Delivery, worked: &mut Worked) -> Result<(), Failure> {
    let ended = run(asked, it, queue, delivery);
    let receipts = [delivery.receipt];
    let told = match &ended {
        Ok(status) if status.success() => {
            worked.done += 1;
            asked.client.ack(queue, receipts)
        }
        Ok(_) | Err(_) => {
            worked.sent_back += 1;
            asked.client.nack(queue, receipts, it.delay)
        }
    };
    let position = delivery.receipt.position;
    match told {
        Ok(()) => {}
        Err(Error::No(No::NoSuchLease)) => {
            eprintln!("ftqctl: item {position}: its lease had ended before it was done; another may do it again");
        }
        Err(error) => return Err(Failure::of(&it.queue, error).with(&worked.to_string())),
    }
    // A command that can't be run would be that for every item.
    ended.map(drop).map_err(|what| Failure::No(format!("{}: {what}; item {position} was sent back", it.command[0])))
}

/// Runs the command for an item, and keeps the lease while it runs.
fn run(asked: &Asked, it: &Work, queue: QueueId, delivery: &Delivery) -> std::io::Result<ExitStatus> {
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
    wait(&mut child, it.lease / TOUCHES, || {
        // If the lease can't be extended that shows when the item is acked.
        let _ = asked.client.touch(queue, [delivery.receipt], it.lease);
    })
}

fn wait(child: &mut Child, every: Duration, mut extend: impl FnMut()) -> std::io::Result<ExitStatus> {
    let mut passed = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        pause(LOOK_EVERY);
        passed += LOOK_EVERY;
        if passed >= every {
            passed = Duration::ZERO;
            extend();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is a shell around a command, and waits for it")]
fn pause(length: Duration) {
    thread::sleep(length);
}

impl std::fmt::Display for Worked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} items are done, {} were sent back", self.done, self.sent_back)
    }
}
