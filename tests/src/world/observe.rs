//! What the checkers, the counts and the trace get to see of each step.

use super::{Checks, World};
use crate::checkers::history::{Call, End};
use crate::checkers::witness::{Applying, Around};
use crate::checkers::{Checked, Invariant, Violation, require};
use crate::counts::Count;
use crate::node::Node;
use crate::trace::Who;
use ftq_core::ids::BootId;
use ftq_core::machine::queues::Rules;
use ftq_core::replica::{Event, Stop};
use ftq_core::session::message::{Refusal, ServerMessage};
use ftq_core::store::{Condition, Job, Opened, SlotRecord};

impl World {
    /// Notes the first violation.
    pub(super) fn check(&mut self, checked: Checked) {
        if let (Err((invariant, what)), None) = (checked, &self.violation) {
            self.say(Who::World, "violation", format_args!("{}: {what}", invariant.name()));
            self.violation = Some(Violation { invariant, what, at: self.now });
        }
    }

    /// A replica said that something happened.
    pub(super) fn observe(&mut self, node: usize, event: &Event) {
        if self.violation.is_some() {
            return;
        }
        let member = self.nodes[node].member;
        self.trace_event(node, event);
        let disk = self.nodes[node].durable();
        let sequencing = self.checks.sequencing.event(member, event, disk);
        self.check(sequencing);
        match event {
            Event::Applied { view: _, slot, digest, clock, content, state } => {
                let checks = &mut self.checks;
                let mut around = Around {
                    durability: &checks.durability,
                    sequencing: &checks.sequencing,
                    submissions: &mut checks.submissions,
                    history: &checks.history,
                    counts: &mut self.counts,
                };
                let (slot, digest, clock, state) = (*slot, *digest, *clock, *state);
                let applying = Applying { member, slot, digest, clock, content, state };
                let checked = checks.witness.applied(applying, &mut around);
                self.check(checked);
            }
            Event::Restored { slot, digest, state } => {
                self.counts.one(Count::CaughtUpBySnapshot);
                let checked = self.checks.witness.restored(member, *slot, *digest, *state);
                self.check(checked);
            }
            Event::Promised { ballot } => {
                let durable = self.nodes[node].durable().promise();
                self.checks.promised[node] = self.checks.promised[node].max(*ballot);
                self.check(require(durable >= *ballot, Invariant::PromiseKept, || {
                    format!("member {member} promises {ballot:?}, its disk says {durable:?}")
                }));
            }
            Event::Opened { view } => {
                if *view > self.opened {
                    self.opened = *view;
                    self.counts.one(Count::ViewChange);
                    let joint = self.checks.durability.electorates().is_joint(*view);
                    self.counts.add(Count::JointView, u64::from(joint));
                }
            }
            Event::CaughtUp { .. } => self.counts.one(Count::CaughtUpByLog),
            Event::Refused { .. } => self.counts.one(Count::RefusedInput),
            Event::Older => self.nodes[node].is_older = true,
            Event::Removed { .. } => self.nodes[node].enlisted = false,
            Event::Disordered { is_outnumbered, .. } => self.nodes[node].is_disordered |= is_outnumbered,
            Event::Retired { succession } => self.nodes[node].retired = Some(*succession),
            Event::Stopped { why } => {
                let excused = self.is_excused(node, *why);
                self.check(require(excused, Invariant::Stopped, || format!("member {member} stopped: {why}")));
            }
            Event::Sequenced { .. }
            | Event::Appended { .. }
            | Event::Suspects { .. }
            | Event::Installed { .. }
            | Event::Left { .. }
            | Event::Configured { .. }
            | Event::Stranded
            | Event::Retires { .. }
            | Event::NearlyFull(_)
            | Event::Repeated => {}
        }
    }

