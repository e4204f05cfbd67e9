//! The seal around a packet of the link: authenticated encryption, once for all receivers.
//!
//! ```text
//! | key 4 | header of the packet 42 | frames, encrypted | tag 16 |
//!   names the cluster key             └── ChaCha20-Poly1305 ──┘     bound in: all that stands before
//! ```
//! Each boot of each member has a key of its own, derived (HKDF-SHA256) from the cluster key, the
//! cluster, the sender and the boot, which is 16 random bytes drawn at each start. The nonce is the
//! packet's number, which rises with every packet of that boot. So no nonce is ever used twice under
//! one key, even by a machine that was restored from an image.
//!
//! ChaCha20-Poly1305 rather than AES-GCM: it keeps its bounds for any number of packets, so a boot may
//! last for years without another key, and it takes no time that depends on the key where a processor
//! has no instructions for AES. The implementation is *ring*'s, that of BoringSSL.
//!
//! Always: what comes out of [`Opener::open`] was sealed by a holder of a cluster key as it is. Whether
//! it is new is for link to say, which challenges boots and keeps a window of the numbers that it saw.

mod book;
mod estranged;
mod introduction;
#[cfg(test)]
mod tests;

pub use book::{Book, Keeper, Notice, Warning};
pub use estranged::{Estranged, Estrangement, Names};
pub use introduction::{INTRODUCTION_BYTES, Introduction, NONCE_BYTES, TOLD_MAX};

use crate::keys::{Secret, expand};
use ftq_core::ids::{BootId, ClusterId, MemberId};
use ftq_core::link::{ASIDE, HEADER_BYTES, PacketName, cluster_tag};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::Prk;
use std::fmt;
use std::net::SocketAddr;

const KEY_BYTES: usize = 4;
const TAG_BYTES: usize = 16;
/// Where what is encrypted begins.
const FRAMES_AT: usize = KEY_BYTES + HEADER_BYTES;

/// What the seal adds to a packet.
pub const SEAL_BYTES: usize = KEY_BYTES + TAG_BYTES;

/// Boots of one sender whose keys are kept: as many as link challenges at once, the believed one, and the one of its
/// introductions.
const BOOTS_KEPT: usize = 6;

/// Seals what one boot of one member sends.
#[derive(Debug)]
pub struct Seal {
    cluster: ClusterId,
    me: MemberId,
    boot: BootId,
    tag: [u8; KEY_BYTES],
    key: LessSafeKey,
    /// The number of the packet that was sealed last.
    last: u64,
}

/// Opens what others have sealed.
#[derive(Debug)]
pub struct Opener {
    cluster: ClusterId,
    keys: Vec<([u8; KEY_BYTES], Prk)>,
    /// The keys of boots that have sealed something, the oldest first.
    boots: Vec<Boot>,
    refused: [u64; Refused::ALL.len()],
    opened: u64,
}

#[derive(Debug)]
struct Boot {
    tag: [u8; KEY_BYTES],
    sender: u8,
    boot: BootId,
    key: LessSafeKey,
}

/// Why a datagram was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is shorter than a sealed packet.
    Short,
    /// It was sealed with a key that is not one of ours.
    OtherKey,
    /// The same, and it says that it is of another cluster.
    OtherCluster,
    /// It was not sealed by who it says, or it was changed on its way.
    NotAuthentic,
}

impl Seal {
    /// The seal of this boot, made with this key.
    pub fn new(secret: &Secret, cluster: ClusterId, me: MemberId, boot: BootId) -> Seal {
        let (tag, key) = sealing_key(secret, cluster, me, boot);
        Seal { cluster, me, boot, tag, key, last: 0 }
    }

    /// Seals with this key from now on. Numbers go on rising, so that no nonce comes again even if a key does.
    pub fn change_key(&mut self, secret: &Secret) {
        (self.tag, self.key) = sealing_key(secret, self.cluster, self.me, self.boot);
    }

    /// Seals a packet into `datagram`, in place of what was there. Each packet has a higher number than
    /// the one before.
    pub fn seal(&mut self, packet: &[u8], datagram: &mut Vec<u8>) {
        let name = PacketName::read(packet).expect("link makes whole packets");
        assert!(name.number > self.last, "a nonce is never used twice");
        self.last = name.number;
        datagram.clear();
        datagram.extend_from_slice(&self.tag);
        datagram.extend_from_slice(packet);
        let (head, frames) = datagram.split_at_mut(FRAMES_AT);
        let sealed = self.key.seal_in_place_separate_tag(nonce(name.number), Aad::from(&*head), frames);
        let tag = sealed.expect("a packet is shorter than 256 GiB");
        datagram.extend_from_slice(tag.as_ref());
    }
}

impl Opener {
    /// Opens what was sealed with any of these keys.
    pub fn new(secrets: &[Secret], cluster: ClusterId) -> Opener {
        let keys = secrets.iter().map(|secret| cluster_key(secret, cluster)).collect();
        Opener { cluster, keys, boots: Vec::new(), refused: [0; Refused::ALL.len()], opened: 0 }
    }

    /// Opens what is sealed with any of these keys from now on, and nothing else.
    pub fn change_keys(&mut self, secrets: &[Secret]) {
        self.keys = secrets.iter().map(|secret| cluster_key(secret, self.cluster)).collect();
        self.boots.retain(|boot| self.keys.iter().any(|(tag, _)| *tag == boot.tag));
    }

