//! New keys. They are drawn here and go nowhere but where they were asked to.

use super::Asked;
use super::cluster::{EACH, each};
use crate::arguments::{KeyCommand, KeyList, KeyNew};
use crate::failure::Failure;
use crate::shown::{self, Kept};
use crate::words::Output;
use ftq_net::keys::{self, ClientKey, Keys, Role, SECRET_BYTES, Secret};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Nobody but the owner can read or write it.
const MODE: u32 = 0o600;

/// Does what was asked for, unless that is for the servers to say.
pub(super) fn perform(command: &KeyCommand, out: Output) -> Option<Result<(), Failure>> {
    match command {
        KeyCommand::New(asked) => Some(new(asked, out)),
        KeyCommand::List(KeyList { file }) => file.as_ref().map(|file| list(file, out)),
    }
}

/// The keys that the servers hold, without their secrets.
pub(super) fn held(asked: &Asked) -> Result<(), Failure> {
    let seen = each(&asked.options, EACH, |client| {
        let mut held = client.keys_held(0)?;
        while (held.named.len() as u64) < held.clients {
            let more = client.keys_held(held.named.len() as u64)?.named;
            if more.is_empty() {
                break;
            }
            held.named.extend(more);
        }
        Ok(held)
    })?;
    let rows = seen.said.iter().flat_map(|(server, held)| {
        let row = move |kind: &str, name: Value, role: String| {
            vec![("server", json!(server.to_string())), ("kind", json!(kind)), ("name", name), ("role", json!(role))]
        };
        let cluster =
            (1..=held.cluster).map(move |number| row("cluster", Value::Null, cluster_role(number).to_owned()));
        cluster.chain(held.named.iter().map(move |(name, role)| row("client", json!(name), role.to_string())))
    });
    seen.show(asked.out, "keys", &["SERVER", "KIND", "NAME", "ROLE"], rows.collect())
}

/// The first key of a cluster seals, all of them open.
fn cluster_role(number: u64) -> &'static str {
    if number == 1 { "seals" } else { "opens" }
}

/// The keys of a file, without their secrets.
fn list(file: &Path, out: Output) -> Result<(), Failure> {
    let keys = keys::read(file).map_err(|problem| Failure::No(problem.to_string()))?;
    let cluster = (1..).zip(&keys.cluster).map(|(number, _): (u64, _)| {
        vec![("kind", json!("cluster")), ("name", Value::Null), ("role", json!(cluster_role(number)))]
    });
    let clients = keys
        .clients
        .iter()
        .map(|key| vec![("kind", json!("client")), ("name", json!(key.name)), ("role", json!(key.role.to_string()))]);
    out.rows("keys", &["KIND", "NAME", "ROLE"], cluster.chain(clients).collect())
}

fn new(asked: &KeyNew, out: Output) -> Result<(), Failure> {
    let mut drawn = [0; SECRET_BYTES];
    getrandom::fill(&mut drawn).map_err(|error| Failure::No(format!("no random bytes: {error}")))?;
    let secret = Secret::new(drawn);
    let line = match (&asked.client, asked.role) {
        (None, None) => format!("cluster {}\n", secret.digits()),
        (None, Some(_)) => return Err(Failure::Usage("--role is for a client's key: say --client too".to_owned())),
        (Some(name), _) if !ClientKey::may_be_called(name) => {
            return Err(Failure::Usage(format!("{name}: a name is 1 to 64 letters, digits, '-', '_' or '.'")));
        }
        (Some(name), role) => format!("client {name} {} {}\n", role.unwrap_or(Role::Write), secret.digits()),
    };
    let Some(path) = &asked.file else {
        return match out {
            Output::Table => shown::print(line.as_bytes(), Kept::Gone),
            Output::Json => out.value("line", line.trim_end().into()),
        };
    };
    add(path, &line)?;
    out.done(vec![("file", path.display().to_string().into())])
}

/// Adds a line to a key file, which has to be one afterwards too.
fn add(path: &Path, line: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::No(format!("{}: {error}", path.display()));
    let mut added = line.to_owned();
    if path.exists() {
        keys::read(path).map_err(|problem| Failure::No(problem.to_string()))?;
        let text = fs::read_to_string(path).map_err(failed)?;
        if !text.is_empty() && !text.ends_with('\n') {
            added.insert(0, '\n');
        }
        Keys::parse(&(text + &added)).map_err(|bad| Failure::No(format!("{}: {bad}", path.display())))?;
    }
    let mut file = File::options().create(true).append(true).mode(MODE).open(path).map_err(failed)?;
    file.write_all(added.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}
