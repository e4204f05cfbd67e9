//! What the core costs: printed, not judged. Times are of this machine; ratios and counts are the point.

use ftq_core::ids::MemberId;
use ftq_core::replica::Order;
use ftq_core::time::Span;
use ftq_tests::bench::cluster::{Cluster, Pace};

const LAN: Pace = Pace { hop: Span::micros(50), sync: Span::micros(200) };
const FAR: Pace = Pace { hop: Span::millis(1), sync: Span::micros(200) };

fn main() {
    traffic();
    view_change();
    cost();
}

fn member(n: u8) -> MemberId {
    MemberId::new(n).unwrap_or_else(|| unreachable!("members count from 1"))
}

/// Datagrams and bytes per request in steady state, and how long a request takes on ideal links.
fn traffic() {
    println!("steady state, bodies of 100 bytes, hop 50 us, sync 200 us, one client at member 1");
    println!("members  order     outstanding  datagrams/request  bytes/request  requests/slot  us/request (virtual)");
    for members in [3, 5] {
        for order in [Order::Rotating, Order::Fixed] {
            for outstanding in [1, 64] {
                let mut cluster = Cluster::new(members, order, LAN);
                cluster.load(member(1), outstanding, 100);
                cluster.answer(2_000);
                let (before, since) = (cluster.traffic(), cluster.now());
                cluster.answer(20_000);
                let (after, took) = (cluster.traffic(), cluster.now().since(since));
                #[expect(clippy::cast_precision_loss, reason = "figures for people")]
                let per = |n: u64, of: u64| n as f64 / of as f64;
                let requests = after.answered - before.answered;
                println!(
                    "{members:>7}  {:<8}  {outstanding:>11}  {:>17.2}  {:>13.0}  {:>13.1}  {:>20.1}",
                    format!("{order:?}").to_lowercase(),
                    per(after.datagrams - before.datagrams, requests),
                    per(after.bytes - before.bytes, requests),
                    per(requests, after.slots - before.slots),
                    per(took.0, requests),
                );
            }
        }
    }
}

/// From the death of a member to the next answer elsewhere.
fn view_change() {
    println!("\nview change: a member dies under load, hop 1 ms, sync 200 us, failure timeout 300 ms");
    for members in [3, 5] {
        let mut cluster = Cluster::new(members, Order::Rotating, FAR);
        cluster.load(member(1), 8, 100);
        cluster.answer(1_000);
        cluster.kill(member(2));
        let died = cluster.now();
        // What was under way is still answered; the gap is between the last of it and the first after it.
        let mut longest = Span::ZERO;
        let mut last = died;
        while cluster.now().since(died) < Span::secs(1) {
            let answer = cluster.next_answer();
            longest = longest.max(answer.since(last));
            last = answer;
        }
        println!("{members} members: longest time without an answer {:.1} ms", longest.0 as f64 / 1_000.0);
    }
}

/// Wall time and allocations per request, three replicas in one thread.
fn cost() {
    println!("\ncost of the core alone, three replicas in one thread, bodies of 100 bytes (goal: under 2 us at 64)");
    println!("order     outstanding  ns/request  allocations/request");
    for order in [Order::Rotating, Order::Fixed] {
        for outstanding in [1, 64, 256] {
            let mut cluster = Cluster::new(3, order, LAN);
            cluster.load(member(1), outstanding, 100);
            cluster.answer(50_000);
            const REQUESTS: u64 = 500_000;
            #[expect(clippy::disallowed_methods, reason = "a benchmark measures the real time that it takes")]
            let start = std::time::Instant::now();
            let allocations = allocation_counter::measure(|| cluster.answer(REQUESTS)).count_total;
            let took = start.elapsed();
            println!(
                "{:<8}  {outstanding:>11}  {:>10.0}  {:>19.2}",
                format!("{order:?}").to_lowercase(),
                took.as_secs_f64() * 1e9 / REQUESTS as f64,
                allocations as f64 / REQUESTS as f64,
            );
        }
    }
}
