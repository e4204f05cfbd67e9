//! The state in pieces, and back.
//!
//! ```text
//! [head] [catalogue: queues ··· sequences ··· waits, sessions that are gone] [segment] [segment] [segment, cut]···
//! ```
//!
//! The head says how many pieces the catalogue has, which holds everything but the segments of plain items;
//! those follow by rising queue and priority, the first one of each first. A store keeps pieces by their
//! bytes, so what did not change must be the same bytes again:
//! - a sealed segment is a piece as it stands in memory, shared and not copied; only one that holds a
//!   single large item is cut into several;
//! - an open segment changes with every push; a short one stands in the catalogue, a longer one is a
//!   piece of its own, so that it does not move its neighbours;
//! - the catalogue is cut where ids and positions pass a multiple and where the hash of a name says so,
//!   and not by counting, so that a change moves only what stands before the next cut.
//!
//! Held items stand in the catalogue, which is written anew for each snapshot: that is what a snapshot
//! costs beside its segments.

use super::backlog::{Backlog, Segment, Stamp};
use super::digest;
use super::held::{Held, State};
use super::keys::Keys;
use super::label::{Label, QueueId};
use super::limits::{Limits, NUMBER_MAX, PRIORITIES};
use super::options::Settings;
use super::queue::Queue;
use super::rules::Rules;
use super::waits::Waits;
use super::{Queues, Totals};
use crate::time::SlotClock;
use crate::wire::{Malformed, Reader, Writer};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

/// The largest piece: the largest value of the store.
pub(super) const PIECE_BYTES_MAX: usize = 48 << 10;

/// The form of the pieces; another one is refused.
const FORM: u8 = 2;

/// An open segment up to this length stands in the catalogue: a million short queues are not a million
/// pieces.
const INLINE_BYTES_MAX: usize = 512;

/// How many queue ids share a stretch of the catalogue: with labels and inline segments of the usual
/// length it is about one piece.
const QUEUES_IN_STRETCH: u64 = 64;

/// How many positions share a stretch of the held items of a queue.
const POSITIONS_IN_STRETCH: u64 = 256;

/// One name of so many begins a new stretch of the catalogue of sequences.
const SEQUENCES_IN_STRETCH: u64 = 512;

/// The pieces of `machine`.
pub(super) fn pieces(machine: &Queues) -> Vec<Bytes> {
    let mut catalogue = Catalogue::default();
    let mut segments = Vec::new();
    let mut stretch = 0;
    for (id, queue) in &machine.queues {
        if id.0 / QUEUES_IN_STRETCH != stretch {
            stretch = id.0 / QUEUES_IN_STRETCH;
            catalogue.cut();
        }
        write_queue(queue, &mut catalogue);
        for level in &queue.levels {
            write_segments(&level.backlog, &mut segments);
        }
    }
    catalogue.cut();
    for (name, next) in &machine.sequences {
        if xxh3_64(name.as_bytes()).is_multiple_of(SEQUENCES_IN_STRETCH) {
            catalogue.cut();
        }
        catalogue.add(Writer::new().bytes(name.as_bytes()).u64(*next).as_slice());
    }
    catalogue.cut();
    let mut waits = Writer::new();
    machine.waits.write(&mut waits);
    machine.leases.write(&mut waits);
    catalogue.add(waits.as_slice());
    catalogue.cut();

    let mut head = Writer::new();
    head.u8(FORM).u64(machine.rules.number()).u64(catalogue.pieces.len() as u64);
    head.u64(machine.limits.item_bytes_max).u64(machine.limits.memory_bytes_max).u64(machine.clock.0);
    head.u64(machine.next_queue).u64(machine.next_token);
    head.u64(machine.queues.len() as u64).u64(machine.sequences.len() as u64);
    let mut pieces = Vec::with_capacity(1 + catalogue.pieces.len() + segments.len());
    pieces.push(head.into_bytes());
    pieces.append(&mut catalogue.pieces);
    pieces.append(&mut segments);
    pieces
}

