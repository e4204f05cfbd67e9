//! Keys: how they are made, who is refused without one, and that they are changed without a stop.

use super::{cluster, program};
use ftq_client::{Blocking, Options};
use ftq_tests::process::Cluster;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::Duration;

fn ftqctl(arguments: &[&str]) -> Output {
    Command::new(program()).arg("ftqctl").args(arguments).output().expect("ftqctl runs")
}

#[test]
fn key_new_adds_lines_to_a_file_that_nobody_else_can_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ftq.key");
    let file = path.to_str().expect("a path");
    assert!(ftqctl(&["key", "new", "--file", file]).status.success());
    assert!(ftqctl(&["key", "new", "--file", file, "--client", "billing", "--role", "read"]).status.success());
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let keys = ftq_net::keys::read(&path).expect("a key file");
    assert_eq!((keys.cluster.len(), keys.clients.len()), (1, 1));
    assert_eq!(keys.clients[0].name, "billing");

    let printed = String::from_utf8(ftqctl(&["key", "new", "--client", "x"]).stdout).expect("text");
    assert!(printed.starts_with("client x write ") && printed.len() == 15 + 64 + 1, "{printed}");

    let twice = ftqctl(&["key", "new", "--file", file, "--client", "billing"]);
    assert_eq!(twice.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("this name is there twice"));
    assert_eq!(ftqctl(&["key", "new", "--role", "read"]).status.code(), Some(64));
    assert_eq!(ftqctl(&["key", "new", "--client", "a b"]).status.code(), Some(64));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let open = ftqctl(&["key", "new", "--file", file]);
    assert_eq!(open.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&open.stderr).contains("others can read"));
}

#[test]
fn a_key_file_that_others_can_read_or_that_has_no_key_is_refused() {
    let mut cluster = Cluster::new(program(), 3);
    fs::set_permissions(cluster.keys(), fs::Permissions::from_mode(0o644)).expect("it is ours");
    cluster.start(1);
    assert_eq!(cluster.ended(1).code(), Some(78));
    assert!(cluster.story().contains("others can read"), "{}", cluster.story());
    fs::set_permissions(cluster.keys(), fs::Permissions::from_mode(0o600)).expect("it is ours");
    fs::write(cluster.keys(), "# nothing\n").expect("it is ours");
    cluster.start(2);
    assert_eq!(cluster.ended(2).code(), Some(78));
    assert!(cluster.story().contains("there is no `cluster` key"), "{}", cluster.story());
}

/// The new key is added everywhere, then comes first everywhere, then is the only one: one replica after
/// the other, while a client works.
#[test]
fn the_cluster_key_is_changed_without_a_stop() {
    let mut cluster = cluster(3);
    let client = cluster.blocking();
    let queue = client.create("letters").expect("create");
    let old = fs::read_to_string(cluster.keys()).expect("keys");
    let new = old.trim_end().chars().rev().take(64).collect::<String>();
    let new = format!("cluster {new}\n");
    let mut pushed = 0;
    for keys in [format!("{old}{new}"), format!("{new}{old}"), new] {
        fs::write(cluster.keys(), keys).expect("keys");
        for member in 1..=3 {
            cluster.kill(member);
            pushed += 1;
            client.push(queue, [pushed.to_string()]).expect("two of three are a quorum");
            cluster.start(member);
            cluster.wait_until_level(member);
        }
    }
    assert_eq!(client.size(queue), Ok(pushed));
}

/// Two of three have one key, the third another: the two go on, and each side says whom it can't hear, and why.
#[test]
fn a_replica_with_another_key_takes_no_part_and_it_is_said_why() {
    let mut cluster = cluster(3);
    cluster.kill(3);
    fs::write(cluster.keys(), format!("cluster {}\n", "ab".repeat(32))).expect("keys");
    cluster.start(3);
    let options = Options { servers: vec![cluster.server(3)], timeout: Duration::from_secs(2), ..Options::default() };
    let alone = Blocking::open(options).expect("a client");
    assert!(alone.create("letters").is_err(), "it hears nobody");
    assert!(cluster.blocking().create("letters").is_ok());
    for member in 1..=3 {
        cluster.wait_until_said(&format!("member {member} can't be heard"));
    }
    both_are_named(&cluster, [(1, 3), (3, 1)], "theirs is called ", ", here is ");
}

