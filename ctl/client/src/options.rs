//! What a client is told once.

use ftq_net::CLIENT_DATAGRAM;
use ftq_net::keys::{self, ClientKey};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// What a client is told once.
#[derive(Clone, Debug)]
pub struct Options {
    /// The replicas, any number of them, in any order: at least one. Without a key all on loopback.
    pub servers: Vec<SocketAddr>,
    /// What seals what is said to them; `ftq_client::key` reads it from a file.
    pub key: Option<ClientKey>,
    /// The largest datagram to another machine, in bytes of UDP payload.
    pub datagram: usize,
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
            key: None,
            datagram: CLIENT_DATAGRAM,
            timeout: Duration::from_secs(10),
            window: 64,
        }
    }
}

/// The key in a client's key file, which holds one `client` line.
pub fn key(path: &Path) -> io::Result<ClientKey> {
    let bad = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut keys = keys::read(path).map_err(|problem| bad(problem.to_string()))?.clients;
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        (Some(_) | None, _) => {
            Err(bad(format!("{}: a client's key file holds exactly one `client` line", path.display())))
        }
    }
}
