//! Pushes on three replicas with synced disks, through the client library.

use super::usage::{Run, cpu_seconds};
use crate::process::{Cluster, Ticks};
use ftq_client::{Client, Options};
use std::path::Path;
use std::time::Duration;

/// What is pushed.
pub const ITEM_BYTES: usize = 100;

/// How long is measured, after a second that is not.
pub(super) const MEASURED: Duration = Duration::from_secs(5);
pub(super) const WARM_UP: Duration = Duration::from_secs(1);

/// Measures with so many pushes under way.
pub fn measure(program: &Path, outstanding: usize) -> Run {
    measure_from(program, outstanding, || ())
}

/// The same; `begins` is called when the measured time does.
pub fn measure_from(program: &Path, outstanding: usize, begins: impl FnOnce()) -> Run {
    let cluster = Cluster::started(program, 3);
    let window = u64::try_from(outstanding).expect("a small number");
    let client = Client::open(Options { window, ..cluster.options() }).expect("a client");
    let processes: Vec<u32> = cluster.members().filter_map(|member| cluster.process(member)).collect();
    push_for(&client, outstanding, WARM_UP);
    let before = cpu_seconds(&processes);
    begins();
    let clock = Ticks::start();
    let latencies = push_for(&client, outstanding, MEASURED);
    Run::new(latencies, clock.passed(), cpu_seconds(&processes) - before)
}

/// Pushes from so many tasks, and says how long each push took.
fn push_for(client: &Client, outstanding: usize, length: Duration) -> Vec<Duration> {
    let queue = smol::block_on(client.create("bench")).expect("the cluster serves");
    let clock = Ticks::start();
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let pusher = || async {
            let mut latencies = Vec::new();
            while clock.passed() < length {
                let one = Ticks::start();
                client.push(queue, [vec![b'x'; ITEM_BYTES]]).await.expect("the cluster serves");
                latencies.push(one.passed());
            }
            latencies
        };
        let tasks: Vec<_> = (0..outstanding).map(|_| executor.spawn(pusher())).collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await);
        }
        latencies
    }))
}
