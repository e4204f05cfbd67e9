//! `ftqctl` against a real cluster of three: every command, as a table and as JSON, and everything that can be wrong
//! with a command line.

use super::program;
use super::told::{Told, alone, check_failure, interrupt, until};
use ftq_tests::process::{Cluster, pause};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
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

#[test]
fn a_file_is_pushed_in_order_however_its_items_are_told_apart() {
    let told = Told::new();
    told.says("create letters", "1\n");
    let file = told.cluster.keys().with_file_name("items");
    let lines: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    fs::write(&file, &lines).expect("a file");
    assert_eq!(told.json(&format!("push letters --file {}", file.display())), json!({ "queue": 1, "items": 20_000 }));
    let mut popped = String::new();
    while popped.len() < lines.len() {
        popped.push_str(&String::from_utf8(told.ctl("pop letters --count 9000").stdout).expect("text"));
    }
    assert!(popped == lines, "they come out as they went in");

    assert_eq!(told.fed("push letters", b"a\n\nb").status.code(), Some(0));
    told.says("pop letters --count 9", "a\n\nb\n");
    assert_eq!(told.fed("push letters --by length --file -", b"3\na\nb2\n\xff\x00").status.code(), Some(0));
    let items = json!([{ "position": 20_004, "item": "a\nb" }, { "position": 20_005, "item_base64": "/wA=" }]);
    assert_eq!(told.json("pop letters --count 9")["items"], items);
    assert_eq!(told.fed("push letters --by whole", b"a\nb\n").status.code(), Some(0));
    assert_eq!(told.ctl("pop letters").stdout, b"a\nb\n\n");
    assert_eq!(told.fed("push letters", b"").status.code(), Some(0), "nothing is nothing to do");

    let bad = told.fed("push letters --by length", b"1\na\nx");
    check_failure("push", &bad, 64, "-: item 2 has no length before it, a decimal number and a line feed; 0 items");
    fs::write(&file, vec![b'x'; (1 << 20) + 1]).expect("a file");
    told.fails(&format!("push letters --by whole --file {}", file.display()), 1, "letters: item too large");
    told.fails("push letters --file /no/such/file", 1, "/no/such/file: No such file");
    told.fails("push letters a --file x", 64, "not both");
    told.fails("push letters --once x", 64, "on the command line");
    told.says("size letters", "0\n");
}

/// Ctrl-C in the middle of a million lines: it says how many are done, and so many are in the queue.
#[test]
fn an_interrupted_push_says_how_many_are_done() {
    let told = Told::new();
    told.says("create letters", "1\n");
    let file = told.cluster.keys().with_file_name("items");
    let mut items = File::create(&file).expect("a file");
    (0..1_000_000).for_each(|n| writeln!(items, "{n}").expect("a disk"));
    drop(items);
    let child = told.start(&format!("push letters --file {}", file.display()), Stdio::null(), Stdio::piped());
    while told.json("size letters")["ready"].as_u64() < Some(5_000) {
        pause(Duration::from_millis(5));
    }
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    check_failure("push", &output, 130, "items are pushed, no others");
    let said = String::from_utf8(output.stderr).expect("text");
    let pushed: u64 = said.split_whitespace().find_map(|word| word.parse().ok()).expect("a number");
    assert_eq!(told.json("size letters")["ready"].as_u64(), Some(pushed), "{said}");
    assert!(pushed < 1_000_000, "it was interrupted");
}

/// What comes on a pipe is pushed as it comes, and Ctrl-C is heard while nothing comes.
#[test]
fn a_push_that_waits_for_its_input_can_be_interrupted() {
    let told = Told::new();
    told.says("create letters", "1\n");
    let mut child = told.start("push letters", Stdio::piped(), Stdio::piped());
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"a\nb\n").expect("it reads");
    until(|| told.json("size letters"), |size| size["ready"] == 2);
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    check_failure("push", &output, 130, "interrupted: 2 items are pushed, no others");
    drop(input);
}

/// The second Ctrl-C ends it at once, and says what is known.
#[test]
fn a_push_that_is_interrupted_twice_says_how_many_are_done() {
    let mut told = Told::new();
    told.says("create letters", "1\n");
    let mut child = told.start("push letters --timeout 600", Stdio::piped(), Stdio::piped());
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"a\nb\n").expect("it reads");
    until(|| told.json("size letters"), |size| size["ready"] == 2);
    (1..=3).for_each(|member| told.cluster.kill(member));
    input.write_all(b"c\n").expect("it reads");
    // It is not told when the push of the third item has begun: the second signal comes when it must have.
    pause(Duration::from_secs(2));
    interrupt(&child);
    pause(Duration::from_secs(1));
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    check_failure("push", &output, 130, "interrupted again: 2 items are pushed, and of the next 1 all or none");
}

