//! The port for peers: packets of the link and introductions, sealed, from anywhere and to the members' addresses.
//!
//! Always: who has sent a packet is what its seal says, whatever address it came from; what does not
//! open is dropped, counted and never answered.

use crate::addresses::Addresses;
use crate::config::{Address, Config};
use crate::ending::Ending;
use crate::names::Found;
use crate::socket;
use crate::tally::Tally;
use bytes::Bytes;
use ftq_core::ids::{BootId, ClusterId, MemberId, MemberSet};
use ftq_core::link::PacketName;
use ftq_core::time::Time;
use ftq_net::keys::Keys;
use ftq_net::peer::{Book, Estranged, Keeper, Notice, Opener, Seal, is_introduction};
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
    /// What introductions are sealed with.
    greeting: Option<Seal>,
    opener: Opener,
    estranged: Estranged,
    /// Where the others are.
    book: Book,
    addresses: Addresses,
    /// Who is there, and was not told to the replica yet.
    met: Vec<MemberId>,
    taken: Option<Ending>,
    from: IpAddr,
    /// Nothing goes to these or comes from them: somebody tries out what that does.
    parted: MemberSet,
    datagram: Vec<u8>,
    tally: Tally,
}

/// What is drawn at random for one run.
#[derive(Debug)]
pub(crate) struct Drawn {
    /// Of the link.
    pub(crate) boot: BootId,
    /// Of introductions.
    pub(crate) greeting: BootId,
    /// What nobody else knows.
    pub(crate) secret: [u8; 32],
}

impl PeerPort {
    /// Takes this member's address.
    pub(crate) fn open(
        now: Time,
        config: &Config,
        cluster: ClusterId,
        keys: &Keys,
        drawn: &Drawn,
    ) -> Result<PeerPort, Ending> {
        let socket = socket::bind("peers", &config.peer)?;
        let bound = socket.local_addr().map_err(|error| Ending::System { doing: "ask for an own address", error })?;
        let from = bound.ip();
        let group = match config.multicast {
            Some(group) => Some((group.into(), socket::hear_group(group, from)?)),
            None => None,
        };
        let configured = config.members.get(&config.me).and_then(Address::number);
        let own = configured.or(Some(bound)).filter(|own| !own.ip().is_unspecified() && own.port() != 0);
        let Drawn { boot, greeting, secret } = *drawn;
        let keeper = Keeper { cluster, me: config.me, boot: greeting, own, is_ipv4: from.is_ipv4() };
        let mut book = Book::new(keeper, &secret);
        for (member, address) in config.members.iter().filter(|(id, _)| **id != config.me) {
            if let Some(address) = address.number() {
                book.configure(*member, address);
            }
        }
        config.join.iter().for_each(|address| book.join(now, address.to_string(), address.number()));
        let (addresses, known) = Addresses::open(&config.data_dir);
        known.into_iter().for_each(|(member, address)| book.remember(now, member, address));
        let seal = |boot| keys.cluster.first().map(|secret| Seal::new(secret, cluster, config.me, boot));
        Ok(PeerPort {
            group,
            seal: seal(boot),
            greeting: seal(greeting),
            opener: Opener::new(&keys.cluster, cluster),
            estranged: estranged(&book),
            book,
            addresses,
            met: Vec::new(),
            taken: None,
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
                let sender = sender.inspect(|sender| self.estranged.opened(*sender, path.remote));
                if is_introduction(packet) {
                    if sender.is_some() {
                        self.book.hear(now, path, packet);
                    }
                    return Some(None);
                }
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
        let receivers = self.book.addresses().filter(|(member, _)| to.contains(*member)).map(|(_, address)| address);
        self.socket.send_to_all(&self.datagram, receivers);
    }

    /// The store here is one that the cluster knows: nobody else is this member.
    pub(crate) fn seat(&mut self) {
        self.book.seat();
    }

    /// A name of the configuration means this from now on.
    pub(crate) fn locate(&mut self, now: Time, found: &Found) {
        match found.member {
            Some(member) => self.book.configure(member, found.means),
            None => self.book.resolve(now, &found.name, found.means),
        }
        self.estranged = estranged(&self.book);
    }

    /// Says what there is to say to find the others, and to be found.
    pub(crate) fn introduce(&mut self, now: Time) {
        let Some(seal) = &mut self.greeting else { return };
        if now >= self.book.deadline() {
            self.book.tick(now);
        }
        while let Some(notice) = self.book.poll() {
            match notice {
                Notice::Say { path, packet } => {
                    seal.seal(&packet, &mut self.datagram);
                    self.socket.send(&self.datagram, path);
                }
                Notice::Met { member, is_new } => {
                    self.met.push(member);
                    if is_new {
                        if let Some((_, address)) = self.book.addresses().find(|(known, _)| *known == member) {
                            log::info!("member {member} is at {address}");
                        }
                        self.addresses.keep(self.book.learned());
                        self.estranged = estranged(&self.book);
                    }
                }
                Notice::Taken { me, address } => self.taken = Some(Ending::taken(me, address)),
                Notice::Warning(warning) => log::warn!("peers: {warning}"),
            }
        }
    }

    /// Who is there, and can be spoken to.
    pub(crate) fn met(&mut self) -> Option<MemberId> {
        self.met.pop()
    }

    /// Somebody else is this member: why this one is not to begin.
    pub(crate) fn taken(&mut self) -> Option<Ending> {
        self.taken.take()
    }

    /// When there is something to say, whatever comes.
    pub(crate) fn deadline(&self) -> Time {
        if self.greeting.is_some() { self.book.deadline() } else { Time::NEVER }
    }

    /// Where the others are, as far as that is known.
    pub(crate) fn known(&self) -> impl Iterator<Item = (MemberId, SocketAddr)> + '_ {
        self.book.addresses()
    }

    /// Whether others were known in a former run whom no file names.
    pub(crate) fn knows_others(&self) -> bool {
        self.book.learned().next().is_some()
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
        if let Some(secret) = keys.cluster.first() {
            self.seal.iter_mut().chain(&mut self.greeting).for_each(|seal| seal.change_key(secret));
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
        self.opener.counts().chain([("malformed_introduction", self.book.malformed())])
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

/// Nothing is known yet of those who have addresses.
fn estranged(book: &Book) -> Estranged {
    let members = book.addresses().map(|(member, address)| (Some(member), address));
    Estranged::new(members.chain(book.joins().map(|address| (None, address))))
}
