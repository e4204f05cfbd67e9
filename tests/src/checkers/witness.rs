//! The one log as the replicas apply it, executed by a naive reference.
//!
//! Always: whoever applies a slot applies the same slot, only once it is committed on the disks, and has
//! the same state after it; clocks do not run backwards.

use super::durability::Durability;
use super::history::History;
use super::reference::{Execution, Reference};
use super::sequencing::Sequencing;
use super::submissions::Submissions;
use super::{Checked, Invariant, require};
use crate::counts::{Count, Counts};
use bytes::Bytes;
use ftq_core::group::content;
use ftq_core::ids::{Ballot, Digest, MemberId, Slot};
use ftq_core::machine::Place;
use ftq_core::session::message::{Outcome, Request, ServerMessage, SessionId};
use ftq_core::time::SlotClock;
use std::collections::BTreeMap;

/// A slot as it was applied first.
#[derive(Clone, Copy, Debug)]
struct Applied {
    digest: Digest,
    state: Digest,
}

/// What the log has done.
#[derive(Debug)]
pub struct Witness {
    slots: Vec<Applied>,
    clock: SlotClock,
    /// The number of each origin's last request in its last view.
    positions: Vec<(MemberId, Ballot, u64)>,
    reference: Reference,
    /// Several can get their answers at one place: a push and those who waited for it.
    executed: BTreeMap<Place, Vec<(SessionId, u64)>>,
}

/// What the witness looks at and tells.
#[derive(Debug)]
pub(crate) struct Around<'a> {
    pub(crate) durability: &'a Durability,
    pub(crate) sequencing: &'a Sequencing,
    pub(crate) submissions: &'a mut Submissions,
    pub(crate) history: &'a History,
    pub(crate) counts: &'a mut Counts,
}

/// A slot as a replica applies it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applying<'a> {
    pub(crate) member: MemberId,
    pub(crate) slot: Slot,
    pub(crate) digest: Digest,
    pub(crate) clock: SlotClock,
    pub(crate) content: &'a Bytes,
    pub(crate) state: Digest,
}

impl Witness {
    /// Nothing has been applied.
    pub fn new(reference: Reference) -> Witness {
        Witness { slots: Vec::new(), clock: SlotClock(0), positions: Vec::new(), reference, executed: BTreeMap::new() }
    }

    /// A replica applies a slot.
    pub(crate) fn applied(&mut self, applying: Applying<'_>, around: &mut Around<'_>) -> Checked {
        let Applying { member, slot, digest, state, .. } = applying;
        let committed = around.durability.commit(slot);
        require(committed.is_some_and(|commit| commit.digest == digest), Invariant::DurableQuorum, || {
            format!("member {member} applies slot {slot} with {digest:?}, the disks have committed {committed:?}")
        })?;
        if let Some(known) = self.known(slot) {
            require(known.digest == digest, Invariant::SameContent, || {
                format!("member {member} applies another slot {slot}")
            })?;
            return require(known.state == state, Invariant::Digest, || {
                format!("member {member} is in state {state:?} after slot {slot}, another one in {:?}", known.state)
            });
        }
        require(slot.0 == self.slots.len() as u64 + 1, Invariant::Conditions, || {
            format!("member {member} applies slot {slot}, {} are applied anywhere", self.slots.len())
        })?;
        self.slots.push(Applied { digest, state });
        self.execute(applying, around)
    }

    /// A replica takes over a snapshot.
    pub(crate) fn restored(&self, member: MemberId, slot: Slot, digest: Digest, state: Digest) -> Checked {
        let Some(known) = self.known(slot) else {
            return Err((Invariant::DurableQuorum, format!("member {member} restores slot {slot}, nobody applied it")));
        };
        require(known.digest == digest, Invariant::SameContent, || format!("member {member} restores another {slot}"))?;
        require(known.state == state, Invariant::Digest, || format!("member {member} restores another state at {slot}"))
    }

    /// A replica answers a client.
    pub(crate) fn replied(&self, member: MemberId, message: &ServerMessage) -> Checked {
        match message {
            ServerMessage::Opened { session, .. } => {
                let slot = Slot(session.0 >> 16);
                require(self.known(slot).is_some(), Invariant::ReplyCommitted, || {
                    format!("member {member} opens session {session:?}, and slot {slot} is not committed")
                })
            }
            ServerMessage::Answer { session, number, place, outcome } => {
                let committed = || {
                    require(self.known(Slot(place.slot)).is_some(), Invariant::ReplyCommitted, || {
                        format!("member {member} answers from {place:?}, which is not committed")
                    })
                };
                match outcome {
                    Outcome::Done(answer) => {
                        committed()?;
                        let first = self.reference.done(*session, *number);
                        require(first.is_none_or(|done| done.place == *place), Invariant::Once, || {
                            format!("member {member} executed {session:?} {number} at {place:?}, first was {first:?}")
                        })?;
                        require(first.is_some_and(|done| done.answer == *answer), Invariant::Linearizable, || {
                            format!(
                                "member {member} answers {session:?} {number} with {answer:?}, the log says {first:?}"
                            )
                        })
                    }
                    Outcome::Settled => {
                        require(self.reference.has_settled(*session, *number), Invariant::ReplyCommitted, || {
                            format!("member {member} says that {session:?} {number} is settled, the log does not")
                        })
                    }
                    Outcome::NoSession => {
                        committed()?;
                        require(!self.reference.has_session(*session), Invariant::ReplyCommitted, || {
                            format!("member {member} says that {session:?} is gone, the log does not")
                        })
                    }
                    Outcome::AheadOfWindow => committed(),
                }
            }
            ServerMessage::Closed { session } => {
                require(!self.reference.has_session(*session), Invariant::ReplyCommitted, || {
                    format!("member {member} says that {session:?} is closed, the log does not")
                })
            }
            ServerMessage::ReadAnswer { .. } | ServerMessage::Refused { .. } | ServerMessage::TryAnother { .. } => {
                Ok(())
            }
        }
    }

