//! A look around: each server is asked for itself, at the same time as the others.

use crate::shown::Row;
use ftq_client::{Blocking, Error, MemberSet, Options, Peer, State, Status};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

/// A server is asked for no longer than this: it answers at once, or it is not there.
const EACH: Duration = Duration::from_secs(1);

/// What the servers have said of themselves.
pub(super) struct Look {
    pub(super) servers: Vec<Seen>,
}

/// A server, and what it has said.
pub(super) struct Seen {
    pub(super) server: SocketAddr,
    pub(super) status: Result<Status, Error>,
}

impl Look {
    /// Asks all of them.
    pub(super) fn around(options: &Options) -> Look {
        let ask = |server: SocketAddr| {
            let timeout = options.timeout.min(EACH);
            let alone = Options { servers: vec![server], timeout, ..options.clone() };
            let status = Blocking::open(alone).map_err(|_| Error::Unreachable).and_then(|client| client.status());
            Seen { server, status }
        };
        let servers = thread::scope(|scope| {
            let asked: Vec<_> = options.servers.iter().map(|server| scope.spawn(|| ask(*server))).collect();
            let answers = asked.into_iter().zip(&options.servers);
            answers
                .map(|(asked, server)| {
                    asked.join().unwrap_or(Seen { server: *server, status: Err(Error::Unreachable) })
                })
                .collect()
        });
        Look { servers }
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
            ("hears", json!(it.map(|it| list(it.heard)))),
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
            "proposer": it.view.1.map(|member| member.number()), "members": list(it.members), "ring": list(it.ring),
            "configuration": it.configuration, "voters": list(it.voters), "heard": list(it.heard), "end": it.end.0,
            "committed": it.committed.0, "applied": it.applied.0, "disk_ms": it.disk_ms,
            "digest": format!("{:032x}", it.digest.0), "peers": it.peers.iter().map(peer).collect::<Vec<_>>(),
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

/// Members, by rising id.
pub(super) fn list(set: MemberSet) -> String {
    let members: Vec<String> = set.iter().map(|member| member.number().to_string()).collect();
    members.join(",")
}

#[expect(clippy::disallowed_methods, reason = "between two looks somebody has to wait")]
pub(super) fn pause(length: Duration) {
    thread::sleep(length);
}
