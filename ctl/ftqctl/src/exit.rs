//! Which exit code each answer of the cluster has that something was not done.

use crate::Failure;
use ftq_client::No;

/// What kind of no it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Exit code 1: as things stand it can't be done.
    No,
    /// Exit code 64: it can never be done as it was written.
    Usage,
}

/// The failure that this error is.
pub(crate) fn failure(why: No, what: String) -> Failure {
    match kind(why) {
        Kind::No => Failure::No(what),
        Kind::Usage => Failure::Usage(what),
    }
}

fn kind(why: No) -> Kind {
    match why {
        No::Malformed | No::BadLabel | No::BadCount | No::BadOption | No::NotAStep => Kind::Usage,
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
        | No::NotInRules => Kind::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_exit_code() {
        let code = |error: No| failure(error, String::new()).code();
        assert_eq!(No::all().map(code).collect::<Vec<_>>(), [64, 1, 1, 1, 64, 64, 1, 1, 1, 1, 1, 1, 1, 64, 1, 64, 1]);
    }
}
