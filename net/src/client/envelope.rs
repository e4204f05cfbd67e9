//! What stands around the payloads of a sealed client: how the two sides meet, and the sealed datagram.
//!
//! ```text
//! client                                                             replica
//!   [16, version, key name, client random, proof, padding]  ──▶                hello
//!        ◀── [17, version, client random, server random, proof]                welcome, no longer than the hello
//!   [18, key name, client random, server random, number, sealed]  ──▶          first, until an answer came
//!        ◀──▶  [19, channel, number, sealed]                                   from then on
//! ```
//! Both randoms go into the keys, one for each direction. The server's random is its cookie too: only who
//! received it at the address that said hello can send it back from there, and the server keeps nothing
//! until then. A proof is an HMAC-SHA256 under the named key, cut to 16 bytes.

use super::fields::{Fields, Malformed, array, bin, int, text};
use crate::keys::{NAME_BYTES_MAX, Secret, expand};
use bytes::Bytes;
use ftq_core::window::ReplayWindow;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::Prk;
use ring::hmac;
use std::fmt;

/// The version of the client protocol.
pub const VERSION: u8 = 1;

/// The shortest hello: longer than any welcome, so that nobody is sent more than came from there.
pub const HELLO_BYTES_MIN: usize = 128;

/// What a sealed datagram adds to its payload, at most.
pub(super) const SEALED_BYTES: usize = 48;

/// The same for one that opens a channel.
pub(super) const FIRST_BYTES: usize = SEALED_BYTES + 2 + NAME_BYTES_MAX + 18 + 26;

const HELLO: u8 = 16;
const WELCOME: u8 = 17;
const FIRST: u8 = 18;
const SEALED: u8 = 19;

pub(super) const RANDOM_BYTES: usize = 16;
pub(super) const COOKIE_BYTES: usize = 24;
const PROOF_BYTES: usize = 16;
const CHANNEL_BYTES: usize = 8;
const TAG_BYTES: usize = 16;

/// What a client has drawn.
pub(super) type ClientRandom = [u8; RANDOM_BYTES];
/// What a server has drawn.
pub(super) type ServerRandom = [u8; COOKIE_BYTES];
/// The name of a channel: the first bytes of what is derived for it.
pub(super) type ChannelName = [u8; CHANNEL_BYTES];

/// A datagram as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datagram {
    /// A client wants to speak.
    Hello {
        /// The newest version that it speaks.
        version: u8,
        /// The name of its key.
        name: Bytes,
        /// Its random.
        client: ClientRandom,
        /// That it has the key.
        proof: [u8; PROOF_BYTES],
    },
    /// A server lets it.
    Welcome {
        /// The version to speak.
        version: u8,
        /// The random of the hello.
        client: ClientRandom,
        /// Its own.
        server: ServerRandom,
        /// That it has the key.
        proof: [u8; PROOF_BYTES],
    },
    /// A payload, with all that opens a channel.
    First {
        /// The name of the key.
        name: Bytes,
        /// The client's random.
        client: ClientRandom,
        /// The server's random.
        server: ServerRandom,
        /// The number of the datagram.
        number: u64,
        /// The sealed payload.
        sealed: Bytes,
    },
    /// A payload.
    Sealed {
        /// The channel.
        channel: ChannelName,
        /// The number of the datagram.
        number: u64,
        /// The sealed payload.
        sealed: Bytes,
    },
    /// A payload that is not sealed.
    Plain(Bytes),
}

impl Datagram {
    /// Reads a datagram. A plain payload is not looked into.
    pub fn decode(bytes: Bytes) -> Result<Datagram, Malformed> {
        let mut fields = Fields::of(bytes.clone());
        let datagram = match fields.array()? {
            (HELLO, 6) => {
                let (version, name, client, proof) =
                    (fields.int()?, fields.text()?, fields.bin_of()?, fields.bin_of()?);
                fields.bin()?;
                if bytes.len() < HELLO_BYTES_MIN || name.len() > NAME_BYTES_MAX {
                    return Err(Malformed::Field);
                }
                Datagram::Hello { version, name, client, proof }
            }
            (WELCOME, 5) => Datagram::Welcome {
                version: fields.int()?,
                client: fields.bin_of()?,
                server: fields.bin_of()?,
                proof: fields.bin_of()?,
            },
            (FIRST, 6) => Datagram::First {
                name: fields.text()?,
                client: fields.bin_of()?,
                server: fields.bin_of()?,
                number: fields.int()?,
                sealed: fields.bin()?,
            },
            (SEALED, 4) => Datagram::Sealed { channel: fields.bin_of()?, number: fields.int()?, sealed: fields.bin()? },
            (HELLO..=SEALED, length) => return Err(Malformed::Array { kind: HELLO, length }),
            (_, _) => return Ok(Datagram::Plain(bytes)),
        };
        fields.end()?;
        Ok(datagram)
    }
}

/// A named key, ready for use.
#[derive(Clone)]
pub(super) struct NamedKey {
    pub(super) name: String,
    prk: Prk,
    proof: hmac::Key,
}

impl NamedKey {
    pub(super) fn new(name: &str, secret: &Secret) -> NamedKey {
        let prk = secret.extract(b"ftq client 1");
        let proof: [u8; 32] = expand(&prk, &[b"proof"]);
        NamedKey { name: name.to_owned(), proof: hmac::Key::new(hmac::HMAC_SHA256, &proof), prk }
    }

