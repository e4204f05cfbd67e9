//! What a run over a seed needs beside what a scenario may say.

use super::World;
use super::queue::Happening;
use super::script::at;
use crate::checkers::Invariant;
use crate::counts::Count;
use crate::run::Verdict;
use ftq_core::time::Span;

/// How long a client waits for an answer that must come.
const LAST_PATIENCE: Span = Span::secs(30);

/// What a run over a seed needs.
impl World {
    /// Lets time pass, up to a violation.
    pub(crate) fn pass(&mut self, span: Span) {
        self.run_until_time(self.now + span);
    }

    /// Lets some time pass, at most twice this.
    pub(crate) fn pass_about(&mut self, span: Span) {
        let span = Span(self.chance.below(span.0 * 2));
        self.pass(span);
    }

    /// The members start within this.
    pub(crate) fn start_apart(&mut self, apart: Span) {
        for node in 0..self.nodes.len() {
            let at = self.now + Span(self.chance.below(apart.0 + 1));
            self.queue.push(at, Happening::Restart { node, boot: 0 });
        }
    }

    /// No more faults.
    pub(crate) fn end_faults(&mut self) {
        self.heal_everything();
    }

    /// How many clients there are.
    pub(crate) fn clients(&self) -> usize {
        self.clients.len()
    }

    /// One of the clients.
    pub(crate) fn pick_client(&mut self) -> usize {
        crate::faults::index(&mut self.chance, self.clients.len())
    }

    /// A client's call that must be answered.
    pub(crate) fn last_call(&mut self, client: usize) -> usize {
        let command = self.clients[client].command();
        self.call(client, command, LAST_PATIENCE)
    }

    /// For so long the links between members lose so many in a thousand.
    pub(crate) fn lose_between_members(&mut self, per_mille: u64, span: Span) {
        let until = self.now + span;
        for from in self.ids() {
            for to in self.ids() {
                self.network.lose(at(from), at(to), per_mille, until);
            }
        }
    }

    /// Notes that an invariant does not hold.
    pub(crate) fn fail(&mut self, invariant: Invariant, what: String) {
        self.check(Err((invariant, what)));
    }

    /// Counts something that the world does not see happen.
    pub(crate) fn count(&mut self, what: Count) {
        self.counts.one(what);
    }

    /// How it ended.
    pub(crate) fn verdict(mut self, seed: u64) -> Verdict {
        for node in &self.nodes {
            let disk = node.durable().counts();
            self.counts.add(Count::TornAppend, disk.torn);
            self.counts.add(Count::LostJob, disk.lost);
            self.counts.add(Count::LateReport, disk.late_reports);
            self.counts.add(Count::Installed, disk.installs);
            self.counts.add(Count::CutByInstall, disk.cut_by_install);
        }
        self.counts.add(Count::Milliseconds, self.now.0 / 1_000);
        self.counts.add(Count::Called, self.checks.history.calls().len() as u64);
        Verdict { seed, counts: self.counts, violation: self.violation, text: self.trace.text().to_owned() }
    }
}
