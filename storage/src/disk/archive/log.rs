//! Delivered slots as values: many slots in one value, or one large slot in many.
//!
//! ```text
//! key   'l' · first slot · part         all big-endian, so that they lie in the order of the slots
//! body  2 · digest before · bytes before · n · n slots       a batch
//!       3 · last? · bytes before · bytes                     a part of (digest before · slot)
//!       0 and 1: the same without `bytes before`, as format 1 wrote them
//! ```
//!
//! Always: a slot of several parts counts only with its last part, which is written last. Each value
//! carries the digest of the slot before it, so a lost value is noticed; and how many bytes of the log were
//! ever written before it, so that the size of the log is known without reading it.

use super::values::CHECKSUM_BYTES;
use super::{Archive, Trouble, VALUE_BYTES_MAX, checked};
use crate::disk::journal::Point;
use bytes::{BufMut, Bytes, BytesMut};
use ftq_core::ids::{Digest, Slot};
use ftq_core::store::SlotRecord;
use ftq_core::wire::{Malformed, Reader, Writer};

pub(super) const PREFIX: u8 = b'l';
const BATCH_1: u8 = 0;
const PART_1: u8 = 1;
const BATCH: u8 = 2;
const PART: u8 = 3;

/// What the bodies of one value hold at most: checksum, kind and the digest before need room too.
const BODY_BYTES_MAX: usize = VALUE_BYTES_MAX - 64;

/// What a slot takes besides its content, at most.
const SLOT_BYTES_MAX: usize = 96;

/// The key of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) slot: Slot,
    part: u32,
}

/// What a value says.
enum Value {
    Batch { before: Digest, bytes_before: u64, slots: Vec<SlotRecord> },
    Part { is_last: bool, bytes_before: u64, bytes: Bytes },
}

/// How much log there is, counted in bytes of values over the archive's whole life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// What was written before the first value that is still there.
    pub(super) from: u64,
    /// What was written in all.
    pub(super) to: u64,
}

