//! Two of three are lost with their disks. By the operator's order the third goes on alone, with all that was acknowledged;
//! the others join it with empty stores, and then it may go too.

use super::offline::{ends, ftqd, text};
use super::{cluster, program};
use ftq_tests::process::{CEILING, Cluster, Ticks, pause};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// What is pushed before the loss.
const ITEMS: [&str; 5] = ["one", "two", "three", "four", "five"];

/// Two of three are dead, the third is stopped, and all that was acknowledged is on its disk.
fn bereft() -> Cluster {
    let mut cluster = filled();
    lose(&mut cluster);
    cluster
}

/// Three that have something.
fn filled() -> Cluster {
    let cluster = cluster(3);
    let client = cluster.blocking();
    let queue = client.create("letters").expect("create");
    client.push(queue, ITEMS).expect("push");
    assert_eq!(client.get_ids("invoice", 3), Ok(1..4));
    drop(client);
    cluster.wait_until_level(3);
    cluster
}

/// What the third has applied may not be on its disk yet: it is told to stop, and finishes that.
fn lose(cluster: &mut Cluster) {
    cluster.kill(1);
    cluster.kill(2);
    let (status, _) = cluster.stop(3);
    assert!(status.success(), "{status}");
}

/// The code by which the others come in.
fn code(done: &Output) -> String {
    let said = text(&done.stdout);
    let (_, behind) = said.split_once("--code ").unwrap_or_else(|| panic!("{said}"));
    behind.split_whitespace().next().expect("a code").to_owned()
}

fn is_all_there(cluster: &Cluster) {
    let client = cluster.blocking();
    let queue = client.id("letters").expect("the queue is there");
    for item in ITEMS {
        assert_eq!(client.pop(queue).as_deref(), Ok(item.as_bytes()), "{}", cluster.story());
    }
    assert_eq!(client.get_ids("invoice", 1), Ok(4..5), "ids go on");
}

/// A member is added, as soon as it has caught up.
fn add(cluster: &Cluster, member: u8) {
    let clock = Ticks::start();
    loop {
        let output = cluster.ctl(&["member", "add", &member.to_string()]);
        if output.status.success() {
            return;
        }
        assert!(clock.passed() < CEILING, "{}\n{}", text(&output.stderr), cluster.story());
        clock.pause();
    }
}

#[test]
fn the_third_goes_on_alone_and_the_others_join_it() {
    let mut cluster = bereft();
    let data = cluster.data(3);
    fs::remove_dir_all(cluster.data(1)).expect("a disk is lost");
    cluster.start(3);
    cluster.wait_until_said("hear each other, which is no quorum");
    ends(&ftqd("go-on-alone", &data, &["--yes"]), 74, "", "in use by another process");
    assert!(cluster.said(3).contains("`ftqd go-on-alone "), "{}", cluster.story());
    cluster.kill(3);

    let asked = ftqd("go-on-alone", &data, &[]);
    ends(&asked, 64, "the store of member 3", "nothing was changed");
    ends(&asked, 64, "members 1, 2, 3, by configuration 1", "ftqd runs on none of 1, 2");
    ends(&asked, 64, "queues: 1, items: 5, sequences of ids: 1", "--yes");
    ends(&ftqd("go-on-alone", &data, &["--me", "2"]), 65, "", "this is the store of member 3");
    let done = ftqd("go-on-alone", &data, &["--yes"]);
    ends(&done, 0, "of another cluster now", "");
    ends(&ftqd("verify", &data, &[]), 0, "nothing is wrong", "");
    let code = code(&done);
    ends(&ftqd("go-on-alone", &data, &["--yes"]), 0, "the cluster of member 3 alone already", "");

    cluster.start(3);
    cluster.blocking().summary().expect("it serves at once");
    // Member 2 was not lost at all: it is of the former cluster, which is said here; nobody talks to it.
    cluster.start(2);
    let clock = Ticks::start();
    while !cluster.said(3).contains("of another cluster") {
        assert!(clock.passed() < CEILING, "{}", cluster.story());
        clock.pause();
    }
    assert_eq!(cluster.ctl(&["member", "add", "2"]).status.code(), Some(1), "it is not heard");
    cluster.kill(2);
    for member in [1, 2] {
        ends(&ftqd("start-anew", &cluster.data(member), &["--code", &code]), 0, "an empty", "");
        cluster.start(member);
        add(&cluster, member);
    }
    cluster.wait_until_level(1);
    cluster.wait_until_level(2);
    cluster.kill(3);
    is_all_there(&cluster);
}

/// It can be said again whenever it was cut short, and what is there is whole at every moment.
#[test]
fn it_is_killed_at_any_moment_and_said_again() {
    let mut cluster = bereft();
    let (data, kept) = (cluster.data(3), cluster.data(3).with_file_name("kept"));
    copy(&data, &kept);
    for round in 0..8 {
        fs::remove_dir_all(&data).expect("it goes");
        copy(&kept, &data);
        let mut command = Command::new(program());
        command.args(["ftqd", "go-on-alone", "--yes"]).arg(&data).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        pause(Duration::from_millis(60 * round));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        ends(&ftqd("verify", &data, &[]), 0, "", "");
        ends(&ftqd("go-on-alone", &data, &["--yes"]), 0, "ftqd start-anew DIR --code", "");
        ends(&ftqd("verify", &data, &[]), 0, "nothing is wrong", "");
        let names = fs::read_dir(&data).expect("a directory").map(|entry| entry.expect("an entry").file_name());
        let aside = names.filter(|name| name.to_string_lossy().starts_with("set-aside-")).count();
        assert_eq!(aside, 1, "the former store is kept once");
    }
    cluster.start(3);
    is_all_there(&cluster);
}

/// A disk that takes no more of the other store: the former one is as it was.
#[test]
fn a_write_that_fails_changes_nothing() {
    let mut cluster = bereft();
    let data = cluster.data(3);
    // Less than a journal.
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--fsize={}", 32 << 20)).arg(program()).args(["ftqd", "go-on-alone", "--yes"]).arg(&data);
    let output = limited.output().expect("prlimit");
    ends(&output, 74, "", "The store in ");
    ends(&output, 74, "", "is as it was");
    ends(&ftqd("verify", &data, &[]), 0, "nothing is wrong", "");
    ends(&ftqd("go-on-alone", &data, &["--yes"]), 0, "done", "");
    cluster.start(3);
    is_all_there(&cluster);
}

/// The journal of the last one is lost too: what its archive has goes on, once somebody says whose it is.
#[test]
fn without_its_journal_the_archive_goes_on() {
    let mut cluster = filled();
    ends(&cluster.ctl(&["snapshot", "take"]), 0, "", "");
    lose(&mut cluster);
    let data = cluster.data(3);
    fs::remove_file(data.join("journal")).expect("it is there");
    ends(&ftqd("go-on-alone", &data, &["--yes"]), 74, "", "start ftqd here once, which sets the journal aside");
    cluster.start(3);
    cluster.wait_until_said("the store has lost the journal");
    cluster.kill(3);
    ends(&ftqd("go-on-alone", &data, &["--yes"]), 65, "", "say which member it is to be");
    ends(&ftqd("go-on-alone", &data, &["--yes", "--me", "3"]), 0, "done", "");
    cluster.start(3);
    is_all_there(&cluster);
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").args(["-r", "--sparse=auto"]).arg(from).arg(to).status();
    assert!(copied.expect("cp runs").success());
}
