//! What shows that who answers receives where it was asked, with nothing kept of whom was asked.
//!
//! A nonce is a time, and a proof that hangs on it and on the address, and that nobody else can make.

use crate::peer::introduction::{AddressNonce, NONCE_BYTES};
use ftq_core::time::{Span, Time};
use ring::hmac;
use std::net::{IpAddr, SocketAddr};

/// An answer that takes longer is asked for again.
const AGE_MAX: Span = Span::secs(3);
/// Where the proof begins, behind the time.
const PROOF_AT: usize = 8;

/// Makes nonces and knows its own again.
#[derive(Debug)]
pub(super) struct Nonces {
    key: hmac::Key,
}

impl Nonces {
    pub(super) fn new(secret: &[u8; 32]) -> Nonces {
        Nonces { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// What only who receives at this address, at about this time, can know.
    pub(super) fn nonce(&self, now: Time, address: SocketAddr) -> AddressNonce {
        let mut nonce = [0; NONCE_BYTES];
        nonce[..PROOF_AT].copy_from_slice(&now.0.to_be_bytes());
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&nonce[..PROOF_AT]);
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => context.update(&ip.octets()),
            IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        context.update(&address.port().to_be_bytes());
        nonce[PROOF_AT..].copy_from_slice(&context.sign().as_ref()[..NONCE_BYTES - PROOF_AT]);
        nonce
    }

    /// Whether this was asked at this address just now. It comes out of a seal, so nobody outside can try many.
    pub(super) fn proves(&self, now: Time, address: SocketAddr, answers: &AddressNonce) -> bool {
        let said_at = Time(answers.first_chunk().map_or(0, |time| u64::from_be_bytes(*time)));
        said_at <= now && now.since(said_at) <= AGE_MAX && self.nonce(said_at, address) == *answers
    }
}
