//! What a cluster remembers, as `ftqctl` shows it: its views, its log, its snapshots, its keys.

use super::program;
use super::told::{Told, check_failure, until};
use ftq_tests::process::Cluster;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

#[test]
fn views_say_who_took_part_since_when_and_why() {
    let mut told = Told::new();
    let views = told.json("views");
    let first = views["views"][0].clone();
    assert_eq!((&first["why"], &first["from"], &views["silent"]), (&json!("first"), &json!(1), &json!([])), "{views}");
    assert!(first["installed_unix_ms"].as_u64() > Some(1_700_000_000_000), "{views}");
    told.cluster.kill(3);
    let last = |views: &Value| views["views"].as_array().and_then(|views| views.last().cloned()).unwrap_or_default();
    let without =
        until(|| told.json("views"), |it| last(it)["members"] == json!([1, 2]) && last(it)["took_ms"] != Value::Null);
    let view = last(&without);
    assert_eq!(
        (&view["why"], &view["whom"], &view["lasted_ms"]),
        (&json!("missing"), &json!([3]), &Value::Null),
        "{view}"
    );
    assert_eq!(without["silent"], json!([told.cluster.servers()[2].to_string()]));
    let table = String::from_utf8(told.ctl("views").stdout).expect("text");
    assert!(table.starts_with("VIEW  BY  MEMBERS  TURNS  FROM-SLOT  INSTALLED "), "{table}");
    assert!(
        table.contains("  1,2,3  ") && table.contains("3 was missing\n") && table.contains("no server answers"),
        "{table}"
    );
    told.cluster.start(3);
    let back = until(|| told.json("views"), |it| last(it)["members"] == json!([1, 2, 3]) && it["silent"] == json!([]));
    // The one that comes back may be the one that forms the view, and was in none before.
    let (why, whom) =
        if last(&back)["proposer"] == 3 { (json!("outside"), json!([])) } else { (json!("joined"), json!([3])) };
    assert_eq!((&last(&back)["why"], &last(&back)["whom"]), (&why, &whom), "{back}");
    assert_eq!(told.json("views --count 1")["views"].as_array().map(Vec::len), Some(1));
}

/// The documents of a log, one a line. What was slow to be answered and was sent again to another replica stands there
/// twice, and was done once: here it stands once.
fn documents(told: &Told, line: &str) -> Vec<Value> {
    let output = told.ctl(&format!("-o json {line}"));
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""), "{line}");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut seen = BTreeSet::new();
    let documents = text.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    documents
        .filter(|it| it["kind"] != "command" || seen.insert((it["session"].to_string(), it["number"].to_string())))
        .collect()
}

