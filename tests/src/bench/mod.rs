//! What the core costs.
pub mod cluster;
