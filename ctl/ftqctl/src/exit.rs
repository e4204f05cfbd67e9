//! Which exit code each answer of the cluster has that something was not done: one table.

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

/// Every error of the cluster, by its number.
const TABLE: [(No, Kind); 17] = [
    (No::Malformed, Kind::Usage),
    (No::NoSuchQueue, Kind::No),
    (No::NoSuchLabel, Kind::No),
    (No::Empty, Kind::No),
    (No::BadLabel, Kind::Usage),
    (No::BadCount, Kind::Usage),
    (No::ItemTooLarge, Kind::No),
    (No::RequestTooLarge, Kind::No),
    (No::MemoryLimit, Kind::No),
    (No::NumberExhausted, Kind::No),
    (No::QueueFull, Kind::No),
    (No::Paused, Kind::No),
    (No::NoSuchLease, Kind::No),
    (No::BadOption, Kind::Usage),
    (No::TooManyWaits, Kind::No),
    (No::NotAStep, Kind::Usage),
    (No::NotInRules, Kind::No),
];

/// The failure that this error is.
pub(crate) fn failure(why: No, what: String) -> Failure {
    let kind = TABLE.iter().find(|(error, _)| *error == why).map_or(Kind::No, |(_, kind)| *kind);
    match kind {
        Kind::No => Failure::No(what),
        Kind::Usage => Failure::Usage(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_exit_code() {
        assert_eq!(No::all().collect::<Vec<_>>(), TABLE.map(|(error, _)| error));
        let code = |error: No| failure(error, String::new()).code();
        assert_eq!(No::all().map(code).collect::<Vec<_>>(), [64, 1, 1, 1, 64, 64, 1, 1, 1, 1, 1, 1, 1, 64, 1, 64, 1]);
    }
}
