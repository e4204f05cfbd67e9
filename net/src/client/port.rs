//! The server's side of all its clients: who they are, what they may do, and what they said.
//!
//! ```text
//! datagram ──▶ hello?  ── proof ──▶ welcome: the cookie. Nothing is kept.
//!              first?  ── cookie, seal ──▶ a channel ──▶ message ──▶ role ──▶ the replica
//!              sealed? ── seal, window ──▶ its channel ─┘            └──▶ not allowed
//!              plain?  ── loopback, if it is served ────┘
//! ```
//! Always:
//! - nothing is sent to who has not shown that it has a key, and before it has shown that it receives what
//!   is sent to its address, no more than it sent;
//! - a channel stays with the address that opened it;
//! - a sealed payload is taken once, as long as the server runs: a channel is forgotten only when the
//!   cookie that could open it again is too old;
//! - what is kept is bounded, whatever comes.

mod greeting;
mod keys;
mod room;

use super::channel::{Channel, PAYLOAD_MIN, is_piece};
use super::envelope::{ChannelName, Datagram, SEALED_BYTES, Seal, Unopened};
use super::host::HostQuestion;
use super::shares::{Holder, Shares};
use super::{decode_request, encode_answer, name_of_answer, name_of_request};
use crate::keys::{ClientKey, Role};
use crate::socket::Path;
use bytes::Bytes;
use ftq_core::machine::queues::Command;
use ftq_core::replica::{ClientId, Inquiry};
use ftq_core::session::message::{ClientMessage, Refusal, ServerMessage};
use ftq_core::time::{Span, Time};
use keys::{Cookies, Key};
use room::{INCOMING_BYTES_MAX, OUTGOING_BYTES_MAX};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

/// For how long a cookie opens a channel.
const COOKIE_AGE: Span = Span::secs(10);

/// A channel that was not used for so long is forgotten.
const IDLE_MAX: Span = Span::secs(600);

/// Channels at once; for a further one the idlest is forgotten.
const CHANNELS_MAX: usize = 16_384;

/// How often idle channels are looked for.
const SWEEP_EVERY: Span = Span::secs(10);

/// A line in the log about what is not allowed, no more often than this.
const TELL_EVERY: Span = Span::secs(1);

/// What a port is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What may be done on loopback without a seal; nothing if none.
    pub plain: Option<Role>,
    /// The longest datagram to another machine.
    pub datagram: usize,
    /// The longest datagram on loopback.
    pub datagram_loopback: usize,
}

/// Why a datagram was refused, or what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Not a datagram of this protocol, or a message that is none.
    RefusedMalformed,
    /// Plain, where plain is not served.
    RefusedPlain,
    /// Sealed with a key that is not one of ours.
    RefusedKey,
    /// Not sealed or proved by a holder of its key.
    RefusedNotAuthentic,
    /// A cookie that is not ours, or not of that address, or too old.
    RefusedCookie,
    /// A channel that is not known, or not of that address.
    RefusedChannel,
    /// Here before.
    RefusedReplay,
    /// Pieces for which there is no room.
    RefusedRoom,
    /// Above the role of its key.
    RefusedRole,
    /// Answers for which there is no room: the client is told to ask another replica.
    LostRoom,
    /// Channels whose key was taken away.
    Revoked,
    /// Welcomes that were sent.
    Welcomed,
    /// Channels that were opened.
    Opened,
    /// Messages that were taken.
    Taken,
}

const NAMES: [(Count, &str); 14] = [
    (Count::RefusedMalformed, "refused_malformed"),
    (Count::RefusedPlain, "refused_plain"),
    (Count::RefusedKey, "refused_key"),
    (Count::RefusedNotAuthentic, "refused_not_authentic"),
    (Count::RefusedCookie, "refused_cookie"),
    (Count::RefusedChannel, "refused_channel"),
    (Count::RefusedReplay, "refused_replay"),
    (Count::RefusedRoom, "refused_room"),
    (Count::RefusedRole, "refused_role"),
    (Count::LostRoom, "lost_room"),
    (Count::Revoked, "revoked"),
    (Count::Welcomed, "welcomed"),
    (Count::Opened, "opened"),
    (Count::Taken, "taken"),
];

/// All clients of one server.
#[derive(Debug)]
pub struct Port {
    options: Options,
    keys: Vec<Key>,
    cookies: Cookies,
    channels: BTreeMap<ClientId, Member>,
    sealed: BTreeMap<ChannelName, ClientId>,
    plain: BTreeMap<SocketAddr, ClientId>,
    /// The channels with something to send later.
    timed: BTreeSet<ClientId>,
    last: u64,
    /// What is kept of requests that are not complete.
    incoming: Shares,
    /// What is kept of answers that have not arrived.
    outgoing: Shares,
    sweep_at: Time,
    tell_at: Time,
    out: VecDeque<(Path, Vec<u8>)>,
    counts: [u64; NAMES.len()],
}