/// The machine that these pieces hold, with everything that follows from them worked out again.
pub(super) fn restore(pieces: &[Bytes]) -> Result<Queues, Malformed> {
    let (head, pieces) = pieces.split_first().ok_or(Malformed)?;
    let mut head = Reader::new(head.clone());
    if head.u8()? != FORM {
        return Err(Malformed);
    }
    let rules = Rules::numbered(head.u64()?).map_err(|_| Malformed)?;
    let (catalogue, segments) = pieces.split_at(head.count(pieces.len())?);
    let limits = Limits { item_bytes_max: head.u64()?, memory_bytes_max: head.u64()? };
    let mut machine = Queues::under(rules, limits);
    machine.clock = SlotClock(head.u64()?);
    (machine.next_queue, machine.next_token) = (next(&mut head)?, next(&mut head)?);
    let (queues, sequences) = (head.u64()?, head.u64()?);
    if head.remaining() != 0 {
        return Err(Malformed);
    }

    let mut r = Reader::new(Bytes::from(catalogue.concat()));
    let mut segments = Segments(segments);
    for _ in 0..queues {
        let queue = read_queue(&mut r, &mut segments)?;
        let id = queue.id;
        let rising = machine.queues.last_key_value().is_none_or(|(last, _)| *last < id);
        if id.0 == 0 || id.0 >= machine.next_queue || !rising {
            return Err(Malformed);
        }
        if machine.labels.insert(queue.label.clone(), id).is_some() {
            return Err(Malformed);
        }
        for (position, held) in &queue.leased {
            machine.leases.begin(held.session, id, [*position]);
        }
        machine.admit(queue);
    }
    for _ in 0..sequences {
        let name = Label::read(&mut r)?;
        let next = next(&mut r)?;
        if machine.sequences.last_key_value().is_some_and(|(last, _)| *last >= name) {
            return Err(Malformed);
        }
        machine.known.sum += digest::sequence(&name, next);
        machine.known.memory_bytes += super::charge_of_sequence(&name);
        machine.sequences.insert(name, next);
    }
    machine.waits = Waits::read(&mut r)?;
    machine.leases.read(&mut r)?;
    if r.remaining() == 0 && segments.0.is_empty() { Ok(machine) } else { Err(Malformed) }
}

fn write_queue(queue: &Queue, catalogue: &mut Catalogue) {
    let mut w = Writer::new();
    w.u64(queue.id.0).bytes(queue.label.as_bytes()).u64(queue.next).u8(u8::from(queue.paused));
    queue.settings.write(&mut w);
    for number in queue.totals.numbers() {
        w.u64(number);
    }
    queue.keys.write(&mut w);
    let levels = queue.levels.iter().filter(|level| !level.backlog.is_empty());
    w.u64(levels.clone().count() as u64);
    for level in levels {
        write_level(level.priority, &level.backlog, &mut w);
    }
    catalogue.add(w.as_slice());
    catalogue.held(queue.ready.len(), queue.ready.iter().map(|((_, position), held)| (*position, held.as_ref())));
    catalogue.held(queue.delayed.len(), queue.delayed.iter().map(|(position, held)| (*position, held.as_ref())));
    catalogue.held(queue.leased.len(), queue.leased.iter().map(|(position, held)| (*position, held.as_ref())));
}

fn write_level(priority: u8, backlog: &Backlog, w: &mut Writer) {
    w.u8(priority).u64(backlog.behind() as u64).u64(backlog.sealed().len() as u64);
    for segment in backlog.sealed() {
        w.u64(segment.bytes.len() as u64).u64(segment.base.position).u64(segment.base.came_ms);
    }
    let (base, open) = backlog.open();
    let base = if open.is_empty() { Stamp::default() } else { base };
    w.u64(open.len() as u64).u64(base.position).u64(base.came_ms);
    if open.len() <= INLINE_BYTES_MAX {
        w.raw(open);
    }
}

fn write_segments(backlog: &Backlog, segments: &mut Vec<Bytes>) {
    for Segment { bytes, .. } in backlog.sealed() {
        segments.extend((0..bytes.len()).step_by(PIECE_BYTES_MAX).map(|from| {
            let upto = bytes.len().min(from + PIECE_BYTES_MAX);
            bytes.slice(from..upto)
        }));
    }
    let (_, open) = backlog.open();
    if open.len() > INLINE_BYTES_MAX {
        segments.push(Bytes::copy_from_slice(open));
    }
}

