//! What the corpora begin with: real datagrams, messages and files of each kind.

use super::bodies::{CLUSTER, link, member, pass, secret};
use bytes::Bytes;
use ftq_core::ids::{BootId, MemberSet};
use ftq_core::link::{Epoch, HEADER_BYTES};
use ftq_core::time::Time;
use ftq_net::peer::{Introduction, NONCE_BYTES, Seal};

const MESSAGES: &str = include_str!("../../../core/src/group/message/version-1.txt");
const VECTORS: &str = include_str!("../../../net/vectors.txt");
const CONFIGURATION: &str = include_str!("../../../daemon/examples/1.toml");

/// The seeds of the target of this name.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "peer_datagram" => {
            let mut seal = Seal::new(&secret(), CLUSTER, member(2), BootId([2; 16]));
            packets()
                .iter()
                .map(|packet| {
                    let mut datagram = Vec::new();
                    seal.seal(packet, &mut datagram);
                    datagram
                })
                .collect()
        }
        "peer_packet" => packets().iter().map(|packet| part(&packet[HEADER_BYTES..])).collect(),
        "introduction" => {
            let told = |n, at: &str| (member(n), at.parse().expect("an address"));
            let of = |told| Introduction { asks: [7; NONCE_BYTES], answers: [0; NONCE_BYTES], told };
            let introductions = [of(Vec::new()), of(vec![told(2, "192.0.2.2:7411"), told(4, "[2001:db8::4]:7411")])];
            let encoded = introductions.iter().map(|introduction| {
                let mut bytes = Vec::new();
                introduction.encode(&mut bytes);
                bytes
            });
            encoded.collect()
        }
        "peer_message" => MESSAGES.lines().map(|line| hex(line.split(' ').nth(1))).collect(),
        "client_datagram" => [vectors("hello"), vectors("welcome"), channel()].concat(),
        "client_payloads" => [vectors("request"), vectors("payload")].concat().iter().map(|b| part(b)).collect(),
        "client_request" => [vectors("request"), vectors("refused")].concat(),
        "client_answer" => vectors("answer"),
        "server_datagram" => {
            let datagrams = [vectors("welcome"), vectors("answer"), vectors("payload"), channel()].concat();
            datagrams.iter().map(|datagram| part(datagram)).collect()
        }
        "command" => commands(),
        "key_file" => vec![VECTORS.lines().filter(|line| line.starts_with("key ")).map(|line| &line[4..]).collect()]
            .into_iter()
            .map(String::into_bytes)
            .collect(),
        "configuration" => vec![CONFIGURATION.as_bytes().to_vec()],
        "vectors" => vec![VECTORS.as_bytes().to_vec()],
        _ => panic!("{target} is no target"),
    }
}

/// Packets that two links send each other when they meet, and some with cells in them.
fn packets() -> Vec<Bytes> {
    let (mut ours, mut theirs) = (link(1), link(2));
    let mut packets = Vec::new();
    for ms in 0..12u64 {
        let now = Time(ms * 1_000);
        if ms == 6 {
            ours.open_epoch(now, Epoch(7), MemberSet::of(member(2)));
            theirs.open_epoch(now, Epoch(7), MemberSet::of(member(1)));
        }
        if ms > 6 {
            theirs.broadcast(b"a body");
            theirs.stream(member(1), b"a message");
            theirs.note(MemberSet::of(member(1)), b"a note", false);
            theirs.set_trailer(b"trailer");
        }
        pass(&mut ours, &mut theirs, now, member(1));
        packets.extend(pass(&mut theirs, &mut ours, now, member(2)));
    }
    packets
}

fn commands() -> Vec<Vec<u8>> {
    use ftq_core::machine::queues::{Command, Label, Limits, PushOptions, Question, QueueId, Receipt, Settings};
    let label = Label::parse(b"letters").expect("a label");
    let queue = QueueId(300);
    let receipts = vec![Receipt { position: 7, token: 300 }];
    let commands = [
        Command::Create { label: label.clone() },
        Command::Destroy { queue },
        Command::Push { queue, items: vec![b"a".as_slice().into(), Bytes::new()], options: PushOptions::default() },
        Command::Push {
            queue,
            items: vec![Bytes::new()],
            options: PushOptions { priority: 0, delay_ms: 5, ttl_ms: Some(70_000), key: Some(label.clone()) },
        },
        Command::Pop { queue, count: 1, wait_ms: 0 },
        Command::GetId { name: label.clone(), count: 3 },
        Command::Take { queue, count: 2, lease_ms: 60_000, wait_ms: 100 },
        Command::Ack { queue, receipts: receipts.clone() },
        Command::Nack { queue, receipts: receipts.clone(), delay_ms: 5 },
        Command::Touch { queue, receipts: receipts.clone(), lease_ms: 5 },
        Command::Configure { queue, settings: Settings::default() },
        Command::Pause { queue, paused: true },
        Command::Purge { queue },
        Command::SendBack { queue, count: 9 },
        Command::Steps(vec![Command::Ack { queue, receipts }, Command::GetId { name: label.clone(), count: 1 }]),
        Command::Limit(Limits::default()),
    ];
    let questions = [
        Question::Id { label },
        Question::Top { queue },
        Question::Size { queue },
        Question::Summary,
        Question::Browse { queue, after: (0, 0), count: 9 },
        Question::Statistics { queue },
        Question::List { after: queue, count: 9 },
    ];
    let commands = commands.iter().map(Command::encode);
    commands.chain(questions.iter().map(Question::encode)).map(|bytes| bytes.to_vec()).collect()
}

fn vectors(kind: &str) -> Vec<Vec<u8>> {
    let lines = VECTORS.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' '));
    lines.map(|line| hex(line.split(' ').next())).collect()
}

/// The sealed datagrams of the vectors.
fn channel() -> Vec<Vec<u8>> {
    let lines = VECTORS.lines().filter(|line| line.starts_with("from-"));
    lines.map(|line| hex(line.split(' ').nth(2))).collect()
}

fn hex(text: Option<&str>) -> Vec<u8> {
    let text = text.filter(|text| *text != "-").unwrap_or_default();
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn part(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a datagram is short");
    [&length.to_be_bytes()[..], bytes].concat()
}
