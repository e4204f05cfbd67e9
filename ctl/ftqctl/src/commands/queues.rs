//! Queues as a whole, and sequences.

use super::Asked;
use crate::arguments::{Create, Destroy, GetId, Id, Purge, Set, Show, Size};
use crate::failure::Failure;
use crate::shown::Row;
use crate::words::{Output, QueueName};
use ftq_client::{QueueId, Settings, Statistics};
use serde_json::json;

/// Queues that one question is answered with.
const PAGE: u64 = 1_000;

pub(super) fn create(asked: &Asked, it: &Create) -> Result<(), Failure> {
    let queue = asked.client.create(&it.label).map_err(|error| Failure::of(&it.label, error))?;
    asked.out.value("queue", queue.0.into())
}

pub(super) fn destroy(asked: &Asked, it: &Destroy) -> Result<(), Failure> {
    let queue = asked.queue(&it.queue)?;
    let items = asked.client.destroy(queue).map_err(|error| Failure::of(&it.queue, error))?;
    asked.out.done(vec![("queue", queue.0.into()), ("items", items.into())])
}

pub(super) fn id(asked: &Asked, it: &Id) -> Result<(), Failure> {
    let queue = asked.client.id(&it.label).map_err(|error| Failure::of(&it.label, error))?;
    asked.out.value("queue", queue.0.into())
}

pub(super) fn size(asked: &Asked, it: &Size) -> Result<(), Failure> {
    let queue = asked.queue(&it.queue)?;
    let size = asked.client.sizes(queue).map_err(|error| Failure::of(&it.queue, error))?;
    match asked.out {
        Output::Table => asked.out.value("ready", size.ready.into()),
        Output::Json => asked.out.done(vec![
            ("ready", size.ready.into()),
            ("leased", size.leased.into()),
            ("delayed", size.delayed.into()),
        ]),
    }
}

/// A queue that ends while they are listed is left out.
pub(super) fn list(asked: &Asked) -> Result<(), Failure> {
    let (mut rows, mut after) = (Vec::new(), QueueId(0));
    loop {
        let queues = asked.client.list(after, PAGE).map_err(|error| Failure::of("list", error))?;
        let Some((last, _)) = queues.last() else { break };
        after = *last;
        for (queue, label) in queues {
            let Ok(it) = asked.client.statistics(queue) else { continue };
            rows.push(vec![
                ("queue", json!(queue.0)),
                ("label", json!(label)),
                ("ready", json!(it.size.ready)),
                ("leased", json!(it.size.leased)),
                ("delayed", json!(it.size.delayed)),
                ("paused", json!(it.paused)),
                ("oldest_ms", json!(it.oldest_ms)),
            ]);
        }
    }
    asked.out.rows("queues", &["QUEUE", "LABEL", "READY", "LEASED", "DELAYED", "PAUSED", "OLDEST-MS"], rows)
}

pub(super) fn show(asked: &Asked, it: &Show) -> Result<(), Failure> {
    let queue = asked.queue(&it.queue)?;
    let statistics = asked.client.statistics(queue).map_err(|error| Failure::of(&it.queue, error))?;
    asked.out.fields(fields(queue, &statistics))
}

fn fields(queue: QueueId, it: &Statistics) -> Row {
    let Statistics { label, size, waiting, bytes, oldest_ms, paused, totals, settings } = it;
    vec![
        ("queue", json!(queue.0)),
        ("label", json!(label.as_str())),
        ("ready", json!(size.ready)),
        ("leased", json!(size.leased)),
        ("delayed", json!(size.delayed)),
        ("waiting", json!(waiting)),
        ("bytes", json!(bytes)),
        ("oldest_ms", json!(oldest_ms)),
        ("paused", json!(paused)),
        ("pushed", json!(totals.pushed)),
        ("popped", json!(totals.popped)),
        ("acked", json!(totals.acked)),
        ("returned", json!(totals.returned)),
        ("expired", json!(totals.expired)),
        ("moved", json!(totals.moved)),
        ("purged", json!(totals.purged)),
        ("items_max", json!(settings.items_max)),
        ("bytes_max", json!(settings.bytes_max)),
        ("deliveries_max", json!(settings.deliveries_max)),
        ("dead_letters", json!(settings.dead_letters.map(|queue| queue.0))),
        ("window_ms", json!(settings.key_window_ms)),
    ]
}

pub(super) fn set(asked: &Asked, it: &Set) -> Result<(), Failure> {
    let Set { queue: name, items, bytes, deliveries, dead, window } = it;
    if items.is_none() && bytes.is_none() && deliveries.is_none() && dead.is_none() && window.is_none() {
        return Err(Failure::Usage("set: say what to set; `ftqctl set --help` lists it".to_owned()));
    }
    let queue = asked.queue(name)?;
    let now = asked.client.statistics(queue).map_err(|error| Failure::of(name, error))?.settings;
    let dead = dead.as_ref().map(|dead| dead.as_ref().map(|dead| asked.queue(dead)).transpose()).transpose()?;
    let settings = Settings {
        items_max: items.unwrap_or(now.items_max),
        bytes_max: bytes.unwrap_or(now.bytes_max),
        deliveries_max: deliveries.unwrap_or(now.deliveries_max),
        dead_letters: dead.unwrap_or(now.dead_letters),
        key_window_ms: match window {
            Some(window) => u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
            None => now.key_window_ms,
        },
    };
    asked.client.configure(queue, settings).map_err(|error| Failure::of(name, error))?;
    asked.out.done(vec![("queue", queue.0.into())])
}

pub(super) fn purge(asked: &Asked, it: &Purge) -> Result<(), Failure> {
    let queue = asked.queue(&it.queue)?;
    let items = asked.client.purge(queue).map_err(|error| Failure::of(&it.queue, error))?;
    asked.out.value("items", items.into())
}

pub(super) fn pause(asked: &Asked, name: &QueueName, paused: bool) -> Result<(), Failure> {
    let queue = asked.queue(name)?;
    let done = if paused { asked.client.pause(queue) } else { asked.client.resume(queue) };
    done.map_err(|error| Failure::of(name, error))?;
    asked.out.done(vec![("queue", queue.0.into()), ("paused", paused.into())])
}

pub(super) fn get_id(asked: &Asked, it: &GetId) -> Result<(), Failure> {
    let ids = asked.client.get_ids(&it.name, it.count).map_err(|error| Failure::of(&it.name, error))?;
    asked.out.drawn(ids)
}
