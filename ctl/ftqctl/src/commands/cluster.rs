//! The cluster as a whole: how its replicas are, who belongs to it, and whether all have the same state.

mod doctor;
mod findings;
mod look;

use super::Asked;
use crate::arguments::MemberCommand;
use crate::failure::Failure;
use crate::shown::{self, Kept, Row};
use crate::words::Output;
pub(super) use doctor::doctor;
use findings::{Findings, Health};
use ftq_client::{ChangeOutcome, ClusterChange, Unfit};
use look::Look;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) use look::{EACH, each, pause};

const SERVERS: [&str; 8] = ["SERVER", "MEMBER", "STATE", "VIEW", "APPLIED", "BEHIND", "DISK-MS", "HEARS"];
const MEMBERS: [&str; 8] = ["MEMBER", "VOTES", "IN-VIEW", "TURNS", "HEARD", "SILENT-MS", "BEHIND", "DISK-MS"];

/// States of one slot are waited for at replicas that are at work, at most for so long.
const COMPARED_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn status(asked: &Asked) -> Result<(), Failure> {
    let look = Look::around(&asked.options);
    let quorum = asked.client.summary();
    let findings = Findings::of(&look, quorum.as_ref().err());
    let margin = findings.margin.map_or(Value::Null, |margin| json!(margin));
    let slot = quorum.as_ref().map_or(Value::Null, |(slot, _)| json!(slot));
    match asked.out {
        Output::Table => {
            asked.out.rows("servers", &SERVERS, look.rows())?;
            let mut said = match &quorum {
                Ok((slot, _)) => format!("quorum: yes, at slot {slot}"),
                Err(_) => "quorum: no".to_owned(),
            };
            if let Some(margin) = findings.margin {
                said.push_str(&format!("; members that it can lose: {margin}"));
            }
            said.push('\n');
            findings.lines().for_each(|line| said.push_str(&format!("{line}\n")));
            shown::print(said.as_bytes(), Kept::There)?;
        }
        Output::Json => {
            let more = vec![
                ("quorum", json!(quorum.is_ok())),
                ("slot", slot),
                ("can_lose", margin),
                ("findings", findings.json()),
            ];
            asked.out.rows_with("servers", look.rows(), more)?;
        }
    }
    quorum.map(drop).map_err(|error| Failure::of("status", error))
}

pub(super) fn members(asked: &Asked) -> Result<(), Failure> {
    let look = Look::around(&asked.options);
    let best = look.best().ok_or_else(|| Failure::of("members", ftq_client::Error::Unreachable))?;
    let all = best.voters.union(best.members).union(best.peers.iter().map(|peer| peer.member).collect());
    let rows = all.iter().map(|member| {
        let peer = best.peers.iter().find(|peer| peer.member == member);
        let me = member == best.me;
        let behind = peer.map(|peer| best.committed.0.saturating_sub(peer.end.0));
        vec![
            ("member", json!(member.number())),
            ("votes", json!(best.voters.contains(member))),
            ("in_view", json!(best.members.contains(member))),
            ("turns", json!(best.ring.contains(member))),
            ("heard", json!(best.heard.contains(member))),
            ("silent_ms", json!(if me { Some(0) } else { peer.and_then(|peer| peer.silent_ms) })),
            ("behind", json!(if me { Some(0) } else { behind })),
            ("disk_ms", json!(if me { Some(best.disk_ms) } else { peer.map(|peer| peer.disk_ms) })),
        ]
    });
    match asked.out {
        Output::Table => asked.out.rows("members", &MEMBERS, rows.collect()),
        Output::Json => {
            let more = vec![("seen_by", json!(best.me.number())), ("configuration", json!(best.configuration))];
            asked.out.rows_with("members", rows.collect(), more)
        }
    }
}

