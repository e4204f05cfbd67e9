//! Each operation, by the library and by `ftqctl`, does what it says: with one replica and with three.

use super::cluster;
use ftq_client::{Blocking, Error, No, QueueId};
use ftq_tests::process::Cluster;

#[test]
fn one_replica_does_every_operation() {
    every_operation(&cluster(1));
}

#[test]
fn three_replicas_do_every_operation() {
    every_operation(&cluster(3));
}

#[test]
fn ftqctl_does_every_operation_with_one_replica() {
    every_command(&cluster(1));
}

#[test]
fn ftqctl_does_every_operation_with_three_replicas() {
    every_command(&cluster(3));
}

fn every_operation(cluster: &Cluster) {
    every_operation_of(&cluster.blocking());
}

pub(super) fn every_operation_of(client: &Blocking) {
    let queue = client.create("letters").expect("create");
    assert_eq!(client.create("letters"), Ok(queue), "a label names one queue");
    assert_eq!(client.id("letters"), Ok(queue));
    assert_eq!(client.id("parcels"), Err(Error::No(No::NoSuchLabel)));
    assert_eq!(client.size(queue), Ok(0));
    assert_eq!(client.top(queue), Err(Error::No(No::Empty)));
    assert_eq!(client.pop(queue), Err(Error::No(No::Empty)));

    assert_eq!(client.push(queue, ["a", "b"]), Ok(1));
    assert_eq!(client.push(queue, [""]), Ok(3), "an item of no bytes is an item");
    assert_eq!(client.size(queue), Ok(3));
    assert_eq!(client.top(queue).as_deref(), Ok(&b"a"[..]));
    for item in ["a", "b", ""] {
        assert_eq!(client.pop(queue).as_deref(), Ok(item.as_bytes()));
    }

    let large: Vec<u8> = (0..1u32 << 18).flat_map(u32::to_be_bytes).collect();
    client.push(queue, [large.clone()]).expect("the largest item");
    assert!(client.top(queue).as_deref() == Ok(&large[..]) && client.pop(queue).as_deref() == Ok(&large[..]));
    assert_eq!(client.push(queue, [vec![7; (1 << 20) + 1]]), Err(Error::No(No::ItemTooLarge)));
    client.push(queue, vec![large.clone(); 7]).expect("a request of 7 MiB");
    for _ in 0..7 {
        assert!(client.pop(queue).as_deref() == Ok(&large[..]));
    }
    assert!(matches!(client.push(queue, vec![large; 8]), Err(Error::TooLarge { .. })));
    assert_eq!(client.size(queue), Ok(0));

    assert_eq!(client.get_ids("invoice", 1), Ok(1..2));
    assert_eq!(client.get_ids("invoice", 10), Ok(2..12));
    assert_eq!(client.get_ids("order", 1), Ok(1..2), "each name is a sequence of its own");

    assert_eq!(client.destroy(queue).map(drop), Ok(()));
    assert_eq!(client.destroy(queue), Err(Error::No(No::NoSuchQueue)));
    assert_eq!(client.push(queue, ["late"]), Err(Error::No(No::NoSuchQueue)));
    let next = client.create("letters").expect("the label is free again");
    assert!(next > queue && next != QueueId(0), "an id is never used again");
}

fn every_command(cluster: &Cluster) {
    let says = |arguments: &[&str], out: &str| {
        let output = cluster.ctl(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {error}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), out, "{arguments:?}");
        assert_eq!(error, "", "{arguments:?}");
    };
    let fails = |arguments: &[&str], code: i32, reason: &str| {
        let output = cluster.ctl(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(reason) && error.lines().count() == 1, "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    };
    says(&["create", "letters"], "1\n");
    says(&["id", "letters"], "1\n");
    fails(&["id", "parcels"], 1, "parcels: no such label");
    fails(&["pop", "letters"], 1, "letters: empty");
    fails(&["top", "@1"], 1, "@1: empty");
    says(&["push", "letters", "a", "b"], "");
    says(&["push", "@1", "c d"], "");
    says(&["size", "letters"], "3\n");
    says(&["top", "letters"], "a\n");
    says(&["pop", "letters"], "a\n");
    says(&["pop", "@1"], "b\n");
    says(&["pop", "letters"], "c d\n");
    says(&["getid"], "1\n");
    says(&["getid", "invoice", "--count", "3"], "1\n2\n3\n");
    says(&["destroy", "letters"], "");
    fails(&["destroy", "@1"], 1, "@1: no such queue");
    fails(&["pop", "@one"], 64, "the id of a queue");
    fails(&["shove", "letters"], 64, "shove");
    fails(&["--server", "192.0.2.1:7410", "size", "x"], 64, "give --key");

    let status = cluster.ctl(&["status"]);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert_eq!(status.status.code(), Some(0), "{text}");
    assert_eq!(text.matches("serves").count(), cluster.members().count(), "{text}");
    assert!(text.contains("quorum: yes"), "{text}");
}
