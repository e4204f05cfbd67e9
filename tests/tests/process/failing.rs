//! A disk that refuses a write: the replica ends with a code of its own and what the system said, the cluster goes on,
//! and it can be started again at once.

use super::cluster;
use ftq_tests::process::{Load, pause};
use std::process::Command;
use std::time::Duration;

/// The exit code of a write or a sync that has failed.
const FAILED: i32 = 73;

/// More than a log has, and less than a journal goes round in.
const FILE_BYTES: u64 = 256 << 10;

#[test]
fn a_write_that_fails_ends_the_replica_and_nothing_is_lost() {
    let mut cluster = cluster(3);
    let load = Load::start(&cluster, 3);
    for member in [1, 2, 3] {
        pause(Duration::from_millis(300));
        // From now on each write so far into a file fails, as on a disk that is full or broken.
        let process = cluster.process(member).expect("it runs").to_string();
        let limited = Command::new("prlimit").args(["--pid", &process, &format!("--fsize={FILE_BYTES}")]).status();
        assert!(limited.is_ok_and(|status| status.success()), "prlimit");
        assert_eq!(cluster.ended(member).code(), Some(FAILED), "{}", cluster.story());
        let said = cluster.said(member);
        let last = said.lines().last().expect("it says why");
        assert!(last.contains("a write or a sync of the store in ") && last.contains("File too large"), "{last}");
        pause(Duration::from_millis(300));
        cluster.start(member);
        cluster.wait_until_level(member);
    }
    let mut ledger = load.finish(&cluster);
    assert_eq!(ledger.check(), Ok(()), "{}", cluster.story());
    assert!(ledger.pushed.len() > 50, "hardly anything was done");
}
