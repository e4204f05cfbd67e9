//! A live server under a flood of random and mutated packets, on both of its ports: its memory stays flat,
//! and its clients don't notice.

use super::program;
use ftq_client::{Blocking, Options, key};
use ftq_core::chance::Chance;
use ftq_core::session::message::ClientMessage;
use ftq_core::time::Time;
use ftq_net::client::Line;
use ftq_tests::fuzz::{mutate, seeds};
use ftq_tests::process::{Cluster, Ticks, pause};
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// So many packets; FTQ_HOSTILE_PACKETS says more.
const PACKETS: u64 = 100_000;

/// After so many the flood waits a moment, so that they get as far as the server.
const BURST: u64 = 100;

/// What the server may grow by: what it keeps for all that such a flood can open, and noise.
const GROWTH_BYTES: u64 = 24 << 20;

#[test]
fn a_flood_of_hostile_packets_leaves_a_server_as_it_was() {
    let packets = std::env::var("FTQ_HOSTILE_PACKETS").ok().and_then(|n| n.parse().ok()).unwrap_or(PACKETS);
    // Plain may read, so that mutated requests get as deep as they can and leave nothing behind.
    let mut cluster = Cluster::configured(program(), 1, "client-plain = \"read\"");
    let app = key(&cluster.client_key("app", "write")).expect("a key file");
    cluster.start_all();
    let client = Blocking::open(Options { key: Some(app.clone()), ..cluster.options() }).expect("a client");
    let queue = client.create("letters").expect("create");
    let process = cluster.process(1).expect("it runs");
    let server = cluster.server(1);
    let flood = Flood::new(server, &app);
    flood.send(packets / 10, 1);
    let before = resident_bytes(process);

    let over = AtomicBool::new(false);
    let longest = thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let clock = Ticks::start();
                client.push(queue, ["a"]).expect("a push is answered");
                assert_eq!(client.pop(queue).as_deref(), Ok(&b"a"[..]));
                longest = longest.max(clock.passed());
            }
            longest
        });
        flood.send(packets, 2);
        over.store(true, Ordering::Relaxed);
        busy.join().expect("the client has not noticed anything")
    });
    let after = resident_bytes(process);
    println!("{packets} packets: {before} bytes before, {after} after; the longest push and pop took {longest:?}");
    assert!(after < before + GROWTH_BYTES, "the server has grown from {before} to {after} bytes");
    assert!(longest < Duration::from_secs(10), "{longest:?}");
    assert_eq!(client.size(queue), Ok(0), "nothing of it was executed");
}

/// Where the flood comes from, and what it is made of.
struct Flood {
    sockets: Vec<UdpSocket>,
    client: SocketAddr,
    peer: SocketAddr,
    for_client: Vec<Vec<u8>>,
    for_peer: Vec<Vec<u8>>,
}

impl Flood {
    fn new(server: SocketAddr, key: &ftq_client::ClientKey) -> Flood {
        let sockets = (0..4).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket")).collect();
        let for_client = ["client_datagram", "client_request", "client_answer", "server_datagram"];
        let mut for_client: Vec<Vec<u8>> = for_client.into_iter().flat_map(seeds).collect();
        for_client.extend(seeds("client_payloads").into_iter().map(|part| part[2..].to_vec()));
        for_client.extend(conversation(server, key));
        Flood {
            sockets,
            client: server,
            peer: SocketAddr::new(server.ip(), 7411),
            for_client,
            for_peer: seeds("peer_datagram"),
        }
    }

    fn send(&self, packets: u64, seed: u64) {
        let mut chance = Chance::new(seed);
        for number in 0..packets {
            let (seeds, to) = match number % 4 {
                0 => (&self.for_peer, self.peer),
                _ => (&self.for_client, self.client),
            };
            let of = |chance: &mut Chance, length: usize| usize::try_from(chance.below(length as u64)).unwrap_or(0);
            let packet = match chance.below(4) {
                0 => (0..chance.below(1_500)).map(|_| chance.draw().to_le_bytes()[0]).collect(),
                1 => seeds[of(&mut chance, seeds.len())].clone(),
                _ => mutate(&seeds[of(&mut chance, seeds.len())], &mut chance),
            };
            let socket = &self.sockets[of(&mut chance, self.sockets.len())];
            // A server that is too busy to take it would be the test's own doing.
            let _ = socket.send_to(&packet, to);
            if number % BURST == 0 {
                pause(Duration::from_millis(1));
            }
        }
    }
}

/// The real datagrams of a client with a key: its hello, and what it says then. All of it goes again and again.
fn conversation(server: SocketAddr, key: &ftq_client::ClientKey) -> Vec<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
    let mut line = Line::sealed(key, [5; 32], 1_400);
    let mut said = Vec::new();
    for nonce in 0..4 {
        let question = vec![4; usize::from(nonce == 3) * 3_000 + 1].into();
        line.send(Time(nonce), &ClientMessage::Read { nonce, local: true, wait_ms: 1_000, question });
        for datagram in std::iter::from_fn(|| line.poll()) {
            socket.send_to(&datagram, server).expect("loopback takes a datagram");
            said.push(datagram);
        }
        let mut buffer = vec![0; 65_536];
        let (length, _) = socket.recv_from(&mut buffer).expect("a holder of a key is answered");
        let _ = line.receive(Time(nonce), buffer[..length].to_vec().into());
        said.extend(std::iter::from_fn(|| line.poll()));
    }
    said
}

/// What of a process is in memory.
fn resident_bytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes << 10
}