    /// The commands that got their answers at a place, and those answers.
    pub fn executed(&self, place: Place) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        let names = self.executed.get(&place).into_iter().flatten();
        let done = names.filter_map(|(session, number)| self.reference.done(*session, *number));
        done.map(|done| (&done.command, &done.answer))
    }

    /// What the log gives as the answer to a question after a slot.
    pub fn answer_at(&self, slot: u64, question: &Bytes) -> Option<Bytes> {
        (slot <= self.slots.len() as u64).then(|| self.reference.answer_at(slot, question))?
    }

    /// The rules of the queues that are in force at the end of the log.
    pub fn rules(&self) -> u64 {
        self.reference.rules()
    }

    /// Whether a command was executed.
    pub fn holds(&self, command: &Bytes) -> bool {
        self.reference.holds(command)
    }

    /// The last slot that anybody has applied.
    pub fn end(&self) -> Slot {
        Slot(self.slots.len() as u64)
    }

    /// The digest of the state after a slot.
    pub fn state(&self, slot: Slot) -> Option<Digest> {
        self.known(slot).map(|known| known.state)
    }

    fn known(&self, slot: Slot) -> Option<&Applied> {
        self.slots.get(usize::try_from(slot.0.checked_sub(1)?).ok()?)
    }

    /// A slot is applied for the first time anywhere.
    fn execute(&mut self, applying: Applying<'_>, around: &mut Around<'_>) -> Checked {
        let Applying { slot, digest, clock, content, .. } = applying;
        require(clock >= self.clock, Invariant::Clock, || {
            format!("slot {slot} has clock {clock:?}, the one before has {:?}", self.clock)
        })?;
        self.clock = clock;
        self.reference.advance(slot, clock);
        self.note_answered(Place { slot: slot.0, position: 0 }, around);
        let Ok(requests) = content::requests(content) else {
            return Err((Invariant::Conditions, format!("committed slot {slot} can't be read")));
        };
        let Some(view) = around.sequencing.view_of(slot, digest) else {
            return Err((Invariant::Sequencer, format!("nobody sequenced slot {slot}, which is applied")));
        };
        around.counts.one(Count::Committed);
        if requests.total() == 0 {
            around.counts.one(Count::EmptySlot);
        }
        for (position, (origin, number, body)) in (0u32..).zip(requests) {
            let place = Place { slot: slot.0, position };
            self.follows(place, origin, view, number)?;
            let Ok(request) = Request::decode(body) else { continue };
            if let Some(boot) = around.sequencing.boot_in(view, origin) {
                around.submissions.ordered(origin, boot, slot, &request)?;
            }
            match self.reference.execute(place, &request) {
                Execution::Done { command } => {
                    around.counts.one(Count::Executed);
                    if self.reference.holds(&command) {
                        around.history.executed(&command)?;
                    }
                }
                Execution::Waiting => around.counts.one(Count::Waiting),
                Execution::Repeated => around.counts.one(Count::Repeated),
                Execution::Settled => around.counts.one(Count::Settled),
                Execution::NoSession => around.counts.one(Count::NoSession),
                Execution::Ruled => around.counts.one(Count::Ruled),
                Execution::Opened
                | Execution::Full
                | Execution::Closed
                | Execution::Limited
                | Execution::AheadOfWindow => {}
            }
            self.note_answered(place, around);
        }
        self.reference.end_slot();
        Ok(())
    }

    /// Notes what got its answer here.
    fn note_answered(&mut self, place: Place, around: &mut Around<'_>) {
        for name in self.reference.take_answered() {
            if let Some(done) = self.reference.done(name.0, name.1) {
                around.counts.answer(&done.command, &done.answer);
            }
            self.executed.entry(place).or_default().push(name);
        }
    }

    /// The numbers of each origin rise without gaps in each view.
    fn follows(&mut self, place: Place, origin: MemberId, view: Ballot, number: u64) -> Checked {
        let at = self.positions.iter().position(|(member, _, _)| *member == origin).unwrap_or_else(|| {
            self.positions.push((origin, Ballot::default(), 0));
            self.positions.len() - 1
        });
        let before = self.positions[at];
        self.positions[at] = (origin, view, number);
        let next = if before.1 == view { before.2 + 1 } else { 1 };
        require(number == next && view >= before.1, Invariant::OriginOrder, || {
            format!("{place:?} is request {number} of member {origin} in view {view:?}, before it was {before:?}")
        })
    }
}
