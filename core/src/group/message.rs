//! What the groups of two replicas say to each other, and the bytes of it.
//!
//! Three ways lead there (see `link`): *broadcast* messages are reliable and in order within a view;
//! *notes* are small, may be lost or come twice, and are said again until they are answered; *stream*
//! messages are bulk, reliable and in order between two boots.
//!
//! A message begins with its kind. A newer version of the same protocol may add kinds, and fields behind
//! the last one: an unknown kind is dropped and counted, what follows the known fields is ignored. So
//! replicas can be upgraded one at a time. `Body` is the exception: it has no end of its own.

#[cfg(test)]
mod tests;

use super::admission::ClusterChange;
use super::notice::Notice;
use crate::electorate::Electorate;
use crate::ids::{Ballot, BootId, Digest, MEMBERS_MAX, MemberId, MemberSet, Slot, StoreId, View};
use crate::replica::Order;
use crate::store::{Heard, Mark, Position, SlotRecord, Snapshot};
use crate::time::SlotClock;
use crate::wire::{Malformed, Reader, Writer};
use alloc::vec::Vec;
use bytes::Bytes;

/// The most slots that one stream message may carry.
pub const SLOTS_PER_MESSAGE_MAX: usize = 4_096;

/// The most stores whose marks a promise names: those of a cluster,
/// with one more while it changes, in two boots each.
pub const HEARD_MAX: usize = 2 * (MEMBERS_MAX + 1);

/// The most origins whose positions a snapshot may name: more than there are member ids.
const POSITIONS_MAX: usize = 64;

/// The most pieces that a snapshot may have: 48 GiB of state.
pub const PIECES_MAX: usize = 1 << 20;

/// Why a message can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is not what its kind should be.
    Malformed,
    /// It is of a kind that this build does not know: a newer replica sent it.
    Unknown(u8),
}

impl From<Malformed> for Unread {
    fn from(_: Malformed) -> Unread {
        Unread::Malformed
    }
}

/// What the next sequencer says: slot `slot` holds these requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sequence {
    /// The slot.
    pub slot: Slot,
    /// Its clock reading.
    pub clock: SlotClock,
    /// The chained digest with it.
    pub digest: Digest,
    /// How many further requests of which origin, by rising id.
    pub takes: Vec<(MemberId, u64)>,
    /// What it says instead, if it orders no requests.
    pub notice: Option<Notice>,
}

/// What a replica says of itself all the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// Its store.
    pub store: StoreId,
    /// What that showed when it was opened.
    pub shown: Mark,
    /// What it has said so far of what is durable there. The ordinal is that of `shown`.
    pub mark: Mark,
    /// The number of the configuration that its log has proven.
    pub configuration: u64,
    /// Whether its store has had a seat.
    pub seated: bool,
    /// Whether its log and its state are all there: else it is no candidate for a view.
    pub whole: bool,
    /// Its log view.
    pub view: Ballot,
    /// Whether it takes part in that view: it is named in it and has promised nothing higher.
    pub active: bool,
    /// Whether all members of that view have installed it, so that it can order.
    pub open: bool,
    /// The highest ballot that it knows of.
    pub highest: Ballot,
    /// The end of its log.
    pub end: Slot,
    /// How far it knows the log to be committed.
    pub committed: Slot,
    /// Whom it hears.
    pub hears: MemberSet,
    /// The age of its oldest unfinished store job, in milliseconds.
    pub job_age_ms: u64,
    /// Whom it waits for while ordering stands still.
    pub waits_for: MemberSet,
    /// Whose turns it finds slow.
    pub slow: MemberSet,
    /// Its newest snapshot, and the digest of the machine's state there.
    pub snapshot: Slot,
    /// See `snapshot`.
    pub state: Digest,
    /// Who takes turns, as it was told: the same for all members.
    pub order: Order,
    /// Whether its disk is nearly full.
    pub nearly_full: bool,
    /// The newest rules of the machine that its build knows.
    pub rules: u64,
}

/// Before a view change: does a quorum see it the same way? Nothing is promised by asking.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// Tells the answers apart.
    pub nonce: u64,
    /// The asker's log view.
    pub view: Ballot,
    /// Whom the asker misses.
    pub missing: MemberSet,
    /// Whom it would take into a new view.
    pub proposed: MemberSet,
    /// Whom of those it would keep off the ring.
    pub slow: MemberSet,
}

