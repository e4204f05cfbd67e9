//! Random faults, by the mix that the seed has drawn.

use super::World;
use super::queue::Happening;
use crate::counts::Count;
use crate::faults::{Fault, index};
use crate::network::{Behaviour, Endpoint};
use crate::node::{Blow, Moment};
use crate::trace::Who;
use ftq_core::replica::Succession;
use ftq_core::time::{Span, Time};
use ftq_storage::memory::{Faults, Mishap};

/// How far a session's expiry is exceeded when all clocks jump.
const CLOCKS_JUMP: Span = Span::secs(660);

/// The moments at which a power cut hurts most.
const MOMENTS: [Moment; 5] =
    [Moment::Sequenced, Moment::SeveralSlots, Moment::Promise, Moment::Install, Moment::Answered];

/// After so long the others have given up on a member and gone on without it.
const GIVEN_UP: Span = Span::millis(600);

impl World {
    /// One random fault; then the next one is due later.
    pub(super) fn chaos(&mut self) {
        let Some(mix) = self.mix.clone() else { return };
        if self.now >= mix.from {
            let fault = mix.next(&mut self.chance);
            let lasts = mix.lasts(&mut self.chance);
            self.say(Who::World, "fault", format_args!("{fault:?} for {} ms", lasts.0 / 1_000));
            self.strike(fault, lasts);
        }
        let at = (self.now + mix.pause(&mut self.chance)).max(mix.from);
        self.queue.push(at, Happening::Chaos);
    }

    /// The member whose turn it is, if a view is open.
    fn sequencer(&self) -> Option<usize> {
        let group = self.nodes.iter().find_map(|node| {
            let group = node.running.as_ref()?.replica.group();
            group.is_active().then_some(group)
        })?;
        let member = group.view().sequencer(group.log().end().next())?;
        self.nodes.iter().position(|node| node.member == member)
    }

