//! How a client gets a channel: hello, welcome, and the first sealed payload.

use super::keys::Key;
use super::{COOKIE_AGE, Count, Port};
use crate::client::envelope::{COOKIE_BYTES, ClientRandom, Seal, ServerRandom, Side, Unopened};
use crate::socket::Path;
use bytes::Bytes;
use ftq_core::replica::ClientId;
use ftq_core::time::Time;
use ring::hmac;
use std::net::IpAddr;

/// Where the cookie's proof begins, behind its time.
const PROOF_AT: usize = 8;

impl Port {
    /// A client has said hello: a welcome, if it has the key. Nothing is kept.
    #[expect(clippy::too_many_arguments, reason = "they are the fields of a hello")]
    pub(super) fn greeted(
        &mut self,
        now: Time,
        path: Path,
        length: usize,
        version: u8,
        name: &[u8],
        client: ClientRandom,
        proof: &[u8],
    ) -> Result<(), Count> {
        let key = &self.key(name)?.named;
        if !key.proves_hello(version, &client, proof) {
            return Err(Count::RefusedNotAuthentic);
        }
        let welcome = key.welcome(&client, &self.cookie(now, path, name, &client));
        assert!(welcome.len() <= length, "nobody is sent more than came from there");
        self.out.push_back((path, welcome));
        self.count(Count::Welcomed);
        Ok(())
    }

    /// A client has sent a payload with all that opens its channel.
    #[expect(clippy::too_many_arguments, reason = "they are the fields of a first datagram")]
    pub(super) fn take_first(
        &mut self,
        now: Time,
        path: Path,
        name: &[u8],
        client: &ClientRandom,
        server: &ServerRandom,
        number: u64,
        sealed: &[u8],
    ) -> Result<(ClientId, Bytes), Count> {
        let Key { named, name: who, role, .. } = self.key(name)?;
        let (who, role) = (who.clone(), *role);
        let mut seal = Seal::new(named, client, server, Side::Server);
        if let Some(known) = self.sealed.get(&seal.channel).copied() {
            return Ok((known, self.open(path, known, number, sealed)?));
        }
        let said_at = Time(server.first_chunk().map_or(0, |time| u64::from_be_bytes(*time)));
        let ours = self.cookie(said_at, path, name, client);
        // Neither side of the comparison can be chosen without the secret that both are made with.
        let authentic = hmac::sign(&self.cookies.key, &ours).as_ref() == hmac::sign(&self.cookies.key, server).as_ref();
        if !authentic || said_at > now || now.since(said_at) > COOKIE_AGE {
            return Err(Count::RefusedCookie);
        }
        let payload = seal.open(number, sealed).map_err(|unopened| match unopened {
            Unopened::NotAuthentic => Count::RefusedNotAuthentic,
            Unopened::Replayed => Count::RefusedReplay,
        })?;
        let channel = seal.channel;
        let opened = self.admit(now, path, who, role, Some(seal))?;
        self.sealed.insert(channel, opened);
        self.count(Count::Opened);
        Ok((opened, payload))
    }

    /// What only who receives at this address, at about this time, can know: the server's random for this client.
    fn cookie(&self, now: Time, path: Path, name: &[u8], client: &ClientRandom) -> ServerRandom {
        let mut cookie = [0; COOKIE_BYTES];
        cookie[..PROOF_AT].copy_from_slice(&now.0.to_be_bytes());
        let mut context = hmac::Context::with_key(&self.cookies.key);
        context.update(&cookie[..PROOF_AT]);
        context.update(client);
        match path.remote.ip().to_canonical() {
            IpAddr::V4(ip) => context.update(&ip.octets()),
            IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        context.update(&path.remote.port().to_be_bytes());
        context.update(name);
        let proof = context.sign();
        cookie[PROOF_AT..].copy_from_slice(&proof.as_ref()[..COOKIE_BYTES - PROOF_AT]);
        cookie
    }

    fn key(&self, name: &[u8]) -> Result<&Key, Count> {
        self.keys.iter().find(|key| key.name.as_bytes() == name).ok_or(Count::RefusedKey)
    }
}