/// The answer to a [`Question`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Opinion {
    /// The question.
    pub nonce: u64,
    /// Whether the answerer would go along.
    pub agrees: bool,
    /// The highest ballot that it knows of.
    pub highest: Ballot,
}

/// The answer to a prepare: the promise is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The ballot.
    pub ballot: Ballot,
    /// The answerer's log view.
    pub log_view: Ballot,
    /// The end of its log, covering all that it ever handed to its store.
    pub end: Slot,
    /// The chained digest there.
    pub digest: Digest,
    /// How far it knows the log to be committed.
    pub committed: Slot,
    /// Its store.
    pub store: StoreId,
    /// Its boot.
    pub boot: BootId,
    /// What the store showed when it was opened.
    pub shown: Mark,
    /// The highest marks that it has heard from other stores.
    pub heard: Vec<Heard>,
    /// The electorate by its log.
    pub electorate: Electorate,
    /// Whether its log and its state are all there.
    pub whole: bool,
    /// Whom it hears.
    pub hears: MemberSet,
    /// Whose turns it finds slow.
    pub slow: MemberSet,
}

/// The outcome of a ballot. There is one for a ballot, whatever happens (RULES S3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// The view.
    pub view: View,
    /// What the quorums of this view are counted against: the electorate by the adopted log.
    pub electorate: Electorate,
    /// The log view of the donor.
    pub log_view: Ballot,
    /// The end of the adopted log.
    pub end: Slot,
    /// The chained digest there.
    pub digest: Digest,
    /// A slot up to which the proposer knows the adopted log to be committed.
    pub committed: Slot,
}

/// Everything that groups say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Broadcast: the first message of an origin in a view.
    Begin(Ballot),
    /// Broadcast: the next request of the sender.
    Body(Bytes),
    /// Broadcast: the next slot.
    Sequence(Sequence),
    /// Note.
    Heartbeat(Heartbeat),
    /// Note.
    Question(Question),
    /// Note.
    Opinion(Opinion),
    /// Note: promise this ballot. It is asked of these.
    Prepare(Ballot, Electorate),
    /// Note.
    Promise(Promise),
    /// Note: a ballot was refused, this higher one stands.
    Outbid(Ballot),
    /// Note.
    Install(Install),
    /// Note: send the log from here on, as this ballot adopts it.
    WantTail(Ballot, Slot),
    /// Stream: what was wanted, with the ballot.
    Tail(Ballot, Vec<SlotRecord>),
    /// Note: send committed slots from here on.
    WantLog(Slot),
    /// Stream: committed slots.
    Slots(Vec<SlotRecord>),
    /// Note: the log from there on is gone; there is a snapshot at this slot.
    Offer(Slot),
    /// Note: send this piece of the snapshot at this slot.
    WantPiece(Slot, u32),
    /// Stream: a piece, with the snapshot's head (without pieces), how many there are, and its index.
    Piece(Snapshot, u32, u32, Bytes),
    /// Note: does this view still stand, and how far is it durable with you? (nonce, view)
    AskRead(u64, Ballot),
    /// Note: it stands; durable up to there. (nonce, slot)
    ReadMark(u64, Slot),
    /// Note: the cluster is to be changed like this, if this is the number of its configuration.
    WantChange(u64, ClusterChange),
    /// Note: this store has no seat in the configuration with this number, which is proven.
    Removed(StoreId, u64),
    /// Note: this store has shown more before.
    Older(StoreId),
    /// Note: whoever says this stops, and is not to be waited for.
    Retiring,
}

