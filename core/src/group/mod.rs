//! Group: one order, through any failure.
//!
//! ```text
//!                    a quorum says that it misses the view too
//!   outside ──ask──▶ asking ──▶ promising ──▶ preparing ──▶ gathering ──▶ installing ──┐
//!      ▲                                                                               │
//!      └── a higher promise ── in a view ◀── every member has installed ◀──────────────┘
//! ```
//!
//! What always holds, whatever comes in:
//! - a slot is committed when a quorum of the cluster has it durable in one and the same view;
//! - what is committed is never cut, and is in every log that a later view adopts;
//! - a replica speaks a promise, an install or a mark only when it is durable here.
//!
//! A command is opaque bytes here, and a message to a peer is a value: link makes packets of it.

pub mod clique;
pub mod clock;
pub mod content;
pub mod detector;
pub mod log;
pub mod message;
pub mod order;
pub mod own;
pub mod turns;

mod catch_up;
mod change;
mod heartbeat;
mod join;
mod reads;
mod slots;
mod suspicion;
#[cfg(test)]
mod tests;
mod timing;

pub use timing::Timing;

use crate::chance::Chance;
use crate::ids::{Ballot, BootId, ClusterId, Configuration, Digest, MemberId, MemberSet, Slot, StoreId, View};
use crate::replica::{Event, FetchId, Order};
use crate::store::{Fetch, Generation, Job, JobId, Opened, Position, Report, SlotRecord, Snapshot};
use crate::time::{SlotClock, Span, Time};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use catch_up::{CatchUp, Purpose};
use change::Change;
use clock::Clock;
use detector::Detector;
use join::Joining;
use log::Log;
use message::Message;
use order::Ordering;
use own::{Own, Token};
use reads::Reads;
use turns::Turns;
use xxhash_rust::xxh3::xxh3_64;

/// What group wants to know of link.
pub trait Mesh {
    /// When the last packet of this member came.
    fn heard_at(&self, member: MemberId) -> Option<Time>;
    /// Since when there is a hole in what this member sent.
    fn gap_since(&self, member: MemberId) -> Option<Time>;
    /// When its last full-size packet came.
    fn full_size_at(&self, member: MemberId) -> Option<Time>;
}

/// Something that group wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// A new view: its broadcast streams begin.
    Enter {
        /// The tag of its streams.
        epoch: u64,
        /// The members.
        members: MemberSet,
    },
    /// Out of the view: no packet may name it any more, since the marks on it are not about it.
    Leave,
    /// To every member of the view, reliable and in order.
    Broadcast(Message),
    /// To these, once.
    Note {
        /// The receivers.
        to: MemberSet,
        /// What.
        message: Message,
        /// Whether to fill the datagram up, to probe the path.
        padded: bool,
    },
    /// To one, reliable and in order.
    Stream {
        /// The receiver.
        to: MemberId,
        /// What.
        message: Message,
    },
    /// Tell these the marks soon.
    Nudge(MemberSet),
    /// Something that these have broadcast is missing here, and waited for.
    Hasten(MemberSet),
    /// For the store.
    Persist {
        /// Its number.
        id: JobId,
        /// The job.
        job: Job,
    },
    /// Have the store read something.
    Fetch {
        /// Comes back with the answer.
        id: FetchId,
        /// What to read.
        fetch: Fetch,
    },
    /// A snapshot of another replica is here: restore it, then say [`Group::adopt`].
    Restore(Snapshot),
    /// Everything that these reads must see is delivered.
    ReadReady(Vec<Token>),
    /// The answers to these own requests are in a snapshot; nobody here has seen them.
    Missed(Vec<Token>),
    /// For whoever watches.
    Event(Event),
}

/// A committed slot, in order.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The slot.
    pub record: SlotRecord,
    /// The log view in which it was found committed; `None` if that was said by another replica or the store.
    pub view: Option<Ballot>,
}

/// What a group is told once.
#[derive(Clone, Debug)]
pub struct Options {
    /// This member.
    pub me: MemberId,
    /// The cluster.
    pub cluster: ClusterId,
    /// The members as configured; it counts until a first view has formed.
    pub founding: MemberSet,
    /// Who takes turns.
    pub order: Order,
    /// How many delivered slots below the newest snapshot are not cut; the store may keep more.
    pub log_keep: u64,
    /// The spans to go by.
    pub timing: Timing,
}

/// One member's share in the order.
#[derive(Debug)]
pub struct Group {
    options: Options,
    boot: BootId,
    store: StoreId,
    chance: Chance,
    configuration: Configuration,