    fn strike(&mut self, fault: Fault, lasts: Span) {
        let until = self.now + lasts;
        let node = index(&mut self.chance, self.nodes.len());
        let id = self.nodes[node].member.number();
        match fault {
            Fault::OneWayCut => {
                let other = self.other(node);
                self.count_if_apart(Count::OneWayCut, node, other);
                self.network.cut(Endpoint(node), Endpoint(other), until);
            }
            Fault::Halves => {
                let sides = self.sides();
                self.part(Count::Halves, &sides, until);
            }
            Fault::Isolated => {
                let mut sides = vec![2; self.nodes.len()];
                sides[node] = 1;
                self.part(Count::Isolated, &sides, until);
            }
            Fault::Sequencer => {
                let Some(node) = self.sequencer() else { return };
                let mut sides = vec![2; self.nodes.len()];
                sides[node] = 1;
                self.part(Count::Sequencer, &sides, until.max(self.now + GIVEN_UP));
            }
            Fault::SequencerArmed => {
                self.nodes[node].armed = Some((Moment::Sequenced, Blow::CutOff(lasts.max(GIVEN_UP))));
            }
            Fault::Bridge => {
                let mut sides = self.sides();
                sides[node] = 3;
                self.part(Count::Bridge, &sides, until);
            }
            Fault::Flapping => {
                let other = self.other(node);
                self.count_if_apart(Count::Flapping, node, other);
                let until = self.now + lasts.times(4);
                self.network.flap(Endpoint(node), Endpoint(other), until);
                self.network.flap(Endpoint(other), Endpoint(node), until);
            }
            Fault::BlackHole => {
                let other = self.other(node);
                self.count_if_apart(Count::BlackHole, node, other);
                let mtu = 200 + index(&mut self.chance, 1_000);
                self.network.black_hole(Endpoint(node), Endpoint(other), mtu, until);
            }
            Fault::LossBurst => {
                self.counts.one(Count::LossBurst);
                let loss = 200 + self.chance.below(700);
                for other in 0..self.nodes.len() {
                    self.network.lose(Endpoint(node), Endpoint(other), loss, until);
                    self.network.lose(Endpoint(other), Endpoint(node), loss, until);
                }
            }
            Fault::Pause => {
                self.counts.one(Count::Pause);
                self.pause(id);
                let pause = self.nodes[node].pauses;
                self.queue.push(until, Happening::Resume { node, pause });
            }
            Fault::Crash => {
                self.crash(id);
                self.restart_at(node, until);
            }
            Fault::PowerCutOne => {
                self.counts.one(Count::PowerCutOne);
                self.power_cut(id);
                self.restart_at(node, until);
            }
            Fault::PowerCutArmed => {
                let moment = MOMENTS[index(&mut self.chance, MOMENTS.len())];
                self.nodes[node].armed = Some((moment, Blow::PowerCut));
            }
            Fault::PowerCutSome => self.power_cut_some(until),
            Fault::PowerCutAll => {
                self.power_cut_all();
                for node in 0..self.nodes.len() {
                    let at = self.now + Span(1 + self.chance.below(lasts.0 + 1));
                    self.restart_at(node, at);
                }
            }
            Fault::SlowDisk => {
                self.counts.one(Count::SlowDisk);
                let slow = 2 + self.chance.below(200);
                self.trouble_disk(node, until, |healthy| Faults { slow, ..healthy });
            }
            Fault::HungDisk => {
                self.counts.one(Count::HungDisk);
                self.trouble_disk(node, until, |healthy| Faults { hanging: true, ..healthy });
            }
            Fault::FailedSync => {
                self.counts.one(Count::FailedSync);
                self.trouble_disk(node, until, |healthy| Faults { failing: true, ..healthy });
            }
            Fault::SlowCpu => {
                self.counts.one(Count::SlowCpu);
                let span = Span::micros(20 + self.chance.below(800));
                self.set_cpu(node, span);
                let trouble = self.nodes[node].cpu_troubles;
                self.queue.push(until, Happening::CpuHeals { node, trouble });
            }
            Fault::ClockJump => {
                self.counts.one(Count::ClockJump);
                let by = Span(1 + self.chance.below(1 << (10 + self.chance.clone().below(20))));
                self.jump_clock(id, by);
            }
            Fault::ClocksJump => {
                self.counts.one(Count::ClockJump);
                self.ids().for_each(|id| self.jump_clock(id, CLOCKS_JUMP));
            }
            Fault::ClockDrift => {
                self.counts.one(Count::ClockDrift);
                let drift = i64::try_from(self.chance.below(20_001)).unwrap_or(0) - 10_000;
                self.drift_clock(id, drift);
            }
            Fault::NewDisk => {
                if self.may_forget(node) && self.may_be_blank(node) {
                    self.power_cut(id);
                    self.replace_disk(node);
                    self.restart_at(node, until);
                }
            }
            Fault::Rot => {
                if self.may_forget(node) {
                    self.power_cut(id);
                    let mishap = self.some_mishap();
                    self.befall(node, mishap);
                    self.restart_at(node, until);
                }
            }
            Fault::PutBack => self.put_back_by_chance(node, until),
            Fault::ClusterChange => self.change_by_chance(),
            Fault::ChangeArmed => {
                self.arm_all(Moment::Changed, Blow::Part(lasts.max(GIVEN_UP)));
                self.change_by_chance();
            }
            Fault::Retire => {
                if self.nodes[node].is_up() {
                    self.nodes[node].back_after = Some(lasts);
                    self.retire(id);
                }
            }
            Fault::FullDisk => {
                self.counts.one(Count::FullDisk);
                self.fill_disk(id, true);
                self.heal_disk_at(node, until);
            }
        }
    }

    /// A member that was told to stop has ended.
    pub(super) fn retired_by(&mut self, node: usize, succession: Succession) {
        self.counts.one(Count::Retired);
        self.counts.add(Count::HandedOver, u64::from(succession == Succession::HandedOver));
        self.crash(self.nodes[node].member.number());
        if let Some(span) = self.nodes[node].back_after.take() {
            self.restart_at(node, self.now + span);
        }
    }

