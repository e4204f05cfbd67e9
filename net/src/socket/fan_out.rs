//! Many datagrams to as many receivers in one system call.

use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::AsFd;

/// What became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) calls: u64,
    /// Datagrams that the system took.
    pub(super) taken: u64,
    /// Datagrams that it did not.
    pub(super) lost: u64,
    /// Those of them that are too large for their path.
    pub(super) too_large: u64,
}

/// Sends each of these datagrams to its receiver. One that the system does not take is lost, and no other with it.
pub(super) fn send<'d>(socket: impl AsFd, datagrams: impl Iterator<Item = (SocketAddr, &'d [u8])>) -> Sent {
    let (addresses, contents): (Vec<SocketAddrAny>, Vec<[IoSlice<'d>; 1]>) =
        datagrams.map(|(remote, datagram)| (remote.as_any(), [IoSlice::new(datagram)])).unzip();
    let mut nothing: Vec<SendAncillaryBuffer<'_, '_, '_>> =
        addresses.iter().map(|_| SendAncillaryBuffer::default()).collect();
    let parts = addresses.iter().zip(&contents).zip(&mut nothing);
    let mut messages: Vec<MMsgHdr<'_>> =
        parts.map(|((address, contents), nothing)| MMsgHdr::new_with_addr(address, contents, nothing)).collect();
    let mut sent = Sent::default();
    let mut rest = &mut messages[..];
    while !rest.is_empty() {
        sent.calls += 1;
        let gone = match sendmmsg(&socket, rest, SendFlags::empty()) {
            Ok(taken) => {
                sent.taken += taken as u64;
                taken
            }
            Err(Errno::INTR) => 0,
            // There is no room for any of them.
            Err(Errno::AGAIN) => {
                sent.lost += rest.len() as u64;
                rest.len()
            }
            // Only of the first one is anything known.
            Err(error) => {
                sent.lost += 1;
                sent.too_large += u64::from(error == Errno::MSGSIZE);
                1
            }
        };
        rest = &mut rest[gone..];
    }
    sent
}
