//! What is counted and measured, for machines that watch: every name is in [`families`], with what it means.

mod collect;
mod families;
mod histogram;
mod meter;
mod page;
pub(crate) mod process;

pub(crate) use collect::{Seen, collect};
pub(crate) use meter::Meter;
