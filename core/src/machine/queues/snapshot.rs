//! The state in pieces, and back.
//!
//! ```text
//! [head] [catalogue: queues ··· sequences ··· waits, sessions that are gone] [segment] [segment] [segment, cut]···
//! ```
//!
//! The head says how many pieces the catalogue has, which holds everything but what stands behind it, by rising
//! queue: the segments of plain items, and held items and keys where a queue has many. A store keeps pieces by
//! their bytes, so what did not change must be the same bytes again:
//! - a sealed segment is a piece as it stands in memory, shared and not copied; only one that holds a
//!   single large item is cut into several;
//! - an open segment changes with every push; a short one stands in the catalogue, a longer one is a
//!   piece of its own, so that it does not move its neighbours;
//! - all else comes in stretches that begin where ids and positions pass a multiple and where the hash of a name
//!   says so, and not by counting, so that a change moves only its own stretch. A stretch is encoded again when
//!   something in it has changed (`machine::stretches`).
//!
//! So a snapshot costs what changed, and a look at each stretch. The waits, which are bounded, are written each
//! time. What is kept of stretches between snapshots takes at most an eighth of the memory limit, beside it.

use super::backlog::{Backlog, Segment, Stamp};
use super::digest;
use super::held::{Held, State};
use super::keys::Keys;
use super::label::{Label, QueueId};
use super::limits::{Limits, NUMBER_MAX, PRIORITIES};
use super::options::Settings;
use super::queue::{Level, Queue};
use super::rules::Rules;
use super::waits::Waits;
use super::{Queues, Totals};
use crate::machine::Unrestored;
use crate::machine::pieces::cut;
use crate::machine::stretches::{Budget, between};
use crate::time::SlotClock;
use crate::wire::{Malformed, Reader, Writer};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

/// The largest piece: the largest value of the store.
pub(super) const PIECE_BYTES_MAX: usize = 48 << 10;

/// The form of the pieces; another one is refused. The rules stand behind it in every form.
const FORM: u8 = 3;

/// An open segment up to this length stands in the catalogue: a million short queues are not a million
/// pieces.
const INLINE_BYTES_MAX: usize = 512;

/// How many queue ids share a stretch of the catalogue: with labels and inline segments of the usual
/// length it is about one piece.
const QUEUES_IN_STRETCH: u64 = 64;

/// How many positions share a stretch of the held items of a queue.
pub(super) const POSITIONS_IN_STRETCH: u64 = 256;

/// One name or key of so many begins a new stretch.
const NAMES_IN_STRETCH: u64 = 256;

/// So many held items, or keys, stand with their queue in the catalogue; more of them in stretches
/// of their own.
const INLINE_MAX: u64 = 64;

/// The part of the memory limit that encoded stretches may take.
const KEPT_PART: u64 = 8;

/// Where the stretch of the catalogue begins that a queue is in.
pub(super) fn queue_stretch(id: QueueId) -> u64 {
    id.0 - id.0 % QUEUES_IN_STRETCH
}

/// Whether a stretch of names or keys begins with this one.
pub(super) fn begins_stretch(name: &Label) -> bool {
    xxh3_64(name.as_bytes()).is_multiple_of(NAMES_IN_STRETCH)
}

/// A stretch that stands behind the catalogue: its length goes first. Nothing if there is nothing in it.
pub(super) fn stretch(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let (mut body, mut whole) = (Writer::new(), Writer::new());
    write(&mut body);
    if !body.is_empty() {
        whole.bytes(body.as_slice());
    }
    whole.into_vec()
}

