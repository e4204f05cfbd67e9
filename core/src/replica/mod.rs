//! A replica: link, group and machine joined, with a store and clients outside.
//!
//! [`Replica::handle`] takes an input and never fails; [`Replica::poll`] is drained after one or more
//! inputs; [`Replica::deadline`] says when to call with [`Input::Tick`] at the latest.

mod applying;
mod changes;
mod clients;
mod event;
mod inquiry;
mod interface;
mod orders;
mod retirement;
mod survivor;
#[cfg(test)]
mod tests;

pub use changes::{ChangeId, ChangeOutcome};
pub use clients::Crowd;
pub use event::{Cause, Event, Stop, Succession};
pub use inquiry::{
    Changed, Inquiry, LogPage, LogRequest, LogSlot, Peer, RequestKind, SnapshotSeen, SnapshotTaken, State, Status,
    ViewSeen, Views,
};
pub use interface::{ClientId, FetchId, Input, Options, Order, Output, Reason};
pub use survivor::{Survivor, Unable};

use crate::chance::Chance;
use crate::group::message::{Message, Unread};
use crate::group::{self, Group, Timing};
use crate::ids::{BootId, MemberId, MemberSet, Slot};
use crate::link::{self, Epoch, Link};
use crate::machine::{Machine, Unrestored};
use crate::session::table::Sessions;
use crate::store::{Opened, Snapshot};
use crate::time::Time;
use crate::wire::Writer;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use applying::Replay;
use changes::{Ordered, Orderer};
use clients::Clients;
use inquiry::{Chronicle, EndedChanges, LogReads, Outline, Paces, Taking};
use retirement::Retirement;

/// One member of a cluster.
#[derive(Debug)]
pub struct Replica<M> {
    options: Options,
    link: Link,
    group: Group,
    machine: Sessions<M>,
    clients: Clients,
    ordered: Vec<Ordered>,
    ended_changes: EndedChanges,
    chronicle: Chronicle,
    log_reads: LogReads,
    /// The newest snapshot, and the clients that wait for one.
    outline: Outline,
    taking: Vec<Taking>,
    paces: Paces,
    /// When group is to be called.
    group_at: Time,
    /// When this replica may order something by itself again.
    orders_at: Time,
    replay: Replay,
    unsettled: bool,
    retirement: Retirement,
    stopped: bool,
    scratch: Vec<u8>,
    out: VecDeque<Output>,
    /// How often each reason for refusing a message came up.
    refused: BTreeMap<&'static str, u64>,
}

