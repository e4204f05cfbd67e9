//! The port for peers: packets of the link, in an unsealed envelope, from and to known addresses.
//!
//! Always: what does not come from a member's address, or does not open, is dropped and never answered.

use crate::config::Config;
use crate::ending::Ending;
use crate::socket;
use bytes::Bytes;
use ftq_core::ids::{MemberId, MemberSet};
use ftq_net::peer::Envelope;
use smol::Async;
use std::net::{SocketAddr, UdpSocket};
use std::task::{Context, Poll};

/// The longest UDP datagram there is: a longer one can't be cut off unnoticed.
const DATAGRAM_LIMIT: usize = 65_536;

/// The port for peers.
pub(crate) struct PeerPort {
    socket: Async<UdpSocket>,
    envelope: Envelope,
    /// The others and their addresses: few enough to look through.
    peers: Vec<(MemberId, SocketAddr)>,
    buffer: Box<[u8]>,
    datagram: Vec<u8>,
}

impl PeerPort {
    /// Takes this member's address.
    pub(crate) fn open(config: &Config) -> Result<PeerPort, Ending> {
        let (mine, others): (Vec<_>, Vec<_>) = config.members.iter().partition(|(id, _)| **id == config.me);
        let Some((_, address)) = mine.first() else {
            return Err(Ending::Config { file: None, what: format!("{} is none of the members", config.me) });
        };
        Ok(PeerPort {
            socket: socket::bind("peers", **address)?,
            envelope: Envelope::new(config.cluster_id()),
            peers: others.into_iter().map(|(id, address)| (*id, *address)).collect(),
            buffer: vec![0; DATAGRAM_LIMIT].into(),
            datagram: Vec::new(),
        })
    }

    /// The next packet that is there: `Some(None)` if what was there is nothing to hand on.
    pub(crate) fn receive(&mut self) -> Option<Option<(MemberId, Bytes)>> {
        let (datagram, from) = match socket::receive(&self.socket, &mut self.buffer)? {
            Ok(received) => received,
            Err(error) => {
                log::trace!("peers: {error}");
                return Some(None);
            }
        };
        let Some((member, _)) = self.peers.iter().find(|(_, address)| *address == from) else {
            log::trace!("peers: a datagram from {from}, which is no member's address");
            return Some(None);
        };
        match self.envelope.open(Bytes::copy_from_slice(datagram)) {
            Ok(packet) => Some(Some((*member, packet))),
            Err(refused) => {
                log::trace!("peers: a datagram from {from} ({member}) is {refused}");
                Some(None)
            }
        }
    }

    /// Sends a packet to each of `to`.
    pub(crate) fn send(&mut self, to: MemberSet, packet: &[u8]) {
        self.envelope.wrap(packet, &mut self.datagram);
        for (member, address) in self.peers.iter().filter(|(member, _)| to.contains(*member)) {
            if !socket::send(&self.socket, &self.datagram, *address) {
                log::trace!("peers: a datagram to {member} was lost on this machine");
            }
        }
    }

    /// Whether there is something to receive; else `context` is woken when there is.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        // An error of the socket shows at the next receive.
        self.socket.poll_readable(context).map(drop)
    }
}