    /// The highest promise that is durable.
    promise: Ballot,
    /// A promise that is being made durable.
    promising: Option<(Ballot, JobId)>,
    /// The highest ballot heard of.
    highest: Ballot,

    /// In the view that was installed last, by this boot, and nothing higher was accepted since.
    active: bool,
    installed_at: Time,
    /// The tag of the installed view's streams.
    epoch: u64,
    opened: bool,
    ordering: Ordering,
    log: Log,
    /// Up to here the log is known to be committed because another replica or the store said so.
    stated: Slot,
    positions: Vec<Position>,
    own: Own,
    clock: Clock,
    turns: Turns,
    /// Whose turns were slow when the last view ended for this replica.
    last_slow: MemberSet,
    alarm: Option<SlotClock>,
    /// When ordering moved last, or nothing waited for it.
    progress_at: Time,
    /// Whose broadcast was asked for at once, for the sake of this slot.
    hastened: (Slot, MemberSet),

    to_append: Vec<SlotRecord>,
    durable: Slot,
    generation: Generation,
    last_job: JobId,
    outstanding: VecDeque<(JobId, Time)>,
    deliver_asked: Slot,
    archived: Slot,
    /// What lies below this slot the store was told to cut, as far as it does not keep it for slow members.
    cut_below: Slot,

    detector: Detector,
    change: Change,
    failures: u32,
    wants_since: Option<Time>,
    quiet_until: Time,
    joining: Option<Joining>,
    catch_up: CatchUp,
    reads: Reads,
    fetches: Vec<(FetchId, MemberId, Purpose)>,
    last_fetch: FetchId,

    snapshot: Slot,
    snapshot_is_durable: bool,
    state: Digest,
    heartbeat_at: Time,
    padded_at: Time,
    stopped: bool,
    out: VecDeque<Output>,
}

/// How many reads for others the store is asked for at once.
const FETCHES_MAX: usize = 64;

/// The tag of a view's broadcast streams.
pub fn epoch(ballot: Ballot) -> u64 {
    let mut w = crate::wire::Writer::new();
    w.ballot(ballot);
    xxh3_64(&w.into_vec()).max(1)
}

impl Group {
    /// A group over what the store holds. It is in no view: a replica that boots has left its view (RULES S1).
    pub fn new(now: Time, options: Options, boot: BootId, seed: u64, opened: Opened) -> Group {
        let mut log = Log::new(options.cluster);
        let mut positions = Vec::new();
        if let Some(snapshot) = &opened.snapshot {
            log.rebase(snapshot);
            positions.clone_from(&snapshot.positions);
        }
        for record in opened.delivered {
            if record.slot > log.end() {
                log.push(record);
            }
        }
        log.commit(log.end());
        let (stated, snapshot) = (log.end(), opened.snapshot.as_ref().map_or(Slot(0), |s| s.slot));
        for record in opened.tail {
            log.push(record);
        }
        let configuration = opened.configuration.unwrap_or_else(|| Configuration::founding(options.founding));
        let peers = options.founding.union(configuration.set()).without(options.me);
        Group {
            boot,
            store: opened.store,
            chance: Chance::new(seed),
            promise: opened.promise,
            promising: None,
            highest: opened.promise.max(opened.view.ballot),
            active: false,
            installed_at: now,
            epoch: epoch(opened.view.ballot),
            opened: false,
            ordering: Ordering::new(opened.view),
            stated,
            positions,
            own: Own::default(),
            clock: Clock::default(),
            turns: Turns::default(),
            last_slow: MemberSet::EMPTY,
            alarm: None,
            progress_at: now,
            hastened: (Slot(0), MemberSet::EMPTY),
            to_append: Vec::new(),
            durable: log.end(),
            generation: Generation(0),
            last_job: JobId(0),
            outstanding: VecDeque::new(),
            deliver_asked: stated,
            archived: stated,
            cut_below: Slot(0),
            detector: Detector::new(options.timing, peers),
            change: Change::Idle,
            failures: 0,
            wants_since: None,
            quiet_until: now,
            joining: None,
            catch_up: CatchUp::default(),
            reads: Reads::default(),
            fetches: Vec::new(),
            last_fetch: FetchId(0),
            snapshot,
            snapshot_is_durable: true,
            state: opened.snapshot.map_or(Digest::default(), |s| s.state),
            heartbeat_at: now,
            padded_at: Time(0),
            stopped: false,
            out: VecDeque::new(),
            log,
            configuration,
            options,
        }
    }

    /// A request of an own client. It leaves the replica when the view is open.
    pub fn submit(&mut self, token: Token, body: Bytes) {
        self.own.submit(token, body);
    }

