//! How both ports get their sockets.

use crate::config::Address;
use crate::ending::Ending;
use ftq_net::socket::Socket;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

/// A bound socket. `port` names it in an error.
pub(crate) fn bind(port: &'static str, address: &Address) -> Result<Socket, Ending> {
    let refused = |error| Ending::Address { port, address: address.clone(), error };
    Socket::bind(meaning(address).map_err(refused)?).map_err(refused)
}

/// A socket that hears what is sent to a group of peers, on the network of this member's own address.
pub(crate) fn hear_group(group: SocketAddrV4, mine: IpAddr) -> Result<Socket, Ending> {
    let refused = |error| Ending::Address { port: "multicast", address: Address::Number(group.into()), error };
    let IpAddr::V4(interface) = mine else { return Err(refused(io::ErrorKind::InvalidInput.into())) };
    Socket::hear_group(group, interface).map_err(refused)
}

/// What an address means now. An own name is not waited for: whoever starts this daemon starts it again.
pub(crate) fn meaning(address: &Address) -> io::Result<SocketAddr> {
    let found = address.resolve().map_err(io::Error::other)?;
    found.first().copied().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}
