//! What is done with queues and their items, as a table and as JSON.

use crate::told::{Told, check_failure, interrupt};
use ftq_tests::process::pause;
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn queues_are_made_shown_changed_and_ended() {
    let told = Told::new();
    told.says("create letters", "1\n");
    assert_eq!(told.json("create dead"), json!({ "queue": 2 }));
    assert_eq!(told.json("id letters"), json!({ "queue": 1 }));
    told.says("push letters a b", "");
    assert_eq!(told.json("push letters c --priority 0"), json!({ "queue": 1, "first": 3, "items": 1 }));
    assert_eq!(told.json("push letters once --once x --delay 3600"), told.json("push letters again --once x"));
    told.says("size letters", "3\n");
    assert_eq!(told.json("size @1"), json!({ "ready": 3, "leased": 0, "delayed": 1 }));
    told.says("browse letters", "0.3\tc\n4.1\ta\n4.2\tb\n");
    told.says("browse letters --count 1 --after 0.3", "4.1\ta\n");
    let seen = json!({ "place": "4.2", "priority": 4, "position": 2, "deliveries": 0, "item": "b" });
    assert_eq!(told.json("browse letters --after 4.1"), json!({ "items": [seen] }));
    told.says("top letters", "c\n");
    assert_eq!(told.json("top letters"), json!({ "items": [{ "item": "c" }] }));

    let list = told.json("list");
    assert_eq!(list["queues"][0]["label"], "letters");
    assert_eq!(
        list["queues"][1],
        json!({ "queue": 2, "label": "dead", "ready": 0, "leased": 0, "delayed": 0, "paused": false, "oldest_ms": null })
    );
    let table = String::from_utf8(told.ctl("list").stdout).expect("text");
    assert!(
        table.starts_with("QUEUE  LABEL    READY  LEASED  DELAYED  PAUSED  OLDEST-MS\n    1  letters      3  "),
        "{table}"
    );

    told.says("set letters --items 4 --deliveries 2 --dead dead", "");
    assert_eq!(told.json("set letters --window 60"), json!({ "queue": 1 }));
    let shown = told.json("show letters");
    let settings =
        ["items_max", "bytes_max", "deliveries_max", "dead_letters", "window_ms"].map(|name| shown[name].clone());
    assert_eq!(settings, [json!(4), Value::Null, json!(2), json!(2), json!(60_000)], "what is not named stays");
    told.fails("push letters over", 1, "`ftqctl show` tells its limits");
    told.says("set letters --items none --dead none", "");
    assert_eq!(told.json("show letters")["items_max"], Value::Null);
    let table = String::from_utf8(told.ctl("show letters").stdout).expect("text");
    assert!(table.contains("label           letters\n") && table.contains("paused          no\n"), "{table}");

    told.says("pause letters", "");
    told.fails("pop letters", 1, "`ftqctl resume` ends that");
    assert_eq!(told.json("resume letters"), json!({ "queue": 1, "paused": false }));
    told.says("pop letters", "c\n");
    assert_eq!(
        told.json("pop letters --count 5"),
        json!({ "items": [{ "position": 1, "item": "a" }, { "position": 2, "item": "b" }] })
    );
    told.fails("pop letters --wait 0.1", 1, "letters: empty");
    assert_eq!(told.json("purge letters"), json!({ "items": 1 }));
    told.says("getid", "1\n");
    told.says("getid invoice --count 3", "1\n2\n3\n");
    assert_eq!(told.json("getid invoice"), json!({ "first": 4, "count": 1 }));
    assert_eq!(told.json("destroy letters"), json!({ "queue": 1, "items": 0 }));
    told.says("destroy dead", "");
    told.says("list", "QUEUE  LABEL  READY  LEASED  DELAYED  PAUSED  OLDEST-MS\n");
}