impl<M: Machine> Replica<M> {
    /// A replica over what its store holds. `boot` and `seed` are random, drawn for this run.
    pub fn new(now: Time, options: Options, boot: BootId, seed: u64, opened: Opened, machine: M) -> Replica<M> {
        let mut chance = Chance::new(seed);
        let link_options = link::Options {
            datagram_max: options.datagram_max,
            ..link::Options::new(options.me, options.cluster, boot)
        };
        let link = Link::new(link_options, chance.draw());
        let mut machine = Sessions::new(machine);
        let refused = opened.snapshot.as_ref().and_then(|snapshot| restored(&mut machine, snapshot).err());
        let outline = opened.snapshot.as_ref().map(Outline::of).unwrap_or_default();
        let replay = Replay::of(&opened);
        let group_options = group::Options {
            me: options.me,
            cluster: options.cluster,
            founding: options.founding,
            order: options.order,
            log_keep: options.log_keep,
            rules: machine.machine().newest_rules(),
            timing: Timing::default(),
        };
        let mut group = Group::new(now, group_options, boot, chance.draw(), opened);
        if let Some(refused) = refused {
            group.stop(match refused {
                Unrestored::UnknownRules(_) => Stop::UnknownRules,
                Unrestored::Malformed => Stop::BadSnapshot,
            });
        }
        Replica {
            clients: Clients::new(now),
            ordered: Vec::new(),
            ended_changes: EndedChanges::default(),
            chronicle: Chronicle::new(now),
            log_reads: LogReads::default(),
            outline,
            taking: Vec::new(),
            paces: Paces::default(),
            options,
            link,
            group,
            machine,
            group_at: now,
            orders_at: now,
            replay,
            unsettled: true,
            retirement: Retirement::None,
            stopped: false,
            scratch: Vec::new(),
            out: VecDeque::new(),
            refused: BTreeMap::new(),
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Time, input: Input) {
        if self.stopped {
            return;
        }
        self.unsettled = true;
        match input {
            Input::Datagram { from, bytes } => {
                self.meet(now, from);
                self.link.receive(now, from, bytes);
            }
            Input::Introduced { member } => self.meet(now, member),
            Input::Client { client, message } => self.on_client(now, client, message),
            Input::Report(report) => self.group.report(now, report),
            Input::Fetched { id, fetched } => {
                if !self.log_read(id, &fetched) {
                    self.group.fetched(now, id, fetched);
                }
            }
            Input::Change { id, change, wait } => self.order_change(now, Orderer::Shell(id), change, None, wait),
            Input::Retire => self.retire(now),
            Input::Tick => {}
        }
        if self.link.deadline().is_some_and(|at| now >= at) {
            self.link.tick(now);
        }
        self.hear(now);
        if now >= self.group_at {
            self.group.tick(now, &Ears(&self.link));
            let ends = self.group.acquaintances(now).map(|(member, _, heartbeat)| (member, heartbeat.end));
            self.paces.look(now, self.group.log().committed(), ends);
            self.group_at = Time::NEVER;
        }
        self.group_at = self.group_at.min(self.group.deadline(now));
    }

    /// The next thing to do; `None` when all is said for now. Called after one or more inputs.
    pub fn poll(&mut self, now: Time) -> Option<Output> {
        if self.out.is_empty() && self.unsettled && !self.stopped {
            self.settle(now);
        }
        self.out.pop_front()
    }

    /// When to call with [`Input::Tick`] if nothing else happens before.
    pub fn deadline(&self) -> Option<(Time, Reason)> {
        let link = self.link.deadline().map(|at| (at, Reason::Link));
        let clients = self.clients.deadline().map(|at| (at, Reason::Clients));
        let group = Some((self.group_at, Reason::Group));
        let retirement = self.retirement.deadline().map(|at| (at, Reason::Retirement));
        let replay = self.replay.is_under_way().then_some((Time(0), Reason::Replay));
        if self.stopped {
            None
        } else {
            [replay, link, group, clients, retirement].into_iter().flatten().min_by_key(|(at, _)| *at)
        }
    }

    /// Whether slots are sequenced in its view, it hears a quorum, and it has applied what its store holds: requests
    /// may leave.
    pub fn is_serving(&self, now: Time) -> bool {
        !self.replay.is_under_way() && self.group.is_serving(now)
    }

    /// Up to which slot the log is still being applied that was in the store, after a start.
    pub fn replays_to(&self) -> Option<Slot> {
        self.replay.is_under_way().then(|| self.replay.end())
    }

    /// The group, to look at.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// The link, to look at.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The machine with its sessions, to look at.
    pub fn machine(&self) -> &Sessions<M> {
        &self.machine
    }

    /// How many clients wait here.
    pub fn waiting(&self) -> Crowd {
        self.clients.crowd()
    }

    /// How often messages of peers were refused, by reason: link counts packets and frames, this what they held.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.refused.iter().map(|(why, count)| (*why, *count))
    }

    /// Does all that has become possible since the last input.
    fn settle(&mut self, now: Time) {
        self.unsettled = false;
        self.order_by_itself(now);
        self.admit(now);
        self.group.settle(now);
        loop {
            self.carry_out(now);
            if self.stopped || !self.apply_committed(now) {
                break;
            }
            self.group.settle(now);
            if self.replay.is_under_way() {
                self.carry_out(now);
                break;
            }
        }
        self.settle_changes(now);
        self.settle_snapshots();
        // All that has happened is noted by now: a view that has just begun has its reason.
        if self.group.is_active() && !self.group.wants_view() {
            self.chronicle.calm();
        }
        self.step_retirement(now);
        self.refresh_trailer(now);
        self.link.flush(now);
        while let Some((to, bytes)) = self.link.poll_send() {
            self.out.push_back(Output::Send { to, bytes });
        }
    }

    /// Passes on what came in over link.
    fn hear(&mut self, now: Time) {
        while let Some(event) = self.link.poll_event() {
            match event {
                link::Event::Boot { from, boot } => self.group.boot(now, from, boot),
                link::Event::Laggard { member } => self.group.laggard(now, member),
                link::Event::Trailer { from, epoch, bytes } => self.group.on_trailer(from, epoch.0, bytes),
                link::Event::Broadcast { from, message } => match Message::decode(message) {
                    Ok(message) => self.group.broadcast(now, from, message),
                    Err(Unread::Malformed) => self.refuse("malformed broadcast message"),
                    Err(Unread::Unknown(_)) => self.refuse("broadcast message of a newer version"),
                },
                link::Event::Stream { from, message } | link::Event::Note { from, message } => {
                    match Message::decode(message) {
                        Ok(message) => self.group.message(now, from, message),
                        Err(Unread::Malformed) => self.refuse("malformed message"),
                        Err(Unread::Unknown(_)) => self.refuse("message of a newer version"),
                    }
                }
            }
        }
    }

    /// Somebody has the cluster's key, and may be nobody whom the log names.
    fn meet(&mut self, now: Time, member: MemberId) {
        if !self.group.knows(member) {
            self.group.meet(now, member);
            self.carry_out(now);
        }
    }

