//! Real sockets on loopback: every datagram arrives as it was sent, however many share a system call.

use super::*;
use async_io::block_on;
use std::future::poll_fn;

fn socket(address: &str) -> Socket {
    Socket::bind(address.parse().unwrap()).unwrap()
}

/// The next so many datagrams, and where they came from.
fn receive(socket: &mut Socket, count: usize) -> Vec<(Vec<u8>, SocketAddr)> {
    let mut datagrams = Vec::new();
    while datagrams.len() < count {
        match socket.receive() {
            Some(received) => {
                let (bytes, path) = received.unwrap();
                datagrams.push((bytes.to_vec(), path.remote));
            }
            None => block_on(poll_fn(|context| socket.poll_readable(context))),
        }
    }
    datagrams
}

fn pass(from: &str, to: &str, lengths: &[usize]) {
    let (mut from, mut to) = (socket(from), socket(to));
    let (here, there) = (from.local_addr().unwrap(), to.local_addr().unwrap());
    for (number, length) in (0u8..).zip(lengths) {
        from.send(&vec![number; *length], Path::to(there));
    }
    from.flush();
    let received = receive(&mut to, lengths.len());
    for ((number, length), (bytes, remote)) in (0u8..).zip(lengths).zip(received) {
        assert_eq!((bytes.len(), remote), (*length, here), "datagram {number}");
        assert!(bytes.iter().all(|byte| *byte == number));
    }
    assert!(to.receive().is_none(), "no more than was sent");
    assert_eq!(from.counters().sent, lengths.len() as u64);
    assert_eq!(from.counters().lost, 0);
}

#[test]
fn datagrams_of_any_size_arrive_in_order() {
    let lengths = [0, 1, 1_400, 1_400, 1_400, 700, 1_400, 1_401, 0, 0, 65_000, 65_507, 3, 3, 2, 2, 9_000, 9_000];
    pass("127.0.0.1:0", "127.0.0.1:0", &lengths);
}

#[test]
fn ipv6_does_too() {
    pass("[::1]:0", "[::1]:0", &[1_400, 1_400, 5, 65_000, 0]);
}

#[test]
fn many_of_one_size_share_system_calls() {
    let (mut from, mut to) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    let there = to.local_addr().unwrap();
    for _ in 0..200 {
        from.send(&[1; 1_200], Path::to(there));
    }
    from.flush();
    receive(&mut to, 200);
    assert!(from.counters().send_calls < 20, "{:?}", from.counters());
    assert!(to.counters().receive_calls < 20, "{:?}", to.counters());
}

#[test]
fn many_receivers_get_what_is_theirs() {
    let mut from = socket("127.0.0.1:0");
    let mut receivers: Vec<Socket> = (0..BURSTS_MAX + 3).map(|_| socket("127.0.0.1:0")).collect();
    for round in 0..3u8 {
        for receiver in &receivers {
            from.send(&[round; 100], Path::to(receiver.local_addr().unwrap()));
        }
    }
    from.flush();
    for receiver in &mut receivers {
        let rounds: Vec<u8> = receive(receiver, 3).iter().map(|(bytes, _)| bytes[0]).collect();
        assert_eq!(rounds, [0, 1, 2]);
    }
}

#[test]
fn the_same_to_all_is_one_system_call() {
    let mut from = socket("127.0.0.1:0");
    let mut receivers: Vec<Socket> = (0..8).map(|_| socket("127.0.0.1:0")).collect();
    let there: Vec<SocketAddr> = receivers.iter().map(|receiver| receiver.local_addr().unwrap()).collect();
    for (calls, length) in (1..).zip([1_400, 60_000, 0, 9_000]) {
        from.send_to_all(&vec![7; length], there.iter().copied());
        from.flush();
        assert_eq!((from.counters().send_calls, from.counters().sent), (calls, calls * 8));
        for receiver in &mut receivers {
            assert_eq!(receive(receiver, 1)[0].0, vec![7; length]);
        }
    }
}

#[test]
fn what_is_sent_to_all_stays_in_order_with_what_is_sent_to_one() {
    let mut from = socket("[::1]:0");
    let mut receivers = [socket("[::1]:0"), socket("[::1]:0")];
    let there = receivers.each_ref().map(|receiver| receiver.local_addr().unwrap());
    let lengths = [10, 20_000, 30, 40, 10_000, 50];
    for (turn, length) in lengths.iter().enumerate() {
        if turn % 3 == 0 {
            there.iter().for_each(|there| from.send(&vec![1; *length], Path::to(*there)));
        } else {
            from.send_to_all(&vec![1; *length], there.iter().copied());
        }
    }
    from.flush();
    for receiver in &mut receivers {
        let received: Vec<usize> = receive(receiver, lengths.len()).iter().map(|(bytes, _)| bytes.len()).collect();
        assert_eq!(received, lengths);
    }
}

/// One of them can't be reached at all: the others get theirs.
#[test]
fn one_that_the_system_refuses_takes_no_other_with_it() {
    let mut from = socket("127.0.0.1:0");
    let mut receivers = [socket("127.0.0.1:0"), socket("127.0.0.1:0")];
    let [first, last] = receivers.each_ref().map(|receiver| receiver.local_addr().unwrap());
    let nowhere = "[::1]:9".parse().unwrap();
    from.send_to_all(b"to all", [first, nowhere, last].into_iter());
    from.flush();
    assert_eq!((from.counters().sent, from.counters().lost), (2, 1));
    for receiver in &mut receivers {
        assert_eq!(receive(receiver, 1)[0].0, b"to all");
    }
}

#[test]
fn an_answer_leaves_from_the_address_that_was_asked() {
    let mut server = socket("0.0.0.0:0");
    let port = server.local_addr().unwrap().port();
    let mut client = socket("127.0.0.1:0");
    let asked = SocketAddr::from(([127, 0, 0, 77], port));
    client.send(b"question", Path::to(asked));
    client.flush();
    block_on(poll_fn(|context| server.poll_readable(context)));
    let (_, path) = server.receive().unwrap().unwrap();
    server.send(b"answer", path);
    server.flush();
    assert_eq!(receive(&mut client, 1), [(b"answer".to_vec(), asked)]);
}

#[test]
fn what_nobody_can_take_is_counted_as_lost() {
    let mut from = socket("127.0.0.1:0");
    let there = from.local_addr().unwrap();
    from.send(&vec![1; 65_508], Path::to(there));
    from.send_to_all(&vec![1; 65_508], [there].into_iter());
    from.flush();
    let Counters { sent, lost, too_large, .. } = from.counters();
    assert_eq!((sent, lost, too_large), (0, 2, 2));
}
