//! Every decoder of bytes from outside, each with a body that any bytes can be put into.
//!
//! The bodies are compiled and run here: over the committed corpus, and over mutations of it. `tests/fuzz`
//! puts the same bodies behind libFuzzer. A body panics when something is wrong: when a decoder does, or
//! when what was decoded does not survive being encoded and decoded again.

mod bodies;
mod seeds;

pub use seeds::seeds;

use ftq_core::chance::Chance;

/// A decoder to be fed with anything.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which its corpus has too.
    pub name: &'static str,
    /// What is done with the bytes.
    pub body: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 13] = [
    Target { name: "peer_datagram", body: bodies::peer_datagram },
    Target { name: "peer_packet", body: bodies::peer_packet },
    Target { name: "introduction", body: bodies::introduction },
    Target { name: "peer_message", body: bodies::peer_message },
    Target { name: "client_datagram", body: bodies::client_datagram },
    Target { name: "client_payloads", body: bodies::client_payloads },
    Target { name: "client_request", body: bodies::client_request },
    Target { name: "client_answer", body: bodies::client_answer },
    Target { name: "server_datagram", body: bodies::server_datagram },
    Target { name: "command", body: bodies::command },
    Target { name: "key_file", body: bodies::key_file },
    Target { name: "configuration", body: bodies::configuration },
    Target { name: "vectors", body: bodies::vectors },
];

/// The target of this name.
pub fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).expect("a target has this name")
}

/// Something like `bytes`: with bits and bytes changed, lengths made absurd, parts cut out or doubled.
pub fn mutate(bytes: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=chance.below(4) {
        let at = pick(chance, bytes.len());
        match chance.below(9) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << chance.below(8),
            1 if !bytes.is_empty() => bytes[at] = chance.draw().to_le_bytes()[0],
            2 => bytes.truncate(at),
            3 => bytes.extend_from_slice(&bytes.clone()[at..]),
            4 => drop(bytes.splice(at..at, [0xff; 8])),
            5 => drop(bytes.splice(at..at, [0x91; 16])),
            6 => drop(bytes.drain(at..(at + pick(chance, 16)).min(bytes.len()))),
            // The largest number of 32 bits, in place of what may have been a number.
            7 => drop(bytes.splice(at..(at + 1).min(bytes.len()), [0xce, 0xff, 0xff, 0xff, 0xff])),
            _ => bytes.insert(at, [0, 0x7f, 0x80, 0xc4, 0xc6, 0xdd][pick(chance, 6)]),
        }
    }
    bytes
}

fn pick(chance: &mut Chance, below: usize) -> usize {
    usize::try_from(chance.below(below.max(1) as u64)).unwrap_or(0)
}
