//! How the servers are: each one's own view of things, and whether a quorum agrees.

use crate::Failure;
use ftq_client::{Blocking, Error, Options};
use std::time::Duration;

/// One server is asked for no longer than this, so that a silent one does not hold up the rest.
const EACH: Duration = Duration::from_secs(1);

/// Prints a line for each server, and one for the quorum.
pub(crate) fn show(options: &Options) -> Result<(), Failure> {
    let timeout = options.timeout.min(EACH);
    println!("{:<22} {:<8} {:>10} {:>8} {:>10} {:>12}  DIGEST", "SERVER", "STATE", "SLOT", "QUEUES", "ITEMS", "MEMORY");
    for server in &options.servers {
        let summary = Blocking::open(Options { servers: vec![*server], timeout, ..options.clone() })
            .map_err(|_| Error::Unreachable)
            .and_then(|client| client.local_summary());
        match summary {
            Ok((slot, it)) => println!(
                "{:<22} {:<8} {:>10} {:>8} {:>10} {:>12}  {:?}",
                server.to_string(),
                "answers",
                slot,
                it.queues,
                it.items,
                it.memory_bytes,
                it.digest
            ),
            Err(_) => println!("{:<22} {:<8}", server.to_string(), "silent"),
        }
    }
    let client = Blocking::open(options.clone()).map_err(|_| Failure::Unreachable("no socket".to_owned()))?;
    match client.summary() {
        Ok((slot, _)) => {
            println!("quorum: yes, at slot {slot}");
            Ok(())
        }
        Err(error) => {
            println!("quorum: no");
            Err(Failure::Unreachable(error.to_string()))
        }
    }
}