fn read_queue(r: &mut Reader, segments: &mut Segments<'_>) -> Result<Queue, Malformed> {
    let id = QueueId(r.u64()?);
    let mut queue = Queue::new(id, Label::read(r)?);
    queue.next = next(r)?;
    queue.paused = match r.u8()? {
        0 => false,
        1 => true,
        _ => return Err(Malformed),
    };
    queue.settings = Settings::read(r)?;
    queue.settings.check(id).map_err(|_| Malformed)?;
    queue.totals = Totals::of(|| r.u64())?;
    queue.keys = Keys::read(id, r)?;
    for _ in 0..r.count(usize::from(PRIORITIES))? {
        read_level(&mut queue, r, segments)?;
    }
    for state in [State::Ready, State::Delayed, State::Leased] {
        for _ in 0..r.u64()? {
            let (position, held) = Held::read(r)?;
            let fits = position > 0 && position < queue.next && held.priority < PRIORITIES;
            if !fits || queue.state_of(position).is_some() {
                return Err(Malformed);
            }
            queue.place(state, position, Box::new(held));
        }
    }
    Ok(queue)
}

fn read_level(queue: &mut Queue, r: &mut Reader, segments: &mut Segments<'_>) -> Result<(), Malformed> {
    let stamp = |r: &mut Reader| Ok(Stamp { position: r.u64()?, came_ms: r.u64()? });
    let priority = r.u8()?;
    let behind = r.count(usize::MAX)?;
    let mut sealed = VecDeque::new();
    for _ in 0..r.count(segments.0.len())? {
        let bytes = segments.take(r.count(usize::MAX)?)?;
        sealed.push_back(Segment { base: stamp(r)?, bytes: Bytes::from(bytes) });
    }
    let len = r.count(PIECE_BYTES_MAX)?;
    let base = stamp(r)?;
    let open = if len <= INLINE_BYTES_MAX { r.take(len)?.to_vec() } else { segments.take(len)? };
    queue.restore_level(priority, sealed, (base, open), behind)
}

/// The next number of something: positive, and at most one past the last.
fn next(r: &mut Reader) -> Result<u64, Malformed> {
    let next = r.u64()?;
    if (1..=NUMBER_MAX + 1).contains(&next) { Ok(next) } else { Err(Malformed) }
}

/// The catalogue while it is written: one run of bytes, cut here and there.
#[derive(Default)]
struct Catalogue {
    pieces: Vec<Bytes>,
    piece: Vec<u8>,
    scratch: Vec<u8>,
}

impl Catalogue {
    fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES_MAX - self.piece.len()));
            self.piece.extend_from_slice(now);
            if self.piece.len() == PIECE_BYTES_MAX {
                self.cut();
            }
            bytes = later;
        }
    }

    /// The held items of a queue that are in one state.
    fn held<'a>(&mut self, count: usize, items: impl Iterator<Item = (u64, &'a Held)>) {
        let mut stretch = 0;
        self.add(Writer::new().u64(count as u64).as_slice());
        for (position, held) in items {
            if position / POSITIONS_IN_STRETCH != stretch {
                stretch = position / POSITIONS_IN_STRETCH;
                self.cut();
            }
            let mut scratch = core::mem::take(&mut self.scratch);
            scratch.clear();
            let mut w = Writer::onto(scratch);
            held.write(position, &mut w);
            self.scratch = w.into_vec();
            let scratch = core::mem::take(&mut self.scratch);
            self.add(&scratch);
            self.scratch = scratch;
        }
    }

    fn cut(&mut self) {
        if !self.piece.is_empty() {
            self.pieces.push(Bytes::from(core::mem::take(&mut self.piece)));
        }
    }
}

/// The pieces of segments that have not been read yet.
struct Segments<'a>(&'a [Bytes]);

impl Segments<'_> {
    /// The segment of `len` bytes that comes next: a copy, so that it does not hold on to what a piece
    /// was read from.
    fn take(&mut self, len: usize) -> Result<Vec<u8>, Malformed> {
        let count = len.div_ceil(PIECE_BYTES_MAX);
        if len == 0 || count > self.0.len() {
            return Err(Malformed);
        }
        let (now, later) = self.0.split_at(count);
        self.0 = later;
        let segment = now.concat();
        let whole = now[..count - 1].iter().all(|piece| piece.len() == PIECE_BYTES_MAX);
        if whole && segment.len() == len { Ok(segment) } else { Err(Malformed) }
    }
}
