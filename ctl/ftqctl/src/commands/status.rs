//! How the servers are: each one's own view of things, and whether a quorum agrees.

use super::Asked;
use crate::failure::Failure;
use crate::shown::{self, Kept, Row};
use crate::words::Output;
use ftq_client::{Blocking, Error, Options};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// One server is asked for no longer than this, so that a silent one does not hold up the rest.
const EACH: Duration = Duration::from_secs(1);

const COLUMNS: [&str; 7] = ["SERVER", "STATE", "SLOT", "QUEUES", "ITEMS", "MEMORY", "DIGEST"];

/// Shows a line for each server, and one for the quorum.
pub(super) fn show(asked: &Asked) -> Result<(), Failure> {
    let servers = asked.options.servers.iter().map(|server| row(&asked.options, *server)).collect();
    let quorum = asked.client.summary();
    let slot = quorum.as_ref().map_or(Value::Null, |(slot, _)| json!(slot));
    match asked.out {
        Output::Table => {
            asked.out.rows("servers", &COLUMNS, servers)?;
            let said = match &quorum {
                Ok((slot, _)) => format!("quorum: yes, at slot {slot}\n"),
                Err(_) => "quorum: no\n".to_owned(),
            };
            shown::print(said.as_bytes(), Kept::There)?;
        }
        Output::Json => {
            asked.out.rows_with("servers", servers, vec![("quorum", json!(quorum.is_ok())), ("slot", slot)])?
        }
    }
    quorum.map(drop).map_err(|error| Failure::of("status", error))
}

fn row(options: &Options, server: SocketAddr) -> Row {
    let timeout = options.timeout.min(EACH);
    let summary = Blocking::open(Options { servers: vec![server], timeout, ..options.clone() })
        .map_err(|_| Error::Unreachable)
        .and_then(|client| client.local_summary());
    let (state, slot, it) = match summary {
        Ok((slot, it)) => ("answers", Some(slot), Some(it)),
        Err(_) => ("silent", None, None),
    };
    vec![
        ("server", json!(server.to_string())),
        ("state", json!(state)),
        ("slot", json!(slot)),
        ("queues", json!(it.as_ref().map(|it| it.queues))),
        ("items", json!(it.as_ref().map(|it| it.items))),
        ("memory_bytes", json!(it.as_ref().map(|it| it.memory_bytes))),
        ("digest", json!(it.as_ref().map(|it| format!("{:?}", it.digest)))),
    ]
}
