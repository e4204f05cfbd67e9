//! A small machine for tests: numbered lists to append to, numbered counters to add to, and alarms.
//!
//! It serves the tests of sessions, which are about any machine; the queues have tests of their own. Every
//! answer shows the state behind it (a list's new length, a counter's new value), so that a command that was
//! executed twice, or not at all, shows in the next answer. Alarms fire by the slot clock alone, which makes
//! the group order empty slots.

use super::{Machine, Place, Progress, Ticket, Unrestored, pieces};
use crate::ids::{Digest, Slot};
use crate::time::{SlotClock, Span};
use crate::wire::{Malformed, Reader, Writer};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

/// The most moments at which alarms may stand. A further one is answered with [`Answer::Refused`].
pub const ALARMS_MAX: usize = 10_000;

/// The longest that an alarm may be ahead, in milliseconds: a day. A longer one is refused.
pub const ALARM_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Append an item to a list. Answered by [`Answer::Length`].
    Append {
        /// The list.
        list: u64,
        /// The item.
        item: Bytes,
    },
    /// Add to a counter; it wraps around. Answered by [`Answer::Value`].
    Add {
        /// The counter.
        counter: u64,
        /// How much.
        amount: u64,
    },
    /// Count one alarm when the slot clock has moved on by this much. Answered by [`Answer::Alarm`].
    Alarm {
        /// How long from now, in milliseconds.
        after_ms: u64,
    },
}

/// Something to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// A list. Answered by [`Answer::List`].
    List(u64),
    /// A counter. Answered by [`Answer::Value`].
    Counter(u64),
    /// The alarms. Answered by [`Answer::Alarms`].
    Alarms,
}

/// What the machine says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The list is this long now.
    Length(u64),
    /// The counter stands at this value now.
    Value(u64),
    /// The alarm will fire at this time.
    Alarm(SlotClock),
    /// What a list holds.
    List {
        /// How many items.
        length: u64,
        /// The last item, if there is one.
        last: Option<Bytes>,
    },
    /// How the alarms stand.
    Alarms {
        /// How many have fired.
        fired: u64,
        /// How many have not.
        pending: u64,
    },
    /// The bytes made no sense; nothing was changed.
    Malformed,
    /// A limit was reached; nothing was changed.
    Refused,
}

/// The items of a list, one behind the other.
#[derive(Clone, Debug, Default)]
struct List {
    length: u64,
    items: Vec<u8>,
    /// Where the last item begins.
    last: usize,
}

/// Lists, counters and alarms.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    slot: Slot,
    clock: SlotClock,
    lists: BTreeMap<u64, List>,
    counters: BTreeMap<u64, u64>,
    /// How many alarms fire at each moment.
    alarms: BTreeMap<SlotClock, u64>,
    fired: u64,
    /// Chained over every command with its answer, and every alarm that fired.
    digest: u128,
}

impl Machine for Lists {
    fn advance(&mut self, slot: Slot, clock: SlotClock) {
        (self.slot, self.clock) = (slot, clock);
    }

    fn settle(&mut self) -> bool {
        let Some(alarm) = self.alarms.first_entry().filter(|alarm| *alarm.key() <= self.clock) else { return false };
        let (at, count) = alarm.remove_entry();
        self.fired += count;
        self.chain(&[&self.slot.0.to_le_bytes(), &at.0.to_le_bytes()]);
        true
    }

    fn apply(&mut self, _: Place, _: Ticket, command: &Bytes, _room: usize, answer: &mut Vec<u8>) -> Progress {
        let from = answer.len();
        match Command::decode(command.clone()) {
            Ok(command) => self.execute(command),
            Err(Malformed) => Answer::Malformed,
        }
        .encode(answer);
        self.chain(&[command, &answer[from..]]);
        Progress::Answered
    }

