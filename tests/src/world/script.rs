//! What a scenario says: faults, calls, the passing of time, and what is there afterwards.
//!
//! Members are named by their ids, 1 to n, clients by their indexes from 0. Time passes only in
//! [`World::run_for`] and its relatives; they panic at the first violation of an invariant, with its name.

use super::World;
use super::queue::Happening;
use crate::checkers::history::{End, History};
use crate::clients::Load;
use crate::counts::Count;
use crate::network::{Behaviour, Endpoint};
use crate::trace::Who;
use bytes::Bytes;
use ftq_core::machine::queues::{Command, Question};
use ftq_core::replica::{Input, Order};
use ftq_core::store::Report;
use ftq_core::time::{Span, Time};
use ftq_storage::memory::Faults;

/// How often a condition is looked at while time passes.
const LOOK_EVERY: Span = Span::millis(1);

/// How many lines of a collected trace a failure shows.
const LAST_LINES: usize = 60;

/// Time.
impl World {
    /// Lets time pass.
    pub fn run_for(&mut self, span: Span) {
        self.run_until_time(self.now + span);
        self.assert_holds();
    }

    /// Lets time pass until `happened` or for at most `limit`. Says how long it took, if it happened.
    pub fn run_until(&mut self, limit: Span, mut happened: impl FnMut(&World) -> bool) -> Option<Span> {
        let began = self.now;
        while !happened(self) {
            if self.now.since(began) >= limit {
                return None;
            }
            self.run_for(LOOK_EVERY);
        }
        Some(self.now.since(began))
    }

    /// Ends all faults and lets time pass until everything is answered and all agree.
    ///
    /// # Panics
    /// If that takes longer than `limit`.
    pub fn settle(&mut self, limit: Span) -> Span {
        self.heal_everything();
        let settled = self.run_until(limit, |world| world.disagreement().is_none());
        settled.unwrap_or_else(|| {
            panic!("{}\nnot settled: {}", self.last_lines(), self.disagreement().unwrap_or_default())
        })
    }

    /// Lets time pass until everything is answered and all agree in one view of all, under whatever
    /// faults there are.
    ///
    /// # Panics
    /// If that takes longer than `limit`.
    pub fn agree(&mut self, limit: Span) -> Span {
        let agreed = self.run_until(limit, |world| world.is_one_view_of_all() && world.disagreement().is_none());
        agreed.unwrap_or_else(|| {
            let views: Vec<_> = self.ids().map(|id| self.view(id)).collect();
            panic!("{}\nno agreement: {:?}, views {views:?}", self.last_lines(), self.disagreement())
        })
    }

    /// Lets time pass, and says for how long at most what `counts` gives stood still.
    pub fn longest_standstill(&mut self, span: Span, counts: impl Fn(&World) -> u64) -> Span {
        let until = self.now + span;
        let (mut seen, mut since, mut longest) = (counts(self), self.now, Span::ZERO);
        while self.now < until {
            self.run_for(LOOK_EVERY);
            longest = longest.max(self.now.since(since));
            let now_seen = counts(self);
            if now_seen != seen {
                (seen, since) = (now_seen, self.now);
            }
        }
        longest
    }

    fn assert_holds(&self) {
        if let Some(violation) = &self.violation {
            panic!("{}\n{violation}", self.last_lines());
        }
    }

