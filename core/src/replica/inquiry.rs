//! What clients ask of a replica itself: how it and its cluster are, and changes of who belongs to the cluster.
//!
//! They come as questions of kinds that the machine does not have, so that all of the clients' protocol holds for
//! them too. Whoever runs answers, in whatever state it is.
//!
//! ```text
//! [64]                                        status    [64, …], see `Status`
//! [65, 1, member]                             add       [65, 0, configuration]: done, or [65, n]: see `Changed`
//! [65, 2, member]                             remove
//! [65, 3, old, new]                           replace
//! ```
//! A change is named by the nonce of its question: however often that comes here, it is ordered once.

use super::changes::Orderer;
use super::{ChangeOutcome, ClientId, Output, Replica};
use crate::group::admission::{ClusterChange, Unfit};
use crate::ids::{Digest, MemberId, MemberSet, Slot};
use crate::machine::Machine;
use crate::pack::{Packer, Unpacker};
use crate::session::message::ServerMessage;
use crate::time::{Span, Time};
use crate::wire::Malformed;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

const STATUS: u64 = 64;
const CHANGE: u64 = 65;

/// What the machine answers to bytes that are no question: `[0, 1]`.
const FAILED: u64 = 0;
const MALFORMED: u64 = 1;

/// The most fields of a question, of a status, and of what it says of a peer.
const FIELDS_MAX: usize = 64;

/// Changes whose ends are known, kept for who asks again.
const ENDED_KEPT: usize = 16;

/// Something that is asked of a replica itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inquiry {
    /// How it is.
    Status,
    /// Change who belongs to the cluster.
    Change(ClusterChange),
}

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
}

/// How a change of the cluster ended, as a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed(pub ChangeOutcome);

/// A change that a client has ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) client: ClientId,
    pub(super) nonce: u64,
}

/// The ends of changes that clients have ordered.
#[derive(Debug, Default)]
pub(super) struct EndedChanges(VecDeque<(u64, ChangeOutcome)>);

impl Inquiry {
    /// Reads a question, if it is one to the replica itself.
    pub fn read(question: &Bytes) -> Option<Result<Inquiry, Malformed>> {
        let mut r = Unpacker::new(question.clone());
        let fields = r.array(FIELDS_MAX).ok()?;
        let kind = r.uint().ok()?;
        (kind >= STATUS).then(|| Inquiry::fields(r, kind, fields))
    }

