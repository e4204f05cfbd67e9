//! The state in pieces, and back.
//!
//! ```text
//! [head] [catalogue: queues ···] [··· sequences ···] [segment] [segment] [segment, cut]···
//! ```
//!
//! The head says how many pieces the catalogue has, which holds everything but the segments of items;
//! those follow by rising queue, the first one of each first. A store keeps pieces by their bytes, so what
//! did not change must be the same bytes again:
//! - a sealed segment is a piece as it stands in memory, shared and not copied; only one that holds a
//!   single large item is cut into several;
//! - an open segment changes with every push; a short one stands in the catalogue, a longer one is a
//!   piece of its own, so that it does not move its neighbours;
//! - the catalogue is cut where ids pass a multiple and where the hash of a name says so, and not by
//!   counting, so that a change moves only what stands before the next cut.

use super::Queues;
use super::backlog::Backlog;
use super::digest;
use super::label::{Label, QueueId};
use super::limits::{Limits, NUMBER_MAX};
use super::queue::Queue;
use crate::wire::{Malformed, Reader, Writer};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

/// The largest piece: the largest value of the store.
pub(super) const PIECE_BYTES_MAX: usize = 48 << 10;

/// The form of the pieces; another one is refused.
const FORM: u8 = 1;

/// An open segment up to this length stands in the catalogue: a million short queues are not a million
/// pieces.
const INLINE_BYTES_MAX: usize = 512;

/// How many queue ids share a stretch of the catalogue: with labels and inline segments of the usual
/// length it is about one piece.
const QUEUES_IN_STRETCH: u64 = 64;

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
        catalogue.add(write_queue(*id, queue).as_slice());
        for segment in queue.backlog().sealed() {
            segments.extend((0..segment.len()).step_by(PIECE_BYTES_MAX).map(|from| {
                let upto = segment.len().min(from + PIECE_BYTES_MAX);
                segment.slice(from..upto)
            }));
        }
        if queue.backlog().open().len() > INLINE_BYTES_MAX {
            segments.push(Bytes::copy_from_slice(queue.backlog().open()));
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

    let mut head = Writer::new();
    head.u8(FORM).u64(catalogue.pieces.len() as u64);
    head.u64(machine.limits.item_bytes_max).u64(machine.limits.memory_bytes_max);
    head.u64(machine.next_queue).u64(machine.queues.len() as u64).u64(machine.sequences.len() as u64);
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
    let (catalogue, segments) = pieces.split_at(head.count(pieces.len())?);
    let mut machine = Queues::new(Limits { item_bytes_max: head.u64()?, memory_bytes_max: head.u64()? });
    machine.next_queue = head.u64()?;
    let (queues, sequences) = (head.u64()?, head.u64()?);
    if head.remaining() != 0 || machine.next_queue == 0 || machine.next_queue > NUMBER_MAX + 1 {
        return Err(Malformed);
    }

    let mut r = Reader::new(Bytes::from(catalogue.concat()));
    let mut segments = Segments(segments);
    for _ in 0..queues {
        let (id, queue) = read_queue(&mut r, &mut segments)?;
        let rising = machine.queues.last_key_value().is_none_or(|(last, _)| *last < id);
        if id.0 == 0 || id.0 >= machine.next_queue || !rising {
            return Err(Malformed);
        }
        if machine.labels.insert(queue.label().clone(), id).is_some() {
            return Err(Malformed);
        }
        machine.admit(id, queue);
    }
    for _ in 0..sequences {
        let name = Label::read(&mut r).map_err(|_| Malformed)?;
        let next = r.u64()?;
        let rising = machine.sequences.last_key_value().is_none_or(|(last, _)| *last < name);
        if next == 0 || next > NUMBER_MAX + 1 || !rising {
            return Err(Malformed);
        }
        machine.totals.sum += digest::sequence(&name, next);
        machine.totals.memory_bytes += super::charge_of_sequence(&name);
        machine.sequences.insert(name, next);
    }
    if r.remaining() == 0 && segments.0.is_empty() { Ok(machine) } else { Err(Malformed) }
}

fn write_queue(id: QueueId, queue: &Queue) -> Writer {
    let (first, next) = queue.positions();
    let backlog = queue.backlog();
    let mut w = Writer::new();
    w.u64(id.0).bytes(queue.label().as_bytes()).u64(first).u64(next);
    w.u64(backlog.behind() as u64).u64(backlog.sealed().len() as u64);
    for segment in backlog.sealed() {
        w.u64(segment.len() as u64);
    }
    w.u64(backlog.open().len() as u64);
    if backlog.open().len() <= INLINE_BYTES_MAX {
        w.raw(backlog.open());
    }
    w
}

fn read_queue(r: &mut Reader, segments: &mut Segments<'_>) -> Result<(QueueId, Queue), Malformed> {
    let id = QueueId(r.u64()?);
    let label = Label::read(r).map_err(|_| Malformed)?;
    let (first, next) = (r.u64()?, r.u64()?);
    let behind = r.count(usize::MAX)?;
    let mut sealed = VecDeque::new();
    for _ in 0..r.count(segments.0.len())? {
        let len = r.count(usize::MAX)?;
        sealed.push_back(Bytes::from(segments.take(len)?));
    }
    let open = match r.count(PIECE_BYTES_MAX)? {
        len @ 0..=INLINE_BYTES_MAX => r.take(len)?.to_vec(),
        len => segments.take(len)?,
    };
    Ok((id, Queue::restored(id, label, first, next, Backlog::of_segments(sealed, open, behind))?))
}

/// The catalogue while it is written: one run of bytes, cut here and there.
#[derive(Default)]
struct Catalogue {
    pieces: Vec<Bytes>,
    piece: Vec<u8>,
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