    /// The bytes of a hello.
    pub(super) fn hello(&self, client: &ClientRandom) -> Vec<u8> {
        let mut out = Vec::with_capacity(HELLO_BYTES_MIN);
        array(&mut out, 6, HELLO);
        int(&mut out, VERSION.into());
        text(&mut out, &self.name);
        bin(&mut out, client);
        bin(&mut out, &self.proof(&[b"hello", &[VERSION], client, self.name.as_bytes()]));
        let padding = HELLO_BYTES_MIN.saturating_sub(out.len() + 2);
        bin(&mut out, &[0; HELLO_BYTES_MIN][..padding]);
        out
    }

    /// Whether a hello comes from a holder of the key.
    pub(super) fn proves_hello(&self, version: u8, client: &ClientRandom, proof: &[u8]) -> bool {
        self.proves(&[b"hello", &[version], client, self.name.as_bytes()], proof)
    }

    /// The bytes of a welcome.
    pub(super) fn welcome(&self, client: &ClientRandom, server: &ServerRandom) -> Vec<u8> {
        let mut out = Vec::with_capacity(HELLO_BYTES_MIN);
        array(&mut out, 5, WELCOME);
        int(&mut out, VERSION.into());
        bin(&mut out, client);
        bin(&mut out, server);
        bin(&mut out, &self.proof(&[b"welcome", &[VERSION], client, server]));
        out
    }

    /// Whether a welcome comes from a holder of the key.
    pub(super) fn proves_welcome(
        &self,
        version: u8,
        client: &ClientRandom,
        server: &ServerRandom,
        proof: &[u8],
    ) -> bool {
        self.proves(&[b"welcome", &[version], client, server], proof)
    }

    fn proof(&self, said: &[&[u8]]) -> [u8; PROOF_BYTES] {
        let mut context = hmac::Context::with_key(&self.proof);
        said.iter().for_each(|part| context.update(part));
        let mut proof = [0; PROOF_BYTES];
        proof.copy_from_slice(&context.sign().as_ref()[..PROOF_BYTES]);
        proof
    }

    fn proves(&self, said: &[&[u8]], proof: &[u8]) -> bool {
        // The comparison takes the same time wherever they differ: it is one of two digests.
        let digest = |bytes: &[u8]| hmac::sign(&self.proof, bytes);
        digest(&self.proof(said)).as_ref() == digest(proof).as_ref()
    }
}

impl fmt::Debug for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedKey({})", self.name)
    }
}

/// Which side of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// The seal of one side of a channel.
#[derive(Debug)]
pub(super) struct Seal {
    pub(super) channel: ChannelName,
    ours: LessSafeKey,
    theirs: LessSafeKey,
    /// The number of the datagram that was sealed last.
    last: u64,
    taken: ReplayWindow<16>,
}

/// Why a sealed payload was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unopened {
    /// It was not sealed by who it says, or it was changed on its way.
    NotAuthentic,
    /// It was here before.
    Replayed,
}

impl Seal {
    pub(super) fn new(key: &NamedKey, client: &ClientRandom, server: &ServerRandom, side: Side) -> Seal {
        let derive = |direction: &[u8]| {
            let key: [u8; 32] = expand(&key.prk, &[direction, client, server]);
            LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).expect("a key has 32 bytes"))
        };
        let (to_server, to_client) = (derive(b"to server"), derive(b"to client"));
        let (ours, theirs) = match side {
            Side::Client => (to_server, to_client),
            Side::Server => (to_client, to_server),
        };
        let channel = expand(&key.prk, &[b"channel", client, server]);
        Seal { channel, ours, theirs, last: 0, taken: ReplayWindow::default() }
    }

    /// The bytes of a sealed datagram.
    pub(super) fn seal(&mut self, payload: &[u8]) -> Vec<u8> {
        let (number, sealed) = self.seal_payload(payload);
        let mut out = Vec::with_capacity(sealed.len() + SEALED_BYTES);
        array(&mut out, 4, SEALED);
        bin(&mut out, &self.channel);
        int(&mut out, number);
        bin(&mut out, &sealed);
        out
    }

    /// The same with all that opens the channel.
    pub(super) fn seal_first(
        &mut self,
        name: &str,
        client: &ClientRandom,
        server: &ServerRandom,
        payload: &[u8],
    ) -> Vec<u8> {
        let (number, sealed) = self.seal_payload(payload);
        let mut out = Vec::with_capacity(sealed.len() + FIRST_BYTES);
        array(&mut out, 6, FIRST);
        text(&mut out, name);
        bin(&mut out, client);
        bin(&mut out, server);
        int(&mut out, number);
        bin(&mut out, &sealed);
        out
    }

    /// The payload that was sealed by the other side under this number, taken once.
    pub(super) fn open(&mut self, number: u64, sealed: &[u8]) -> Result<Bytes, Unopened> {
        let mut payload = sealed.to_vec();
        let aad = Aad::from(&self.channel);
        self.theirs.open_in_place(nonce(number), aad, &mut payload).map_err(|_| Unopened::NotAuthentic)?;
        if !self.taken.take(number) {
            return Err(Unopened::Replayed);
        }
        payload.truncate(sealed.len() - TAG_BYTES);
        Ok(payload.into())
    }

    fn seal_payload(&mut self, payload: &[u8]) -> (u64, Vec<u8>) {
        self.last += 1;
        let mut sealed = Vec::with_capacity(payload.len() + TAG_BYTES);
        sealed.extend_from_slice(payload);
        let aad = Aad::from(&self.channel);
        self.ours.seal_in_place_append_tag(nonce(self.last), aad, &mut sealed).expect("a payload is short");
        (self.last, sealed)
    }
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[NONCE_LEN - 8..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}
