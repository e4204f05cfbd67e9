//! The views that there were, as those who took part in them remember.
//!
//! Each server is asked for its own run. Of what several say of one view that counts which says most: of who has
//! formed it, else of who saw a reason.

use super::Asked;
use super::cluster::{EACH, each};
use crate::arguments::Views;
use crate::date;
use crate::failure::Failure;
use crate::shown::{self, Row};
use crate::words::Output;
use ftq_client::{Cause, MemberId, MemberSet, ViewSeen};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const VIEWS: [&str; 9] = ["VIEW", "BY", "MEMBERS", "TURNS", "FROM-SLOT", "INSTALLED", "TOOK-MS", "LASTED-S", "WHY"];

/// A view, and who has said something of it.
struct Known<'a> {
    said_by: MemberId,
    view: &'a ViewSeen,
    seen_by: MemberSet,
}

pub(super) fn print(asked: &Asked, it: &Views) -> Result<(), Failure> {
    let seen = each(&asked.options, EACH, |client| client.views())?;
    let now = date::now_ms();
    let mut known: BTreeMap<(u64, Option<MemberId>), Known<'_>> = BTreeMap::new();
    for (_, views) in &seen.said {
        for view in &views.views {
            let said_by = views.me;
            let one =
                known.entry((view.number, view.proposer)).or_insert(Known { said_by, view, seen_by: MemberSet::EMPTY });
            one.seen_by.insert(said_by);
            if worth(said_by, view) > worth(one.said_by, one.view) {
                (one.said_by, one.view) = (said_by, view);
            }
        }
    }
    let skipped = known.len().saturating_sub(it.count);
    let rows = known.values().skip(skipped).map(|known| row(asked.out, now, known));
    seen.show(asked.out, "views", &VIEWS, rows.collect())
}

/// Who formed a view knows most of it.
fn worth(said_by: MemberId, view: &ViewSeen) -> (bool, bool, bool) {
    (view.proposer == Some(said_by) && view.took_ms.is_some(), view.cause != Cause::Unknown, view.took_ms.is_some())
}

fn row(out: Output, now: u64, known: &Known<'_>) -> Row {
    let it = known.view;
    let installed = now.saturating_sub(it.ago_ms);
    let (why, whom) = cause(it.cause);
    match out {
        Output::Table => vec![
            ("view", json!(it.number)),
            ("proposer", json!(it.proposer.map(MemberId::number))),
            ("members", json!(shown::members(it.members))),
            ("ring", json!(shown::members(it.ring))),
            ("from", json!(it.from.0)),
            ("installed", json!(date::utc(installed))),
            ("took_ms", json!(it.took_ms)),
            ("lasted_s", json!(it.lasted_ms.map(|ms| ms / 1_000))),
            ("why", why.map_or(Value::Null, |why| json!(sentence(why, whom)))),
        ],
        Output::Json => vec![
            ("view", json!(it.number)),
            ("proposer", json!(it.proposer.map(MemberId::number))),
            ("members", shown::of_members(it.members)),
            ("ring", shown::of_members(it.ring)),
            ("from", json!(it.from.0)),
            ("installed_unix_ms", json!(installed)),
            ("took_ms", json!(it.took_ms)),
            ("lasted_ms", json!(it.lasted_ms)),
            ("why", json!(why)),
            ("whom", shown::of_members(whom)),
            ("seen_by", shown::of_members(known.seen_by)),
        ],
    }
}

/// The word for a cause, if one was seen, and whom it is about.
fn cause(cause: Cause) -> (Option<&'static str>, MemberSet) {
    match cause {
        Cause::Unknown => (None, MemberSet::EMPTY),
        Cause::First => (Some("first"), MemberSet::EMPTY),
        Cause::Missing(whom) => (Some("missing"), whom),
        Cause::Retired(whom) => (Some("stopped"), whom),
        Cause::Joined(whom) => (Some("joined"), whom),
        Cause::Slow(whom) => (Some("turns"), whom),
        Cause::Changed => (Some("changed"), MemberSet::EMPTY),
        Cause::Outside => (Some("outside"), MemberSet::EMPTY),
    }
}

fn sentence(why: &str, whom: MemberSet) -> String {
    let whom = shown::members(whom);
    match why {
        "first" => "the first one".to_owned(),
        "missing" => format!("{whom} was missing"),
        "stopped" => format!("{whom} stopped"),
        "joined" => format!("{whom} could come in"),
        "turns" if whom.is_empty() => "all can take turns again".to_owned(),
        "turns" => format!("{whom} was too slow for turns"),
        "changed" => "the cluster was changed".to_owned(),
        _ => "its member had been in no view".to_owned(),
    }
}
