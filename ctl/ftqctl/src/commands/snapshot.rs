//! The newest snapshot of each server, and one that is taken now.

use super::Asked;
use super::cluster::{EACH, each};
use crate::arguments::{Snapshot, SnapshotCommand};
use crate::failure::Failure;
use ftq_client::SnapshotTaken;
use serde_json::json;

const SNAPSHOTS: [&str; 9] = ["SERVER", "MEMBER", "SLOT", "ON-DISK", "STATE", "BYTES", "PIECES", "AGE-S", "APPLIED"];

pub(super) fn perform(asked: &Asked, it: &Snapshot) -> Result<(), Failure> {
    match it.command {
        None => show(asked),
        Some(SnapshotCommand::Take(_)) => take(asked),
    }
}

fn show(asked: &Asked) -> Result<(), Failure> {
    let seen = each(&asked.options, EACH, |client| client.snapshot())?;
    let rows = seen.said.iter().map(|(server, it)| {
        // Before the first one there is nothing to say of it.
        let known = it.slot.0 > 0;
        vec![
            ("server", json!(server.to_string())),
            ("member", json!(it.me.number())),
            ("slot", json!(known.then_some(it.slot.0))),
            ("on_disk", json!(known.then_some(it.durable == it.slot))),
            ("state", json!(known.then(|| format!("{:032x}", it.state.0)))),
            ("bytes", json!(known.then_some(it.bytes))),
            ("pieces", json!(known.then_some(it.pieces))),
            ("age_s", json!(known.then_some(it.age_ms / 1_000))),
            ("applied", json!(it.applied.0)),
        ]
    });
    seen.show(asked.out, "snapshots", &SNAPSHOTS, rows.collect())
}

fn take(asked: &Asked) -> Result<(), Failure> {
    let taken = each(&asked.options, asked.options.timeout, |client| client.take_snapshot())?;
    let rows = taken.said.iter().map(|(server, it)| {
        let (slot, is_new) = match it {
            SnapshotTaken::Taken(slot) => (slot, true),
            SnapshotTaken::AlreadyThere(slot) => (slot, false),
        };
        vec![("server", json!(server.to_string())), ("slot", json!(slot.0)), ("new", json!(is_new))]
    });
    taken.show(asked.out, "snapshots", &["SERVER", "SLOT", "NEW"], rows.collect())
}
