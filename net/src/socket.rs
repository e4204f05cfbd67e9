//! A UDP socket that never makes its loop wait, and takes and gives many datagrams in one system call.
//!
//! ```text
//! receive ◀── one of many that one call has brought (recvmmsg, and segments that the system joined)
//! send    ──▶ burst for its receiver ──flush──▶ one call a burst, which the system cuts into segments;
//!                                              one call for all bursts of a single datagram (sendmmsg)
//! ```
//! Datagrams are never cut up by IP on their way: one that is larger than its path is lost. IPv4 and
//! IPv6 alike; an answer leaves from the address that was asked.
//!
//! Always: datagrams to one receiver leave in the order in which they were sent. What the system has no
//! room for is lost like any other datagram, and counted.

mod fan_out;
#[cfg(test)]
mod tests;

use async_io::Async;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket as Setup, Type};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::task::{Context, Poll};

/// What the system is asked to keep of datagrams that came or go while the loop is busy. It may give less.
pub const BUFFER_BYTES: usize = 8 << 20;

/// The longest datagram, and the most that the system joins to one.
const DATAGRAM_LIMIT: usize = 65_536;

/// What one burst may hold: the payload of the longest UDP packet over IPv4, which is shorter than over IPv6.
const BURST_BYTES: usize = 65_507;

/// Longer ones go out by themselves: to copy one into a burst costs more than a system call saves.
const JOINED_BYTES: usize = 8 << 10;

/// Receivers whose bursts wait for the flush; one more, and all go out.
const BURSTS_MAX: usize = 32;

/// What metrics and the log call [`Counters::too_large`].
const TOO_LARGE: &str = "too_large_for_the_path";

/// Between whom a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// The other side.
    pub remote: SocketAddr,
    /// The address on this side; none leaves the choice to the system.
    pub local: Option<IpAddr>,
}

/// What a socket has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams received.
    pub received: u64,
    /// Calls that brought any.
    pub receive_calls: u64,
    /// Datagrams that the system took.
    pub sent: u64,
    /// Calls that took them.
    pub send_calls: u64,
    /// Datagrams that the system did not take.
    pub lost: u64,
    /// Those of them that are too large for their path.
    pub too_large: u64,
}

/// A bound socket.
#[derive(Debug)]
pub struct Socket {
    io: Async<UdpSocket>,
    /// Whether it has one address: what is sent leaves from that then.
    has_one_address: bool,
    state: UdpSocketState,
    buffers: Vec<Box<[u8]>>,
    metas: [RecvMeta; BATCH_SIZE],
    /// What of the last batch has not been handed out: its buffers, and the place in the first of them.
    batch: usize,
    next: usize,
    at: usize,
    bursts: Vec<Burst>,
    open: usize,
    counters: Counters,
}

/// Datagrams of one size to one receiver; the last one may be shorter.
#[derive(Debug)]
struct Burst {
    path: Path,
    segment: usize,
    count: u64,
    closed: bool,
    bytes: Vec<u8>,
}

impl Path {
    /// To this address, from whichever of ours.
    pub fn to(remote: SocketAddr) -> Path {
        Path { remote, local: None }
    }

    /// Whether it stays on this machine.
    pub fn is_loopback(&self) -> bool {
        self.remote.ip().to_canonical().is_loopback()
    }
}

impl Socket {
    /// Binds an address.
    pub fn bind(address: SocketAddr) -> io::Result<Socket> {
        let socket = Setup::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if let IpAddr::V4(ip) = address.ip() {
            // What it sends to a group leaves where its address is, and is not heard on this machine.
            socket.set_multicast_if_v4(&ip)?;
            socket.set_multicast_loop_v4(false)?;
        }
        Socket::over(socket, address)
    }

