//! How a store in memory ends: what is left on its disk when the process is killed or the power is cut.

use super::{Archived, Disk, Journaled, Memory, Mishap};
use ftq_core::store::Job;

impl Memory {
    /// The process is killed. What was written before is in the machine's memory and stays: at least
    /// what a sync was under way for, and of the rest up to some point.
    pub fn crash(mut self) -> Disk {
        self.disk.counts.crashes += 1;
        let written = self.journal_sync.as_ref().map_or(0, |sync| sync.jobs);
        let spared = written + self.below(self.journal.len() - written);
        self.lose(spared, None)
    }

    /// The power is cut. Of what no sync has covered some prefix is there, of the job at its end perhaps only
    /// the first slots. A disk that reorders keeps any of it, and the journal is good for the prefix.
    pub fn power_cut(mut self) -> Disk {
        self.disk.counts.power_cuts += 1;
        let spared = if self.faults.reordering { self.kept_in_order() } else { self.below(self.journal.len()) };
        let torn = match self.journal.get(spared).map(|journaled| &journaled.job) {
            Some(Job::Append { slots, .. } | Job::CatchUp { slots, .. }) => {
                let most = slots.len().saturating_sub(1);
                Some(self.below(most)).filter(|slots| *slots > 0)
            }
            Some(_) | None => None,
        };
        let is_writing = self.journal_sync.is_some() || self.archive_sync.is_some();
        let misdirected = is_writing && self.chance.below(100) < self.faults.misdirected_percent;
        if misdirected {
            self.disk.counts.misdirected += 1;
            self.mishaps.push(Mishap::Rot);
        }
        self.lose(spared, torn)
    }

    /// Of the unsynced jobs each is written or not; those before the first that is not.
    fn kept_in_order(&mut self) -> usize {
        let kept: Vec<bool> = (0..self.journal.len()).map(|_| self.chance.below(4) > 0).collect();
        let prefix = kept.iter().take_while(|kept| **kept).count();
        self.disk.counts.reordered += kept.iter().skip(prefix).filter(|kept| **kept).count() as u64;
        prefix
    }

    /// Something befalls the disk under the running store, which goes on out of its memory.
    pub fn befall(&mut self, mishap: Mishap) {
        self.mishaps.push(mishap);
    }

    /// Keeps the first `spared` journal jobs, `torn` slots of the next one, and some of the archive.
    fn lose(mut self, spared: usize, torn: Option<usize>) -> Disk {
        self.disk.counts.lost += (self.journal.len() - spared) as u64;
        self.disk.counts.spared += spared as u64;
        if spared > 0 || torn.is_some() {
            self.disk.begin_group();
        }
        for _ in 0..spared {
            self.apply_journal();
        }
        if let (Some(slots), Some(Journaled { id: _, job })) = (torn, self.journal.pop_front()) {
            self.disk.counts.torn += 1;
            self.disk.apply(job, slots);
        }
        let ready = self.archive_ready();
        let spared = self.below(ready);
        for _ in 0..spared {
            let Some(Archived { after: _, job }) = self.archive.pop_front() else { break };
            self.disk.apply(job, usize::MAX);
        }
        if let (true, Some(Archived { after: _, job: Job::Deliver { upto } })) = (spared < ready, self.archive.front())
        {
            let (upto, waiting) = (*upto, usize::try_from(self.disk.accepted()).unwrap_or(usize::MAX));
            let slots = self.below(waiting);
            self.disk.counts.torn += u64::from(slots > 0);
            self.disk.apply(Job::Deliver { upto }, slots);
        }
        for mishap in std::mem::take(&mut self.mishaps) {
            self.disk.befall(mishap, &mut self.chance);
        }
        self.disk
    }
}
