//! Pushes: of what stands on the command line, or of a file of any length, a request at a time and in order.
//!
//! Each request is pushed whole or not at all, and the next one leaves when it is answered. So what is in the queue
//! is always a beginning of the file, and wherever it ends, it can be said how long that is.

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

impl Pushing<'_> {
    /// Pushes all of it; how many items that was.
    fn all(&self, name: &str, file: &Path, by: Framing) -> Result<u64, Failure> {
        let mut source = Source::open(file, by).map_err(|error| Failure::file(file.display(), &error))?;
        let interrupt = Interrupt::watch().map_err(|error| Failure::No(format!("no signals: {error}")))?;
        let mut progress = Progress::begin(source.bytes());
        let mut pushed = 0;
        let so_far = |pushed: u64| format!("{pushed} items were pushed before");
        loop {
            let items = match source.next() {
                Ok(items) if items.is_empty() => break,
                Ok(items) => items,
                Err(Unread::System(error)) => {
                    return Err(Failure::file(file.display(), &error).with(&so_far(pushed)));
                }
                Err(Unread::Item { number, what }) => {
                    let what = format!("{}: item {number} {what}", file.display());
                    return Err(Failure::Usage(what).with(&so_far(pushed)));
                }
            };
            if interrupt.asked() {
                progress.end();
                return Err(Failure::Interrupted(format!("interrupted: {pushed} items are pushed, no others")));
            }
            let count = items.len() as u64;
            self.push(name, items).map_err(|failure| {
                progress.end();
                failure.with(&so_far(pushed))
            })?;
            pushed += count;
            progress.at(pushed, source.read_bytes());
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