    /// Hears what is sent to a group, on the network where this address of the machine is.
    pub fn hear_group(group: SocketAddrV4, interface: Ipv4Addr) -> io::Result<Socket> {
        let socket = Setup::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // Others on this machine may hear it too.
        socket.set_reuse_address(true)?;
        socket.join_multicast_v4(group.ip(), &interface)?;
        Socket::over(socket, group.into())
    }

    fn over(socket: Setup, address: SocketAddr) -> io::Result<Socket> {
        // With less room more is lost when it gets busy, and repaired; see `receive_buffer`.
        let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(BUFFER_BYTES);
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        Ok(Socket {
            io: Async::new(socket)?,
            has_one_address: !address.ip().is_unspecified(),
            state,
            buffers: (0..BATCH_SIZE).map(|_| vec![0; DATAGRAM_LIMIT].into()).collect(),
            metas: [RecvMeta::default(); BATCH_SIZE],
            batch: 0,
            next: 0,
            at: 0,
            bursts: Vec::new(),
            open: 0,
            counters: Counters::default(),
        })
    }

    /// The next datagram, if one is there. On loopback the system also reports a receiver that is not
    /// there, as an error of the next call: that is no datagram, and the one after it may be.
    pub fn receive(&mut self) -> Option<io::Result<(&mut [u8], Path)>> {
        if self.next >= self.batch
            && let Err(error) = self.fetch()
        {
            return (error.kind() != io::ErrorKind::WouldBlock).then_some(Err(error));
        }
        let meta = self.metas[self.next];
        let (from, place) = (self.at, self.next);
        let to = meta.len.min(from + meta.stride.max(1));
        self.at = to;
        if to >= meta.len {
            self.next += 1;
            self.at = 0;
        }
        self.counters.received += 1;
        let local = meta.dst_ip.filter(|_| !self.has_one_address);
        Some(Ok((&mut self.buffers[place][from..to], Path { remote: meta.addr, local })))
    }

    /// Sends the same datagram to each of these, with the next flush, or before.
    pub fn send_to_all(&mut self, datagram: &[u8], receivers: impl Iterator<Item = SocketAddr> + Clone) {
        if datagram.len() <= JOINED_BYTES {
            return receivers.for_each(|remote| self.send(datagram, Path::to(remote)));
        }
        // What was sent before leaves before.
        receivers.clone().for_each(|remote| self.ship_before(Path::to(remote)));
        let sent = fan_out::send(&self.io, receivers.map(|remote| (remote, datagram)));
        self.counters.count_many(sent);
    }

    /// Sends a datagram with the next flush, or before.
    pub fn send(&mut self, datagram: &[u8], path: Path) {
        if datagram.len() > JOINED_BYTES {
            self.ship_before(path);
            let sent = hand_over(&self.state, &self.io, path, datagram, None);
            return self.counters.count(1, sent);
        }
        let segments_max = self.state.max_gso_segments() as u64;
        let open = &mut self.bursts[..self.open];
        if let Some(place) = open.iter().position(|burst| burst.path == path) {
            if open[place].takes(datagram, segments_max) {
                open[place].add(datagram);
                return;
            }
            self.ship(place);
            self.bursts[place].begin(datagram, path);
            return;
        }
        if self.open == BURSTS_MAX {
            self.flush();
        }
        if self.open == self.bursts.len() {
            self.bursts.push(Burst { path, segment: 0, count: 0, closed: false, bytes: Vec::new() });
        }
        self.bursts[self.open].begin(datagram, path);
        self.open += 1;
    }

    /// Hands everything to the system.
    pub fn flush(&mut self) {
        let open = std::mem::take(&mut self.open);
        // One that has to leave from an address of ours needs a call of its own, as segments do.
        let single = |burst: &&Burst| burst.count == 1 && burst.path.local.is_none();
        let singles = self.bursts[..open].iter().filter(single);
        let sent = fan_out::send(&self.io, singles.map(|burst| (burst.path.remote, &burst.bytes[..])));
        self.counters.count_many(sent);
        for place in 0..open {
            if !single(&&self.bursts[place]) {
                self.ship(place);
            }
        }
    }

