//! Ordering within one view: bodies from every origin, sequences from whose turn it is, slots when both
//! are there.
//!
//! What always holds:
//! - requests are numbered from 1 per origin in this view, and each origin's are ordered without gaps;
//! - a slot is complete only behind a complete slot, with every body that it names;
//! - nothing from another view gets in: the broadcast streams are those of this view alone.

use crate::ids::{Digest, MemberId, MemberSet, Slot, View};
use crate::store::SlotRecord;
use crate::time::SlotClock;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use bytes::Bytes;

use super::content::{self, Range};
use super::log::Log;
use super::message::Sequence;
use super::notice::Notice;

/// When a slot holds this much it takes no further requests: it goes through the store in one piece.
const SLOT_BYTES: usize = 1 << 20;

/// The most requests in one slot: a session is named by slot and 16 bits of position.
const SLOT_REQUESTS: usize = 4_096;

/// How far ahead of the log a sequence may be. A member that lacks one body holds the sequences of all the
/// slots behind it, until it has that body or the others drop it, some seconds later.
const AHEAD_MAX: u64 = 1 << 18;

/// A sequence or a body that does not fit the view it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit(pub &'static str);

/// The state of one view.
#[derive(Clone, Debug)]
pub struct Ordering {
    /// The view.
    pub view: View,
    /// Who is known to have installed it.
    pub installed: MemberSet,
    queues: Vec<Queue>,
    marks: Vec<Slot>,
    pending: BTreeMap<Slot, Sequence>,
}

/// The unordered requests of one origin. The front one has number `next`.
#[derive(Clone, Debug)]
struct Queue {
    origin: MemberId,
    next: u64,
    bodies: VecDeque<Bytes>,
    /// The number of the last one that the origin itself has sent here. Those below `next` that a sequencer's slot has
    /// brought may still come from the origin (RULES L11).
    sent: u64,
}

impl Ordering {
    /// A view in which nothing has been said yet.
    pub fn new(view: View) -> Ordering {
        let queue = |origin| Queue { origin, next: 1, bodies: VecDeque::new(), sent: 0 };
        Ordering {
            installed: MemberSet::EMPTY,
            queues: view.members.iter().map(|p| queue(p.member)).collect(),
            marks: view.members.iter().map(|_| Slot(0)).collect(),
            pending: BTreeMap::new(),
            view,
        }
    }

    /// The next request of `origin` is here; gives its number.
    pub fn body(&mut self, origin: MemberId, body: Bytes) -> Result<u64, Misfit> {
        let queue = self.queues.iter_mut().find(|q| q.origin == origin).ok_or(Misfit("body from outside the view"))?;
        queue.sent += 1;
        if queue.sent >= queue.next {
            queue.bodies.push_back(body);
        }
        Ok(queue.sent)
    }

    /// `from` says what slot `sequence.slot` holds.
    pub fn sequence(&mut self, from: MemberId, sequence: Sequence, end: Slot) -> Result<(), Misfit> {
        if self.view.sequencer(sequence.slot) != Some(from) {
            return Err(Misfit("sequence out of turn"));
        }
        if sequence.slot <= end || sequence.slot.0 > end.0 + AHEAD_MAX {
            return Err(Misfit("sequence of a slot that can't be next"));
        }
        let known = |origin: MemberId| self.queues.iter().any(|q| q.origin == origin);
        if sequence.notice.is_some() && !sequence.takes.is_empty() {
            return Err(Misfit("sequence of a notice and of requests"));
        }
        let rising = sequence.takes.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let bounded = sequence.takes.iter().all(|(origin, n)| known(*origin) && *n > 0 && *n <= SLOT_REQUESTS as u64);
        if !rising || !bounded {
            return Err(Misfit("sequence with absurd ranges"));
        }
        if self.pending.contains_key(&sequence.slot) {
            return Err(Misfit("slot sequenced twice"));
        }
        self.pending.insert(sequence.slot, sequence);
        Ok(())
    }

    /// What a slot is going to say of the cluster.
    pub fn notice_of(&self, slot: Slot) -> Option<&Notice> {
        self.pending.get(&slot).and_then(|sequence| sequence.notice.as_ref())
    }