impl Extent {
    /// What is there.
    pub(super) fn bytes(self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

impl Archive {
    /// Writes delivered slots behind the end. Durable with the next sync.
    pub(in crate::disk) fn append(&mut self, slots: &[SlotRecord]) -> Result<(), Trouble> {
        let mut rest = slots;
        while let Some(first) = rest.first() {
            if first.slot != self.end.slot.next() {
                return Err(Trouble::Differs);
            }
            let n = batch_len(rest);
            let (batch, behind) = rest.split_at(n.max(1));
            if n == 0 {
                self.put_parts(first)?
            } else {
                self.put_batch(batch)?
            }
            let last = &batch[batch.len() - 1];
            self.end = Point { slot: last.slot, digest: last.digest };
            rest = behind;
        }
        Ok(())
    }

    fn put_batch(&mut self, batch: &[SlotRecord]) -> Result<(), Trouble> {
        let mut w = Writer::new();
        w.u8(BATCH).digest(self.end.digest).u64(self.log.to).u64(batch.len() as u64);
        for record in batch {
            w.record(record);
        }
        self.put_log(Key { slot: batch[0].slot, part: 0 }, w.as_slice())
    }

    fn put_parts(&mut self, record: &SlotRecord) -> Result<(), Trouble> {
        let mut w = Writer::new();
        w.digest(self.end.digest).record(record);
        let parts = w.as_slice().chunks(BODY_BYTES_MAX);
        let last = parts.len() - 1;
        for (at, chunk) in parts.enumerate() {
            let mut body = Writer::new();
            body.u8(PART).u8(u8::from(at == last)).u64(self.log.to).raw(chunk);
            let part = u32::try_from(at).map_err(|_| Trouble::Differs)?;
            self.put_log(Key { slot: record.slot, part }, body.as_slice())?;
        }
        Ok(())
    }

    fn put_log(&mut self, key: Key, body: &[u8]) -> Result<(), Trouble> {
        self.put(&key.encode(), body)?;
        // With the value's checksum, as it is counted when it is read back.
        self.log.to += body.len() as u64 + CHECKSUM_BYTES;
        Ok(())
    }

    /// Where the delivered slots end; the parts of a last slot that is not whole are taken out.
    pub(super) fn find_end(&mut self) -> Result<Point, Trouble> {
        let snapshot = self.snapshot.as_ref().map(|kept| (kept.point(), kept.adopted));
        if let Some((base, true)) = snapshot
            && self.last_key()?.is_some_and(|key| key.slot <= base.slot)
        {
            // Adopting it was cut short: what it replaces is still there.
            self.drop_log()?;
        }
        let base = snapshot.map_or(Point::default(), |(base, _)| base);
        while let Some(key) = self.last_key()? {
            let body = self.values.read(&key.encode())?.unwrap_or_default();
            match Value::parse(body)? {
                Value::Batch { slots, .. } => {
                    let last = slots.last().ok_or(Trouble::Damaged(format!("no slots at {}", key.slot)))?;
                    return Ok(later(base, Point { slot: last.slot, digest: last.digest }));
                }
                Value::Part { is_last: true, .. } => {
                    let (_, record) = self.whole(key.slot)?;
                    return Ok(later(base, Point { slot: record.slot, digest: record.digest }));
                }
                Value::Part { is_last: false, .. } => {
                    for part in 0..=key.part {
                        self.remove(&Key { slot: key.slot, part }.encode())?;
                    }
                }
            }
        }
        Ok(base)
    }

    /// How much log there is; to be asked for once its end is known.
    pub(super) fn find_extent(&self) -> Result<Extent, Trouble> {
        let mut values = self.values.db.scan_prefix([PREFIX]);
        let (Some(first), last) = (values.next().transpose()?, values.next_back().transpose()?) else {
            return Ok(Extent::default());
        };
        let last = last.as_ref().unwrap_or(&first);
        let ((from, _), (before, bytes)) = (extent_of(&first), extent_of(last));
        Ok(Extent { from, to: before + bytes })
    }

    /// All slots above `base`, which must be there without a gap.
    pub(super) fn delivered_above(&self, base: Point) -> Result<Vec<SlotRecord>, Trouble> {
        let slots = self.slots(base.slot.next(), usize::MAX)?;
        let last = slots.last().map_or(base.slot, |last| last.slot);
        if last == self.end.slot {
            Ok(slots)
        } else {
            Err(Trouble::Damaged(format!("slot {} is missing", last.next())))
        }
    }

    /// Slots from `from` on until they are `bytes_max`, at least one; none if they are not there.
    pub(super) fn slots(&self, from: Slot, bytes_max: usize) -> Result<Vec<SlotRecord>, Trouble> {
        let mut slots: Vec<SlotRecord> = Vec::new();
        let mut bytes = 0;
        let Some(start) = self.values.db.range(first_key(Slot(0))..first_key(from.next())).next_back() else {
            return Ok(slots);
        };
        let start = Key::parse(&start?.0)?.slot;
        let mut at: Option<Point> = None;
        for entry in self.values.db.range(first_key(start)..end_key()) {
            let (key, value) = entry?;
            let place = Key::parse(&key)?;
            if place.part > 0 {
                continue;
            }
            let (before, batch) = match Value::parse(checked(&key, &value)?)? {
                Value::Batch { before, slots, .. } => (before, slots),
                Value::Part { .. } => {
                    let (before, record) = self.whole(place.slot)?;
                    (before, vec![record])
                }
            };
            for record in batch {
                let follows = at.is_none_or(|at| at.slot.next() == record.slot);
                if !follows || (record.slot == place.slot && at.is_some_and(|at| at.digest != before)) {
                    return Ok(slots);
                }
                at = Some(Point { slot: record.slot, digest: record.digest });
                if record.slot < from {
                    continue;
                }
                if slots.is_empty() && record.slot > from {
                    return Ok(slots);
                }
                bytes += record.content.len();
                slots.push(record);
                if bytes >= bytes_max {
                    return Ok(slots);
                }
            }
        }
        Ok(slots)
    }

    /// A slot of several parts, and the digest before it.
    fn whole(&self, slot: Slot) -> Result<(Digest, SlotRecord), Trouble> {
        let mut bytes = BytesMut::new();
        for part in 0.. {
            let Some(body) = self.values.read(&Key { slot, part }.encode())? else {
                return Err(Trouble::Damaged(format!("a part of slot {slot} is missing")));
            };
            match Value::parse(body)? {
                Value::Part { is_last, bytes: chunk, .. } => {
                    bytes.put(chunk);
                    if is_last {
                        break;
                    }
                }
                Value::Batch { .. } => return Err(Trouble::Damaged(format!("slot {slot} is in parts and whole"))),
            }
        }
        let mut r = Reader::new(bytes.freeze());
        let mut read = || Ok((r.digest()?, r.record()?));
        read().map_err(|Malformed| Trouble::Damaged(format!("slot {slot} can't be read")))
    }

    fn last_key(&self) -> Result<Option<Key>, Trouble> {
        let last = self.values.db.scan_prefix([PREFIX]).keys().next_back();
        last.map(|key| Key::parse(&key?)).transpose()
    }
}

impl Key {
    fn encode(self) -> [u8; 13] {
        let mut key = [PREFIX; 13];
        key[1..9].copy_from_slice(&self.slot.0.to_be_bytes());
        key[9..].copy_from_slice(&self.part.to_be_bytes());
        key
    }

    /// Whether the value before this one holds nothing but slots below `below`.
    pub(super) fn is_behind_all_below(self, below: Slot) -> bool {
        (self.slot, self.part) <= (below, 0)
    }

    pub(super) fn parse(key: &[u8]) -> Result<Key, Trouble> {
        let mut r = Reader::new(Bytes::copy_from_slice(key.get(1..).unwrap_or_default()));
        let mut read = || Ok(Key { slot: Slot(u64::from_be_bytes(r.array()?)), part: u32::from_be_bytes(r.array()?) });
        read().map_err(|Malformed| Trouble::Damaged(format!("a key that nobody wrote: {key:02x?}")))
    }
}

impl Value {
    fn parse(body: Bytes) -> Result<Value, Trouble> {
        let mut r = Reader::new(body);
        let mut read = || match r.u8()? {
            kind @ (BATCH_1 | BATCH) => {
                let before = r.digest()?;
                let bytes_before = if kind == BATCH { r.u64()? } else { 0 };
                let n = r.count(r.remaining())?;
                Ok(Value::Batch { before, bytes_before, slots: (0..n).map(|_| r.record()).collect::<Result<_, _>>()? })
            }
            kind @ (PART_1 | PART) => {
                let is_last = r.u8()? == 1;
                let bytes_before = if kind == PART { r.u64()? } else { 0 };
                Ok(Value::Part { is_last, bytes_before, bytes: r.take(r.remaining())? })
            }
            _ => Err(Malformed),
        };
        read().map_err(|Malformed| Trouble::Damaged("a value of the log can't be read".to_owned()))
    }
}

/// What was written before a value of the log, and the value's own bytes. One that is damaged counts as old:
/// the slots below a hole are of little use.
pub(super) fn extent_of((key, value): &(sled::IVec, sled::IVec)) -> (u64, u64) {
    match checked(key, value).and_then(Value::parse) {
        Ok(Value::Batch { bytes_before, .. } | Value::Part { bytes_before, .. }) => (bytes_before, value.len() as u64),
        Err(_) => (0, value.len() as u64),
    }
}

pub(super) fn first_key(slot: Slot) -> [u8; 13] {
    Key { slot, part: 0 }.encode()
}

pub(super) fn end_key() -> [u8; 13] {
    [PREFIX + 1; 13]
}

/// How many of these fit one value; none if the first alone does not.
fn batch_len(slots: &[SlotRecord]) -> usize {
    let mut bytes = 0;
    let fits = |record: &&SlotRecord| {
        bytes += record.content.len() + SLOT_BYTES_MAX;
        bytes <= BODY_BYTES_MAX
    };
    slots.iter().take_while(fits).count()
}

fn later(a: Point, b: Point) -> Point {
    if a.slot > b.slot { a } else { b }
}
