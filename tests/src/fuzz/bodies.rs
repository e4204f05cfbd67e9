//! What is done with the bytes.

use bytes::Bytes;
use ftq_core::group::message::Message;
use ftq_core::ids::{BootId, ClusterId, MemberId, MemberSet};
use ftq_core::link::{HEADER_BYTES, Link, Options, opening_aside};
use ftq_core::machine::queues::{Command, Question, decode_reply, encode_reply};
use ftq_core::replica::{Changed, Inquiry, LogPage, SnapshotSeen, SnapshotTaken, Status, Views};
use ftq_core::session::message::{ClientMessage, ServerMessage};
use ftq_core::time::Time;
use ftq_core::wire::Writer;
use ftq_net::client::{self, Datagram, HostQuestion, HostSettings, KeysHeld, Line, Port};
use ftq_net::keys::{ClientKey, Keys, Role, Secret};
use ftq_net::peer::{Book, Introduction, Keeper, Notice, Opener};
use ftq_net::socket::Path;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;

/// The cluster of all bodies and seeds.
pub(super) const CLUSTER: ClusterId = ClusterId([1; 16]);

/// No input makes more of anything: so many datagrams or lines of one are looked at.
const PARTS_MAX: usize = 64;

pub(super) fn member(n: u8) -> MemberId {
    MemberId::new(n).expect("a member id")
}

pub(super) fn secret() -> Secret {
    Secret::new([1; 32])
}

/// A datagram of a peer, before it is opened.
pub(super) fn peer_datagram(bytes: &[u8]) {
    let mut opener = Opener::new(&[secret()], CLUSTER);
    let _ = opener.open(&mut bytes.to_vec());
}

/// A packet of a peer that is believed, after it was opened: its frames are these bytes.
pub(super) fn peer_packet(bytes: &[u8]) {
    static HEADER: OnceLock<Vec<u8>> = OnceLock::new();
    let (mut ours, mut theirs) = (link(1), link(2));
    for ms in 0..6 {
        let now = Time(ms * 1_000);
        pass(&mut ours, &mut theirs, now, member(1));
        pass(&mut theirs, &mut ours, now, member(2));
    }
    assert!(ours.believed(member(2)).is_some(), "they have met");
    let header = HEADER.get_or_init(|| {
        let mut link = link(2);
        link.flush(Time(0));
        let (_, packet) = link.poll_send().expect("a greeting");
        packet[..HEADER_BYTES].to_vec()
    });
    ours.open_epoch(Time(10_000), ftq_core::link::Epoch(7), MemberSet::of(member(2)));
    for (number, frames) in (1_000u64..).zip(parts(bytes)) {
        let mut packet = header.clone();
        packet[26..34].copy_from_slice(&number.to_le_bytes());
        packet[34..42].copy_from_slice(&7u64.to_le_bytes());
        packet.extend_from_slice(frames);
        ours.receive(Time(20_000), member(2), packet.into());
    }
    ours.tick(Time(60_000));
    ours.flush(Time(60_000));
    while ours.poll_event().is_some() {}
    while ours.poll_send().is_some() {}
}

/// A link that has one peer.
pub(super) fn link(n: u8) -> Link {
    let mut link = Link::new(Options::new(member(n), CLUSTER, BootId([n; 16])), u64::from(n));
    link.set_peers(Time(0), MemberSet::of(member(3 - n)));
    link
}

/// What one link has to say to the other goes there; the packets.
pub(super) fn pass(from: &mut Link, to: &mut Link, now: Time, sender: MemberId) -> Vec<Bytes> {
    from.tick(now);
    from.flush(now);
    let packets: Vec<Bytes> = std::iter::from_fn(|| from.poll_send()).map(|(_, packet)| packet).collect();
    packets.iter().for_each(|packet| to.receive(now, sender, packet.clone()));
    packets
}

/// An introduction: what it says survives, and what a book makes of it is no longer than what came.
pub(super) fn introduction(bytes: &[u8]) {
    if let Some(said) = Introduction::decode(bytes) {
        let mut encoded = Vec::new();
        said.encode(&mut encoded);
        assert_eq!(Introduction::decode(&encoded), Some(said));
    }
    let keeper = Keeper { cluster: CLUSTER, me: member(1), boot: BootId([1; 16]), own: None, is_ipv4: true };
    let mut book = Book::new(keeper, &[1; 32]);
    let mut packet = opening_aside(CLUSTER, member(2), BootId([2; 16]), 1).to_vec();
    packet.extend_from_slice(bytes);
    book.hear(Time(1), path(Ipv4Addr::new(192, 0, 2, 7)), &packet);
    book.tick(Time(2));
    let answers: Vec<Notice> = std::iter::from_fn(|| book.poll()).collect();
    let no_longer = |answer: &Notice| matches!(answer, Notice::Say { packet: said, .. } if said.len() <= packet.len());
    assert!(answers.len() <= 1 && answers.iter().all(no_longer), "{answers:?}");
    assert_eq!(book.learned().count(), 0, "it has answered nothing that was asked");
}

/// A message between groups.
pub(super) fn peer_message(bytes: &[u8]) {
    if let Ok(message) = Message::decode(Bytes::copy_from_slice(bytes)) {
        let mut writer = Writer::new();
        message.encode(&mut writer);
        assert_eq!(Message::decode(writer.into_bytes()), Ok(message));
    }
}

