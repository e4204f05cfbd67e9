//! What clients gave to which boot of which replica, and what that replica refused.
//!
//! Always: a boot orders the requests that it was given in the order in which it was given them, and
//! none of which it has refused every copy that it got.

use super::{Checked, Invariant, require};
use ftq_core::ids::{BootId, MemberId, Slot};
use ftq_core::session::message::{ClientMessage, Request, RequestName};
use std::collections::{BTreeMap, VecDeque};

/// How many requests are remembered: many more than wait at any time. What is older is not judged.
const REMEMBERED: usize = 50_000;

/// The name of a request at one boot of one member.
type Name = (MemberId, BootId, Key);

/// What tells requests apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Open([u8; 16]),
    Call(u64, u64),
    Close(u64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Given {
    /// When the first copy and when the last copy came, in the order of all copies.
    first: u64,
    last: u64,
    copies: u32,
    refused: u32,
    ordered: Option<Slot>,
}

/// What was given to whom.
#[derive(Clone, Debug, Default)]
pub struct Submissions {
    given: BTreeMap<Name, Given>,
    ages: VecDeque<Name>,
    ordinal: u64,
    /// When the request came that each boot ordered last.
    last: BTreeMap<(MemberId, BootId), (u64, Slot)>,
}

impl Submissions {
    /// A replica takes a client's message.
    pub fn given(&mut self, member: MemberId, boot: BootId, message: &ClientMessage) {
        let key = match message {
            ClientMessage::Open { nonce, .. } => Key::Open(*nonce),
            ClientMessage::Call { session, number, .. } => Key::Call(session.0, *number),
            ClientMessage::Close { session, .. } => Key::Close(session.0),
            ClientMessage::Read { .. } => return,
        };
        self.ordinal += 1;
        let ordinal = self.ordinal;
        let name = (member, boot, key);
        let given = self.given.entry(name).or_insert_with(|| {
            self.ages.push_back(name);
            Given { first: ordinal, ..Given::default() }
        });
        given.last = ordinal;
        given.copies += 1;
        if self.ages.len() > REMEMBERED
            && let Some(oldest) = self.ages.pop_front()
        {
            self.given.remove(&oldest);
        }
    }

    /// A replica refuses a request, definitely.
    pub fn refused(&mut self, member: MemberId, boot: BootId, request: RequestName) -> Checked {
        let key = match request {
            RequestName::Open(nonce) => Key::Open(nonce),
            RequestName::Call(session, number) => Key::Call(session.0, number),
            RequestName::Close(session) => Key::Close(session.0),
            RequestName::Read(_) => return Ok(()),
        };
        let Some(given) = self.given.get_mut(&(member, boot, key)) else { return Ok(()) };
        given.refused += 1;
        require(given.refused < given.copies || given.ordered.is_none(), Invariant::RefusalFinal, || {
            format!("member {member} refuses {request:?}, which is in slot {:?}", given.ordered)
        })
    }

    /// A committed slot orders a request of this boot; slots come in order.
    pub fn ordered(&mut self, member: MemberId, boot: BootId, slot: Slot, request: &Request) -> Checked {
        let key = match request {
            Request::Open { nonce } => Key::Open(*nonce),
            Request::Call { session, number, .. } => Key::Call(session.0, *number),
            Request::Close { session } => Key::Close(session.0),
            // No client was told anything about it.
            Request::Rules { .. } | Request::Memory { .. } => return Ok(()),
        };
        let Some(given) = self.given.get_mut(&(member, boot, key)) else { return Ok(()) };
        given.ordered = Some(slot);
        require(given.refused < given.copies, Invariant::RefusalFinal, || {
            format!("slot {slot} orders {key:?}, which member {member} had refused")
        })?;
        let (first, last) = (given.first, given.last);
        let before = self.last.insert((member, boot), (first, slot));
        require(before.is_none_or(|(before, _)| before <= last), Invariant::OriginOrder, || {
            format!("slot {slot} orders {key:?} of member {member}, which got it before one that is ordered earlier")
        })
    }
}
