//! Files and pipes that are pushed: in order, whole, and with a count of what is done however it ends.

use crate::program;
use crate::told::{Told, check_failure, interrupt, until};
use ftq_tests::process::pause;
use serde_json::json;
use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

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
