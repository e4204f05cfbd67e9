//! The port for peers: packets of the link, sealed, from anywhere and to the members' addresses.
//!
//! Always: who has sent a packet is what its seal says, whatever address it came from; what does not
//! open is dropped, counted and never answered.

use crate::config::Config;
use crate::ending::Ending;
use crate::socket;
use crate::tally::Tally;
use bytes::Bytes;
use ftq_core::ids::{BootId, ClusterId, MemberId, MemberSet};
use ftq_core::link::PacketName;
use ftq_core::time::Time;
use ftq_net::keys::Keys;
use ftq_net::peer::{Opener, Seal};
use ftq_net::socket::{Counters, Path, Socket};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

/// The port for peers.
pub(crate) struct PeerPort {
    socket: Socket,
    /// None for a replica without a key: it is alone and has nothing to say.
    seal: Option<Seal>,
    opener: Opener,
    /// The others and their addresses, as far as their names mean something: few enough to look through.
    peers: Vec<(MemberId, Option<SocketAddr>)>,
    datagram: Vec<u8>,
    tally: Tally,
}

impl PeerPort {
    /// Takes this member's address.
    pub(crate) fn open(config: &Config, cluster: ClusterId, keys: &Keys, boot: BootId) -> Result<PeerPort, Ending> {
        let others = config.members.iter().filter(|(id, _)| **id != config.me);
        Ok(PeerPort {
            socket: socket::bind("peers", &config.peer)?,
            seal: keys.cluster.first().map(|secret| Seal::new(secret, cluster, config.me, boot)),
            opener: Opener::new(&keys.cluster, cluster),
            peers: others.map(|(id, address)| (*id, address.number())).collect(),
            datagram: Vec::new(),
            tally: Tally::new("peers"),
        })
    }

    /// The next packet that is there: `Some(None)` if what was there is nothing to hand on.
    pub(crate) fn receive(&mut self) -> Option<Option<(MemberId, Bytes)>> {
        let (datagram, path) = match self.socket.receive()? {
            Ok(received) => received,
            Err(error) => {
                log::trace!("peers: {error}");
                return Some(None);
            }
        };
        match self.opener.open(datagram) {
            Ok(packet) => {
                let sender = PacketName::read(packet).and_then(|name| MemberId::new(name.sender));
                Some(sender.map(|sender| (sender, Bytes::copy_from_slice(packet))))
            }
            Err(refused) => {
                log::trace!("peers: a datagram from {} is {refused}", path.remote);
                Some(None)
            }
        }
    }

    /// Sends a packet to each of `to`, with the next flush.
    pub(crate) fn send(&mut self, to: MemberSet, packet: &[u8]) {
        let Some(seal) = &mut self.seal else { return };
        seal.seal(packet, &mut self.datagram);
        let addresses =
            self.peers.iter().filter(|(member, _)| to.contains(*member)).filter_map(|(_, address)| *address);
        for address in addresses {
            self.socket.send(&self.datagram, Path::to(address));
        }
    }

    /// Another member's name means this from now on.
    pub(crate) fn locate(&mut self, member: MemberId, means: SocketAddr) {
        if let Some((_, address)) = self.peers.iter_mut().find(|(id, _)| *id == member) {
            *address = Some(means);
        }
    }

    /// The address that it has.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What was opened, and refused.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.opener.counts()
    }

    /// What the socket has counted.
    pub(crate) fn socket_counts(&self) -> Counters {
        self.socket.counters()
    }

    /// Hands everything to the system, and writes down what was refused, now and then.
    pub(crate) fn flush(&mut self, now: Time) {
        self.socket.flush();
        self.tally.tell(now, self.opener.refused());
    }

    /// Whether there is something to receive; else `context` is woken when there is.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_readable(context)
    }
}
