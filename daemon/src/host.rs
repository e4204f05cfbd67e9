//! What clients ask of the process itself: which keys it holds, and with which settings it runs. Only who has the
//! role admin gets here; neither secrets nor anything else of the key file but names and roles are told.

use crate::config::Config;
use crate::version;
use ftq_core::session::message::{ClientMessage, ServerMessage};
use ftq_net::client::{HostQuestion, HostSettings, KeysHeld};
use ftq_net::keys::Keys;

/// What there is to tell.
pub(crate) struct Host {
    keys: Keys,
    settings: String,
}

impl Host {
    /// What there is to tell of a process that runs with this configuration and these keys.
    pub(crate) fn new(config: &Config, keys: &Keys) -> Host {
        Host { keys: keys.clone(), settings: config.print() }
    }

    /// The keys were read again. The settings that it was started with are the ones that hold.
    pub(crate) fn change_keys(&mut self, keys: &Keys) {
        self.keys = keys.clone();
    }

    /// The answer, if that is a question to the process.
    pub(crate) fn answer(&self, message: &ClientMessage) -> Option<ServerMessage> {
        let ClientMessage::Read { nonce, question, .. } = message else { return None };
        let answer = match HostQuestion::read(question)? {
            HostQuestion::Keys { from } => KeysHeld::of(&self.keys, from).encode(),
            HostQuestion::Settings => HostSettings { version: version::text(), text: self.settings.clone() }.encode(),
        };
        Some(ServerMessage::ReadAnswer { nonce: *nonce, slot: 0, answer })
    }
}