/// The pieces of `machine`.
pub(super) fn pieces(machine: &mut Queues) -> Vec<Bytes> {
    let mut budget = Budget::new(machine.limits.memory_bytes_max / KEPT_PART);
    let (queues, apart) = (&mut machine.queues, &mut machine.apart);
    let mut catalogue = machine.queue_stretches.pieces(&mut budget, |from, _| {
        let mut w = Writer::new();
        for (id, queue) in queues.range_mut(QueueId(*from)..QueueId(from + QUEUES_IN_STRETCH)) {
            write_queue(queue, &mut w);
            if stands_apart(queue) {
                apart.insert(*id)
            } else {
                apart.remove(id)
            };
        }
        w.into_vec()
    });
    let sequences = &machine.sequences;
    catalogue.extend(machine.sequence_stretches.pieces(&mut budget, |from, upto| {
        let mut w = Writer::new();
        for (name, next) in sequences.range::<Label, _>(between(from, upto)) {
            w.bytes(name.as_bytes()).u64(*next);
        }
        w.into_vec()
    }));
    let mut rest = Writer::new();
    machine.waits.write(&mut rest);
    machine.leases.write(&mut rest);
    catalogue.extend(cut(rest.into_vec()));

    let mut behind = Vec::new();
    for id in &machine.apart {
        let queue = machine.queues.get_mut(id).expect("a queue that stands apart");
        queue.levels.iter().for_each(|level| write_segments(&level.backlog, &mut behind));
        if queue.held_len() > INLINE_MAX {
            behind.extend(queue.held_pieces(&mut budget));
        }
        if queue.keys.len() > INLINE_MAX {
            behind.extend(queue.keys.pieces(&mut budget));
        }
    }

    let mut head = Writer::new();
    head.u8(FORM).u64(machine.rules.number()).u64(catalogue.len() as u64);
    head.u64(machine.limits.item_bytes_max).u64(machine.limits.memory_bytes_max);
    head.u8(u8::from(machine.is_limited)).u64(machine.clock.0);
    head.u64(machine.next_queue).u64(machine.next_token);
    head.u64(machine.queues.len() as u64).u64(machine.sequences.len() as u64);
    let mut pieces = Vec::with_capacity(1 + catalogue.len() + behind.len());
    pieces.push(head.into_bytes());
    pieces.append(&mut catalogue);
    pieces.append(&mut behind);
    pieces
}

/// The machine that these pieces hold, with everything that follows from them worked out again.
pub(super) fn restore(pieces: &[Bytes], newest: Rules) -> Result<Queues, Unrestored> {
    let (head, pieces) = pieces.split_first().ok_or(Malformed)?;
    let mut head = Reader::new(head.clone());
    let form = head.u8()?;
    let rules = newest.or_before(head.u64()?)?;
    if form != FORM {
        return Err(Unrestored::Malformed);
    }
    let (catalogue, segments) = pieces.split_at(head.count(pieces.len())?);
    let limits = Limits { item_bytes_max: head.u64()?, memory_bytes_max: head.u64()? };
    let is_limited = match head.u8()? {
        0 => false,
        1 => true,
        _ => return Err(Unrestored::Malformed),
    };
    let mut machine = Queues { rules, is_limited, ..Queues::of_build(newest, limits) };
    machine.clock = SlotClock(head.u64()?);
    (machine.next_queue, machine.next_token) = (next(&mut head)?, next(&mut head)?);
    let (queues, sequences) = (head.u64()?, head.u64()?);
    if head.remaining() != 0 {
        return Err(Unrestored::Malformed);
    }

    let mut r = Reader::new(Bytes::from(catalogue.concat()));
    let mut segments = Segments(segments);
    for _ in 0..queues {
        let queue = read_queue(&mut r, &mut segments)?;
        let id = queue.id;
        let rising = machine.queues.last_key_value().is_none_or(|(last, _)| *last < id);
        if id.0 == 0 || id.0 >= machine.next_queue || !rising {
            return Err(Unrestored::Malformed);
        }
        if machine.labels.insert(queue.label.clone(), id).is_some() {
            return Err(Unrestored::Malformed);
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
            return Err(Unrestored::Malformed);
        }
        machine.known.sum += digest::sequence(&name, next);
        machine.known.memory_bytes += super::charge_of_sequence(&name);
        machine.sequence_stretches.begin(&name, begins_stretch(&name));
        machine.sequences.insert(name, next);
    }
    machine.waits = Waits::read(&mut r)?;
    machine.leases.read(&mut r)?;
    if r.remaining() == 0 && segments.0.is_empty() { Ok(machine) } else { Err(Unrestored::Malformed) }
}

