//! The journal's file: two blocks for the marks, then an area that is written in a circle.
//!
//! The file is written to its end when it is created: a synced write into such a file takes a third
//! less time than one that makes the file grow, and can't run out of space.

use super::mark::BLOCK_BYTES;
use crate::disk::directory;
use crate::disk::error::OpenError;
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const AREA_START: u64 = 2 * BLOCK_BYTES as u64;

/// How much is written at once when the file is created.
const CREATE_BYTES: usize = 1 << 20;

/// The file.
#[derive(Debug)]
pub(in crate::disk) struct Ring {
    file: File,
    area_bytes: u64,
}

impl Ring {
    /// A file whose area has this many bytes, all of them zero.
    pub(super) fn create(path: &Path, area_bytes: u64) -> Result<Ring, OpenError> {
        let create = || {
            let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
            let zeros = vec![0; CREATE_BYTES];
            let mut at = 0;
            while at < AREA_START + area_bytes {
                let rest = usize::try_from(AREA_START + area_bytes - at).unwrap_or(CREATE_BYTES);
                let n = rest.min(CREATE_BYTES);
                file.write_all_at(&zeros[..n], at)?;
                at += n as u64;
            }
            file.sync_all()?;
            Ok(Ring { file, area_bytes })
        };
        create().map_err(OpenError::io("create", path))
    }

    /// The file as it is.
    pub(super) fn open(path: &Path, area_bytes: u64) -> Result<Ring, OpenError> {
        let open = || {
            let file = File::options().read(true).write(true).open(path)?;
            let there = file.metadata()?.len();
            Ok((there == AREA_START + area_bytes, Ring { file, area_bytes }))
        };
        match open().map_err(OpenError::io("open", path))? {
            (true, ring) => Ok(ring),
            (false, _) => Err(OpenError::damaged(crate::disk::Part::Journal, "the file does not have its full size")),
        }
    }

    /// A ring over any file, to see what failing writes do.
    #[cfg(test)]
    pub(super) fn over(file: File, area_bytes: u64) -> Ring {
        Ring { file, area_bytes }
    }

    /// Writes from an offset on, around the end if need be.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        assert!(bytes.len() as u64 <= self.area_bytes, "a write goes around once at most");
        let (at, until_end) = self.locate(offset);
        let (front, rest) = bytes.split_at(bytes.len().min(until_end));
        self.file.write_all_at(front, at)?;
        if rest.is_empty() { Ok(()) } else { self.file.write_all_at(rest, AREA_START) }
    }

    /// Reads from an offset on, around the end if need be.
    pub(super) fn read(&self, offset: u64, bytes: usize) -> io::Result<Bytes> {
        let mut buffer = vec![0; bytes];
        let (at, until_end) = self.locate(offset);
        let (front, rest) = buffer.split_at_mut(bytes.min(until_end));
        self.file.read_exact_at(front, at)?;
        if !rest.is_empty() {
            self.file.read_exact_at(rest, AREA_START)?;
        }
        Ok(Bytes::from(buffer))
    }

    /// Writes the mark with this number.
    pub(super) fn write_mark(&self, number: u64, block: &[u8]) -> io::Result<()> {
        self.file.write_all_at(block, number % 2 * BLOCK_BYTES as u64)
    }

    /// Reads a mark's block.
    pub(super) fn read_mark(&self, number: u64) -> io::Result<Bytes> {
        let mut block = vec![0; BLOCK_BYTES];
        self.file.read_exact_at(&mut block, number % 2 * BLOCK_BYTES as u64)?;
        Ok(Bytes::from(block))
    }

    /// Makes the file hold what will be read of it.
    pub(super) fn settle(&self) -> io::Result<()> {
        directory::settle(&self.file)
    }

    /// Makes what was written durable. After an error nothing is known any more: no retry.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// How many bytes of records it holds.
    pub(super) fn area_bytes(&self) -> u64 {
        self.area_bytes
    }

    /// Where an offset is in the file, and how many bytes there are from there to the file's end.
    fn locate(&self, offset: u64) -> (u64, usize) {
        let within = offset % self.area_bytes;
        (AREA_START + within, usize::try_from(self.area_bytes - within).unwrap_or(usize::MAX))
    }
}
