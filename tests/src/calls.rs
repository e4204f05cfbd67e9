//! What clients call: commands and questions about few queues, so that they meet, and what the answers
//! teach about them.

use crate::checkers::reference::shown::BROWSED;
use crate::faults::index;
use bytes::Bytes;
use ftq_core::chance::Chance;
use ftq_core::machine::queues::{
    Answer, Command, Error, Label, PRIORITY_DEFAULT, PushOptions, Question, QueueId, Receipt, Settings, decode_reply,
};
use std::collections::BTreeMap;

/// How many queues and how many sequences the clients share.
const KEYS: u64 = 3;

/// How many receipts a client remembers; older ones have mostly run out.
const RECEIPTS_MAX: usize = 16;

/// What one client knows and does.
#[derive(Clone, Debug)]
pub struct Caller {
    index: u64,
    /// Numbers the items, so that no two are alike.
    items: u64,
    queues: BTreeMap<Label, QueueId>,
    receipts: Vec<(QueueId, Receipt)>,
}

/// The label of a queue or a sequence.
pub fn label(key: u64) -> Label {
    Label::parse(format!("key {key}").as_bytes()).expect("a label")
}

impl Caller {
    /// A client that knows nothing.
    pub fn new(index: usize) -> Caller {
        Caller { index: index as u64, items: 0, queues: BTreeMap::new(), receipts: Vec::new() }
    }

    /// Makes a queue, pushes, pops or draws numbers; with up to so many bytes more than an item needs.
    pub fn command(&mut self, c: &mut Chance, padding: usize) -> Command {
        let name = label(c.below(KEYS));
        let Some(queue) = self.queues.get(&name).copied() else { return Command::Create { label: name } };
        match c.below(3) {
            0 => Command::Push { queue, items: vec![self.item(c, padding)], options: PushOptions::default() },
            1 => Command::Pop { queue, count: 1, wait_ms: 0 },
            _ => Command::GetId { name, count: 1 + c.below(3) },
        }
    }

    /// Does anything that there is; waits for no longer than `patience_ms`.
    pub fn any(&mut self, c: &mut Chance, patience_ms: u64, padding: usize) -> Command {
        let name = label(c.below(KEYS));
        let Some(queue) = self.queues.get(&name).copied() else { return Command::Create { label: name } };
        let wait_ms = if c.below(2) == 0 { 0 } else { c.below(patience_ms.min(1_500)) };
        match c.below(100) {
            0..20 => Command::Take { queue, count: 1 + c.below(3), lease_ms: 20 + c.below(800), wait_ms },
            20..32 => Command::Pop { queue, count: 1 + c.below(3), wait_ms },
            32..54 => self.push(c, queue, padding),
            54..78 => self.settle(c, queue),
            78..86 => {
                let step = self.settle(c, queue);
                Command::Steps(vec![step, self.push(c, queue, padding), Command::GetId { name, count: 1 }])
            }
            86..92 => {
                let dead = label(c.below(KEYS));
                let dead_letters = self.queues.get(&dead).copied().filter(|dead| *dead != queue);
                let (deliveries_max, items_max) = (Some(1 + c.below(3)), (c.below(3) == 0).then_some(20));
                let settings = Settings { deliveries_max, items_max, dead_letters, ..Settings::default() };
                Command::Configure { queue, settings: Settings { key_window_ms: 1 + c.below(3_000), ..settings } }
            }
            92..95 => Command::Pause { queue, paused: c.below(3) == 0 },
            95..97 => Command::SendBack { queue, count: 1 + c.below(4) },
            97 => Command::Purge { queue },
            98 => Command::Destroy { queue },
            _ => Command::Create { label: name },
        }
    }

    /// Asks something.
    pub fn question(&self, c: &mut Chance) -> Question {
        let name = label(c.below(KEYS));
        let Some(queue) = self.queues.get(&name).copied() else { return Question::Id { label: name } };
        match c.below(6) {
            0 => Question::Id { label: name },
            1 => Question::Next { name },
            2 => Question::Top { queue },
            3 => Question::Size { queue },
            4 => Question::Browse { queue, after: (0, 0), count: BROWSED },
            _ => Question::Statistics { queue },
        }
    }

    /// What an answer teaches.
    pub fn learn(&mut self, command: &Bytes, answer: &Bytes) {
        let Ok(command) = Command::decode(command) else { return };
        match (command, decode_reply(answer)) {
            (Command::Create { label }, Ok(Answer::Queue(queue))) => {
                self.queues.insert(label, queue);
            }
            (Command::Take { queue, .. }, Ok(Answer::Taken(deliveries))) => {
                self.receipts.extend(deliveries.iter().map(|delivery| (queue, delivery.receipt)));
                let late = self.receipts.len().saturating_sub(RECEIPTS_MAX);
                self.receipts.drain(..late);
            }
            (
                Command::Push { queue, .. } | Command::Pop { queue, .. } | Command::Take { queue, .. },
                Err(Error::NoSuchQueue),
            ) => {
                self.queues.retain(|_, known| *known != queue);
            }
            (_, Ok(_) | Err(_)) => {}
        }
    }

    /// A push in one way or another.
    fn push(&mut self, c: &mut Chance, queue: QueueId, padding: usize) -> Command {
        let mut options = PushOptions::default();
        match c.below(8) {
            0 => options.priority = PRIORITY_DEFAULT - 1 + u8::try_from(c.below(3)).unwrap_or(0),
            1 => options.delay_ms = c.below(600),
            2 => options.ttl_ms = Some(1 + c.below(600)),
            3 => options.key = Some(label(c.below(KEYS))),
            _ => {}
        }
        let items = (0..=c.below(3)).map(|_| self.item(c, padding)).collect();
        Command::Push { queue, items, options }
    }

    /// Ends a lease, or makes it longer; now and then one that ended long ago.
    fn settle(&mut self, c: &mut Chance, queue: QueueId) -> Command {
        if self.receipts.is_empty() {
            return Command::Ack { queue, receipts: vec![Receipt { position: 1, token: 1 }] };
        }
        let at = index(c, self.receipts.len());
        let (queue, receipt) = self.receipts[at];
        if c.below(4) > 0 {
            self.receipts.remove(at);
        }
        let receipts = vec![receipt];
        match c.below(4) {
            0 => Command::Nack { queue, receipts, delay_ms: if c.below(2) == 0 { 0 } else { c.below(300) } },
            1 => Command::Touch { queue, receipts, lease_ms: 1 + c.below(500) },
            _ => Command::Ack { queue, receipts },
        }
    }

    /// An item that is like no other.
    fn item(&mut self, c: &mut Chance, padding: usize) -> Bytes {
        self.items += 1;
        let mut item = (self.index << 32 | self.items).to_le_bytes().to_vec();
        item.resize(8 + index(c, padding + 1), 0);
        item.into()
    }
}
