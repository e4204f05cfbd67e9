//! Everything of ftq that decides, as state machines without I/O.
//!
//! Sockets, files, clocks, threads and randomness come in as inputs; what should happen goes out as
//! outputs. So one seed replays a whole cluster with its network and its disks, and the daemon and
//! the simulator run the same code. The crate is `no_std`: the compiler proves that it does no I/O.
//!
//! ```text
//! client ──▶ replica ──▶ machine   (what the slots mean: sessions, then commands)
//!               │  ▲
//!               ▼  │ committed slots
//!             group  (one order through any failure: views, slots, commits)
//!               │  ▲
//!               ▼  │ messages
//!             link   (a reliable mesh out of datagrams)
//! ```
//!
//! Link knows no slots, group knows no queues, machine knows no members.
#![no_std]

extern crate alloc;

pub mod chance;
pub mod group;
pub mod ids;
mod invariants;
pub mod link;
pub mod machine;
pub mod pack;
pub mod replica;
pub mod session;
pub mod store;
pub mod time;
pub mod window;
pub mod wire;
