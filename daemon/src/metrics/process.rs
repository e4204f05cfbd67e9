//! What the system knows of this process, asked for when somebody wants to see it.

use super::page::Page;
use std::fs;

/// The ticks in which the system counts processor time, in a second: the same on every Linux of today.
const TICKS: f64 = 100.0;

/// As a part of a scrape: nothing where the system does not say.
pub(crate) fn text() -> String {
    let mut page = Page::default();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold anything: what is wanted stands behind it.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    if let (Some(user), Some(system)) = (field(11), field(12)) {
        page.counter("process_cpu_seconds", &[], (user + system) / TICKS);
    }
    if let Some(bytes) = status_kib("VmRSS:").map(|kib| kib * 1024) {
        page.gauge("process_resident_memory_bytes", &[], bytes);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        page.gauge("process_open_fds", &[], open.count());
    }
    if let Some(most) = limit("Max open files") {
        page.gauge("process_max_fds", &[], most);
    }
    if let (Some(booted), Some(started)) = (booted(), field(19)) {
        page.gauge("process_start_time_seconds", &[], booted + started / TICKS);
    }
    page.into_text()
}

fn status_kib(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix(" kB")?.parse().ok()
}

fn limit(name: &str) -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn booted() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}
