//! The records of the journal, to the byte (FORMAT.md).
//!
//! A record is believed only at the place where it is expected: its checksum covers its ordinal and,
//! through the chain, everything before it. What is left of an earlier lap never fits.

use ftq_core::electorate::Electorate;
use ftq_core::ids::{Ballot, Configuration, Digest, Slot, View};
use ftq_core::store::SlotRecord;
use ftq_core::wire::{Malformed, Reader, Writer};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use bytes::Bytes;

/// The bytes in front of a record's body.
pub(super) const HEADER_BYTES: usize = 56;

/// Records begin at multiples of this, so that a search for one needs to look only there.
pub(super) const ALIGNMENT: usize = 8;

const MAGIC: [u8; 4] = *b"ftqr";

/// What one slot takes in a record, besides its content, at most.
const SLOT_BYTES_MAX: usize = 96;

/// What a view and a configuration, or two configurations, take in a record at most.
const VIEW_BYTES_MAX: usize = 1024;

/// Something that changes what stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::disk) enum Record {
    /// Slots right behind the end.
    Append(Vec<SlotRecord>),
    /// A promise.
    Promise(Ballot),
    /// What committed slots say of the cluster.
    Electorate(Electorate),
    /// A new view with its log above `keep`.
    Install { view: View, configuration: Configuration, keep: Slot, slots: Vec<SlotRecord> },
    /// The archive reaches up to this slot. Accepted slots that don't chain onto it are cut; all of
    /// them if a snapshot was adopted, which brings its configuration.
    Base { slot: Slot, digest: Digest, adopted: Option<Configuration> },
    /// All accepted slots once more, so that the space of the older records is free.
    Rewrite(Vec<SlotRecord>),
}

/// Where a record begins and what must be known to believe it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Bytes since the journal was created; the place in the file is this modulo the area's size.
    pub(super) offset: u64,
    /// The record's ordinal.
    pub(super) ordinal: u64,
    /// The checksum of the record before it.
    pub(super) chain: u64,
}

/// The header of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    body_bytes: u32,
    checksum: u64,
    pub(super) ordinal: u64,
    pub(super) chain: u64,
    /// The last ordinal that was known to be synced when this record was written.
    pub(super) synced: u64,
    /// The opening that wrote it.
    pub(super) boot: u64,
    kind: u8,
}

impl Record {
    /// How many bytes it will take at most.
    pub(in crate::disk) fn bytes_max(&self) -> usize {
        let slots: &[SlotRecord] = match self {
            Record::Append(slots) | Record::Rewrite(slots) | Record::Install { slots, .. } => slots,
            Record::Promise(_) | Record::Electorate(_) | Record::Base { .. } => &[],
        };
        HEADER_BYTES + ALIGNMENT + VIEW_BYTES_MAX + slots_bytes_max(slots.iter())
    }

    /// Appends its bytes to `buffer` and says where the next record goes.
    pub(super) fn encode(&self, buffer: &mut Vec<u8>, at: Place, synced: u64, boot: u64) -> Place {
        let start = buffer.len();
        buffer.resize(start + HEADER_BYTES, 0);
        let mut w = Writer::onto(std::mem::take(buffer));
        self.write_body(&mut w);
        *buffer = w.into_vec();
        let body_bytes = buffer.len() - start - HEADER_BYTES;
        let header = Header {
            body_bytes: u32::try_from(body_bytes).expect("a record fits the journal, which is smaller than 4 GiB"),
            checksum: 0,
            ordinal: at.ordinal,
            chain: at.chain,
            synced,
            boot,
            kind: self.kind(),
        };
        buffer[start..start + HEADER_BYTES].copy_from_slice(&header.encode());
        let checksum = checksum(&buffer[start..]);
        buffer[start + 8..start + 16].copy_from_slice(&checksum.to_le_bytes());
        buffer.resize(start + (HEADER_BYTES + body_bytes).next_multiple_of(ALIGNMENT), 0);
        Place { offset: at.offset + (buffer.len() - start) as u64, ordinal: at.ordinal + 1, chain: checksum }
    }

