//! A look around: each server is asked for itself, at the same time as the others.

use crate::failure::Failure;
use crate::shown::{self, Kept, Row};
use crate::words::Output;
use ftq_client::{Blocking, Error, Options, Peer, State, Status};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

/// A server is asked for no longer than this: it answers at once, or it is not there.
pub(in crate::commands) const EACH: Duration = Duration::from_secs(1);

/// What the servers have said of themselves.
pub(super) struct Look {
    pub(super) servers: Vec<Seen>,
}

/// A server, and what it has said.
pub(super) struct Seen {
    pub(super) server: SocketAddr,
    pub(super) status: Result<Status, Error>,
}

/// What each of the servers said to the same question.
pub(in crate::commands) struct Each<T> {
    /// Those who answered, at least one.
    pub(in crate::commands) said: Vec<(SocketAddr, T)>,
    /// Those who did not, and why.
    failed: Vec<(SocketAddr, Error)>,
}

/// Asks each server for itself, all at the same time, for so long at most.
pub(in crate::commands) fn each<T: Send>(
    options: &Options,
    timeout: Duration,
    ask: impl Fn(&Blocking) -> Result<T, Error> + Sync,
) -> Result<Each<T>, Failure> {
    let mut each = Each { said: Vec::new(), failed: Vec::new() };
    for (server, said) in answers(options, timeout, ask) {
        match said {
            Ok(said) => each.said.push((server, said)),
            Err(error) => each.failed.push((server, error)),
        }
    }
    match each.failed.first() {
        Some((server, error)) if each.said.is_empty() => Err(Failure::of(server, *error)),
        Some(_) | None => Ok(each),
    }
}

fn answers<T: Send>(
    options: &Options,
    timeout: Duration,
    ask: impl Fn(&Blocking) -> Result<T, Error> + Sync,
) -> Vec<(SocketAddr, Result<T, Error>)> {
    let one = |server: SocketAddr| {
        let alone = Options { servers: vec![server], timeout: options.timeout.min(timeout), ..options.clone() };
        Blocking::open(alone).map_err(|_| Error::Unreachable).and_then(|client| ask(&client))
    };
    thread::scope(|scope| {
        let asked: Vec<_> = options.servers.iter().map(|server| (*server, scope.spawn(|| one(*server)))).collect();
        asked.into_iter().map(|(server, asked)| (server, asked.join().unwrap_or(Err(Error::Unreachable)))).collect()
    })
}

impl<T> Each<T> {
    /// Shows what they have said, and who has not said anything.
    pub(in crate::commands) fn show(
        &self,
        out: Output,
        name: &'static str,
        columns: &[&'static str],
        rows: Vec<Row>,
    ) -> Result<(), Failure> {
        let silent = self.failed.iter().map(|(server, error)| (server.to_string(), error));
        match out {
            Output::Table => {
                out.rows(name, columns, rows)?;
                let lines: String = silent.map(|(server, error)| format!("{server}: {error}\n")).collect();
                shown::print(lines.as_bytes(), Kept::There)
            }
            Output::Json => {
                let silent: Vec<String> = silent.map(|(server, _)| server).collect();
                out.rows_with(name, rows, vec![("silent", json!(silent))])
            }
        }
    }
}

impl Look {
    /// Asks all of them.
    pub(super) fn around(options: &Options) -> Look {
        let seen = |(server, status)| Seen { server, status };
        Look { servers: answers(options, EACH, Blocking::status).into_iter().map(seen).collect() }
    }

    /// What those have said who have said anything.
    pub(super) fn answers(&self) -> impl Iterator<Item = &Status> {
        self.servers.iter().filter_map(|seen| seen.status.as_ref().ok())
    }

    /// Who knows most of the cluster.
    pub(super) fn best(&self) -> Option<&Status> {
        self.answers().max_by_key(|it| (it.state == State::Serves, it.view.0, it.heard.len(), it.committed))
    }

    /// A row for each server.
    pub(super) fn rows(&self) -> Vec<Row> {
        let committed = self.best().map(|best| best.committed.0);
        self.servers.iter().map(|seen| seen.row(committed)).collect()
    }
}

impl Seen {
    fn row(&self, committed: Option<u64>) -> Row {
        let it = self.status.as_ref().ok();
        let state = match &self.status {
            Ok(it) => word(it.state),
            Err(Error::NotAllowed) => "not allowed",
            Err(_) => "silent",
        };
        vec![
            ("server", json!(self.server.to_string())),
            ("member", json!(it.map(|it| it.me.number()))),
            ("state", json!(state)),
            ("view", json!(it.map(|it| it.view.0))),
            ("applied", json!(it.map(|it| it.applied.0))),
            ("behind", json!(it.zip(committed).map(|(it, committed)| committed.saturating_sub(it.applied.0)))),
            ("disk_ms", json!(it.map(|it| it.disk_ms))),
            ("hears", json!(it.map(|it| shown::members(it.heard)))),
        ]
    }

    /// All that it has said.
    pub(super) fn json(&self) -> Value {
        let Ok(it) = &self.status else { return json!({ "server": self.server.to_string(), "state": "silent" }) };
        let peer = |peer: &Peer| {
            json!({ "member": peer.member.number(), "silent_ms": peer.silent_ms, "view": peer.view, "end": peer.end.0,
                "committed": peer.committed.0, "whole": peer.whole, "disk_ms": peer.disk_ms })
        };
        json!({
            "server": self.server.to_string(), "member": it.me.number(), "state": word(it.state), "view": it.view.0,
            "proposer": it.view.1.map(|member| member.number()), "members": shown::members(it.members), "ring": shown::members(it.ring),
            "configuration": it.configuration, "voters": shown::members(it.voters), "heard": shown::members(it.heard), "end": it.end.0,
            "committed": it.committed.0, "applied": it.applied.0, "disk_ms": it.disk_ms,
            "digest": format!("{:032x}", it.digest.0), "nearly_full": shown::members(it.nearly_full),
            "peers": it.peers.iter().map(peer).collect::<Vec<_>>(),
        })
    }
}

/// A state as a person reads it.
pub(super) fn word(state: State) -> &'static str {
    match state {
        State::Serves => "serves",
        State::Waits => "waits",
        State::Learns => "learner",
        State::Rebuilds => "rebuilding",
    }
}

#[expect(clippy::disallowed_methods, reason = "between two looks somebody has to wait")]
pub(in crate::commands) fn pause(length: Duration) {
    thread::sleep(length);
}