    /// The packet in a datagram, which is opened where it is.
    pub fn open<'d>(&mut self, datagram: &'d mut [u8]) -> Result<&'d [u8], Refused> {
        let opened = self.open_uncounted(datagram);
        match &opened {
            Ok(_) => self.opened += 1,
            Err(refused) => self.refused[*refused as usize] += 1,
        }
        opened
    }

    fn open_uncounted<'d>(&mut self, datagram: &'d mut [u8]) -> Result<&'d [u8], Refused> {
        if datagram.len() < FRAMES_AT + TAG_BYTES {
            return Err(Refused::Short);
        }
        let (head, sealed) = datagram.split_at_mut(FRAMES_AT);
        let (tag, header) = head.split_first_chunk::<KEY_BYTES>().ok_or(Refused::Short)?;
        let name = PacketName::read(header).ok_or(Refused::Short)?;
        let known = self.boots.iter().find(|b| b.sender == name.sender && b.boot == name.boot && b.tag == *tag);
        let fresh = match known {
            Some(known) => {
                decrypt(&known.key, name.number, head, sealed)?;
                None
            }
            None => {
                let foreign = if name.is_of(self.cluster) { Refused::OtherKey } else { Refused::OtherCluster };
                let (_, prk) = self.keys.iter().find(|(known, _)| known == tag).ok_or(foreign)?;
                let key = boot_key(prk, name.sender, name.boot);
                decrypt(&key, name.number, head, sealed)?;
                Some(Boot { tag: *tag, sender: name.sender, boot: name.boot, key })
            }
        };
        // Only who has a cluster key gets here, so a flood from anybody else leaves what is kept alone.
        self.boots.extend(fresh);
        self.forget_oldest(name.sender);
        let end = datagram.len() - TAG_BYTES;
        Ok(&datagram[KEY_BYTES..end])
    }

    /// What a datagram that was not opened calls its key and its cluster, and what those are called here: for a person
    /// to compare. None of it is secret.
    pub fn names(&self, datagram: &[u8]) -> Names {
        let head = datagram.split_first_chunk::<KEY_BYTES>();
        let name = head.and_then(|(_, header)| PacketName::read(header));
        let keys: Vec<String> = self.keys.iter().map(|(tag, _)| hex(tag)).collect();
        Names {
            key: head.map(|(tag, _)| hex(tag)).unwrap_or_default(),
            cluster: name.map(|name| hex(&name.cluster())).unwrap_or_default(),
            own_keys: if keys.is_empty() { "none".to_owned() } else { keys.join(", ") },
            own_cluster: hex(&cluster_tag(self.cluster)),
        }
    }

    /// How many datagrams were opened.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// What was counted, with the names that metrics use.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.refused().chain([("opened", self.opened)])
    }

    /// How many were refused, by reason, with the names that metrics use.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Refused::ALL.iter().map(|(refused, name)| (*name, self.refused[*refused as usize]))
    }

    fn forget_oldest(&mut self, sender: u8) {
        if self.boots.iter().filter(|boot| boot.sender == sender).count() > BOOTS_KEPT
            && let Some(oldest) = self.boots.iter().position(|boot| boot.sender == sender)
        {
            self.boots.remove(oldest);
        }
    }
}

/// Whether an opened packet is an introduction; else it is the link's.
pub fn is_introduction(packet: &[u8]) -> bool {
    packet.first() == Some(&ASIDE)
}

/// The same address, in whichever notation.
fn is_same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A cluster key for one cluster: what it is called in datagrams, and what boots' keys come from.
fn cluster_key(secret: &Secret, cluster: ClusterId) -> ([u8; KEY_BYTES], Prk) {
    let prk = secret.extract(b"ftq replica 1");
    let tag = expand(&prk, &[b"name", &cluster.0]);
    let of_cluster: [u8; 32] = expand(&prk, &[b"cluster", &cluster.0]);
    (tag, Secret::new(of_cluster).extract(b"ftq boot 1"))
}

fn sealing_key(secret: &Secret, cluster: ClusterId, me: MemberId, boot: BootId) -> ([u8; KEY_BYTES], LessSafeKey) {
    let (tag, prk) = cluster_key(secret, cluster);
    (tag, boot_key(&prk, me.number(), boot))
}

fn boot_key(prk: &Prk, sender: u8, boot: BootId) -> LessSafeKey {
    let key: [u8; 32] = expand(prk, &[&[sender], &boot.0]);
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).expect("a key has 32 bytes"))
}

fn decrypt(key: &LessSafeKey, number: u64, head: &[u8], sealed: &mut [u8]) -> Result<(), Refused> {
    key.open_in_place(nonce(number), Aad::from(head), sealed).map(drop).map_err(|_| Refused::NotAuthentic)
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[NONCE_LEN - 8..].copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

impl Refused {
    /// All of them, with the names that metrics use, in the order of the variants.
    const ALL: [(Refused, &str); 4] = [
        (Refused::Short, "refused_short"),
        (Refused::OtherKey, "refused_other_key"),
        (Refused::OtherCluster, "refused_other_cluster"),
        (Refused::NotAuthentic, "refused_not_authentic"),
    ];
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Short => "too short",
            Refused::OtherKey => "sealed with a key that is not one of ours",
            Refused::OtherCluster => "of another cluster",
            Refused::NotAuthentic => "forged, or damaged on its way",
        })
    }
}