/// With a limit of items above the default, what is read together was more than a request may be.
#[test]
fn items_nearly_as_large_as_a_request_are_pushed_from_a_file() {
    let told = Told::new();
    told.says("create letters", "1\n");
    let limits = ftq_client::Limits { item_bytes_max: 8 << 20, memory_bytes_max: 1 << 30 };
    told.cluster.blocking().limit(limits).expect("a limit");
    let file = told.cluster.keys().with_file_name("items");
    let large = "y".repeat((8 << 20) - 1_000);
    fs::write(&file, format!("{}{large}\n{}", "x\n".repeat(500), "z\n".repeat(500))).expect("a file");
    told.says(&format!("push letters --file {}", file.display()), "");
    told.says("size letters", "1001\n");
}

/// The same pushes by the library and by `ftqctl` with its progress on a terminal.
#[test]
#[ignore = "half a minute for a figure: cargo test -p ftq-tests --test process million -- --ignored --nocapture"]
fn a_million_lines_cost_at_most_twice_what_they_cost_the_library() {
    let told = Told::new();
    let client = told.cluster.blocking();
    let queue = client.create("library").expect("create");
    told.says("create letters", "2\n");
    let lines: Vec<String> = (0..1_000_000).map(|n| format!("this is line {n}")).collect();
    let file = told.cluster.keys().with_file_name("items");
    fs::write(&file, lines.join("\n")).expect("a file");
    let clock = ftq_tests::process::Ticks::start();
    client.push_split(queue, lines).expect("push");
    let library = clock.passed();
    let servers: Vec<String> = told.cluster.servers().iter().map(|server| format!("--server {server}")).collect();
    let line = format!("{} ftqctl {} push letters --file {}", program().display(), servers.join(" "), file.display());
    let clock = ftq_tests::process::Ticks::start();
    let output =
        Command::new("script").args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output().expect("script runs");
    let ctl = clock.passed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains(" %  "), "progress is shown");
    assert_eq!(told.json("size letters")["ready"], 1_000_000);
    println!("a million lines: {library:?} by the library, {ctl:?} by ftqctl");
    assert!(ctl < library * 2, "{library:?} by the library, {ctl:?} by ftqctl");
}

/// Nobody reads what is shown: that is no failure, unless what is shown is gone from where it was.
#[test]
fn a_broken_pipe_is_quiet_or_says_what_is_lost() {
    let told = Told::new();
    told.says("create letters", "1\n");
    told.says("push letters a b", "");
    let ended = |line: &str| {
        let mut child = told.start(line, Stdio::null(), Stdio::piped());
        drop(child.stdout.take());
        let mut error = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut error).expect("text");
        (child.wait().expect("it ends").code(), error)
    };
    for line in ["list", "status", "browse letters", "--help", "show letters -o json"] {
        assert_eq!(ended(line), (Some(0), String::new()), "{line}");
    }
    for (line, said) in [("pop letters", "is lost"), ("getid", "is lost"), ("take letters", "goes back later")] {
        let (code, error) = ended(line);
        assert!(code == Some(3) && error.contains(said) && error.lines().count() == 1, "{line}: {code:?} {error}");
    }
}

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

#[test]
fn what_is_wrong_is_said_in_one_line_with_what_to_do() {
    let told = Told::new();
    told.fails("pussh letters a", 64, "did you mean `push`?");
    told.fails("pop letters --cuont 2", 64, "did you mean `--count`? `ftqctl pop --help`");
    told.fails("", 64, "`ftqctl --help` lists the commands");
    told.fails("pop letters", 1, "letters: no such label; `ftqctl list` shows the queues");
    told.fails("pop @x", 64, "the id of a queue");
    told.fails("pop @77", 1, "@77: no such queue");
    told.fails(&format!("create {}", "x".repeat(256)), 64, "bad label");
    told.fails("pop letters --count many", 64, "many");
    told.fails("pop letters --wait never", 64, "never: expected a number of seconds");
    told.fails("getid --count 0", 64, "bad count");
    told.fails("ack letters 3", 64, "a receipt is POSITION.TOKEN");
    told.fails("ack letters", 64, "at least one receipt");
    told.fails("set letters", 64, "say what to set");
    told.fails("work letters", 64, "behind --");
    told.fails("completions tcsh", 64, "bash, zsh or fish");
    told.fails("key list /no/such/file", 1, "there is no such key file");
    told.fails("status -o xml", 64, "xml: the output is table or json");
    check_failure("no time", &alone("status --timeout 0"), 64, "0: expected a number of seconds above 0");
    told.fails("status --context home", 64, "there is no context home");
    told.fails("status --server nowhere.invalid", 64, "nowhere.invalid");
    check_failure("far", &alone("size x --server 192.0.2.1"), 64, "192.0.2.1:7410 is on another machine");
    check_failure(
        "silent",
        &alone("size x --server 127.0.0.1:9 --timeout 1"),
        2,
        "is ftqd running, is --server right?",
    );
}

