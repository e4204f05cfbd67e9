//! Clients that push, pop and draw numbers while things go wrong, and a ledger of what they were told.
//!
//! Each item is pushed once, by one client, under a name of its own. What was acknowledged has to come
//! out, once; what nobody was told about may come out, once at most.

use super::Cluster;
use ftq_client::{Blocking, Error, No, QueueId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// What the clients were told.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Pushes that were acknowledged.
    pub pushed: BTreeSet<String>,
    /// Pushes of which nobody knows.
    pub perhaps_pushed: BTreeSet<String>,
    /// What came out, and how often.
    pub popped: BTreeMap<String, u32>,
    /// Pops of which nobody knows: each may have taken an item.
    pub perhaps_popped: usize,
    /// Numbers drawn.
    pub ids: Vec<u64>,
    /// Draws of which nobody knows: each may have taken a number.
    pub perhaps_drawn: usize,
    /// Errors that said that nothing was done.
    pub refused: Vec<Error>,
}

/// What one client does again and again; turns count from 0.
type Step = Box<dyn FnMut(&Blocking, u64, &mut Ledger) + Send>;

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    queue: QueueId,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Ledger>>,
}

impl Load {
    /// So many clients that push, as many that pop and one that draws numbers, on a queue of their own.
    pub fn start(cluster: &Cluster, pairs: u32) -> Load {
        let client = cluster.blocking();
        let queue = client.create("load").expect("the cluster serves");
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = Vec::new();
        let mut work = |mut step: Step| {
            let (client, stop) = (cluster.blocking(), Arc::clone(&stop));
            workers.push(std::thread::spawn(move || {
                let mut ledger = Ledger::default();
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    step(&client, turn, &mut ledger);
                }
                ledger
            }));
        };
        for pusher in 0..pairs {
            work(Box::new(move |client, turn, ledger| ledger.push(client, queue, format!("{pusher}-{turn}"))));
            work(Box::new(move |client, _, ledger| {
                ledger.pop(client, queue);
            }));
        }
        work(Box::new(move |client, _, ledger| ledger.draw(client)));
        Load { queue, stop, workers }
    }

    /// Lets the clients finish, empties the queue, and hands over what they were told.
    pub fn finish(self, cluster: &Cluster) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        let mut ledger = Ledger::default();
        for worker in self.workers {
            ledger.add(worker.join().expect("a client does not panic"));
        }
        let client = cluster.blocking();
        while ledger.pop(&client, self.queue) {}
        ledger
    }
}

impl Ledger {
    fn push(&mut self, client: &Blocking, queue: QueueId, item: String) {
        match client.push(queue, [item.clone()]) {
            Ok(_) => drop(self.pushed.insert(item)),
            Err(Error::Unknown) => drop(self.perhaps_pushed.insert(item)),
            Err(error) => self.refused.push(error),
        }
    }

    /// Whether there may be more.
    fn pop(&mut self, client: &Blocking, queue: QueueId) -> bool {
        match client.pop(queue) {
            Ok(item) => *self.popped.entry(String::from_utf8_lossy(&item).into_owned()).or_default() += 1,
            Err(Error::No(No::Empty)) => return false,
            Err(Error::Unknown) => self.perhaps_popped += 1,
            Err(error) => self.refused.push(error),
        }
        true
    }

    fn draw(&mut self, client: &Blocking) {
        match client.get_ids("load", 1) {
            Ok(ids) => self.ids.extend(ids),
            Err(Error::Unknown) => self.perhaps_drawn += 1,
            Err(error) => self.refused.push(error),
        }
    }

    fn add(&mut self, other: Ledger) {
        self.pushed.extend(other.pushed);
        self.perhaps_pushed.extend(other.perhaps_pushed);
        for (item, times) in other.popped {
            *self.popped.entry(item).or_default() += times;
        }
        self.perhaps_popped += other.perhaps_popped;
        self.ids.extend(other.ids);
        self.perhaps_drawn += other.perhaps_drawn;
        self.refused.extend(other.refused);
    }

    /// Whether each call has ended as if nothing had gone wrong.
    pub fn is_untroubled(&self) -> bool {
        self.perhaps_pushed.is_empty() && self.perhaps_popped + self.perhaps_drawn == 0 && self.refused.is_empty()
    }

    /// Holds the ledger against what a queue promises.
    pub fn check(&mut self) -> Result<(), String> {
        if let Some((item, times)) = self.popped.iter().find(|(_, times)| **times > 1) {
            return Err(format!("{item} came out {times} times"));
        }
        let strange = |item: &&String| !self.pushed.contains(*item) && !self.perhaps_pushed.contains(*item);
        if let Some(item) = self.popped.keys().find(strange) {
            return Err(format!("{item} came out, and was never pushed"));
        }
        let lost: Vec<&String> = self.pushed.iter().filter(|item| !self.popped.contains_key(*item)).collect();
        if lost.len() > self.perhaps_popped {
            return Err(format!("{} items were acknowledged and never came out: {lost:?}", lost.len()));
        }
        self.ids.sort_unstable();
        if let Some(twice) = self.ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("number {} was drawn twice", twice[0]));
        }
        let gaps = self.ids.last().map_or(0, |last| last - self.ids.len() as u64);
        if gaps > self.perhaps_drawn as u64 {
            return Err(format!("{gaps} numbers are missing, {} draws ended unknown", self.perhaps_drawn));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let pushed = ["a", "b"].map(str::to_owned).into();
        Ledger {
            pushed,
            popped: [("a".to_owned(), 1), ("b".to_owned(), 1)].into(),
            ids: vec![2, 1],
            ..Ledger::default()
        }
    }

    #[test]
    fn a_ledger_that_is_right_passes() {
        assert_eq!(ledger().check(), Ok(()));
    }

    #[test]
    fn each_broken_promise_is_found() {
        let mut lost = ledger();
        lost.popped.remove("a");
        let mut twice = ledger();
        twice.popped.insert("a".to_owned(), 2);
        let mut strange = ledger();
        strange.popped.insert("c".to_owned(), 1);
        let mut drawn_twice = ledger();
        drawn_twice.ids.push(2);
        let mut gap = ledger();
        gap.ids.push(4);
        for broken in [&mut lost, &mut twice, &mut strange, &mut drawn_twice, &mut gap] {
            assert!(broken.check().is_err(), "{broken:?}");
        }
    }

    #[test]
    fn what_ended_unknown_excuses_as_much_and_no_more() {
        let mut lost = ledger();
        lost.popped.remove("a");
        lost.perhaps_popped = 1;
        assert_eq!(lost.check(), Ok(()));
        lost.popped.remove("b");
        assert!(lost.check().is_err());
    }
}