#[test]
fn the_log_shows_what_was_done_in_its_order() {
    let told = Told::new();
    told.says("create letters", "1\n");
    told.says("create parcels", "2\n");
    told.says("push letters a --priority 0", "");
    assert_eq!(told.fed("push parcels", "a longer item\n".repeat(1_000).as_bytes()).status.code(), Some(0));
    told.says("pop letters", "a\n");
    told.level();

    let all = documents(&told, "log --from 1");
    let of = |command: &str| -> Vec<&Value> { all.iter().filter(|it| it["command"] == command).collect() };
    assert_eq!(
        (&all[0]["kind"], &all[0]["slot"], &all[0]["members"]),
        (&json!("configuration"), &json!(1), &json!([1, 2, 3]))
    );
    assert_eq!(of("create").iter().map(|it| &it["label"]).collect::<Vec<_>>(), ["letters", "parcels"]);
    let pushes = of("push");
    assert_eq!(pushes[0]["items"], json!([{ "item": "a" }]));
    let named = ["queue", "count", "priority", "whole", "number"].map(|name| pushes[0][name].clone());
    assert_eq!(named, [json!(1), json!(1), json!(0), json!(true), json!(1)]);
    let cut = ["queue", "count", "whole"].map(|name| pushes[1][name].clone());
    assert_eq!(cut, [json!(2), json!(1_000), json!(false)], "its beginning says so");
    assert_eq!(of("pop")[0]["queue"], 1);

    let commands = |line: &str| -> Vec<String> {
        documents(&told, line).iter().map(|it| it["command"].as_str().unwrap_or("-").to_owned()).collect()
    };
    assert_eq!(commands("log --queue letters"), ["push", "pop"]);
    assert_eq!(commands("log --queue @2 --from 1"), ["push"]);
    assert_eq!(commands("log --count 1 --queue letters"), ["pop"], "the newest");
    assert_eq!(commands("log --count 1 --queue letters --from 1"), ["push"], "the first");
    let session = pushes[0]["session"].as_u64().expect("a session");
    let of_session: Vec<Value> = documents(&told, &format!("log --session {session}"));
    let kinds: Vec<&Value> = of_session.iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["open", "command"], "{of_session:?}");

    let table = String::from_utf8(told.ctl("log --queue letters").stdout).expect("text");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["PLACE", "ORIGIN", "SESSION", "NUMBER", "WHAT"]);
    let kinds = lines[1..].chunk_by(|a, b| a.rsplit_once("  ").map(|it| it.1) == b.rsplit_once("  ").map(|it| it.1));
    let kinds: Vec<&str> = kinds.map(|alike| alike[0]).collect();
    assert!(kinds[0].ends_with("  push @1 of 1, 1 bytes, priority 0"), "{table}");
    assert!(kinds[1].ends_with("  pop @1 up to 1, wait 0 ms") && kinds.len() == 2, "{table}");
    told.fails("log --queue nothing", 1, "nothing: no such label");
    told.fails("log --from x", 64, "x");

    let mut child = told.start("log --follow --queue parcels --count 0 -o json", Stdio::null(), Stdio::piped());
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    told.says("push parcels followed", "");
    let mut line = String::new();
    lines.read_line(&mut line).expect("a line");
    let followed: Value = serde_json::from_str(&line).expect("a document");
    assert_eq!(followed["items"], json!([{ "item": "followed" }]));
    drop(lines);
    told.says("push parcels unread", "");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "nobody reads it any more");
}

/// What is not in memory any more is read by the thread of the store, however large it is, and in each its part.
#[test]
fn an_old_log_is_read_from_the_disk() {
    let told = Told::new();
    let client = told.cluster.blocking();
    let queue = client.create("letters").expect("create");
    let large = vec![b'x'; 1 << 20];
    for n in 0..24u32 {
        client.push(queue, [large.clone(), n.to_be_bytes().to_vec()]).expect("push");
        client.pop_many(queue, 9, std::time::Duration::ZERO).expect("pop");
    }
    told.level();
    let pushes = |all: Vec<Value>| all.iter().filter(|it| it["command"] == "push").count();
    assert_eq!(pushes(documents(&told, "log --from 1")), 24);
    assert_eq!(pushes(documents(&told, "log --count 1000")), 24, "found backwards");
    assert_eq!(documents(&told, "log --from 1 --count 2").len(), 2);
    assert!(documents(&told, "log --from 99999999").is_empty());
}