    fn query(&self, question: &Bytes, answer: &mut Vec<u8>) {
        match Question::decode(question.clone()) {
            Ok(Question::List(list)) => {
                self.lists.get(&list).map_or(Answer::List { length: 0, last: None }, List::show)
            }
            Ok(Question::Counter(counter)) => Answer::Value(self.counters.get(&counter).copied().unwrap_or(0)),
            Ok(Question::Alarms) => Answer::Alarms { fired: self.fired, pending: self.alarms.values().sum() },
            Err(Malformed) => Answer::Malformed,
        }
        .encode(answer);
    }

    fn deadline(&self) -> Option<SlotClock> {
        self.alarms.first_key_value().map(|(at, _)| *at)
    }

    fn digest(&self) -> Digest {
        Digest(self.digest)
    }

    fn snapshot(&mut self) -> Vec<Bytes> {
        let mut w = Writer::new();
        w.u64(self.clock.0).u64(self.fired).digest(Digest(self.digest)).u64(self.lists.len() as u64);
        for (number, list) in &self.lists {
            w.u64(*number).u64(list.length).u64(list.last as u64).bytes(&list.items);
        }
        w.u64(self.counters.len() as u64);
        for (number, value) in &self.counters {
            w.u64(*number).u64(*value);
        }
        w.u64(self.alarms.len() as u64);
        for (at, count) in &self.alarms {
            w.u64(at.0).u64(*count);
        }
        pieces::cut(w.into_vec())
    }

    fn restore(&mut self, pieces: &[Bytes]) -> Result<(), Unrestored> {
        let mut r = Reader::new(pieces::join(pieces)?);
        let mut state = Lists { clock: SlotClock(r.u64()?), fired: r.u64()?, ..Lists::default() };
        state.digest = r.digest()?.0;
        for _ in 0..r.u64()? {
            let (number, length) = (r.u64()?, r.u64()?);
            let last = usize::try_from(r.u64()?).map_err(|_| Malformed)?;
            let items = Vec::from(r.bytes()?);
            if last > items.len() {
                return Err(Unrestored::Malformed);
            }
            state.lists.insert(number, List { length, items, last });
        }
        for _ in 0..r.u64()? {
            state.counters.insert(r.u64()?, r.u64()?);
        }
        for _ in 0..r.count(ALARMS_MAX)? {
            state.alarms.insert(SlotClock(r.u64()?), r.u64()?);
        }
        if r.remaining() > 0 {
            return Err(Unrestored::Malformed);
        }
        *self = state;
        Ok(())
    }
}

impl Lists {
    fn execute(&mut self, command: Command) -> Answer {
        match command {
            Command::Append { list, item } => {
                let list = self.lists.entry(list).or_default();
                list.length += 1;
                list.last = list.items.len();
                list.items.extend_from_slice(&item);
                Answer::Length(list.length)
            }
            Command::Add { counter, amount } => {
                let value = self.counters.entry(counter).or_default();
                *value = value.wrapping_add(amount);
                Answer::Value(*value)
            }
            Command::Alarm { after_ms } => {
                let at = self.clock + Span::millis(after_ms.min(ALARM_MS_MAX));
                let full = self.alarms.len() >= ALARMS_MAX && !self.alarms.contains_key(&at);
                if full || after_ms > ALARM_MS_MAX {
                    return Answer::Refused;
                }
                *self.alarms.entry(at).or_default() += 1;
                Answer::Alarm(at)
            }
        }
    }

    fn chain(&mut self, parts: &[&[u8]]) {
        for part in parts {
            let mut link = [0; 32];
            link[..16].copy_from_slice(&self.digest.to_le_bytes());
            link[16..].copy_from_slice(&xxh3_128(part).to_le_bytes());
            self.digest = xxh3_128(&link);
        }
    }
}

impl List {
    fn show(&self) -> Answer {
        let last = (self.length > 0).then(|| Bytes::copy_from_slice(&self.items[self.last..]));
        Answer::List { length: self.length, last }
    }
}

