//! Keys: what replicas share among themselves, and what the operator hands to clients.
//!
//! A key file is text, a key a line; empty lines and lines that begin with `#` count for nothing.
//!
//! ```text
//! cluster SECRET              a key of the replicas: the first seals, all of them open
//! client NAME ROLE SECRET     a key of clients; ROLE is read, write or admin
//! ```
//! A secret is 32 random bytes as 64 hexadecimal digits. A replica's file holds both kinds; a client's
//! file holds its own line and nothing else.
//!
//! A cluster's key is changed without a stop: add the new line to every replica's file, at the end; when
//! all replicas run with it, move it to the front everywhere; then take the old one out.

mod file;
#[cfg(test)]
mod tests;

pub use file::{Problem, read};

use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use std::fmt;

/// The length of a secret in bytes.
pub const SECRET_BYTES: usize = 32;

/// The longest name of a client's key.
pub const NAME_BYTES_MAX: usize = 64;

/// The most keys of one kind in a file. A datagram names its key, so more cost only memory.
const KEYS_MAX: usize = 1_024;

/// What makes a key a key. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

/// What a client may do, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Ask.
    Read,
    /// Also change what is in queues and sequences.
    Write,
    /// Also change the cluster.
    Admin,
}

/// A client's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    /// What it is called, on both sides.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// The secret.
    pub secret: Secret,
}

/// The keys of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The replicas' keys: the first seals, all of them open.
    pub cluster: Vec<Secret>,
    /// The clients' keys, each with a name of its own.
    pub clients: Vec<ClientKey>,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong. It never shows the secret.
    pub what: &'static str,
}

impl Secret {
    /// The secret of these bytes, which were drawn at random.
    pub fn new(bytes: [u8; SECRET_BYTES]) -> Secret {
        Secret(bytes)
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Secret> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let pairs: &[[u8; 2]; SECRET_BYTES] = pairs.try_into().ok()?;
        if !rest.is_empty() {
            return None;
        }
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut bytes = [0; SECRET_BYTES];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Secret(bytes))
    }

    /// The digits that a key file has.
    pub fn digits(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The beginning of everything that is derived from it for one purpose (RFC 5869, with SHA-256).
    pub(crate) fn extract(&self, purpose: &[u8]) -> Prk {
        Salt::new(HKDF_SHA256, purpose).extract(&self.0)
    }
}

/// So many bytes derived for what `info` says, its parts one after the other.
pub(crate) fn expand<const N: usize>(prk: &Prk, info: &[&[u8]]) -> [u8; N] {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut derived = [0; N];
    let filled = prk.expand(info, Length(N)).and_then(|okm| okm.fill(&mut derived));
    assert!(filled.is_ok(), "HKDF gives up to 255 times 32 bytes");
    derived
}

impl Role {
    /// The role of this name.
    pub fn parse(name: &str) -> Option<Role> {
        [Role::Read, Role::Write, Role::Admin].into_iter().find(|role| role.to_string() == name)
    }
}

impl ClientKey {
    /// Whether a key can be called this: 1 to 64 letters, digits, '-', '_' or '.'.
    pub fn may_be_called(name: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(plain)
    }
}

impl Keys {
    /// Reads the text of a key file.
    pub fn parse(text: &str) -> Result<Keys, BadLine> {
        let mut keys = Keys::default();
        for (line, text) in (1..).zip(text.lines()) {
            keys.add(text).map_err(|what| BadLine { line, what })?;
        }
        Ok(keys)
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        const SECRET: &str = "a secret is 64 hexadecimal digits, as `ftqctl key new` draws them";
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["cluster", secret] => {
                let secret = Secret::parse(secret).ok_or(SECRET)?;
                if self.cluster.contains(&secret) {
                    return Err("this key is there twice");
                }
                self.cluster.push(secret);
                if self.cluster.len() > KEYS_MAX { Err("too many keys") } else { Ok(()) }
            }
            ["client", name, role, secret] => {
                if !ClientKey::may_be_called(name) {
                    return Err("a name is 1 to 64 letters, digits, '-', '_' or '.'");
                }
                if self.clients.iter().any(|key| key.name == name) {
                    return Err("this name is there twice");
                }
                let role = Role::parse(role).ok_or("a role is read, write or admin")?;
                let secret = Secret::parse(secret).ok_or(SECRET)?;
                self.clients.push(ClientKey { name: name.to_owned(), role, secret });
                if self.clients.len() > KEYS_MAX { Err("too many keys") } else { Ok(()) }
            }
            [_, ..] => Err("expected `cluster SECRET` or `client NAME ROLE SECRET`"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Read => "read",
            Role::Write => "write",
            Role::Admin => "admin",
        })
    }
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}