/// Somebody who is spoken with.
#[derive(Debug)]
struct Member {
    path: Path,
    /// The name of its key, empty if it has none.
    who: Holder,
    role: Role,
    channel: Channel,
    seal: Option<Seal>,
    opened_at: Time,
    used_at: Time,
}

impl Port {
    /// A port for the holders of these keys. `random` is drawn for this run of the server.
    pub fn new(keys: &[ClientKey], options: Options, random: [u8; 32]) -> Port {
        Port {
            options,
            keys: keys.iter().map(Key::new).collect(),
            cookies: Cookies::new(random),
            channels: BTreeMap::new(),
            sealed: BTreeMap::new(),
            plain: BTreeMap::new(),
            timed: BTreeSet::new(),
            last: 0,
            incoming: Shares::new(INCOMING_BYTES_MAX),
            outgoing: Shares::new(OUTGOING_BYTES_MAX),
            sweep_at: Time(0),
            tell_at: Time(0),
            out: VecDeque::new(),
            counts: [0; NAMES.len()],
        }
    }

    /// Takes a datagram: the message in it, or that it completes, if its sender may say that.
    pub fn receive(&mut self, now: Time, path: Path, datagram: &[u8]) -> Option<(ClientId, ClientMessage)> {
        let taken = self.take(now, path, datagram);
        let (client, message) = match taken {
            Ok(taken) => taken?,
            Err(count) => {
                self.count(count);
                return None;
            }
        };
        let role = self.channels.get(&client)?.role;
        if role < needed(&message) {
            self.count(Count::RefusedRole);
            self.tell(now, client);
            let request = name_of_request(&message);
            self.send(now, client, &ServerMessage::Refused { request, refusal: Refusal::NotAllowed });
            return None;
        }
        self.count(Count::Taken);
        Some((client, message))
    }

    /// Answers.
    pub fn send(&mut self, now: Time, client: ClientId, message: &ServerMessage) {
        let (name, bytes) = (name_of_answer(message), encode_answer(message));
        let bytes = if self.make_room_out(now, client, name, &bytes) {
            bytes
        } else {
            self.count(Count::LostRoom);
            encode_answer(&ServerMessage::TryAnother { request: name })
        };
        let Some(member) = self.channels.get_mut(&client) else { return };
        member.channel.send(now, name, bytes);
        self.pump(now, client);
    }

    /// The next datagram to send.
    pub fn poll(&mut self) -> Option<(Path, Vec<u8>)> {
        self.out.pop_front()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Time) {
        for client in std::mem::take(&mut self.timed) {
            if let Some(member) = self.channels.get_mut(&client) {
                member.channel.tick(now);
                self.pump(now, client);
            }
        }
        if now >= self.sweep_at {
            self.sweep_at = now + SWEEP_EVERY;
            let idle = self.channels.iter().filter(|(_, member)| now.since(member.used_at) >= IDLE_MAX);
            let idle: Vec<ClientId> = idle.map(|(client, _)| *client).collect();
            idle.into_iter().for_each(|client| self.forget(client));
        }
    }

    /// When to tick.
    pub fn deadline(&self) -> Option<Time> {
        let timed = self.timed.iter().filter_map(|client| self.channels.get(client)?.channel.deadline()).min();
        let sweep = (!self.channels.is_empty()).then_some(self.sweep_at);
        [timed, sweep].into_iter().flatten().min()
    }