    /// Before own requests are sent again in a new view: forgets those that nobody waits for, and that the
    /// adopted log does not hold. Gives their tokens.
    pub fn forget_unwanted(&mut self, still_wanted: impl Fn(Token) -> bool) -> Vec<Token> {
        if self.active && !self.opened && self.own.has_unsent() {
            self.own.forget_unsent(still_wanted)
        } else {
            Vec::new()
        }
    }

    /// Something is due by the slot clock at this time, though nobody asks.
    pub fn set_alarm(&mut self, alarm: Option<SlotClock>) {
        self.alarm = alarm;
    }

    /// A message of `from`'s broadcast stream in the present epoch.
    pub fn broadcast(&mut self, now: Time, from: MemberId, message: Message) {
        if !self.active || self.stopped {
            return;
        }
        let taken = match message {
            Message::Begin(ballot) if ballot == self.view().ballot => Ok(()),
            Message::Begin(_) => Err("a stream of another view"),
            Message::Body(body) => self.ordering.body(from, body).map(|_| ()).map_err(|misfit| misfit.0),
            Message::Sequence(s) => self.ordering.sequence(from, s, self.log.end()).map_err(|misfit| misfit.0),
            Message::Heartbeat(_)
            | Message::Question(_)
            | Message::Opinion(_)
            | Message::Prepare(_)
            | Message::Promise(_)
            | Message::Outbid(_)
            | Message::Install(_)
            | Message::WantTail(..)
            | Message::Tail(..)
            | Message::WantLog(_)
            | Message::Slots(_)
            | Message::Offer(_)
            | Message::WantPiece(..)
            | Message::Piece(..)
            | Message::AskRead(..)
            | Message::ReadMark(..) => Err("not a broadcast message"),
        };
        if let Err(why) = taken {
            // What was refused will not come again: this view can't be followed any further.
            self.refuse(why);
            self.leave_view();
        } else if self.ordering.has_work() {
            self.turns.waits(now);
        }
    }

    /// A note, or a message of `from`'s stream to this replica.
    pub fn message(&mut self, now: Time, from: MemberId, message: Message) {
        if self.stopped {
            return;
        }
        match message {
            Message::Heartbeat(heartbeat) => self.on_heartbeat(now, from, heartbeat),
            Message::Question(question) => self.on_question(now, from, &question),
            Message::Opinion(opinion) => self.on_opinion(now, from, opinion),
            Message::Prepare(ballot) => self.on_prepare(now, from, ballot),
            Message::Promise(promise) => self.on_promise(now, from, promise),
            Message::Outbid(ballot) => self.on_outbid(now, ballot),
            Message::Install(install) => self.on_install(now, from, install),
            Message::WantTail(ballot, slot) => self.on_want_tail(from, ballot, slot),
            Message::Tail(ballot, slots) => self.on_tail(now, from, ballot, slots),
            Message::WantLog(slot) => self.on_want_log(from, slot),
            Message::Slots(slots) => self.on_slots(now, from, slots),
            Message::Offer(slot) => self.on_offer(now, from, slot),
            Message::WantPiece(slot, index) => self.on_want_piece(from, slot, index),
            Message::Piece(head, count, index, piece) => self.on_piece(now, from, head, count, index, piece),
            Message::AskRead(nonce, ballot) => self.on_ask_read(from, nonce, ballot),
            Message::ReadMark(nonce, slot) => self.on_read_mark(from, nonce, slot),
            Message::Begin(_) | Message::Body(_) | Message::Sequence(_) => self.refuse("not a note"),
        }
    }

    /// A boot of `member` was believed.
    pub fn boot(&mut self, now: Time, member: MemberId, boot: BootId) {
        self.detector.boot(now, member, boot);
        // The sooner both know of each other, the sooner they order together.
        self.heartbeat_at = now;
    }

    /// `member` alone holds the resend ring up (RULES L8).
    pub fn laggard(&mut self, now: Time, member: MemberId) {
        self.detector.laggard(now, member);
    }

    /// The store has done something.
    pub fn report(&mut self, now: Time, report: Report) {
        match report {
            Report::Durable { job, generation, end } => self.on_durable(now, job, generation, end),
            Report::Delivered { upto } => {
                self.archived = self.archived.max(upto);
                self.log.trim(self.archived);
            }
            Report::Snapshotted { slot } => self.on_snapshotted(now, slot),
            Report::NearlyFull(is_nearly_full) => self.event(Event::NearlyFull(is_nearly_full)),
            Report::Failed => self.stop("a write or a sync of the store failed"),
        }
    }

