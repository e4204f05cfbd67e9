//! What a client is told once.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What a client is told once.
#[derive(Clone, Debug)]
pub struct Options {
    /// The replicas, any number of them, in any order: at least one, all on loopback.
    pub servers: Vec<SocketAddr>,
    /// How long a call is tried.
    pub timeout: Duration,
    /// How many commands may be under way at once, 1 to 1,024; more wait for their turn.
    pub window: u64,
}

impl Default for Options {
    /// The replica on this machine, ten seconds, 64 commands under way.
    fn default() -> Options {
        Options {
            servers: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 7410))],
            timeout: Duration::from_secs(10),
            window: 64,
        }
    }
}
