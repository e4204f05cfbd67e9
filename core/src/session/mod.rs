//! Both sides of a client's retries: a session makes a command execute at most once, whichever
//! replica it was sent to and however often.

pub mod client;
pub mod message;
pub mod table;
#[cfg(test)]
mod tests;
