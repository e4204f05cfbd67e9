//! A client's line and a server's port over a network in virtual time: who gets what, and who gets nothing.

use crate::client::envelope::{Datagram, NamedKey};
use crate::client::{Count, HELLO_BYTES_MIN, Line, Options, Port};
use crate::keys::{ClientKey, Role, Secret};
use crate::socket::Path;
use bytes::Bytes;
use ftq_core::machine::queues::{Command, Limits};
use ftq_core::replica::ClientId;
use ftq_core::session::message::{ClientMessage, Refusal, RequestName, ServerMessage, SessionId};
use ftq_core::time::{Span, Time};

pub(super) const HERE: &str = "192.0.2.7:4000";
pub(super) const ELSEWHERE: &str = "192.0.2.8:4000";
pub(super) const OPTIONS: Options = Options { plain: Some(Role::Admin), datagram: 1_400, datagram_loopback: 60_000 };

pub(super) fn path(remote: &str) -> Path {
    Path::to(remote.parse().unwrap())
}

pub(super) fn key(name: &str, role: Role) -> ClientKey {
    let secret = Secret::new([u8::try_from(name.len()).unwrap(); 32]);
    ClientKey { name: name.to_owned(), role, secret }
}

fn port(random: u8) -> Port {
    Port::new(&[key("app", Role::Write), key("watch", Role::Read)], OPTIONS, [random; 32])
}

pub(super) fn line(name: &str) -> Line {
    Line::sealed(&key(name, Role::Admin), [7; 32], 1_400)
}

pub(super) fn call(number: u64) -> ClientMessage {
    ClientMessage::Call { session: SessionId(1), number, floor: 0, wait_ms: 5, command: Bytes::from_static(b"do") }
}

pub(super) fn read(nonce: u64, length: usize) -> ClientMessage {
    ClientMessage::Read { nonce, local: true, wait_ms: 5, question: vec![1; length].into() }
}

/// A client and a server, and all that has passed between them.
pub(super) struct Talk {
    pub(super) now: Time,
    line: Line,
    pub(super) port: Port,
    address: Path,
    pub(super) heard: Vec<(ClientId, ClientMessage)>,
    pub(super) answers: Vec<ServerMessage>,
    pub(super) to_server: Vec<Vec<u8>>,
    pub(super) to_client: Vec<Vec<u8>>,
}

impl Talk {
    pub(super) fn new(line: Line, port: Port, address: &str) -> Talk {
        let (heard, answers, to_server, to_client) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Talk { now: Time(1_000_000), line, port, address: path(address), heard, answers, to_server, to_client }
    }

    pub(super) fn say(&mut self, message: &ClientMessage) {
        self.line.send(self.now, message);
        self.settle();
    }

    /// Passes datagrams until nobody has any.
    pub(super) fn settle(&mut self) {
        loop {
            self.now += Span(100);
            let mut quiet = true;
            while let Some(datagram) = self.line.poll() {
                quiet = false;
                self.heard.extend(self.port.receive(self.now, self.address, &datagram));
                self.to_server.push(datagram);
            }
            while let Some((to, datagram)) = self.port.poll() {
                quiet = false;
                assert_eq!(to, self.address);
                self.answers.extend(self.line.receive(self.now, datagram.clone().into()));
                self.to_client.push(datagram);
            }
            if quiet {
                return;
            }
        }
    }

    /// Passes datagrams, and takes away what others do not answer: how many bytes that was.
    pub(super) fn take_for_others(&mut self) -> usize {
        let mut taken = 0;
        loop {
            self.now += Span(100);
            let mut quiet = true;
            while let Some(datagram) = self.line.poll() {
                quiet = false;
                self.heard.extend(self.port.receive(self.now, self.address, &datagram));
            }
            while let Some((to, datagram)) = self.port.poll() {
                if to == self.address {
                    quiet = false;
                    self.answers.extend(self.line.receive(self.now, datagram.into()));
                } else {
                    taken += datagram.len();
                }
            }
            if quiet {
                return taken;
            }
        }
    }

    pub(super) fn pass(&mut self, ms: u64) {
        self.now += Span::millis(ms);
        self.line.tick(self.now);
        self.port.tick(self.now);
        self.settle();
    }
}

#[test]
fn a_client_with_a_key_is_heard_and_answered() {
    let mut talk = Talk::new(line("app"), port(1), HERE);
    talk.say(&call(1));
    talk.say(&read(2, 3));
    let [(client, first), (again, second)] = talk.heard.clone().try_into().unwrap();
    assert_eq!((client, first, second), (again, call(1), read(2, 3)));
    let answer = ServerMessage::ReadAnswer { nonce: 2, slot: 1, answer: Bytes::from_static(b"yes") };
    talk.port.send(talk.now, client, &answer);
    talk.settle();
    assert_eq!(talk.answers, [answer]);
    assert_eq!(talk.to_server.len(), 3, "hello and two requests");
    talk.say(&call(2));
    let (first, later) = (&talk.to_server[1], &talk.to_server[3]);
    assert!(later.len() + 30 < first.len(), "once answered, the opening is left out");
    let told = talk.to_server.iter().chain(&talk.to_client).any(|bytes| bytes.windows(3).any(|w| w == b"yes"));
    assert!(!told, "nothing is readable on the way");
}

