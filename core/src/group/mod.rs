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

pub mod admission;
pub mod clique;
pub mod clock;
pub mod content;
pub mod detector;
pub mod log;
pub mod message;
pub mod notice;
pub mod order;
pub mod own;
pub mod turns;

mod acquaintance;
mod backlog;
mod catch_up;
mod change;
mod heartbeat;
mod hollow;
mod interface;
mod join;
mod look;
mod marks;
mod reads;
mod retirement;
mod routing;
mod slots;
mod snapshots;
mod suspicion;
#[cfg(test)]
mod tests;
mod timing;
mod whole_slots;

pub(crate) use heartbeat::Room;
pub use interface::{Delivery, Mesh, Options, Output};
pub use timing::Timing;

use crate::chance::Chance;
use crate::electorate::Electorate;
use crate::ids::{Ballot, BootId, ClusterId, Configuration, MemberId, MemberSet, Slot, StoreId};
use crate::replica::{Event, FetchId, Stop};
use crate::store::{Condition, Fetch, Generation, Job, JobId, Mark, Opened, Position, Report, SlotRecord, Snapshot};
use crate::time::{SlotClock, Span, Time};
use acquaintance::Acquaintance;
use admission::Wanted;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use backlog::Backlog;
use bytes::Bytes;
use catch_up::{CatchUp, Purpose};
use change::Change;
use clock::Clock;
use detector::Detector;
use hollow::Hollow;
use join::Joining;
use log::Log;
use marks::Marks;
use message::Message;
use order::Ordering;
use own::{Own, Token};
use reads::Reads;
use snapshots::Snapshots;
use turns::Turns;
use xxhash_rust::xxh3::xxh3_64;

/// One member's share in the order.
#[derive(Clone, Debug)]
pub struct Group {
    options: Options,
    boot: BootId,
    store: StoreId,
    shown: Mark,
    /// The number of the last record of the store that is durable.
    ordinal: u64,
    /// The store has belonged to a cluster, and has lost what it knew.
    is_forgetful: bool,
    hollow: Option<Hollow>,
    chance: Chance,
    /// What quorums of the installed view are counted against: it is fixed by the log that it installed.
    electorate: Electorate,
    /// The number of the configuration that was announced last.
    configured: u64,
    acquaintance: Acquaintance,
    marks: Marks,
    /// A change of the cluster that somebody wants.
    wanted: Option<Wanted>,
    /// The configuration that could be next.
    next: Option<Configuration>,

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
    /// Whether somebody here waits for what others send, and the members where somebody does.
    is_awaited: bool,
    awaited_at: MemberSet,
    /// When ordering moved last, or nothing waited for it.
    progress_at: Time,
    /// Whose broadcast was asked for at once, for the sake of this slot.
    hastened: (Slot, MemberSet),
    /// When the sequencer of a slot may be asked for all of it again.
    asks_whole_at: Time,

    to_append: Vec<SlotRecord>,
    /// The latest electorate that the store was given.
    electorate_written: Electorate,
    durable: Slot,
    generation: Generation,
    last_job: JobId,
    backlog: Backlog,
    deliver_asked: Slot,
    archived: Slot,
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

    snapshots: Snapshots,
    /// Who has said to follow another order than this replica.
    differing: MemberSet,
    is_nearly_full: bool,
    /// When it says next that it retires, if it does.
    retires_at: Option<Time>,
    /// Its store has had a seat, as far as is known here.
    was_seated: bool,
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
        let founding = Configuration::founding(options.founding);
        let (log, hollow) = opened_log(options.cluster, &founding, &opened);
        // The log may have grown beyond the slots that say so: the view that was installed last remembers.
        let had_seat =
            opened.configuration.as_ref().is_some_and(|c| !c.is_founding() && c.seats(options.me, opened.store));
        let positions = opened.snapshot.as_ref().map(|snapshot| snapshot.positions.clone()).unwrap_or_default();
        let stated = log.committed();
        let mut group = Group {
            boot,
            store: opened.store,
            chance: Chance::new(seed),
            promise: opened.promise,
            promising: None,
            highest: opened.promise.max(opened.view.ballot),
            active: false,
            installed_at: now,
            // A replica that boots has left its view, and does not count the marks of it.
            epoch: 0,
            opened: false,
            ordering: Ordering::new(opened.view),
            stated,
            positions,
            own: Own::default(),
            clock: Clock::default(),
            turns: Turns::default(),
            last_slow: MemberSet::EMPTY,
            alarm: None,
            is_awaited: false,
            awaited_at: MemberSet::EMPTY,
            progress_at: now,
            hastened: (Slot(0), MemberSet::EMPTY),
            asks_whole_at: now,
            to_append: Vec::new(),
            electorate_written: opened.electorate.unwrap_or_default(),
            durable: log.end(),
            generation: Generation(0),
            last_job: JobId(0),
            backlog: Backlog::default(),
            deliver_asked: stated,
            archived: stated,
            detector: Detector::new(options.timing, options.order),
            change: Change::Idle,
            failures: 0,
            wants_since: None,
            quiet_until: now,
            joining: None,
            catch_up: CatchUp::default(),
            reads: Reads::default(),
            fetches: Vec::new(),
            last_fetch: FetchId(0),
            snapshots: Snapshots::opened(now, opened.snapshot.as_ref()),
            differing: MemberSet::EMPTY,
            is_nearly_full: false,
            retires_at: None,
            was_seated: had_seat || log.has_seated(options.me, opened.store),
            heartbeat_at: now,
            padded_at: Time(0),
            stopped: false,
            out: VecDeque::new(),
            shown: opened.shown,
            ordinal: opened.shown.ordinal,
            is_forgetful: opened.condition == Condition::Forgetful,
            hollow,
            electorate: log.electorate().clone(),
            configured: log.electorate().sealed.number,
            acquaintance: Acquaintance::default(),
            marks: Marks::new(opened.heard),
            wanted: None,
            next: None,
            log,
            options,
        };
        group.refresh_peers(now);
        if group.is_whole() {
            // A journal of an older format, or one made in the place of a lost one, has no electorate yet.
            group.write_electorate(now, group.log.electorate_at(stated));
        }
        group
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

