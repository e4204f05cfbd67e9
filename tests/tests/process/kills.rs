//! Members are killed under load, with `kill -9`: nothing that was acknowledged is lost, nothing is done twice.

use super::cluster;
use ftq_client::Options;
use ftq_tests::process::{Load, pause};
use std::time::Duration;

#[test]
fn each_member_in_turn_is_killed_under_load() {
    let mut cluster = cluster(3);
    let load = Load::start(&cluster, 3);
    for member in [1, 2, 3, 1] {
        pause(Duration::from_millis(500));
        cluster.kill(member);
        pause(Duration::from_millis(1_000));
        cluster.start(member);
        cluster.wait_until_level(member);
    }
    let mut ledger = load.finish(&cluster);
    assert_eq!(ledger.check(), Ok(()), "{}", cluster.story());
    assert!(ledger.pushed.len() > 100 && ledger.ids.len() > 100, "hardly anything was done");
    assert!(ledger.perhaps_pushed.is_empty(), "a quorum was there all the time");
}

#[test]
fn without_a_quorum_nothing_is_done_and_the_client_hears_why() {
    let mut cluster = cluster(3);
    let queue = cluster.blocking().create("letters").expect("create");
    cluster.kill(1);
    cluster.kill(2);
    let output = cluster.ctl_within(Duration::from_secs(3), &["push", &format!("@{queue}"), "a"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    cluster.start(2);
    let options = Options { servers: vec![cluster.server(2), cluster.server(3)], ..cluster.options() };
    let client = ftq_client::Blocking::open(options).expect("a client");
    assert_eq!(client.size(queue), Ok(0), "what was refused is never done");
    assert_eq!(client.push(queue, ["b"]), Ok(1));
}
