//! The port for clients: the MessagePack protocol, plain, one message a datagram.
//!
//! Always: a client is its address, and nothing is kept for it here.

use crate::ending::Ending;
use crate::socket;
use bytes::Bytes;
use ftq_core::replica::ClientId;
use ftq_core::session::message::{ClientMessage, ServerMessage};
use ftq_net::{CLIENT_DATAGRAM_MAX, client};
use smol::Async;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::task::{Context, Poll};

/// The port for clients.
pub(crate) struct ClientPort {
    socket: Async<UdpSocket>,
    buffer: Box<[u8]>,
}

impl ClientPort {
    /// Takes the address.
    pub(crate) fn open(address: SocketAddr) -> Result<ClientPort, Ending> {
        Ok(ClientPort {
            socket: socket::bind("clients", address)?,
            // One byte more, so that a datagram which is too long is told from the longest.
            buffer: vec![0; CLIENT_DATAGRAM_MAX + 1].into(),
        })
    }

    /// The next message that is there: `Some(None)` if what was there is nothing to hand on.
    pub(crate) fn receive(&mut self) -> Option<Option<(ClientId, ClientMessage)>> {
        let (datagram, from) = match socket::receive(&self.socket, &mut self.buffer)? {
            Ok(received) => received,
            Err(error) => {
                log::trace!("clients: {error}");
                return Some(None);
            }
        };
        let Some(client) = client_at(from) else { return Some(None) };
        if datagram.len() > CLIENT_DATAGRAM_MAX {
            log::trace!("clients: a datagram from {from} is too long");
            return Some(None);
        }
        match client::decode_request(Bytes::copy_from_slice(datagram)) {
            Ok(message) => Some(Some((client, message))),
            Err(error) => {
                log::trace!("clients: a datagram from {from} is refused: {error:?}");
                Some(None)
            }
        }
    }

    /// Answers.
    pub(crate) fn send(&mut self, to: ClientId, message: &ServerMessage) {
        let datagram = client::encode_answer(message);
        if datagram.len() > CLIENT_DATAGRAM_MAX {
            log::warn!("an answer of {} bytes is too long for a datagram: its client waits in vain", datagram.len());
            return;
        }
        if !socket::send(&self.socket, &datagram, address_of(to)) {
            log::trace!("clients: an answer was lost on this machine");
        }
    }

    /// Whether there is something to receive; else `context` is woken when there is.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        // An error of the socket shows at the next receive.
        self.socket.poll_readable(context).map(drop)
    }
}

/// An address on loopback fits into a number: the port, the address above it; above all, whether it is IPv6.
const IPV6: u64 = 1 << 48;

fn client_at(address: SocketAddr) -> Option<ClientId> {
    let port = u64::from(address.port());
    match address.ip() {
        IpAddr::V4(ip) if ip.is_loopback() => Some(ClientId(u64::from(ip.to_bits()) << 16 | port)),
        IpAddr::V6(ip) if ip.is_loopback() => Some(ClientId(IPV6 | port)),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

fn address_of(client: ClientId) -> SocketAddr {
    let [_, v6, a, b, c, d, high, low] = client.0.to_be_bytes();
    let ip = if v6 == 1 { IpAddr::V6(Ipv6Addr::LOCALHOST) } else { IpAddr::V4(Ipv4Addr::new(a, b, c, d)) };
    SocketAddr::new(ip, u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_its_address() {
        for address in ["127.0.0.1:7410", "127.255.3.254:65535", "[::1]:1"] {
            let address: SocketAddr = address.parse().expect("an address");
            assert_eq!(client_at(address).map(address_of), Some(address));
        }
        assert_eq!(client_at("192.0.2.1:7410".parse().expect("an address")), None);
    }
}