#[test]
fn a_snapshot_is_taken_when_it_is_asked_for_and_shown() {
    let mut told = Told::new();
    told.says("create letters", "1\n");
    let none = told.json("snapshot");
    assert_eq!((&none["snapshots"][0]["slot"], &none["snapshots"][2]["member"]), (&Value::Null, &json!(3)), "{none}");
    let taken = told.json("snapshot take");
    assert_eq!(taken["snapshots"].as_array().map(Vec::len), Some(3), "{taken}");
    assert!((0..3).all(|at| taken["snapshots"][at]["new"] == true), "{taken}");
    let again = told.json("snapshot take");
    assert!(
        (0..3).all(|at| again["snapshots"][at]["slot"].as_u64() >= taken["snapshots"][at]["slot"].as_u64()),
        "{again}"
    );
    let shown = told.json("snapshot");
    for at in 0..3 {
        let it = &shown["snapshots"][at];
        assert_eq!((&it["slot"], &it["on_disk"]), (&again["snapshots"][at]["slot"], &json!(true)), "{shown}");
        assert!(it["bytes"].as_u64() > Some(0) && it["pieces"].as_u64() > Some(0), "{shown}");
        assert_eq!(it["state"].as_str().map(str::len), Some(32));
    }
    let table = String::from_utf8(told.ctl("snapshot").stdout).expect("text");
    assert!(table.starts_with("SERVER ") && table.contains("MEMBER  SLOT  ON-DISK  STATE "), "{table}");
    told.cluster.kill(2);
    told.cluster.start(2);
    let back = until(|| told.json("snapshot"), |it| it["silent"] == json!([]));
    assert_eq!(back["snapshots"][1]["slot"], shown["snapshots"][1]["slot"], "a restart begins with it");
    told.says("create parcels", "2\n");
    told.says_in_time("verify");
}

/// Members that have the same snapshot give up the log below it; whoever asks for that is told where it begins.
#[test]
fn a_log_that_is_not_kept_any_more_begins_later() {
    let mut cluster = Cluster::configured(program(), 3, "log-keep = \"0\"");
    cluster.start_all();
    let told = Told { cluster };
    let client = told.cluster.blocking();
    let queue = client.create("letters").expect("create");
    for _ in 0..12 {
        client.push(queue, [vec![b'x'; 1 << 20]]).expect("push");
    }
    until(
        || told.json("snapshot take"),
        |taken| (1..3).all(|at| taken["snapshots"][at]["slot"] == taken["snapshots"][0]["slot"]),
    );
    // They compare what they have when more has come.
    client.push(queue, ["a"]).expect("push");
    // Who is asked may not have applied the last push yet.
    let is_shown = |output: &Output| output.stdout.ends_with(b"push @1 of 1, 1 bytes\n");
    let output = until(|| told.ctl("log --from 1"), |output| !output.stderr.is_empty() && is_shown(output));
    let remark = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(remark.starts_with("ftqctl: slots below ") && remark.ends_with(" are not kept any more\n"), "{remark}");
    assert_eq!(output.status.code(), Some(0), "{remark}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.lines().last().is_some_and(|line| line.ends_with("push @1 of 1, 1 bytes")), "{text}");
}

#[test]
fn what_shows_all_that_clients_do_is_for_operators() {
    let mut cluster = Cluster::configured(program(), 3, "client-plain = \"off\"");
    let (app, boss) = (cluster.client_key("app", "write"), cluster.client_key("boss", "admin"));
    cluster.start_all();
    let told = Told { cluster };
    let (app, boss) = (app.display().to_string(), boss.display().to_string());
    told.says(&format!("create letters --key {app}"), "1\n");
    for line in ["log", "snapshot take", "key list"] {
        told.fails(&format!("{line} --key {app}"), 1, "it takes one with a higher role");
    }
    for line in ["views", "snapshot", "status"] {
        told.says_in_time(&format!("{line} --key {app}"));
    }
    let keys = told.json(&format!("key list --key {boss}"));
    let of_first: Vec<&Value> = keys["keys"].as_array().expect("keys").iter().take(3).collect();
    let server = told.cluster.servers()[0].to_string();
    assert_eq!(of_first[0], &json!({ "server": server, "kind": "cluster", "name": null, "role": "seals" }));
    assert_eq!(of_first[1], &json!({ "server": server, "kind": "client", "name": "app", "role": "write" }));
    assert_eq!(of_first[2], &json!({ "server": server, "kind": "client", "name": "boss", "role": "admin" }));
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(9));
    let table = told.ctl(&format!("key list --key {boss}"));
    assert!(String::from_utf8_lossy(&table.stdout).contains("  client   boss  admin\n"), "{table:?}");
    let output = told.cluster.ctl_within(std::time::Duration::from_secs(1), &["views"]);
    check_failure("plain", &output, 2, "no server answers");
}