    /// Time has passed; `mesh` says who is heard.
    pub fn tick(&mut self, now: Time, mesh: &dyn Mesh) {
        if self.stopped {
            return;
        }
        self.detector.refresh(now, mesh);
        if !self.is_owed_progress(now) {
            self.progress_at = now;
        }
        self.consider_change(now);
        self.step_change(now);
        self.step_joining(now);
        self.step_catch_up(now);
        self.step_reads(now);
        self.beat(now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to tick at the latest.
    pub fn deadline(&self, now: Time) -> Time {
        let unsettled = !matches!(self.change, Change::Idle)
            || self.joining.is_some()
            || self.wants_since.is_some()
            || (self.active && !self.opened)
            || self.catch_up.is_busy()
            || self.reads.is_busy();
        let mut at = self.heartbeat_at;
        if unsettled {
            at = at.min(now + self.options.timing.repeat);
        }
        if let Some(silence) = self.detector.next_silence(now) {
            at = at.min(silence);
        }
        if let (true, Some(alarm)) = (self.opened, self.alarm.filter(|alarm| *alarm > self.log.end_clock())) {
            let left = Span(alarm.0.saturating_sub(self.clock.reading(now).0));
            at = at.min(now + left.max(self.options.timing.repeat.part(2)));
        }
        at
    }

    /// The view that was installed last.
    pub fn view(&self) -> &View {
        &self.ordering.view
    }

    /// The state of ordering in that view.
    pub fn ordering(&self) -> &Ordering {
        &self.ordering
    }

    /// Whether this replica takes part in its view: nothing higher was accepted.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Whether slots are sequenced in its view, and it hears a quorum: requests may leave.
    pub fn is_serving(&self, now: Time) -> bool {
        let heard = || self.detector.heard(now).with(self.options.me);
        self.active && self.opened && self.configuration.is_quorum(heard().intersection(self.view().set()))
    }

    /// The log in memory.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The configured cluster.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The highest promise that is durable.
    pub fn promised(&self) -> Ballot {
        self.promise
    }

    /// Up to where this replica says that it is durable in its view.
    pub fn durable(&self) -> Slot {
        self.durable
    }

    /// Own requests that are not delivered.
    pub fn own(&self) -> &Own {
        &self.own
    }

    /// The positions of all origins, as of the last slot delivered.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Who this is: member, store, boot.
    pub(crate) fn identity(&self) -> (MemberId, StoreId, BootId) {
        (self.options.me, self.store, self.boot)
    }

    /// Whether this replica may vote: its store is the one that the cluster knows.
    pub(crate) fn votes(&self) -> bool {
        self.configuration.seats(self.options.me, self.store)
    }

    fn peers(&self) -> MemberSet {
        self.configuration.set().without(self.options.me)
    }

    fn persist(&mut self, now: Time, job: Job) -> JobId {
        self.last_job = JobId(self.last_job.0 + 1);
        let id = self.last_job;
        match job {
            Job::Append { .. }
            | Job::Promise { .. }
            | Job::Install { .. }
            | Job::CatchUp { .. }
            | Job::Adopt { .. } => {
                self.outstanding.push_back((id, now));
            }
            Job::Deliver { .. } | Job::Snapshot { .. } | Job::Cut { .. } | Job::Heard { .. } => {}
        }
        self.out.push_back(Output::Persist { id, job });
        id
    }

    fn fetch(&mut self, fetch: Fetch, asker: MemberId, purpose: Purpose) {
        // Who asks again while the store reads has asked for the same; a store that hangs gets no longer a queue.
        let asked = self.fetches.iter().any(|(_, m, p)| *m == asker && *p == purpose);
        if asked || self.fetches.len() >= FETCHES_MAX {
            return;
        }
        self.last_fetch = FetchId(self.last_fetch.0 + 1);
        self.fetches.push((self.last_fetch, asker, purpose));
        self.out.push_back(Output::Fetch { id: self.last_fetch, fetch });
    }

    fn note(&mut self, to: MemberSet, message: Message) {
        let to = to.without(self.options.me);
        if !to.is_empty() {
            self.out.push_back(Output::Note { to, message, padded: false });
        }
    }

    fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    fn refuse(&mut self, why: &'static str) {
        self.event(Event::Refused { why });
    }

    /// This replica can't be trusted any more: it says so, and says nothing else ever again.
    pub(crate) fn stop(&mut self, why: &'static str) {
        if !self.stopped {
            self.active = false;
            self.stopped = true;
            self.out.clear();
            self.event(Event::Stopped { why });
        }
    }
}