/// The same for one that was told another name of the cluster.
#[test]
fn a_replica_of_another_cluster_is_told_from_one_with_another_key() {
    let mut cluster = cluster(2);
    cluster.kill(1);
    let file = cluster.keys().with_file_name("1.toml");
    let text = fs::read_to_string(&file).expect("a configuration");
    let data = format!("data-dir = \"{}\"", cluster.data(1).display());
    let elsewhere = data.replace("data-1", "elsewhere");
    fs::write(&file, text.replace("\"test\"", "\"toast\"").replace(&data, &elsewhere)).expect("a configuration");
    cluster.start(1);
    for member in 1..=2 {
        cluster.wait_until_said(&format!("member {member} can't be heard"));
    }
    cluster.wait_until_said("`cluster` is not the same in both configurations");
    both_are_named(&cluster, [(1, 2), (2, 1)], "theirs is called ", ", this one ");
}

/// What one side calls theirs is what the other calls its own.
fn both_are_named(cluster: &Cluster, sides: [(u8, u8); 2], theirs: &str, own: &str) {
    let named = sides.map(|(here, there)| {
        let said = cluster.said(here);
        let line = said.lines().find(|line| line.contains(&format!("member {there} can't be heard")));
        let line = line.unwrap_or_else(|| panic!("{here} says nothing of {there}:\n{said}"));
        let (_, names) = line.split_once(theirs).unwrap_or_else(|| panic!("{line}"));
        let (theirs, rest) = names.split_once(own).unwrap_or_else(|| panic!("{line}"));
        (theirs.to_owned(), rest.split_once(')').expect("it ends").0.to_owned())
    });
    assert!(named[0].0 == named[1].1 && named[0].1 == named[1].0 && named[0].0 != named[0].1, "{named:?}");
}

/// A store of one cluster is none of another: it is not opened, and both are named.
#[test]
fn a_store_of_another_cluster_is_refused() {
    let mut cluster = cluster(1);
    cluster.kill(1);
    let file = cluster.configuration(1);
    let text = fs::read_to_string(&file).expect("a configuration");
    fs::write(&file, text.replace("\"test\"", "\"toast\"")).expect("a configuration");
    cluster.start(1);
    assert_eq!(cluster.ended(1).code(), Some(74), "{}", cluster.story());
    cluster.wait_until_said("the store belongs to cluster ");
    cluster.wait_until_said("`cluster` in the configuration means ");
    fs::write(&file, text).expect("a configuration");
    cluster.start(1);
    cluster.blocking().summary().expect("it is as it was");
}

/// Who was told another order than most is not let in, and ends with both values in its last line; the others say
/// so too, and go on.
#[test]
fn a_member_with_another_order_is_refused() {
    let mut cluster = cluster(3);
    cluster.kill(3);
    let file = cluster.configuration(3);
    let text = fs::read_to_string(&file).expect("a configuration");
    fs::write(&file, format!("order = \"fixed\"\n{text}")).expect("a configuration");
    cluster.start(3);
    assert_eq!(cluster.ended(3).code(), Some(78), "{}", cluster.story());
    let said = cluster.said(3);
    let last = said.lines().last().expect("it says why");
    assert!(last.contains("order is \"fixed\" here and \"rotating\" at 1, 2"), "{last}");
    cluster.wait_until_said("3 is told the order \"fixed\", and this one \"rotating\"");
    cluster.blocking().create("letters").expect("two of three are a quorum");
}

/// Whatever a stranger sends to the port for peers is neither answered nor of any effect.
#[test]
fn strangers_get_no_answer_from_the_port_for_peers() {
    let cluster = cluster(3);
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    stranger.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
    let mut peer = cluster.server(1);
    peer.set_port(7411);
    for length in [0, 1, 45, 61, 62, 63, 1_400, 60_000] {
        for fill in [0, 1, 255] {
            stranger.send_to(&vec![fill; length], peer).expect("loopback takes a datagram");
        }
    }
    assert!(stranger.recv(&mut [0; 1_500]).is_err(), "no answer");
    cluster.blocking().create("letters").expect("the cluster serves");
}
