//! A log whose every slot follows from its number, its view and all slots before it: so what comes back
//! from a disk can be told from anything else.

use bytes::Bytes;
use ftq_core::electorate::Electorate;
use ftq_core::ids::{Ballot, Configuration, Digest, MemberId, MemberSet, Slot, StoreId, View};
use ftq_core::store::{Opened, Position, SlotRecord, Snapshot};
use ftq_core::time::SlotClock;

/// A ballot of the only proposer there is.
pub(super) fn ballot(number: u64) -> Ballot {
    match number {
        0 => Ballot::default(),
        _ => Ballot { number, proposer: MemberId::new(1), store: StoreId([1; 16]) },
    }
}

/// A view without members.
pub(super) fn view(number: u64) -> View {
    View { ballot: ballot(number), members: Vec::new(), ring: Vec::new() }
}

/// The cluster.
pub(super) fn configuration() -> Configuration {
    Configuration::founding(MemberSet::from_bits(0b1110))
}

/// The electorate when so many things have been said of the cluster: every other one is a change under way.
pub(super) fn electorate(number: u64) -> Electorate {
    let of = |number| Configuration { number, ..configuration() };
    Electorate { sealed: of(number / 2), proposed: (number % 2 == 1).then(|| of(number / 2 + 1)) }
}

/// How many things had been said.
pub(super) fn notices_of(electorate: &Electorate) -> u64 {
    2 * electorate.sealed.number + u64::from(electorate.proposed.is_some())
}

/// The slot `k` behind one with the digest `before`.
pub(super) fn slot(k: u64, view: u64, before: Digest, bytes: usize) -> SlotRecord {
    let digest = before.0.rotate_left(7) ^ u128::from(view) << 64 ^ u128::from(k) << 1 ^ 1;
    let fill = digest.to_le_bytes()[0];
    SlotRecord {
        slot: Slot(k),
        view: ballot(view),
        clock: SlotClock(k),
        digest: Digest(digest),
        content: Bytes::from(vec![fill; bytes]),
    }
}

/// So many slots behind an end.
pub(crate) fn slots(mut end: (u64, Digest), n: u64, bytes: usize) -> Vec<SlotRecord> {
    let mut next = || {
        let record = slot(end.0 + 1, 1, end.1, bytes);
        end = (record.slot.0, record.digest);
        record
    };
    (0..n).map(|_| next()).collect()
}

/// A snapshot of three pieces, one of which never changes, one is larger than a value of the archive.
pub(crate) fn snapshot(at: Slot, digest: Digest) -> Snapshot {
    let byte = digest.0.to_le_bytes()[0];
    Snapshot {
        slot: at,
        digest,
        clock: SlotClock(at.0),
        configuration: configuration(),
        positions: vec![Position { origin: MemberId::new(3).expect("an id"), view: ballot(1), number: at.0 }],
        state: Digest(digest.0 ^ 1),
        pieces: vec![Bytes::from_static(b"the same"), Bytes::from(vec![byte; 70_000]), Bytes::from(vec![byte; 300])],
    }
}

/// Whether all that was found is what was once written, each slot behind the one before.
pub(super) fn check(opened: &Opened) -> Result<(), String> {
    let mut before = match &opened.snapshot {
        Some(found) if *found != snapshot(found.slot, found.digest) => {
            return Err(format!("the snapshot at slot {} is another one", found.slot));
        }
        Some(found) => (found.slot, found.digest),
        None => (Slot(0), Digest(0)),
    };
    for record in opened.delivered.iter().chain(&opened.tail) {
        if *record != slot(before.0.0 + 1, record.view.number, before.1, record.content.len()) {
            return Err(format!("slot {} does not follow slot {}, or is another one", record.slot, before.0));
        }
        before = (record.slot, record.digest);
    }
    Ok(())
}