fn port() -> Port {
    let key = ClientKey { name: "app".to_owned(), role: Role::Write, secret: secret() };
    let options = client::Options { plain: Some(Role::Admin), datagram: 1_400, datagram_loopback: 60_000 };
    Port::new(&[key], options, [1; 32])
}

fn path(ip: Ipv4Addr) -> Path {
    Path::to(SocketAddr::from((ip, 4_000)))
}

/// A datagram of a client elsewhere.
pub(super) fn client_datagram(bytes: &[u8]) {
    let mut port = port();
    let elsewhere = path(Ipv4Addr::new(192, 0, 2, 7));
    assert!(port.receive(Time(0), elsewhere, bytes).is_none(), "nothing is taken from who has no channel");
    let sent: usize = std::iter::from_fn(|| port.poll()).map(|(_, datagram)| datagram.len()).sum();
    assert!(sent <= bytes.len(), "no more is sent than came");
}

/// Payloads of a client on loopback, one after the other.
pub(super) fn client_payloads(bytes: &[u8]) {
    let mut port = port();
    for (at, datagram) in (0..).zip(parts(bytes)) {
        let now = Time(at * 1_000);
        let _ = port.receive(now, path(Ipv4Addr::LOCALHOST), datagram);
        port.tick(now);
        while port.poll().is_some() {}
    }
}

/// A request of a client.
pub(super) fn client_request(bytes: &[u8]) {
    if let Ok(message) = client::decode_request(Bytes::copy_from_slice(bytes)) {
        if let ClientMessage::Read { question, .. } = &message {
            if let Some(Ok(inquiry)) = Inquiry::read(question) {
                assert_eq!(Inquiry::read(&inquiry.encode()), Some(Ok(inquiry)));
            }
            if let Some(asked) = HostQuestion::read(question) {
                assert_eq!(HostQuestion::read(&asked.encode()), Some(asked));
            }
        }
        assert_eq!(client::decode_request(client::encode_request(&message)), Ok(message));
    }
}

/// An answer of a server.
pub(super) fn client_answer(bytes: &[u8]) {
    if let Ok(message) = client::decode_answer(Bytes::copy_from_slice(bytes)) {
        if let ServerMessage::ReadAnswer { answer, .. } = &message {
            again(answer, Status::decode, Status::encode);
            again(answer, Changed::decode, Changed::encode);
            again(answer, Views::decode, Views::encode);
            again(answer, LogPage::decode, LogPage::encode);
            again(answer, SnapshotSeen::decode, SnapshotSeen::encode);
            again(answer, SnapshotTaken::decode, SnapshotTaken::encode);
            again(answer, KeysHeld::decode, KeysHeld::encode);
            again(answer, HostSettings::decode, HostSettings::encode);
        }
        assert_eq!(client::decode_answer(client::encode_answer(&message)), Ok(message));
    }
}

/// What is read comes back as it was read.
fn again<T: PartialEq + std::fmt::Debug, E>(
    answer: &Bytes,
    decode: impl Fn(Bytes) -> Result<T, E>,
    encode: impl Fn(&T) -> Bytes,
) {
    if let Ok(read) = decode(answer.clone()) {
        assert_eq!(decode(encode(&read)).ok(), Some(read));
    }
}

/// Datagrams of a server, to a client without a key and to one with.
pub(super) fn server_datagram(bytes: &[u8]) {
    let key = ClientKey { name: "app".to_owned(), role: Role::Write, secret: secret() };
    for mut line in [Line::plain(60_000), Line::sealed(&key, [1; 32], 1_400)] {
        line.send(
            Time(0),
            &ClientMessage::Read { nonce: 1, local: true, wait_ms: 1, question: Bytes::from_static(&[0; 3_000]) },
        );
        for (at, datagram) in (0..).zip(parts(bytes)) {
            let now = Time(at * 1_000);
            let _ = line.receive(now, Bytes::copy_from_slice(datagram));
            line.tick(now);
            while line.poll().is_some() {}
        }
    }
}

/// A command, a question or the machine's reply.
pub(super) fn command(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(command) = Command::decode(&bytes) {
        assert_eq!(Command::decode(&command.encode()), Ok(command));
    }
    if let Ok(question) = Question::decode(&bytes) {
        assert_eq!(Question::decode(&question.encode()), Ok(question));
    }
    let reply = decode_reply(&bytes);
    let mut again = Vec::new();
    encode_reply(&reply, &mut again);
    assert_eq!(decode_reply(&again.into()), reply);
}

/// The text of a key file.
pub(super) fn key_file(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(keys) = Keys::parse(text)
    {
        assert!(keys.clients.iter().all(|key| ClientKey::may_be_called(&key.name)));
    }
}

/// The text of a configuration.
pub(super) fn configuration(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = ftqd::config::Config::parse(text, &ftqd::config::Told::default());
    }
}

/// The test vectors: each line is what its first word says.
pub(super) fn vectors(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for line in text.lines().take(PARTS_MAX) {
        let mut words = line.split(' ');
        let (Some(kind), Some(bytes)) = (words.next(), words.next().and_then(unhex)) else { continue };
        match kind {
            "request" | "refused" => client_request(&bytes),
            "answer" => client_answer(&bytes),
            "payload" => client_payloads(&bytes),
            _ => drop(Datagram::decode(bytes.into())),
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// Several things in one input: each has its length in two bytes in front.
fn parts(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (part, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        bytes = rest;
        Some(part)
    })
    .take(PARTS_MAX)
}
