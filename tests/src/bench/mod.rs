//! What the core costs.
pub mod bare;
pub mod cluster;
pub mod service;
pub mod usage;
