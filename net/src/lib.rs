//! What leaves the machine: the seal around what replicas say to each other ([`peer`]), what clients and
//! replicas say ([`client`]), and the keys of both ([`keys`]).
//!
//! Always: bytes from outside become a typed message, or an error that says what was wrong with them.
//! Nothing here reads a clock, draws a random number or panics on what it is given.

pub mod client;
pub mod keys;
pub mod peer;

/// The largest datagram that a client and a replica send each other, on loopback. A request or an
/// answer has to fit into one.
pub const CLIENT_DATAGRAM_MAX: usize = 60_000;
