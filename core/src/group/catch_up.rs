//! Catch-up: a replica that is in no view fetches what others know to be committed, by ranges of the log
//! or, where the log is gone, by a snapshot in pieces.
//!
//! Only committed slots come this way, with the statement that they are; neither the log view nor a mark
//! rises by it (RULES S4). The pieces of a snapshot are the same bytes on every replica, so a download
//! goes on with another one where the first left off.

use crate::electorate::Electorate;
use crate::ids::{Ballot, MemberId, MemberSet, Slot};
use crate::replica::{Event, FetchId};
use crate::store::{Fetch, Fetched, Job, SlotRecord, Snapshot};
use crate::time::{Span, Time};
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;

use super::join::{ANSWER_BYTES, chained, portion};
use super::message::Message;
use super::slots::UNCOMMITTED_BYTES;
use super::{Group, Output};

/// How many pieces of a snapshot are asked for at once.
const PIECES_ASKED: usize = 4;

/// A download that gets no further for so long gives way to whatever snapshot is to be had.
const PROGRESS_WITHIN: Span = Span::secs(1);

/// While the store has so many jobs to finish, or as many bytes as may be uncommitted, nothing more is asked for: a disk
/// that hangs must not have all that the others order pile up here.
const UNSTORED_JOBS: usize = 64;

/// After so long without an answer somebody is asked again.
const ANSWER_WITHIN: Span = Span::millis(100);

/// What this replica is fetching.
#[derive(Clone, Debug, Default)]
pub(super) struct CatchUp {
    asked: Option<(MemberId, Time)>,
    /// Who was asked and had nothing to say since anything came last.
    silent: MemberSet,
    download: Option<Download>,
    /// Who has sent pieces of a snapshot that was not what its digest said: others are asked first.
    distrusted: MemberSet,
}

/// A snapshot, as far as it is here.
#[derive(Clone, Debug)]
struct Download {
    slot: Slot,
    head: Option<Snapshot>,
    pieces: Vec<Option<Bytes>>,
    /// Who has sent them.
    from: MemberSet,
    progress_at: Time,
}

/// What something is read from the store for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A member gathers the log that this ballot adopts.
    Tail(Ballot),
    /// A replica catches up.
    Log,
    /// A replica fetches this piece of the snapshot.
    Piece(u32),
}

impl Download {
    fn begin(now: Time, slot: Slot) -> Download {
        // How many pieces there are comes with the first one.
        Download { slot, head: None, pieces: vec![None], from: MemberSet::EMPTY, progress_at: now }
    }
}

impl CatchUp {
    pub(super) fn is_busy(&self) -> bool {
        self.asked.is_some()
    }
}

impl Group {
    /// Asks for what others have committed and this replica has not, while it is in no view.
    pub(super) fn step_catch_up(&mut self, now: Time) {
        let complete = self.complete_to();
        if self.active || self.joining.is_some() {
            self.catch_up.asked = None;
            return;
        }
        if self.catch_up.asked.is_some_and(|(_, at)| now.since(at) < ANSWER_WITHIN) || self.is_store_full() {
            return;
        }
        let CatchUp { asked, silent, distrusted, .. } = &mut self.catch_up;
        if let Some((member, _)) = asked.take() {
            silent.insert(member);
        }
        let ahead = self
            .detector
            .peers()
            .filter(|(m, p)| self.detector.hears(now, *m) && p.heartbeat.whole && p.heartbeat.committed > complete);
        // One after the other: it may be any one that has the log, or a snapshot to give.
        let best = ahead.max_by_key(|(m, p)| (!silent.contains(*m), !distrusted.contains(*m), p.heartbeat.committed));
        let Some((best, _)) = best else { return };
        if silent.contains(best) {
            *silent = MemberSet::EMPTY;
        }
        // Perhaps it has the log itself; if not, its offer has a download go on.
        self.catch_up.asked = Some((best, now));
        self.note(MemberSet::of(best), Message::WantLog(self.complete_to().next()));
    }

    fn ask(&mut self, now: Time, member: MemberId) {
        self.catch_up.asked = Some((member, now));
        let to = MemberSet::of(member);
        match &self.catch_up.download {
            None => self.note(to, Message::WantLog(self.complete_to().next())),
            Some(download) => {
                let slot = download.slot;
                let lacking = download.pieces.iter().enumerate().filter(|(_, piece)| piece.is_none());
                let asked: Vec<usize> = lacking.map(|(index, _)| index).take(PIECES_ASKED).collect();
                for index in asked {
                    let index = u32::try_from(index).unwrap_or(u32::MAX);
                    self.note(to, Message::WantPiece(slot, index));
                }
            }
        }
    }