    /// Whether a replica has a reason to stop: its disk failed or has forgotten something, or the cluster does
    /// without its store.
    fn is_excused(&self, node: usize, why: Stop) -> bool {
        let Node { member, running, is_older, enlisted, forgotten, build, .. } = &self.nodes[node];
        let failed = running.as_ref().is_some_and(|running| running.store.has_failed());
        let store = self.nodes[node].durable().store();
        let removed = !self.checks.durability.electorates().current().seats(*member, store);
        // Who was removed may not have heard of it, and the others need not wait for its build. It may be the first to
        // come to the slot that it does not understand.
        let outdated = why == Stop::UnknownRules && *build != Rules::NEWEST;
        failed || (*is_older && forgotten.is_some()) || (removed && (!enlisted || outdated))
    }

    /// What a replica announces about itself is on its disk.
    pub(super) fn observe_marks(&mut self, node: usize) {
        if self.violation.is_some() {
            return;
        }
        let Some(running) = &self.nodes[node].running else { return };
        let (group, disk, member) = (running.replica.group(), running.store.disk(), self.nodes[node].member);
        let view = group.view().ballot;
        let mark = group.durable();
        let honest = require(
            !group.is_active() || (disk.log_view() == view && disk.end() >= mark),
            Invariant::MarkHonest,
            || {
                format!(
                    "member {member} announces {mark} in {view:?}, its disk has {} in {:?}",
                    disk.end(),
                    disk.log_view()
                )
            },
        );
        let (promise, durable) = (group.promised(), disk.promise());
        let kept = require(durable >= promise, Invariant::PromiseKept, || {
            format!("member {member} has promised {promise:?}, its disk says {durable:?}")
        });
        self.check(honest.and(kept));
    }

    /// Takes note of what has become durable.
    pub(super) fn look_at_disk(&mut self, node: usize) {
        let member = self.nodes[node].member;
        let store = self.nodes[node].durable().store();
        let mut checked = Ok(());
        let durability = &mut self.checks.durability;
        match &mut self.nodes[node].running {
            Some(running) => {
                for fact in running.store.take_facts() {
                    checked = checked.and_then(|()| durability.durable(member, store, fact));
                }
                checked = checked.and_then(|()| durability.looked_at(member, running.store.disk()));
            }
            None => {
                if let Some(disk) = &mut self.nodes[node].disk {
                    for fact in disk.take_facts() {
                        checked = checked.and_then(|()| durability.durable(member, store, fact));
                    }
                    checked = checked.and_then(|()| durability.looked_at(member, disk));
                }
            }
        }
        self.see_who_is_back(node);
        let cut = self.nodes[node].durable().counts().delivered_cut;
        checked = checked.and_then(|()| {
            require(cut == 0, Invariant::CommittedKept, || {
                format!("member {member} cut {cut} slots that it had delivered")
            })
        });
        self.check(checked);
    }

    /// A replica hands a job to its store.
    pub(super) fn observe_job(&mut self, node: usize, job: &Job) {
        if self.violation.is_none() {
            self.trace_job(node, job);
            let log = self.nodes[node].running.as_ref().map(|running| running.replica.group().log());
            let kept = match job {
                Job::Install { keep, .. } => log.and_then(|log| log.digest_at(*keep)),
                Job::Append { .. }
                | Job::Promise { .. }
                | Job::Electorate { .. }
                | Job::CatchUp { .. }
                | Job::Adopt { .. }
                | Job::Heard { .. }
                | Job::Deliver { .. }
                | Job::Snapshot { .. }
                | Job::Cut { .. } => None,
            };
            let (member, store) = (self.nodes[node].member, self.nodes[node].durable().store());
            let Checks { sequencing, snapshots, durability, .. } = &mut self.checks;
            let mut checked = sequencing.handed(member, job, kept, durability.electorates_mut());
            match job {
                Job::Snapshot { snapshot } | Job::Adopt { generation: _, snapshot } => {
                    snapshots.taken(member, store, snapshot);
                }
                Job::Cut { below } => {
                    checked = checked.and_then(|()| snapshots.cut(member, *below, durability.electorates()));
                }
                Job::Append { .. }
                | Job::Promise { .. }
                | Job::Install { .. }
                | Job::Electorate { .. }
                | Job::CatchUp { .. }
                | Job::Heard { .. }
                | Job::Deliver { .. } => {}
            }
            self.check(checked);
        }
    }

