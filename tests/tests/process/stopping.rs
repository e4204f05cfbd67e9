//! A member is told to stop: it hands over and ends well, no client sees an error, and the service manager is told.

use super::{cluster, program};
use ftq_tests::process::{Cluster, Load, pause};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Stopping takes two seconds at most; a loaded machine may need as much to notice that it has ended.
const STOPPED: Duration = Duration::from_secs(4);

#[test]
fn each_member_in_turn_is_told_to_stop_under_load() {
    let mut cluster = cluster(3);
    let load = Load::start(&cluster, 3);
    for member in [1, 2, 3, 2] {
        pause(Duration::from_millis(300));
        let (status, took) = cluster.stop(member);
        assert!(status.success() && took < STOPPED, "member {member}: {status}, {took:?}");
        assert!(cluster.said(member).contains("the others go on without this replica"), "{}", cluster.story());
        pause(Duration::from_millis(300));
        cluster.start(member);
        cluster.wait_until_level(member);
    }
    let mut ledger = load.finish(&cluster);
    assert_eq!(ledger.check(), Ok(()), "{}", cluster.story());
    assert!(ledger.pushed.len() > 100 && ledger.ids.len() > 100, "hardly anything was done");
    assert!(ledger.is_untroubled(), "{ledger:?}");
}

#[test]
fn all_are_told_to_stop_at_once_and_come_back() {
    let mut cluster = cluster(3);
    let client = cluster.blocking();
    let queue = client.create("letters").expect("create");
    client.push(queue, ["a"]).expect("push");
    cluster.members().for_each(|member| cluster.signal(member, "INT"));
    for member in cluster.members() {
        assert!(cluster.ended(member).success(), "{}", cluster.story());
    }
    cluster.start_all();
    assert_eq!(cluster.blocking().pop(queue).as_deref(), Ok(&b"a"[..]));
}

/// The others stand still, so there is nobody to hand over to for a while; there is no need to wait for them.
#[test]
fn told_twice_it_stops_at_once() {
    let mut cluster = cluster(3);
    for other in [2, 3] {
        cluster.signal(other, "STOP");
    }
    cluster.signal(1, "TERM");
    cluster.signal(1, "TERM");
    let status = cluster.ended(1);
    assert!(status.success(), "{status}");
    for other in [2, 3] {
        cluster.signal(other, "CONT");
    }
    cluster.start(1);
    cluster.wait_until_level(1);
}

#[test]
fn the_service_manager_is_told() {
    let name = format!("ftq-notify-{}", std::process::id());
    let listener =
        SocketAddr::from_abstract_name(&name).and_then(|name| UnixDatagram::bind_addr(&name)).expect("a socket");
    listener.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let mut cluster = Cluster::new(program(), 1);
    cluster.start_in(1, &[("NOTIFY_SOCKET", &format!("@{name}")), ("WATCHDOG_USEC", "1000000")]);
    told(&listener, |line| line == "READY=1");
    told(&listener, |line| line.starts_with("STATUS=serving, takes turns, view 1.1 of 1, slot"));
    for _ in 0..4 {
        told(&listener, |line| line == "WATCHDOG=1");
    }
    cluster.signal(1, "TERM");
    told(&listener, |line| line == "STOPPING=1");
    assert!(cluster.ended(1).success(), "{}", cluster.story());
}

/// Reads what the service manager is told, up to a line like this.
fn told(listener: &UnixDatagram, wanted: impl Fn(&str) -> bool) {
    let mut buffer = [0; 4_096];
    loop {
        let n = listener.recv(&mut buffer).expect("something is told in time");
        if String::from_utf8_lossy(&buffer[..n]).lines().any(&wanted) {
            return;
        }
    }
}