    /// The slot behind `log`, if its sequence and all its bodies are here; `fits` says whether what it says
    /// of the cluster, or does not, may stand there.
    pub fn complete(&mut self, log: &Log, fits: bool) -> Option<Result<SlotRecord, Misfit>> {
        let slot = log.end().next();
        let sequence = self.pending.get(&slot)?;
        if !fits {
            return Some(Err(Misfit("slot that does not belong behind the log")));
        }
        let held = |(origin, n): &(MemberId, u64)| {
            self.queues.iter().any(|q| q.origin == *origin && q.bodies.len() as u64 >= *n)
        };
        if !sequence.takes.iter().all(held) {
            return None;
        }
        let sequence = self.pending.remove(&slot)?;
        let record = match &sequence.notice {
            Some(notice) => self.chained(log, sequence.clock, notice.content()),
            None => self.record(log, sequence.clock, &sequence.takes),
        };
        if record.digest != sequence.digest || record.clock < log.end_clock() {
            return Some(Err(Misfit("slot with other content than its sequencer has")));
        }
        Some(Ok(record))
    }

    /// Whether `record`, as its sequencer has it, is the slot behind `log` for which bodies are lacking here. If so,
    /// its requests are ordered here from now on, and their bodies are not waited for (RULES L11).
    pub fn take_whole(&mut self, log: &Log, record: &SlotRecord) -> bool {
        let slot = log.end().next();
        let Some(sequence) = self.pending.get(&slot) else { return false };
        let digest = content::chain(log.end_digest(), slot, self.view.ballot, record.clock, &record.content);
        let is_said = (record.slot, record.view, record.clock) == (slot, self.view.ballot, sequence.clock)
            && record.digest == digest
            && sequence.digest == digest
            && record.clock >= log.end_clock();
        let Ok(requests) = content::requests(&record.content) else { return false };
        let named = requests.ranges().map(|range| (range.origin, range.from, range.count));
        let next = |origin| self.queues.iter().find(|q| q.origin == origin).map_or(0, |q| q.next);
        if !is_said || !named.eq(sequence.takes.iter().map(|(origin, n)| (*origin, next(*origin), *n))) {
            return false;
        }
        let Some(sequence) = self.pending.remove(&slot) else { return false };
        for (origin, n) in sequence.takes {
            let Some(queue) = self.queues.iter_mut().find(|q| q.origin == origin) else { continue };
            let held = queue.bodies.len().min(usize::try_from(n).unwrap_or(usize::MAX));
            queue.bodies.drain(..held);
            queue.next += n;
        }
        true
    }

    /// Orders everything that is held and not ordered, up to the limits of a slot.
    pub fn compose(&mut self, log: &Log, clock: SlotClock) -> (Sequence, SlotRecord) {
        let origins = self.queues.iter().filter(|q| !q.bodies.is_empty()).count().max(1);
        let (share_bytes, share_requests) = (SLOT_BYTES / origins, SLOT_REQUESTS / origins);
        let mut takes = Vec::with_capacity(origins);
        let mut total = 0;
        // A large body may leave no room for others': each slot another origin comes first.
        let first = usize::try_from(log.end().0 % self.queues.len().max(1) as u64).unwrap_or(0);
        let (before, from) = self.queues.split_at(first);
        for queue in from.iter().chain(before).filter(|q| !q.bodies.is_empty()) {
            let first = queue.bodies.front().map_or(0, Bytes::len);
            if !takes.is_empty() && total + first > SLOT_BYTES {
                continue;
            }
            let mut bytes = 0;
            let fits = |body: &&Bytes| {
                bytes += body.len();
                bytes <= share_bytes
            };
            let n = queue.bodies.iter().take(share_requests).take_while(fits).count().max(1);
            total += queue.bodies.iter().take(n).map(Bytes::len).sum::<usize>();
            takes.push((queue.origin, n as u64));
        }
        takes.sort_unstable();
        let record = self.record(log, clock, &takes);
        let slot = record.slot;
        (Sequence { slot, clock, digest: record.digest, takes, notice: None }, record)
    }

    /// A slot that says something of the cluster, and orders nothing.
    pub fn announce(&self, log: &Log, clock: SlotClock, notice: Notice) -> (Sequence, SlotRecord) {
        let record = self.chained(log, clock, notice.content());
        let (slot, digest) = (record.slot, record.digest);
        (Sequence { slot, clock, digest, takes: Vec::new(), notice: Some(notice) }, record)
    }