    /// A replica answers a client.
    pub(super) fn observe_reply(&mut self, node: usize, message: &ServerMessage) {
        if self.violation.is_some() {
            return;
        }
        let member = self.nodes[node].member;
        let checked = self.checks.witness.replied(member, message);
        self.check(checked);
        if let ServerMessage::Refused { refusal: Refusal::DiskFull, .. } = message {
            self.counts.one(Count::RefusedForRoom);
        }
        if let (ServerMessage::Refused { request, .. }, Some(running)) = (message, &self.nodes[node].running) {
            let checked = self.checks.submissions.refused(member, running.boot, *request);
            self.check(checked);
        }
    }

    /// A client's call has ended.
    pub(super) fn observe_end(&mut self, client: usize, call: usize, end: End) {
        let local = self.checks.history.calls().get(call).is_some_and(Call::is_local);
        self.counts.one(match &end {
            End::Answered { .. } => Count::Answered,
            End::Read { .. } if local => Count::LocalRead,
            End::Read { .. } => Count::Read,
            End::Refused => Count::Refused,
            End::Expired => Count::Expired,
            End::Closed => Count::Closed,
            End::Unknown => Count::Unknown,
        });
        if self.trace.is_on() {
            let took = self.checks.history.calls().get(call).map_or(0, |c| self.now.since(c.called).0);
            self.say(Who::Client(client), "ended", format_args!("call {call} after {took} µs: {end:?}"));
        }
        let checked = self.checks.history.returned(self.now, call, end, &self.checks.witness);
        self.check(checked);
    }

    /// A replica starts on what its disk holds.
    pub(super) fn observe_start(&mut self, node: usize, boot: BootId, opened: &Opened) {
        let member = self.nodes[node].member;
        let end = opened.tail.last().or(opened.delivered.last()).map_or(0, |record| record.slot.0);
        self.say(
            Who::Member(member.number()),
            "starts",
            format_args!(
                "boot {boot:?}, log view {:?}, promise {:?}, log to {end}, {} not delivered",
                opened.view.ballot,
                opened.promise,
                opened.tail.len(),
            ),
        );
        self.checks.sequencing.started(member, boot, opened);
        let promised = self.checks.promised[node];
        if let Condition::Hollow { base, digest } = opened.condition {
            let Checks { durability, .. } = &self.checks;
            let (electorates, base) = (durability.electorates(), (base, digest));
            let installed = opened.configuration.as_ref().map_or(0, |configuration| configuration.number);
            if electorates.says_more(base, installed) {
                self.counts.one(Count::LostChange);
            }
            // One that has lost its journal as well is another store, which has no vote. And of an older copy of the
            // journal the others know that it is one (RULES S13).
            let counts = electorates.has_seated(member, opened.store) && !self.nodes[node].is_behind;
            if let (Some(running), true) = (&self.nodes[node].running, counts) {
                let goes_by = running.replica.group().log().electorate_at(base.0);
                let checked = electorates.lost(member, base, &goes_by);
                self.check(checked);
            }
        }
        self.check(require(opened.promise >= promised, Invariant::PromiseKept, || {
            format!("member {member} had promised {promised:?}, after a restart its disk says {:?}", opened.promise)
        }));
    }

