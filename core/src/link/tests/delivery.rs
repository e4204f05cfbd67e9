//! Whatever the network does: all messages, once, in order.

use super::*;

const ROUGH: Faults = Faults { loss: 30, double: 50, replay: 30, change: 5, delay: ms_const(1), jitter: ms_const(5) };

/// Everybody sends to everybody, on both kinds of streams, in bursts of mixed sizes.
fn storm(n: u8, faults: Faults, seed: u64, count: u64) -> Mesh {
    let mut mesh = Mesh::met(n, faults, seed);
    let mut draw = Chance::new(seed);
    for number in 0..count {
        for from in 1..=n {
            let length = match draw.below(20) {
                0 => 5_000,
                1..4 => 1_100,
                _ => usize::try_from(draw.below(300)).unwrap(),
            };
            mesh.link(from).broadcast(&numbered(from, number, length));
            for to in (1..=n).filter(|to| *to != from) {
                mesh.link(from).stream(member(to), &numbered(from, number, length / 2));
            }
            if draw.below(4) == 0 {
                mesh.flush(member(from));
            }
        }
        mesh.run(Span(draw.below(3_000)));
    }
    for from in 1..=n {
        mesh.flush(member(from));
    }
    mesh.run_till(Span::secs(10), Mesh::is_settled);
    for to in 1..=n {
        for from in (1..=n).filter(|from| *from != to) {
            assert_in_order(mesh.broadcasts(to, from), from, count);
            assert_in_order(mesh.streams(to, from), from, count);
        }
    }
    mesh
}

#[test]
fn a_calm_network_repairs_nothing() {
    let mesh = storm(3, CALM, 1, 300);
    for node in mesh.nodes.values() {
        let counters = node.link.counters();
        assert_eq!(counters.of(Count::NacksSent), 0);
        assert_eq!(counters.of(Count::CellsResent), 0);
        assert_eq!(counters.of(Count::CellsAgain), 0);
    }
}

#[test]
fn a_rough_network_delivers_everything_once_and_in_order() {
    for seed in 0..20 {
        storm(3, ROUGH, seed, 200);
    }
    storm(7, ROUGH, 99, 50);
}

#[test]
fn long_jitter_and_loss_deliver_too() {
    let faults = Faults { loss: 10, double: 0, replay: 0, change: 0, delay: ms(1), jitter: ms(100) };
    for seed in 0..5 {
        storm(3, faults, seed, 200);
    }
}

#[test]
fn one_percent_loss_costs_few_cells_sent_again() {
    let mesh = storm(3, Faults { loss: 1, ..CALM }, 5, 1_000);
    for node in mesh.nodes.values() {
        let counters = node.link.counters();
        let (sent, again) = (counters.of(Count::CellsSent), counters.of(Count::CellsResent));
        assert!(again > 0 && again * 30 < sent, "{again} of {sent}");
    }
}

#[test]
fn the_longest_message_passes_and_costs_no_more_than_itself() {
    let mut mesh = Mesh::met(3, Faults { loss: 5, ..CALM }, 3);
    let message = numbered(1, 0, MESSAGE_MAX);
    mesh.broadcast(1, &message);
    assert_eq!(mesh.link(1).room(), 0);
    mesh.broadcast(1, &numbered(1, 1, 10));
    mesh.run_till(Span::secs(60), Mesh::is_settled);
    for n in [2, 3] {
        assert_in_order(mesh.broadcasts(n, 1), 1, 2);
        assert_eq!(mesh.broadcasts(n, 1)[0].len(), MESSAGE_MAX);
    }
    assert_eq!(mesh.link(1).room(), WINDOW_BYTES);
}

#[test]
fn small_messages_are_slices_of_their_datagram() {
    let mut mesh = Mesh::met(2, CALM, 3);
    for number in 0..10 {
        mesh.link(1).broadcast(&numbered(1, number, 20));
    }
    mesh.flush(member(1));
    mesh.run(ms(5));
    let got = mesh.broadcasts(2, 1);
    assert_eq!(got.len(), 10);
    for pair in got.windows(2) {
        assert_eq!(pair[1].as_ptr() as usize - pair[0].as_ptr() as usize, 21);
    }
}

#[test]
fn the_same_seed_sends_the_same() {
    let run = |seed| {
        let mesh = storm(3, ROUGH, seed, 50);
        (mesh.sent, mesh.order, mesh.now)
    };
    assert_eq!(run(4), run(4));
    assert_ne!(run(4), run(5));
}