    /// Notes how far `member` is durable in this view; a mark never goes back.
    pub fn mark(&mut self, member: MemberId, durable: Slot) -> bool {
        let index = self.view.members.iter().position(|p| p.member == member);
        let Some(mark) = index.and_then(|i| self.marks.get_mut(i)) else { return false };
        let rises = durable > *mark;
        *mark = durable.max(*mark);
        rises
    }

    /// The highest slot that enough members have durable in this view.
    pub fn durable_on(&self, is_quorum: impl Fn(MemberSet) -> bool) -> Slot {
        let reaches = |slot: Slot| -> MemberSet {
            let marks = self.view.members.iter().zip(&self.marks);
            marks.filter(|(_, mark)| **mark >= slot).map(|(p, _)| p.member).collect()
        };
        self.marks.iter().copied().filter(|mark| is_quorum(reaches(*mark))).max().unwrap_or_default()
    }

    /// How far `member` is known to be durable.
    pub fn mark_of(&self, member: MemberId) -> Slot {
        let index = self.view.members.iter().position(|p| p.member == member);
        index.and_then(|i| self.marks.get(i)).copied().unwrap_or_default()
    }

    /// Whether every member is known to have installed the view.
    pub fn is_open(&self) -> bool {
        self.installed.contains_all(self.view.set())
    }

    /// Whether a request waits to be ordered, or a sequence to be completed.
    pub fn has_work(&self) -> bool {
        !self.pending.is_empty() || self.has_requests()
    }

    /// Whether a request waits to be ordered.
    pub fn has_requests(&self) -> bool {
        self.queues.iter().any(|q| !q.bodies.is_empty())
    }

    /// Who holds up the slot behind `end`: the origins whose bodies a sequence lacks.
    pub fn lacks(&self, end: Slot) -> MemberSet {
        let Some(sequence) = self.pending.get(&end.next()) else { return MemberSet::EMPTY };
        let lacks = |(origin, n): &&(MemberId, u64)| {
            self.queues.iter().any(|q| q.origin == *origin && (q.bodies.len() as u64) < *n)
        };
        sequence.takes.iter().filter(lacks).map(|(origin, _)| *origin).collect()
    }

    /// Whether slot `end + 1` exists, as a later sequence or the marks of others show, and its sequence is
    /// not here.
    pub fn misses_sequence(&self, end: Slot) -> bool {
        let later = self.pending.keys().next_back().copied().max(self.marks.iter().copied().max());
        !self.pending.contains_key(&end.next()) && later.is_some_and(|slot| slot > end)
    }

    /// The number of the last request of `origin` that is held here.
    pub fn held(&self, origin: MemberId) -> u64 {
        self.queues.iter().find(|q| q.origin == origin).map_or(0, |q| q.next + q.bodies.len() as u64 - 1)
    }

    /// The number of the last request of `origin` that is ordered here.
    pub fn ordered(&self, origin: MemberId) -> u64 {
        self.queues.iter().find(|q| q.origin == origin).map_or(0, |q| q.next - 1)
    }

    /// Takes the bodies out of their queues and makes the slot of them.
    fn record(&mut self, log: &Log, clock: SlotClock, takes: &[(MemberId, u64)]) -> SlotRecord {
        let next = |queues: &[Queue], origin| queues.iter().find(|q| q.origin == origin).map_or(1, |q| q.next);
        let ranges = takes.iter().map(|(origin, count)| Range {
            origin: *origin,
            from: next(&self.queues, *origin),
            count: *count,
        });
        let mut size = 0;
        for (origin, count) in takes {
            let queue = self.queues.iter().find(|q| q.origin == *origin);
            let count = usize::try_from(*count).unwrap_or(usize::MAX);
            size += queue.map_or(0, |q| q.bodies.iter().take(count).map(|b| b.len() + 4).sum());
        }
        let mut w = content::begin(ranges, size);
        for (origin, count) in takes {
            let Some(queue) = self.queues.iter_mut().find(|q| q.origin == *origin) else { continue };
            for _ in 0..*count {
                let Some(body) = queue.bodies.pop_front() else { break };
                w.bytes(&body);
                queue.next += 1;
            }
        }
        self.chained(log, clock, w.into_bytes())
    }

    /// The slot behind `log` with this content.
    fn chained(&self, log: &Log, clock: SlotClock, content: Bytes) -> SlotRecord {
        let (slot, view) = (log.end().next(), self.view.ballot);
        let digest: Digest = content::chain(log.end_digest(), slot, view, clock, &content);
        SlotRecord { slot, view, clock, digest, content }
    }
}
