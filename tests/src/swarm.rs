//! Many seeds on all cores: progress while they run, then what happened, then the verdict.

use crate::counts::{Count, Counts};
use crate::faults::Profile;
use crate::run::{Verdict, catch_panics, run};
use crate::trace::Trace;
use std::io::{IsTerminal, Write, stderr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// In so many seeds everything that is counted must have happened.
const EVERYTHING_HAPPENS: u64 = 1_000;

/// How often progress is shown: to a person, and in a log.
const PROGRESS: Duration = Duration::from_millis(200);
const PROGRESS_IN_LOG: Duration = Duration::from_secs(15);

/// What has come out so far.
#[derive(Default)]
struct Sum {
    counts: Counts,
    passed: u64,
    failed: Vec<Verdict>,
}

/// Runs one seed; whether it passed.
pub fn one(profile: Profile, seed: u64, trace: bool) -> bool {
    catch_panics();
    let verdict = run(profile, seed, if trace { Trace::Print } else { Trace::Off });
    println!("{}", verdict.counts);
    tell(profile, &verdict);
    let passed = verdict.violation.is_none();
    println!("{} passed, {} failed", u8::from(passed), u8::from(!passed));
    passed
}

/// Runs `seeds` seeds from `from` on; whether all passed and all that is counted has happened.
pub fn many(profile: Profile, from: u64, seeds: u64) -> bool {
    catch_panics();
    let next = AtomicU64::new(from);
    let done = AtomicU64::new(0);
    let sum = Mutex::new(Sum::default());
    #[expect(clippy::disallowed_methods, reason = "how fast the simulator is, is a matter of real time")]
    let began = std::time::Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed - from >= seeds {
                        break;
                    }
                    let verdict = run(profile, seed, Trace::Off);
                    let mut sum = sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    sum.counts.merge(&verdict.counts);
                    if verdict.violation.is_none() {
                        sum.passed += 1;
                    } else {
                        tell(profile, &verdict);
                        sum.failed.push(verdict);
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        show_progress(&done, seeds);
    });
    let sum = sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let passed = conclude(profile, &sum, seeds, began.elapsed());
    println!("{} passed, {} failed", sum.passed, sum.failed.len());
    passed
}

/// Shows how far the seeds are, until they are done.
#[expect(clippy::disallowed_methods, reason = "the command waits for its threads, which wait for nothing")]
fn show_progress(done: &AtomicU64, seeds: u64) {
    let on_terminal = stderr().is_terminal();
    let pause = if on_terminal { PROGRESS } else { PROGRESS_IN_LOG };
    let step = Duration::from_millis(20);
    let mut shown = Duration::ZERO;
    let mut passed = Duration::ZERO;
    while done.load(Ordering::Relaxed) < seeds {
        std::thread::sleep(step);
        passed += step;
        if passed - shown >= pause {
            shown = passed;
            let done = done.load(Ordering::Relaxed);
            let (start, end) = if on_terminal { ("\r", "") } else { ("", "\n") };
            let mut out = stderr();
            // Progress that can't be shown is no reason to stop.
            let _ = write!(out, "{start}{done} of {seeds} seeds after {} s{end}", passed.as_secs());
            let _ = out.flush();
        }
    }
    if on_terminal {
        eprintln!();
    }
}

/// Says what did not hold, and how to see it again.
fn tell(profile: Profile, verdict: &Verdict) {
    if let Some(violation) = &verdict.violation {
        println!("seed {}: {violation}", verdict.seed);
        let options = profile.options();
        println!("    cargo run --release -p ftq-tests --bin ftq-sim -- --seed {}{options} --trace", verdict.seed);
    }
}

/// Prints what happened and how fast; whether all passed and all that is counted has happened.
fn conclude(profile: Profile, sum: &Sum, seeds: u64, took: Duration) -> bool {
    println!("{}", sum.counts);
    let per_second = |n: u64| n as f64 / took.as_secs_f64();
    let happenings = per_second(sum.counts.of(Count::Happenings));
    println!("{:.0} seeds a minute, {happenings:.0} happenings a second", per_second(seeds) * 60.0);
    let mut by_name: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for violation in sum.failed.iter().filter_map(|verdict| verdict.violation.as_ref()) {
        *by_name.entry(violation.invariant.name()).or_default() += 1;
    }
    for (name, times) in &by_name {
        println!("{times:>14}  seeds broke {name}");
    }
    let all = profile == Profile::Mix && seeds >= EVERYTHING_HAPPENS;
    let missing: Vec<&str> = if all { sum.counts.missing().collect() } else { Vec::new() };
    if !missing.is_empty() {
        println!("never happened, so the run shows nothing about it: {}", missing.join(", "));
    }
    sum.failed.is_empty() && missing.is_empty()
}
