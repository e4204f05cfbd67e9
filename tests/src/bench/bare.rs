//! The least that a replicated, durable service has to do for a request: a datagram to three processes, a
//! synced write in each, an answer, and two of three answers are enough. Nobody agrees on anything.

use super::service::{ITEM_BYTES, MEASURED, WARM_UP};
use super::usage::{Run, cpu_seconds};
use crate::process::Ticks;
use socket2::SockRef;
use std::ffi::OsString;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

const ACCEPTORS: usize = 3;
const QUORUM: usize = 2;

/// After so many bytes an acceptor begins its file anew. It is written once before, as a journal is.
const FILE_BYTES: u64 = 16 << 20;

/// A datagram that was lost is sent again after this.
const AGAIN: Duration = Duration::from_millis(100);

/// More than is ever under way at once, so that nothing is lost for want of room.
const BUFFER_BYTES: usize = 4 << 20;

/// Measures with so many requests under way.
pub fn measure(program: &Path, outstanding: usize) -> Run {
    let beside = program.parent().expect("a program is in a directory");
    let directory = tempfile::Builder::new().prefix("ftq-bare-").tempdir_in(beside).expect("a directory");
    let client = socket((Ipv4Addr::LOCALHOST, 0).into());
    let mut acceptors = Vec::new();
    for number in 0..ACCEPTORS {
        acceptors.push(Acceptor::start(program, &directory.path().join(number.to_string()), &client));
    }
    client.set_read_timeout(Some(AGAIN)).expect("a socket has a timeout");
    let processes: Vec<u32> = acceptors.iter().map(|acceptor| acceptor.child.id()).collect();
    let addresses: Vec<SocketAddr> = acceptors.iter().map(|acceptor| acceptor.address).collect();
    run_for(&client, &addresses, outstanding, WARM_UP, 0);
    let before = cpu_seconds(&processes);
    let clock = Ticks::start();
    let latencies = run_for(&client, &addresses, outstanding, MEASURED, 1 << 32);
    Run::new(latencies, clock.passed(), cpu_seconds(&processes) - before)
}

/// Keeps so many requests under way, named from `first` on.
fn run_for(
    client: &UdpSocket,
    acceptors: &[SocketAddr],
    outstanding: usize,
    length: Duration,
    first: u64,
) -> Vec<Duration> {
    let clock = Ticks::start();
    let send = |name: u64| {
        let mut request = [b'x'; ITEM_BYTES];
        request[..8].copy_from_slice(&name.to_le_bytes());
        for acceptor in acceptors {
            client.send_to(&request, acceptor).expect("loopback takes a datagram");
        }
    };
    // By place: the name of its request, when it was sent, and who has not answered it yet.
    let mut open: Vec<(u64, Ticks, Vec<SocketAddr>)> = Vec::new();
    let mut next = first;
    for _ in 0..outstanding {
        open.push((next, Ticks::start(), acceptors.to_vec()));
        send(next);
        next += 1;
    }
    let mut latencies = Vec::new();
    let mut answer = [0; 8];
    while clock.passed() < length {
        let Ok((_, from)) = client.recv_from(&mut answer) else {
            open.iter().for_each(|(name, ..)| send(*name));
            continue;
        };
        let name = u64::from_le_bytes(answer);
        let Some(place) = open.iter_mut().find(|place| place.0 == name) else { continue };
        place.2.retain(|silent| *silent != from);
        if place.2.len() <= ACCEPTORS - QUORUM {
            latencies.push(place.1.passed());
            *place = (next, Ticks::start(), acceptors.to_vec());
            send(next);
            next += 1;
        }
    }
    latencies
}

/// An acceptor's process, which is killed with it.
struct Acceptor {
    child: Child,
    address: SocketAddr,
}

impl Acceptor {
    fn start(program: &Path, file: &Path, client: &UdpSocket) -> Acceptor {
        let to = client.local_addr().expect("a bound socket has an address");
        let child = Command::new(program).arg("acceptor").arg(file).arg(to.to_string()).stdin(Stdio::null()).spawn();
        let child = child.expect("a process");
        // It says hello when it is ready.
        let (_, address) = client.recv_from(&mut [0; 8]).expect("an acceptor says hello");
        Acceptor { child, address }
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        // It has nothing to say at its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The acceptor: writes down what came, syncs once for all that waits, and answers.
pub fn accept(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(path), Some(client)) = (arguments.next(), arguments.next()) else { return ExitCode::from(64) };
    let client: SocketAddr = client.to_str().and_then(|text| text.parse().ok()).expect("an address");
    let file = File::create(path).expect("a file");
    let zeros = vec![0; 1 << 20];
    for at in (0..FILE_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, at).expect("a disk takes it");
    }
    file.sync_all().expect("a disk takes it");
    let socket = socket((Ipv4Addr::LOCALHOST, 0).into());
    socket.send_to(&[0; 8], client).expect("loopback takes a datagram");
    let mut at = 0;
    let mut group = Vec::new();
    let mut names = Vec::new();
    let mut request = [0; ITEM_BYTES];
    loop {
        group.clear();
        names.clear();
        socket.set_nonblocking(false).expect("a socket can wait");
        while socket.recv(&mut request).is_ok() {
            group.extend_from_slice(&request);
            names.extend(request.first_chunk::<8>().copied());
            socket.set_nonblocking(true).expect("a socket can be asked");
        }
        // Whole blocks, as a journal writes them.
        group.resize(group.len().next_multiple_of(4096), 0);
        let length = group.len() as u64;
        if at + length > FILE_BYTES {
            at = 0;
        }
        file.write_all_at(&group, at).and_then(|()| file.sync_data()).expect("a disk takes it");
        at += length;
        for name in &names {
            socket.send_to(name, client).expect("loopback takes a datagram");
        }
    }
}

fn socket(address: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(address).expect("loopback has a port");
    // The system may give less.
    let _ = SockRef::from(&socket).set_recv_buffer_size(BUFFER_BYTES);
    socket
}