    fn last_lines(&self) -> String {
        let lines: Vec<&str> = self.trace.text().lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

/// Links.
impl World {
    /// Nothing gets from one member to another any more.
    pub fn cut(&mut self, from: u8, to: u8) {
        self.say(Who::World, "cut", format_args!("{from} to {to}"));
        self.network.cut(at(from), at(to), Time::NEVER);
    }

    /// Everything gets from one member to another again.
    pub fn mend(&mut self, from: u8, to: u8) {
        self.say(Who::World, "mend", format_args!("{from} to {to}"));
        self.network.mend(at(from), at(to));
    }

    /// Only members that are together on some island hear each other. A member on two islands is a
    /// bridge; one on none is alone.
    pub fn islands(&mut self, islands: &[&[u8]]) {
        self.say(Who::World, "islands", format_args!("{islands:?}"));
        for from in self.ids() {
            for to in self.ids() {
                if islands.iter().any(|island| island.contains(&from) && island.contains(&to)) {
                    self.network.mend(at(from), at(to));
                } else if from != to {
                    self.network.cut(at(from), at(to), Time::NEVER);
                }
            }
        }
    }

    /// All members hear each other again.
    pub fn join_islands(&mut self) {
        let all: Vec<u8> = self.ids().collect();
        self.islands(&[&all]);
    }

    /// The links between two members are up for a second and down for a second, for so long.
    pub fn flap(&mut self, a: u8, b: u8, span: Span) {
        self.say(Who::World, "flap", format_args!("{a} and {b}"));
        let until = self.now + span;
        self.network.flap(at(a), at(b), until);
        self.network.flap(at(b), at(a), until);
    }

    /// Only datagrams of at most `mtu` bytes get from one member to another any more.
    pub fn black_hole(&mut self, from: u8, to: u8, mtu: usize) {
        self.say(Who::World, "black hole", format_args!("{from} to {to}, {mtu} bytes"));
        self.network.black_hole(at(from), at(to), mtu, Time::NEVER);
    }

    /// All links between members behave like this from now on.
    pub fn set_links(&mut self, behaviour: Behaviour) {
        self.say(Who::World, "links", format_args!("{behaviour:?}"));
        for from in self.ids() {
            for to in self.ids() {
                self.network.set_behaviour(at(from), at(to), behaviour);
            }
        }
    }

    /// The link from one member to another behaves like this from now on.
    pub fn set_link(&mut self, from: u8, to: u8, behaviour: Behaviour) {
        self.say(Who::World, "link", format_args!("{from} to {to}: {behaviour:?}"));
        self.network.set_behaviour(at(from), at(to), behaviour);
    }

    /// How the link from one member to another behaves.
    pub fn link(&self, from: u8, to: u8) -> Behaviour {
        self.network.behaviour(at(from), at(to))
    }

    /// A datagram arrives that the seal lets through, but that no replica has made.
    pub fn inject(&mut self, from: u8, to: u8, bytes: Bytes) {
        let datagram = self.network.forge(at(from), at(to), bytes);
        self.queue.push(self.now, Happening::Arrival(datagram));
    }
}

/// Members.
impl World {
    /// A member starts.
    pub fn start(&mut self, id: u8) {
        self.start_node(index(id));
    }

    /// All members that are down start.
    pub fn start_all(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.start_node(node));
    }

    /// A member's process is killed.
    pub fn crash(&mut self, id: u8) {
        if self.nodes[index(id)].stop(|store| store.crash()) {
            self.counts.one(Count::Crash);
            self.say(Who::Member(id), "crash", format_args!(""));
            self.look_at_disk(index(id));
        }
    }

    /// A member is told to stop, and ends when it has handed over.
    pub fn retire(&mut self, id: u8) {
        self.say(Who::Member(id), "told to stop", format_args!(""));
        self.deliver(index(id), Input::Retire);
    }

    /// A member's power is cut.
    pub fn power_cut(&mut self, id: u8) {
        if self.nodes[index(id)].stop(|store| store.power_cut()) {
            self.say(Who::Member(id), "power cut", format_args!(""));
            self.look_at_disk(index(id));
        }
    }

    /// The power of all is cut at one moment.
    pub fn power_cut_all(&mut self) {
        self.counts.one(Count::PowerCutAll);
        self.ids().for_each(|id| self.power_cut(id));
    }

    /// A member stands still. What is sent to it waits, up to a bound.
    pub fn pause(&mut self, id: u8) {
        self.say(Who::Member(id), "pause", format_args!(""));
        self.nodes[index(id)].paused = true;
        self.nodes[index(id)].pauses += 1;
    }

    /// A member goes on.
    pub fn resume(&mut self, id: u8) {
        self.resume_node(index(id));
    }

    /// No sync of a member's disk ends any more.
    pub fn hang_disk(&mut self, id: u8) {
        let healthy = self.nodes[index(id)].faults;
        self.set_disk(id, Faults { hanging: true, ..healthy });
    }

    /// A member's disk takes so many times as long as a healthy one.
    pub fn slow_disk(&mut self, id: u8, times: u64) {
        let healthy = self.nodes[index(id)].faults;
        self.set_disk(id, Faults { slow: times, ..healthy });
    }

    /// A member's disk behaves like this from now on.
    pub fn set_disk(&mut self, id: u8, faults: Faults) {
        let trouble = if faults.hanging {
            "hangs"
        } else if faults.failing {
            "fails"
        } else {
            "changes"
        };
        self.say(Who::Member(id), "disk", format_args!("{trouble}, {} times as slow", faults.slow));
        self.nodes[index(id)].disk_troubles += 1;
        self.nodes[index(id)].set_faults(faults);
        self.step(index(id));
    }

    /// A member's disk is healthy again.
    pub fn mend_disk(&mut self, id: u8) {
        self.heal_disk(index(id));
    }

    /// A member's disk is nearly full, or has room again.
    pub fn fill_disk(&mut self, id: u8, is_nearly_full: bool) {
        self.say(Who::Member(id), "disk", format_args!("is nearly full: {is_nearly_full}"));
        self.nodes[index(id)].is_full = is_nearly_full;
        if self.nodes[index(id)].running.is_some() {
            self.deliver(index(id), Input::Report(Report::NearlyFull(is_nearly_full)));
        }
    }

    /// A member that is down is told another order than the others when it starts.
    pub fn set_order(&mut self, id: u8, order: Order) {
        self.nodes[index(id)].order = Some(order);
    }

    /// A member's processor takes so long for each input.
    pub fn slow_cpu(&mut self, id: u8, span: Span) {
        self.set_cpu(index(id), span);
    }

    /// A member's clock jumps forward.
    pub fn jump_clock(&mut self, id: u8, by: Span) {
        self.say(Who::Member(id), "clock", format_args!("jumps by {} ms", by.0 / 1_000));
        let now = self.now;
        self.nodes[index(id)].clock.jump(now, by);
        self.step(index(id));
    }

    /// A member's clock runs so many millionths too fast.
    pub fn drift_clock(&mut self, id: u8, millionths: i64) {
        self.say(Who::Member(id), "clock", format_args!("drifts by {millionths} millionths"));
        let now = self.now;
        self.nodes[index(id)].clock.drift(now, millionths);
        self.step(index(id));
    }

    pub(super) fn resume_node(&mut self, node: usize) {
        if self.nodes[node].paused {
            self.say(Who::Member(self.nodes[node].member.number()), "resume", format_args!(""));
            self.nodes[node].paused = false;
            self.step(node);
        }
    }

    pub(super) fn heal_disk(&mut self, node: usize) {
        let faults = self.nodes[node].faults;
        let healthy = Faults { slow: 1, hanging: false, failing: false, late_percent: 0, ..faults };
        self.nodes[node].disk_troubles += 1;
        if self.nodes[node].is_full {
            self.fill_disk(self.nodes[node].member.number(), false);
        }
        if faults != healthy {
            self.say(Who::Member(self.nodes[node].member.number()), "disk", format_args!("is healthy"));
            self.nodes[node].set_faults(healthy);
            self.step(node);
        }
    }

    pub(super) fn heal_cpu(&mut self, node: usize) {
        if self.nodes[node].cpu != self.nodes[node].healthy_cpu {
            self.set_cpu(node, self.nodes[node].healthy_cpu);
        }
    }

    pub(super) fn set_cpu(&mut self, node: usize, span: Span) {
        self.say(Who::Member(self.nodes[node].member.number()), "processor", format_args!("{} µs per input", span.0));
        self.nodes[node].cpu_troubles += 1;
        self.nodes[node].cpu = span;
        self.step(node);
    }
}

/// Clients.
impl World {
    /// A client makes calls by itself from now on.
    pub fn load(&mut self, client: usize, load: Load) {
        self.clients[client].load(self.now, Some(load));
        self.client_step(client);
    }

