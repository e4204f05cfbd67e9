//! A UDP socket that never makes the loop wait, for both ports.

use crate::ending::Ending;
use smol::Async;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};

/// What the system is asked to keep of datagrams that came or go while the loop is busy. It may give less.
const BUFFER_BYTES: usize = 4 << 20;

/// A bound socket. `port` names it in an error.
pub(crate) fn bind(port: &'static str, address: SocketAddr) -> Result<Async<UdpSocket>, Ending> {
    open(address).map_err(|error| Ending::Address { port, address, error })
}

fn open(address: SocketAddr) -> io::Result<Async<UdpSocket>> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // With less room more is lost when it gets busy, and repaired.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.bind(&address.into())?;
    Async::new(UdpSocket::from(socket))
}

/// The next datagram, if one is there. On loopback the system also reports a peer that is not running,
/// as an error of the next call: that is no datagram, and the one after it may be.
pub(crate) fn receive<'a>(
    socket: &Async<UdpSocket>,
    buffer: &'a mut [u8],
) -> Option<Result<(&'a [u8], SocketAddr), io::Error>> {
    match socket.get_ref().recv_from(buffer) {
        Ok((length, from)) => Some(Ok((&buffer[..length], from))),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) => Some(Err(error)),
    }
}

/// Sends, or not: a datagram that the system has no room for is lost like any other.
pub(crate) fn send(socket: &Async<UdpSocket>, datagram: &[u8], to: SocketAddr) -> bool {
    socket.get_ref().send_to(datagram, to).is_ok()
}
