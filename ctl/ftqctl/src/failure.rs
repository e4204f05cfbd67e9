//! Why there is nothing to show, with the exit code that scripts go by.

use ftq_client::{Error, No};
use std::fmt;
use std::io;

/// Why there is nothing to show.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong.
    Usage(String),
    /// No such luck: nothing was changed.
    No(String),
    /// Nobody was there to ask: nothing was changed.
    Unreachable(String),
    /// It may have been done; or it was, and can't be shown.
    Unknown(String),
    /// The user has had enough; it says what was done.
    Interrupted(String),
    /// Whoever reads what is shown has seen enough, and nothing is lost by that.
    Unread,
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Unread => 0,
            Failure::No(_) => 1,
            Failure::Unreachable(_) => 2,
            Failure::Unknown(_) => 3,
            Failure::Usage(_) => 64,
            Failure::Interrupted(_) => 130,
        }
    }

    /// What `error` is, with the name of what it is about.
    pub(crate) fn of(name: impl fmt::Display, error: Error) -> Failure {
        match error {
            Error::No(why) => Failure::refused(why, format!("{name}: {}", remedy(why))),
            Error::NotAllowed | Error::OtherVersion => Failure::No(error.to_string()),
            Error::TooLarge { .. } | Error::NotAnInteger | Error::BeyondIntegers | Error::Expired => {
                Failure::No(format!("{name}: {error}"))
            }
            Error::Unreachable | Error::NoQuorum | Error::Busy | Error::DiskFull | Error::Closed => {
                Failure::Unreachable(error.to_string())
            }
            Error::Unknown => Failure::Unknown(error.to_string()),
        }
    }

    /// The same with more to say.
    pub(crate) fn with(self, more: &str) -> Failure {
        let longer = |what: String| format!("{what}; {more}");
        match self {
            Failure::Usage(what) => Failure::Usage(longer(what)),
            Failure::No(what) => Failure::No(longer(what)),
            Failure::Unreachable(what) => Failure::Unreachable(longer(what)),
            Failure::Unknown(what) => Failure::Unknown(longer(what)),
            Failure::Interrupted(what) => Failure::Interrupted(longer(what)),
            Failure::Unread => Failure::Unread,
        }
    }

    /// What the system says about a file.
    pub(crate) fn file(path: impl fmt::Display, error: &io::Error) -> Failure {
        Failure::No(format!("{path}: {error}"))
    }

    fn refused(why: No, what: String) -> Failure {
        match why {
            // It can never be done as it was written.
            No::Malformed | No::BadLabel | No::BadCount | No::BadOption | No::NotAStep => Failure::Usage(what),
            // As things stand it can't be done.
            No::NoSuchQueue
            | No::NoSuchLabel
            | No::Empty
            | No::ItemTooLarge
            | No::RequestTooLarge
            | No::MemoryLimit
            | No::NumberExhausted
            | No::QueueFull
            | No::Paused
            | No::NoSuchLease
            | No::TooManyWaits
            | No::NotInRules => Failure::No(what),
        }
    }
}

/// What is wrong and, where there is something to do about it, what.
fn remedy(why: No) -> String {
    let then = match why {
        No::NoSuchLabel | No::NoSuchQueue => "`ftqctl list` shows the queues, `ftqctl create` makes one",
        No::QueueFull => "`ftqctl show` tells its limits, `ftqctl set` changes them",
        No::Paused => "`ftqctl resume` ends that",
        No::NoSuchLease => "take the items again",
        No::Malformed
        | No::Empty
        | No::BadLabel
        | No::BadCount
        | No::ItemTooLarge
        | No::RequestTooLarge
        | No::MemoryLimit
        | No::NumberExhausted
        | No::BadOption
        | No::TooManyWaits
        | No::NotAStep
        | No::NotInRules => return why.to_string(),
    };
    format!("{why}; {then}")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(what)
            | Failure::No(what)
            | Failure::Unreachable(what)
            | Failure::Unknown(what)
            | Failure::Interrupted(what) => f.write_str(what),
            Failure::Unread => f.write_str("nobody reads it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_exit_code() {
        let code = |error: No| Failure::of("x", Error::No(error)).code();
        assert_eq!(No::all().map(code).collect::<Vec<_>>(), [64, 1, 1, 1, 64, 64, 1, 1, 1, 1, 1, 1, 1, 64, 1, 64, 1]);
    }

    #[test]
    fn a_message_is_one_line() {
        for error in No::all() {
            let failure = Failure::of("letters", Error::No(error)).to_string();
            assert!(failure.starts_with("letters: ") && !failure.contains('\n'), "{failure}");
        }
    }
}
