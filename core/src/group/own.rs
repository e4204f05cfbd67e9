//! The requests of this replica's own clients, from submission until they are delivered.
//!
//! They stay in the order in which they were submitted, through every view. An install settles which of
//! them the adopted log holds; exactly the others are numbered again and sent in the new view (RULES S2).

use crate::ids::{Ballot, MemberId};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

use super::content;
use super::log::Log;

/// What the replica calls a request until its answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Own requests that are not delivered yet.
#[derive(Clone, Debug, Default)]
pub struct Own {
    entries: VecDeque<Entry>,
    /// How many entries at the front have a number in the present view or in the adopted log.
    numbered: usize,
    next: u64,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    token: Token,
    body: Bytes,
    name: Option<(Ballot, u64)>,
}

impl Own {
    /// Takes a new request.
    pub fn submit(&mut self, token: Token, body: Bytes) {
        self.bytes += body.len();
        self.entries.push_back(Entry { token, body, name: None });
    }

    /// Numbers the next request that has no number in this view; it leaves the replica now.
    pub fn send(&mut self, view: Ballot) -> Option<(u64, Bytes)> {
        let entry = self.entries.get_mut(self.numbered)?;
        self.numbered += 1;
        entry.name = Some((view, self.next));
        self.next += 1;
        Some((self.next - 1, entry.body.clone()))
    }

    /// A new view begins over this log: what the log holds keeps its name, the rest loses it.
    pub fn settle(&mut self, me: MemberId, log: &Log) {
        let mut held = 0;
        for record in log.from(log.delivered().next()) {
            let Ok(requests) = content::requests(&record.content) else { continue };
            for range in requests.ranges().filter(|range| range.origin == me) {
                let mine = |entry: &&Entry| {
                    entry
                        .name
                        .is_some_and(|(view, n)| view == record.view && n >= range.from && n < range.from + range.count)
                };
                held += self.entries.iter().skip(held).take_while(mine).count();
            }
        }
        for entry in self.entries.iter_mut().skip(held) {
            entry.name = None;
        }
        self.numbered = held;
        self.next = 1;
    }

    /// A request was delivered; if it is one of these, gives its token.
    pub fn delivered(&mut self, view: Ballot, number: u64) -> Option<Token> {
        if self.entries.front()?.name != Some((view, number)) {
            return None;
        }
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.body.len();
        self.numbered -= 1;
        Some(entry.token)
    }

    /// A snapshot says that this origin's requests in `view` are ordered up to `number`: gives the
    /// tokens of those, whose answers nobody here has seen.
    pub fn skipped(&mut self, view: Ballot, number: u64) -> Vec<Token> {
        let mut tokens = Vec::new();
        while self.entries.front().is_some_and(|e| e.name.is_some_and(|(v, n)| v == view && n <= number)) {
            if let Some(entry) = self.entries.pop_front() {
                self.bytes -= entry.body.len();
                self.numbered -= 1;
                tokens.push(entry.token);
            }
        }
        tokens
    }

    /// Forgets the requests that have no number in this view, unless they are still wanted.
    pub fn forget_unsent(&mut self, still_wanted: impl Fn(Token) -> bool) -> Vec<Token> {
        let mut forgotten = Vec::new();
        for entry in self.entries.split_off(self.numbered) {
            if still_wanted(entry.token) {
                self.entries.push_back(entry);
            } else {
                self.bytes -= entry.body.len();
                forgotten.push(entry.token);
            }
        }
        forgotten
    }

    /// Whether some request has no number in the present view.
    pub fn has_unsent(&self) -> bool {
        self.numbered < self.entries.len()
    }

    /// The bytes of all that is not delivered.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many are not delivered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether all are delivered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
