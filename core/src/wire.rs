//! Reading and writing the bytes of peer messages and stored records, with hard bounds.
//!
//! Numbers are LEB128 varints or fixed little-endian; byte strings carry their length. A reader
//! never allocates for a length that the input does not hold, and never panics.

use crate::electorate::Electorate;
use crate::ids::{
    Ballot, BootId, Configuration, Digest, MEMBERS_MAX, MemberId, MemberSet, Participant, Seat, Slot, StoreId, View,
};
use crate::store::{Mark, SlotRecord};
use crate::time::SlotClock;
use alloc::vec::Vec;
use bytes::Bytes;

/// The bytes were not what they should be; nothing was taken from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads values off the front of a buffer.
#[derive(Clone, Debug)]
pub struct Reader {
    bytes: Bytes,
    at: usize,
}

impl Reader {
    /// A reader over all of `bytes`.
    pub fn new(bytes: Bytes) -> Reader {
        Reader { bytes, at: 0 }
    }

    /// What has not been read yet.
    pub fn rest(self) -> Bytes {
        self.bytes.slice(self.at..)
    }

    /// How many bytes have not been read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        let first = *self.bytes.get(self.at).ok_or(Malformed)?;
        self.at += 1;
        Ok(first)
    }

    /// Nothing, or what `read` reads.
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Reader) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Malformed),
        }
    }

    /// A varint of at most 64 bits.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        let unread = self.bytes.get(self.at..).unwrap_or_default();
        for (at, byte) in unread.iter().take(10).copied().enumerate() {
            if at == 9 && byte > 1 {
                return Err(Malformed);
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.at += at + 1;
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// A varint that counts things, refused above `max`.
    pub fn count(&mut self, max: usize) -> Result<usize, Malformed> {
        let n = usize::try_from(self.u64()?).map_err(|_| Malformed)?;
        if n > max { Err(Malformed) } else { Ok(n) }
    }

    /// A fixed array of bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        let end = self.at.checked_add(N).ok_or(Malformed)?;
        array.copy_from_slice(self.bytes.get(self.at..end).ok_or(Malformed)?);
        self.at = end;
        Ok(array)
    }

    /// Exactly `n` bytes, shared with the input.
    pub fn take(&mut self, n: usize) -> Result<Bytes, Malformed> {
        if n > self.remaining() {
            return Err(Malformed);
        }
        self.at += n;
        Ok(self.bytes.slice(self.at - n..self.at))
    }

    /// A byte string with its length in front, shared with the input.
    pub fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let n = self.count(self.remaining())?;
        self.take(n)
    }

    /// A member id.
    pub fn member(&mut self) -> Result<MemberId, Malformed> {
        MemberId::new(self.u8()?).ok_or(Malformed)
    }

    /// A set of members.
    pub fn members(&mut self) -> Result<MemberSet, Malformed> {
        Ok(MemberSet::from_bits(self.u64()?))
    }

    /// A slot number.
    pub fn slot(&mut self) -> Result<Slot, Malformed> {
        Ok(Slot(self.u64()?))
    }

    /// A digest.
    pub fn digest(&mut self) -> Result<Digest, Malformed> {
        Ok(Digest(u128::from_le_bytes(self.array()?)))
    }

    /// A ballot.
    pub fn ballot(&mut self) -> Result<Ballot, Malformed> {
        let number = self.u64()?;
        if number == 0 {
            return Ok(Ballot::default());
        }
        Ok(Ballot { number, proposer: Some(self.member()?), store: StoreId(self.array()?) })
    }

    /// A view.
    pub fn view(&mut self) -> Result<View, Malformed> {
        let ballot = self.ballot()?;
        let n = self.count(MEMBERS_MAX)?;
        let mut members: Vec<Participant> = Vec::with_capacity(n);
        for _ in 0..n {
            let member = self.member()?;
            if members.last().is_some_and(|last| last.member >= member) {
                return Err(Malformed);
            }
            members.push(Participant { member, store: StoreId(self.array()?), boot: BootId(self.array()?) });
        }
        let turns = self.count(MEMBERS_MAX)?;
        let ring = (0..turns).map(|_| self.member()).collect::<Result<Vec<_>, _>>()?;
        Ok(View { ballot, members, ring })
    }

    /// A configuration.
    pub fn configuration(&mut self) -> Result<Configuration, Malformed> {
        let number = self.u64()?;
        let n = self.count(MEMBERS_MAX)?;
        let mut seats: Vec<Seat> = Vec::with_capacity(n);
        for _ in 0..n {
            let member = self.member()?;
            if seats.last().is_some_and(|last| last.member >= member) {
                return Err(Malformed);
            }
            let store = self.option(|r| r.array().map(StoreId))?;
            seats.push(Seat { member, store });
        }
        Ok(Configuration { number, seats })
    }

    /// An electorate.
    pub fn electorate(&mut self) -> Result<Electorate, Malformed> {
        Ok(Electorate { sealed: self.configuration()?, proposed: self.option(Reader::configuration)? })
    }

    /// What a store shows.
    pub fn mark(&mut self) -> Result<Mark, Malformed> {
        Ok(Mark { ordinal: self.u64()?, promise: self.ballot()?, view: self.ballot()?, end: self.slot()? })
    }

    /// A slot with its content.
    pub fn record(&mut self) -> Result<SlotRecord, Malformed> {
        Ok(SlotRecord {
            slot: self.slot()?,
            view: self.ballot()?,
            clock: SlotClock(self.u64()?),
            digest: self.digest()?,
            content: self.bytes()?,
        })
    }
}

