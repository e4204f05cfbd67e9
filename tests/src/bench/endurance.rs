//! What a long run does to a service: how its memory grows with the requests, and how long a replica with a large store
//! takes to be ready.

use super::service::ITEM_BYTES;
use super::usage::peak_bytes;
use crate::process::{CEILING, Cluster, Ticks, pause};
use ftq_client::{Client, Options, QueueId};
use smol::LocalExecutor;
use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

const QUEUE: &str = "endurance";

/// How many requests are under way at once.
const OUTSTANDING: usize = 256;

/// How many items go into one request where a store is filled.
const AT_ONCE: u64 = 1_000;

/// The peak of a replica's memory after fewer and after more requests.
#[derive(Clone, Copy, Debug)]
pub struct Peaks {
    /// After the fewer.
    pub early_bytes: u64,
    /// After the more.
    pub late_bytes: u64,
}

impl Peaks {
    /// By how many percent it has grown.
    pub fn growth(&self) -> f64 {
        let [early, late] =
            [self.early_bytes, self.late_bytes].map(|bytes| u32::try_from(bytes >> 10).unwrap_or(u32::MAX));
        (f64::from(late) / f64::from(early) - 1.0) * 100.0
    }
}

/// The peaks of three replicas, while items are pushed and popped by turns, so that the queue stays short.
pub fn peaks(program: &Path, early: u64, late: u64) -> Vec<Peaks> {
    let cluster = Cluster::started(program, 3);
    let client = client(&cluster);
    let queue = smol::block_on(client.create(QUEUE)).expect("the cluster serves");
    let processes: Vec<u32> = cluster.members().filter_map(|member| cluster.process(member)).collect();
    let requests = Cell::new(0);
    let measure = |upto| {
        push_and_pop(&client, queue, &requests, upto);
        processes.iter().map(|process| peak_bytes(*process)).collect::<Vec<u64>>()
    };
    let (early, late) = (measure(early), measure(late));
    early.into_iter().zip(late).map(|(early_bytes, late_bytes)| Peaks { early_bytes, late_bytes }).collect()
}

fn push_and_pop(client: &Client, queue: QueueId, requests: &Cell<u64>, upto: u64) {
    at_once(|| async {
        while requests.get() < upto {
            requests.set(requests.get() + 2);
            client.push(queue, [vec![b'x'; ITEM_BYTES]]).await.expect("the cluster serves");
            client.pop(queue).await.expect("as many were pushed before");
        }
    });
}

/// How long a replica that is alone and holds so many items takes from its start to `ready`, after a kill.
pub fn start(program: &Path, items: u64) -> Duration {
    let mut cluster = Cluster::started(program, 1);
    fill(&client(&cluster), items);
    cluster.kill(1);
    let before = cluster.story().len();
    let clock = Ticks::start();
    cluster.start(1);
    while !cluster.story()[before..].contains("ready: ") {
        assert!(clock.passed() < CEILING, "it does not become ready: {}", cluster.story());
        pause(Duration::from_millis(5));
    }
    let took = clock.passed();
    let client = cluster.blocking();
    let queue = client.id(QUEUE).expect("it serves");
    assert_eq!(client.size(queue), Ok(items), "all of them are there");
    took
}

fn fill(client: &Client, items: u64) {
    let queue = smol::block_on(client.create(QUEUE)).expect("the cluster serves");
    let left = Cell::new(items);
    at_once(|| async {
        while left.get() > 0 {
            let count = left.get().min(AT_ONCE);
            left.set(left.get() - count);
            client.push(queue, (0..count).map(|_| vec![b'x'; ITEM_BYTES])).await.expect("the cluster serves");
        }
    });
}

fn client(cluster: &Cluster) -> Client {
    Client::open(Options { window: OUTSTANDING as u64, ..cluster.options() }).expect("a client")
}

/// Does it in so many tasks, until all have ended.
fn at_once<F: Future<Output = ()>>(task: impl Fn() -> F) {
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let tasks: Vec<_> = (0..OUTSTANDING).map(|_| executor.spawn(task())).collect();
        for task in tasks {
            task.await;
        }
    }));
}
