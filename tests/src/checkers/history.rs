//! What clients did and what they were told, and whether one order explains it.
//!
//! Every answer names its place in the log, so no order has to be searched for: the log is the witness.
//! What is left to check is that each answer is what the log gives at that place, and that a call that
//! began after another one had returned stands behind it.

use super::witness::Witness;
use super::{Checked, Invariant, require};
use bytes::Bytes;
use ftq_core::machine::Place;
use ftq_core::time::{Span, Time};
use std::collections::BTreeSet;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A command.
    Command(Bytes),
    /// A question; `local` if the answer may be old.
    Question {
        /// What.
        question: Bytes,
        /// Whether the answer may be old.
        local: bool,
    },
    /// To close the session.
    Close,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The command was executed there, with this answer.
    Answered {
        /// Where.
        place: Place,
        /// The answer.
        answer: Bytes,
    },
    /// The question was answered as of this slot.
    Read {
        /// The last slot that the answer knows of.
        slot: u64,
        /// The answer.
        answer: Bytes,
    },
    /// Nothing was done, and nothing will be.
    Refused,
    /// The session is gone; nothing was done.
    Expired,
    /// The session is closed.
    Closed,
    /// Nobody can say.
    Unknown,
}

/// One call of a client.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which client.
    pub client: usize,
    /// What for.
    pub what: What,
    /// When it began.
    pub called: Time,
    /// When and how it ended.
    pub returned: Option<(Time, End)>,
    /// The last place that anybody had been told of when it began.
    after: Place,
}

/// All calls.
#[derive(Clone, Debug, Default)]
pub struct History {
    calls: Vec<Call>,
    told: Place,
    open: usize,
    /// Commands that were definitely refused: no slot may ever hold them.
    refused: BTreeSet<Bytes>,
}

impl Call {
    /// How long it took.
    pub fn took(&self) -> Option<Span> {
        self.returned.as_ref().map(|(at, _)| at.since(self.called))
    }

    /// Whether its answer may be old.
    pub fn is_local(&self) -> bool {
        matches!(self.what, What::Question { local: true, .. })
    }
}

impl History {
    /// A client begins a call; gives its index.
    pub fn called(&mut self, now: Time, client: usize, what: What) -> usize {
        self.calls.push(Call { client, what, called: now, returned: None, after: self.told });
        self.open += 1;
        self.calls.len() - 1
    }

    /// A call has ended.
    pub fn returned(&mut self, now: Time, index: usize, end: End, witness: &Witness) -> Checked {
        let Some(call) = self.calls.get_mut(index) else { return Ok(()) };
        let after = call.after;
        let what = &call.what;
        match (&end, what) {
            (End::Answered { place, answer }, What::Command(command)) => {
                self.told = self.told.max(*place);
                require(*place > after, Invariant::Linearizable, || {
                    format!("a call is ordered at {place:?}, and began after one at {after:?} had returned")
                })?;
                let is_so = witness.executed(*place).any(|executed| executed == (command, answer));
                require(is_so, Invariant::Linearizable, || {
                    let executed: Vec<_> = witness.executed(*place).collect();
                    format!("the answer to {command:?} at {place:?} is {answer:?}, the log says {executed:?}")
                })?;
            }
            (End::Read { slot, answer }, What::Question { question, local }) => {
                if !local {
                    self.told = self.told.max(Place { slot: *slot, position: u32::MAX });
                    require(*slot >= after.slot, Invariant::Linearizable, || {
                        format!("a read sees slot {slot}, and began after a call at {after:?} had returned")
                    })?;
                }
                let said = witness.answer_at(*slot, question);
                require(said.as_ref() == Some(answer), Invariant::Linearizable, || {
                    format!("the answer to {question:?} in slot {slot} is {answer:?}, the log says {said:?}")
                })?;
            }
            (End::Refused | End::Expired, What::Command(command)) => {
                require(!witness.holds(command), Invariant::RefusalFinal, || {
                    format!("a client was told that {command:?} was not done ({end:?}), it was")
                })?;
                self.refused.insert(command.clone());
            }
            (End::Refused | End::Expired, What::Question { .. }) | (End::Unknown, _) | (End::Closed, What::Close) => {}
            (End::Answered { .. }, What::Question { .. } | What::Close)
            | (End::Read { .. }, What::Command(_) | What::Close)
            | (End::Refused | End::Expired, What::Close)
            | (End::Closed, What::Command(_) | What::Question { .. }) => {
                return Err((Invariant::Linearizable, format!("{what:?} was answered by {end:?}")));
            }
        }
        call.returned = Some((now, end));
        self.open -= 1;
        Ok(())
    }

    /// The log executes a command.
    pub fn executed(&self, command: &Bytes) -> Checked {
        require(!self.refused.contains(command), Invariant::RefusalFinal, || {
            format!("{command:?} is executed, and a client was told that it was not done")
        })
    }

    /// How many calls have not ended.
    pub fn open(&self) -> usize {
        self.open
    }

    /// All calls, in the order in which they began.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }
}