    fn kind(&self) -> u8 {
        match self {
            Record::Append(_) => 1,
            Record::Promise(_) => 2,
            Record::Install { .. } => 3,
            Record::Base { .. } => 4,
            Record::Rewrite(_) => 5,
            Record::Electorate(_) => 6,
        }
    }

    fn write_body(&self, w: &mut Writer) {
        match self {
            Record::Append(slots) | Record::Rewrite(slots) => write_slots(w, slots),
            Record::Promise(ballot) => {
                w.ballot(*ballot);
            }
            Record::Electorate(electorate) => {
                w.electorate(electorate);
            }
            Record::Install { view, configuration, keep, slots } => {
                write_slots(w.view(view).configuration(configuration).slot(*keep), slots);
            }
            Record::Base { slot, digest, adopted } => {
                w.slot(*slot).digest(*digest).option(adopted.as_ref(), Writer::configuration);
            }
        }
    }

    fn read_body(kind: u8, body: Bytes) -> Result<Record, Malformed> {
        let mut r = Reader::new(body);
        let record = match kind {
            1 => Record::Append(read_slots(&mut r)?),
            2 => Record::Promise(r.ballot()?),
            3 => Record::Install {
                view: r.view()?,
                configuration: r.configuration()?,
                keep: r.slot()?,
                slots: read_slots(&mut r)?,
            },
            4 => Record::Base { slot: r.slot()?, digest: r.digest()?, adopted: r.option(Reader::configuration)? },
            5 => Record::Rewrite(read_slots(&mut r)?),
            6 => Record::Electorate(r.electorate()?),
            _ => return Err(Malformed),
        };
        if r.remaining() == 0 { Ok(record) } else { Err(Malformed) }
    }
}

impl Header {
    /// What the bytes say, if they look like a header at all.
    pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
        if bytes.len() < HEADER_BYTES || bytes[..4] != MAGIC {
            return None;
        }
        let u64_at = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let body_bytes = u32::try_from(u64_at(0) >> 32).ok()?;
        Some(Header {
            body_bytes,
            checksum: u64_at(8),
            ordinal: u64_at(16),
            chain: u64_at(24),
            synced: u64_at(32),
            boot: u64_at(40),
            kind: bytes[48],
        })
    }

    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.body_bytes.to_le_bytes());
        for (at, word) in [self.checksum, self.ordinal, self.chain, self.synced, self.boot].into_iter().enumerate() {
            bytes[8 + 8 * at..16 + 8 * at].copy_from_slice(&word.to_le_bytes());
        }
        bytes[48] = self.kind;
        bytes
    }

    /// The record's bytes with its header, without what fills it up to the alignment.
    pub(super) fn record_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.body_bytes)
    }

    /// Whether these, header included, are the bytes that were written.
    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        checksum(bytes) == self.checksum
    }

    /// The record itself, out of bytes that fit.
    pub(super) fn record(&self, bytes: &Bytes) -> Result<Record, Malformed> {
        Record::read_body(self.kind, bytes.slice(HEADER_BYTES..))
    }

    /// Where the record after it goes.
    pub(super) fn next(&self, at: Place) -> Place {
        let offset = at.offset + self.record_bytes().next_multiple_of(ALIGNMENT as u64);
        Place { offset, ordinal: at.ordinal + 1, chain: self.checksum }
    }
}

/// What these slots take in a record at most.
pub(in crate::disk) fn slots_bytes_max<'a>(slots: impl Iterator<Item = &'a SlotRecord>) -> usize {
    slots.map(|record| record.content.len() + SLOT_BYTES_MAX).sum()
}

/// Over everything but the checksum itself; the bytes in front of it go in as the seed.
fn checksum(record: &[u8]) -> u64 {
    let mut front = [0; 8];
    front.copy_from_slice(&record[..8]);
    xxh3_64_with_seed(&record[16..], u64::from_le_bytes(front))
}

fn write_slots(w: &mut Writer, slots: &[SlotRecord]) {
    w.u64(slots.len() as u64);
    for record in slots {
        w.record(record);
    }
}

fn read_slots(r: &mut Reader) -> Result<Vec<SlotRecord>, Malformed> {
    let n = r.count(r.remaining())?;
    (0..n).map(|_| r.record()).collect()
}