/// The states of held items, in the order in which they are written.
const STATES: [State; 3] = [State::Ready, State::Delayed, State::Leased];

/// Whether something of a queue stands behind the catalogue.
fn stands_apart(queue: &Queue) -> bool {
    let long = |level: &Level| !level.backlog.sealed().is_empty() || level.backlog.open().1.len() > INLINE_BYTES_MAX;
    queue.levels.iter().any(long) || queue.held_len() > INLINE_MAX || queue.keys.len() > INLINE_MAX
}

fn write_queue(queue: &mut Queue, w: &mut Writer) {
    w.u64(queue.id.0).bytes(queue.label.as_bytes()).u64(queue.next).u8(u8::from(queue.paused));
    queue.settings.write(w);
    for number in queue.totals.numbers() {
        w.u64(number);
    }
    let levels = queue.levels.iter().filter(|level| !level.backlog.is_empty());
    w.u64(levels.clone().count() as u64);
    for level in levels {
        write_level(level.priority, &level.backlog, w);
    }
    for state in STATES {
        w.u64(queue.held_in(state));
    }
    if queue.held_len() <= INLINE_MAX {
        STATES.iter().for_each(|state| queue.write_held(*state, w));
        queue.forget_empty_stretches();
    }
    w.u64(queue.keys.len());
    if queue.keys.len() <= INLINE_MAX {
        queue.keys.write(w);
    }
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
    for _ in 0..r.count(usize::from(PRIORITIES))? {
        read_level(&mut queue, r, segments)?;
    }
    let mut counts = [0; STATES.len()];
    for count in &mut counts {
        *count = r.u64()?;
    }
    let all = counts.iter().try_fold(0u64, |all, count| all.checked_add(*count)).ok_or(Malformed)?;
    let mut states = STATES.iter().zip(counts).flat_map(|(state, count)| (0..count).map(|_| *state));
    read_many(all, r, segments, |r| read_held(&mut queue, states.next().ok_or(Malformed)?, r))?;
    let (count, mut keys) = (r.u64()?, Keys::default());
    read_many(count, r, segments, |r| keys.read(id, r))?;
    queue.keys = keys;
    Ok(queue)
}

/// Reads a few things of a queue from the catalogue, or many from the stretches behind it.
fn read_many(
    count: u64,
    r: &mut Reader,
    segments: &mut Segments<'_>,
    mut read: impl FnMut(&mut Reader) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    if count <= INLINE_MAX {
        return (0..count).try_for_each(|_| read(r));
    }
    let mut stretch = Reader::new(Bytes::new());
    for _ in 0..count {
        if stretch.remaining() == 0 {
            stretch = segments.stretch()?;
        }
        read(&mut stretch)?;
    }
    if stretch.remaining() == 0 { Ok(()) } else { Err(Malformed) }
}

fn read_held(queue: &mut Queue, state: State, r: &mut Reader) -> Result<(), Malformed> {
    let (position, held) = Held::read(r)?;
    let fits = position > 0 && position < queue.next && held.priority < PRIORITIES;
    if !fits || queue.state_of(position).is_some() {
        return Err(Malformed);
    }
    queue.place(state, position, Box::new(held));
    Ok(())
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

/// The pieces of segments that have not been read yet.
struct Segments<'a>(&'a [Bytes]);

impl Segments<'_> {
    /// The stretch that comes next, which begins with its length.
    fn stretch(&mut self) -> Result<Reader, Malformed> {
        let mut first = Reader::new(self.0.first().ok_or(Malformed)?.clone());
        let (before, body) = (first.remaining(), first.u64()?);
        let head = before - first.remaining();
        let len = usize::try_from(body).ok().and_then(|body| body.checked_add(head)).ok_or(Malformed)?;
        let mut stretch = Reader::new(Bytes::from(self.take(len)?));
        Ok(Reader::new(stretch.bytes()?))
    }

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
