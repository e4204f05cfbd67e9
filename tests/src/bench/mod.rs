//! What it costs: the core alone (`cluster`), and the whole service (`service`) beside the least that any
//! such service has to do (`bare`); and what a long run does to it (`endurance`).

pub mod bare;
pub mod cluster;
pub mod endurance;
pub mod machine;
pub mod network;
pub mod service;
pub mod store;
pub mod usage;
pub mod wire;
