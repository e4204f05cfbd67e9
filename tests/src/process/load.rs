//! Clients that push, pop and draw numbers while things go wrong, and write down what they were told.

use super::ledger::Ledger;
use super::notes::Note;
use super::{Cluster, pause};
use ftq_client::{Blocking, Error, No, Options, QueueId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The queue that the load works on, and the sequence that it draws from.
pub(super) const NAME: &str = "load";

/// What one client does again and again.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// Pushes items, whose names begin with this.
    Push(String),
    /// Pops items.
    Pop,
    /// Draws numbers.
    Draw,
}

impl Work {
    /// Once, for the `turn`th time.
    pub(super) fn step(&self, client: &Blocking, queue: QueueId, turn: u64, write: &mut impl FnMut(Note)) {
        match self {
            Work::Push(name) => {
                let item = format!("{name}-{turn}");
                write(Note::Pushes(item.clone()));
                write(told(client.push(queue, [item]), |_| Note::Pushed));
            }
            Work::Pop => {
                write(Note::Pops);
                write(told(client.pop(queue), |item| Note::Popped(String::from_utf8_lossy(&item).into_owned())));
            }
            Work::Draw => {
                write(Note::Draws);
                write(told(client.get_ids(NAME, 1), |ids| Note::Drawn(ids.start)));
            }
        }
    }
}

fn told<T>(ended: Result<T, Error>, done: impl FnOnce(T) -> Note) -> Note {
    match ended {
        Ok(answer) => done(answer),
        Err(Error::No(No::Empty)) => Note::Nothing,
        Err(Error::Unknown) => Note::Unknown,
        Err(_) => Note::Refused,
    }
}

/// So many clients that push, as many that pop and one that draws numbers.
pub(super) fn work(name: &str, pairs: u32) -> Vec<Work> {
    let pushes = (0..pairs).map(|pusher| Work::Push(format!("{name}-{pusher}")));
    let pops = (0..pairs).map(|_| Work::Pop);
    pushes.chain(pops).chain([Work::Draw]).collect()
}

/// Clients at work in this process.
#[derive(Debug)]
pub struct Load {
    queue: QueueId,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Vec<Note>>>,
}

impl Load {
    /// So many clients that push, as many that pop and one that draws numbers, as fast as they can.
    pub fn start(cluster: &Cluster, pairs: u32) -> Load {
        Load::paced(&cluster.options(), pairs, Duration::ZERO)
    }

    /// The same, each with a pause after each thing that it did.
    pub fn paced(options: &Options, pairs: u32, rest: Duration) -> Load {
        let client = || Blocking::open(options.clone()).expect("a client");
        let queue = client().create(NAME).expect("the cluster serves");
        let stop = Arc::new(AtomicBool::new(false));
        let start = |work: Work| {
            let (client, stop) = (client(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut notes = Vec::new();
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    work.step(&client, queue, turn, &mut |note| notes.push(note));
                    if !rest.is_zero() {
                        pause(rest);
                    }
                }
                notes
            })
        };
        let workers = work(NAME, pairs).into_iter().map(start).collect();
        Load { queue, stop, workers }
    }

    /// Lets the clients finish, empties the queue, and hands over what they were told.
    pub fn finish(self, cluster: &Cluster) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        let mut ledger = Ledger::default();
        for worker in self.workers {
            let notes = worker.join().expect("a client does not panic");
            ledger.add(Ledger::of(notes).expect("a client writes down what it did"));
        }
        let rest = rest_of(&cluster.blocking(), self.queue).expect("the cluster serves");
        ledger.add(Ledger::of(rest).expect("it is written down"));
        ledger
    }
}

/// Empties a queue. A pop that is not answered ends it: by then the cluster has to serve.
pub(super) fn rest_of(client: &Blocking, queue: QueueId) -> Result<Vec<Note>, String> {
    let mut notes = Vec::new();
    loop {
        Work::Pop.step(client, queue, 0, &mut |note| notes.push(note));
        match notes.last() {
            Some(Note::Nothing) => return Ok(notes),
            Some(Note::Popped(_)) => {}
            other => return Err(format!("the queue can't be emptied: a pop ended with {other:?}")),
        }
    }
}
