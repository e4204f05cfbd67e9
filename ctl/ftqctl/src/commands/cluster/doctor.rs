//! All that a report of a bug needs, as one document: what the servers say of themselves, how they are configured, what
//! the cluster went through, and the log of the daemon on this machine. No secret and no item is in it.

use super::findings::Findings;
use super::look::{Look, Seen};
use crate::commands::Asked;
use crate::commands::cluster::{EACH, each};
use crate::failure::Failure;
use crate::shown;
use crate::words::Output;
use ftq_client::{MemberId, ViewSeen};
use serde_json::{Value, json};
use std::io;
use std::process::{Command, Stdio};

/// How much of the daemon's log: what led to what there is to report.
const LINES: &str = "1000";

/// The name of the service.
const UNIT: &str = "ftqd";

pub(in crate::commands) fn doctor(asked: &Asked) -> Result<(), Failure> {
    let look = Look::around(&asked.options);
    let quorum = asked.client.summary();
    let findings = Findings::of(&look, quorum.as_ref().err());
    let summary = quorum.ok().map(|(slot, it)| {
        json!({ "slot": slot, "queues": it.queues, "sequences": it.sequences, "items": it.items, "rules": it.rules,
            "memory_bytes": it.memory_bytes, "memory_bytes_max": it.memory_bytes_max })
    });
    let key = asked.options.key.as_ref().map(|key| json!({ "name": key.name, "role": key.role.to_string() }));
    let servers: Vec<Value> = look.servers.iter().map(Seen::json).collect();
    Output::Json.done(vec![
        ("ftqctl", json!(env!("CARGO_PKG_VERSION"))),
        ("system", json!(std::env::consts::OS)),
        ("key", json!(key)),
        ("timeout_ms", json!(u64::try_from(asked.options.timeout.as_millis()).unwrap_or(u64::MAX))),
        ("summary", json!(summary)),
        ("findings", findings.json()),
        ("servers", json!(servers)),
        ("settings", settings(asked)),
        ("views", views(asked)),
        ("snapshots", snapshots(asked)),
        ("journal", journal()),
    ])
}

/// What runs at each server, and with which configuration, where this key may know.
fn settings(asked: &Asked) -> Value {
    let said = each(&asked.options, EACH, |client| client.settings());
    said.map_or_else(missing, |each| {
        let of = |(server, it): &(_, ftq_client::HostSettings)| {
            let server = std::net::SocketAddr::to_string(server);
            json!({ "server": server, "version": it.version, "configuration": it.text })
        };
        each.said.iter().map(of).collect()
    })
}

fn views(asked: &Asked) -> Value {
    let view = |it: &ViewSeen| {
        json!({ "view": it.number, "proposer": it.proposer.map(MemberId::number), "members": shown::members(it.members),
            "ring": shown::members(it.ring), "from": it.from.0, "cause": format!("{:?}", it.cause), "ago_ms": it.ago_ms,
            "took_ms": it.took_ms, "lasted_ms": it.lasted_ms })
    };
    each(&asked.options, EACH, |client| client.views()).map_or_else(missing, |each| {
        let of = |views: &ftq_client::Views| {
            json!({ "member": views.me.number(), "runs_ms": views.runs_ms,
                "views": views.views.iter().map(view).collect::<Vec<_>>() })
        };
        each.said.iter().map(|(_, views)| of(views)).collect()
    })
}

fn snapshots(asked: &Asked) -> Value {
    each(&asked.options, EACH, |client| client.snapshot()).map_or_else(missing, |each| {
        let of = |it: &ftq_client::SnapshotSeen| {
            json!({ "member": it.me.number(), "slot": it.slot.0, "durable": it.durable.0,
                "state": format!("{:032x}", it.state.0), "bytes": it.bytes, "pieces": it.pieces, "age_ms": it.age_ms })
        };
        each.said.iter().map(|(_, it)| of(it)).collect()
    })
}

/// The last lines that the daemon on this machine has written to the journal.
fn journal() -> Value {
    let arguments = ["--no-pager", "--quiet", "--output=short-iso", "--lines", LINES, "--unit", UNIT];
    let output = Command::new("journalctl").args(arguments).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            if lines.is_empty() {
                return lacking(format!(
                    "the journal here has nothing of the unit {UNIT}, or does not show it to this user"
                ));
            }
            json!({ "unit": UNIT, "lines": lines })
        }
        Ok(output) => lacking(format!("journalctl: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            lacking("there is no journalctl here: add what ftqd has written to standard error".to_owned())
        }
        Err(error) => lacking(format!("journalctl: {error}")),
    }
}

/// What can't be had is said.
fn missing(why: Failure) -> Value {
    lacking(why.to_string())
}

fn lacking(why: String) -> Value {
    json!({ "missing": why })
}
