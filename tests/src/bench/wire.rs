//! What the wire costs: encoding and seals in nanoseconds, and sockets beside the bare socket.

use crate::process::Ticks;
use bytes::Bytes;
use ftq_core::ids::{BootId, ClusterId, MemberId};
use ftq_core::link::HEADER_BYTES;
use ftq_core::session::message::{ClientMessage, SessionId};
use ftq_net::client;
use ftq_net::keys::Secret;
use ftq_net::peer::{Opener, Seal};
use ftq_net::socket::{Path, Socket};
use socket2::SockRef;
use std::future::poll_fn;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How long each thing is measured.
const MEASURED: Duration = Duration::from_millis(500);

/// Sockets: how long each, by turns, so that both see the same machine.
const TURN: Duration = Duration::from_millis(500);
const TURNS: u32 = 6;

/// What one step of the way of a message costs, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Making the bytes of a client's command.
    pub encode: f64,
    /// Sealing a packet of that length.
    pub seal: f64,
    /// Opening it.
    pub open: f64,
    /// Reading the command.
    pub decode: f64,
}

/// What it costs for so many bytes.
pub fn costs(length: usize) -> Costs {
    let message = ClientMessage::Call {
        session: SessionId(1 << 20),
        number: 70_000,
        floor: 69_990,
        wait_ms: 10_000,
        command: vec![7; length].into(),
    };
    let encoded = client::encode_request(&message);
    let secret = Secret::new([1; 32]);
    let (cluster, boot) = (ClusterId([1; 16]), BootId([2; 16]));
    let member = MemberId::new(2).expect("a member");
    let mut seal = Seal::new(&secret, cluster, member, boot);
    let mut packet = vec![1; HEADER_BYTES + length];
    packet[9] = member.number();
    packet[10..26].copy_from_slice(&boot.0);
    let mut number = 0u64;
    let mut datagram = Vec::new();
    let mut one = |datagram: &mut Vec<u8>| {
        number += 1;
        packet[26..34].copy_from_slice(&number.to_le_bytes());
        seal.seal(black_box(&packet), datagram);
    };
    let sealing = nanoseconds(|| one(&mut datagram));
    let mut opener = Opener::new(&[secret], cluster);
    let mut copy = datagram.clone();
    // It is opened where it is, so each time begins with a copy, which is then taken off.
    let copying = nanoseconds(|| copy.copy_from_slice(black_box(&datagram)));
    let opening = nanoseconds(|| {
        copy.copy_from_slice(black_box(&datagram));
        assert!(opener.open(&mut copy).is_ok());
    });
    Costs {
        encode: nanoseconds(|| drop(black_box(client::encode_request(black_box(&message))))),
        seal: sealing,
        open: opening - copying,
        decode: nanoseconds(|| assert!(client::decode_request(black_box(Bytes::clone(&encoded))).is_ok())),
    }
}

/// The mean of many times.
fn nanoseconds(mut work: impl FnMut()) -> f64 {
    let clock = Ticks::start();
    let mut times = 0u32;
    while clock.passed() < MEASURED {
        (0..64).for_each(|_| work());
        times += 64;
    }
    clock.passed().as_nanos() as f64 / f64::from(times)
}

/// Datagrams that arrived, and processor time for each: of both sides together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passed {
    /// How many a second.
    pub per_second: f64,
    /// Microseconds of processor time for each.
    pub cpu_us: f64,
}

/// Nanoseconds to send one datagram of so many bytes to each of so many: a call each, and one call for all.
pub fn fan_out(length: usize, receivers: usize) -> (f64, f64) {
    let socket = || Socket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a socket");
    let mut from = socket();
    // Nobody takes them out: what there is no room for is dropped where it would have been received.
    let to: Vec<Socket> = (0..receivers).map(|_| socket()).collect();
    let there: Vec<SocketAddr> = to.iter().map(|to| to.local_addr().expect("a bound socket")).collect();
    let datagram = vec![1; length];
    let (mut each, mut all) = (0.0, 0.0);
    for _ in 0..TURNS {
        each += nanoseconds(|| {
            for there in &there {
                from.send(black_box(&datagram), Path::to(*there));
                from.flush();
            }
        });
        all += nanoseconds(|| {
            from.send_to_all(black_box(&datagram), there.iter().copied());
            from.flush();
        });
    }
    (each / f64::from(TURNS), all / f64::from(TURNS))
}

/// Floods of datagrams of so many bytes from one thread to another: over bare sockets, and over ours.
pub fn sockets(length: usize) -> (Passed, Passed) {
    let (mut bare, mut ours) = (Totals::default(), Totals::default());
    for _ in 0..TURNS {
        bare.add(|over| flood_bare(length, over));
        ours.add(|over| flood_ours(length, over));
    }
    (bare.passed(), ours.passed())
}

#[derive(Debug, Default)]
struct Totals {
    arrived: u32,
    cpu: f64,
}

impl Totals {
    fn add(&mut self, flood: impl Fn(&AtomicBool) -> u32 + Sync) {
        let over = AtomicBool::new(false);
        let before = super::usage::cpu_seconds(&[std::process::id()]);
        self.arrived += thread::scope(|scope| {
            let arrived = scope.spawn(|| flood(&over));
            crate::process::pause(TURN);
            over.store(true, Ordering::Relaxed);
            arrived.join().expect("a flood ends")
        });
        self.cpu += super::usage::cpu_seconds(&[std::process::id()]) - before;
    }

    fn passed(&self) -> Passed {
        let seconds = (TURN * TURNS).as_secs_f64();
        let arrived = f64::from(self.arrived.max(1));
        Passed { per_second: arrived / seconds, cpu_us: self.cpu * 1e6 / arrived }
    }
}

/// One system call a datagram, as a program does that knows nothing better.
fn flood_bare(length: usize, over: &AtomicBool) -> u32 {
    let socket = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let (from, to) = (socket(), socket());
    // The system may give less.
    let _ = SockRef::from(&to).set_recv_buffer_size(ftq_net::socket::BUFFER_BYTES);
    to.set_read_timeout(Some(Duration::from_millis(5))).expect("a socket has a timeout");
    let address = to.local_addr().expect("a bound socket");
    thread::scope(|scope| {
        scope.spawn(|| {
            let datagram = vec![1; length];
            while !over.load(Ordering::Relaxed) {
                // What the system does not take is not counted.
                let _ = from.send_to(&datagram, address);
            }
        });
        let mut buffer = vec![0; 65_536];
        let mut arrived = 0;
        while !over.load(Ordering::Relaxed) {
            arrived += u32::from(to.recv_from(&mut buffer).is_ok());
        }
        arrived
    })
}

/// The same over our sockets, which are flushed as the daemon's loop does, after a turn's worth.
fn flood_ours(length: usize, over: &AtomicBool) -> u32 {
    let socket = || Socket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a socket");
    let (mut from, mut to) = (socket(), socket());
    let address = to.local_addr().expect("a bound socket");
    thread::scope(|scope| {
        scope.spawn(|| {
            let datagram = vec![1; length];
            while !over.load(Ordering::Relaxed) {
                (0..64).for_each(|_| from.send(&datagram, Path::to(address)));
                from.flush();
            }
        });
        let mut arrived = 0;
        while !over.load(Ordering::Relaxed) {
            match to.receive() {
                Some(received) => arrived += u32::from(received.is_ok()),
                None => smol::block_on(smol::future::or(poll_fn(|context| to.poll_readable(context)), async {
                    smol::Timer::after(Duration::from_millis(5)).await;
                })),
            }
        }
        arrived
    })
}