    fn trace_job(&mut self, node: usize, job: &Job) {
        if !self.trace.is_on() {
            return;
        }
        let who = Who::Member(self.nodes[node].member.number());
        let span = |slots: &[SlotRecord]| {
            slots.first().map_or(0, |first| first.slot.0)..slots.last().map_or(0, |last| last.slot.0 + 1)
        };
        match job {
            Job::Append { generation: _, slots } => self.say(who, "→ append", format_args!("{:?}", span(slots))),
            Job::Promise { ballot } => self.say(who, "→ promise", format_args!("{ballot:?}")),
            Job::Electorate { electorate } => {
                let (sealed, proposed) = (electorate.sealed.number, electorate.proposed.is_some());
                self.say(who, "→ electorate", format_args!("{sealed}, a change under way: {proposed}"));
            }
            Job::Install { generation: _, view, configuration: _, keep, slots } => {
                self.say(
                    who,
                    "→ install",
                    format_args!("view {:?}, keeps to {keep}, slots {:?}", view.ballot, span(slots)),
                );
            }
            Job::CatchUp { generation: _, slots } => self.say(who, "→ catch up", format_args!("{:?}", span(slots))),
            Job::Adopt { generation: _, snapshot } => {
                self.say(who, "→ adopt", format_args!("snapshot {}", snapshot.slot))
            }
            Job::Deliver { .. } | Job::Snapshot { .. } | Job::Cut { .. } | Job::Heard { .. } => {}
        }
    }

    fn trace_event(&mut self, node: usize, event: &Event) {
        if !self.trace.is_on() {
            return;
        }
        let who = Who::Member(self.nodes[node].member.number());
        match event {
            Event::Sequenced { view, slot, digest, requests } => {
                self.say(who, "sequenced", format_args!("slot {slot} {digest:?}, view {view:?}, {requests} requests"));
            }
            Event::Appended { view, slot, digest } => {
                self.say(who, "appended", format_args!("slot {slot} {digest:?}, view {view:?}"));
            }
            Event::Applied { view, slot, digest, clock, content: _, state } => self.say(
                who,
                "applied",
                format_args!(
                    "slot {slot} {digest:?}, committed in {view:?}, clock {} ms, state {state:?}",
                    clock.0 / 1_000,
                ),
            ),
            Event::Restored { slot, digest, state } => {
                self.say(who, "restored", format_args!("slot {slot} {digest:?}, state {state:?}"));
            }
            Event::Promised { ballot } => self.say(who, "promised", format_args!("{ballot:?}")),
            Event::Suspects { missing, .. } => self.say(who, "suspects", format_args!("{missing:?}")),
            Event::Installed { view, members, ring, end, cut } => self.say(
                who,
                "installed",
                format_args!("view {view:?}, members {members:?}, ring {ring:?}, log to {end}, {cut} cut",),
            ),
            Event::Opened { view } => self.say(who, "opened", format_args!("view {view:?}")),
            Event::Left { view } => self.say(who, "left", format_args!("view {view:?}")),
            Event::CaughtUp { slots, upto } => self.say(who, "caught up", format_args!("{slots} slots, to {upto}")),
            Event::Configured { configuration, members } => {
                self.say(who, "configured", format_args!("{members:?}, number {configuration}"));
            }
            Event::Removed { configuration } => {
                self.say(who, "removed", format_args!("by configuration {configuration}"));
            }
            Event::Older => self.say(who, "older", format_args!("than others have heard")),
            Event::Stranded => self.say(who, "stranded", format_args!("nobody has what is lost here")),
            Event::Disordered { members, .. } => self.say(who, "disordered", format_args!("{members}")),
            Event::Retires { member } => self.say(who, "retires", format_args!("says {member}")),
            Event::Retired { succession } => self.say(who, "retired", format_args!("{succession:?}")),
            Event::NearlyFull(is_nearly_full) => self.say(who, "disk", format_args!("nearly full: {is_nearly_full}")),
            Event::Repeated => self.say(who, "repeated", format_args!("a retry is answered from its session")),
            Event::Refused { why } => self.say(who, "refused", format_args!("{why}")),
            Event::Stopped { why } => self.say(who, "stopped", format_args!("{why}")),
        }
    }
}
