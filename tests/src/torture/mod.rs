//! Stores on real disks that are killed and cut at random moments, and what must be true afterwards.

mod bed;
mod cuts;
mod log;
mod story;
mod trouble;
mod victim;

pub use bed::Kind;
pub use cuts::{Plan, Toll, cuts};
pub(crate) use log::{slots, snapshot};
pub use trouble::{eio, full};
pub use victim::{Ended, run as victim};
