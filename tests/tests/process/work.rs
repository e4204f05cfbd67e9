//! What a work queue is for, by the library on real replicas: leases, waits, dead letters, keys, steps.

use super::cluster;
use ftq_client::{Answer, Blocking, Command, Error, Label, Limits, No, PushOptions, QueueId, Settings, Size};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn one_replica_does_the_work() {
    let cluster = cluster(1);
    work(&cluster.blocking(), &cluster.blocking());
}

#[test]
fn three_replicas_do_the_work() {
    let cluster = cluster(3);
    work(&cluster.blocking(), &cluster.blocking());
}

fn work(client: &Blocking, other: &Blocking) {
    let queue = client.create("work").expect("create");
    leases(client, queue);
    waits(client, other, queue);
    options(client, queue);
    dead_letters(client, queue);
    // What a client holds goes back when it closes its session.
    client.push(queue, ["held"]).expect("push");
    other.take(queue, 1, LONG, Duration::ZERO).expect("take");
    assert_eq!(client.size(queue), Ok(0));
    other.close().expect("close");
    assert_eq!(client.pop(queue).as_deref(), Ok(&b"held"[..]));
    assert_eq!(client.destroy(queue), Ok(0));
    limits(client);
}

/// The limit of memory makes pushes fail, and nothing else; a push that is too large is split when asked.
fn limits(client: &Blocking) {
    let queue = client.create("large").expect("create");
    let before = client.summary().expect("a summary").1;
    let chosen = ftqd::memory::limit().expect("a system that says what it has");
    assert_eq!(before.memory_bytes_max, chosen, "half of the machine's memory, as the first replica orders");
    let room = Limits { item_bytes_max: 1 << 20, memory_bytes_max: before.memory_bytes + 9_000_000 };
    client.limit(room).expect("limit");
    let large = vec![vec![7u8; 1_000_000]; 9];
    assert!(matches!(client.push(queue, large.clone()), Err(Error::TooLarge { .. })));
    let split = client.push_split(queue, large);
    assert_eq!(split.map_err(|split| (split.pushed, split.error)), Err((8, Error::No(No::MemoryLimit))));
    assert_eq!(client.push(queue, [vec![7; 1_000_000]]), Err(Error::No(No::MemoryLimit)));
    assert_eq!(client.pop(queue).map(|item| item.len()), Ok(1_000_000));
    assert_eq!(client.push_split(queue, [vec![7u8; 900_000], vec![8]]).map(|first| first.len()), Ok(1));
    client.limit(Limits::default()).expect("limit");
    client.destroy(queue).expect("destroy");
}

/// The process takes about what the limit says: the queue as much as that, and the log and the store what they
/// take of any load.
#[test]
fn the_memory_of_the_process_follows_the_limit() {
    const LIMIT: u64 = 96 << 20;
    const BESIDE: u64 = 160 << 20;
    let cluster = cluster(1);
    let client = cluster.blocking();
    let queue = client.create("large").expect("create");
    client.limit(Limits { item_bytes_max: 1 << 20, memory_bytes_max: LIMIT }).expect("limit");
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", cluster.process(1).expect("it runs")));
        let line = status.expect("its status").lines().find_map(|line| line.strip_prefix("VmRSS:").map(str::to_owned));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).expect("a number") << 10
    };
    let before = resident();
    let batch = vec![vec![7u8; 1_000]; 1_000];
    let refused = (0..200).find_map(|_| client.push(queue, batch.clone()).err());
    assert_eq!(refused, Some(Error::No(No::MemoryLimit)));
    let taken = resident() - before;
    assert!(taken < LIMIT + BESIDE, "{taken} bytes for a limit of {LIMIT}");
    let receipt = client.take(queue, 1, LONG, Duration::ZERO).expect("takes still work")[0].receipt;
    client.ack(queue, [receipt]).expect("acks still work");
    assert!(client.pop(queue).is_ok());
}

