//! How a replica is, and what it knows of the others: `[64, …]`.

use super::fields::{FIELDS_MAX, id, member, put_set, set};
use super::{Replica, STATUS};
use crate::ids::{Digest, MemberId, MemberSet, Slot};
use crate::machine::Machine;
use crate::pack::{Packer, Unpacker};
use crate::time::{Span, Time};
use crate::wire::Malformed;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;

/// What a replica does at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It takes part in a view that orders.
    Serves,
    /// It could, but too few are heard, or a view is being formed.
    Waits,
    /// It receives the log and does not vote: it catches up, or its store is not one that the cluster knows.
    Learns,
    /// Its store has lost what was applied, and is being rebuilt from the others.
    Rebuilds,
}

/// How a replica is, and what it knows of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Who it is.
    pub me: MemberId,
    /// What it does.
    pub state: State,
    /// The number of the ballot that formed its view, and its proposer; 0 and nobody before the first.
    pub view: (u64, Option<MemberId>),
    /// Who takes part in that view.
    pub members: MemberSet,
    /// Who takes turns in it.
    pub ring: MemberSet,
    /// The number of the configuration.
    pub configuration: u64,
    /// Who belongs to the cluster by it.
    pub voters: MemberSet,
    /// Whom it hears, itself included.
    pub heard: MemberSet,
    /// The end of its log.
    pub end: Slot,
    /// Up to where it is committed.
    pub committed: Slot,
    /// Up to where it is applied.
    pub applied: Slot,
    /// The age of the oldest job that its disk has not finished.
    pub disk_ms: u64,
    /// The digest of the state after what is applied.
    pub digest: Digest,
    /// What it knows of the others.
    pub peers: Vec<Peer>,
    /// Whose disks are nearly full, as far as it hears: they take no pushes.
    pub nearly_full: MemberSet,
}

/// What a replica knows of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who it is.
    pub member: MemberId,
    /// For how long nothing came from it; nothing if nothing ever did.
    pub silent_ms: Option<u64>,
    /// The number of its view.
    pub view: u64,
    /// The end of its log.
    pub end: Slot,
    /// Up to where it says that it is committed.
    pub committed: Slot,
    /// Whether it has all of its state.
    pub whole: bool,
    /// The age of the oldest job that its disk has not finished.
    pub disk_ms: u64,
    /// For how long it has lagged; nothing if it keeps up.
    pub lags_ms: Option<u64>,
}

/// Who lags takes longer than this to reach what was committed when it was looked at.
const LAG: Span = Span::secs(1);

/// How the others keep up with what is committed here.
#[derive(Debug, Default)]
pub(in crate::replica) struct Paces(BTreeMap<MemberId, Pace>);

#[derive(Clone, Copy, Debug)]
struct Pace {
    /// What it is to reach, and since when that is so.
    goal: (Slot, Time),
    lags_since: Option<Time>,
}

impl Paces {
    /// Looks at them: up to where everything is committed here, and the end of each one's log.
    pub(in crate::replica) fn look(
        &mut self,
        now: Time,
        committed: Slot,
        ends: impl Iterator<Item = (MemberId, Slot)>,
    ) {
        for (member, end) in ends {
            let pace = self.0.entry(member).or_insert(Pace { goal: (committed, now), lags_since: None });
            let (goal, since) = pace.goal;
            let is_late = now.since(since) > LAG;
            if is_late {
                pace.lags_since.get_or_insert(since);
            }
            if end >= goal {
                pace.goal = (committed, now);
                if !is_late {
                    pace.lags_since = None;
                }
            }
        }
    }

    fn lags(&self, now: Time, member: MemberId) -> Option<Span> {
        self.0.get(&member)?.lags_since.map(|since| now.since(since))
    }
}

impl State {
    const ALL: [State; 4] = [State::Serves, State::Waits, State::Learns, State::Rebuilds];
}