    /// Whether this question changes how the cluster is, and so is for its operators.
    pub fn is_for_operators(question: &Bytes) -> bool {
        match Inquiry::read(question) {
            Some(Ok(Inquiry::Change(_)) | Err(_)) => true,
            Some(Ok(Inquiry::Status)) | None => false,
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        match self {
            Inquiry::Status => w.array(1).uint(STATUS),
            Inquiry::Change(ClusterChange::Add(new)) => w.array(3).uint(CHANGE).uint(1).uint(id(*new)),
            Inquiry::Change(ClusterChange::Remove(old)) => w.array(3).uint(CHANGE).uint(2).uint(id(*old)),
            Inquiry::Change(ClusterChange::Replace { old, new }) => {
                w.array(4).uint(CHANGE).uint(3).uint(id(*old)).uint(id(*new))
            }
        };
        w.into_bytes()
    }

    fn fields(mut r: Unpacker, kind: u64, fields: usize) -> Result<Inquiry, Malformed> {
        let inquiry = match (kind, fields) {
            (STATUS, 1) => Inquiry::Status,
            (CHANGE, 3) => match r.uint()? {
                1 => Inquiry::Change(ClusterChange::Add(member(&mut r)?)),
                2 => Inquiry::Change(ClusterChange::Remove(member(&mut r)?)),
                _ => return Err(Malformed),
            },
            (CHANGE, 4) => match r.uint()? {
                3 => Inquiry::Change(ClusterChange::Replace { old: member(&mut r)?, new: member(&mut r)? }),
                _ => return Err(Malformed),
            },
            (_, _) => return Err(Malformed),
        };
        r.end()?;
        Ok(inquiry)
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
        w.array(16).uint(STATUS).uint(id(*me)).uint(*state as u64).uint(view.0).option(view.1, |w, m| w.uint(id(m)));
        put_set(&mut w, *members);
        put_set(&mut w, *ring);
        w.uint(*configuration);
        put_set(&mut w, *voters);
        put_set(&mut w, *heard);
        w.uint(end.0).uint(committed.0).uint(applied.0).uint(self.disk_ms).bin(&self.digest.0.to_le_bytes());
        w.array(self.peers.len());
        for Peer { member, silent_ms, view, end, committed, whole, disk_ms } in &self.peers {
            w.array(7).uint(id(*member)).option(*silent_ms, Packer::uint).uint(*view).uint(end.0).uint(committed.0);
            w.boolean(*whole).uint(*disk_ms);
        }
        w.into_bytes()
    }

    /// Reads what [`Status::encode`] wrote. A newer replica may say more behind that.
    pub fn decode(bytes: Bytes) -> Result<Status, Malformed> {
        let mut r = Unpacker::new(bytes);
        if r.array(FIELDS_MAX)? < 16 || r.uint()? != STATUS {
            return Err(Malformed);
        }
        let me = member(&mut r)?;
        let state = usize::try_from(r.uint()?).ok().and_then(|at| State::ALL.get(at).copied()).ok_or(Malformed)?;
        Ok(Status {
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
            digest: Digest(u128::from_le_bytes(<[u8; 16]>::try_from(&r.bin()?[..]).map_err(|_| Malformed)?)),
            peers: (0..r.array(FIELDS_MAX)?).map(|_| peer(&mut r)).collect::<Result<_, _>>()?,
        })
    }
}

impl Changed {
    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        match self.0 {
            ChangeOutcome::Done { configuration } => w.array(3).uint(CHANGE).uint(0).uint(configuration),
            ChangeOutcome::Unfit(why) => w.array(2).uint(CHANGE).uint(number(why)),
            ChangeOutcome::Overtaken => w.array(2).uint(CHANGE).uint(OVERTAKEN),
            ChangeOutcome::Unknown => w.array(2).uint(CHANGE).uint(UNKNOWN),
        };
        w.into_bytes()
    }

    /// Reads what [`Changed::encode`] wrote.
    pub fn decode(bytes: Bytes) -> Result<Changed, Malformed> {
        let mut r = Unpacker::new(bytes);
        if r.array(FIELDS_MAX)? < 2 || r.uint()? != CHANGE {
            return Err(Malformed);
        }
        Ok(Changed(match r.uint()? {
            0 => ChangeOutcome::Done { configuration: r.uint()? },
            OVERTAKEN => ChangeOutcome::Overtaken,
            UNKNOWN => ChangeOutcome::Unknown,
            n => ChangeOutcome::Unfit(UNFIT.into_iter().find(|why| number(*why) == n).ok_or(Malformed)?),
        }))
    }
}

const OVERTAKEN: u64 = 8;
const UNKNOWN: u64 = 9;

/// Why a change can't be made.
const UNFIT: [Unfit; 8] = [
    Unfit::AlreadyMember,
    Unfit::NotAMember,
    Unfit::LastMember,
    Unfit::TooMany,
    Unfit::NotHeard,
    Unfit::NotServing,
    Unfit::Busy,
    Unfit::HadASeat,
];

/// What it is called on the wire, for ever.
fn number(why: Unfit) -> u64 {
    match why {
        Unfit::AlreadyMember => 1,
        Unfit::NotAMember => 2,
        Unfit::LastMember => 3,
        Unfit::TooMany => 4,
        Unfit::NotHeard => 5,
        Unfit::NotServing => 6,
        Unfit::Busy => 7,
        Unfit::HadASeat => 10,
    }
}

impl EndedChanges {
    fn find(&self, nonce: u64) -> Option<ChangeOutcome> {
        self.0.iter().find(|(known, _)| *known == nonce).map(|(_, outcome)| *outcome)
    }

    fn keep(&mut self, nonce: u64, outcome: ChangeOutcome) {
        self.0.push_back((nonce, outcome));
        if self.0.len() > ENDED_KEPT {
            self.0.pop_front();
        }
    }
}

