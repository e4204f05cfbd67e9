//! Whole clusters in virtual time, from one seed: the simulator, its checkers, and the harness that the
//! scenario tests are written with; and the benchmarks.
//!
//! ```text
//!  faults ──▶ world ──▶ network ──▶ nodes (the replica that the daemon runs, on a store in memory)
//!  clients ─▶   │ ◀──────┘ ▲  └────▶ clients (the sessions that the client library runs)
//!               ▼          │
//!            checkers    trace, counts
//! ```
//!
//! Nothing in a simulation reads a clock or draws from anything but the seed: a seed gives the same run,
//! byte for byte, each time.

#[cfg(feature = "real")]
pub mod bench;
pub mod calls;
pub mod checkers;
pub mod clients;
pub mod clock;
pub mod counts;
pub mod faults;
#[cfg(feature = "real")]
pub mod fuzz;
pub mod model;
pub mod network;
pub mod node;
#[cfg(feature = "real")]
pub mod process;
pub mod run;
pub mod swarm;
#[cfg(feature = "real")]
pub mod torture;
pub mod trace;
pub mod world;
