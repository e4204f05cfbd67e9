//! `ftqctl` against a real cluster of three: every command, as a table and as JSON, and everything that can be wrong
//! with a command line.

mod cluster;
mod line;
mod push;
mod queues;