    /// Somebody wants committed slots.
    pub(super) fn on_want_log(&mut self, from: MemberId, slot: Slot) {
        if slot > self.log.committed() || slot == Slot(0) || !self.is_whole() {
            return;
        }
        if slot > self.log.base() {
            let committed = self.log.committed();
            let slots = portion(self.log.from(slot).take_while(|record| record.slot <= committed));
            self.out.push_back(Output::Stream { to: from, message: Message::Slots(slots) });
        } else {
            // If the store has no such slots any more, the snapshot is offered instead.
            self.fetch(Fetch::Slots { from: slot, bytes_max: ANSWER_BYTES }, from, Purpose::Log);
        }
    }

    /// Committed slots of another replica.
    pub(super) fn on_slots(&mut self, now: Time, from: MemberId, slots: Vec<SlotRecord>) {
        // A late answer is as true as any: it is committed, and it chains.
        if self.active || self.joining.is_some() {
            return;
        }
        let committed = self.complete_to();
        let news: Vec<SlotRecord> = slots.into_iter().filter(|record| record.slot > committed).collect();
        if news.is_empty() {
            return;
        }
        let log = self.hollow.as_ref().map_or(&self.log, |hollow| &hollow.rebuilt);
        let start = log.digest_at(committed).unwrap_or_default();
        if chained(start, committed, &news).is_none() {
            return self.refuse("slots that do not chain onto what is committed here");
        }
        if self.hollow.is_some() {
            self.rebuild(now, &news);
        } else {
            self.extend(now, news);
        }
        self.catch_up.download = None;
        self.catch_up.asked = None;
        self.catch_up.silent = MemberSet::EMPTY;
        let is_ahead = self.detector.peer(from).is_some_and(|peer| peer.heartbeat.committed > self.complete_to());
        if is_ahead && !self.is_store_full() {
            self.ask(now, from);
        }
    }

    fn is_store_full(&self) -> bool {
        self.backlog.jobs() >= UNSTORED_JOBS || self.backlog.bytes() >= UNCOMMITTED_BYTES
    }

    /// Committed slots of another replica, which follow what is committed here, replace what stood there.
    fn extend(&mut self, now: Time, news: Vec<SlotRecord>) {
        let committed = self.log.committed();
        let Some(last) = news.last().map(|record| record.slot) else { return };
        let known = |record: &SlotRecord| self.log.digest_at(record.slot) == Some(record.digest);
        let agreed = news.iter().take_while(|record| known(record)).last().map_or(committed, |record| record.slot);
        if last > agreed {
            // What stood here instead was never committed, and never will be.
            self.log.truncate(agreed);
            for record in news.iter().filter(|record| record.slot > agreed) {
                self.log.push(record.clone());
            }
        }
        self.log.commit(last);
        self.stated = self.stated.max(last);
        self.durable = self.durable.min(self.log.end());
        self.write_electorate(now, self.log.electorate_at(last));
        let generation = self.generation;
        self.event(Event::CaughtUp { slots: news.len() as u64, upto: last });
        self.persist(now, Job::CatchUp { generation, slots: news });
    }

    /// The log is gone there, but a snapshot is to be had.
    pub(super) fn on_offer(&mut self, now: Time, from: MemberId, slot: Slot) {
        if self.active || slot <= self.complete_to() {
            return;
        }
        self.give_up_joining(from, slot);
        // A newer one is no reason to begin again while others give what was begun.
        let is_lost = |download: &Download| {
            let stands_still = now.since(download.progress_at) > PROGRESS_WITHIN;
            stands_still || (download.slot < slot && (download.from.is_empty() || download.from.contains(from)))
        };
        if self.catch_up.download.as_ref().is_none_or(is_lost) {
            self.catch_up.download = Some(Download::begin(now, slot));
        }
        if self.catch_up.download.as_ref().is_some_and(|download| download.slot == slot) {
            self.ask(now, from);
        }
    }

