//! The few MessagePack types that the client protocol uses, read with hard bounds.

use bytes::Bytes;
use rmp::decode;
use rmp::encode;

/// The longest command, question or answer.
const BIN_BYTES_MAX: usize = 8 << 20;

/// The most fields that an array has.
const FIELDS_MAX: u32 = 6;

/// Why a message could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A field is missing, or of another type than it should be.
    Field,
    /// No array of this kind has so many fields.
    Array {
        /// What it says it is.
        kind: u8,
        /// How many fields it has, with the kind.
        length: u32,
    },
    /// A length or a number is beyond its bound.
    TooLarge,
    /// Bytes follow the message.
    Trailing,
}

/// Reads fields off the front of a message.
#[derive(Debug)]
pub(super) struct Fields {
    bytes: Bytes,
    at: usize,
}

impl Fields {
    pub(super) fn of(bytes: Bytes) -> Fields {
        Fields { bytes, at: 0 }
    }

    /// The beginning of an array: its kind, and how many fields it has.
    pub(super) fn array(&mut self) -> Result<(u8, u32), Malformed> {
        let length = self.read(|rest| decode::read_array_len(rest).ok())?;
        if length == 0 {
            return Err(Malformed::Field);
        }
        if length > FIELDS_MAX {
            return Err(Malformed::TooLarge);
        }
        Ok((self.int()?, length))
    }

    /// A number that fits.
    pub(super) fn int<N: TryFrom<u64>>(&mut self) -> Result<N, Malformed> {
        let number = self.read(|rest| decode::read_int::<u64, _>(rest).ok())?;
        N::try_from(number).map_err(|_| Malformed::TooLarge)
    }

    pub(super) fn bool(&mut self) -> Result<bool, Malformed> {
        self.read(|rest| decode::read_bool(rest).ok())
    }

    /// A byte string, shared with the message.
    pub(super) fn bin(&mut self) -> Result<Bytes, Malformed> {
        let length = self.read(|rest| decode::read_bin_len(rest).ok())?;
        self.take(length)
    }

    fn take(&mut self, length: u32) -> Result<Bytes, Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed::TooLarge)?;
        if length > BIN_BYTES_MAX {
            return Err(Malformed::TooLarge);
        }
        if length > self.bytes.len() - self.at {
            return Err(Malformed::Field);
        }
        self.at += length;
        Ok(self.bytes.slice(self.at - length..self.at))
    }

    /// A byte string of so many bytes.
    pub(super) fn bin_of<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        <[u8; N]>::try_from(&self.bin()?[..]).map_err(|_| Malformed::Field)
    }

    /// A text, as its bytes.
    pub(super) fn text(&mut self) -> Result<Bytes, Malformed> {
        let length = self.read(|rest| decode::read_str_len(rest).ok())?;
        self.take(length)
    }

    /// There is nothing more.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(Malformed::Trailing) }
    }

    fn read<T>(&mut self, read: impl FnOnce(&mut &[u8]) -> Option<T>) -> Result<T, Malformed> {
        let mut rest = &self.bytes[self.at..];
        let value = read(&mut rest).ok_or(Malformed::Field)?;
        self.at = self.bytes.len() - rest.len();
        Ok(value)
    }
}

/// Writing into memory does not fail.
const WRITES: &str = "memory takes what is written";

/// Begins an array of `length` fields, the first of which is its kind.
pub(super) fn array(out: &mut Vec<u8>, length: u32, kind: u8) {
    encode::write_array_len(out, length).expect(WRITES);
    int(out, kind.into());
}

pub(super) fn int(out: &mut Vec<u8>, number: u64) {
    encode::write_uint(out, number).expect(WRITES);
}

pub(super) fn boolean(out: &mut Vec<u8>, value: bool) {
    encode::write_bool(out, value).expect(WRITES);
}

pub(super) fn bin(out: &mut Vec<u8>, bytes: &[u8]) {
    encode::write_bin(out, bytes).expect(WRITES);
}

pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    encode::write_str(out, text).expect(WRITES);
}
