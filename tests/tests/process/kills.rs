//! Members are killed under load, with `kill -9`: nothing that was acknowledged is lost, nothing is done twice.

use super::cluster;
use ftq_client::Options;
use ftq_tests::process::{Load, Ticks, pause};
use std::time::Duration;

/// For so long members are killed in turn; FTQ_KILLS_SECONDS says otherwise.
const KILLS: Duration = Duration::from_secs(20);

#[test]
fn each_member_in_turn_is_killed_under_load() {
    let asked = std::env::var("FTQ_KILLS_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let length = asked.map_or(KILLS, Duration::from_secs);
    let mut cluster = cluster(3);
    let load = Load::start(&cluster, 3);
    let (clock, mut kills) = (Ticks::start(), 0);
    for member in [1, 2, 3].into_iter().cycle() {
        pause(Duration::from_millis(500));
        cluster.kill(member);
        kills += 1;
        pause(Duration::from_millis(1_000));
        cluster.start(member);
        cluster.wait_until_level(member);
        if clock.passed() > length {
            break;
        }
    }
    let mut ledger = load.finish(&cluster);
    assert_eq!(ledger.check(), Ok(()), "{}", cluster.story());
    println!("{kills} kills in {} s: {}", clock.passed().as_secs(), ledger.summary());
    assert!(kills >= 3 && ledger.pushed.len() > 100 && ledger.ids.len() > 100, "hardly anything was done");
    assert!(ledger.is_untroubled(), "a quorum was there all the time: {}", ledger.summary());
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
