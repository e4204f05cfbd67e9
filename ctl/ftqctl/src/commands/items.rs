//! Items one by one, or a few: for good, under a lease, or only to look at.

use super::Asked;
use crate::arguments::{Ack, Browse, Nack, Pop, Take, Top, Touch};
use crate::failure::Failure;
use crate::shown::{Kept, Row};
use crate::words::{Output, QueueName};
use ftq_client::{Delivery, QueueId, Receipt, Seen};
use serde_json::json;

pub(super) fn pop(asked: &Asked, it: &Pop) -> Result<(), Failure> {
    let queue = asked.queue(&it.queue)?;
    let items = asked.client.pop_many(queue, it.count, it.wait).map_err(|error| Failure::of(&it.queue, error))?;
    let items = items.iter().map(|(position, item)| match asked.out {
        Output::Table => (vec![], &item[..]),
        Output::Json => (vec![("position", json!(position))], &item[..]),
    });
    asked.out.items(items.collect(), Kept::Gone)
}

pub(super) fn top(asked: &Asked, it: &Top) -> Result<(), Failure> {
    let queue = asked.queue(&it.queue)?;
    let item = asked.client.top(queue).map_err(|error| Failure::of(&it.queue, error))?;
    asked.out.items(vec![(vec![], &item)], Kept::There)
}

pub(super) fn browse(asked: &Asked, it: &Browse) -> Result<(), Failure> {
    let queue = asked.queue(&it.queue)?;
    seen(asked, queue, &it.queue, it.after, it.count)
}

/// Shows what is ready in a queue, as many as asked for.
pub(super) fn seen(
    asked: &Asked,
    queue: QueueId,
    name: &QueueName,
    mut after: (u8, u64),
    count: u64,
) -> Result<(), Failure> {
    let mut all: Vec<Seen> = Vec::new();
    while (all.len() as u64) < count {
        let more = asked.client.browse(queue, after, count - all.len() as u64);
        let more = more.map_err(|error| Failure::of(name, error))?;
        let Some(last) = more.last() else { break };
        after = (last.priority, last.position);
        all.extend(more);
    }
    let items = all.iter().map(|it| (of_seen(asked.out, it), &it.item[..]));
    asked.out.items(items.collect(), Kept::There)
}

fn of_seen(out: Output, it: &Seen) -> Row {
    let place = format!("{}.{}", it.priority, it.position);
    match out {
        Output::Table => vec![("place", json!(place))],
        Output::Json => vec![
            ("place", json!(place)),
            ("priority", json!(it.priority)),
            ("position", json!(it.position)),
            ("deliveries", json!(it.deliveries)),
        ],
    }
}

/// What is taken is not lost if it can't be shown: it goes back when its lease ends.
pub(super) fn take(asked: &Asked, it: &Take) -> Result<(), Failure> {
    let queue = asked.queue(&it.queue)?;
    let taken = asked.client.take(queue, it.count, it.lease, it.wait).map_err(|error| Failure::of(&it.queue, error))?;
    let items = taken.iter().map(|it| (of_delivery(asked.out, it), &it.item[..]));
    asked.out.items(items.collect(), Kept::Leased)
}

fn of_delivery(out: Output, it: &Delivery) -> Row {
    let Receipt { position, token } = it.receipt;
    let receipt = json!(format!("{position}.{token}"));
    match out {
        Output::Table => vec![("receipt", receipt)],
        Output::Json => {
            vec![("receipt", receipt), ("position", json!(position)), ("deliveries", json!(it.deliveries))]
        }
    }
}

pub(super) fn ack(asked: &Asked, it: Ack) -> Result<(), Failure> {
    with_receipts(asked, &it.queue, it.receipts, |queue, receipts| asked.client.ack(queue, receipts))
}

pub(super) fn nack(asked: &Asked, it: Nack) -> Result<(), Failure> {
    with_receipts(asked, &it.queue, it.receipts, |queue, receipts| asked.client.nack(queue, receipts, it.delay))
}

pub(super) fn touch(asked: &Asked, it: Touch) -> Result<(), Failure> {
    with_receipts(asked, &it.queue, it.receipts, |queue, receipts| asked.client.touch(queue, receipts, it.lease))
}

fn with_receipts(
    asked: &Asked,
    name: &QueueName,
    receipts: Vec<Receipt>,
    call: impl FnOnce(QueueId, Vec<Receipt>) -> Result<(), ftq_client::Error>,
) -> Result<(), Failure> {
    if receipts.is_empty() {
        return Err(Failure::Usage("give at least one receipt, as take prints it".to_owned()));
    }
    let queue = asked.queue(name)?;
    let count = receipts.len();
    call(queue, receipts).map_err(|error| Failure::of(name, error))?;
    asked.out.done(vec![("queue", queue.0.into()), ("items", count.into())])
}