impl Status {
    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        let Status { me, state, view, members, ring, configuration, voters, heard, end, committed, applied, .. } = self;
        w.array(18).uint(STATUS).uint(id(*me)).uint(*state as u64).uint(view.0).option(view.1, |w, m| w.uint(id(m)));
        put_set(&mut w, *members);
        put_set(&mut w, *ring);
        w.uint(*configuration);
        put_set(&mut w, *voters);
        put_set(&mut w, *heard);
        w.uint(end.0).uint(committed.0).uint(applied.0).uint(self.disk_ms).digest(self.digest);
        w.array(self.peers.len());
        for Peer { member, silent_ms, view, end, committed, whole, disk_ms, lags_ms: _ } in &self.peers {
            w.array(7).uint(id(*member)).option(*silent_ms, Packer::uint).uint(*view).uint(end.0).uint(committed.0);
            w.boolean(*whole).uint(*disk_ms);
        }
        let lags: Vec<(MemberId, u64)> =
            self.peers.iter().filter_map(|peer| Some((peer.member, peer.lags_ms?))).collect();
        w.array(lags.len());
        for (member, ms) in lags {
            w.array(2).uint(id(member)).uint(ms);
        }
        put_set(&mut w, self.nearly_full);
        w.into_bytes()
    }

    /// Reads what [`Status::encode`] wrote. A newer replica may say more behind that.
    pub fn decode(bytes: Bytes) -> Result<Status, Malformed> {
        let mut r = Unpacker::new(bytes);
        let fields = r.array(FIELDS_MAX)?;
        if fields < 16 || r.uint()? != STATUS {
            return Err(Malformed);
        }
        let me = member(&mut r)?;
        let state = usize::try_from(r.uint()?).ok().and_then(|at| State::ALL.get(at).copied()).ok_or(Malformed)?;
        let mut status = Status {
            me,
            state,
            view: (r.uint()?, r.option(member)?),
            members: set(&mut r)?,
            ring: set(&mut r)?,
            configuration: r.uint()?,
            voters: set(&mut r)?,
            heard: set(&mut r)?,
            end: Slot(r.uint()?),
            committed: Slot(r.uint()?),
            applied: Slot(r.uint()?),
            disk_ms: r.uint()?,
            digest: r.digest()?,
            peers: (0..r.array(FIELDS_MAX)?).map(|_| peer(&mut r)).collect::<Result<_, _>>()?,
            nearly_full: MemberSet::EMPTY,
        };
        // An older replica does not say who lags.
        for _ in 0..if fields > 16 { r.array(FIELDS_MAX)? } else { 0 } {
            if r.array(2)? != 2 {
                return Err(Malformed);
            }
            let (who, ms) = (member(&mut r)?, r.uint()?);
            if let Some(peer) = status.peers.iter_mut().find(|peer| peer.member == who) {
                peer.lags_ms = Some(ms);
            }
        }
        // Nor whose disk is nearly full.
        if fields > 17 {
            status.nearly_full = set(&mut r)?;
        }
        Ok(status)
    }
}

impl<M: Machine> Replica<M> {
    /// How this replica is, and what it knows of the others.
    pub fn status(&self, now: Time) -> Status {
        let group = &self.group;
        let view = group.view();
        let configuration = group.committed_electorate().sealed;
        let state = match () {
            () if !group.is_whole() => State::Rebuilds,
            () if !group.votes() => State::Learns,
            () if self.is_serving(now) => State::Serves,
            () => State::Waits,
        };
        let millis = |span: Span| span.0 / 1_000;
        let peers = group.acquaintances(now).map(|(member, silent, heartbeat)| Peer {
            member,
            silent_ms: silent.map(millis),
            view: heartbeat.view.number,
            end: heartbeat.end,
            committed: heartbeat.committed,
            whole: heartbeat.whole,
            disk_ms: heartbeat.job_age_ms,
            lags_ms: self.paces.lags(now, member).map(millis),
        });
        Status {
            me: self.options.me,
            state,
            view: (view.ballot.number, view.ballot.proposer),
            members: view.set(),
            ring: view.ring.iter().copied().collect(),
            configuration: configuration.number,
            voters: configuration.set(),
            heard: group.heard(now).with(self.options.me),
            end: group.log().end(),
            committed: group.log().committed(),
            applied: group.log().delivered(),
            disk_ms: millis(group.job_age(now)),
            digest: self.machine.digest(),
            peers: peers.collect(),
            nearly_full: group.nearly_full(now),
        }
    }
}

