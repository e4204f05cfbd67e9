//! Clients with keys: what each role may do, and that without one there is nothing.

use super::{operations, program};
use ftq_client::{Blocking, Error, Options, key};
use ftq_tests::process::{Cluster, pause};
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

/// A cluster that serves no client without a key.
fn cluster(size: u8) -> Cluster {
    Cluster::configured(program(), size, "client-plain = \"off\"")
}

fn client(cluster: &Cluster, file: &Path) -> Blocking {
    let key = key(file).expect("a key file");
    Blocking::open(Options { key: Some(key), ..cluster.options() }).expect("a client")
}

#[test]
fn every_operation_works_sealed_with_one_replica() {
    let mut cluster = cluster(1);
    let app = cluster.client_key("app", "write");
    cluster.start_all();
    operations::every_operation_of(&client(&cluster, &app));
}

#[test]
fn every_operation_works_sealed_with_three_replicas() {
    let mut cluster = cluster(3);
    let app = cluster.client_key("app", "write");
    cluster.start_all();
    operations::every_operation_of(&client(&cluster, &app));
}

#[test]
fn a_role_allows_what_it_says_and_no_more() {
    let mut cluster = cluster(1);
    let [app, watch] = [("app", "write"), ("watch", "read")].map(|(name, role)| cluster.client_key(name, role));
    cluster.start_all();
    let (app, watch) = (client(&cluster, &app), client(&cluster, &watch));
    let queue = app.create("letters").expect("a writer creates");
    assert_eq!(watch.create("parcels"), Err(Error::NotAllowed));
    assert_eq!(watch.push(queue, ["a"]), Err(Error::NotAllowed));
    assert_eq!(watch.id("letters"), Ok(queue), "a reader asks");
    assert_eq!(app.size(queue), Ok(0));
    assert!(cluster.story().contains("watch at"), "it is logged: {}", cluster.story());
    let server = vec![cluster.server(1)];
    let options = Options { servers: server, timeout: Duration::from_secs(1), ..Options::default() };
    let plain = Blocking::open(options).expect("a client");
    assert_eq!(plain.size(queue), Err(Error::Unreachable), "plain is off");
}

#[test]
fn a_client_goes_on_when_a_replica_has_forgotten_it() {
    let mut cluster = cluster(3);
    let app = cluster.client_key("app", "write");
    cluster.start_all();
    let client = client(&cluster, &app);
    let queue = client.create("letters").expect("create");
    for member in 1..=3 {
        cluster.kill(member);
        client.push(queue, ["a"]).expect("two of three are a quorum");
        cluster.start(member);
        pause(Duration::from_millis(500));
    }
    assert_eq!(client.size(queue), Ok(3));
}

/// `ftqctl` with a key, and a stranger who gets no answer at all.
#[test]
fn ftqctl_takes_a_key_and_a_stranger_gets_no_answer() {
    let mut cluster = cluster(1);
    let app = cluster.client_key("app", "write");
    let app = app.to_str().expect("a path");
    cluster.start_all();
    assert!(cluster.ctl(&["--key", app, "create", "letters"]).status.success());
    assert!(cluster.ctl(&["--key", app, "push", "letters", "a"]).status.success());
    assert_eq!(cluster.ctl(&["--key", app, "pop", "letters"]).stdout, b"a\n");
    let missing = cluster.ctl(&["--key", "/nowhere", "pop", "letters"]);
    assert_eq!(missing.status.code(), Some(64));
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    stranger.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
    for length in [0, 1, 128, 1_400, 60_000] {
        for fill in [0, 0x93, 0x96, 255] {
            stranger.send_to(&vec![fill; length], cluster.server(1)).expect("loopback takes a datagram");
        }
    }
    assert!(stranger.recv(&mut [0; 1_500]).is_err(), "no answer");
}