    /// Does what group wants done.
    fn carry_out(&mut self, now: Time) {
        while let Some(output) = self.group.poll() {
            match output {
                group::Output::Enter { epoch, members } => {
                    // Not one packet of the new view may carry the mark of the old one.
                    self.refresh_trailer(now);
                    self.link.open_epoch(now, Epoch(epoch), members);
                }
                group::Output::Peers(peers) => self.link.set_peers(now, peers),
                group::Output::Leave => self.link.close_epoch(),
                group::Output::Broadcast(message) => {
                    let bytes = self.encode(&message);
                    self.link.broadcast(&bytes);
                    self.scratch = bytes;
                }
                group::Output::Note { to, message, padded } => {
                    let bytes = self.encode(&message);
                    if bytes.len() <= self.link.note_max() {
                        self.link.note(to, &bytes, padded);
                    } else {
                        to.iter().for_each(|to| self.link.stream(to, &bytes));
                    }
                    self.scratch = bytes;
                }
                // An answer to a peer that does not take the last ones is dropped: it will ask again.
                group::Output::Stream { to, .. } if self.link.stream_room(to) == 0 => {}
                group::Output::Stream { to, message } => {
                    let bytes = self.encode(&message);
                    self.link.stream(to, &bytes);
                    self.scratch = bytes;
                }
                group::Output::Nudge(to) => self.link.nudge(to),
                group::Output::Hasten(from) => self.link.hasten(now, from),
                group::Output::Persist { id, job } => self.out.push_back(Output::Persist { id, job }),
                group::Output::Fetch { id, fetch } => self.out.push_back(Output::Fetch { id, fetch }),
                group::Output::Restore { from, snapshot } => self.restore(now, from, snapshot),
                group::Output::ReadReady(tokens) => {
                    let slot = self.group.log().delivered().0;
                    for token in tokens {
                        self.clients.answer_read(token, slot, &self.machine, &mut self.out);
                    }
                }
                group::Output::Missed(tokens) => {
                    for token in tokens {
                        self.clients.try_another(token, &mut self.out);
                    }
                }
                group::Output::Event(event) => {
                    if matches!(event, Event::Removed { .. } | Event::Older) {
                        self.turn_away();
                    }
                    if let Event::Refused { why } = event {
                        self.refuse(why);
                        continue;
                    }
                    self.chronicle.note(now, &event);
                    self.stopped |= matches!(event, Event::Stopped { .. });
                    self.out.push_back(Output::Event(event));
                }
            }
        }
    }

    /// A snapshot is here that others have sent. If it is not what its digest says, the own state stays.
    fn restore(&mut self, now: Time, from: MemberSet, snapshot: Snapshot) {
        if !self.group.may_adopt(&snapshot) || self.group.confirm(now, &snapshot) {
            return;
        }
        let (own, digest) = (self.machine.snapshot(), self.machine.digest());
        if let Err(refused) = restored(&mut self.machine, &snapshot) {
            let is_back = self.machine.digest() == digest || self.machine.restore(&own).is_ok();
            assert!(is_back && self.machine.digest() == digest, "a machine takes back its own state");
            return match refused {
                Unrestored::UnknownRules(_) => self.group.stop(Stop::UnknownRules),
                Unrestored::Malformed => self.group.distrust(from),
            };
        }
        self.clients.look_again(&self.machine, &mut self.out);
        self.outline = Outline::of(&snapshot);
        self.group.adopt(now, snapshot);
    }

    /// Has every packet from now on carry the mark as it is now.
    fn refresh_trailer(&mut self, now: Time) {
        let mut trailer = self.writer();
        self.group.trailer(now, &mut trailer);
        self.link.set_trailer(trailer.as_slice());
        self.scratch = trailer.into_vec();
    }

    fn encode(&mut self, message: &Message) -> Vec<u8> {
        let mut w = self.writer();
        message.encode(&mut w);
        w.into_vec()
    }

    /// A writer over the one buffer that all messages are made in.
    fn writer(&mut self) -> Writer {
        let mut scratch = core::mem::take(&mut self.scratch);
        scratch.clear();
        Writer::onto(scratch)
    }

    fn refuse(&mut self, why: &'static str) {
        *self.refused.entry(why).or_default() += 1;
        self.out.push_back(Output::Event(Event::Refused { why }));
    }
}

/// Takes the state of a snapshot, which has to have the digest that it says.
fn restored<M: Machine>(machine: &mut Sessions<M>, snapshot: &Snapshot) -> Result<(), Unrestored> {
    machine.restore(&snapshot.pieces)?;
    if machine.digest() == snapshot.state { Ok(()) } else { Err(Unrestored::Malformed) }
}

/// What group wants to know of link.
struct Ears<'a>(&'a Link);

impl group::Mesh for Ears<'_> {
    fn heard_at(&self, member: MemberId) -> Option<Time> {
        self.0.heard_at(member)
    }

    fn gap_since(&self, member: MemberId) -> Option<Time> {
        self.0.gap_since(member)
    }

    fn full_size_at(&self, member: MemberId) -> Option<Time> {
        self.0.full_size_at(member)
    }
}
