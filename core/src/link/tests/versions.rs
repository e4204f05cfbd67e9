//! Replicas of different builds: each writes in the newest version that all of its peers have said to speak.

use super::*;

/// A mesh whose nodes speak these versions.
fn mesh(spoken: &[(u8, u8)]) -> Mesh {
    let mut mesh = Mesh::new(u8::try_from(spoken.len()).unwrap(), Faults { replay: 1, ..CALM }, 1);
    for (n, speaks) in (1..).zip(spoken) {
        restart(&mut mesh, n, 2, *speaks);
    }
    mesh
}

fn restart(mesh: &mut Mesh, n: u8, run: u8, (oldest, newest): (u8, u8)) {
    let speaks = Versions { oldest, newest };
    let options = Options { speaks, ..Options::new(member(n), CLUSTER, boot(n, run)) };
    let mut link = Link::new(options, u64::from(n) * 1_000 + u64::from(run));
    link.set_peers(mesh.now, mesh.all().without(member(n)));
    mesh.nodes.insert(member(n), Node::new(link));
    mesh.flush(member(n));
}

/// The version of what `n` has sent last.
fn version(mesh: &Mesh, n: u8) -> u8 {
    mesh.record.iter().rev().find(|(from, ..)| *from == member(n)).map(|(.., bytes)| bytes[0]).unwrap()
}

#[test]
fn the_oldest_peer_decides_and_an_upgrade_of_the_last_one_lifts_all() {
    let mut mesh = mesh(&[(1, 2), (1, 2), (1, 1)]);
    mesh.run(ms(200));
    mesh.open(7);
    mesh.broadcast(1, b"old words");
    mesh.run(ms(50));
    assert_eq!(mesh.broadcasts(3, 1), [&b"old words"[..]]);
    assert_eq!([1, 2, 3].map(|n| version(&mesh, n)), [1, 1, 1]);

    restart(&mut mesh, 3, 3, (1, 2));
    mesh.run(ms(200));
    mesh.open(8);
    mesh.broadcast(1, b"new words");
    mesh.run(ms(50));
    assert_eq!(mesh.broadcasts(3, 1), [&b"new words"[..]]);
    assert_eq!([1, 2, 3].map(|n| version(&mesh, n)), [2, 2, 2]);
}

#[test]
fn who_shares_no_version_is_refused_and_counted() {
    let mut mesh = mesh(&[(1, 1), (2, 3)]);
    mesh.run(ms(500));
    assert_eq!(mesh.link(1).believed(member(2)), None);
    assert!(mesh.link(1).counters().of(Count::RefusedVersion) > 0);
    assert!(mesh.link(2).counters().of(Count::RefusedVersion) > 0);
}