    /// A piece of a snapshot.
    pub(super) fn on_piece(&mut self, now: Time, from: MemberId, head: Snapshot, count: u32, index: u32, piece: Bytes) {
        if self.active || self.joining.is_some() {
            return;
        }
        let Some(download) = self.catch_up.download.as_mut().filter(|download| download.slot == head.slot) else {
            return;
        };
        let count = usize::try_from(count).unwrap_or(0);
        if download.head.as_ref().is_some_and(|known| *known != head) || count == 0 {
            return self.refuse("piece of another snapshot than the one begun");
        }
        let is_first = download.head.is_none();
        if is_first {
            download.head = Some(head);
            download.pieces = vec![None; count];
        }
        let Some(place) = usize::try_from(index).ok().and_then(|index| download.pieces.get_mut(index)) else {
            return self.refuse("piece that the snapshot does not have");
        };
        *place = Some(piece);
        download.from.insert(from);
        download.progress_at = now;
        self.catch_up.silent = MemberSet::EMPTY;
        self.catch_up.asked = Some((from, now));
        if download.pieces.iter().all(Option::is_some) {
            let Some(Download { head, pieces, from, .. }) = self.catch_up.download.take() else { return };
            self.catch_up.asked = None;
            if let Some(mut snapshot) = head {
                snapshot.pieces = pieces.into_iter().flatten().collect();
                self.out.push_back(Output::Restore { from, snapshot });
            }
        } else if is_first || download.pieces.iter().filter(|piece| piece.is_some()).count() % PIECES_ASKED == 0 {
            self.ask(now, from);
        }
    }

    /// Whether a snapshot of another replica may become the base now.
    pub fn may_adopt(&self, snapshot: &Snapshot) -> bool {
        !self.stopped && !self.active && self.joining.is_none() && snapshot.slot > self.complete_to()
    }

    /// If the own log holds all that a snapshot covers, and perhaps slots above it that others count on, it
    /// stays as it is: the snapshot only tells that so much of it is committed.
    pub fn confirm(&mut self, now: Time, snapshot: &Snapshot) -> bool {
        let holds = self.is_whole() && self.log.digest_at(snapshot.slot) == Some(snapshot.digest);
        if holds {
            self.log.commit(snapshot.slot);
            self.stated = self.stated.max(snapshot.slot);
            self.deliver_to_store(now);
        }
        holds
    }

    /// The pieces that these have sent do not make up the state that the snapshot is said to hold.
    pub fn distrust(&mut self, from: MemberSet) {
        self.catch_up.distrusted = self.catch_up.distrusted.union(from);
        self.refuse("snapshot that does not restore to its digest");
    }

    /// The machine was restored from this snapshot: it becomes the base of the log.
    pub fn adopt(&mut self, now: Time, snapshot: Snapshot) {
        assert!(self.may_adopt(&snapshot), "asked before the machine was restored");
        let beyond = snapshot.slot > self.log.committed();
        self.rebuild_from(&snapshot);
        if beyond {
            self.clock.anchor(now, snapshot.clock);
            self.stated = snapshot.slot;
            self.durable = self.log.end();
            self.deliver_asked = snapshot.slot;
            self.archived = snapshot.slot;
            self.snapshots.adopted(&snapshot);
        }
        self.positions.clone_from(&snapshot.positions);
        // RULES S2: what the snapshot orders must not be submitted again.
        let me = self.options.me;
        if let Some(position) = snapshot.positions.iter().find(|p| p.origin == me) {
            let missed = self.own.skipped(position.view, position.number);
            if !missed.is_empty() {
                self.out.push_back(Output::Missed(missed));
            }
        }
        self.event(Event::Restored { slot: snapshot.slot, digest: snapshot.digest, state: snapshot.state });
        self.write_electorate(now, Electorate::of(snapshot.configuration.clone()));
        let (generation, slot) = (self.generation, snapshot.slot);
        let job = self.persist(now, Job::Adopt { generation, snapshot });
        self.snapshots.adopting(job, slot);
    }

    /// The store has read what somebody asked for.
    pub fn fetched(&mut self, now: Time, id: FetchId, fetched: Fetched) {
        let Some(index) = self.fetches.iter().position(|(known, _, _)| *known == id) else { return };
        let (_, to, purpose) = self.fetches.swap_remove(index);
        let message = match (fetched, purpose) {
            (Fetched::Slots(slots), Purpose::Tail(ballot)) if !slots.is_empty() => {
                Message::Tail(ballot, portion(slots.iter()))
            }
            (Fetched::Slots(slots), Purpose::Log) if !slots.is_empty() => Message::Slots(portion(slots.iter())),
            (Fetched::Piece(Some((head, count, piece))), Purpose::Piece(index)) => {
                Message::Piece(head, count, index, piece)
            }
            // It is gone here: there is a newer snapshot.
            (Fetched::Slots(_) | Fetched::Piece(_), Purpose::Tail(_) | Purpose::Log | Purpose::Piece(_)) => {
                return self.offer_snapshot(now, to);
            }
        };
        self.out.push_back(Output::Stream { to, message });
    }
}
