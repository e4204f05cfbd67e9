//! Pushes: of what stands on the command line, or of a file of any length, a request at a time and in order.
//!
//! Each request is pushed whole or not at all, and the next one leaves when it is answered. So what is in the queue
//! is always a beginning of the file, and wherever it ends, it can be said how long that is.
//!
//! ```text
//! a thread reads ──items──▶ push ◀── interrupt
//! ```

mod progress;
mod source;

use super::Asked;
use crate::arguments::Push;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::words::Framing;
use ftq_client::{Bytes, Error, Label, PushOptions, QueueId};
use progress::Progress;
use source::{Source, Unread};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Duration;

pub(super) fn perform(asked: &Asked, it: Push) -> Result<(), Failure> {
    let options = options(&it)?;
    let Push { queue: name, items, file, by, .. } = it;
    if !items.is_empty() {
        if file.is_some() {
            return Err(Failure::Usage("push: give items or --file, not both".to_owned()));
        }
        let queue = asked.queue(&name)?;
        let count = items.len();
        let first = asked.client.push_with(queue, items, options).map_err(|error| Failure::of(&name, error))?;
        return asked.out.done(vec![("queue", queue.0.into()), ("first", first.into()), ("items", count.into())]);
    }
    if options.key.is_some() {
        return Err(Failure::Usage("push: --once names one push; give its items on the command line".to_owned()));
    }
    let file = file.unwrap_or_else(|| PathBuf::from("-"));
    if file == Path::new("-") && std::io::stdin().is_terminal() {
        return Err(Failure::Usage("push: give at least one item, or --file FILE; - is standard input".to_owned()));
    }
    let queue = asked.queue(&name)?;
    let pushed = Pushing { asked, queue, options }.all(&name.to_string(), &file, by)?;
    asked.out.done(vec![("queue", queue.0.into()), ("items", pushed.into())])
}

fn options(it: &Push) -> Result<PushOptions, Failure> {
    let key = it.once.as_ref().map(|name| Label::parse(name.as_bytes())).transpose();
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let defaults = PushOptions::default();
    Ok(PushOptions {
        priority: it.priority.unwrap_or(defaults.priority),
        delay_ms: it.delay.map_or(0, millis),
        ttl_ms: it.ttl.map(millis),
        key: key.map_err(|why| Failure::of("--once", Error::No(why)))?,
    })
}

/// The push of a file.
struct Pushing<'a> {
    asked: &'a Asked,
    queue: QueueId,
    options: PushOptions,
}

/// What a push waits for.
enum Heard {
    /// The next items, and how much was read until then; none at the end.
    Read(Result<(Vec<Bytes>, u64), Unread>),
    /// Somebody wants it to end.
    Interrupted,
}

/// How many items were read ahead, at most: it is no use to be further ahead.
const READ_AHEAD: usize = 1;

impl Pushing<'_> {
    /// Pushes all of it; how many items that was. It is read by a thread of its own, so that an interrupt is heard
    /// also while nothing comes.
    fn all(&self, name: &str, file: &Path, by: Framing) -> Result<u64, Failure> {
        let source = Source::open(file, by).map_err(|error| Failure::file(file.display(), &error))?;
        let mut progress = Progress::begin(source.bytes());
        let (hear, heard) = mpsc::sync_channel(READ_AHEAD);
        // Full means that something has come, and then it is looked whether it was asked for.
        let waker = hear.clone();
        let interrupt = Interrupt::watch(move || drop(waker.try_send(Heard::Interrupted)));
        let interrupt = interrupt.map_err(|error| Failure::No(format!("no signals: {error}")))?;
        thread::spawn(move || read(source, &hear));
        let mut pushed = 0;
        interrupt.would_say("interrupted again: 0 items are pushed, no others".to_owned());
        // The thread of the interrupt could still say something, so it never ends by itself.
        while let Ok(heard) = heard.recv() {
            let so_far = format!("{pushed} items were pushed before");
            if interrupt.asked() {
                progress.end();
                return Err(Failure::Interrupted(format!("interrupted: {pushed} items are pushed, no others")));
            }
            let (items, read) = match heard {
                Heard::Interrupted => continue,
                Heard::Read(Ok((items, _))) if items.is_empty() => break,
                Heard::Read(Ok(read)) => read,
                Heard::Read(Err(unread)) => {
                    progress.end();
                    return Err(unread.of(file).with(&so_far));
                }
            };
            let count = items.len() as u64;
            interrupt.would_say(format!(
                "interrupted again: {pushed} items are pushed, and of the next {count} all or none"
            ));
            self.push(name, items).map_err(|failure| {
                progress.end();
                failure.with(&so_far)
            })?;
            pushed += count;
            interrupt.would_say(format!("interrupted again: {pushed} items are pushed, no others"));
            progress.at(pushed, read);
        }
        progress.end();
        Ok(pushed)
    }

    fn push(&self, name: &str, items: Vec<Bytes>) -> Result<(), Failure> {
        let first = self.asked.client.push_with(self.queue, items, self.options.clone());
        first.map(drop).map_err(|error| match error {
            Error::No(_) => Failure::of(name, error),
            Error::Unknown => Failure::Unknown(format!("{error}: the next ones may be in the queue, all or none")),
            Error::NotAllowed
            | Error::TooLarge { .. }
            | Error::Unreachable
            | Error::NoQuorum
            | Error::DiskFull
            | Error::Busy
            | Error::Expired
            | Error::NotAnInteger
            | Error::BeyondIntegers
            | Error::OtherVersion
            | Error::Closed => Failure::of(name, error),
        })
    }
}

/// Reads all of a source, until nobody wants more.
fn read(mut source: Source, hear: &SyncSender<Heard>) {
    loop {
        let next = source.next().map(|items| (items, source.read_bytes()));
        let is_last = next.as_ref().map_or(true, |(items, _)| items.is_empty());
        if hear.send(Heard::Read(next)).is_err() || is_last {
            return;
        }
    }
}

impl Unread {
    fn of(self, file: &Path) -> Failure {
        match self {
            Unread::System(error) => Failure::file(file.display(), &error),
            Unread::Item { number, what } => Failure::Usage(format!("{}: item {number} {what}", file.display())),
        }
    }
}
