//! Which message is for which part.

use crate::ids::MemberId;
use crate::time::Time;

use super::Group;
use super::message::Message;

impl Group {
    /// A message of `from`'s broadcast stream in the present epoch.
    pub fn broadcast(&mut self, now: Time, from: MemberId, message: Message) {
        if !self.active || self.stopped {
            return;
        }
        let taken = match message {
            Message::Begin(ballot) if ballot == self.view().ballot => Ok(()),
            Message::Begin(_) => Err("a stream of another view"),
            Message::Body(body) => self.ordering.body(from, body).map(|_| ()).map_err(|misfit| misfit.0),
            Message::Sequence(s) => self.ordering.sequence(from, s, self.log.end()).map_err(|misfit| misfit.0),
            Message::Heartbeat(_)
            | Message::Question(_)
            | Message::Opinion(_)
            | Message::Prepare(..)
            | Message::Promise(_)
            | Message::Outbid(_)
            | Message::Install(_)
            | Message::WantTail(..)
            | Message::Tail(..)
            | Message::WantLog(_)
            | Message::Slots(_)
            | Message::Offer(_)
            | Message::WantPiece(..)
            | Message::Piece(..)
            | Message::AskRead(..)
            | Message::ReadMark(..)
            | Message::WantChange(..)
            | Message::Removed(..)
            | Message::Older(_)
            | Message::Retiring => Err("not a broadcast message"),
        };
        if let Err(why) = taken {
            // What was refused will not come again: this view can't be followed any further.
            self.refuse(why);
            self.leave_view();
        } else if self.ordering.has_work() {
            self.turns.waits(now);
        }
    }

    /// A note, or a message of `from`'s stream to this replica.
    pub fn message(&mut self, now: Time, from: MemberId, message: Message) {
        if self.stopped {
            return;
        }
        match message {
            Message::Heartbeat(heartbeat) => self.on_heartbeat(now, from, heartbeat),
            Message::Question(question) => self.on_question(now, from, &question),
            Message::Opinion(opinion) => self.on_opinion(now, from, opinion),
            Message::Prepare(ballot, electorate) => self.on_prepare(now, from, ballot, &electorate),
            Message::Promise(promise) => self.on_promise(now, from, promise),
            Message::Outbid(ballot) => self.on_outbid(now, ballot),
            Message::Install(install) => self.on_install(now, from, install),
            Message::WantTail(ballot, slot) => self.on_want_tail(from, ballot, slot),
            Message::Tail(ballot, slots) => self.on_tail(now, from, ballot, slots),
            Message::WantLog(slot) => self.on_want_log(from, slot),
            Message::Slots(slots) => self.on_slots(now, from, slots),
            Message::Offer(slot) => self.on_offer(now, from, slot),
            Message::WantPiece(slot, index) => self.on_want_piece(now, from, slot, index),
            Message::Piece(head, count, index, piece) => self.on_piece(now, from, head, count, index, piece),
            Message::AskRead(nonce, ballot) => self.on_ask_read(from, nonce, ballot),
            Message::ReadMark(nonce, slot) => self.on_read_mark(from, nonce, slot),
            Message::WantChange(number, change) => self.on_want_change(now, number, change),
            Message::Removed(store, number) => self.on_removed(store, number),
            Message::Older(store) => self.on_older(store),
            Message::Retiring => self.on_retiring(now, from),
            Message::Begin(_) | Message::Body(_) | Message::Sequence(_) => self.refuse("not a note"),
        }
    }
}
