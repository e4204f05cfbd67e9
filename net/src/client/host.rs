//! What clients ask of the process that a replica runs in: which keys it holds and with which settings it runs.
//!
//! They come as questions of kinds that neither the machine nor the replica has; whoever runs the process answers.
//!
//! ```text
//! [70, from]    [70, cluster-keys, client-keys, [[name, role] …]]     from this one of the clients' on
//! [71]          [71, version, text]                                    its settings, as a configuration file has them
//! ```
//! Always: there is no secret in an answer.

use crate::keys::{Keys, Role};
use bytes::Bytes;
use ftq_core::pack::{Packer, Unpacker};
use ftq_core::wire::Malformed;

const KEYS: u64 = 70;
const SETTINGS: u64 = 71;

/// How many keys one answer names.
const NAMED_MAX: usize = 256;

/// The most fields of a question or an answer.
const FIELDS_MAX: usize = 64;

/// Something that is asked of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostQuestion {
    /// Which keys it holds.
    Keys {
        /// The first one of the clients' to name, from 0.
        from: u64,
    },
    /// With which settings it runs.
    Settings,
}

/// Which keys a replica holds, without their secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysHeld {
    /// How many keys of the cluster there are; the first one seals, all open.
    pub cluster: u64,
    /// How many keys of clients there are.
    pub clients: u64,
    /// The names and roles of some of them, in the order of the key file.
    pub named: Vec<(String, Role)>,
}

/// With which settings a replica runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSettings {
    /// The version of the daemon.
    pub version: String,
    /// Its configuration, as a file that says the same.
    pub text: String,
}

impl HostQuestion {
    /// Reads a question, if it is one to the process.
    pub fn read(question: &Bytes) -> Option<HostQuestion> {
        let mut r = Unpacker::new(question.clone());
        let mut read = || -> Result<Option<HostQuestion>, Malformed> {
            let asked = match (r.array(FIELDS_MAX)?, r.uint()?) {
                (2, KEYS) => HostQuestion::Keys { from: r.uint()? },
                (1, SETTINGS) => HostQuestion::Settings,
                (_, _) => return Ok(None),
            };
            r.end().map(|()| Some(asked))
        };
        read().ok().flatten()
    }

    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        match self {
            HostQuestion::Keys { from } => w.array(2).uint(KEYS).uint(*from),
            HostQuestion::Settings => w.array(1).uint(SETTINGS),
        };
        w.into_bytes()
    }
}

impl KeysHeld {
    /// What is to be said of these keys.
    pub fn of(keys: &Keys, from: u64) -> KeysHeld {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let named = keys.clients.iter().skip(from).take(NAMED_MAX);
        KeysHeld {
            cluster: keys.cluster.len() as u64,
            clients: keys.clients.len() as u64,
            named: named.map(|key| (key.name.clone(), key.role)).collect(),
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        w.array(4).uint(KEYS).uint(self.cluster).uint(self.clients).array(self.named.len());
        for (name, role) in &self.named {
            w.array(2).text(name).text(&role.to_string());
        }
        w.into_bytes()
    }

    /// Reads what [`KeysHeld::encode`] wrote. A newer replica may say more behind that.
    pub fn decode(bytes: Bytes) -> Result<KeysHeld, Malformed> {
        let mut r = Unpacker::new(bytes);
        if r.array(FIELDS_MAX)? < 4 || r.uint()? != KEYS {
            return Err(Malformed);
        }
        let (cluster, clients, count) = (r.uint()?, r.uint()?, r.array(NAMED_MAX)?);
        let mut named = Vec::with_capacity(count);
        for _ in 0..count {
            if r.array(FIELDS_MAX)? != 2 {
                return Err(Malformed);
            }
            named.push((text(&mut r)?, Role::parse(&text(&mut r)?).ok_or(Malformed)?));
        }
        Ok(KeysHeld { cluster, clients, named })
    }
}

impl HostSettings {
    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        w.array(3).uint(SETTINGS).text(&self.version).text(&self.text);
        w.into_bytes()
    }

    /// Reads what [`HostSettings::encode`] wrote. A newer replica may say more behind that.
    pub fn decode(bytes: Bytes) -> Result<HostSettings, Malformed> {
        let mut r = Unpacker::new(bytes);
        if r.array(FIELDS_MAX)? < 3 || r.uint()? != SETTINGS {
            return Err(Malformed);
        }
        Ok(HostSettings { version: text(&mut r)?, text: text(&mut r)? })
    }
}

fn text(r: &mut Unpacker) -> Result<String, Malformed> {
    String::from_utf8(r.text()?.to_vec()).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::super::needed;
    use super::*;
    use ftq_core::session::message::ClientMessage;

    #[test]
    fn questions_and_answers_come_back_as_they_went_and_without_secrets() {
        for question in [HostQuestion::Keys { from: 300 }, HostQuestion::Settings] {
            assert_eq!(HostQuestion::read(&question.encode()), Some(question));
            let message = ClientMessage::Read { nonce: 1, local: true, wait_ms: 0, question: question.encode() };
            assert_eq!(needed(&message), Role::Admin);
        }
        for other in [&[0x91, 0x40][..], &[0x91, 70], &[0x92, 71, 0], &[0x91, 71, 0], b"text", b""] {
            assert_eq!(HostQuestion::read(&Bytes::copy_from_slice(other)), None, "{other:?}");
        }
        let secret = "ab".repeat(32);
        let clients: String = (0..300).map(|n| format!("client app{n} read {secret}\n")).collect();
        let keys = Keys::parse(&format!("cluster {secret}\n{clients}")).expect("keys");
        let (first, rest) = (KeysHeld::of(&keys, 0), KeysHeld::of(&keys, 256));
        assert_eq!((first.cluster, first.clients, first.named.len(), rest.named.len()), (1, 300, 256, 44));
        assert_eq!(rest.named[0], ("app256".to_owned(), Role::Read));
        assert!(KeysHeld::of(&keys, u64::MAX).named.is_empty());
        let bytes = first.encode();
        assert!(!bytes.windows(4).any(|part| part == [0xab; 4] || part == b"abab"));
        assert_eq!(KeysHeld::decode(bytes.clone()), Ok(first));
        let settings = HostSettings { version: "1".to_owned(), text: "me = 1\n".to_owned() };
        assert_eq!(HostSettings::decode(settings.encode()), Ok(settings.clone()));
        for cut in [bytes.slice(..bytes.len() - 1), settings.encode().slice(..3)] {
            assert!(KeysHeld::decode(cut.clone()).is_err() && HostSettings::decode(cut).is_err());
        }
    }
}
