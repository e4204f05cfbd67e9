//! What this build is, and what it speaks and keeps: what an operator compares before an upgrade.

use ftq_core::link::SPOKEN;
use ftq_core::machine::queues::Rules;
use ftq_net::client;
use ftq_storage::disk;

/// A few lines.
pub(crate) fn text() -> String {
    let build = if cfg!(debug_assertions) { "with assertions" } else { "optimised" };
    let rules = (Rules::FIRST.number(), Rules::NEWEST.number());
    format!(
        "ftqd {} ({build}, {}-{})\n\
         between replicas  version {} to {}\n\
         with clients      version {}\n\
         rules of queues   version {} to {}\n\
         store             format {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS,
        SPOKEN.oldest,
        SPOKEN.newest,
        client::VERSION,
        rules.0,
        rules.1,
        disk::FORMAT,
    )
}
