//! SIGHUP: the configuration and the keys are read again while the members serve.

use super::cluster;
use ftq_tests::process::{CEILING, Cluster, Ticks};
use std::fs;
use std::time::Duration;

#[test]
fn the_cluster_key_is_changed_while_all_serve() {
    let cluster = cluster(3);
    let client = cluster.blocking();
    let queue = client.create("letters").expect("create");
    let former = fs::read_to_string(cluster.keys()).expect("a key file");
    let made = cluster.ctl(&["key", "new", "--file", cluster.keys().to_str().expect("a path")]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let both = fs::read_to_string(cluster.keys()).expect("a key file");
    let new = both.strip_prefix(&former).expect("a line was added").to_owned();
    // First all know it, then all use it, then the former one is none any more.
    for (round, keys) in [(1, both), (2, format!("{new}{former}")), (3, new)] {
        fs::write(cluster.keys(), keys).expect("a key file");
        for member in cluster.members() {
            cluster.signal(member, "HUP");
            read_again(&cluster, member, round);
            client.push(queue, ["a"]).expect("all serve");
        }
    }
    assert_eq!(client.size(queue), Ok(9));
    assert!(!cluster.story().contains("left view"), "{}", cluster.story());
}

#[test]
fn what_cannot_change_is_named_and_what_is_wrong_changes_nothing() {
    let cluster = cluster(1);
    let file = cluster.configuration(1);
    let text = fs::read_to_string(&file).expect("a configuration");
    fs::write(&file, format!("order = \"fixed\"\nlog = \"debug\"\n{text}")).expect("a configuration");
    cluster.signal(1, "HUP");
    cluster.wait_until_said("changed, and only in force after a restart: order");
    cluster.wait_until_said("read the configuration again: log is DEBUG");
    fs::write(&file, format!("ordr = \"fixed\"\n{text}")).expect("a configuration");
    cluster.signal(1, "HUP");
    cluster.wait_until_said("nothing changes: ");
    cluster.wait_until_said("1.toml:1: ordr: there is no such key; did you mean order?");
    cluster.blocking().create("letters").expect("it serves");
}

fn read_again(cluster: &Cluster, member: u8, times: usize) {
    let clock = Ticks::start();
    while cluster.said(member).matches("read the configuration again: ").count() < times {
        assert!(clock.passed() < CEILING, "{}", cluster.said(member));
        clock.pause();
    }
}

/// The disk comes to be nearly full, and not to be, by what the limit says.
#[test]
fn the_limits_change_while_it_serves() {
    let cluster = cluster(1);
    let client = cluster.blocking();
    let queue = client.create("letters").expect("create");
    let file = cluster.configuration(1);
    let text = fs::read_to_string(&file).expect("a configuration");
    fs::write(&file, format!("disk-low = \"1000000 GiB\"\nlog-keep = \"1 MiB\"\n{text}")).expect("a configuration");
    cluster.signal(1, "HUP");
    cluster.wait_until_said("disk-low is 1000000 GiB, log-keep is 1 MiB");
    cluster.wait_until_said("the disk is nearly full");
    let push = cluster.ctl_within(Duration::from_secs(2), &["push", "letters", "a"]);
    assert!(String::from_utf8_lossy(&push.stderr).contains("disk"), "{}", String::from_utf8_lossy(&push.stderr));
    assert_eq!(client.size(queue), Ok(0), "the rest goes on");
    fs::write(&file, format!("disk-low = 0\n{text}")).expect("a configuration");
    cluster.signal(1, "HUP");
    cluster.wait_until_said("there is room on the disk again");
    assert_eq!(client.push(queue, ["a"]), Ok(1));
    assert!(!cluster.story().contains("only in force after a restart"), "{}", cluster.story());
}
