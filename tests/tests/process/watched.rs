//! What a machine that watches gets to see: metrics that parse and move, checks that fail when they should; and a
//! server for it that strangers can't harm.

use super::cluster;
use ftq_tests::process::{CEILING, Cluster, Ticks, pause};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// What is posted is no older than this, and a little.
const POSTED: Duration = Duration::from_millis(1_200);

#[test]
fn metrics_parse_and_move() {
    let cluster = cluster(3);
    let client = cluster.blocking();
    let queue = client.create("letters").expect("create");
    pause(POSTED);
    let before: Vec<Scrape> = cluster.members().map(|member| Scrape::of(&cluster, member)).collect();
    for number in 0..50 {
        client.push(queue, [number.to_string()]).expect("push");
    }
    client.pop(queue).expect("pop");
    pause(POSTED);
    let after: Vec<Scrape> = cluster.members().map(|member| Scrape::of(&cluster, member)).collect();
    let sum =
        |scrapes: &[Scrape], name: &str| scrapes.iter().filter_map(|scrape| scrape.samples.get(name)).sum::<f64>();
    let grown = |name: &str| sum(&after, name) - sum(&before, name);
    assert!(grown("ftq_request_seconds_sum{operation=\"push\"}") > 0.0);
    for (name, least) in [
        // A client that gets no answer for a tenth of a second asks again, and that counts again.
        ("ftq_requests_total{operation=\"push\"}", 50.0),
        ("ftq_requests_total{operation=\"pop\"}", 1.0),
        ("ftq_request_seconds_count{operation=\"push\"}", 50.0),
        ("ftq_slots_applied_total", 51.0 * 3.0),
        ("ftq_commit_seconds_count", 51.0 * 3.0),
        ("ftq_batch_requests_sum", 51.0),
        ("ftq_sync_seconds_count{thread=\"journal\"}", 51.0 * 2.0),
        ("ftq_sync_seconds_count{thread=\"archive\"}", 1.0),
        ("ftq_link_total{count=\"packets_sent\"}", 51.0),
        ("ftq_peer_port_total{count=\"opened\"}", 51.0),
        ("ftq_loop_turns_total", 51.0),
        ("process_cpu_seconds_total", 0.0),
    ] {
        assert!(grown(name) >= least, "{name} has grown by {}", grown(name));
    }
    for scrape in &after {
        for (name, value) in [
            ("ftq_serving", 1.0),
            ("ftq_role{role=\"sequencer\"}", 1.0),
            ("ftq_view_members", 3.0),
            ("ftq_lag_slots", 0.0),
            ("ftq_queues", 1.0),
            ("ftq_items", 49.0),
            ("ftq_disk_nearly_full", 0.0),
        ] {
            assert_eq!(scrape.samples.get(name), Some(&value), "{name}");
        }
        for name in
            ["ftq_disk_free_bytes", "process_resident_memory_bytes", "process_open_fds", "ftq_memory_limit_bytes"]
        {
            assert!(scrape.samples.get(name).is_some_and(|value| *value > 0.0), "{name}");
        }
    }
}

#[test]
fn who_does_not_serve_is_not_ready_and_lives() {
    let mut cluster = cluster(3);
    assert_eq!(get(cluster.watched(3), "/readyz").0, 200);
    cluster.kill(1);
    cluster.kill(2);
    let clock = Ticks::start();
    while get(cluster.watched(3), "/readyz").0 == 200 {
        assert!(clock.passed() < CEILING, "it hears a quorum of one");
        clock.pause();
    }
    let (status, checks) = get(cluster.watched(3), "/readyz?verbose");
    assert_eq!(status, 503);
    assert!(checks.contains("FAIL serving: view") && checks.contains("ok   loop: "), "{checks}");
    assert_eq!(get(cluster.watched(3), "/livez"), (200, "ok\n".to_owned()));
    let scrape = Scrape::of(&cluster, 3);
    assert_eq!(scrape.samples["ftq_serving"], 0.0);
    assert_eq!(scrape.samples["ftq_member_heard{member=\"1\"}"], 0.0);
}