#[test]
fn large_messages_go_both_ways_in_pieces() {
    let mut talk = Talk::new(line("app"), port(1), HERE);
    talk.say(&read(1, 1 << 20));
    assert_eq!(talk.heard.len(), 1);
    let answer = ServerMessage::ReadAnswer { nonce: 1, slot: 1, answer: vec![9; 1 << 20].into() };
    talk.port.send(talk.now, talk.heard[0].0, &answer);
    talk.settle();
    assert_eq!(talk.answers, [answer]);
    assert!(talk.to_server.iter().chain(&talk.to_client).all(|datagram| datagram.len() <= 1_400));
}

#[test]
fn without_a_valid_key_there_is_nothing() {
    let other = ClientKey { secret: Secret::new([99; 32]), ..key("app", Role::Admin) };
    for line in [line("unknown"), Line::sealed(&other, [7; 32], 1_400), Line::plain(1_400)] {
        let mut talk = Talk::new(line, port(1), HERE);
        talk.say(&call(1));
        talk.pass(500);
        talk.say(&call(2));
        assert!(talk.heard.is_empty() && talk.to_client.is_empty());
        assert_eq!(talk.port.channels(), 0);
    }
}

#[test]
fn plain_is_for_loopback_and_can_be_switched_off() {
    let mut talk = Talk::new(Line::plain(60_000), port(1), "127.0.0.1:4000");
    talk.say(&call(1));
    assert_eq!(talk.heard.len(), 1);
    let off = Port::new(&[], Options { plain: None, ..OPTIONS }, [1; 32]);
    let mut talk = Talk::new(Line::plain(60_000), off, "[::ffff:127.0.0.1]:4000");
    talk.say(&call(1));
    assert!(talk.heard.is_empty() && talk.to_client.is_empty());
    assert_eq!(talk.port.of(Count::RefusedPlain), 1);
}

#[test]
fn what_is_above_the_role_is_refused_in_so_many_words() {
    let lower = Port::new(&[], Options { plain: Some(Role::Read), ..OPTIONS }, [1; 32]);
    let plain = Talk::new(Line::plain(1_400), lower, "[::1]:4000");
    for mut talk in [Talk::new(line("watch"), port(1), HERE), plain] {
        talk.say(&call(5));
        let request = RequestName::Call(SessionId(1), 5);
        assert_eq!(talk.answers, [ServerMessage::Refused { request, refusal: Refusal::NotAllowed }]);
        talk.say(&read(1, 1));
        assert_eq!(talk.heard.len(), 1, "reading is allowed");
        assert_eq!(talk.port.of(Count::RefusedRole), 1);
    }
}

/// The limits of the cluster are for its operators.
#[test]
fn a_writer_is_no_operator() {
    let limits = Limits::default();
    let command = Command::Limit(limits).encode();
    let limit = ClientMessage::Call { session: SessionId(1), number: 1, floor: 0, wait_ms: 5, command };
    let mut talk = Talk::new(line("app"), port(1), HERE);
    talk.say(&limit);
    assert!(talk.heard.is_empty() && talk.port.of(Count::RefusedRole) == 1);
    let mut talk = Talk::new(Line::plain(1_400), port(1), "127.0.0.1:4000");
    talk.say(&limit);
    assert_eq!(talk.heard.len(), 1, "plain is admin here");
}

/// Before an address has sent back its cookie, it is sent no more than came from there, whatever is said.
#[test]
fn a_port_is_no_amplifier() {
    let named = NamedKey::new("app", &key("app", Role::Write).secret);
    let mut port = port(1);
    let hello = named.hello(&[5; 16]);
    assert_eq!(hello.len(), HELLO_BYTES_MIN);
    for _ in 0..100 {
        assert!(port.receive(Time(1_000), path(HERE), &hello).is_none());
        let (to, welcome) = port.poll().unwrap();
        assert!(to == path(HERE) && welcome.len() <= hello.len() && port.poll().is_none());
    }
    assert_eq!(port.channels(), 0, "and nothing is kept");
    let shorter = &hello[..hello.len() - 1];
    assert!(port.receive(Time(1_000), path(HERE), shorter).is_none() && port.poll().is_none());
}

