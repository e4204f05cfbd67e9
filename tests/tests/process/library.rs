//! What the library does for a program beside the calls: the examples of its page under each executor, workers, and
//! the classic calls, on a real cluster of three.

use super::cluster;
use ftq_client::{Decoded, Error, FtQueue, No, Place, RequestKind, Worked};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

#[expect(unreachable_pub, dead_code, reason = "an example is a program of its own")]
#[path = "../../../ctl/client/examples/smol.rs"]
mod under_smol;
#[expect(unreachable_pub, dead_code, reason = "an example is a program of its own")]
#[path = "../../../ctl/client/examples/tokio.rs"]
mod under_tokio;
#[expect(unreachable_pub, dead_code, reason = "an example is a program of its own")]
#[path = "../../../ctl/client/examples/worker.rs"]
mod worker;

/// A lease that is over soon, and that a busy machine still keeps up.
const SHORT: Duration = Duration::from_secs(2);

#[test]
fn the_examples_do_what_they_say() {
    let cluster = cluster(3);
    assert_eq!(smol::block_on(under_smol::letters(cluster.options())).expect("letters"), 100);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(runtime.block_on(under_tokio::invoices(cluster.options())).expect("invoices"), 10);
    assert_eq!(worker::work(cluster.options()).expect("work"), 3);
}

/// A handler that takes three times as long as its lease keeps it, under an executor and without one.
#[test]
fn a_lease_is_kept_while_its_item_is_handled() {
    let cluster = cluster(3);
    let client = cluster.blocking();
    let queue = client.create("jobs").expect("create");
    let worker = client.worker(queue).lease(SHORT).wait(Duration::ZERO);
    client.push(queue, ["a", "b"]).expect("push");
    let slow = worker.one_blocking(|_| {
        ftq_tests::process::pause(SHORT * 3);
        Ok::<(), ()>(())
    });
    assert_eq!(slow, Ok(Worked::Done));
    let slow = smol::block_on(worker.one(async |_| {
        smol::Timer::after(SHORT * 3).await;
        Ok::<(), ()>(())
    }));
    assert_eq!(slow, Ok(Worked::Done));
    let totals = client.statistics(queue).expect("statistics").totals;
    assert_eq!((totals.acked, totals.returned), (2, 0));
    assert_eq!(worker.one_blocking(|_| Ok::<(), ()>(())), Ok(Worked::Nothing));
}

#[test]
fn what_fails_or_panics_is_sent_back() {
    let cluster = cluster(3);
    let client = cluster.blocking();
    let queue = client.create("jobs").expect("create");
    let worker = client.worker(queue).wait(Duration::ZERO).delay(Duration::ZERO);
    client.push(queue, ["a"]).expect("push");
    assert_eq!(worker.one_blocking(|_| Err("no")), Ok(Worked::SentBack));
    assert_eq!(smol::block_on(worker.one(async |_| Err("no"))), Ok(Worked::SentBack));
    let panics = catch_unwind(AssertUnwindSafe(|| worker.one_blocking::<()>(|_| panic!("a bug of the handler"))));
    assert!(panics.is_err(), "a panic goes on");
    let panics = catch_unwind(AssertUnwindSafe(|| {
        smol::block_on(worker.one::<_, ()>(async |_| panic!("a bug of the handler")))
    }));
    assert!(panics.is_err(), "a panic goes on");
    let last = worker.one_blocking(|delivery| {
        assert_eq!((delivery.deliveries, &delivery.item[..]), (5, &b"a"[..]), "it was back each time");
        client.nack(queue, [delivery.receipt], Duration::ZERO)
    });
    assert_eq!(last, Ok(Worked::Late), "somebody else has ended the lease");
}

