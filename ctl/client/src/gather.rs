//! Single pushes that wait for one another go in one request, without being asked to.
//!
//! ```text
//!            fewer than a few under way ──────────────▶ goes alone, at once
//!  push ──▶ ┤
//!            else waits until one of those has ended ─▶ goes with all that have waited for the same
//! ```
//! Always: the items of a push stand next to one another, and a push is done whole or not at all, whatever it went
//! with: a request that is refused because of one of them is sent again in halves. A push with a key stays alone.

use crate::driver::{Answer, REQUEST_BYTES_MAX, Said};
use crate::error::Error;
use async_channel::Sender;
use bytes::Bytes;
use ftq_core::machine::Place;
use ftq_core::machine::queues::{
    self, Answer as Done, BATCH_ITEMS_MAX, Command, PushOptions, QueueId, decode_reply, encode_reply,
};
use ftq_core::time::{Span, Time};
use std::collections::{BTreeMap, VecDeque};

/// So many pushes of a kind are under way before the next ones wait for them: one alone has no answer before the next
/// comes, and many cost each other more than they gain.
const UNDER_WAY: usize = 4;

/// What goes in one request, unless a single push is larger.
const BYTES_MAX: usize = 256 << 10;
const ITEMS_MAX: usize = 4_096;

/// Whose time runs out so much later waits for the next request: it is not to end with the first one. Nor if that is a
/// good part of the time that is left.
const APART: Span = Span::millis(500);
const APART_SHARE: u64 = 8;

/// What a request has beside its items, and an item beside its bytes, at most.
pub(crate) const HEAD_BYTES: usize = 64;
pub(crate) const ITEM_HEAD_BYTES: usize = 5;

/// Pushes of one kind may go together: to the same queue, with the same options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    queue: QueueId,
    priority: u8,
    delay_ms: u64,
    ttl_ms: Option<u64>,
}

/// A push, and who waits for it.
#[derive(Debug)]
pub(crate) struct Push {
    pub(crate) items: Vec<Bytes>,
    pub(crate) deadline: Time,
    pub(crate) answer: Sender<Answer>,
}

/// Pushes that go in one request.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) kind: Kind,
    pushes: Vec<Push>,
    /// Why it was refused, with others.
    refused: Option<queues::Error>,
}

/// The pushes that wait, and how many requests with pushes are under way.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    kinds: BTreeMap<Kind, Line>,
    waiting: usize,
}

#[derive(Debug, Default)]
struct Line {
    under_way: usize,
    /// By their deadlines: those of one client have all the same time.
    waiting: VecDeque<Push>,
    /// Halves of what was refused.
    again: Vec<Batch>,
}

impl Kind {
    /// The kind of a push with these options, if it may go with others. It has to be small enough for a request.
    pub(crate) fn of(queue: QueueId, items: &[Bytes], options: &PushOptions) -> Option<Kind> {
        let PushOptions { priority, delay_ms, ttl_ms, key } = options;
        let fits = !items.is_empty() && items.len() <= BATCH_ITEMS_MAX && bytes_of(items) <= REQUEST_BYTES_MAX;
        let kind = Kind { queue, priority: *priority, delay_ms: *delay_ms, ttl_ms: *ttl_ms };
        (fits && key.is_none()).then_some(kind)
    }

    fn options(self) -> PushOptions {
        PushOptions { priority: self.priority, delay_ms: self.delay_ms, ttl_ms: self.ttl_ms, key: None }
    }
}

impl Gather {
    /// Another push.
    pub(crate) fn add(&mut self, kind: Kind, push: Push) {
        self.kinds.entry(kind).or_default().waiting.push_back(push);
        self.waiting += 1;
    }

    /// The next ones that may go, together.
    pub(crate) fn next(&mut self, now: Time) -> Option<Batch> {
        let (kind, line) = self.kinds.iter_mut().find(|(_, line)| line.under_way < UNDER_WAY && !line.is_empty())?;
        let batch = match line.again.pop() {
            Some(half) => half,
            None => Batch { kind: *kind, pushes: line.together(now), refused: None },
        };
        line.under_way += 1;
        self.waiting -= batch.pushes.len();
        Some(batch)
    }