    /// A client knows only these members from now on. It has no call under way.
    pub fn bind_client(&mut self, client: usize, members: &[u8]) {
        self.clients[client].bind(members.iter().map(|id| index(*id)).collect());
    }

    /// A client makes no calls by itself any more.
    pub fn stop_load(&mut self, client: usize) {
        self.clients[client].load(self.now, None);
    }

    /// A client calls, and waits for at most `patience`. Gives the index of the call.
    pub fn call(&mut self, client: usize, command: Command, patience: Span) -> usize {
        let call = self.clients[client].call(self.now, &command, patience, &mut self.checks.history);
        self.client_step(client);
        call
    }

    /// A client asks, and waits for at most `patience`. Gives the index of the call.
    pub fn ask(&mut self, client: usize, question: Question, local: bool, patience: Span) -> usize {
        let call = self.clients[client].ask(self.now, &question, local, patience, &mut self.checks.history);
        self.client_step(client);
        call
    }

    /// How a call ended, once it has.
    pub fn end(&self, call: usize) -> Option<&End> {
        self.checks.history.calls().get(call)?.returned.as_ref().map(|(_, end)| end)
    }

    /// All calls.
    pub fn history(&self) -> &History {
        &self.checks.history
    }
}

pub(super) fn index(id: u8) -> usize {
    usize::from(id) - 1
}

pub(super) fn at(id: u8) -> Endpoint {
    Endpoint(index(id))
}