#[test]
fn a_key_is_taken_from_a_file_that_nobody_else_can_read() {
    let mut cluster = Cluster::configured(program(), 3, "client-plain = \"off\"");
    let (app, watch) = (cluster.client_key("app", "write"), cluster.client_key("watch", "read"));
    cluster.start_all();
    let told = Told { cluster };
    let (app, watch) = (app.display().to_string(), watch.display().to_string());
    told.says(&format!("create letters --key {app}"), "1\n");
    told.says(&format!("--key {watch} size letters"), "0\n");
    told.fails(&format!("push letters a --key {watch}"), 1, "it takes one with a higher role");
    told.fails(&format!("member remove 3 --key {app}"), 1, "it takes one with a higher role");
    assert_eq!(told.json(&format!("status --key {watch}"))["quorum"], true);
    let listed = told.json(&format!("key list {app}"));
    assert_eq!(listed, json!({ "keys": [{ "kind": "client", "name": "app", "role": "write" }] }));
    let output = told.cluster.ctl_within(Duration::from_secs(1), &["size", "letters"]);
    check_failure("plain", &output, 2, "no server answers");
    let stranger = told.cluster.keys().with_file_name("stranger");
    fs::write(&stranger, format!("client app write {}\n", "ab".repeat(32))).expect("a file");
    fs::set_permissions(&stranger, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let stranger = stranger.display().to_string();
    let output = told.cluster.ctl_within(Duration::from_secs(1), &["size", "letters", "--key", &stranger]);
    check_failure("another key", &output, 2, "no server answers");
    fs::set_permissions(&app, fs::Permissions::from_mode(0o644)).expect("it is ours");
    told.fails(&format!("size letters --key {app}"), 64, "others can read");
}

#[test]
fn a_context_says_who_is_meant() {
    let cluster = super::cluster(3);
    let home = tempfile::tempdir().expect("a directory");
    let directory = home.path().join("ftq");
    fs::create_dir(&directory).expect("a directory");
    let servers: Vec<String> = cluster.servers().iter().map(|server| format!("\"{server}\"")).collect();
    let text = format!(
        "default = \"here\"\n[context.here]\nservers = [{}]\noutput = \"json\"\n[context.gone]\nservers = [\"127.0.0.1:9\"]\ntimeout = 1\n",
        servers.join(", ")
    );
    fs::write(directory.join("ctl.toml"), text).expect("a file");
    let ctl = |line: &str| {
        let mut command = Command::new(program());
        command.arg("ftqctl").args(line.split_whitespace()).env("XDG_CONFIG_HOME", home.path());
        command.stdin(Stdio::null()).output().expect("ftqctl runs")
    };
    assert_eq!(ctl("create letters").stdout, b"{\"queue\":1}\n");
    assert_eq!(ctl("id letters -o table").stdout, b"1\n", "the command line goes first");
    check_failure("gone", &ctl("id letters --context gone -o table"), 2, "no server answers");
    check_failure("none", &ctl("id letters --context hree"), 64, "there are gone, here");
    fs::write(directory.join("ctl.toml"), "[context.x]\ncolour = 1\n").expect("a file");
    check_failure("bad", &ctl("list"), 64, "ctl.toml: unknown field `colour`");
}

#[test]
fn help_and_completions_know_every_command() {
    let help = String::from_utf8(alone("--help").stdout).expect("text");
    let commands = [
        "create", "destroy", "push", "pop", "list", "browse", "take", "work", "dead", "getid", "status", "members",
        "views", "log", "snapshot", "check", "doctor", "verify", "key",
    ];
    for shell in ["bash", "zsh", "fish"] {
        let output = alone(&format!("completions {shell}"));
        let script = String::from_utf8(output.stdout).expect("text");
        for command in commands {
            assert!(help.contains(command) && script.contains(command), "{command} in {shell}");
        }
    }
    assert_eq!(alone("--version").stdout, format!("ftqctl {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
}

/// The script does in bash what it is for.
#[test]
fn bash_completes_commands_options_and_files() {
    let script = String::from_utf8(alone("completions bash").stdout).expect("text");
    let complete = |line: &str| {
        let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
        let test = format!(
            "{script}\nCOMP_WORDS=({}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _ftqctl; echo \"${{COMPREPLY[*]}}\"",
            words.join(" ")
        );
        let output = Command::new("bash").args(["-c", &test]).output().expect("bash runs");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    assert_eq!(complete("ftqctl pu"), "push purge");
    assert_eq!(complete("ftqctl --timeout 3 pop letters --c"), "--count --context");
    assert_eq!(complete("ftqctl dead "), "list retry --help --server --key --timeout --output --context --version");
    assert_eq!(complete("ftqctl status -o "), "table json");
}
