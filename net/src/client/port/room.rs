//! What is kept for clients: requests that are not complete, and answers that have not arrived.
//!
//! Always: each of the two stays within its bound, whatever comes and however many channels there are; who
//! keeps the most gives way to who asks for less.

use super::super::encode_answer;
use super::{Count, Port};
use bytes::Bytes;
use ftq_core::replica::ClientId;
use ftq_core::session::message::{RequestName, ServerMessage};
use ftq_core::time::Time;

/// What is kept of requests that are not complete, in bytes: eight of the largest. Of a further one the pieces
/// are lost and come again.
pub(super) const INCOMING_BYTES_MAX: usize = 64 << 20;

/// What is kept of answers that have not arrived, in bytes: eight of the largest. Of a further one the client is
/// told to ask another replica.
pub(super) const OUTGOING_BYTES_MAX: usize = 64 << 20;

impl Port {
    /// Makes room for a piece of a request. Whether there is any.
    pub(super) fn make_room_in(&mut self, client: ClientId, bytes: usize) -> bool {
        let Some(who) = self.channels.get(&client).map(|member| member.who.clone()) else { return false };
        while !self.incoming.has(bytes) {
            let Some(other) = self.incoming.gives_way(&who, client, bytes) else { return false };
            let gave = self.channels.get_mut(&other).is_some_and(|member| member.channel.give_way_in());
            assert!(gave, "who has taken room keeps something there");
            self.note_room(other);
        }
        true
    }

    /// Makes room for an answer that does not go out at once. Whether there is any.
    pub(super) fn make_room_out(&mut self, now: Time, client: ClientId, name: RequestName, answer: &Bytes) -> bool {
        let Some(member) = self.channels.get(&client) else { return false };
        let (who, bytes) = (member.who.clone(), member.channel.would_keep(name, answer));
        while bytes > 0 && !self.outgoing.has(bytes) {
            let Some(other) = self.outgoing.gives_way(&who, client, bytes) else { return false };
            let given = self.channels.get_mut(&other).and_then(|member| {
                let request = member.channel.give_way_out(now)?;
                let message = ServerMessage::TryAnother { request };
                member.channel.send(now, request, encode_answer(&message));
                Some(())
            });
            assert!(given.is_some(), "who has taken room keeps something there");
            self.count(Count::LostRoom);
            self.pump(now, other);
        }
        true
    }

    /// Notes what a channel keeps by now.
    pub(super) fn note_room(&mut self, client: ClientId) {
        let Some(member) = self.channels.get(&client) else { return };
        self.incoming.set(&member.who, client, member.channel.kept_in());
        self.outgoing.set(&member.who, client, member.channel.kept_out());
    }
}
