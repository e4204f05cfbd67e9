//! What was acknowledged is there after all members were killed, and a member that missed it catches up.

use super::{cluster, program};
use ftq_tests::process::{Cluster, Load, pause};
use std::fs;
use std::path::Path;
use std::time::Duration;

#[test]
fn one_replica_is_killed_again_and_again() {
    let mut cluster = cluster(1);
    let load = Load::start(&cluster, 3);
    for _ in 0..3 {
        pause(Duration::from_millis(500));
        cluster.kill(1);
        cluster.start(1);
    }
    pause(Duration::from_millis(500));
    assert_eq!(load.finish(&cluster).check(), Ok(()));
}

/// The first view takes all of them; who comes first waits for the others, and stays.
#[test]
fn members_start_in_any_order() {
    for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
        let mut cluster = Cluster::new(program(), 3);
        for member in order {
            cluster.start(member);
            pause(Duration::from_millis(200));
        }
        let client = cluster.blocking();
        let queue = client.create("letters").expect("create");
        cluster.kill_all();
        for member in order {
            cluster.start(member);
            pause(Duration::from_millis(200));
        }
        assert_eq!(client.push(queue, ["a"]), Ok(1), "{order:?}");
        cluster.members().for_each(|member| cluster.wait_until_level(member));
    }
}

#[test]
fn all_members_are_killed_at_once_and_started_again() {
    let mut cluster = cluster(3);
    let load = Load::start(&cluster, 3);
    for _ in 0..2 {
        pause(Duration::from_millis(500));
        cluster.kill_all();
        cluster.start_all();
        cluster.blocking().summary().expect("it serves again");
    }
    pause(Duration::from_millis(500));
    assert_eq!(load.finish(&cluster).check(), Ok(()));
    cluster.members().for_each(|member| cluster.wait_until_level(member));
}

#[test]
fn a_member_that_was_away_catches_up() {
    let mut cluster = cluster(3);
    let client = cluster.blocking();
    let queue = client.create("letters").expect("create");
    cluster.kill(3);
    for number in 0..300 {
        client.push(queue, [number.to_string()]).expect("two of three are a quorum");
    }
    cluster.start(3);
    cluster.wait_until_level(3);
    cluster.kill(1);
    assert_eq!(client.pop(queue).as_deref(), Ok(&b"0"[..]), "the one that was away knows it all");
}

#[test]
fn a_member_whose_disk_is_an_older_copy_catches_up() {
    let mut cluster = cluster(3);
    let client = cluster.blocking();
    let queue = client.create("letters").expect("create");
    client.push(queue, ["old"]).expect("push");
    cluster.wait_until_level(2);
    cluster.kill(2);
    let older = cluster.data(2).with_extension("older");
    copy(&cluster.data(2), &older);
    cluster.start(2);
    cluster.wait_until_level(2);
    for number in 0..300 {
        client.push(queue, [number.to_string()]).expect("push");
    }
    cluster.wait_until_level(2);
    cluster.kill(2);
    fs::remove_dir_all(cluster.data(2)).expect("it can be removed");
    fs::rename(&older, cluster.data(2)).expect("it can be put in its place");
    cluster.start(2);
    cluster.wait_until_level(2);
    assert_eq!(client.size(queue), Ok(301));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let (source, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("an entry");
        if source.is_dir() {
            copy(&source, &to.join(name));
        } else {
            fs::copy(&source, to.join(name)).expect("a file can be copied");
        }
    }
}
