//! A request of the log, or a slot without any, as a line.

use crate::failure::Failure;
use crate::shown::{self, Row, object, of_item};
use crate::words::Output;
use ftq_client::{
    Bytes, Command, Decoded, LogRequest, LogSlot, PushOptions, QueueId, Receipt, RequestKind, SessionId, Settings,
};
use serde_json::{Value, json};

/// What stands above the lines of a table.
pub(super) const HEAD: &str = "           PLACE  ORIGIN           SESSION  NUMBER  WHAT";

/// A line of the log.
pub(super) struct Entry<'a> {
    slot: &'a LogSlot,
    request: Option<(&'a LogRequest, Option<Decoded>)>,
}

impl<'a> Entry<'a> {
    /// The lines of a slot.
    pub(super) fn of_slot(slot: &'a LogSlot) -> Vec<Entry<'a>> {
        if slot.requests_total == 0 {
            return vec![Entry { slot, request: None }];
        }
        let decoded =
            |request: &'a LogRequest| (request, (request.kind == RequestKind::Command).then(|| Decoded::of(request)));
        slot.requests.iter().map(|request| Entry { slot, request: Some(decoded(request)) }).collect()
    }

    pub(super) fn is_about(&self, queue: QueueId) -> bool {
        self.command().is_some_and(|command| command.queues().contains(&queue))
    }

    pub(super) fn is_of(&self, session: SessionId) -> bool {
        self.request.as_ref().is_some_and(|(request, _)| request.session == Some(session))
    }

    pub(super) fn print(&self, out: Output) -> Result<(), Failure> {
        match out {
            Output::Table => out.line(&self.line()),
            Output::Json => out.done(self.fields()),
        }
    }

    fn command(&self) -> Option<&Decoded> {
        self.request.as_ref().and_then(|(_, decoded)| decoded.as_ref())
    }

    fn kind(&self) -> &'static str {
        match &self.request {
            None if self.slot.configuration.is_some() => "configuration",
            None => "empty",
            Some((request, _)) => match request.kind {
                RequestKind::Malformed => "malformed",
                RequestKind::Open => "open",
                RequestKind::Command => "command",
                RequestKind::Close => "close",
                RequestKind::Rules => "rules",
                RequestKind::Memory => "memory",
            },
        }
    }

    fn line(&self) -> String {
        let or_none = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
        let Some((request, _)) = &self.request else {
            let what = match self.slot.configuration {
                None => "empty: time went on".to_owned(),
                Some((number, members, is_proven)) => {
                    let how = if is_proven { "in force" } else { "ordered" };
                    format!("configuration {number} is {how}: members {}", shown::members(members))
                }
            };
            return format!("{:>16}  {:>6}  {:>16}  {:>6}  {what}", self.slot.slot.0, "-", "-", "-");
        };
        let place = format!("{}.{}", self.slot.slot.0, request.position);
        let is_command = request.kind == RequestKind::Command;
        let number = or_none(request.number.filter(|_| is_command));
        let what = match (request.kind, self.command()) {
            (_, Some(command)) => text(command, request.bytes),
            (RequestKind::Rules, None) => format!("rules {}", or_none(request.number)),
            (RequestKind::Memory, None) => format!("memory {} bytes", or_none(request.number)),
            (_, None) => self.kind().to_owned(),
        };
        let session = or_none(request.session.map(|session| session.0));
        format!("{place:>16}  {:>6}  {session:>16}  {number:>6}  {what}", request.origin.number())
    }

    fn fields(&self) -> Row {
        let LogSlot { slot, view, clock_ms, digest, configuration, .. } = self.slot;
        let request = self.request.as_ref().map(|(request, _)| request);
        let is_command = |request: &&LogRequest| request.kind == RequestKind::Command;
        let mut row = vec![
            ("slot", json!(slot.0)),
            ("position", json!(request.map(|it| it.position))),
            ("view", json!(view.0)),
            ("clock_ms", json!(clock_ms)),
            ("digest", json!(format!("{:032x}", digest.0))),
            ("kind", json!(self.kind())),
            ("origin", json!(request.map(|it| it.origin.number()))),
            ("session", json!(request.and_then(|it| it.session).map(|session| session.0))),
            ("number", json!(request.and_then(|it| it.number))),
            ("bytes", json!(request.filter(|it| is_command(it)).map(|it| it.bytes))),
        ];
        if let Some(command) = self.command() {
            row.extend(of_command(command));
        }
        if let Some((number, members, is_proven)) = configuration {
            row.push(("configuration", json!(number)));
            row.push(("members", shown::of_members(*members)));
            row.push(("in_force", json!(is_proven)));
        }
        row
    }
}

/// A command in a few words.
fn text(command: &Decoded, bytes: u64) -> String {
    match command {
        Decoded::Malformed => "makes no sense".to_owned(),
        Decoded::Cut { name, queue, count } => {
            let queue = queue.map_or(String::new(), |queue| format!(" @{queue}"));
            let count = count.map_or(String::new(), |count| format!(" of {count}"));
            format!("{name}{queue}{count}, {bytes} bytes")
        }
        Decoded::Whole(command) => words(command),
    }
}

