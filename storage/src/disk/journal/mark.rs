//! The mark: what is known to be synced, written in turn into two blocks at the head of the journal.
//!
//! Always: a mark is written only after everything that it claims was synced, so it is never early.
//! While one block is written the other one holds, and what that one needs is not written over.

use super::record::Place;
use super::standing::{Point, Standing};
use ftq_core::ids::StoreId;
use ftq_core::wire::{Malformed, Reader, Writer};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What a disk writes as one, on nearly all disks; a mark must fit into it.
pub(super) const BLOCK_BYTES: usize = 4096;

const MAGIC: [u8; 4] = *b"ftqm";

/// Magic, length, checksum, number.
pub(super) const HEADER_BYTES: usize = 24;

/// What was synced when the mark was written.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// Rises by one with each mark.
    pub(super) number: u64,
    /// The store that the journal belongs to.
    pub(super) store: StoreId,
    /// The opening that wrote it.
    pub(super) boot: u64,
    /// The last record that is known to be synced.
    pub(super) ordinal: u64,
    /// The oldest record that is still needed.
    pub(super) oldest: Place,
    /// What stands after the last synced record, without the accepted slots.
    pub(super) standing: Standing,
}

impl Mark {
    /// Its block.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::onto(vec![0; HEADER_BYTES]);
        w.raw(&self.store.0).raw(&self.boot.to_le_bytes()).u64(self.ordinal);
        w.u64(self.oldest.offset).u64(self.oldest.ordinal).raw(&self.oldest.chain.to_le_bytes());
        let standing = &self.standing;
        w.slot(standing.archived.slot).digest(standing.archived.digest);
        w.ballot(standing.promise).view(&standing.view);
        w.option(standing.configuration.as_ref(), Writer::configuration);
        w.option(standing.electorate.as_ref(), Writer::electorate);
        let mut block = w.into_vec();
        let bytes = u32::try_from(block.len() - HEADER_BYTES).expect("a mark is small");
        block[..4].copy_from_slice(&MAGIC);
        block[4..8].copy_from_slice(&bytes.to_le_bytes());
        block[16..24].copy_from_slice(&self.number.to_le_bytes());
        let checksum = checksum(&block);
        block[8..16].copy_from_slice(&checksum.to_le_bytes());
        assert!(block.len() <= BLOCK_BYTES, "nine members fit a mark");
        block.resize(BLOCK_BYTES, 0);
        block
    }

    /// The mark in a block; nothing if the block was not written to its end.
    pub(super) fn parse(block: &Bytes) -> Option<Mark> {
        let word = |at: usize| block.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let bytes = usize::try_from(word(0)? >> 32).ok()?;
        let written = block.get(..HEADER_BYTES.checked_add(bytes)?)?;
        if written[..4] != MAGIC || checksum(written) != word(8)? {
            return None;
        }
        Mark::read(word(16)?, Reader::new(block.slice(HEADER_BYTES..HEADER_BYTES + bytes))).ok()
    }

    fn read(number: u64, mut r: Reader) -> Result<Mark, Malformed> {
        Ok(Mark {
            number,
            store: StoreId(r.array()?),
            boot: u64::from_le_bytes(r.array()?),
            ordinal: r.u64()?,
            oldest: Place { offset: r.u64()?, ordinal: r.u64()?, chain: u64::from_le_bytes(r.array()?) },
            standing: Standing {
                archived: Point { slot: r.slot()?, digest: r.digest()? },
                promise: r.ballot()?,
                view: r.view()?,
                configuration: r.option(Reader::configuration)?,
                // Format 2 ends here.
                electorate: if r.remaining() == 0 { None } else { r.option(Reader::electorate)? },
                ..Standing::default()
            },
        })
    }
}

/// Over everything but the checksum itself.
pub(super) fn checksum(block: &[u8]) -> u64 {
    let mut front = [0; 8];
    front.copy_from_slice(&block[..8]);
    xxh3_64_with_seed(&block[16..], u64::from_le_bytes(front))
}
