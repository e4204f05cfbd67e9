//! kill -9 at random moments, also while the store is opened: what was reported is there again.
//!
//! The test runs itself once more as the victim, which says on its standard output what was reported
//! to it. `FTQ_KILLS=300 cargo test -p ftq-storage --test kill` kills more often.

#![expect(clippy::disallowed_methods, reason = "real threads and processes take real time")]

mod common;

use common::*;
use ftq_core::chance::Chance;
use ftq_core::ids::{Digest, Slot};
use ftq_core::store::{Job, Opened, Report};
use ftq_storage::Done;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::tempdir;

/// Set for the victim: the store's directory.
const VICTIM: &str = "FTQ_VICTIM";

/// How often it is killed if nobody says otherwise.
const KILLS: u64 = 25;

/// It is killed within this time after it was started; opening takes a part of it.
const LIFE_MS_MAX: u64 = 400;

/// What was reported to all victims so far.
#[derive(Debug, Default)]
struct Reported {
    promise: u64,
    view: u64,
    /// The end of the log in that view.
    end: u64,
    delivered: u64,
    snapshot: u64,
}

#[test]
fn what_was_reported_survives_kill_9() {
    let directory = tempdir().unwrap();
    let kills = std::env::var("FTQ_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let seed = std::env::var("FTQ_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("FTQ_KILLS={kills} FTQ_SEED={seed}");
    let mut chance = Chance::new(seed);
    let mut reported = Reported::default();
    for kill in 0..kills {
        live_and_die(directory.path(), Duration::from_millis(chance.below(LIFE_MS_MAX)), &mut reported);
        if kill % 3 == 0 {
            check(&Bench::open(directory.path()).1, &reported);
        }
    }
    let (_bench, opened) = Bench::open(directory.path());
    check(&opened, &reported);
    println!("{reported:?}");
    assert!(reported.delivered > 0 && reported.view > 0, "the victims lived long enough to do something");
}

/// Starts a victim, kills it after `life`, and takes down what was reported to it.
fn live_and_die(directory: &Path, life: Duration, reported: &mut Reported) {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture", "--ignored"])
        .env(VICTIM, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap());
    let reader = std::thread::spawn(move || lines.lines().map_while(Result::ok).collect::<Vec<String>>());
    std::thread::sleep(life);
    victim.kill().unwrap();
    let said = victim.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(!said.contains("panicked"), "the victim must not die by itself: {said}");
    for line in reader.join().unwrap() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word: &&str| word.parse::<u64>().ok());
        // A line that was cut off says nothing.
        match (words[0], number(1), number(2), words.last()) {
            ("promised", Some(promise), _, Some(&"ok")) => reported.promise = promise,
            ("durable", Some(view), Some(end), Some(&"ok")) => (reported.view, reported.end) = (view, end),
            ("delivered", Some(upto), _, Some(&"ok")) => reported.delivered = reported.delivered.max(upto),
            ("snapshot", Some(slot), _, Some(&"ok")) => reported.snapshot = slot,
            _ => {}
        }
    }
}

fn check(opened: &Opened, reported: &Reported) {
    let base = opened.snapshot.as_ref().map_or((Slot(0), Digest(0)), |s| (s.slot, s.digest));
    let log: Vec<_> = opened.delivered.iter().chain(&opened.tail).collect();
    let mut before = base.1;
    for (record, k) in log.iter().zip(base.0.0 + 1..) {
        assert_eq!(**record, slot(k, record.view.number, before, record.content.len()), "{reported:?}");
        before = record.digest;
    }
    let end = base.0.0 + log.len() as u64;
    let delivered = base.0.0 + opened.delivered.len() as u64;
    assert!(opened.promise.number >= reported.promise, "{:?} {reported:?}", opened.promise);
    assert!(delivered >= reported.delivered && base.0.0 >= reported.snapshot, "{base:?} {delivered} {reported:?}");
    assert!(opened.view.ballot.number >= reported.view, "{:?} {reported:?}", opened.view);
    if opened.view.ballot.number == reported.view {
        assert!(end >= reported.end, "{end} {reported:?}");
    }
}

/// Not a test: what the test above starts and kills.
#[test]
#[ignore = "it is started by the test above"]
fn victim() {
    let Some(directory) = std::env::var_os(VICTIM) else { return };
    let (mut bench, opened) = Bench::open(Path::new(&directory));
    let base = opened.snapshot.as_ref().map_or((0, Digest(0)), |s| (s.slot.0, s.digest));
    let mut log: Vec<_> = opened.delivered.into_iter().chain(opened.tail).collect();
    let mut view = opened.view.ballot.number;
    let mut delivered = 0;
    for round in 1.. {
        let (end, digest) = log.last().map_or(base, |last| (last.slot.0, last.digest));
        if round % 5 == 0 {
            // The last two slots were perhaps never committed: a new view replaces them.
            let kept = log.len().saturating_sub(2).max(log.iter().filter(|r| r.slot.0 <= delivered).count());
            log.truncate(kept);
            let (keep, digest) = log.last().map_or(base, |last| (last.slot.0, last.digest));
            view += 1;
            bench.submit(Job::Promise { ballot: ballot(view) });
            say(&mut bench, view, |report| matches!(report, Report::Durable { .. }), &format!("promised {view} ok"));
            let slots = slots(keep, digest, 3, view, 500);
            log.extend(slots.clone());
            let id = bench.submit(install(view, keep, slots));
            say(&mut bench, view, |report| matches!(report, Report::Durable { job, .. } if *job == id), "");
            continue;
        }
        let slots = slots(end, digest, 1 + round % 7, view, 300);
        log.extend(slots.clone());
        let id = bench.submit(append(slots));
        if end > delivered {
            delivered = end;
            bench.submit(Job::Deliver { upto: Slot(end) });
        }
        say(&mut bench, view, |report| matches!(report, Report::Durable { job, .. } if *job == id), "");
        if round % 16 == 0 {
            let upto = delivered;
            say(&mut bench, view, |report| *report == Report::Delivered { upto: Slot(upto) }, "");
            let at = log.iter().find(|record| record.slot.0 == upto).unwrap().clone();
            bench.submit(Job::Snapshot {
                snapshot: snapshot(&at, &[b"same", &vec![at.digest.0.to_le_bytes()[0]; 70_000]]),
            });
            bench.submit(Job::Cut { below: Slot(upto) });
            say(&mut bench, view, |report| *report == Report::Snapshotted { slot: at.slot }, "");
        }
    }
}

/// Waits for a report and passes on all that came until then.
fn say(bench: &mut Bench, view: u64, is_it: impl Fn(&Report) -> bool, and: &str) {
    let mut out = std::io::stdout().lock();
    loop {
        let Done::Report(report) = bench.next() else { continue };
        let line = match report {
            Report::Durable { end, .. } if and.is_empty() => format!("durable {view} {end} ok"),
            Report::Durable { .. } => String::new(),
            Report::Delivered { upto } => format!("delivered {upto} ok"),
            Report::Snapshotted { slot } => format!("snapshot {slot} ok"),
            Report::NearlyFull(_) => String::new(),
            Report::Failed => panic!("the store failed"),
        };
        writeln!(out, "{line}").unwrap();
        if is_it(&report) {
            writeln!(out, "{and}").unwrap();
            out.flush().unwrap();
            return;
        }
    }
}
