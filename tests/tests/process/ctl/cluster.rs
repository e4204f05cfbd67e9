//! What is said of the cluster, and how it is changed.

use crate::program;
use crate::told::{Told, check_failure, until};
use ftq_tests::process::Cluster;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

#[test]
fn status_says_of_each_how_it_is() {
    let mut told = Told::new();
    let status = told.json("status");
    assert_eq!((&status["quorum"], status["servers"].as_array().map(Vec::len)), (&json!(true), Some(3)));
    assert!(
        status["servers"].as_array().expect("servers").iter().all(|server| server["state"] == "serves"),
        "{status}"
    );
    assert_eq!((&status["can_lose"], &status["findings"]), (&json!(1), &json!([])));
    let checked = told.json("check");
    assert_eq!((&checked["health"], &checked["findings"]), (&json!("well"), &json!([])));
    told.says("check", "well\n");
    let members = told.json("members");
    assert_eq!(members["members"].as_array().map(Vec::len), Some(3), "{members}");
    for member in members["members"].as_array().expect("members") {
        let flags = ["votes", "in_view", "turns", "heard"].map(|name| member[name] == true);
        assert_eq!(flags, [true; 4], "{members}");
    }
    let verified = told.json("verify");
    assert_eq!(verified["members"].as_array().map(Vec::len), Some(3), "{verified}");
    let doctor = told.json("doctor");
    assert_eq!(doctor["servers"][0]["peers"].as_array().map(Vec::len), Some(2), "{doctor}");
    let configuration = doctor["settings"][0]["configuration"].as_str().expect("a configuration");
    assert!(configuration.contains("cluster = \"test\"") && configuration.contains("key-file = "), "{doctor}");
    assert!(doctor["settings"][2]["version"].as_str().is_some_and(|text| text.starts_with("ftqd ")), "{doctor}");
    assert!(doctor["views"][1]["views"][0]["cause"].is_string(), "{doctor}");
    assert!(doctor["journal"]["lines"].is_array() || doctor["journal"]["missing"].is_string(), "{doctor}");
    let keys = fs::read_to_string(told.cluster.keys()).expect("keys");
    let secrets: Vec<&str> = keys.split_whitespace().filter(|word| word.len() == 64).collect();
    let said = doctor.to_string();
    assert!(!secrets.is_empty() && secrets.iter().all(|secret| !said.contains(secret)), "no secret is in it");

    told.cluster.kill(2);
    let text =
        until(|| String::from_utf8(told.ctl("status").stdout).expect("text"), |text| text.contains("is not heard"));
    assert!(text.contains("silent") && text.contains("quorum: yes, at slot"), "{text}");
    assert!(
        text.contains("members that it can lose: 0") && text.contains("degraded: member 2 is not heard by"),
        "{text}"
    );
    let output = told.ctl("check");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("degraded\n"));
    told.cluster.kill(3);
    let output = told.cluster.ctl_within(Duration::from_secs(3), &["check"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("down\ndown: the cluster does not answer as a whole"), "{text}");
    let output = told.cluster.ctl_within(Duration::from_secs(3), &["status"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("quorum: no"));
    for line in [&["create", "letters"][..], &["push", "@1", "a"], &["size", "@1"], &["getid"]] {
        let output = told.cluster.ctl_within(Duration::from_secs(2), line);
        check_failure("no quorum", &output, 2, "no quorum, nothing was done: too few replicas hear each other");
    }
    told.cluster.kill(1);
    for line in [&["create", "letters"][..], &["views"], &["log"], &["snapshot"], &["key", "list"]] {
        let output = told.cluster.ctl_within(Duration::from_secs(1), line);
        check_failure("nobody", &output, 2, "no server answers, nothing was done");
    }
}

/// A fourth replica comes in, one goes, and one takes another's place, while the cluster works.
#[test]
fn members_come_and_go() {
    let mut cluster = Cluster::new(program(), 5);
    let file = |cluster: &Cluster, member: u8| cluster.keys().with_file_name(format!("{member}.toml"));
    let whole: Vec<String> =
        (1..=5).map(|me| fs::read_to_string(file(&cluster, me)).expect("a configuration")).collect();
    for me in 1..=3 {
        let text = &whole[usize::from(me) - 1];
        let three = text.split("[[members]]").take(4).collect::<Vec<_>>().join("[[members]]");
        fs::write(file(&cluster, me), three).expect("a configuration");
        cluster.start(me);
    }
    let told = Told { cluster };
    until(|| told.ctl("create letters").status.code(), |code| *code == Some(0));
    let mut told = told;
    // From now on all are told of all five, one after the other.
    for me in 1..=3 {
        told.cluster.kill(me);
        fs::write(file(&told.cluster, me), &whole[usize::from(me) - 1]).expect("a configuration");
        told.cluster.start(me);
        until(|| told.json("status"), |it| it["servers"][usize::from(me) - 1]["state"] == "serves");
    }
    told.fails("member add 3", 1, "it is a member already");
    told.fails("member remove 4", 1, "it is no member");
    told.fails("member add 4", 1, "does its configuration have `join`, with the address of a member?");
    told.fails("member add 64", 64, "a number from 1 to 63");
    told.cluster.start(4);
    told.cluster.start(5);
    until(
        || told.json("status"),
        |it| it["servers"][3]["state"] == "learner" && it["servers"][4]["state"] == "learner",
    );
    told.says_in_time("member add 4");
    let votes = |it: &Value, expected: &[u64]| {
        let members = it["members"].as_array().expect("members");
        let voting: Vec<u64> =
            members.iter().filter(|it| it["votes"] == true).filter_map(|it| it["member"].as_u64()).collect();
        voting == expected
    };
    until(|| told.json("members"), |it| votes(it, &[1, 2, 3, 4]));
    until(|| told.json("status"), |it| it["servers"][3]["state"] == "serves");
    told.says("push letters a", "");
    // Who is asked may be one that has not heard of 5 yet.
    told.says_in_time("member replace 2 5");
    until(|| told.json("members"), |it| votes(it, &[1, 3, 4, 5]));
    told.says("member remove 1", "");
    until(|| told.json("members"), |it| votes(it, &[3, 4, 5]));
    told.says("pop letters", "a\n");
    assert!(told.cluster.story().contains("does without this store"), "those who went were told");
}