fn peer(r: &mut Unpacker) -> Result<Peer, Malformed> {
    if r.array(FIELDS_MAX)? != 7 {
        return Err(Malformed);
    }
    Ok(Peer {
        member: member(r)?,
        silent_ms: r.option(Unpacker::uint)?,
        view: r.uint()?,
        end: Slot(r.uint()?),
        committed: Slot(r.uint()?),
        whole: r.boolean()?,
        disk_ms: r.uint()?,
        lags_ms: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u8) -> MemberId {
        MemberId::new(n).unwrap()
    }

    #[test]
    fn a_status_comes_back_as_it_went_and_no_other_bytes_panic() {
        let peer = Peer {
            member: member(3),
            silent_ms: None,
            view: 9,
            end: Slot(300),
            committed: Slot(70_000),
            whole: true,
            disk_ms: 5,
            lags_ms: None,
        };
        let status = Status {
            me: member(1),
            state: State::Learns,
            view: (9, Some(member(2))),
            members: MemberSet::from_bits(0b1110),
            ring: MemberSet::from_bits(0b110),
            configuration: 4,
            voters: MemberSet::from_bits(0b11110),
            heard: MemberSet::from_bits(0b10),
            end: Slot(1 << 40),
            committed: Slot(1 << 33),
            applied: Slot(0),
            disk_ms: 12,
            digest: Digest(u128::MAX / 3),
            nearly_full: MemberSet::from_bits(0b1000),
            peers: alloc::vec![peer, Peer { member: member(4), silent_ms: Some(1_000), lags_ms: Some(70_000), ..peer }],
        };
        let bytes = status.encode();
        assert_eq!(Status::decode(bytes.clone()), Ok(status));
        for end in 0..bytes.len() {
            assert_eq!(Status::decode(bytes.slice(..end)), Err(Malformed));
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bent = bytes.to_vec();
                bent[at] ^= 1 << bit;
                let _ = Status::decode(bent.into());
            }
        }
    }

    /// Who is some slots behind under load lags as little as who is level; who stands still, or is a minute behind
    /// all the time, lags since that began.
    #[test]
    fn who_lags_does_so_since_it_fell_behind() {
        const SECOND: u64 = 1_000_000;
        let (quick, slow, still) = (member(2), member(3), member(4));
        let mut paces = Paces::default();
        for tick in 0..200u64 {
            let (now, committed) = (Time(tick * SECOND / 10), tick * 100);
            let ends = [
                (quick, committed.saturating_sub(50)),
                (slow, (tick * 50)),
                (still, if tick < 100 { committed } else { 10_000 }),
            ];
            paces.look(now, Slot(committed), ends.into_iter().map(|(member, end)| (member, Slot(end))));
        }
        let now = Time(20 * SECOND);
        let lags = |paces: &Paces, member| paces.lags(now, member).map(|span| span.0 / SECOND);
        assert_eq!(lags(&paces, quick), None);
        assert!(lags(&paces, slow).is_some_and(|s| s >= 17), "{paces:?}");
        assert_eq!(lags(&paces, still), Some(9));
        paces.look(now, Slot(20_000), [(still, Slot(20_000))].into_iter());
        assert!(lags(&paces, still).is_some(), "it took too long");
        paces.look(now, Slot(20_000), [(still, Slot(20_000))].into_iter());
        assert_eq!(lags(&paces, still), None, "and keeps up now");
    }
}
