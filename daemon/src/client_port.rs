//! The port for clients: the MessagePack protocol, sealed, or plain on loopback.
//!
//! Who they are and what they may do is for `ftq_net::client::Port` to say.

use crate::config::Config;
use crate::ending::Ending;
use crate::socket;
use crate::tally::Tally;
use ftq_core::replica::ClientId;
use ftq_core::session::message::{ClientMessage, ServerMessage};
use ftq_core::time::Time;
use ftq_net::CLIENT_DATAGRAM_LOOPBACK;
use ftq_net::client::{Options, Port};
use ftq_net::keys::Keys;
use ftq_net::socket::{Counters, Socket};
use std::task::{Context, Poll};

/// The port for clients.
pub(crate) struct ClientPort {
    socket: Socket,
    port: Port,
    tally: Tally,
}

impl ClientPort {
    /// Takes the address. `random` is drawn for this run.
    pub(crate) fn open(config: &Config, keys: &Keys, random: [u8; 32]) -> Result<ClientPort, Ending> {
        let options = Options {
            plain: config.client_plain,
            datagram: config.client_datagram,
            datagram_loopback: CLIENT_DATAGRAM_LOOPBACK,
        };
        Ok(ClientPort {
            socket: socket::bind("clients", &config.client)?,
            port: Port::new(&keys.clients, options, random),
            tally: Tally::new("clients"),
        })
    }

    /// The next message that is there: `Some(None)` if what was there is nothing to hand on.
    pub(crate) fn receive(&mut self, now: Time) -> Option<Option<(ClientId, ClientMessage)>> {
        match self.socket.receive()? {
            Ok((datagram, path)) => Some(self.port.receive(now, path, datagram)),
            Err(error) => {
                log::trace!("clients: {error}");
                Some(None)
            }
        }
    }

    /// Answers, with the next flush.
    pub(crate) fn send(&mut self, now: Time, to: ClientId, message: &ServerMessage) {
        self.port.send(now, to, message);
    }

    /// Sends what is due, and writes down what was refused, now and then.
    pub(crate) fn flush(&mut self, now: Time) {
        if self.port.deadline().is_some_and(|at| at <= now) {
            self.port.tick(now);
        }
        while let Some((path, datagram)) = self.port.poll() {
            self.socket.send(&datagram, path);
        }
        self.socket.flush();
        let refused = self.port.counts().filter(|(name, _)| name.starts_with("refused"));
        self.tally.tell(now, refused.chain(self.socket.counters().misfits()));
    }

    /// Serves the holders of these keys from now on.
    pub(crate) fn change_keys(&mut self, keys: &Keys) {
        self.port.change_keys(&keys.clients);
    }

    /// What the system keeps of what comes, in bytes, if it says so.
    pub(crate) fn buffer(&self) -> Option<usize> {
        self.socket.receive_buffer().ok()
    }

    /// What the port has counted.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.port.counts()
    }

    /// What the socket has counted.
    pub(crate) fn socket_counts(&self) -> Counters {
        self.socket.counters()
    }

    /// With how many clients elsewhere there is a channel.
    pub(crate) fn channels(&self) -> usize {
        self.port.channels()
    }

    /// When to flush at the latest.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.port.deadline()
    }

    /// Whether there is something to receive; else `context` is woken when there is.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_readable(context)
    }
}