/// Appends values to a buffer.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty buffer.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// A writer that goes on where `bytes` ends, so that a buffer can be used again.
    pub fn onto(bytes: Vec<u8>) -> Writer {
        Writer { bytes }
    }

    /// What was written.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    /// What was written, to look at.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written, ready to be shared.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from(self.bytes)
    }

    /// How much was written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Writer {
        self.bytes.push(value);
        self
    }

    /// Nothing, or what `write` writes.
    pub fn option<T>(
        &mut self,
        value: Option<T>,
        write: impl for<'a> FnOnce(&'a mut Writer, T) -> &'a mut Writer,
    ) -> &mut Writer {
        match value {
            None => self.u8(0),
            Some(value) => write(self.u8(1), value),
        }
    }

    /// A varint.
    pub fn u64(&mut self, mut value: u64) -> &mut Writer {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push((value & 0x7f) as u8);
        self
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Writer {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A byte string with its length in front.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Writer {
        self.u64(bytes.len() as u64).raw(bytes)
    }

    /// A member id.
    pub fn member(&mut self, member: MemberId) -> &mut Writer {
        self.u8(member.number())
    }

    /// A set of members.
    pub fn members(&mut self, set: MemberSet) -> &mut Writer {
        self.u64(set.bits())
    }

    /// A slot number.
    pub fn slot(&mut self, slot: Slot) -> &mut Writer {
        self.u64(slot.0)
    }

    /// A digest.
    pub fn digest(&mut self, digest: Digest) -> &mut Writer {
        self.raw(&digest.0.to_le_bytes())
    }

    /// A ballot.
    pub fn ballot(&mut self, ballot: Ballot) -> &mut Writer {
        match ballot.proposer {
            None => self.u64(0),
            Some(proposer) => self.u64(ballot.number).member(proposer).raw(&ballot.store.0),
        }
    }

    /// A view.
    pub fn view(&mut self, view: &View) -> &mut Writer {
        self.ballot(view.ballot).u64(view.members.len() as u64);
        for p in &view.members {
            self.member(p.member).raw(&p.store.0).raw(&p.boot.0);
        }
        self.u64(view.ring.len() as u64);
        for member in &view.ring {
            self.member(*member);
        }
        self
    }

    /// A configuration.
    pub fn configuration(&mut self, configuration: &Configuration) -> &mut Writer {
        self.u64(configuration.number).u64(configuration.seats.len() as u64);
        for seat in &configuration.seats {
            self.member(seat.member);
            self.option(seat.store.as_ref(), |w, store| w.raw(&store.0));
        }
        self
    }

    /// An electorate.
    pub fn electorate(&mut self, electorate: &Electorate) -> &mut Writer {
        self.configuration(&electorate.sealed).option(electorate.proposed.as_ref(), Writer::configuration)
    }

    /// What a store shows.
    pub fn mark(&mut self, mark: &Mark) -> &mut Writer {
        self.u64(mark.ordinal).ballot(mark.promise).ballot(mark.view).slot(mark.end)
    }

    /// A slot with its content.
    pub fn record(&mut self, record: &SlotRecord) -> &mut Writer {
        self.slot(record.slot).ballot(record.view).u64(record.clock.0).digest(record.digest).bytes(&record.content)
    }
}