impl Command {
    /// The bytes that go into a request.
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::new();
        match self {
            Command::Append { list, item } => w.u8(1).u64(*list).raw(item),
            Command::Add { counter, amount } => w.u8(2).u64(*counter).u64(*amount),
            Command::Alarm { after_ms } => w.u8(3).u64(*after_ms),
        };
        w.into_bytes()
    }

    /// Reads what [`Command::encode`] wrote.
    pub fn decode(bytes: Bytes) -> Result<Command, Malformed> {
        let mut r = Reader::new(bytes);
        let command = match r.u8()? {
            1 => return Ok(Command::Append { list: r.u64()?, item: r.rest() }),
            2 => Command::Add { counter: r.u64()?, amount: r.u64()? },
            3 => Command::Alarm { after_ms: r.u64()? },
            _ => return Err(Malformed),
        };
        ended(r, command)
    }
}

impl Question {
    /// The bytes that go into a read.
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::new();
        match self {
            Question::List(list) => w.u8(1).u64(*list),
            Question::Counter(counter) => w.u8(2).u64(*counter),
            Question::Alarms => w.u8(3),
        };
        w.into_bytes()
    }

    /// Reads what [`Question::encode`] wrote.
    pub fn decode(bytes: Bytes) -> Result<Question, Malformed> {
        let mut r = Reader::new(bytes);
        let question = match r.u8()? {
            1 => Question::List(r.u64()?),
            2 => Question::Counter(r.u64()?),
            3 => Question::Alarms,
            _ => return Err(Malformed),
        };
        ended(r, question)
    }
}

impl Answer {
    /// Appends the answer's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer::onto(core::mem::take(out));
        match self {
            Answer::Length(length) => w.u8(1).u64(*length),
            Answer::Value(value) => w.u8(2).u64(*value),
            Answer::Alarm(at) => w.u8(3).u64(at.0),
            Answer::List { length, last: None } => w.u8(4).u64(*length),
            Answer::List { length, last: Some(last) } => w.u8(5).u64(*length).raw(last),
            Answer::Alarms { fired, pending } => w.u8(6).u64(*fired).u64(*pending),
            Answer::Malformed => w.u8(7),
            Answer::Refused => w.u8(8),
        };
        *out = w.into_vec();
    }

    /// Reads what [`Answer::encode`] wrote.
    pub fn decode(bytes: Bytes) -> Result<Answer, Malformed> {
        let mut r = Reader::new(bytes);
        let answer = match r.u8()? {
            1 => Answer::Length(r.u64()?),
            2 => Answer::Value(r.u64()?),
            3 => Answer::Alarm(SlotClock(r.u64()?)),
            4 => Answer::List { length: r.u64()?, last: None },
            5 => return Ok(Answer::List { length: r.u64()?, last: Some(r.rest()) }),
            6 => Answer::Alarms { fired: r.u64()?, pending: r.u64()? },
            7 => Answer::Malformed,
            8 => Answer::Refused,
            _ => return Err(Malformed),
        };
        ended(r, answer)
    }
}

