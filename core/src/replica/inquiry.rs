//! What clients ask of a replica itself: how it and its cluster are, what the log holds and which views there were,
//! and changes of who belongs to the cluster.
//!
//! They come as questions of kinds that the machine does not have, so that all of the clients' protocol holds for
//! them too. Whoever runs answers, in whatever state it is.
//!
//! ```text
//! [64]                                        status    [64, …], see `Status`
//! [65, 1, member]                             add       [65, 0, configuration]: done, or [65, n]: see `Changed`
//! [65, 2, member]                             remove
//! [65, 3, old, new]                           replace
//! [65, …, configuration]                      the same, if this is the number of the configuration
//! [66]                                        views     [66, …], see `Views`
//! [67, slot, position]                        log       [67, …], see `LogPage`
//! [68]                                        snapshot  [68, …], see `SnapshotSeen`
//! [69]                                        take one  [69, n, slot], see `SnapshotTaken`
//! ```
//! A change is named by the nonce of its question: however often that comes here, it is ordered once. One that names
//! the configuration that it replaces is made once, however many replicas are asked, and in whichever of their runs.

mod changed;
mod fields;
mod log;
mod snapshot;
mod status;
mod views;

pub use changed::Changed;
pub use log::{LogPage, LogRequest, LogSlot, RequestKind};
pub use snapshot::{SnapshotSeen, SnapshotTaken};
pub use status::{Peer, State, Status};
pub use views::{ViewSeen, Views};

pub(super) use changed::EndedChanges;
pub(super) use log::LogReads;
pub(super) use snapshot::{Outline, Taking};
pub(super) use status::Paces;
pub(super) use views::Chronicle;

use super::changes::Orderer;
use super::{ChangeOutcome, ClientId, Output, Replica};
use crate::group::admission::ClusterChange;
use crate::machine::{Machine, Place};
use crate::pack::{Packer, Unpacker};
use crate::session::message::ServerMessage;
use crate::time::{Span, Time};
use crate::wire::Malformed;
use bytes::Bytes;
use fields::{FIELDS_MAX, id, member};

const STATUS: u64 = 64;
const CHANGE: u64 = 65;
const VIEWS: u64 = 66;
const LOG: u64 = 67;
const SNAPSHOT: u64 = 68;
const TAKE_SNAPSHOT: u64 = 69;

/// What the machine answers to bytes that are no question: `[0, 1]`.
const FAILED: u64 = 0;
const MALFORMED: u64 = 1;

/// Something that is asked of a replica itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inquiry {
    /// How it is.
    Status,
    /// Change who belongs to the cluster.
    Change {
        /// What is to be changed.
        change: ClusterChange,
        /// The number of the configuration that it replaces: with another one nothing is done.
        replaces: Option<u64>,
    },
    /// Which views it was in.
    Views,
    /// What the delivered log holds from this place on.
    Log(Place),
    /// What its newest snapshot is.
    Snapshot,
    /// Take a snapshot now.
    TakeSnapshot,
}

/// A change that a client has ordered, or another question that is not answered at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) client: ClientId,
    pub(super) nonce: u64,
}

impl Inquiry {
    /// Reads a question, if it is one to the replica itself.
    pub fn read(question: &Bytes) -> Option<Result<Inquiry, Malformed>> {
        let mut r = Unpacker::new(question.clone());
        let fields = r.array(FIELDS_MAX).ok()?;
        let kind = r.uint().ok()?;
        (kind >= STATUS).then(|| Inquiry::fields(r, kind, fields))
    }