#[test]
fn a_cookie_is_good_at_one_address_for_a_while_with_one_server() {
    let mut talk = Talk::new(line("app"), port(1), HERE);
    talk.say(&call(1));
    let first = talk.to_server[1].clone();
    let refused = |port: &mut Port, now: Time, address: &str, count: Count| {
        let before = port.of(count);
        assert!(port.receive(now, path(address), &first).is_none() && port.poll().is_none());
        assert_eq!(port.of(count), before + 1);
    };
    let now = talk.now;
    refused(&mut talk.port, now, HERE, Count::RefusedReplay);
    refused(&mut talk.port, now, ELSEWHERE, Count::RefusedChannel);
    refused(&mut port(2), now, HERE, Count::RefusedCookie);
    refused(&mut port(1), now, ELSEWHERE, Count::RefusedCookie);
    refused(&mut port(1), now + Span::secs(11), HERE, Count::RefusedCookie);
    assert!(port(1).receive(now, path(HERE), &first).is_some(), "it is the server's secret that counts");
}

/// All that a client ever sent, sent again: at once, after its channel was forgotten, after a restart.
#[test]
fn recorded_traffic_is_worth_nothing() {
    let mut talk = Talk::new(line("app"), port(1), HERE);
    for number in 1..=20 {
        talk.say(&call(number));
    }
    talk.port.send(talk.now, talk.heard[0].0, &ServerMessage::TryAnother { request: RequestName::Read(1) });
    talk.settle();
    for number in 21..=40 {
        talk.say(&call(number));
    }
    assert_eq!(talk.heard.len(), 40);
    let record = talk.to_server.clone();
    let mut restarted = port(2);
    let again = |port: &mut Port, now: Time| {
        for datagram in &record {
            assert!(port.receive(now, path(HERE), datagram).is_none());
        }
    };
    again(&mut talk.port, talk.now);
    talk.pass(700_000);
    assert_eq!(talk.port.channels(), 0, "idle channels are forgotten");
    again(&mut talk.port, talk.now);
    again(&mut restarted, talk.now);
}

/// The server was restarted: the client says hello again by itself and is heard.
#[test]
fn a_client_finds_its_way_back_to_a_server_that_forgot_it() {
    let mut talk = Talk::new(line("app"), port(1), HERE);
    talk.say(&call(1));
    talk.port.send(talk.now, talk.heard[0].0, &ServerMessage::TryAnother { request: RequestName::Read(1) });
    talk.settle();
    talk.port = port(2);
    for number in 2..=6 {
        talk.say(&call(number));
        talk.pass(200);
    }
    assert!(talk.heard.iter().any(|(_, message)| *message == call(6)), "{:?}", talk.heard);
}

#[test]
fn one_key_serves_many_clients() {
    let mut port = port(1);
    let mut clients = Vec::new();
    for n in 0..50u8 {
        let mut line = Line::sealed(&key("app", Role::Admin), [n; 32], 1_400);
        let address = path(&format!("192.0.2.1:{}", 1_000 + u16::from(n)));
        line.send(Time(0), &call(u64::from(n)));
        let hello = line.poll().unwrap();
        port.receive(Time(10), address, &hello);
        let (_, welcome) = port.poll().unwrap();
        line.receive(Time(20), welcome.into());
        let first = line.poll().unwrap();
        clients.push(port.receive(Time(30), address, &first).unwrap().0);
    }
    clients.dedup();
    assert_eq!((clients.len(), port.channels()), (50, 50));
}

#[test]
fn a_forged_welcome_is_ignored() {
    let mut line = line("app");
    line.send(Time(0), &call(1));
    let hello = Bytes::from(line.poll().unwrap());
    let Ok(Datagram::Hello { client, .. }) = Datagram::decode(hello) else { panic!() };
    let stranger = NamedKey::new("app", &Secret::new([9; 32]));
    assert!(line.receive(Time(1), stranger.welcome(&client, &[0; 24]).into()).is_none());
    assert!(line.poll().is_none(), "nothing is said to who does not have the key");
    let ours = NamedKey::new("app", &key("app", Role::Admin).secret);
    assert!(line.receive(Time(1), ours.welcome(&[1; 16], &[0; 24]).into()).is_none());
    assert!(line.poll().is_none(), "nor to an old welcome");
    line.receive(Time(1), ours.welcome(&client, &[0; 24]).into());
    assert!(line.poll().is_some());
}

/// Whoever has a key may open channels, but no more than there is room for, and none that was just opened goes.
#[test]
fn channels_are_bounded() {
    let mut port = port(1);
    for n in 0..16_500u32 {
        let address = path(&format!("127.0.{}.{}:4000", n >> 8, n & 0xff));
        let message = super::super::encode_request(&call(1));
        port.receive(Time(u64::from(n)), address, &message);
    }
    assert_eq!((port.channels(), port.of(Count::RefusedRoom)), (16_384, 116));
    let message = super::super::encode_request(&call(1));
    assert!(port.receive(Time(20_000_000), path("127.1.0.1:4000"), &message).is_some(), "the idlest makes room");
    assert_eq!(port.channels(), 16_384);
}
