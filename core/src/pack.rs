//! The few MessagePack types that commands, questions and answers are made of, read with hard bounds.
//!
//! A client in another language makes them with any MessagePack library, so a reader takes every width
//! of a number; a writer makes the shortest one. A reader never allocates for a length that the input
//! does not hold, and never panics.

use crate::ids::Digest;
use crate::wire::Malformed;
use alloc::vec::Vec;
use bytes::Bytes;

/// Reads values off the front of a buffer.
#[derive(Clone, Debug)]
pub struct Unpacker {
    bytes: Bytes,
    at: usize,
}

impl Unpacker {
    /// A reader over all of `bytes`.
    pub fn new(bytes: Bytes) -> Unpacker {
        Unpacker { bytes, at: 0 }
    }

    /// How many bytes have not been read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// There is nothing more.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.remaining() == 0 { Ok(()) } else { Err(Malformed) }
    }

    /// The beginning of an array of at most `max` values: how many. Each takes a byte at least, so there
    /// are no more than bytes.
    pub fn array(&mut self, max: usize) -> Result<usize, Malformed> {
        let len = self.array_len()?;
        self.bounded(len, max.min(self.remaining()))
    }

    /// The beginning of an array that may be cut off: how many values it has, or had.
    pub fn array_len(&mut self) -> Result<u64, Malformed> {
        match self.byte()? {
            head @ 0x90..=0x9f => Ok(u64::from(head & 0x0f)),
            0xdc => self.fixed::<2>(),
            0xdd => self.fixed::<4>(),
            _ => Err(Malformed),
        }
    }

    /// A number that is not negative.
    pub fn uint(&mut self) -> Result<u64, Malformed> {
        let signed = |bits: u64, width: u32| if bits >> (width - 1) == 0 { Ok(bits) } else { Err(Malformed) };
        match self.byte()? {
            small @ 0..=0x7f => Ok(u64::from(small)),
            0xcc => self.fixed::<1>(),
            0xcd => self.fixed::<2>(),
            0xce => self.fixed::<4>(),
            0xcf => self.fixed::<8>(),
            0xd0 => signed(self.fixed::<1>()?, 8),
            0xd1 => signed(self.fixed::<2>()?, 16),
            0xd2 => signed(self.fixed::<4>()?, 32),
            0xd3 => signed(self.fixed::<8>()?, 64),
            _ => Err(Malformed),
        }
    }

    /// Yes or no.
    pub fn boolean(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0xc2 => Ok(false),
            0xc3 => Ok(true),
            _ => Err(Malformed),
        }
    }

    /// Nothing, or what `read` reads.
    pub fn option<T, E: From<Malformed>>(
        &mut self,
        read: impl FnOnce(&mut Unpacker) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        if self.bytes.get(self.at) == Some(&0xc0) {
            self.at += 1;
            return Ok(None);
        }
        read(self).map(Some)
    }

    /// A byte string, shared with the input.
    pub fn bin(&mut self) -> Result<Bytes, Malformed> {
        let len = match self.byte()? {
            0xc4 => self.fixed::<1>()?,
            0xc5 => self.fixed::<2>()?,
            0xc6 => self.fixed::<4>()?,
            _ => return Err(Malformed),
        };
        self.take(len)
    }

    /// A digest, as a byte string of 16.
    pub fn digest(&mut self) -> Result<Digest, Malformed> {
        let bytes = <[u8; 16]>::try_from(&self.bin()?[..]).map_err(|_| Malformed)?;
        Ok(Digest(u128::from_le_bytes(bytes)))
    }

    /// Text, shared with the input; whether it is UTF-8 is for the caller to see.
    pub fn text(&mut self) -> Result<Bytes, Malformed> {
        let len = match self.byte()? {
            head @ 0xa0..=0xbf => u64::from(head & 0x1f),
            0xd9 => self.fixed::<1>()?,
            0xda => self.fixed::<2>()?,
            0xdb => self.fixed::<4>()?,
            _ => return Err(Malformed),
        };
        self.take(len)
    }

    fn take(&mut self, len: u64) -> Result<Bytes, Malformed> {
        let len = self.bounded(len, self.remaining())?;
        self.at += len;
        Ok(self.bytes.slice(self.at - len..self.at))
    }

    fn bounded(&self, len: u64, max: usize) -> Result<usize, Malformed> {
        usize::try_from(len).ok().filter(|len| *len <= max).ok_or(Malformed)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = *self.bytes.get(self.at).ok_or(Malformed)?;
        self.at += 1;
        Ok(byte)
    }

    /// A big-endian number of `N` bytes.
    fn fixed<const N: usize>(&mut self) -> Result<u64, Malformed> {
        let bytes = self.bytes.get(self.at..self.at + N).ok_or(Malformed)?;
        self.at += N;
        Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }
}

