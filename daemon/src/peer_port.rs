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
use ftq_net::peer::{Estranged, Opener, Seal};
use ftq_net::socket::{Counters, Path, Socket};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

/// The port for peers.
pub(crate) struct PeerPort {
    socket: Socket,
    /// The group that hears what is for several members, and the socket that hears it, if there is one.
    group: Option<(SocketAddr, Socket)>,
    /// None for a replica without a key: it is alone and has nothing to say.
    seal: Option<Seal>,
    opener: Opener,
    estranged: Estranged,
    /// The others whose address is known: few enough to look through.
    peers: Vec<(MemberId, SocketAddr)>,
    from: IpAddr,
    /// Nothing goes to these or comes from them: somebody tries out what that does.
    parted: MemberSet,
    datagram: Vec<u8>,
    tally: Tally,
}

impl PeerPort {
    /// Takes this member's address.
    pub(crate) fn open(config: &Config, cluster: ClusterId, keys: &Keys, boot: BootId) -> Result<PeerPort, Ending> {
        let socket = socket::bind("peers", &config.peer)?;
        let from = socket.local_addr().map_err(|error| Ending::System { doing: "ask for an own address", error })?.ip();
        let group = match config.multicast {
            Some(group) => Some((group.into(), socket::hear_group(group, from)?)),
            None => None,
        };
        let others = config.members.iter().filter(|(id, _)| **id != config.me);
        let peers: Vec<_> = others.filter_map(|(id, address)| Some((*id, address.number()?))).collect();
        Ok(PeerPort {
            group,
            seal: keys.cluster.first().map(|secret| Seal::new(secret, cluster, config.me, boot)),
            opener: Opener::new(&keys.cluster, cluster),
            estranged: Estranged::new(peers.clone()),
            peers,
            from,
            parted: MemberSet::EMPTY,
            socket,
            datagram: Vec::new(),
            tally: Tally::new("peers"),
        })
    }

    /// The next packet that is there: `Some(None)` if what was there is nothing to hand on.
    pub(crate) fn receive(&mut self, now: Time) -> Option<Option<(MemberId, Bytes)>> {
        let group = self.group.as_mut().map(|(_, socket)| socket);
        let received = self.socket.receive().or_else(|| group?.receive());
        let (datagram, path) = match received? {
            Ok(received) => received,
            Err(error) => {
                log::trace!("peers: {error}");
                return Some(None);
            }
        };
        match self.opener.open(datagram) {
            Ok(packet) => {
                let sender = PacketName::read(packet).and_then(|name| MemberId::new(name.sender));
                let sender = sender.filter(|sender| !self.parted.contains(*sender));
                let sender = sender.inspect(|sender| self.estranged.opened(*sender));
                Some(sender.map(|sender| (sender, Bytes::copy_from_slice(packet))))
            }
            Err(refused) => {
                let Self { estranged, opener, .. } = self;
                estranged.refused(now, path.remote, refused, || opener.names(datagram));
                log::trace!("peers: a datagram from {} is {refused}", path.remote);
                Some(None)
            }
        }
    }

    /// Sends a packet to each of `to`, with the next flush.
    pub(crate) fn send(&mut self, to: MemberSet, packet: &[u8]) {
        let Some(seal) = &mut self.seal else { return };
        let to = to.minus(self.parted);
        seal.seal(packet, &mut self.datagram);
        if let Some((group, _)) = self.group.as_ref().filter(|_| to.len() > 1) {
            // Whoever hears it and is not one of them leaves it aside, as it does what an older view sends.
            return self.socket.send(&self.datagram, Path::to(*group));
        }
        let receivers = self.peers.iter().filter(|(member, _)| to.contains(*member)).map(|(_, address)| *address);
        self.socket.send_to_all(&self.datagram, receivers);
    }

    /// Another member's name means this from now on.
    pub(crate) fn locate(&mut self, member: MemberId, means: SocketAddr) {
        self.peers.retain(|(id, _)| *id != member);
        self.peers.push((member, means));
        self.estranged = Estranged::new(self.peers.clone());
    }

    /// From now on nothing goes to these or comes from them.
    pub(crate) fn part(&mut self, from: MemberSet) {
        self.parted = from;
    }

    /// The own address that others see.
    pub(crate) fn from(&self) -> IpAddr {
        self.from
    }

    /// Seals with the first of these keys from now on, and opens what is sealed with any.
    pub(crate) fn change_keys(&mut self, keys: &Keys) {
        if let (Some(seal), Some(secret)) = (&mut self.seal, keys.cluster.first()) {
            seal.change_key(secret);
        }
        self.opener.change_keys(&keys.cluster);
    }

    /// What the system keeps of what comes to each socket, in bytes, if it says so.
    pub(crate) fn buffers(&self) -> impl Iterator<Item = usize> + '_ {
        let group = self.group.as_ref().map(|(_, socket)| socket);
        [Some(&self.socket), group].into_iter().flatten().filter_map(|socket| socket.receive_buffer().ok())
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
        self.tally.tell(now, self.opener.refused().chain(self.socket.counters().misfits()));
        while let Some(estrangement) = self.estranged.poll() {
            log::warn!("peers: {estrangement}");
        }
    }

    /// Whether there is something to receive; else `context` is woken when there is.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let group = self.group.as_ref().map(|(_, socket)| socket);
        let readable =
            [Some(&self.socket), group].map(|socket| socket?.poll_readable(context).is_ready().then_some(()));
        if readable == [None, None] { Poll::Pending } else { Poll::Ready(()) }
    }
}
