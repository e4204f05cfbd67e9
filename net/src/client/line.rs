//! A client's line to one replica: it says hello by itself, and again when the replica has forgotten it.
//!
//! ```text
//!  silent ── message ──▶ greeting ── welcome ──▶ open ── nothing heard for a while ──▶ greeting anew
//!                        (messages wait)                    (and still open, until another welcome)
//! ```
//! A plain line is open from the start. Nothing here is reliable: a message may get lost on the way, and who
//! wants it answered sends it again.

use super::channel::Channel;
use super::envelope::{ClientRandom, Datagram, FIRST_BYTES, NamedKey, Seal, ServerRandom, Side, VERSION};
use super::{decode_answer, encode_request, name_of_request};
use crate::keys::{ClientKey, Secret, expand};
use bytes::Bytes;
use ftq_core::session::message::{ClientMessage, RequestName, ServerMessage};
use ftq_core::time::{Span, Time};
use std::collections::VecDeque;

/// A hello is repeated no sooner than this.
const HELLO_EVERY: Span = Span::millis(50);

/// A replica that has been silent for so long after something was said to it may have forgotten us.
const SILENCE: Span = Span::millis(400);

/// Messages that wait for a welcome; a further one takes the place of the oldest.
const WAITING_MAX: usize = 256;

/// A message that has waited for so long has been sent again, or nobody wants it any more.
const WAITING_AGE: Span = Span::secs(5);

/// A line to one replica.
#[derive(Debug)]
pub struct Line {
    key: Option<NamedKey>,
    randoms: Randoms,
    payload_max: usize,
    greeting: Option<Greeting>,
    open: Option<Open>,
    waiting: VecDeque<(Time, RequestName, Bytes)>,
    out: VecDeque<Vec<u8>>,
    refused: u64,
}

/// The randoms of one client, a new one for each greeting, all from what it drew when it began.
#[derive(Debug)]
struct Randoms {
    drawn: Secret,
    count: u64,
}

#[derive(Debug)]
struct Greeting {
    client: ClientRandom,
    said_at: Time,
}

#[derive(Debug)]
struct Open {
    channel: Channel,
    seal: Option<Sealed>,
    /// Since when something was said that nothing came back for.
    unanswered: Option<Time>,
}

#[derive(Debug)]
struct Sealed {
    seal: Seal,
    client: ClientRandom,
    server: ServerRandom,
    /// Whether the replica has shown that it knows this channel.
    known: bool,
}

impl Line {
    /// A line on loopback, not sealed, with datagrams of at most so many bytes.
    pub fn plain(datagram_max: usize) -> Line {
        let open = Open { channel: Channel::new(datagram_max), seal: None, unanswered: None };
        Line { open: Some(open), ..Line::new(None, [0; 32], datagram_max) }
    }

    /// A line that is sealed with this key. `random` is drawn for this line, whenever a client begins.
    pub fn sealed(key: &ClientKey, random: [u8; 32], datagram_max: usize) -> Line {
        Line::new(Some(NamedKey::new(&key.name, &key.secret)), random, datagram_max)
    }

    fn new(key: Option<NamedKey>, random: [u8; 32], datagram_max: usize) -> Line {
        Line {
            key,
            randoms: Randoms { drawn: Secret::new(random), count: 0 },
            payload_max: datagram_max.saturating_sub(FIRST_BYTES),
            greeting: None,
            open: None,
            waiting: VecDeque::new(),
            out: VecDeque::new(),
            refused: 0,
        }
    }

    /// Says something to the replica.
    pub fn send(&mut self, now: Time, message: &ClientMessage) {
        let (name, bytes) = (name_of_request(message), encode_request(message));
        match &mut self.open {
            Some(open) => {
                open.channel.send(now, name, bytes);
                let since = *open.unanswered.get_or_insert(now);
                if open.seal.is_some() && now.since(since) >= SILENCE {
                    self.greet(now);
                }
            }
            None => {
                self.waiting.push_back((now, name, bytes));
                if self.waiting.len() > WAITING_MAX {
                    self.waiting.pop_front();
                }
                self.greet(now);
            }
        }
        self.pump(now);
    }

