//! One side of what a client and a replica say to each other, sealed or not: payloads in and out.
//!
//! A payload is a message, or a piece of one that is longer than a datagram, or a receipt for pieces.

use super::fields::{Fields, Malformed};
use super::pieces::{Inbox, Outbox, PIECE, PIECE_BYTES_MIN, Piece, RECEIPT, Receipt};
use bytes::Bytes;
use ftq_core::session::message::RequestName;
use ftq_core::time::Time;
use std::collections::VecDeque;

/// What a piece adds to its bytes.
const PIECE_HEAD: usize = 24;

/// The shortest payload that a path can be made to carry.
pub(super) const PAYLOAD_MIN: usize = PIECE_BYTES_MIN + PIECE_HEAD;

/// One side of a channel.
#[derive(Debug)]
pub(super) struct Channel {
    /// The longest payload that goes out.
    payload_max: usize,
    ready: VecDeque<Bytes>,
    outbox: Outbox,
    inbox: Inbox,
}

impl Channel {
    pub(super) fn new(payload_max: usize) -> Channel {
        assert!(payload_max >= PAYLOAD_MIN, "a payload holds a piece");
        Channel { payload_max, ready: VecDeque::new(), outbox: Outbox::default(), inbox: Inbox::default() }
    }

    /// Sends a message, whole or in pieces.
    pub(super) fn send(&mut self, now: Time, name: RequestName, message: Bytes) {
        if message.len() <= self.payload_max {
            self.ready.push_back(message);
        } else {
            self.outbox.send(now, name, message, self.payload_max - PIECE_HEAD);
        }
    }

    /// Takes a payload: the message that it is, or that it completes.
    pub(super) fn receive(&mut self, now: Time, payload: Bytes) -> Result<Option<Bytes>, Malformed> {
        let mut fields = Fields::of(payload.clone());
        match fields.array()? {
            (PIECE, 5) => {
                let piece = Piece::decode(&mut fields)?;
                fields.end()?;
                let taken = self.inbox.take(now, piece)?;
                self.ready.extend(taken.receipt.map(|receipt| Bytes::from(receipt.encode())));
                Ok(taken.message)
            }
            (RECEIPT, 4) => {
                let receipt = Receipt::decode(&mut fields)?;
                fields.end()?;
                self.outbox.receipt(now, &receipt);
                Ok(None)
            }
            (_, _) => Ok(Some(payload)),
        }
    }

    /// The next payload to send.
    pub(super) fn poll(&mut self, now: Time) -> Option<Bytes> {
        self.ready.pop_front().or_else(|| self.outbox.poll(now).map(|piece| piece.encode().into()))
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Time) {
        self.inbox.tick(now);
        self.outbox.tick(now);
    }

    /// When to tick.
    pub(super) fn deadline(&self) -> Option<Time> {
        [self.inbox.deadline(), self.outbox.deadline()].into_iter().flatten().min()
    }

    /// What [`send`](Self::send) would keep of this message until the other side has it, in bytes.
    pub(super) fn would_keep(&self, name: RequestName, message: &Bytes) -> usize {
        if message.len() <= self.payload_max || self.outbox.holds(name) { 0 } else { message.len() }
    }

    /// Gives up a message that is kept until the other side has it: which request it was about.
    pub(super) fn give_way_out(&mut self, now: Time) -> Option<RequestName> {
        self.outbox.give_way(now)
    }

    /// Gives up a message that is not complete. Whether there was one.
    pub(super) fn give_way_in(&mut self) -> bool {
        self.inbox.give_way()
    }

    /// What it keeps of messages that are not complete, in bytes.
    pub(super) fn kept_in(&self) -> usize {
        self.inbox.kept()
    }

    /// What it keeps of messages that the other side does not have yet, in bytes.
    pub(super) fn kept_out(&self) -> usize {
        self.outbox.kept()
    }
}

/// Whether a payload is a piece of something.
pub(super) fn is_piece(payload: &Bytes) -> bool {
    matches!(Fields::of(payload.clone()).array(), Ok((PIECE, _)))
}