impl Message {
    /// Appends the bytes of this message.
    pub fn encode(&self, w: &mut Writer) {
        match self {
            Message::Body(body) => w.u8(1).raw(body),
            Message::Sequence(s) => {
                w.u8(2).slot(s.slot).u64(s.clock.0).digest(s.digest).u64(s.takes.len() as u64);
                for (origin, count) in &s.takes {
                    w.member(*origin).u64(*count);
                }
                match &s.notice {
                    None => w.u8(0),
                    Some(notice) => {
                        notice.encode(w);
                        w
                    }
                }
            }
            Message::Begin(ballot) => w.u8(3).ballot(*ballot),
            Message::Heartbeat(h) => w
                .u8(4)
                .raw(&h.store.0)
                .mark(&h.shown)
                .mark(&h.mark)
                .u64(h.configuration)
                .u8(u8::from(h.seated))
                .u8(u8::from(h.whole))
                .ballot(h.view)
                .u8(u8::from(h.active))
                .u8(u8::from(h.open))
                .ballot(h.highest)
                .slot(h.end)
                .slot(h.committed)
                .members(h.hears)
                .u64(h.job_age_ms)
                .members(h.waits_for)
                .members(h.slow)
                .slot(h.snapshot)
                .digest(h.state)
                .u8(match h.order {
                    Order::Rotating => 0,
                    Order::Fixed => 1,
                })
                .u8(u8::from(h.nearly_full))
                .u64(h.rules),
            Message::Question(q) => {
                w.u8(5).u64(q.nonce).ballot(q.view).members(q.missing).members(q.proposed).members(q.slow)
            }
            Message::Opinion(o) => w.u8(6).u64(o.nonce).u8(u8::from(o.agrees)).ballot(o.highest),
            Message::Prepare(ballot, electorate) => w.u8(7).ballot(*ballot).electorate(electorate),
            Message::Promise(p) => write_promise(w.u8(8), p),
            Message::Outbid(ballot) => w.u8(9).ballot(*ballot),
            Message::Install(i) => w
                .u8(10)
                .view(&i.view)
                .electorate(&i.electorate)
                .ballot(i.log_view)
                .slot(i.end)
                .digest(i.digest)
                .slot(i.committed),
            Message::WantTail(ballot, from) => w.u8(11).ballot(*ballot).slot(*from),
            Message::Tail(ballot, slots) => records(w.u8(12).ballot(*ballot), slots),
            Message::WantLog(from) => w.u8(13).slot(*from),
            Message::Slots(slots) => records(w.u8(14), slots),
            Message::Offer(slot) => w.u8(15).slot(*slot),
            Message::WantPiece(slot, index) => w.u8(16).slot(*slot).u64(u64::from(*index)),
            Message::Piece(head, count, index, piece) => {
                write_head(w.u8(17), head).u64(u64::from(*count)).u64(u64::from(*index)).bytes(piece)
            }
            Message::AskRead(nonce, ballot) => w.u8(18).u64(*nonce).ballot(*ballot),
            Message::ReadMark(nonce, slot) => w.u8(19).u64(*nonce).slot(*slot),
            Message::WantChange(number, change) => {
                w.u8(20).u64(*number);
                change.encode(w)
            }
            Message::Removed(store, number) => w.u8(21).raw(&store.0).u64(*number),
            Message::Older(store) => w.u8(22).raw(&store.0),
            Message::Retiring => w.u8(23),
        };
    }

    /// Reads a message; what a newer version has added to it is left out.
    pub fn decode(bytes: Bytes) -> Result<Message, Unread> {
        let mut r = Reader::new(bytes);
        Ok(match r.u8()? {
            1 => Message::Body(r.rest()),
            2 => Message::Sequence(Sequence {
                slot: r.slot()?,
                clock: SlotClock(r.u64()?),
                digest: r.digest()?,
                takes: read_takes(&mut r)?,
                notice: Notice::decode_any(&mut r)?,
            }),
            3 => Message::Begin(r.ballot()?),
            4 => Message::Heartbeat(Heartbeat {
                store: StoreId(r.array()?),
                shown: r.mark()?,
                mark: r.mark()?,
                configuration: r.u64()?,
                seated: r.u8()? != 0,
                whole: r.u8()? != 0,
                view: r.ballot()?,
                active: r.u8()? != 0,
                open: r.u8()? != 0,
                highest: r.ballot()?,
                end: r.slot()?,
                committed: r.slot()?,
                hears: r.members()?,
                job_age_ms: r.u64()?,
                waits_for: r.members()?,
                slow: r.members()?,
                snapshot: r.slot()?,
                state: r.digest()?,
                order: read_order(&mut r)?,
                nearly_full: r.u8()? != 0,
                rules: r.u64()?,
            }),
            5 => Message::Question(Question {
                nonce: r.u64()?,
                view: r.ballot()?,
                missing: r.members()?,
                proposed: r.members()?,
                slow: r.members()?,
            }),
            6 => Message::Opinion(Opinion { nonce: r.u64()?, agrees: r.u8()? != 0, highest: r.ballot()? }),
            7 => Message::Prepare(r.ballot()?, r.electorate()?),
            8 => Message::Promise(read_promise(&mut r)?),
            9 => Message::Outbid(r.ballot()?),
            10 => Message::Install(Install {
                view: r.view()?,
                electorate: r.electorate()?,
                log_view: r.ballot()?,
                end: r.slot()?,
                digest: r.digest()?,
                committed: r.slot()?,
            }),
            11 => Message::WantTail(r.ballot()?, r.slot()?),
            12 => Message::Tail(r.ballot()?, read_records(&mut r)?),
            13 => Message::WantLog(r.slot()?),
            14 => Message::Slots(read_records(&mut r)?),
            15 => Message::Offer(r.slot()?),
            16 => Message::WantPiece(r.slot()?, index(&mut r)?),
            17 => Message::Piece(read_head(&mut r)?, index(&mut r)?, index(&mut r)?, r.bytes()?),
            18 => Message::AskRead(r.u64()?, r.ballot()?),
            19 => Message::ReadMark(r.u64()?, r.slot()?),
            20 => Message::WantChange(r.u64()?, ClusterChange::decode(&mut r)?),
            21 => Message::Removed(StoreId(r.array()?), r.u64()?),
            22 => Message::Older(StoreId(r.array()?)),
            23 => Message::Retiring,
            kind => return Err(Unread::Unknown(kind)),
        })
    }
}

