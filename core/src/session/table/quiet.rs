//! Which session has not been heard of for how long, and which may go to make room for others.
//!
//! Each session stands here once, at some time that it was heard of, not always the last: that is put right
//! when it comes to the front, so that a request costs nothing here.

use super::Session;
use crate::session::message::SessionId;
use crate::time::SlotClock;
use alloc::collections::{BTreeMap, BTreeSet};

/// What a session can go for, if it is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// For nothing: it has a request under way.
    Busy = 0,
    /// For another session: it keeps no more than its share.
    Light = 1,
    /// For other answers too.
    Heavy = 2,
}

/// Where a session stands.
pub(super) type Listed = (SlotClock, Weight);

/// All sessions, by weight and time.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    lists: [BTreeSet<(SlotClock, SessionId)>; 3],
}

impl Weight {
    /// All of them.
    pub(super) const ALL: [Weight; 3] = [Weight::Busy, Weight::Light, Weight::Heavy];

    /// Those that may go for another session.
    pub(super) const IDLE: [Weight; 2] = [Weight::Light, Weight::Heavy];

    /// That of a session, where each has this share.
    fn of(session: &Session, share_bytes: usize) -> Weight {
        if session.answers.is_under_way() {
            Weight::Busy
        } else if session.answers.bytes() > share_bytes {
            Weight::Heavy
        } else {
            Weight::Light
        }
    }
}

impl Quiet {
    /// A session is heard of for the first time.
    pub(super) fn admit(&mut self, id: SessionId, session: &mut Session, share_bytes: usize) {
        let listed = (session.seen, Weight::of(session, share_bytes));
        session.listed = listed;
        self.lists[listed.1 as usize].insert((listed.0, id));
    }

    /// What a session keeps or has under way has changed.
    pub(super) fn weigh(&mut self, id: SessionId, session: &mut Session, share_bytes: usize) {
        if Weight::of(session, share_bytes) != session.listed.1 {
            self.strike(id, session);
            self.admit(id, session, share_bytes);
        }
    }

    /// A session is gone.
    pub(super) fn strike(&mut self, id: SessionId, session: &Session) {
        self.lists[session.listed.1 as usize].remove(&(session.listed.0, id));
    }

    /// The session of these weights that has not been heard of for longest, and since when; never the one that
    /// is spared.
    pub(super) fn longest(
        &mut self,
        sessions: &mut BTreeMap<SessionId, Session>,
        weights: &[Weight],
        spared: Option<SessionId>,
    ) -> Option<(SlotClock, SessionId)> {
        loop {
            let first = |weight: &Weight| self.lists[*weight as usize].iter().find(|(_, id)| Some(*id) != spared);
            let (at, id) = *weights.iter().filter_map(first).min()?;
            let session = sessions.get_mut(&id).expect("a session for each entry");
            if session.seen == at {
                return Some((at, id));
            }
            self.strike(id, session);
            session.listed.0 = session.seen;
            self.lists[session.listed.1 as usize].insert((session.seen, id));
        }
    }

    /// When the first of them was heard of, perhaps even later.
    pub(super) fn first(&self) -> Option<SlotClock> {
        self.lists.iter().filter_map(|list| list.first()).map(|(at, _)| *at).min()
    }
}
