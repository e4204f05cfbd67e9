//! The sessions in pieces, and back.

use super::kept::Answers;
use super::quiet::Quiet;
use super::{Session, Sessions};
use crate::ids::Digest;
use crate::machine::stretches::{Budget, Stretches, between};
use crate::machine::{Machine, Unrestored};
use crate::session::message::SessionId;
use crate::time::SlotClock;
use crate::wire::{Malformed, Reader, Writer};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

/// One session of so many begins a new stretch of the sessions in a snapshot.
const SESSIONS_IN_STRETCH: u64 = 16;

/// The part of what sessions may keep that encoded stretches may take beside it.
const KEPT_PART: usize = 4;

/// Whether a stretch of sessions begins with this one.
pub(super) fn begins_stretch(session: SessionId) -> bool {
    xxh3_64(&session.0.to_le_bytes()).is_multiple_of(SESSIONS_IN_STRETCH)
}

impl<M: Machine> Sessions<M> {
    /// Takes the state from pieces that [`Sessions::snapshot`] made; after an error nothing has changed.
    pub fn restore(&mut self, pieces: &[Bytes]) -> Result<(), Unrestored> {
        let own = pieces.first().and_then(|first| first.first_chunk()).ok_or(Malformed)?;
        let own = usize::try_from(u32::from_le_bytes(*own)).map_err(|_| Malformed)?;
        let (own, machine) = pieces.split_at_checked(own).ok_or(Malformed)?;
        let mut r = Reader::new(Bytes::from(own.concat()));
        let _: [u8; 4] = r.array()?;
        let clock = SlotClock(r.u64()?);
        let chain = r.digest()?.0;
        let mut sessions = BTreeMap::new();
        for _ in 0..r.count(self.limits.sessions_max)? {
            let id = SessionId(r.u64()?);
            let (nonce, seen) = (r.array()?, SlotClock(r.u64()?));
            sessions.insert(id, Session::new(nonce, seen, Answers::decode(&mut r)?));
        }
        if r.remaining() > 0 {
            return Err(Unrestored::Malformed);
        }
        self.machine.restore(machine)?;
        self.clock = clock;
        self.chain = chain;
        self.nonces = sessions.iter().map(|(id, session)| (session.nonce, *id)).collect();
        self.quiet = Quiet::default();
        self.stretches = Stretches::default();
        for (id, session) in &mut sessions {
            self.quiet.admit(*id, session, self.limits.share_bytes);
            self.stretches.begin(id, begins_stretch(*id));
        }
        self.bytes = sessions.values().map(|session| session.answers.bytes()).sum();
        self.sessions = sessions;
        self.machine.keeps(self.bytes as u64);
        Ok(())
    }

    /// The state, in pieces of at most 48 KiB: the sessions' own first, which say how many they are. A store
    /// keeps pieces by their bytes, so the sessions come in stretches that begin where their ids say so, and not
    /// by counting: what happens to one changes its stretch alone.
    pub fn snapshot(&mut self) -> Vec<Bytes> {
        let sessions = &self.sessions;
        let mut budget = Budget::new((self.limits.bytes_max / KEPT_PART) as u64);
        let own = self.stretches.pieces(&mut budget, |from, upto| {
            let mut w = Writer::new();
            for (id, session) in sessions.range(between(from, upto)) {
                w.u64(id.0).raw(&session.nonce).u64(session.seen.0);
                session.answers.encode(&mut w);
            }
            w.into_vec()
        });
        let count = u32::try_from(own.len() + 1).expect("a state that fits memory");
        let mut head = Writer::new();
        head.raw(&count.to_le_bytes()).u64(self.clock.0).digest(Digest(self.chain)).u64(self.sessions.len() as u64);
        let mut all = vec![head.into_bytes()];
        all.extend(own);
        all.extend(self.machine.snapshot());
        all
    }
}