    /// A request with pushes of this kind has ended.
    pub(crate) fn ended(&mut self, kind: Kind) {
        if let Some(line) = self.kinds.get_mut(&kind) {
            line.under_way -= 1;
            if line.under_way == 0 && line.is_empty() {
                self.kinds.remove(&kind);
            }
        }
    }

    /// A part of a request has to be tried again.
    pub(crate) fn again(&mut self, half: Batch) {
        self.waiting += half.pushes.len();
        self.kinds.entry(half.kind).or_default().again.push(half);
    }

    /// Those whose time has run out before they went.
    pub(crate) fn late(&mut self, now: Time) -> Vec<Push> {
        let kinds = self.kinds.values_mut();
        let late: Vec<Push> = kinds.flat_map(|line| line.late(now)).collect();
        self.waiting -= late.len();
        late
    }

    /// Those of a kind whose time runs out so soon that they will not go: what was said to others of this kind holds
    /// for them too.
    pub(crate) fn hopeless(&mut self, kind: Kind, now: Time) -> Vec<Push> {
        let late = self.kinds.get_mut(&kind).map_or(Vec::new(), |line| line.late(now + APART));
        self.waiting -= late.len();
        late
    }

    /// When the time of the first one runs out.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.kinds.values().filter_map(|line| line.waiting.front()).map(|push| push.deadline).min()
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }
}

impl Line {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.again.is_empty()
    }

    fn late(&mut self, now: Time) -> Vec<Push> {
        self.waiting.drain(..self.waiting.partition_point(|push| push.deadline <= now)).collect()
    }

    /// As many as fit one request, from the first one on.
    fn together(&mut self, now: Time) -> Vec<Push> {
        let mut pushes = Vec::from_iter(self.waiting.pop_front());
        let Some(first) = pushes.first() else { return pushes };
        let (mut bytes, mut items) = (bytes_of(&first.items), first.items.len());
        let until = first.deadline + APART.min(first.deadline.since(now).part(APART_SHARE));
        while let Some(next) = self.waiting.front() {
            bytes += bytes_of(&next.items);
            items += next.items.len();
            if bytes > BYTES_MAX || items > ITEMS_MAX || next.deadline > until {
                break;
            }
            pushes.extend(self.waiting.pop_front());
        }
        pushes
    }
}

impl Batch {
    /// The one command for all of them.
    pub(crate) fn command(&self) -> Bytes {
        let items = self.pushes.iter().flat_map(|push| &push.items).cloned().collect();
        Command::Push { queue: self.kind.queue, items, options: self.kind.options() }.encode()
    }

    /// When it is given up: nobody is kept waiting longer than was asked for.
    pub(crate) fn deadline(&self) -> Time {
        self.pushes.iter().map(|push| push.deadline).min().unwrap_or(Time(0))
    }

    /// Why it was refused before, if its time is over now.
    pub(crate) fn is_over(&self, now: Time) -> Option<queues::Error> {
        self.refused.filter(|_| self.deadline() <= now)
    }

    /// Tells each how its push ended; gives the halves back in which it has to be tried again.
    pub(crate) fn end(self, answer: Answer) -> Vec<Batch> {
        let Batch { kind, mut pushes, refused: _ } = self;
        let reply = answer.as_ref().map(|said| decode_reply(&said.bytes)).map_err(|error| *error);
        match reply {
            Ok(Err(why)) if pushes.len() > 1 && is_for_one(why) => {
                let behind = pushes.split_off(pushes.len() / 2);
                return [behind, pushes].map(|pushes| Batch { kind, pushes, refused: Some(why) }).into();
            }
            Ok(Ok(Done::Pushed { first, count: _ })) if pushes.len() > 1 => {
                let place = answer.map(|said| said.place).unwrap_or_default();
                let mut next = first;
                for push in pushes {
                    let count = push.items.len() as u64;
                    let mut bytes = Vec::new();
                    encode_reply(&Ok(Done::Pushed { first: next, count }), &mut bytes);
                    next += count;
                    tell(&push, Ok(Said { place, bytes: bytes.into(), is_alone: true }));
                }
            }
            // To one alone it is said as it was said, and so is what is the same for all.
            Ok(_) | Err(_) => Batch { kind, pushes, refused: None }.tell(&answer),
        }
        Vec::new()
    }

