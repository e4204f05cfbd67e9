//! stub
#![allow(missing_docs, unused)]
use crate::ids::*;
use crate::time::*;
use alloc::vec::Vec;
use bytes::Bytes;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(pub u64);
#[derive(Debug)]
pub struct Options;
impl Options {
    pub fn new(me: MemberId, c: ClusterId, b: BootId, d: usize) -> Options {
        Options
    }
}
#[derive(Debug)]
pub struct Link;
pub enum Event {
    Boot { from: MemberId, boot: BootId },
    Broadcast { from: MemberId, message: Bytes },
    Stream { from: MemberId, message: Bytes },
    Note { from: MemberId, message: Bytes },
    Trailer { from: MemberId, epoch: Epoch, bytes: Bytes },
    Laggard { member: MemberId },
}
impl Link {
    pub fn new(o: Options, seed: u64) -> Link {
        Link
    }
    pub fn set_peers(&mut self, now: Time, p: MemberSet) {}
    pub fn open_epoch(&mut self, now: Time, e: Epoch, m: MemberSet) {}
    pub fn close_epoch(&mut self) {}
    pub fn broadcast(&mut self, m: &[u8]) {}
    pub fn room(&self) -> usize {
        1
    }
    pub fn stream(&mut self, to: MemberId, m: &[u8]) {}
    pub fn note(&mut self, to: MemberSet, m: &[u8], padded: bool) {}
    pub fn nudge(&mut self, to: MemberSet) {}
    pub fn set_trailer(&mut self, b: &[u8]) {}
    pub fn receive(&mut self, now: Time, from: MemberId, d: Bytes) {}
    pub fn tick(&mut self, now: Time) {}
    pub fn flush(&mut self, now: Time) {}
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
    pub fn poll_send(&mut self) -> Option<(MemberSet, Bytes)> {
        None
    }
    pub fn deadline(&self) -> Option<Time> {
        None
    }
    pub fn heard_at(&self, p: MemberId) -> Option<Time> {
        None
    }
    pub fn gap_since(&self, p: MemberId) -> Option<Time> {
        None
    }
    pub fn full_size_at(&self, p: MemberId) -> Option<Time> {
        None
    }
}
