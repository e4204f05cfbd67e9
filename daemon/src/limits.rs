//! The limits that the system sets: raised as far as it lets, and what is missing is said in one line.

use ftq_net::socket::BUFFER_BYTES;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Once;

/// File descriptors for the store, the sockets, and everybody who watches.
const DESCRIPTORS: u64 = 1_024;

static SAID: Once = Once::new();

/// Raises what may be raised, and says what is still too little. `buffers` are what the system keeps for sockets.
pub(crate) fn raise(buffers: impl IntoIterator<Item = usize>) {
    let buffer = buffers.into_iter().min().filter(|bytes| *bytes < BUFFER_BYTES).map(|bytes| {
        format!(
            "{bytes} bytes are kept of what comes while this replica is busy, not {BUFFER_BYTES} (more is lost and sent \
             again): sysctl -w net.core.rmem_max={BUFFER_BYTES}"
        )
    });
    let descriptors = descriptors().map(|most| {
        format!("{most} file descriptors may be open, not {DESCRIPTORS}: LimitNOFILE={DESCRIPTORS} in the unit, or ulimit -n")
    });
    let short: Vec<String> = buffer.into_iter().chain(descriptors).collect();
    if !short.is_empty() {
        // Of several replicas in one process each finds the same.
        SAID.call_once(|| log::warn!("the system gives less than is asked for: {}", short.join("; ")));
    }
}

/// As many descriptors as there may be; how many, if they are too few.
fn descriptors() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let most = if raised { maximum } else { current };
    most.filter(|most| *most < DESCRIPTORS)
}