fn read_order(r: &mut Reader) -> Result<Order, Malformed> {
    match r.u8()? {
        0 => Ok(Order::Rotating),
        1 => Ok(Order::Fixed),
        _ => Err(Malformed),
    }
}

fn records<'w>(w: &'w mut Writer, slots: &[SlotRecord]) -> &'w mut Writer {
    w.u64(slots.len() as u64);
    for record in slots {
        w.record(record);
    }
    w
}

fn write_promise<'w>(w: &'w mut Writer, p: &Promise) -> &'w mut Writer {
    w.ballot(p.ballot).ballot(p.log_view).slot(p.end).digest(p.digest).slot(p.committed);
    w.raw(&p.store.0).raw(&p.boot.0).mark(&p.shown).u64(p.heard.len() as u64);
    for heard in &p.heard {
        w.raw(&heard.store.0).raw(&heard.boot.0).mark(&heard.mark);
    }
    w.electorate(&p.electorate).u8(u8::from(p.whole)).members(p.hears).members(p.slow)
}

fn read_promise(r: &mut Reader) -> Result<Promise, Malformed> {
    Ok(Promise {
        ballot: r.ballot()?,
        log_view: r.ballot()?,
        end: r.slot()?,
        digest: r.digest()?,
        committed: r.slot()?,
        store: StoreId(r.array()?),
        boot: BootId(r.array()?),
        shown: r.mark()?,
        heard: read_heard(r)?,
        electorate: r.electorate()?,
        whole: r.u8()? != 0,
        hears: r.members()?,
        slow: r.members()?,
    })
}

fn read_heard(r: &mut Reader) -> Result<Vec<Heard>, Malformed> {
    let n = r.count(HEARD_MAX)?;
    (0..n).map(|_| Ok(Heard { store: StoreId(r.array()?), boot: BootId(r.array()?), mark: r.mark()? })).collect()
}

fn write_head<'w>(w: &'w mut Writer, head: &Snapshot) -> &'w mut Writer {
    w.slot(head.slot).digest(head.digest).u64(head.clock.0).configuration(&head.configuration);
    w.u64(head.positions.len() as u64);
    for p in &head.positions {
        w.member(p.origin).ballot(p.view).u64(p.number);
    }
    w.digest(head.state)
}

fn read_head(r: &mut Reader) -> Result<Snapshot, Malformed> {
    let slot = r.slot()?;
    let digest = r.digest()?;
    let clock = SlotClock(r.u64()?);
    let configuration = r.configuration()?;
    let n = r.count(POSITIONS_MAX)?;
    let positions = (0..n)
        .map(|_| Ok(Position { origin: r.member()?, view: r.ballot()?, number: r.u64()? }))
        .collect::<Result<Vec<_>, Malformed>>()?;
    Ok(Snapshot { slot, digest, clock, configuration, positions, state: r.digest()?, pieces: Vec::new() })
}

fn read_takes(r: &mut Reader) -> Result<Vec<(MemberId, u64)>, Malformed> {
    let n = r.count(MEMBERS_MAX)?;
    (0..n).map(|_| Ok((r.member()?, r.u64()?))).collect()
}

fn read_records(r: &mut Reader) -> Result<Vec<SlotRecord>, Malformed> {
    let n = r.count(SLOTS_PER_MESSAGE_MAX)?;
    (0..n).map(|_| r.record()).collect()
}

fn index(r: &mut Reader) -> Result<u32, Malformed> {
    u32::try_from(r.count(PIECES_MAX)?).map_err(|_| Malformed)
}
