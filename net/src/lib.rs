//! What leaves the machine: the bytes between replicas ([`peer`]), and between clients and replicas
//! ([`client`]).
//!
//! Always: bytes from outside become a typed message, or an error that says what was wrong with them.
//! Nothing here opens a socket, reads a clock or panics on what it is given.

pub mod client;
pub mod peer;

/// The largest datagram that a client and a replica send each other, on loopback. A request or an
/// answer has to fit into one.
pub const CLIENT_DATAGRAM_MAX: usize = 60_000;
