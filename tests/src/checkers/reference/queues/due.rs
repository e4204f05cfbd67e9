//! What happens by itself when its time has come, and where items go that come back.

use super::super::queue::{Item, State, counted};
use super::{Due, Naive};
use ftq_core::machine::queues::{Answer, Error, QueueId, Reply};
use ftq_core::session::message::SessionId;
use ftq_core::time::SlotClock;

impl Naive {
    pub(super) fn do_due(&mut self, (at, waits, id, item, position): Due) {
        let id = QueueId(id);
        if waits {
            let first = self.waits.iter().enumerate().filter(|(_, wait)| wait.until == at).map(|(n, _)| n).min();
            let wait = self.waits.remove(first.expect("whose time is over"));
            self.completed.push((wait.ticket, Err(Error::Empty)));
        } else if item {
            let touched = self.item_due(id, position, at);
            self.touched.insert(touched);
        } else {
            let keys = &mut self.queues.get_mut(&id).expect("a queue with a key").keys;
            let first = keys.iter().enumerate().filter(|(_, key)| key.3 == at).min_by_key(|(_, key)| &key.0);
            let (n, _) = first.expect("the key that is due");
            keys.remove(n);
        }
    }

    /// The leases of sessions that are gone.
    pub(super) fn orphans(&self) -> impl Iterator<Item = (SessionId, QueueId, u64)> {
        self.queues.iter().flat_map(|(id, queue)| {
            queue.items.iter().filter_map(|item| match item.state {
                State::Leased { session, .. } if self.gone.contains(&session) => Some((session, *id, item.position)),
                State::Ready | State::Delayed { .. } | State::Leased { .. } => None,
            })
        })
    }

    pub(super) fn send_back(&mut self, id: QueueId, count: u64) -> Reply {
        let count = counted(count)?;
        let dead = self.find(id)?.in_order().into_iter();
        let back = dead.filter(|item| item.origin.is_some_and(|origin| self.queues.contains_key(&origin)));
        let back: Vec<Item> = back.take(count).cloned().collect();
        if back.is_empty() {
            return Err(Error::Empty);
        }
        for (n, item) in back.iter().enumerate() {
            let origin = item.origin.expect("one that was filtered");
            let same = || back[..=n].iter().filter(|other| other.origin == Some(origin));
            let bytes = same().map(|item| item.item.len() as u64).sum();
            self.find(origin)?.takes(same().count() as u64, bytes)?;
        }
        let mut touched = Vec::new();
        for item in &back {
            let queue = self.queues.get_mut(&id).expect("a queue that is there");
            let at = queue.at(item.position);
            queue.items.remove(at);
            queue.totals.moved += 1;
            let origin = item.origin.expect("one that was filtered");
            touched.push(origin);
            let queue = self.queues.get_mut(&origin).expect("one that was filtered");
            queue.last += 1;
            queue.totals.pushed += 1;
            queue.items.push(Item {
                position: queue.last,
                came_ms: self.clock.0 / 1_000,
                deliveries: 0,
                expires: None,
                origin: None,
                plain: true,
                ..item.clone()
            });
        }
        self.touched.extend(touched);
        Ok(Answer::Done { count: back.len() as u64 })
    }

    /// Something is due about an item; says which queue may have got something ready.
    pub(super) fn item_due(&mut self, id: QueueId, position: u64, at: SlotClock) -> QueueId {
        let queue = self.queues.get_mut(&id).expect("a queue in which something is due");
        let n = queue.at(position);
        if let State::Leased { .. } = queue.items[n].state {
            return self.give_back(id, position, at, None);
        }
        if queue.items[n].expires.is_some_and(|expires| expires <= at) {
            queue.items.remove(n);
            queue.totals.expired += 1;
        } else {
            queue.items[n].state = State::Ready;
        }
        id
    }

    /// A lease ends without an ack.
    pub(super) fn give_back(&mut self, id: QueueId, position: u64, at: SlotClock, until: Option<SlotClock>) -> QueueId {
        let queue = &self.queues[&id];
        let n = queue.at(position);
        let item = queue.items[n].clone();
        let too_often = queue.settings.deliveries_max.is_some_and(|max| item.deliveries >= max);
        let target = queue.settings.dead_letters.filter(|dead| too_often && self.queues.contains_key(dead));
        let queue = self.queues.get_mut(&id).expect("a queue with a lease");
        if item.expires.is_some_and(|expires| expires <= at) {
            queue.items.remove(n);
            queue.totals.expired += 1;
            return id;
        }
        let Some(target) = target else {
            queue.totals.returned += 1;
            queue.items[n].state = until.map_or(State::Ready, |until| State::Delayed { until });
            return id;
        };
        queue.items.remove(n);
        queue.totals.moved += 1;
        let dead = self.queues.get_mut(&target).expect("a queue that was looked for");
        dead.last += 1;
        dead.totals.pushed += 1;
        dead.items.push(Item {
            position: dead.last,
            came_ms: self.clock.0 / 1_000,
            deliveries: 0,
            expires: None,
            state: State::Ready,
            origin: Some(id),
            ..item
        });
        target
    }

    pub(super) fn due(&self) -> impl Iterator<Item = Due> {
        let waits = self.waits.iter().enumerate().map(|(n, wait)| (wait.until, true, n as u64, false, 0));
        let queues = self.queues.iter().flat_map(|(id, queue)| {
            let keys = queue.keys.iter().map(|key| (key.3, false, id.0, false, 0));
            let items = queue.items.iter().filter_map(|item| Some((item.due()?, false, id.0, true, item.position)));
            keys.chain(items)
        });
        waits.chain(queues)
    }
}
