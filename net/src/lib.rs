//! What leaves the machine: the seal around what replicas say to each other ([`peer`]), what clients and
//! replicas say ([`client`]), and the keys of both ([`keys`]).
//!
//! Always: bytes from outside become a typed message, or an error that says what was wrong with them.
//! Nothing here draws a random number or panics on what it is given, and nobody but a shell asks [`clock`].

pub mod client;
pub mod clock;
pub mod keys;
pub mod peer;
pub mod socket;

/// The largest datagram between a client and a replica that an ordinary path carries, and the largest on loopback.
pub const CLIENT_DATAGRAM: usize = 1_400;
/// See [`CLIENT_DATAGRAM`].
pub const CLIENT_DATAGRAM_LOOPBACK: usize = 60_000;