/// Nonsense is refused or cut off, too many connections wait, and the replica serves all the while.
#[test]
fn strangers_do_no_harm() {
    let cluster = cluster(1);
    let address = cluster.watched(1);
    let client = cluster.blocking();
    let queue = client.create("letters").expect("create");
    let idle: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(address).expect("it is in the queue")).collect();
    client.push(queue, ["a"]).expect("the replica serves");
    drop(idle);
    let long = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'x'; 20_000], b"\r\n\r\n".to_vec()].concat();
    for (said, status) in [
        (&b"\r\n\r\n"[..], "400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "400"),
        (b"DELETE /metrics HTTP/1.1\r\n\r\n", "405"),
        (b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", "404"),
        (&long, "431"),
        (b"GET /livez HTTP/1.1\r\n\r\n", "200"),
    ] {
        let answer = say(address, said);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert_eq!(client.size(queue), Ok(1));
}

/// What one replica shows at one moment, if it is as the format wants it.
#[derive(Debug)]
struct Scrape {
    samples: BTreeMap<String, f64>,
}

impl Scrape {
    fn of(cluster: &Cluster, member: u8) -> Scrape {
        let (status, text) = get(cluster.watched(member), "/metrics");
        assert_eq!(status, 200);
        Scrape::parse(&text).unwrap_or_else(|what| panic!("{what}\n{text}"))
    }

    fn parse(text: &str) -> Result<Scrape, String> {
        let mut families: BTreeMap<String, (String, bool)> = BTreeMap::new();
        let mut samples: BTreeMap<String, f64> = BTreeMap::new();
        let mut current = String::new();
        let mut buckets: Option<(String, f64)> = None;
        let body = text.strip_suffix("# EOF\n").ok_or("it has no end")?;
        for line in body.lines() {
            if let Some(head) = line.strip_prefix("# TYPE ") {
                let (name, kind) = head.split_once(' ').ok_or(line)?;
                if families.insert(name.to_owned(), (kind.to_owned(), false)).is_some() {
                    return Err(format!("{name} has two heads"));
                }
                current = name.to_owned();
            } else if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, _) = help.split_once(' ').ok_or(line)?;
                families.get_mut(name).ok_or(line)?.1 = true;
            } else {
                let (key, value) = line.rsplit_once(' ').ok_or(line)?;
                let value: f64 = value.parse().map_err(|_| line)?;
                let name = key.split('{').next().ok_or(line)?;
                let (kind, _) = families.get(&current).ok_or(line)?;
                let suffix = name.strip_prefix(&current).ok_or_else(|| format!("{line} is not of {current}"))?;
                let fits = match kind.as_str() {
                    "gauge" => suffix.is_empty(),
                    "counter" => suffix == "_total" && value >= 0.0,
                    "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
                    _ => false,
                };
                if !fits || samples.insert(key.to_owned(), value).is_some() {
                    return Err(format!("{line} does not fit, or is there twice"));
                }
                if suffix == "_bucket" {
                    let series = key.split("le=\"").next().ok_or(line)?.to_owned();
                    if buckets.as_ref().is_some_and(|(of, upto)| *of == series && *upto > value) {
                        return Err(format!("{line} is less than the one before"));
                    }
                    buckets = Some((series, value));
                } else if suffix == "_count" && buckets.as_ref().is_none_or(|(_, all)| *all != value) {
                    return Err(format!("{line} is not what the last bucket holds"));
                }
            }
        }
        match families.iter().find(|(_, (_, has_help))| !has_help) {
            Some((name, _)) => Err(format!("{name} is not explained")),
            None => Ok(Scrape { samples }),
        }
    }
}

#[test]
fn a_scrape_that_is_wrong_is_noticed() {
    let good = "# TYPE a counter\n# HELP a A.\na_total 1\n# EOF\n";
    assert!(Scrape::parse(good).is_ok());
    for (from, to) in
        [("# EOF\n", ""), ("a_total", "a"), ("a_total 1", "a_total x"), ("# HELP a A.\n", ""), ("a_total", "b_total")]
    {
        assert!(Scrape::parse(&good.replace(from, to)).is_err(), "{from} to {to}");
    }
    let histogram =
        "# TYPE a histogram\n# HELP a A.\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 3\na_sum 4\na_count 3\n# EOF\n";
    assert!(Scrape::parse(histogram).is_ok());
    assert!(
        Scrape::parse(&histogram.replace("\"} 2", "\"} 5")).is_err()
            && Scrape::parse(&histogram.replace("count 3", "count 2")).is_err()
    );
}

/// The status and the body of an answer.
fn get(address: SocketAddr, target: &str) -> (u16, String) {
    let answer = say(address, format!("GET {target} HTTP/1.1\r\nHost: ftq\r\n\r\n").as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    (status, body.to_owned())
}

fn say(address: SocketAddr, what: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(CEILING)).expect("a timeout");
    // Who is refused early may be cut off in the middle of what it says.
    let _ = stream.write_all(what);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
