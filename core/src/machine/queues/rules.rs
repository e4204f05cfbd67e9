//! Which version of the rules is in force: what every command does, the bytes of an answer, what the state is
//! charged, the form of a snapshot.
//!
//! Every machine begins under the first version, whatever its build. A replica says which is the newest that its
//! build knows; when every member of the cluster knows a newer one, an entry of the log switches all of them, at
//! the same place in it. So replicas can be upgraded one at a time, and never differ. One that meets an entry or
//! a snapshot of rules that it does not know stops and says so. There is no way back.
//!
//! | version | what it adds |
//! | --- | --- |
//! | 1 | everything but what stands below |
//! | 2 | requests with several steps |
//!
//! A change takes a new version, and the old ones go on to mean what they meant.

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

    /// The version with this number, if it is this one or one before it.
    pub fn or_before(self, number: u64) -> Result<Rules, UnknownRules> {
        if (Rules::FIRST.0..=self.0).contains(&number) { Ok(Rules(number)) } else { Err(UnknownRules(number)) }
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