    /// Tells all of them the same.
    pub(crate) fn tell(&self, answer: &Answer) {
        for push in &self.pushes {
            tell(push, answer.clone());
        }
    }
}

/// Whether some of the pushes alone may go through where all together did not.
fn is_for_one(why: queues::Error) -> bool {
    matches!(
        why,
        queues::Error::QueueFull
            | queues::Error::MemoryLimit
            | queues::Error::ItemTooLarge
            | queues::Error::RequestTooLarge
            | queues::Error::BadCount
    )
}

/// What items take in a request, at most.
pub(crate) fn bytes_of(items: &[Bytes]) -> usize {
    HEAD_BYTES + items.iter().map(|item| item.len() + ITEM_HEAD_BYTES).sum::<usize>()
}

fn tell(push: &Push, answer: Answer) {
    // Who asked may have gone.
    let _ = push.answer.try_send(answer);
}

/// What a machine says that refuses a push.
pub(crate) fn no(why: queues::Error) -> Answer {
    let mut bytes = Vec::new();
    encode_reply(&Err(why), &mut bytes);
    Ok(Said { place: Place::default(), bytes: bytes.into(), is_alone: true })
}

/// A push that did not go in time was not done.
pub(crate) fn unsent(push: &Push, error: Error) {
    tell(push, Err(error));
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_channel::Receiver;

    const SECOND: u64 = 1_000_000;

    fn kind(queue: u64) -> Kind {
        Kind::of(QueueId(queue), &[Bytes::from_static(b"x")], &PushOptions::default()).expect("a push like any")
    }

    fn push(n: usize, bytes: usize, deadline: u64) -> (Push, Receiver<Answer>) {
        let (answer, answered) = async_channel::bounded(1);
        let items = vec![Bytes::from(vec![b'x'; bytes]); n];
        (Push { items, deadline: Time(deadline), answer }, answered)
    }

    fn said(reply: &queues::Reply) -> Answer {
        let mut bytes = Vec::new();
        encode_reply(reply, &mut bytes);
        Ok(Said { place: Place { slot: 9, position: 1 }, bytes: bytes.into(), is_alone: true })
    }

    fn told(answered: &Receiver<Answer>) -> Result<Done, Error> {
        let Said { bytes, .. } = answered.try_recv().expect("it is told")?;
        decode_reply(&bytes).map_err(Error::No)
    }

    /// Adds pushes of two items each, and lets go what may go after each, as the driver does.
    fn added(gather: &mut Gather, pushes: usize) -> (Vec<Batch>, Vec<Receiver<Answer>>) {
        let (mut batches, mut answered) = (Vec::new(), Vec::new());
        for _ in 0..pushes {
            let (push, told) = push(2, 10, SECOND);
            gather.add(kind(1), push);
            batches.extend(gather.next(Time(0)));
            answered.push(told);
        }
        (batches, answered)
    }

    #[test]
    fn a_few_go_alone_and_the_rest_together() {
        let mut gather = Gather::default();
        let (mut requests, answered) = added(&mut gather, 100);
        assert_eq!((requests.len(), gather.waiting()), (UNDER_WAY, 100 - UNDER_WAY));
        let (other, _kept) = push(1, 10, SECOND);
        gather.add(kind(2), other);
        assert_eq!(gather.next(Time(0)).map(|batch| batch.kind), Some(kind(2)), "another queue does not wait");
        let (mut first, mut sent) = (1, 0);
        while let Some(batch) = requests.pop() {
            sent += 1;
            let count = batch.pushes.iter().map(|push| push.items.len() as u64).sum();
            gather.ended(batch.kind);
            assert!(batch.end(said(&Ok(Done::Pushed { first, count }))).is_empty());
            first += count;
            requests.extend(gather.next(Time(0)));
        }
        assert_eq!((sent, gather.waiting()), (UNDER_WAY + 1, 0));
        let mut firsts: Vec<u64> = answered
            .iter()
            .map(|answered| match told(answered) {
                Ok(Done::Pushed { first, count: 2 }) => first,
                other => panic!("{other:?}"),
            })
            .collect();
        firsts.sort_unstable();
        assert_eq!(firsts, (0..100).map(|n| 1 + 2 * n).collect::<Vec<u64>>(), "each has its own positions");
        assert_eq!(gather.kinds.len(), 1, "only the other queue has something under way");
    }

    /// One that is too large for the queue does not take the others down; what holds for all is said to all. However many
    /// they are, only a few requests are under way.
    #[test]
    fn a_request_that_is_refused_for_one_is_tried_in_halves() {
        for (why, is_split) in [(queues::Error::QueueFull, true), (queues::Error::NoSuchQueue, false)] {
            let mut gather = Gather::default();
            let (mut under_way, answered) = added(&mut gather, UNDER_WAY + 1_000);
            let mut requests = 0;
            while let Some(batch) = under_way.pop() {
                requests += 1;
                gather.ended(batch.kind);
                batch.end(no(why)).into_iter().for_each(|half| gather.again(half));
                under_way.extend(std::iter::from_fn(|| gather.next(Time(0))));
                assert!(under_way.len() <= UNDER_WAY);
            }
            assert_eq!(requests, UNDER_WAY + if is_split { 2 * 1_000 - 1 } else { 1 });
            assert!(answered.iter().all(|answered| told(answered) == Err(Error::No(why))));
            assert_eq!((gather.waiting(), gather.kinds.len()), (0, 0));
        }
        let mut gather = Gather::default();
        let (mut under_way, _answered) = added(&mut gather, UNDER_WAY + 2);
        gather.ended(kind(1));
        let half = gather.next(Time(0)).expect("two").end(no(queues::Error::QueueFull)).remove(0);
        assert_eq!(half.is_over(Time(SECOND)), Some(queues::Error::QueueFull));
        assert_eq!((half.is_over(Time(0)), under_way.remove(0).is_over(Time(SECOND))), (None, None));
        let mut gather = Gather::default();
        let (mut alone, answered) = added(&mut gather, 1);
        assert!(alone.remove(0).end(Err(Error::Unknown)).is_empty());
        assert_eq!(told(&answered[0]), Err(Error::Unknown));
    }

    #[test]
    fn a_request_has_its_bounds_and_nobody_ends_much_before_its_time() {
        let mut gather = Gather::default();
        let (_alone, _answers) = added(&mut gather, UNDER_WAY);
        let mut kept = Vec::new();
        for (bytes, deadline) in
            [(BYTES_MAX / 2, SECOND), (BYTES_MAX / 4, SECOND), (BYTES_MAX / 2, SECOND), (1, 2 * SECOND)]
        {
            let (push, answered) = push(1, bytes, deadline);
            kept.push(answered);
            gather.add(kind(1), push);
        }
        assert_eq!(gather.deadline(), Some(Time(SECOND)));
        let mut next = || {
            gather.ended(kind(1));
            gather.next(Time(0)).map(|batch| (batch.pushes.len(), batch.deadline().0 / SECOND))
        };
        assert_eq!([next(), next(), next(), next()], [Some((2, 1)), Some((1, 1)), Some((1, 2)), None]);
        let (late, answered) = push(1, 1, SECOND);
        let (later, _kept) = push(1, 1, SECOND + 10_000);
        let (_alone, _answers) = added(&mut gather, UNDER_WAY);
        gather.add(kind(1), late);
        gather.add(kind(1), later);
        let left = gather.hopeless(kind(2), Time(SECOND));
        assert!(left.is_empty(), "of another kind");
        assert!(gather.late(Time(SECOND - 1)).is_empty());
        gather.late(Time(SECOND)).iter().for_each(|push| unsent(push, Error::NoQuorum));
        assert_eq!(told(&answered), Err(Error::NoQuorum));
        let keyed =
            PushOptions { key: Some(queues::Label::parse(b"once").expect("a label")), ..PushOptions::default() };
        assert_eq!(Kind::of(QueueId(1), &[Bytes::new()], &keyed), None, "its answer may be that of another one");
        assert_eq!(Kind::of(QueueId(1), &[], &PushOptions::default()), None);
    }
}