/// `value`, unless bytes are left over.
fn ended<T>(r: Reader, value: T) -> Result<T, Malformed> {
    if r.remaining() == 0 { Ok(value) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(machine: &mut Lists, command: &Command) -> Answer {
        let mut answer = Vec::new();
        machine.apply(Place::default(), Ticket::default(), &command.encode(), 0, &mut answer);
        Answer::decode(Bytes::from(answer)).unwrap()
    }

    fn ask(machine: &Lists, question: Question) -> Answer {
        let mut answer = Vec::new();
        machine.query(&question.encode(), &mut answer);
        Answer::decode(Bytes::from(answer)).unwrap()
    }

    fn append(list: u64, item: &'static [u8]) -> Command {
        Command::Append { list, item: Bytes::from_static(item) }
    }

    #[test]
    fn every_answer_shows_the_state_behind_it() {
        let mut machine = Lists::default();
        assert_eq!(ask(&machine, Question::List(1)), Answer::List { length: 0, last: None });
        assert_eq!(run(&mut machine, &append(1, b"a")), Answer::Length(1));
        assert_eq!(run(&mut machine, &append(1, b"")), Answer::Length(2));
        assert_eq!(ask(&machine, Question::List(1)), Answer::List { length: 2, last: Some(Bytes::new()) });
        assert_eq!(run(&mut machine, &Command::Add { counter: 1, amount: 5 }), Answer::Value(5));
        assert_eq!(run(&mut machine, &Command::Add { counter: 1, amount: 5 }), Answer::Value(10));
        assert_eq!(ask(&machine, Question::Counter(1)), Answer::Value(10));
        assert_eq!(ask(&machine, Question::Counter(2)), Answer::Value(0));
    }

    #[test]
    fn alarms_fire_by_the_slot_clock() {
        let mut machine = Lists::default();
        machine.advance(Slot(1), SlotClock(1_000));
        assert_eq!(run(&mut machine, &Command::Alarm { after_ms: 2 }), Answer::Alarm(SlotClock(3_000)));
        assert_eq!(machine.deadline(), Some(SlotClock(3_000)));
        machine.advance(Slot(2), SlotClock(2_999));
        assert!(!machine.settle());
        assert_eq!(ask(&machine, Question::Alarms), Answer::Alarms { fired: 0, pending: 1 });
        let before = machine.digest();
        machine.advance(Slot(3), SlotClock(3_000));
        assert!(machine.settle() && !machine.settle());
        assert_eq!(ask(&machine, Question::Alarms), Answer::Alarms { fired: 1, pending: 0 });
        assert_ne!(machine.digest(), before);
        assert_eq!(machine.deadline(), None);
        assert_eq!(run(&mut machine, &Command::Alarm { after_ms: u64::MAX }), Answer::Refused);
    }

    #[test]
    fn what_makes_no_sense_is_answered_and_changes_nothing_but_the_digest() {
        let mut machine = Lists::default();
        for bytes in [&b""[..], b"\x09", b"\x02\x01", b"\x03\x01\x01"] {
            let mut answer = Vec::new();
            machine.apply(Place::default(), Ticket::default(), &Bytes::copy_from_slice(bytes), 0, &mut answer);
            assert_eq!(Answer::decode(Bytes::from(answer)), Ok(Answer::Malformed));
        }
        assert!(machine.lists.is_empty() && machine.counters.is_empty());
    }

    #[test]
    fn the_digest_tells_the_order() {
        let digest = |commands: [&Command; 2]| {
            let mut machine = Lists::default();
            commands.into_iter().for_each(|command| drop(run(&mut machine, command)));
            machine.digest()
        };
        let (a, b) = (append(1, b"a"), append(2, b"b"));
        assert_ne!(digest([&a, &b]), digest([&b, &a]));
    }

    #[test]
    fn a_snapshot_holds_all_of_it() {
        let mut machine = Lists::default();
        machine.advance(Slot(1), SlotClock(10));
        for n in 0..5_000u64 {
            run(&mut machine, &Command::Append { list: n % 3, item: Bytes::from(alloc::vec![7; 40]) });
            run(&mut machine, &Command::Add { counter: n % 7, amount: n });
        }
        run(&mut machine, &Command::Alarm { after_ms: 5 });
        let pieces = machine.snapshot();
        assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece.len() <= pieces::PIECE_BYTES_MAX));

        let mut copy = Lists::default();
        run(&mut copy, &append(99, b"goes away"));
        assert_eq!(copy.restore(&pieces[1..]), Err(Unrestored::Malformed));
        assert_eq!(
            ask(&copy, Question::List(99)),
            Answer::List { length: 1, last: Some(Bytes::from_static(b"goes away")) }
        );
        copy.restore(&pieces).unwrap();
        assert_eq!(copy.digest(), machine.digest());
        assert_eq!(copy.snapshot(), pieces);
        assert_eq!(run(&mut copy, &append(1, b"x")), run(&mut machine, &append(1, b"x")));
        assert_eq!(copy.deadline(), machine.deadline());
    }
}
