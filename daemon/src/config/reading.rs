//! From the text of a file to a configuration.

use super::check::{self, Seats};
use super::fields::{Field, Fields};
use super::{ALONE, Address, CLIENT_PORT, Config, HTTP_PORT, PEER_PORT, Problems, Told, data_default, loopback};
use ftq_core::ids::{MEMBERS_MAX, MemberId};
use ftq_core::replica::Order;
use ftq_net::CLIENT_DATAGRAM;
use ftq_net::keys::Role;
use ftq_storage::disk;
use log::LevelFilter;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::path::PathBuf;

/// The largest id of a member.
const ID_MAX: u64 = 63;

/// A journal holds several requests of the largest size; and it is written whole when a store is made.
const JOURNAL: (u64, u64) = (32 << 20, 2 << 30);

/// It is made of whole pages.
const PAGE: u64 = 4_096;

/// More than any disk has.
const BYTES_MAX: u64 = 1 << 50;

/// Below this a path could not carry a piece of a large answer; above, no ordinary network does.
const CLIENT_DATAGRAMS: (u64, u64) = (1_024, 8_900);

pub(super) const PLAIN: [(&str, Option<Role>); 4] =
    [("off", None), ("read", Some(Role::Read)), ("write", Some(Role::Write)), ("admin", Some(Role::Admin))];

pub(super) const ORDERS: [(&str, Order); 2] = [("rotating", Order::Rotating), ("fixed", Order::Fixed)];

/// The word for no HTTP at all.
pub(super) const OFF: &str = "off";

/// Reads a whole file.
pub(super) fn read(text: &str, told: &Told) -> Result<Config, Problems> {
    let mut problems = Problems::default();
    let fields = Fields::of_file(text, &mut problems);
    if !fields.problems.is_empty() {
        // What follows from half a file would only mislead.
        return Err(problems);
    }
    let config = read_fields(fields, told);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        Some(_) | None => Err(problems),
    }
}

fn read_fields(mut fields: Fields<'_, '_>, told: &Told) -> Option<Config> {
    let cluster = fields.parsed("cluster", cluster_name);
    let me = fields.number("me", 1..=ID_MAX);
    let me = told.me.map(|me| Field { value: u64::from(me), line: 0 }).or(me);
    let seats = members(&mut fields);
    let join = fields.each("join", Address::parse);
    let client = fields.parsed("client", Address::parse);
    let client_plain = fields.one_of("client-plain", &PLAIN);
    let client_datagram = fields.number("client-datagram", CLIENT_DATAGRAMS.0..=CLIENT_DATAGRAMS.1);
    let peer = fields.parsed("peer", Address::parse);
    let http = fields.parsed("http", |text| if text == OFF { Ok(None) } else { Address::parse(text).map(Some) });
    let key_file = fields.text("key-file").map(|field| PathBuf::from(field.value));
    let key_file = told.key_file.clone().or(key_file);
    let datagram = fields.number("datagram", 0..=u64::from(u16::MAX));
    let multicast = fields.parsed("multicast", group);
    let order = fields.one_of("order", &ORDERS);
    let data_dir = fields.text("data-dir").map(|field| PathBuf::from(field.value));
    let stored = disk::Options::default();
    let journal = fields.bytes("journal", JOURNAL.0..=JOURNAL.1);
    if let Some(Field { value, line }) = journal.filter(|journal| !journal.value.is_multiple_of(PAGE)) {
        fields.wrong(line, "journal", format!("{value}: it has to be a multiple of {PAGE}"));
    }
    let log_keep = fields.bytes("log-keep", 0..=BYTES_MAX);
    let disk_low = fields.bytes("disk-low", 0..=BYTES_MAX);
    let log = fields.parsed("log", level);

    let (has_members, is_alone) = (seats.is_some(), seats.is_none() && join.is_none());
    if !is_alone {
        fields.require("cluster", "its members need a name for what they are together");
    }
    if has_members && told.me.is_none() {
        fields.require("me", "which of the members is this? A number here, --me or $FTQD_ME says so");
    } else if !is_alone && told.me.is_none() {
        fields.require("me", "a number that no other member has: here, or as --me or $FTQD_ME");
    }
    let number = me.and_then(|me| u8::try_from(me.value).ok()).and_then(MemberId::new);
    let Some(me) = number.or(MemberId::new(1).filter(|_| is_alone)) else {
        fields.end();
        return None;
    };
    let cluster = cluster.map_or_else(|| ALONE.to_owned(), |field| field.value);
    let members = seats.unwrap_or_else(|| {
        let mine = peer.as_ref().map_or_else(|| loopback(PEER_PORT), |field| field.value.clone());
        Seats(BTreeMap::from([(me, Field { value: mine, line: peer.as_ref().map_or(0, |field| field.line) })]))
    });
    let client = client.unwrap_or(Field { value: loopback(CLIENT_PORT), line: 0 });
    let http = http.map_or_else(|| Some(http_default(&client.value)), |field| field.value);
    let data_dir = match told.data_dir.clone().or(data_dir).map_or_else(|| data_default(&cluster, me), Ok) {
        Ok(data_dir) => data_dir,
        Err(what) => {
            fields.wrong(0, "data-dir", what);
            PathBuf::new()
        }
    };
    let reached =
        check::Reached { me, seats: &members, client: &client, join: join.as_ref(), is_sealed: key_file.is_some() };
    let plain = client_plain.map_or(Some(Role::Admin), |field| field.value);
    check::seats(&mut fields, &reached);
    check::join(&mut fields, &reached, has_members);
    check::keys(&mut fields, &reached, plain);
    let datagram = check::datagram(&mut fields, &reached, datagram);
    check::multicast(&mut fields, &reached, multicast.as_ref());
    fields.end();
    let members = members.addresses();
    let mine = members.get(&me)?.clone();
    Some(Config {
        peer: peer.map_or(mine, |field| field.value),
        cluster,
        me,
        members,
        join: join.map_or_else(Vec::new, |join| join.value.into_iter().map(|field| field.value).collect()),
        client: client.value,
        client_plain: plain,
        client_datagram: client_datagram.and_then(|field| usize::try_from(field.value).ok()).unwrap_or(CLIENT_DATAGRAM),
        http,
        key_file,
        datagram,
        multicast: multicast.map(|field| field.value),
        order: order.map_or(Order::default(), |field| field.value),
        data_dir,
        journal: journal.map_or(stored.journal_bytes, |field| field.value),
        log_keep: log_keep.map_or(stored.log_keep_bytes, |field| field.value),
        disk_low: disk_low.map_or(stored.low_bytes, |field| field.value),
        log: told.log.or(log.map(|field| field.value)).unwrap_or(LevelFilter::Info),
    })
}