    /// Whether clients of this replica wait for what others send: then the others tell it at once how far they are.
    pub fn set_awaited(&mut self, is_awaited: bool) {
        self.is_awaited = is_awaited;
    }

    /// Something is due by the slot clock at this time, though nobody asks.
    pub fn set_alarm(&mut self, alarm: Option<SlotClock>) {
        self.alarm = alarm;
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
            Report::Durable { job, generation, end, ordinal } => {
                self.ordinal = self.ordinal.max(ordinal);
                self.on_durable(now, job, generation, end);
                // Perhaps the store was what it waited for.
                self.step_catch_up(now);
            }
            Report::Delivered { upto } => {
                self.archived = self.archived.max(upto);
                self.log.trim(self.archived);
            }
            Report::Snapshotted { slot } => self.on_snapshotted(now, slot),
            Report::NearlyFull(is_nearly_full) => {
                self.is_nearly_full = is_nearly_full;
                self.heartbeat_at = now;
                self.event(Event::NearlyFull(is_nearly_full));
            }
            Report::Failed => self.stop(Stop::StoreFailed),
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
        self.refresh_peers(now);
        self.step_admission(now);
        self.consider_change(now);
        self.step_change(now);
        self.step_joining(now);
        self.step_whole_slots(now);
        self.step_catch_up(now);
        self.step_reads(now);
        self.step_retirement(now);
        self.see_if_stranded(now);
        self.write_marks(now);
        self.beat(now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to tick at the latest.
    pub fn deadline(&self, now: Time) -> Time {
        if self.stopped {
            return Time::NEVER;
        }
        let unsettled = !matches!(self.change, Change::Idle)
            || self.joining.is_some()
            || self.wants_since.is_some()
            || (self.active && !self.opened)
            || self.catch_up.is_busy()
            || self.is_retiring()
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

    fn persist(&mut self, now: Time, job: Job) -> JobId {
        self.last_job = JobId(self.last_job.0 + 1);
        let id = self.last_job;
        self.backlog.add(now, id, &job);
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
    pub(crate) fn stop(&mut self, why: Stop) {
        if !self.stopped {
            self.active = false;
            self.stopped = true;
            self.out.clear();
            self.event(Event::Stopped { why });
        }
    }
}

/// What quorums are counted against, by all that a store of this cluster holds.
pub(crate) fn electorate_of(cluster: ClusterId, opened: &Opened) -> Electorate {
    let founding = Configuration::founding(MemberSet::EMPTY);
    opened_log(cluster, &founding, opened).0.electorate().clone()
}

/// The log that a store holds, and what is lost of it.
fn opened_log(cluster: ClusterId, founding: &Configuration, opened: &Opened) -> (Log, Option<Hollow>) {
    let mut log = Log::new(cluster, founding.clone());
    if let Some(snapshot) = &opened.snapshot {
        log.rebase(snapshot);
    }
    for record in &opened.delivered {
        if record.slot > log.end() {
            log.push(record.clone());
        }
    }
    log.commit(log.end());
    let mut hollow = None;
    if let Condition::Hollow { base, digest } = opened.condition {
        // What is delivered is only what was rebuilt so far. What is still lost may have changed the cluster: the journal says
        // to what (RULES S6).
        hollow = Some(Hollow::new(log, base, digest));
        let installed = Electorate::of(opened.configuration.as_ref().unwrap_or(founding).clone());
        let told = opened.electorate.as_ref().filter(|told| told.is_later_than(&installed));
        log = Log::new(cluster, founding.clone());
        log.rebase(&Snapshot { slot: base, digest, ..Snapshot::default() });
        log.begin_with(told.cloned().unwrap_or(installed));
    }
    for record in &opened.tail {
        log.push(record.clone());
    }
    // The first configuration is known from its install before a slot says so.
    if let Some(known) = opened.configuration.as_ref().filter(|c| c.number > log.electorate().sealed.number) {
        log.begin_with(Electorate::of(known.clone()));
    }
    (log, hollow)
}
