//! Which version of the rules is in force. A machine begins under the newest that its build knows; one that was
//! restored goes on under the version of its snapshot. `Machine::switch_rules` is for all replicas to switch at
//! one and the same slot. Nothing orders such a slot so far.
//!
//! | version | what it adds |
//! | --- | --- |
//! | 1 | everything but what stands below |
//! | 2 | requests with several steps |
//!
//! A change of what any command does, of an answer's bytes or of what the state is charged takes a new
//! version, and the old one goes on to mean what it meant.

use crate::machine::UnknownRules;
use core::fmt;

/// A version of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rules(u64);

impl Rules {
    /// The first version.
    pub const FIRST: Rules = Rules(1);

    /// The newest version that this build knows.
    pub const NEWEST: Rules = Rules(2);

    /// The version with this number.
    pub fn numbered(number: u64) -> Result<Rules, UnknownRules> {
        if (Rules::FIRST.0..=Rules::NEWEST.0).contains(&number) { Ok(Rules(number)) } else { Err(UnknownRules(number)) }
    }

    /// Its number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// Whether a request may have several steps.
    pub(super) fn has_steps(self) -> bool {
        self.0 >= 2
    }
}

impl fmt::Display for UnknownRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this build knows the rules {} to {}, not {}", Rules::FIRST.0, Rules::NEWEST.0, self.0)
    }
}

impl core::error::Error for UnknownRules {}
