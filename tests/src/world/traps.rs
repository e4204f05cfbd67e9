//! Blows that fall just when they hurt most: a member is armed, and the blow falls when its moment comes.

use super::World;
use super::queue::Happening;
use crate::counts::Count;
use crate::faults::index;
use crate::network::Endpoint;
use crate::node::{Blow, Moment};
use ftq_core::group::notice::Notice;
use ftq_core::replica::{Event, Output};
use ftq_core::store::{Job, SlotRecord};
use ftq_core::time::Span;
use ftq_storage::memory::Faults;

/// How long after such a moment the power goes, at most: a few syncs.
const MOMENT: Span = Span::micros(1_500);

/// How long a member is down that comes back before anybody misses it.
const BACK_SOON: Span = Span::millis(100);

impl World {
    /// If the moment has come for which a member is armed, the blow falls: its power goes a little later, or
    /// nothing of what it is about to send gets through.
    pub(super) fn spring(&mut self, node: usize, outputs: &[Output]) {
        let Some((moment, blow)) = self.nodes[node].armed else { return };
        let come = outputs.iter().any(|output| match (moment, output) {
            (Moment::Sequenced, Output::Event(Event::Sequenced { .. })) => true,
            (Moment::SeveralSlots, Output::Persist { job: Job::Append { slots, .. }, .. }) => slots.len() > 1,
            (Moment::Promise, Output::Persist { job: Job::Promise { .. }, .. })
            | (Moment::Install, Output::Persist { job: Job::Install { .. }, .. })
            | (Moment::Answered, Output::Reply { .. }) => true,
            (Moment::Changed, Output::Persist { job: Job::Append { slots, .. }, .. }) => slots.iter().any(is_change),
            (
                Moment::Sequenced
                | Moment::SeveralSlots
                | Moment::Promise
                | Moment::Install
                | Moment::Answered
                | Moment::Changed,
                _,
            ) => false,
        });
        if !come {
            return;
        }
        self.nodes[node].armed = None;
        match blow {
            Blow::PowerCut => {
                let wait = if self.chance.below(2) == 0 { Span::ZERO } else { Span(self.chance.below(MOMENT.0)) };
                let boot = self.nodes[node].boots;
                self.queue.push(self.now + wait, Happening::PowerCut { node, boot });
            }
            Blow::CutOff(span) => self.cut_off(node, span),
            Blow::Part(span) => self.part_at_a_change(node, span),
        }
    }

    /// All who wait for nothing else wait for a moment.
    pub(super) fn arm_all(&mut self, moment: Moment, blow: Blow) {
        for node in &mut self.nodes {
            node.armed.get_or_insert((moment, blow));
        }
    }

    /// A change of the cluster is in the log of one member, the first that waited for it: from now on two sides do not
    /// hear each other, or only through one member, mostly this one.
    fn part_at_a_change(&mut self, node: usize, span: Span) {
        for node in &mut self.nodes {
            node.armed = node.armed.filter(|(moment, _)| *moment != Moment::Changed);
        }
        let mut sides = self.sides();
        match self.chance.below(4) {
            0 => {}
            1 => sides[index(&mut self.chance, self.nodes.len())] = 3,
            _ => sides[node] = 3,
        }
        self.part(Count::ChangeParted, &sides, self.now + span);
    }

    /// A member is cut off from all others, or from all but a few.
    fn cut_off(&mut self, node: usize, span: Span) {
        self.counts.one(Count::SequencerCut);
        let from_all = self.chance.below(2) == 0;
        let until = self.now + span;
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            if from_all || self.chance.below(4) > 0 {
                self.network.cut(Endpoint(node), Endpoint(other), until);
                self.network.cut(Endpoint(other), Endpoint(node), until);
            }
        }
        if from_all {
            // What it has written last is cut when it is back, and its store speaks of that later than of the install (RULES S8).
            let faults = Faults { late_percent: 50, late: span.times(2), ..self.nodes[node].faults };
            // Not by a step of the replica: this is in the middle of one.
            self.nodes[node].set_faults(faults);
            self.heal_disk_at(node, until + span);
        }
    }

    /// The power of a member goes that was armed; it is back soon.
    pub(super) fn cut_armed(&mut self, node: usize) {
        self.counts.one(Count::PowerCutArmed);
        self.power_cut(self.nodes[node].member.number());
        let at = self.now + Span(1 + self.chance.below(BACK_SOON.0));
        self.restart_at(node, at);
    }
}

/// Whether a slot changes the cluster.
fn is_change(record: &SlotRecord) -> bool {
    matches!(Notice::of(&record.content), Some(Notice::Change(_)))
}
