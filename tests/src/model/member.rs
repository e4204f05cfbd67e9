//! One member of the model: the real group over a disk that is a list.

use super::{MEMBERS, id};
use ftq_core::group::{self, Group, Options, Timing};
use ftq_core::ids::{BootId, ClusterId, MemberId, MemberSet, StoreId};
use ftq_core::replica::Order;
use ftq_core::store::{Generation, Job, JobId, Mark, Opened, Report, SlotRecord};
use ftq_core::time::Time;
use std::collections::VecDeque;

/// A member, its disk, and what is on the way there.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) group: Group,
    pub(super) boot: BootId,
    /// The epoch of its streams, and who else is in it.
    pub(super) epoch: u64,
    pub(super) others: MemberSet,
    /// Its mark, as it said it last in that epoch.
    pub(super) said: Vec<u8>,
    /// The boots that it believes.
    pub(super) believed: [BootId; MEMBERS],
    /// When each member was heard last.
    pub(super) heard: [Time; MEMBERS],
    pub(super) disk: Opened,
    pub(super) jobs: VecDeque<(JobId, Job)>,
    generation: Generation,
}

/// What has become durable by one job.
pub(super) enum Done {
    /// These slots, in the log view of the disk.
    Slots(Vec<SlotRecord>),
    /// A view over the whole log.
    View,
    /// Nothing that is counted.
    Other,
}

impl Member {
    /// A member that starts on this disk.
    pub(super) fn start(now: Time, index: usize, run: u8, disk: Opened) -> Member {
        let options = Options {
            me: id(index),
            cluster: ClusterId([7; 16]),
            founding: (0..MEMBERS).map(id).collect(),
            order: Order::Rotating,
            log_keep: 100,
            rules: 1,
            timing: Timing::default(),
        };
        let mut boot = [id(index).number(); 16];
        boot[0] = run;
        let group = Group::new(now, options, BootId(boot), u64::from(run), disk.clone());
        Member {
            group,
            boot: BootId(boot),
            epoch: 0,
            others: MemberSet::EMPTY,
            said: Vec::new(),
            believed: [BootId::default(); MEMBERS],
            heard: [now; MEMBERS],
            disk,
            jobs: VecDeque::new(),
            generation: Generation(0),
        }
    }

    /// A disk with nothing on it: its first one, or one of those that came after it.
    pub(super) fn blank(index: usize, after: u8) -> Opened {
        let mut store = [id(index).number(); 16];
        store[0] += after << 4;
        Opened { store: StoreId(store), ..Opened::default() }
    }

    /// Whether the first job that is on the way is one of those that nobody waits for.
    pub(super) fn is_idle_job(&self) -> bool {
        self.jobs.front().is_some_and(|(_, job)| match job {
            Job::Deliver { .. } | Job::Heard { .. } | Job::Snapshot { .. } | Job::Cut { .. } => true,
            Job::Append { .. }
            | Job::Promise { .. }
            | Job::Install { .. }
            | Job::Electorate { .. }
            | Job::CatchUp { .. }
            | Job::Adopt { .. } => false,
        })
    }

    /// The first job that is on the way becomes durable: what that comes to, and the report of it.
    pub(super) fn sync(&mut self) -> Option<(Done, Option<Report>)> {
        let (job, what) = self.jobs.pop_front()?;
        let ordinal = self.disk.shown.ordinal + 1;
        let done = match what {
            Job::Append { generation, slots } => {
                self.generation = generation;
                self.disk.tail.extend(slots.iter().cloned());
                Done::Slots(slots)
            }
            Job::Promise { ballot } => {
                self.disk.promise = ballot;
                Done::Other
            }
            Job::Electorate { electorate } => {
                self.disk.electorate = Some(electorate);
                Done::Other
            }
            Job::Install { generation, view, configuration, keep, slots } => {
                self.generation = generation;
                self.disk.tail.retain(|record| record.slot <= keep);
                self.disk.tail.extend(slots);
                (self.disk.view, self.disk.configuration) = (view, Some(configuration));
                Done::View
            }
            Job::CatchUp { generation, slots } => {
                self.generation = generation;
                self.catch_up(slots);
                Done::Other
            }
            Job::Deliver { upto } => {
                let (delivered, tail) = std::mem::take(&mut self.disk.tail).into_iter().partition(|r| r.slot <= upto);
                let delivered: Vec<SlotRecord> = delivered;
                self.disk.tail = tail;
                self.disk.delivered.extend(delivered);
                return Some((Done::Other, Some(Report::Delivered { upto })));
            }
            Job::Heard { marks } => {
                self.disk.heard = marks;
                return Some((Done::Other, None));
            }
            // Nothing is so far behind here that it would need a snapshot.
            Job::Adopt { .. } | Job::Snapshot { .. } | Job::Cut { .. } => return Some((Done::Other, None)),
        };
        let end = self.log().last().map(|record| record.slot).unwrap_or_default();
        let (promise, view) = (self.disk.promise, self.disk.view.ballot);
        self.disk.shown = Mark { ordinal, promise, view, end };
        Some((done, Some(Report::Durable { job, generation: self.generation, end, ordinal })))
    }

    /// Committed slots replace what differs from them.
    fn catch_up(&mut self, slots: Vec<SlotRecord>) {
        let (Some(first), Some(last)) = (slots.first().cloned(), slots.last().cloned()) else { return };
        let agrees = self.disk.tail.iter().any(|r| r.slot == last.slot && r.digest == last.digest);
        let mut above: Vec<SlotRecord> = std::mem::take(&mut self.disk.tail);
        let below: Vec<SlotRecord> = above.iter().filter(|r| r.slot < first.slot).cloned().collect();
        above.retain(|record| agrees && record.slot > last.slot);
        self.disk.delivered.extend(below);
        self.disk.delivered.extend(slots);
        self.disk.tail = above;
    }

    /// What the disk holds of the log.
    pub(super) fn log(&self) -> impl DoubleEndedIterator<Item = &SlotRecord> {
        self.disk.delivered.iter().chain(&self.disk.tail)
    }

    /// The member's mark, as it rides on every packet.
    pub(super) fn trailer(&self, now: Time) -> Vec<u8> {
        let mut w = ftq_core::wire::Writer::new();
        self.group.trailer(now, &mut w);
        w.into_vec()
    }
}

/// Whom a member hears.
pub(super) struct Ears(pub(super) [Time; MEMBERS]);

impl group::Mesh for Ears {
    fn heard_at(&self, member: MemberId) -> Option<Time> {
        self.0.get(usize::from(member.number()) - 1).copied()
    }

    fn gap_since(&self, _: MemberId) -> Option<Time> {
        None
    }

    fn full_size_at(&self, member: MemberId) -> Option<Time> {
        self.heard_at(member)
    }
}
