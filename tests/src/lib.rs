//! Simulator, checkers, scenario tests and benchmarks.
pub mod bench;
