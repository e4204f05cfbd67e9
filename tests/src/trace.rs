//! One line per event, in columns that a person can follow:
//!
//! ```text
//!    time ms  who  what        details
//!   1203.417  2    sequenced   slot 17, view 3.1, 4 requests
//! ```

use ftq_core::time::Time;
use std::fmt::{self, Write as _};

/// Who a line is about.
#[derive(Clone, Copy, Debug)]
pub enum Who {
    /// A member, by its id.
    Member(u8),
    /// A client, by its index.
    Client(usize),
    /// The world around them.
    World,
}

/// Where the lines go.
#[derive(Clone, Debug, Default)]
pub enum Trace {
    /// Nowhere.
    #[default]
    Off,
    /// To the standard output, as they come.
    Print,
    /// Into a text.
    Collect(String),
}

impl Trace {
    /// Whether anybody reads it.
    pub fn is_on(&self) -> bool {
        !matches!(self, Trace::Off)
    }

    /// Writes one line.
    pub fn line(&mut self, now: Time, who: Who, what: &str, details: fmt::Arguments<'_>) {
        let (ms, us) = (now.0 / 1_000, now.0 % 1_000);
        match self {
            Trace::Off => {}
            Trace::Print => println!("{ms:>8}.{us:03}  {who:<4} {what:<12} {details}"),
            Trace::Collect(text) => {
                // Writing to a text never fails.
                let _ = writeln!(text, "{ms:>8}.{us:03}  {who:<4} {what:<12} {details}");
            }
        }
    }

    /// What was collected.
    pub fn text(&self) -> &str {
        match self {
            Trace::Off | Trace::Print => "",
            Trace::Collect(text) => text,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Member(id) => f.pad(&id.to_string()),
            Who::Client(index) => f.pad(&format!("c{index}")),
            Who::World => f.pad("·"),
        }
    }
}
