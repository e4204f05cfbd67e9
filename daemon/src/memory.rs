//! How much memory this machine has, for the first limit of a new cluster.

use std::fs;

/// What the queues of a new cluster may take: half of the memory that this process may use. `None` if the system does
/// not say how much that is.
pub fn limit() -> Option<u64> {
    let of_machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text))?;
    let of_service = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| confined(&text));
    Some(of_machine.min(of_service.unwrap_or(u64::MAX)) / 2)
}

/// The machine's memory by `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The limit of the service's control group, if it has one of its own.
fn confined(cgroup: &str) -> Option<u64> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    fs::read_to_string(format!("/sys/fs/cgroup{path}/memory.max")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_machine_is_read() {
        assert_eq!(total("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(total("MemFree: 1 kB"), None);
        assert_eq!(total("MemTotal: much"), None);
        assert!(limit().is_some_and(|bytes| bytes > 1 << 20));
    }
}