    /// Takes a datagram of the replica: the message in it, or that it completes.
    pub fn receive(&mut self, now: Time, datagram: Bytes) -> Option<ServerMessage> {
        let message = match Datagram::decode(datagram) {
            Ok(datagram) => self.take(now, datagram),
            Err(_) => None,
        };
        self.pump(now);
        let decoded = message.and_then(|message| decode_answer(message).ok());
        if decoded.is_none() {
            self.refused += 1;
        }
        decoded
    }

    /// The next datagram to send.
    pub fn poll(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Time) {
        if let Some(open) = &mut self.open {
            open.channel.tick(now);
        }
        self.pump(now);
    }

    /// When to tick.
    pub fn deadline(&self) -> Option<Time> {
        self.open.as_ref().and_then(|open| open.channel.deadline())
    }

    fn take(&mut self, now: Time, datagram: Datagram) -> Option<Bytes> {
        match datagram {
            Datagram::Welcome { version, client, server, proof } => {
                self.welcomed(now, version, client, server, &proof);
                None
            }
            Datagram::Sealed { channel, number, sealed } => {
                let open = self.open.as_mut()?;
                let ours = open.seal.as_mut().filter(|ours| ours.seal.channel == channel)?;
                let payload = ours.seal.open(number, &sealed).ok()?;
                ours.known = true;
                open.unanswered = None;
                open.channel.receive(now, payload).ok()?
            }
            Datagram::Plain(payload) => {
                let open = self.open.as_mut().filter(|open| open.seal.is_none())?;
                open.channel.receive(now, payload).ok()?
            }
            // Only clients say these.
            Datagram::Hello { .. } | Datagram::First { .. } => None,
        }
    }

    fn greet(&mut self, now: Time) {
        let Some(key) = &self.key else { return };
        if self.greeting.as_ref().is_some_and(|greeting| now.since(greeting.said_at) < HELLO_EVERY) {
            return;
        }
        let client = self.greeting.as_ref().map_or_else(|| self.randoms.next(), |greeting| greeting.client);
        self.out.push_back(key.hello(&client));
        self.greeting = Some(Greeting { client, said_at: now });
    }

    fn welcomed(&mut self, now: Time, version: u8, client: ClientRandom, server: ServerRandom, proof: &[u8]) {
        let (Some(key), Some(greeting)) = (&self.key, &self.greeting) else { return };
        let ours = version == VERSION && greeting.client == client;
        if !ours || !key.proves_welcome(version, &client, &server, proof) {
            return;
        }
        self.greeting = None;
        let seal = Sealed { seal: Seal::new(key, &client, &server, Side::Client), client, server, known: false };
        let mut channel = Channel::new(self.payload_max);
        for (since, name, bytes) in self.waiting.drain(..) {
            if now.since(since) < WAITING_AGE {
                channel.send(now, name, bytes);
            }
        }
        self.open = Some(Open { channel, seal: Some(seal), unanswered: None });
    }

    /// Makes datagrams of all payloads.
    fn pump(&mut self, now: Time) {
        let Some(open) = &mut self.open else { return };
        while let Some(payload) = open.channel.poll(now) {
            self.out.push_back(match (&mut open.seal, &self.key) {
                (Some(Sealed { seal, known: true, .. }), _) => seal.seal(&payload),
                (Some(Sealed { seal, client, server, known: false }), Some(key)) => {
                    seal.seal_first(&key.name, client, server, &payload)
                }
                (Some(_) | None, _) => payload.to_vec(),
            });
        }
    }
}

impl Randoms {
    fn next(&mut self) -> ClientRandom {
        self.count += 1;
        expand(&self.drawn.extract(b"ftq client randoms"), &[&self.count.to_be_bytes()])
    }
}
