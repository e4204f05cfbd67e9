//! What a run of a benchmark took: time for each operation, and processor time of the servers.

use std::fs;
use std::time::Duration;

/// The clock ticks in which Linux counts processor time, the same on all of its platforms.
const TICKS_PER_SECOND: f64 = 100.0;

/// A finished run.
#[derive(Debug)]
pub struct Run {
    latencies: Vec<Duration>,
    took: Duration,
    /// Processor seconds of all servers together.
    cpu_seconds: f64,
}

impl Run {
    /// A run that took so long for operations that took so long each.
    pub fn new(mut latencies: Vec<Duration>, took: Duration, cpu_seconds: f64) -> Run {
        assert!(!latencies.is_empty(), "a run does something");
        latencies.sort_unstable();
        Run { latencies, took, cpu_seconds }
    }

    /// Operations a second.
    pub fn per_second(&self) -> f64 {
        self.count() / self.took.as_secs_f64()
    }

    /// So many of a hundred operations took no longer, in microseconds.
    pub fn percentile_us(&self, percent: usize) -> f64 {
        let at = (self.latencies.len() * percent / 100).min(self.latencies.len() - 1);
        self.latencies[at].as_secs_f64() * 1e6
    }

    /// Processor time of all servers together for one operation, in microseconds.
    pub fn cpu_us_per_operation(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.count()
    }

    /// How many operations.
    pub fn count(&self) -> f64 {
        u32::try_from(self.latencies.len()).map_or(f64::INFINITY, f64::from)
    }
}

/// The processor time that these processes have used so far, in seconds.
pub fn cpu_seconds(processes: &[u32]) -> f64 {
    let ticks = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The name, in parentheses, may hold anything: the fields are counted from behind it.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>()
    };
    processes.iter().map(ticks).sum::<f64>() / TICKS_PER_SECOND
}

/// The most memory that a process has had so far, in bytes.
pub(super) fn peak_bytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a process has memory");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes << 10
}
