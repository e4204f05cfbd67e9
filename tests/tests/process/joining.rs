//! A replica is told one member's address, and learns the rest: it comes in, is found again, and stays out where it is
//! not wanted.

use super::program;
use super::told::{Told, until};
use ftq_client::{Blocking, Options, QueueId};
use ftq_tests::process::Cluster;
use std::fs;

/// A small journal: there are many replicas.
const LINES: &str = "journal = \"32 MiB\"\ndisk-low = 0";

/// A cluster whose founders run and serve.
fn founded(founders: u8, newcomers: u8) -> Told {
    let mut cluster = Cluster::with_newcomers(program(), founders, newcomers, LINES);
    (1..=founders).for_each(|me| cluster.start(me));
    let told = Told { cluster };
    until(|| told.ctl("create letters").status.code(), |code| *code == Some(0));
    told
}

/// A client of one member alone.
fn client(cluster: &Cluster, member: u8) -> Blocking {
    Blocking::open(Options { servers: vec![cluster.server(member)], ..cluster.options() }).expect("a client")
}

/// Starts a newcomer, and waits until the first member has found it.
fn arrives(told: &mut Told, me: u8) {
    told.cluster.start(me);
    until(|| told.cluster.said(1), |said| said.contains(&format!("member {me} is at 127.")));
    until(|| told.json("status"), |it| it["servers"][usize::from(me) - 1]["state"] == "learner");
}

/// By this member alone the next item is this one, as soon as it serves.
fn pops(told: &Told, member: u8, queue: QueueId, item: &str) {
    let popped = until(|| client(&told.cluster, member).pop(queue).ok(), Option::is_some);
    assert_eq!(popped.as_deref(), Some(item.as_bytes()));
}

fn voters(told: &Told) -> Vec<u64> {
    let seen = told.json("members");
    let members = seen["members"].as_array().expect("members");
    members.iter().filter(|it| it["votes"] == true).filter_map(|it| it["member"].as_u64()).collect()
}

#[test]
fn one_address_is_enough_to_come_in_and_not_needed_to_come_back() {
    let mut told = founded(3, 1);
    told.says("push letters a b c d", "");
    arrives(&mut told, 4);
    told.says_in_time("member add 4");
    until(|| voters(&told), |voters| *voters == [1, 2, 3, 4]);
    let queue = client(&told.cluster, 4).id("letters").expect("it is there");
    pops(&told, 4, queue, "a");

    // Whoever it came in by is gone, and it begins again.
    told.cluster.kill(1);
    told.cluster.kill(4);
    told.cluster.start(4);
    pops(&told, 4, queue, "b");

    // Two of the three that run have it in no file; they begin again, all three at once, without the first.
    told.cluster.kill_all();
    [2, 3, 4].into_iter().for_each(|me| told.cluster.start(me));
    pops(&told, 4, queue, "c");

    // What was learned may be lost, too, while somebody can be asked.
    told.cluster.start(1);
    told.cluster.kill(4);
    fs::write(told.cluster.data(4).join("addresses"), "nonsense").expect("a file");
    told.cluster.start(4);
    told.cluster.wait_until_said("addresses is damaged: where the other members are is learned anew");
    pops(&told, 4, queue, "d");
    told.cluster.wait_until_level(4);
}

#[test]
fn a_cluster_grows_from_one_and_shrinks_to_one() {
    let mut told = founded(1, 5);
    told.says("push letters a", "");
    for me in 2..=5 {
        arrives(&mut told, me);
        told.says_in_time(&format!("member add {me}"));
    }
    until(|| voters(&told), |voters| *voters == [1, 2, 3, 4, 5]);
    told.cluster.wait_until_said("with a new disk this replica would begin another cluster. Say join = [\"127.");
    arrives(&mut told, 6);
    told.says_in_time("member replace 5 6");
    until(|| voters(&told), |voters| *voters == [1, 2, 3, 4, 6]);
    for me in [6, 4, 3, 2] {
        told.says_in_time(&format!("member remove {me}"));
        assert!(told.cluster.ended(me).code().is_some(), "who was removed stops");
    }
    until(|| voters(&told), |voters| *voters == [1]);
    told.says("pop letters", "a\n");
}

#[test]
fn a_stranger_without_the_key_learns_nothing() {
    let mut told = founded(3, 1);
    let file = told.cluster.configuration(4);
    let text = fs::read_to_string(&file).expect("a configuration").replace("\"keys\"", "\"other\"");
    fs::write(&file, text).expect("a configuration");
    let other = file.with_file_name("other");
    let made = told.cluster.ctl(&["key", "new", "--file", other.to_str().expect("a path")]);
    assert!(made.status.success());
    told.cluster.start(4);
    told.cluster.wait_until_said("(`join`): does a member run there");
    told.fails("member add 4", 1, "no replica with that id is heard here");
    assert!(!told.cluster.data(4).join("addresses").exists());
    assert!(!told.cluster.said(4).contains(" is at "), "{}", told.cluster.said(4));
}

#[test]
fn the_second_with_an_id_says_so_and_ends() {
    let mut told = founded(3, 2);
    arrives(&mut told, 4);
    told.says_in_time("member add 4");
    let file = told.cluster.configuration(5);
    let text = fs::read_to_string(&file).expect("a configuration").replace("me = 5", "me = 4");
    fs::write(&file, text).expect("a configuration");
    told.cluster.start(5);
    assert_eq!(told.cluster.ended(5).code(), Some(78), "{}", told.cluster.said(5));
    assert!(told.cluster.said(5).contains("me = 4: another replica that runs is member 4, at 127."));
    client(&told.cluster, 4).id("letters").expect("the first one serves");
}