/// The members by their ids; none if the file has no list of them.
fn members(fields: &mut Fields<'_, '_>) -> Option<Seats> {
    let Field { value: tables, line } = fields.tables("members")?;
    if tables.len() > MEMBERS_MAX {
        fields.wrong(line, "members", format!("a cluster has at most {MEMBERS_MAX}"));
    }
    let mut seats = BTreeMap::new();
    for (table, line) in tables {
        let mut seat = fields.within("members.", table, line);
        let id = seat.number("id", 1..=ID_MAX);
        let peer = seat.parsed("peer", Address::parse);
        seat.require("id", "each member needs its number");
        seat.require("peer", "each member needs the address for its peers");
        seat.end();
        let id = id.and_then(|id| u8::try_from(id.value).ok()).and_then(MemberId::new);
        if let (Some(id), Some(peer)) = (id, peer)
            && seats.insert(id, peer).is_some()
        {
            fields.wrong(line, "members", format!("{id} is there twice"));
        }
    }
    Some(Seats(seats))
}

/// A cluster's name is a part of file names.
fn cluster_name(name: &str) -> Result<String, String> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if (1..=64).contains(&name.len()) && name.chars().all(is_letter) && !name.starts_with('.') {
        return Ok(name.to_owned());
    }
    Err("a name is 1 to 64 of a to z, A to Z, 0 to 9, -, _ and ., and does not begin with a point".to_owned())
}

/// A group of receivers.
fn group(text: &str) -> Result<SocketAddrV4, String> {
    let group = text.parse::<SocketAddrV4>().ok().filter(|group| group.ip().is_multicast() && group.port() != 0);
    group.ok_or_else(|| "a group is an address from 224.0.0.0 to 239.255.255.255, and a port".to_owned())
}

/// A level of the log.
pub(crate) fn level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| "it can be \"error\", \"warn\", \"info\", \"debug\", \"trace\" or \"off\"".to_owned())
}

/// Beside the clients' port if that is on loopback, so that several replicas on one machine don't get in each
/// other's way; and on loopback in any case.
fn http_default(client: &Address) -> Address {
    let near = client.number().filter(|_| !client.is_far());
    near.map_or_else(
        || loopback(HTTP_PORT),
        |mut near| {
            near.set_port(HTTP_PORT);
            Address::Number(near)
        },
    )
}