    fn some_mishap(&mut self) -> Mishap {
        match self.chance.below(8) {
            0 => Mishap::TailLost,
            1 => Mishap::JournalLost,
            2 | 3 => Mishap::ArchiveLost,
            4 => Mishap::IdentityLost,
            _ => Mishap::Rot,
        }
    }

    /// A copy of a disk is taken; if there is one already, it is put back, or a part of it.
    fn put_back_by_chance(&mut self, node: usize, until: Time) {
        let id = self.nodes[node].member.number();
        let usable =
            self.nodes[node].copy.as_ref().is_some_and(|copy| copy.store() == self.nodes[node].durable().store());
        if !usable {
            return self.copy_disk(id);
        }
        if !self.is_budget_kept(node) {
            return;
        }
        self.power_cut(id);
        let Some(copy) = self.nodes[node].copy.take() else { return };
        let mishap = match self.chance.below(4) {
            0 => Mishap::ArchivePutBack(Box::new(copy)),
            1 => Mishap::JournalPutBack(Box::new(copy)),
            _ => Mishap::PutBack(Box::new(copy)),
        };
        self.befall(node, mishap);
        self.restart_at(node, until);
    }

    /// Members whose sides have no bit in common don't hear each other.
    pub(super) fn part(&mut self, count: Count, sides: &[u8], until: Time) {
        self.counts.one(count);
        for from in 0..sides.len() {
            for to in (0..sides.len()).filter(|to| sides[from] & sides[*to] == 0) {
                self.network.cut(Endpoint(from), Endpoint(to), until);
            }
        }
    }

    /// A side for each member, by chance.
    pub(super) fn sides(&mut self) -> Vec<u8> {
        (0..self.nodes.len()).map(|_| 1 << self.chance.below(2)).collect()
    }

    fn power_cut_some(&mut self, until: Time) {
        self.counts.one(Count::PowerCutSome);
        for node in 0..self.nodes.len() {
            if self.chance.below(2) == 0 {
                self.power_cut(self.nodes[node].member.number());
                self.restart_at(node, until);
            }
        }
    }

    pub(super) fn restart_at(&mut self, node: usize, at: Time) {
        let boot = self.nodes[node].boots;
        self.queue.push(at, Happening::Restart { node, boot });
    }

    fn trouble_disk(&mut self, node: usize, until: Time, trouble: impl FnOnce(Faults) -> Faults) {
        let faults = trouble(self.nodes[node].faults);
        self.set_disk(self.nodes[node].member.number(), faults);
        self.heal_disk_at(node, until);
    }

    /// The trouble of a disk that has just begun ends then, unless another one begins before.
    pub(super) fn heal_disk_at(&mut self, node: usize, until: Time) {
        self.nodes[node].disk_troubles += 1;
        let trouble = self.nodes[node].disk_troubles;
        self.queue.push(until, Happening::DiskHeals { node, trouble });
    }

    /// A member other than this one, if there is one.
    fn other(&mut self, node: usize) -> usize {
        let members = self.nodes.len();
        (node + 1 + index(&mut self.chance, members.max(2) - 1)) % members
    }

    fn count_if_apart(&mut self, count: Count, a: usize, b: usize) {
        if a != b {
            self.counts.one(count);
        }
    }

    /// The end of all faults: everything runs, is heard and is as fast as ever.
    pub(super) fn heal_everything(&mut self) {
        self.say(Who::World, "calm", format_args!("no more faults"));
        self.mix = None;
        let endpoints = self.nodes.len() + self.clients.len();
        for from in 0..endpoints {
            for to in 0..endpoints {
                let (from, to) = (Endpoint(from), Endpoint(to));
                self.network.mend(from, to);
                let Behaviour { delay, .. } = self.network.behaviour(from, to);
                let jitter = Span(delay.0 / 20);
                self.network.set_behaviour(from, to, Behaviour { delay, jitter, ..Behaviour::default() });
            }
        }
        for node in 0..self.nodes.len() {
            self.nodes[node].armed = None;
            self.nodes[node].tick_late = Span::ZERO;
            self.heal_disk(node);
            self.heal_cpu(node);
            self.resume_node(node);
            self.start_node(node);
        }
    }
}
