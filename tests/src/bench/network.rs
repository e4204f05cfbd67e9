//! What of the network a push takes: packets and bytes as this machine's loopback counts them, where a burst
//! of segments is one packet. Nothing else should talk on it meanwhile.

use super::service;
use std::fs;
use std::path::Path;

/// What one push takes.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Pushes in a second.
    pub per_second: f64,
    /// Packets for each, those of the client and of all three replicas.
    pub packets: f64,
    /// Bytes for each, with their IP and UDP headers.
    pub bytes: f64,
    /// Processor time of the three replicas for each, in microseconds.
    pub cpu_us: f64,
}

/// Measures with so many pushes under way.
pub fn measure(program: &Path, outstanding: usize) -> Cost {
    let mut before = (0.0, 0.0);
    let run = service::measure_from(program, outstanding, || before = loopback());
    let after = loopback();
    Cost {
        per_second: run.per_second(),
        packets: (after.0 - before.0) / run.count(),
        bytes: (after.1 - before.1) / run.count(),
        cpu_us: run.cpu_us_per_operation(),
    }
}

/// Packets and bytes that loopback has carried.
fn loopback() -> (f64, f64) {
    let table = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let line = table.lines().find_map(|line| line.trim().strip_prefix("lo:")).unwrap_or_default();
    let fields: Vec<f64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    (fields.get(1).copied().unwrap_or_default(), fields.first().copied().unwrap_or_default())
}
