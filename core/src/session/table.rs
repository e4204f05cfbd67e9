//! stub
#![allow(missing_docs, unused)]
use super::message::*;
use crate::ids::*;
use crate::machine::*;
use crate::time::*;
use crate::wire::Malformed;
use alloc::vec::Vec;
use bytes::Bytes;
#[derive(Debug)]
pub struct Sessions<M>(M);
pub enum Applied {
    Opened { nonce: [u8; 16], session: SessionId },
    Answered { session: SessionId, number: u64, place: Place, outcome: Outcome, repeated: bool },
    Malformed,
}
impl Applied {
    pub fn is_repeated(&self) -> bool {
        false
    }
}
impl<M: Machine> Sessions<M> {
    pub fn new(m: M) -> Self {
        Sessions(m)
    }
    pub fn advance(&mut self, s: Slot, c: SlotClock) {}
    pub fn apply(&mut self, p: Place, b: &Bytes) -> Applied {
        Applied::Malformed
    }
    pub fn lookup(&self, s: SessionId, n: u64) -> Option<(Place, Outcome)> {
        None
    }
    pub fn query(&self, q: &Bytes, a: &mut Vec<u8>) {}
    pub fn deadline(&self) -> Option<SlotClock> {
        None
    }
    pub fn digest(&self) -> Digest {
        Digest(0)
    }
    pub fn snapshot(&self) -> Vec<Bytes> {
        Vec::new()
    }
    pub fn restore(&mut self, p: &[Bytes]) -> Result<(), Malformed> {
        Ok(())
    }
}