/// What the other tests ask for as a table only, or as JSON only, is there as the other too.
#[test]
fn every_command_has_both_outputs() {
    let told = Told::new();
    told.says("create jobs", "1\n");
    told.says("push jobs a b c d", "");
    assert_eq!(told.json("pause jobs"), json!({ "queue": 1, "paused": true }));
    told.says("resume jobs", "");
    let taken = told.json("take jobs --count 2");
    let receipts = [0, 1].map(|at| taken["items"][at]["receipt"].as_str().expect("a receipt").to_owned());
    assert_eq!(told.json(&format!("touch jobs {}", receipts[0])), json!({ "queue": 1, "items": 1 }));
    assert_eq!(told.json(&format!("ack jobs {}", receipts[0])), json!({ "queue": 1, "items": 1 }));
    told.says(&format!("nack jobs {}", receipts[1]), "");
    told.says("purge jobs", "3\n");
    assert_eq!(told.json("work jobs --until-empty -- true"), json!({ "done": 0, "sent_back": 0 }));
    told.says("create dead", "2\n");
    told.says("set jobs --dead dead --deliveries 1", "");
    told.says("push jobs bad", "");
    told.says("work jobs --until-empty -- false", "");
    assert_eq!(told.json("dead list jobs")["items"][0]["item"], "bad");
    told.says("dead retry jobs", "1\n");
    assert_eq!(told.json("destroy dead"), json!({ "queue": 2, "items": 0 }));
    let begins = |line: &str, head: &str| {
        let output = told.ctl(line);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.starts_with(head) && text.lines().count() == 4, "{line}: {text}");
    };
    begins("members", "MEMBER  VOTES  IN-VIEW  TURNS  HEARD  SILENT-MS  BEHIND  DISK-MS\n");
    begins("verify", "MEMBER  SLOT  DIGEST\n");
    begins("snapshot take", "SERVER ");
    // The configuration that `member` made is what JSON says; nothing is to be said in a table.
    assert_eq!(told.json("member remove 3"), json!({ "configuration": 2 }));
    told.fails("member remove 3", 1, "nothing was changed: it is no member");
}

#[test]
fn work_is_taken_done_sent_back_and_found_among_the_dead() {
    let told = Told::new();
    told.says("create jobs", "1\n");
    told.says("create dead", "2\n");
    told.says("push jobs a b c", "");
    let taken = told.json("take jobs --count 2 --lease 600");
    let receipts = [0, 1].map(|at| taken["items"][at]["receipt"].as_str().expect("a receipt").to_owned());
    let line = String::from_utf8(told.ctl("take jobs").stdout).expect("text");
    let (third, item) = line.split_once('\t').expect("a receipt and an item");
    assert_eq!((item, &taken["items"][0]["item"]), ("c\n", &json!("a")));
    told.says(&format!("touch jobs {} {} --lease 900", receipts[0], receipts[1]), "");
    told.says(&format!("ack jobs {}", receipts[0]), "");
    told.fails(&format!("ack jobs {}", receipts[0]), 1, "take the items again");
    assert_eq!(told.json(&format!("nack jobs {} {third}", receipts[1])), json!({ "queue": 1, "items": 2 }));
    told.says("size jobs", "2\n");

    // A command for each: `b` fails once and is done then.
    let script = told.cluster.keys().with_file_name("script");
    fs::write(&script, "read item; echo $FTQ_QUEUE $FTQ_POSITION $item; [ $item = c ] || [ $FTQ_DELIVERIES -gt 2 ]\n")
        .expect("a script");
    let output = told.ctl(&format!("work jobs --count 3 --delay 0 -- sh {}", script.display()));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "jobs 2 b\njobs 2 b\njobs 3 c\n");
    assert_eq!(told.json("work jobs --until-empty -- true"), json!({ "done": 0, "sent_back": 0 }));
    told.says("push jobs slow", "");
    told.says("work jobs --until-empty --lease 1 -- sleep 2", "");
    assert_eq!(told.json("show jobs")["acked"], 4, "its lease was extended while it ran");

    told.fails("dead list jobs", 1, "`ftqctl set --deliveries N --dead QUEUE` names one");
    told.says("set jobs --deliveries 1 --dead dead", "");
    told.says("push jobs bad", "");
    told.says("work jobs --until-empty -- false", "");
    let place = told.json("dead list jobs")["items"][0].clone();
    assert_eq!(place["item"], "bad");
    told.says("dead list jobs", "4.1\tbad\n");
    assert_eq!(told.json("dead retry jobs"), json!({ "items": 1 }));
    told.says("pop jobs", "bad\n");
    told.fails("dead retry jobs", 1, "@2: empty");

    told.says("push jobs x", "");
    told.fails("work jobs -- /no/such/program", 1, "item 7 was sent back");
}

/// A command that runs is killed with its worker: what it had goes back when the lease ends.
#[test]
fn an_interrupted_worker_says_what_it_has_done() {
    let told = Told::new();
    told.says("create jobs", "1\n");
    told.says("push jobs a", "");
    let child = told.start("work jobs -- true", Stdio::null(), Stdio::piped());
    while told.json("show jobs")["acked"] != 1 {
        pause(Duration::from_millis(50));
    }
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    check_failure("work", &output, 130, "interrupted: 1 items are done, 0 were sent back");
}