pub(super) fn change(asked: &Asked, command: &MemberCommand) -> Result<(), Failure> {
    let change = match command {
        MemberCommand::Add(it) => ClusterChange::Add(it.id),
        MemberCommand::Remove(it) => ClusterChange::Remove(it.id),
        MemberCommand::Replace(it) => ClusterChange::Replace { old: it.old, new: it.new },
    };
    match asked.client.change_cluster(change).map_err(|error| Failure::of("member", error))? {
        ChangeOutcome::Done { configuration } => asked.out.done(vec![("configuration", configuration.into())]),
        ChangeOutcome::Unfit(Unfit::NotServing) => Err(Failure::Unreachable(
            "the replica that answered takes part in no view that orders, and did nothing: name others with --server"
                .to_owned(),
        )),
        ChangeOutcome::Unfit(why) => Err(Failure::No(format!("nothing was changed: {}", unfit(why)))),
        ChangeOutcome::Overtaken => Err(Failure::No(
            "another change came first, and this one was not done: look at `ftqctl members`".to_owned(),
        )),
        ChangeOutcome::Unknown => Err(Failure::of("member", ftq_client::Error::Unknown)),
    }
}

fn unfit(why: Unfit) -> &'static str {
    match why {
        Unfit::AlreadyMember => "it is a member already",
        Unfit::NotAMember => "it is no member; `ftqctl members` lists them",
        Unfit::LastMember => "there would be no member left",
        Unfit::TooMany => "a cluster has at most nine members",
        Unfit::NotHeard => {
            "no replica with that id is heard here: is it running, and does its configuration have `join`, with the address of a member? \
             Its log says whom it finds"
        }
        Unfit::NotServing => "this replica takes part in no view that orders",
        Unfit::HadASeat => "its store had a seat before and was removed: give it an empty disk first",
        Unfit::Busy => "another change was ordered and is not done; `ftqctl members` shows when it is",
    }
}

/// Its exit code says how it is, and the findings why.
pub(super) fn check(asked: &Asked) -> Result<(), Failure> {
    let look = Look::around(&asked.options);
    let quorum = asked.client.summary();
    let findings = Findings::of(&look, quorum.as_ref().err());
    let health = findings.health();
    match asked.out {
        Output::Table => {
            let lines: String = findings.lines().map(|line| format!("{line}\n")).collect();
            shown::print(format!("{}\n{lines}", health.word()).as_bytes(), Kept::There)?;
        }
        Output::Json => {
            asked.out.rows_with(
                "servers",
                look.rows(),
                vec![("health", json!(health.word())), ("findings", findings.json())],
            )?;
        }
    }
    match health {
        Health::Well => Ok(()),
        Health::Degraded => Err(Failure::No("degraded: it works, and something is to be done".to_owned())),
        Health::Down => Err(Failure::Unreachable("down: nothing can be done with it now".to_owned())),
    }
}

/// Replicas that are at work pass slots at different times, so they are looked at until two have shown the same one.
pub(super) fn verify(asked: &Asked) -> Result<(), Failure> {
    let mut seen: BTreeMap<u64, BTreeMap<u8, u128>> = BTreeMap::new();
    let mut compared: BTreeMap<u8, u64> = BTreeMap::new();
    let mut waited = Duration::ZERO;
    let pause = Duration::from_millis(50);
    loop {
        let look = Look::around(&asked.options);
        let whole: Vec<_> = look.answers().filter(|it| it.state != ftq_client::State::Rebuilds).collect();
        for it in &whole {
            seen.entry(it.applied.0).or_default().insert(it.me.number(), it.digest.0);
        }
        for (slot, states) in &seen {
            let first = states.values().next();
            if states.values().any(|state| Some(state) != first) {
                let who: Vec<String> = states.iter().map(|(member, state)| format!("{member}: {state:032x}")).collect();
                let what = format!("after slot {slot} the states differ: {}", who.join(", "));
                return Err(Failure::No(format!("{what}; stop the one that differs and give it an empty disk")));
            }
            if states.len() > 1 {
                compared.extend(states.keys().map(|member| (*member, *slot)));
            }
        }
        let all = compared.len() >= whole.len() && whole.len() > 1;
        if all || waited >= COMPARED_WITHIN.min(asked.options.timeout) {
            let rows = whole.iter().map(|it| {
                let slot = compared.get(&it.me.number());
                vec![
                    ("member", json!(it.me.number())),
                    ("slot", json!(slot)),
                    ("digest", json!(format!("{:032x}", it.digest.0))),
                ]
            });
            let rows: Vec<Row> = rows.collect();
            if !all {
                let what = "not all replicas could be compared: name all of them with --server, and try when there is less to do";
                return Err(Failure::Unreachable(what.to_owned()));
            }
            return asked.out.rows("members", &["MEMBER", "SLOT", "DIGEST"], rows);
        }
        look::pause(pause);
        waited += pause;
    }
}