    /// What was counted, with the names that metrics use.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        NAMES.iter().map(|(count, name)| (*name, self.counts[*count as usize]))
    }

    /// How often this happened.
    pub fn of(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    /// What is kept at present of requests that are not complete and of answers that have not arrived, in bytes.
    pub fn kept(&self) -> [(&'static str, usize); 2] {
        [("incoming", self.incoming.bytes()), ("outgoing", self.outgoing.bytes())]
    }

    /// How many channels there are.
    pub fn channels(&self) -> usize {
        self.channels.len()
    }

    fn take(&mut self, now: Time, path: Path, datagram: &[u8]) -> Result<Option<(ClientId, ClientMessage)>, Count> {
        let (client, payload) = match Datagram::decode(Bytes::copy_from_slice(datagram)) {
            Ok(Datagram::Hello { version, name, client, proof }) => {
                self.greeted(now, path, datagram.len(), version, &name, client, &proof)?;
                return Ok(None);
            }
            Ok(Datagram::First { name, client, server, number, sealed }) => {
                self.take_first(now, path, &name, &client, &server, number, &sealed)?
            }
            Ok(Datagram::Sealed { channel, number, sealed }) => {
                let client = *self.sealed.get(&channel).ok_or(Count::RefusedChannel)?;
                (client, self.open(path, client, number, &sealed)?)
            }
            Ok(Datagram::Plain(payload)) => (self.plain(now, path)?, payload),
            // Only servers say a welcome.
            Ok(Datagram::Welcome { .. }) | Err(_) => return Err(Count::RefusedMalformed),
        };
        self.take_payload(now, client, payload)
    }

    fn take_payload(
        &mut self,
        now: Time,
        client: ClientId,
        payload: Bytes,
    ) -> Result<Option<(ClientId, ClientMessage)>, Count> {
        if is_piece(&payload) && !self.make_room_in(client, payload.len()) {
            return Err(Count::RefusedRoom);
        }
        let Some(member) = self.channels.get_mut(&client) else { return Err(Count::RefusedChannel) };
        member.used_at = now;
        let message = member.channel.receive(now, payload);
        self.pump(now, client);
        let Some(message) = message.map_err(|_| Count::RefusedMalformed)? else { return Ok(None) };
        let message = decode_request(message).map_err(|_| Count::RefusedMalformed)?;
        Ok(Some((client, message)))
    }

    /// The payload that a client has sealed, if it comes from where the client is.
    fn open(&mut self, path: Path, client: ClientId, number: u64, sealed: &[u8]) -> Result<Bytes, Count> {
        let member = self.channels.get_mut(&client).filter(|member| member.path.remote == path.remote);
        let seal = member.and_then(|member| member.seal.as_mut()).ok_or(Count::RefusedChannel)?;
        seal.open(number, sealed).map_err(|unopened| match unopened {
            Unopened::NotAuthentic => Count::RefusedNotAuthentic,
            Unopened::Replayed => Count::RefusedReplay,
        })
    }

    /// Who speaks from this address without a seal.
    fn plain(&mut self, now: Time, path: Path) -> Result<ClientId, Count> {
        let role = self.options.plain.filter(|_| path.is_loopback()).ok_or(Count::RefusedPlain)?;
        if let Some(client) = self.plain.get(&path.remote) {
            return Ok(*client);
        }
        let client = self.admit(now, path, "".into(), role, None)?;
        self.plain.insert(path.remote, client);
        Ok(client)
    }

    /// Makes room for somebody and begins to speak with them.
    fn admit(&mut self, now: Time, path: Path, who: Holder, role: Role, seal: Option<Seal>) -> Result<ClientId, Count> {
        if self.channels.len() >= CHANNELS_MAX {
            let idlest = self.channels.iter().min_by_key(|(_, member)| member.used_at);
            // Younger than a cookie's age, and what opened it could be sent again.
            let idlest = idlest.filter(|(_, member)| now.since(member.opened_at) > COOKIE_AGE);
            let idlest = *idlest.ok_or(Count::RefusedRoom)?.0;
            self.forget(idlest);
        }
        self.last += 1;
        let client = ClientId(self.last);
        let datagram = if path.is_loopback() { self.options.datagram_loopback } else { self.options.datagram };
        let channel = Channel::new((datagram - SEALED_BYTES).max(PAYLOAD_MIN));
        self.channels.insert(client, Member { path, who, role, channel, seal, opened_at: now, used_at: now });
        Ok(client)
    }

    fn forget(&mut self, client: ClientId) {
        let Some(member) = self.channels.remove(&client) else { return };
        self.incoming.set(&member.who, client, 0);
        self.outgoing.set(&member.who, client, 0);
        match member.seal {
            Some(seal) => self.sealed.remove(&seal.channel),
            None => self.plain.remove(&member.path.remote),
        };
    }

    /// Makes datagrams of all payloads of a client, and notes what is still kept for it.
    fn pump(&mut self, now: Time, client: ClientId) {
        let Some(member) = self.channels.get_mut(&client) else { return };
        while let Some(payload) = member.channel.poll(now) {
            let datagram = match &mut member.seal {
                Some(seal) => seal.seal(&payload),
                None => payload.to_vec(),
            };
            self.out.push_back((member.path, datagram));
        }
        if member.channel.deadline().is_some() {
            self.timed.insert(client);
        }
        self.note_room(client);
    }

    /// Writes down who asked for more than they may, now and then.
    fn tell(&mut self, now: Time, client: ClientId) {
        let Some(member) = self.channels.get(&client).filter(|_| now >= self.tell_at) else { return };
        self.tell_at = now + TELL_EVERY;
        let Member { path, who, role, .. } = member;
        let who = if who.is_empty() { "somebody without a key" } else { who };
        log::warn!("clients: {who} at {} has the role {role} and asked for what needs a higher one", path.remote);
    }

    fn count(&mut self, count: Count) {
        self.counts[count as usize] += 1;
    }
}

/// The least role that may say this.
pub fn needed(message: &ClientMessage) -> Role {
    match message {
        ClientMessage::Read { question, .. } if HostQuestion::read(question).is_some() => Role::Admin,
        ClientMessage::Read { question, .. } if Inquiry::is_for_operators(question) => Role::Admin,
        ClientMessage::Read { .. } => Role::Read,
        ClientMessage::Call { command, .. } if Command::is_for_operators(command) => Role::Admin,
        ClientMessage::Open { .. } | ClientMessage::Call { .. } | ClientMessage::Close { .. } => Role::Write,
    }
}