fn words(command: &Command) -> String {
    let name = command.name();
    match command {
        Command::Create { label } => format!("{name} {}", label.as_str()),
        Command::Destroy { queue } | Command::Purge { queue } => format!("{name} @{queue}"),
        Command::Push { queue, items, options } => {
            let bytes: usize = items.iter().map(Bytes::len).sum();
            let mut text = format!("{name} @{queue} of {}, {bytes} bytes", items.len());
            let PushOptions { priority, delay_ms, ttl_ms, key } = options;
            if *priority != PushOptions::default().priority {
                text.push_str(&format!(", priority {priority}"));
            }
            if *delay_ms > 0 {
                text.push_str(&format!(", delay {delay_ms} ms"));
            }
            if let Some(ttl_ms) = ttl_ms {
                text.push_str(&format!(", ttl {ttl_ms} ms"));
            }
            if let Some(key) = key {
                text.push_str(&format!(", once {}", key.as_str()));
            }
            text
        }
        Command::Pop { queue, count, wait_ms } => format!("{name} @{queue} up to {count}, wait {wait_ms} ms"),
        Command::GetId { name: sequence, count } => format!("{name} {} of {count}", sequence.as_str()),
        Command::Take { queue, count, lease_ms, wait_ms } => {
            format!("{name} @{queue} up to {count}, lease {lease_ms} ms, wait {wait_ms} ms")
        }
        Command::Ack { queue, receipts } => format!("{name} @{queue} of {}", receipts.len()),
        Command::Nack { queue, receipts, delay_ms } => {
            format!("{name} @{queue} of {}, delay {delay_ms} ms", receipts.len())
        }
        Command::Touch { queue, receipts, lease_ms } => {
            format!("{name} @{queue} of {}, lease {lease_ms} ms", receipts.len())
        }
        Command::Configure { queue, settings: _ } => format!("{name} @{queue}"),
        Command::Pause { queue, paused } => format!("{} @{queue}", if *paused { "pause" } else { "resume" }),
        Command::SendBack { queue, count } => format!("{name} @{queue} up to {count}"),
        Command::Steps(steps) => format!("{name}: {}", steps.iter().map(words).collect::<Vec<_>>().join("; ")),
        Command::Limit(limits) => {
            format!("{name} items to {} bytes, memory to {} bytes", limits.item_bytes_max, limits.memory_bytes_max)
        }
    }
}

/// What JSON says of a command.
fn of_command(command: &Decoded) -> Row {
    let mut row = vec![("command", json!(command.name()))];
    match command {
        Decoded::Malformed => row.push(("whole", json!(true))),
        Decoded::Cut { queue, count, .. } => {
            row.push(("whole", json!(false)));
            row.push(("queue", json!(queue.map(|queue| queue.0))));
            row.push(("count", json!(count)));
        }
        Decoded::Whole(command) => {
            row.push(("whole", json!(true)));
            row.extend(details(command));
        }
    }
    row
}

fn details(command: &Command) -> Row {
    let of = |queue: &QueueId| ("queue", json!(queue.0));
    let count = |count: usize| ("count", json!(count));
    match command {
        Command::Create { label } => vec![("label", json!(label.as_str()))],
        Command::Destroy { queue } | Command::Purge { queue } => vec![of(queue)],
        Command::Push { queue, items, options } => vec![
            of(queue),
            count(items.len()),
            ("items", items.iter().map(|item| object(vec![of_item(item)])).collect()),
            ("priority", json!(options.priority)),
            ("delay_ms", json!(options.delay_ms)),
            ("ttl_ms", json!(options.ttl_ms)),
            ("once", json!(options.key.as_ref().map(|key| key.as_str()))),
        ],
        Command::Pop { queue, count, wait_ms } => {
            vec![of(queue), ("count", json!(count)), ("wait_ms", json!(wait_ms))]
        }
        Command::GetId { name, count } => vec![("name", json!(name.as_str())), ("count", json!(count))],
        Command::Take { queue, count, lease_ms, wait_ms } => {
            vec![of(queue), ("count", json!(count)), ("lease_ms", json!(lease_ms)), ("wait_ms", json!(wait_ms))]
        }
        Command::Ack { queue, receipts } => vec![of(queue), count(receipts.len()), all(receipts)],
        Command::Nack { queue, receipts, delay_ms } => {
            vec![of(queue), count(receipts.len()), all(receipts), ("delay_ms", json!(delay_ms))]
        }
        Command::Touch { queue, receipts, lease_ms } => {
            vec![of(queue), count(receipts.len()), all(receipts), ("lease_ms", json!(lease_ms))]
        }
        Command::Configure { queue, settings } => {
            let Settings { items_max, bytes_max, deliveries_max, dead_letters, key_window_ms } = settings;
            vec![
                of(queue),
                ("items_max", json!(items_max)),
                ("bytes_max", json!(bytes_max)),
                ("deliveries_max", json!(deliveries_max)),
                ("dead_letters", json!(dead_letters.map(|queue| queue.0))),
                ("window_ms", json!(key_window_ms)),
            ]
        }
        Command::Pause { queue, paused } => vec![of(queue), ("paused", json!(paused))],
        Command::SendBack { queue, count } => vec![of(queue), ("count", json!(count))],
        Command::Steps(steps) => {
            let step =
                |step: &Command| object([("command", json!(step.name()))].into_iter().chain(details(step)).collect());
            vec![count(steps.len()), ("steps", steps.iter().map(step).collect())]
        }
        Command::Limit(limits) => {
            vec![("item_bytes", json!(limits.item_bytes_max)), ("memory_bytes", json!(limits.memory_bytes_max))]
        }
    }
}

fn all(receipts: &[Receipt]) -> (&'static str, Value) {
    ("receipts", receipts.iter().map(|it| json!(format!("{}.{}", it.position, it.token))).collect())
}