#[test]
fn the_classic_calls_work_with_integers() {
    let cluster = cluster(3);
    let queues = FtQueue::open(cluster.options()).expect("a client");
    assert_eq!(queues.q_id(-7), Ok(-1));
    let queue = queues.q_create(-7).expect("create");
    assert_eq!((queues.q_create(-7), queues.q_id(-7)), (Ok(queue), Ok(queue)));
    assert_eq!(queues.q_pop(queue), Err(Error::No(No::Empty)));
    for item in [i32::MIN, -1, 0, i32::MAX] {
        queues.q_push(queue, item).expect("push");
    }
    assert_eq!((queues.q_size(queue), queues.q_top(queue)), (Ok(4), Ok(i32::MIN)));
    assert_eq!(cluster.ctl(&["pop", "--", "-7"]).stdout, b"-2147483648\n", "ftqctl reads them");
    assert_eq!([queues.q_pop(queue), queues.q_pop(queue), queues.q_pop(queue)], [Ok(-1), Ok(0), Ok(i32::MAX)]);
    for item in ["text", "2147483648", "", "1.0"] {
        cluster.blocking().push(cluster.blocking().id("-7").expect("an id"), [item]).expect("push");
        assert_eq!(queues.q_top(queue), Err(Error::NotAnInteger));
        assert_eq!(queues.q_pop(queue), Err(Error::NotAnInteger));
    }
    assert_eq!(queues.q_push(-1, 0), Err(Error::No(No::NoSuchQueue)));
    assert_eq!(queues.q_destroy(queue), Ok(()));
    assert_eq!((queues.q_destroy(queue), queues.q_id(-7)), (Err(Error::No(No::NoSuchQueue)), Ok(-1)));
}

/// A thousand tasks push an item each at the same time: each is told its own position, and few requests were ordered.
#[test]
fn single_pushes_at_the_same_time_go_in_few_requests() {
    const TASKS: u64 = 1_000;
    let cluster = cluster(3);
    let client = cluster.blocking();
    let queue = client.create("letters").expect("create");
    let mut positions = smol::block_on(async {
        let push = |n: u64| {
            let client = client.client().clone();
            async move { client.push(queue, [n.to_string()]).await.expect("push") }
        };
        let executor = smol::LocalExecutor::new();
        let tasks: Vec<_> = (0..TASKS).map(|n| executor.spawn(push(n))).collect();
        executor
            .run(async {
                let mut positions = Vec::new();
                for task in tasks {
                    positions.push(task.await);
                }
                positions
            })
            .await
    });
    let mut items: Vec<(u64, String)> = Vec::new();
    while (items.len() as u64) < TASKS {
        let popped = client.pop_many(queue, TASKS, Duration::ZERO).expect("pop");
        items.extend(popped.into_iter().map(|(at, item)| (at, String::from_utf8_lossy(&item).into_owned())));
    }
    for (n, position) in (0..).zip(&positions) {
        assert!(items.contains(&(*position, n.to_string())), "item {n} is where its push was told");
    }
    positions.sort_unstable();
    assert_eq!(positions, (1..=TASKS).collect::<Vec<u64>>());

    let (mut next, mut pushes) = (Place { slot: 1, position: 0 }, 0);
    loop {
        let page = client.log_page(next).expect("the log");
        let commands = page.slots.iter().flat_map(|slot| &slot.requests).filter(|it| it.kind == RequestKind::Command);
        pushes += commands.filter(|request| Decoded::of(request).name() == "push").count();
        next = page.next;
        if next.slot > page.applied.0 {
            break;
        }
    }
    assert!((1..100).contains(&pushes), "{pushes} requests");
}

/// One of many that can't be done takes none of the others down.
#[test]
fn a_push_that_is_refused_is_refused_alone() {
    let cluster = cluster(3);
    let client = cluster.blocking();
    let queue = client.create("letters").expect("create");
    let large = vec![7u8; (1 << 20) + 1];
    let ended: Vec<Result<u64, Error>> = smol::block_on(async {
        let executor = smol::LocalExecutor::new();
        let push = |n: usize| {
            let item = if n % 10 == 9 { large.clone() } else { vec![1] };
            let client = client.client().clone();
            async move { client.push(queue, [item]).await }
        };
        let tasks: Vec<_> = (0..50).map(|n| executor.spawn(push(n))).collect();
        executor
            .run(async {
                let mut ended = Vec::new();
                for task in tasks {
                    ended.push(task.await);
                }
                ended
            })
            .await
    });
    for (n, ended) in ended.iter().enumerate() {
        assert_eq!(ended.is_err(), n % 10 == 9, "{n}: {ended:?}");
    }
    assert!(ended.iter().filter_map(|ended| ended.as_ref().err()).all(|error| *error == Error::No(No::ItemTooLarge)));
    assert_eq!(client.size(queue), Ok(45));
}
