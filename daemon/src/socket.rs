//! How both ports get their sockets.

use crate::ending::Ending;
use ftq_net::socket::{BUFFER_BYTES, Socket};
use std::net::SocketAddr;

/// A bound socket. `port` names it in an error, and in a warning when the system keeps little for it.
pub(crate) fn bind(port: &'static str, address: SocketAddr) -> Result<Socket, Ending> {
    let socket = Socket::bind(address).map_err(|error| Ending::Address { port, address, error })?;
    if let Ok(given) = socket.receive_buffer()
        && given < BUFFER_BYTES
    {
        log::warn!(
            "{port}: the system keeps {given} bytes of what comes while this replica is busy, not {BUFFER_BYTES}; more is \
             lost and sent again: `sysctl -w net.core.rmem_max={BUFFER_BYTES}` gives it what it asks for"
        );
    }
    Ok(socket)
}
