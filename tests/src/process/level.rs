//! Whether a replica has come to know what the cluster knows.

use super::patience::{CEILING, Ticks};
use ftq_client::{Blocking, Error, Options};
use std::net::SocketAddr;
use std::time::Duration;

/// Waits until the replica at `server` knows by itself what the cluster knows: as many slots, and the same state
/// after them.
pub(super) fn wait_until_level(cluster: &Options, server: SocketAddr) -> Result<(), String> {
    let client = |options: Options| Blocking::open(options).map_err(|error| error.to_string());
    let alone = client(Options { servers: vec![server], timeout: Duration::from_secs(1), ..cluster.clone() })?;
    let all = client(cluster.clone())?;
    let dead = |error: Error| format!("the cluster does not serve: {error}");
    let (upto, state) = all.summary().map_err(dead)?;
    let clock = Ticks::start();
    while clock.passed() < CEILING {
        match alone.local_summary() {
            Ok((slot, local)) if slot == upto => {
                let is_same = local.digest == state.digest;
                return is_same.then_some(()).ok_or_else(|| format!("{server} has another state at slot {slot}"));
            }
            Ok((slot, _)) if slot > upto => return Ok(()),
            Ok(_) | Err(_) => clock.pause(),
        }
    }
    Err(format!("{server} does not catch up to slot {upto}"))
}