    /// Whether this question changes how the cluster is, or shows what all of its clients do, and so is for its
    /// operators.
    pub fn is_for_operators(question: &Bytes) -> bool {
        match Inquiry::read(question) {
            Some(Ok(Inquiry::Change { .. } | Inquiry::Log(_) | Inquiry::TakeSnapshot) | Err(_)) => true,
            Some(Ok(Inquiry::Status | Inquiry::Views | Inquiry::Snapshot)) | None => false,
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        match self {
            Inquiry::Status => w.array(1).uint(STATUS),
            Inquiry::Change { change, replaces } => {
                let more = usize::from(replaces.is_some());
                match change {
                    ClusterChange::Add(new) => w.array(3 + more).uint(CHANGE).uint(1).uint(id(*new)),
                    ClusterChange::Remove(old) => w.array(3 + more).uint(CHANGE).uint(2).uint(id(*old)),
                    ClusterChange::Replace { old, new } => {
                        w.array(4 + more).uint(CHANGE).uint(3).uint(id(*old)).uint(id(*new))
                    }
                };
                replaces.iter().fold(&mut w, |w, number| w.uint(*number))
            }
            Inquiry::Views => w.array(1).uint(VIEWS),
            Inquiry::Log(place) => w.array(3).uint(LOG).uint(place.slot).uint(u64::from(place.position)),
            Inquiry::Snapshot => w.array(1).uint(SNAPSHOT),
            Inquiry::TakeSnapshot => w.array(1).uint(TAKE_SNAPSHOT),
        };
        w.into_bytes()
    }

    fn fields(mut r: Unpacker, kind: u64, fields: usize) -> Result<Inquiry, Malformed> {
        let inquiry = match (kind, fields) {
            (STATUS, 1) => Inquiry::Status,
            (CHANGE, 3..=5) => {
                let (change, takes) = match r.uint()? {
                    1 => (ClusterChange::Add(member(&mut r)?), 3),
                    2 => (ClusterChange::Remove(member(&mut r)?), 3),
                    3 => (ClusterChange::Replace { old: member(&mut r)?, new: member(&mut r)? }, 4),
                    _ => return Err(Malformed),
                };
                match fields.checked_sub(takes) {
                    Some(0) => Inquiry::Change { change, replaces: None },
                    Some(1) => Inquiry::Change { change, replaces: Some(r.uint()?) },
                    Some(_) | None => return Err(Malformed),
                }
            }
            (VIEWS, 1) => Inquiry::Views,
            (LOG, 3) => {
                let slot = r.uint()?;
                Inquiry::Log(Place { slot, position: u32::try_from(r.uint()?).map_err(|_| Malformed)? })
            }
            (SNAPSHOT, 1) => Inquiry::Snapshot,
            (TAKE_SNAPSHOT, 1) => Inquiry::TakeSnapshot,
            (_, _) => return Err(Malformed),
        };
        r.end()?;
        Ok(inquiry)
    }
}

impl<M: Machine> Replica<M> {
    /// A client asks something of this replica itself.
    pub(super) fn on_inquiry(&mut self, now: Time, asking: Asking, wait_ms: u32, inquiry: Result<Inquiry, Malformed>) {
        let wait = Span::millis(wait_ms.into());
        match inquiry {
            Ok(Inquiry::Status) => {
                let status = self.status(now).encode();
                self.answer_inquiry(asking, status);
            }
            Ok(Inquiry::Change { change, replaces }) => {
                if let Some(outcome) = self.ended_changes.find(asking.nonce) {
                    self.answer_inquiry(asking, Changed(outcome).encode());
                } else if !self.asks_again(asking) {
                    self.order_change(now, Orderer::Client(asking), change, replaces, wait);
                }
            }
            Ok(Inquiry::Views) => {
                let views = self.chronicle.views(now, self.options.me).encode();
                self.answer_inquiry(asking, views);
            }
            Ok(Inquiry::Log(from)) => self.show_log(now, asking, wait, from),
            Ok(Inquiry::Snapshot) => {
                let seen = self.see_snapshot(now).encode();
                self.answer_inquiry(asking, seen);
            }
            Ok(Inquiry::TakeSnapshot) => self.snapshot_now(now, asking, wait),
            Err(Malformed) => {
                let mut w = Packer::new();
                w.array(2).uint(FAILED).uint(MALFORMED);
                self.answer_inquiry(asking, w.into_bytes());
            }
        }
    }

    /// A change that a client has ordered has ended.
    pub(super) fn tell_changed(&mut self, asking: Asking, outcome: ChangeOutcome) {
        self.ended_changes.keep(asking.nonce, outcome);
        self.answer_inquiry(asking, Changed(outcome).encode());
    }

    fn answer_inquiry(&mut self, Asking { client, nonce }: Asking, answer: Bytes) {
        let slot = self.group.log().delivered().0;
        self.out.push_back(Output::Reply { client, message: ServerMessage::ReadAnswer { nonce, slot, answer } });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::MemberId;

    fn member(n: u8) -> MemberId {
        MemberId::new(n).unwrap()
    }

    pub(super) fn hex(bytes: &[u8]) -> alloc::string::String {
        bytes.iter().map(|byte| alloc::format!("{byte:02x}")).collect()
    }

    #[test]
    fn inquiries_have_their_bytes() {
        let (old, new) = (member(2), member(4));
        let change = |change, replaces| Inquiry::Change { change, replaces };
        let replace = ClusterChange::Replace { old, new };
        let cases = [
            (Inquiry::Status, "9140", false),
            (change(ClusterChange::Add(new), None), "93410104", true),
            (change(ClusterChange::Remove(old), None), "93410202", true),
            (change(replace, None), "9441030204", true),
            (change(ClusterChange::Add(new), Some(7)), "9441010407", true),
            (change(ClusterChange::Remove(old), Some(300)), "94410202cd012c", true),
            (change(replace, Some(7)), "954103020407", true),
            (Inquiry::Views, "9142", false),
            (Inquiry::Log(Place { slot: 300, position: 2 }), "9343cd012c02", true),
            (Inquiry::Snapshot, "9144", false),
            (Inquiry::TakeSnapshot, "9145", true),
        ];
        for (inquiry, bytes, is_for_operators) in cases {
            assert_eq!(hex(&inquiry.encode()), bytes);
            assert_eq!(Inquiry::read(&inquiry.encode()), Some(Ok(inquiry)));
            assert_eq!(Inquiry::is_for_operators(&inquiry.encode()), is_for_operators, "{inquiry:?}");
        }
        let read = |bytes: &'static [u8]| Inquiry::read(&Bytes::from_static(bytes));
        assert_eq!(read(&[0x91, 4]), None, "the machine's");
        assert_eq!(read(b"text"), None, "nobody's: the machine says so");
        for bytes in [
            &[0x92, 0x40, 0][..],
            &[0x91, 0x41],
            &[0x93, 0x41, 1, 0],
            &[0x93, 0x41, 1, 64],
            &[0x93, 0x41, 3, 1],
            &[0x95, 0x41, 1, 1, 1, 1],
            &[0x91, 0x46],
            &[0x91, 0x40, 0],
            &[0x92, 0x42, 0],
            &[0x92, 0x43, 0],
            &[0x93, 0x43, 0, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0],
        ] {
            assert_eq!(read(bytes), Some(Err(Malformed)), "{bytes:?}");
        }
    }
}
