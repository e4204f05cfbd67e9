//! What the store was given and has not finished.

use crate::store::{Job, JobId, SlotRecord};
use crate::time::{Span, Time};
use alloc::collections::VecDeque;

/// The jobs that something waits for, in their order, since when, and how large they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog {
    jobs: VecDeque<(JobId, Time, usize)>,
    bytes: usize,
}

impl Backlog {
    /// The store is given this.
    pub(super) fn add(&mut self, now: Time, id: JobId, job: &Job) {
        let bytes = match job {
            Job::Append { slots, .. } | Job::CatchUp { slots, .. } | Job::Install { slots, .. } => {
                slots.iter().map(|record| size_of::<SlotRecord>() + record.content.len()).sum()
            }
            Job::Adopt { snapshot, .. } => snapshot.pieces.iter().map(bytes::Bytes::len).sum(),
            Job::Promise { .. } | Job::Electorate { .. } => 0,
            // Nothing waits for these.
            Job::Deliver { .. } | Job::Snapshot { .. } | Job::Cut { .. } | Job::Heard { .. } => return,
        };
        self.jobs.push_back((id, now, bytes));
        self.bytes += bytes;
    }

    /// All up to this one is finished.
    pub(super) fn finish(&mut self, upto: JobId) {
        while let Some((_, _, bytes)) = self.jobs.front().filter(|(id, _, _)| *id <= upto) {
            self.bytes -= bytes;
            self.jobs.pop_front();
        }
    }

    /// How many jobs there are.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// How large they are together.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The age of the oldest.
    pub(super) fn age(&self, now: Time) -> Span {
        self.jobs.front().map_or(Span::ZERO, |(_, since, _)| now.since(*since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::content::empty_slots;
    use crate::ids::{ClusterId, Slot};
    use crate::store::Generation;
    use alloc::vec;
    use bytes::Bytes;

    #[test]
    fn what_is_finished_is_not_counted_any_more() {
        let slots = |bytes| {
            let (_, mut slots) = empty_slots(ClusterId::default(), 1);
            slots[0].content = Bytes::from(vec![0; bytes]);
            slots
        };
        let append = |bytes| Job::Append { generation: Generation(0), slots: slots(bytes) };
        let mut backlog = Backlog::default();
        backlog.add(Time(5), JobId(1), &append(1_000));
        backlog.add(Time(6), JobId(2), &append(8 << 20));
        backlog.add(Time(7), JobId(3), &Job::Deliver { upto: Slot(1) });
        assert_eq!((backlog.jobs(), backlog.age(Time(9))), (2, Span(4)));
        assert!(backlog.bytes() >= (8 << 20) + 1_000);
        backlog.finish(JobId(1));
        assert_eq!((backlog.jobs(), backlog.age(Time(9))), (1, Span(3)));
        backlog.finish(JobId(3));
        assert_eq!((backlog.jobs(), backlog.bytes(), backlog.age(Time(9))), (0, 0, Span::ZERO));
    }
}