    /// Whether there is something to receive; else `context` is woken when there is.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        // An error of the socket shows at the next receive.
        self.io.poll_readable(context).map(drop)
    }

    /// How much the system keeps for it of what has come, in bytes, if that can be told.
    pub fn receive_buffer(&self) -> io::Result<usize> {
        // Linux says twice what it keeps.
        self.state.recv_buffer_size(UdpSockRef::from(&self.io)).map(|bytes| bytes / 2)
    }

    /// Its own address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn fetch(&mut self) -> io::Result<()> {
        let mut buffers = self.buffers.iter_mut();
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(buffers.next().map_or(&mut [], |buffer| &mut buffer[..])));
        (self.batch, self.next, self.at) = (0, 0, 0);
        self.batch = self.state.recv(UdpSockRef::from(&self.io), &mut slices, &mut self.metas)?;
        self.counters.receive_calls += 1;
        if self.batch == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }

    /// Hands over what waits for this receiver, so that what comes now leaves behind it.
    fn ship_before(&mut self, path: Path) {
        if let Some(place) = self.bursts[..self.open].iter().position(|burst| burst.path == path) {
            self.ship(place);
            self.open -= 1;
            self.bursts.swap(place, self.open);
        }
    }

    fn ship(&mut self, place: usize) {
        let burst = &self.bursts[place];
        let segment = (burst.count > 1).then_some(burst.segment);
        let sent = hand_over(&self.state, &self.io, burst.path, &burst.bytes, segment);
        self.counters.count(burst.count, sent);
    }
}

/// Hands datagrams of one size, or one datagram, to the system.
fn hand_over(
    state: &UdpSocketState,
    io: &Async<UdpSocket>,
    path: Path,
    contents: &[u8],
    segment_size: Option<usize>,
) -> io::Result<()> {
    let Path { remote, local } = path;
    let transmit = Transmit { destination: remote, ecn: None, contents, segment_size, src_ip: local };
    state.try_send(UdpSockRef::from(io), &transmit)
}

impl Counters {
    /// All of them, with the names that metrics use.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let Counters { received, receive_calls, sent, send_calls, lost, too_large } = *self;
        [
            ("received", received),
            ("receive_calls", receive_calls),
            ("sent", sent),
            ("send_calls", send_calls),
            ("lost", lost),
            (TOO_LARGE, too_large),
        ]
        .into_iter()
    }

    /// The one that an operator has to do something about: the datagrams are set larger than the path carries.
    pub fn misfits(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        self.iter().filter(|(name, _)| *name == TOO_LARGE)
    }

    fn count_many(&mut self, sent: fan_out::Sent) {
        self.send_calls += sent.calls;
        self.sent += sent.taken;
        self.lost += sent.lost;
        self.too_large += sent.too_large;
    }

    fn count(&mut self, datagrams: u64, sent: io::Result<()>) {
        self.send_calls += 1;
        let Err(error) = sent else { return self.sent += datagrams };
        self.lost += datagrams;
        if error.raw_os_error() == Some(Errno::MSGSIZE.raw_os_error()) {
            self.too_large += datagrams;
        }
    }
}

impl Burst {
    fn begin(&mut self, datagram: &[u8], path: Path) {
        self.path = path;
        self.segment = datagram.len();
        self.count = 0;
        self.closed = false;
        self.bytes.clear();
        self.add(datagram);
    }

    fn takes(&self, datagram: &[u8], segments_max: u64) -> bool {
        let fits = self.bytes.len() + datagram.len() <= BURST_BYTES && self.count < segments_max;
        // A segment of no bytes can't be told from no segment.
        fits && !self.closed && datagram.len() <= self.segment && !datagram.is_empty()
    }

    fn add(&mut self, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.count += 1;
        self.closed = datagram.len() < self.segment;
    }
}