impl<M: Machine> Replica<M> {
    /// A client asks something of this replica itself.
    pub(super) fn on_inquiry(&mut self, now: Time, asking: Asking, wait_ms: u32, inquiry: Result<Inquiry, Malformed>) {
        match inquiry {
            Ok(Inquiry::Status) => {
                let status = self.status(now).encode();
                self.answer_inquiry(asking, status);
            }
            Ok(Inquiry::Change(change)) => {
                if let Some(outcome) = self.ended_changes.find(asking.nonce) {
                    self.answer_inquiry(asking, Changed(outcome).encode());
                } else if !self.asks_again(asking) {
                    self.order_change(now, Orderer::Client(asking), change, Span::millis(wait_ms.into()));
                }
            }
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
        }
    }

    fn answer_inquiry(&mut self, Asking { client, nonce }: Asking, answer: Bytes) {
        let slot = self.group.log().delivered().0;
        self.out.push_back(Output::Reply { client, message: ServerMessage::ReadAnswer { nonce, slot, answer } });
    }
}

fn id(member: MemberId) -> u64 {
    u64::from(member.number())
}

fn member(r: &mut Unpacker) -> Result<MemberId, Malformed> {
    u8::try_from(r.uint()?).ok().and_then(MemberId::new).ok_or(Malformed)
}

fn put_set(w: &mut Packer, set: MemberSet) {
    w.array(set.len());
    set.iter().for_each(|member| {
        w.uint(id(member));
    });
}

fn set(r: &mut Unpacker) -> Result<MemberSet, Malformed> {
    (0..r.array(FIELDS_MAX)?).map(|_| member(r)).collect()
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u8) -> MemberId {
        MemberId::new(n).unwrap()
    }

    fn hex(bytes: &[u8]) -> alloc::string::String {
        bytes.iter().map(|byte| alloc::format!("{byte:02x}")).collect()
    }

    #[test]
    fn inquiries_have_their_bytes() {
        let (old, new) = (member(2), member(4));
        let cases = [
            (Inquiry::Status, "9140"),
            (Inquiry::Change(ClusterChange::Add(new)), "93410104"),
            (Inquiry::Change(ClusterChange::Remove(old)), "93410202"),
            (Inquiry::Change(ClusterChange::Replace { old, new }), "9441030204"),
        ];
        for (inquiry, bytes) in cases {
            assert_eq!(hex(&inquiry.encode()), bytes);
            assert_eq!(Inquiry::read(&inquiry.encode()), Some(Ok(inquiry)));
            assert_eq!(Inquiry::is_for_operators(&inquiry.encode()), inquiry != Inquiry::Status);
        }
        let read = |bytes: &'static [u8]| Inquiry::read(&Bytes::from_static(bytes));
        assert_eq!(read(&[0x91, 4]), None, "the machine's");
        assert_eq!(read(b"text"), None, "nobody's: the machine says so");
        for bytes in [
            &[0x92, 0x40, 0][..],
            &[0x91, 0x41],
            &[0x93, 0x41, 1, 0],
            &[0x93, 0x41, 1, 64],
            &[0x91, 0x42],
            &[0x91, 0x40, 0],
        ] {
            assert_eq!(read(bytes), Some(Err(Malformed)), "{bytes:?}");
        }
    }

    #[test]
    fn how_a_change_ended_comes_back_as_it_went() {
        let unfit = UNFIT.map(ChangeOutcome::Unfit);
        let others = [ChangeOutcome::Done { configuration: 7 }, ChangeOutcome::Overtaken, ChangeOutcome::Unknown];
        for outcome in unfit.into_iter().chain(others) {
            assert_eq!(Changed::decode(Changed(outcome).encode()), Ok(Changed(outcome)));
        }
        assert_eq!(hex(&Changed(ChangeOutcome::Unfit(Unfit::AlreadyMember)).encode()), "924101");
        assert_eq!(hex(&Changed(ChangeOutcome::Unfit(Unfit::Busy)).encode()), "924107");
        assert_eq!(Changed::decode(Bytes::from_static(&[0x92, 0x41, 11])), Err(Malformed));
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
            peers: alloc::vec![peer, Peer { silent_ms: Some(1_000), ..peer }],
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
}
