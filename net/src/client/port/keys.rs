//! The keys of clients, and what cookies are made with: both can change while the port works.

use super::{Count, Port};
use crate::client::envelope::NamedKey;
use crate::client::shares::Holder;
use crate::keys::{ClientKey, Role, Secret, expand};
use ftq_core::replica::ClientId;
use ring::hmac;

/// A key of clients, ready for use.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) named: NamedKey,
    pub(super) name: Holder,
    pub(super) role: Role,
    secret: Secret,
}

/// What cookies are made with: a new secret each time that no old cookie may be good any more.
#[derive(Debug)]
pub(super) struct Cookies {
    drawn: Secret,
    count: u64,
    pub(super) key: hmac::Key,
}

impl Key {
    pub(super) fn new(key: &ClientKey) -> Key {
        Key {
            named: NamedKey::new(&key.name, &key.secret),
            name: key.name.as_str().into(),
            role: key.role,
            secret: key.secret.clone(),
        }
    }

    fn is(&self, key: &ClientKey) -> bool {
        *self.name == *key.name && self.secret == key.secret
    }
}

impl Cookies {
    pub(super) fn new(random: [u8; 32]) -> Cookies {
        let drawn = Secret::new(random);
        Cookies { key: cookie_key(&drawn, 0), drawn, count: 0 }
    }

    fn renew(&mut self) {
        self.count += 1;
        self.key = cookie_key(&self.drawn, self.count);
    }
}

impl Port {
    /// Serves the holders of these keys from now on, each with its role. Channels of a key that is not there any
    /// more, or has another secret, end at once; all others go on.
    pub fn change_keys(&mut self, keys: &[ClientKey]) {
        let gone: Vec<Holder> =
            self.keys.iter().filter(|old| !keys.iter().any(|key| old.is(key))).map(|old| old.name.clone()).collect();
        self.keys = keys.iter().map(Key::new).collect();
        let revoked = self.channels.iter().filter(|(_, member)| member.seal.is_some() && gone.contains(&member.who));
        let revoked: Vec<ClientId> = revoked.map(|(client, _)| *client).collect();
        if !revoked.is_empty() {
            // A channel that is forgotten early could be opened again with its cookie, if the key comes back.
            self.cookies.renew();
        }
        for client in revoked {
            self.count(Count::Revoked);
            self.forget(client);
        }
        for member in self.channels.values_mut().filter(|member| member.seal.is_some()) {
            let role = self.keys.iter().find(|key| key.name == member.who).map(|key| key.role);
            member.role = role.expect("a channel whose key is gone has ended");
        }
    }
}

fn cookie_key(drawn: &Secret, count: u64) -> hmac::Key {
    let key: [u8; 32] = expand(&drawn.extract(b"ftq cookies"), &[b"cookies", &count.to_be_bytes()]);
    hmac::Key::new(hmac::HMAC_SHA256, &key)
}