fn leases(client: &Blocking, queue: QueueId) {
    client.push(queue, ["a", "b"]).expect("push");
    let taken = client.take(queue, 5, LONG, Duration::ZERO).expect("take");
    let [a, b] = [taken[0].receipt, taken[1].receipt];
    assert!(a.token < b.token && taken[0].deliveries == 1 && taken[0].item == "a");
    assert_eq!(client.sizes(queue), Ok(Size { ready: 0, leased: 2, delayed: 0 }));
    client.touch(queue, [a], LONG).expect("touch");
    client.nack(queue, [a], Duration::ZERO).expect("nack");
    assert_eq!(client.ack(queue, [a]), Err(Error::No(No::NoSuchLease)));
    let again = client.take(queue, 1, LONG, Duration::ZERO).expect("take");
    assert!(again[0].deliveries == 2 && again[0].item == "a" && again[0].receipt.token > b.token);
    let ack = Command::Ack { queue, receipts: vec![again[0].receipt, b] };
    let push = Command::Push { queue, items: vec!["c".into()], options: PushOptions::default() };
    let answers = client.steps(vec![ack.clone(), push.clone()]).expect("steps");
    assert_eq!(answers, [Answer::Done { count: 2 }, Answer::Pushed { first: 3, count: 1 }]);
    assert_eq!(client.steps(vec![push, ack]), Err(Error::No(No::NoSuchLease)));
    assert_eq!(client.pop(queue).as_deref(), Ok(&b"c"[..]));
    assert_eq!(client.size(queue), Ok(0), "nothing was pushed by steps of which one failed");
}

/// One waits, another one pushes; and one waits in vain.
fn waits(client: &Blocking, other: &Blocking, queue: QueueId) {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| client.pop_many(queue, 1, LONG));
        while other.statistics(queue).expect("statistics").waiting == 0 {
            std::thread::yield_now();
        }
        other.push(queue, ["at last"]).expect("push");
        let popped = waiting.join().expect("it ends").expect("an item");
        assert_eq!(popped[0].1, "at last");
    });
    assert_eq!(client.take(queue, 1, LONG, SHORT), Err(Error::No(No::Empty)));
}

fn options(client: &Blocking, queue: QueueId) {
    let key = |text: &str| Label::parse(text.as_bytes()).ok();
    let last = PushOptions { priority: 7, key: key("once"), ..PushOptions::default() };
    let position = client.push_with(queue, ["last"], last.clone()).expect("push");
    assert_eq!(client.push_with(queue, ["again"], last), Ok(position), "the key is known");
    client.push_with(queue, ["later"], PushOptions { delay_ms: 3_600_000, ..PushOptions::default() }).expect("push");
    client.push_with(queue, ["gone"], PushOptions { ttl_ms: Some(1), ..PushOptions::default() }).expect("push");
    client.push(queue, ["first"]).expect("push");
    while client.statistics(queue).expect("statistics").totals.expired == 0 {
        std::thread::yield_now();
    }
    let seen = client.browse(queue, (0, 0), 10).expect("browse");
    assert_eq!(seen.iter().map(|seen| seen.item.as_ref()).collect::<Vec<_>>(), [b"first".as_slice(), b"last"]);
    client.pause(queue).expect("pause");
    assert_eq!(client.pop(queue), Err(Error::No(No::Paused)));
    client.resume(queue).expect("resume");
    assert_eq!(client.purge(queue), Ok(3));
    assert_eq!(client.list(QueueId(0), 10), Ok(vec![(queue, "work".to_owned())]));
}

fn dead_letters(client: &Blocking, queue: QueueId) {
    let dead = client.create("dead").expect("create");
    let settings =
        Settings { deliveries_max: Some(1), dead_letters: Some(dead), items_max: Some(1), ..Settings::default() };
    client.configure(queue, settings).expect("configure");
    client.push(queue, ["bad"]).expect("push");
    assert_eq!(client.push(queue, ["over"]), Err(Error::No(No::QueueFull)));
    let taken = client.take(queue, 1, SHORT, Duration::ZERO).expect("take");
    while client.size(dead) != Ok(1) {
        std::thread::yield_now();
    }
    assert_eq!(client.ack(queue, [taken[0].receipt]), Err(Error::No(No::NoSuchLease)), "its lease ran out");
    assert_eq!(client.send_back(dead, 10), Ok(1));
    assert_eq!(client.pop(queue).as_deref(), Ok(&b"bad"[..]));
    client.configure(queue, Settings::default()).expect("configure");
    client.destroy(dead).expect("destroy");
}