/// Appends values to a buffer.
#[derive(Debug, Default)]
pub struct Packer {
    bytes: Vec<u8>,
}

impl Packer {
    /// An empty buffer.
    pub fn new() -> Packer {
        Packer::default()
    }

    /// A writer that goes on where `bytes` ends.
    pub fn onto(bytes: Vec<u8>) -> Packer {
        Packer { bytes }
    }

    /// What was written.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    /// What was written, ready to be shared.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from(self.bytes)
    }

    /// The beginning of an array of so many values.
    pub fn array(&mut self, len: usize) -> &mut Packer {
        match len as u64 {
            len @ 0..=15 => self.head(0x90 | low_byte(len)),
            len @ 16..=0xffff => self.head(0xdc).fixed::<2>(len),
            len => self.head(0xdd).fixed::<4>(len),
        }
    }

    /// A number.
    pub fn uint(&mut self, value: u64) -> &mut Packer {
        match value {
            0..=0x7f => self.head(low_byte(value)),
            0x80..=0xff => self.head(0xcc).fixed::<1>(value),
            0x100..=0xffff => self.head(0xcd).fixed::<2>(value),
            0x1_0000..=0xffff_ffff => self.head(0xce).fixed::<4>(value),
            _ => self.head(0xcf).fixed::<8>(value),
        }
    }

    /// Yes or no.
    pub fn boolean(&mut self, value: bool) -> &mut Packer {
        self.head(if value { 0xc3 } else { 0xc2 })
    }

    /// Nothing, or what `write` writes.
    pub fn option<T>(
        &mut self,
        value: Option<T>,
        write: impl for<'a> FnOnce(&'a mut Packer, T) -> &'a mut Packer,
    ) -> &mut Packer {
        match value {
            None => self.head(0xc0),
            Some(value) => write(self, value),
        }
    }

    /// A byte string.
    pub fn bin(&mut self, bytes: &[u8]) -> &mut Packer {
        match bytes.len() as u64 {
            len @ 0..=0xff => self.head(0xc4).fixed::<1>(len),
            len @ 0x100..=0xffff => self.head(0xc5).fixed::<2>(len),
            len => self.head(0xc6).fixed::<4>(len),
        };
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A digest.
    pub fn digest(&mut self, digest: Digest) -> &mut Packer {
        self.bin(&digest.0.to_le_bytes())
    }

    /// Text.
    pub fn text(&mut self, text: &str) -> &mut Packer {
        match text.len() as u64 {
            len @ 0..=31 => self.head(0xa0 | low_byte(len)),
            len @ 32..=0xff => self.head(0xd9).fixed::<1>(len),
            len @ 0x100..=0xffff => self.head(0xda).fixed::<2>(len),
            len => self.head(0xdb).fixed::<4>(len),
        };
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    fn head(&mut self, byte: u8) -> &mut Packer {
        self.bytes.push(byte);
        self
    }

    fn fixed<const N: usize>(&mut self, value: u64) -> &mut Packer {
        self.bytes.extend_from_slice(&value.to_be_bytes()[8 - N..]);
        self
    }
}

fn low_byte(value: u64) -> u8 {
    value.to_be_bytes()[7]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_at_every_width() {
        for value in [0, 1, 127, 128, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let mut w = Packer::new();
            w.uint(value);
            let mut r = Unpacker::new(w.into_bytes());
            assert_eq!((r.uint(), r.end()), (Ok(value), Ok(())));
        }
        for len in [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
            let bytes = alloc::vec![b'x'; len];
            let text = core::str::from_utf8(&bytes).unwrap();
            let mut w = Packer::new();
            w.bin(&bytes).text(text).array(len).boolean(true).option(None, Packer::uint);
            let mut r = Unpacker::new(w.into_bytes());
            assert_eq!(r.bin().unwrap(), bytes);
            assert_eq!(r.text().unwrap(), bytes);
            if len <= 1 {
                assert_eq!(r.array(len), Ok(len));
                assert_eq!(r.boolean(), Ok(true));
                assert_eq!(r.option(Unpacker::uint), Ok(None));
            } else {
                assert_eq!(r.array(len), Err(Malformed), "more values than bytes");
            }
        }
    }

    #[test]
    fn signed_numbers_are_taken_unless_they_are_negative() {
        let read = |bytes: &'static [u8]| Unpacker::new(Bytes::from_static(bytes)).uint();
        assert_eq!(read(&[0xd0, 5]), Ok(5));
        assert_eq!(read(&[0xd3, 0, 0, 0, 0, 0, 0, 1, 0]), Ok(256));
        assert_eq!(read(&[0xd0, 0xff]), Err(Malformed));
        assert_eq!(read(&[0xff]), Err(Malformed));
        assert_eq!(read(&[0xcd, 1]), Err(Malformed));
    }
}
