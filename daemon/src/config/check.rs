//! What has to hold between several keys of a configuration.

use super::Address;
use super::fields::{Field, Fields};
use ftq_core::ids::{MEMBERS_MAX, MemberId};
use ftq_core::link::DATAGRAM_MIN;
use ftq_net::keys::Role;
use ftq_net::peer::SEAL_BYTES;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;

/// What an ordinary path carries in one datagram between replicas: an Ethernet frame less IP and UDP, with room.
const DATAGRAM: u64 = 1_400;
/// On loopback, whose packets are up to 65,536 bytes. Of much larger ones a socket's buffer would hold only a few.
const DATAGRAM_LOOPBACK: u64 = 16_000;
/// The longest that loopback carries whole, and that a path of jumbo frames does.
const DATAGRAM_LOOPBACK_MAX: u64 = 65_000;
const DATAGRAM_PATH_MAX: u64 = 8_900;

/// The members with their addresses.
#[derive(Debug)]
pub(super) struct Seats(pub(super) BTreeMap<MemberId, Field<Address>>);

/// Who can reach this replica, and how.
#[derive(Debug)]
pub(super) struct Reached<'a> {
    pub(super) me: MemberId,
    pub(super) seats: &'a Seats,
    pub(super) join: Option<&'a Field<Vec<Field<Address>>>>,
    pub(super) client: &'a Field<Address>,
    pub(super) is_sealed: bool,
}

impl Seats {
    pub(super) fn addresses(self) -> BTreeMap<MemberId, Address> {
        self.0.into_iter().map(|(id, field)| (id, field.value)).collect()
    }
}

impl Reached<'_> {
    /// An address that other machines can reach.
    fn far(&self) -> Option<&Field<Address>> {
        let join = self.join.iter().flat_map(|join| &join.value);
        self.seats.0.values().chain(join).find(|address| address.value.is_far())
    }
}

/// The members can tell each other apart, and this one is among them.
pub(super) fn seats(fields: &mut Fields<'_, '_>, reached: &Reached<'_>) {
    let Reached { me, seats: Seats(seats), client, .. } = reached;
    let Some(mine) = seats.get(me) else {
        let line = seats.values().map(|seat| seat.line).min().unwrap_or(0);
        return fields.wrong(line, "members", format!("me = {me}, but that is none of the members"));
    };
    for (id, Field { value, line }) in seats {
        if seats.range(..*id).any(|(_, other)| other.value == *value) {
            fields.wrong(*line, "members", format!("two of them have the address {value}"));
        }
        let numbers = value.number().zip(mine.value.number());
        if numbers.is_some_and(|(other, mine)| other.is_ipv4() != mine.is_ipv4()) {
            let what = format!("{} and {value} can't reach each other: use IPv4 for all or IPv6 for all", mine.value);
            fields.wrong(*line, "members", what);
        }
    }
    if mine.value == client.value {
        let what = format!("{} is this member's address for its peers already", client.value);
        fields.wrong(client.line, "client", what);
    }
}

/// Who comes into a cluster can reach it, and be reached, and is told of it in one way only.
pub(super) fn join(fields: &mut Fields<'_, '_>, reached: &Reached<'_>, has_members: bool) {
    let Some(Field { value: join, line }) = reached.join else { return };
    if has_members {
        let what = "there are `members` too. A replica that founds a cluster has the list of its members, one that comes into a \
                    cluster that runs has `join`: take one of the two out";
        return fields.wrong(*line, "join", what);
    }
    fields.require("peer", "`join` needs the address at which the others find this replica: peer = \"192.0.2.4:7411\"");
    if join.is_empty() || join.len() > MEMBERS_MAX {
        fields.wrong(
            *line,
            "join",
            format!("it has to be the address of a member that runs, or of up to {MEMBERS_MAX}"),
        );
    }
    let Some(mine) = reached.seats.0.get(&reached.me).filter(|mine| mine.line > 0) else { return };
    for Field { value, line } in join {
        let numbers = value.number().zip(mine.value.number());
        if *value == mine.value {
            let what = format!("{value} is the address of this replica itself (`peer`): name one of the others");
            fields.wrong(*line, "join", what);
        } else if numbers.is_some_and(|(other, mine)| other.is_ipv4() != mine.is_ipv4()) {
            let what = format!("{} (`peer`) and {value} can't reach each other: use IPv4 for both or IPv6", mine.value);
            fields.wrong(*line, "join", what);
        } else if value.is_far() && !mine.value.is_far() {
            let what = format!("{value} is on another machine, and can't reach {} (`peer`)", mine.value);
            fields.wrong(*line, "join", what);
        }
    }
}

/// Whoever reaches a port where nothing is sealed could say anything.
pub(super) fn keys(fields: &mut Fields<'_, '_>, reached: &Reached<'_>, plain: Option<Role>) {
    let Reached { seats: Seats(seats), client, is_sealed, .. } = reached;
    if *is_sealed {
        return;
    }
    let far = reached.far().or(Some(*client).filter(|client| client.value.is_far()));
    let why = match (far, seats.len()) {
        (Some(far), _) => Some(format!("{} can be reached from other machines", far.value)),
        (None, 1) if reached.join.is_none() => None,
        (None, 1) => Some("it talks to other replicas".to_owned()),
        (None, members) => Some(format!("the {members} replicas talk to each other")),
    };
    if let Some(why) = why {
        let what = format!(
            "{why}, so what they say has to be sealed, and there is no key. Make one with `ftqctl key new --file \
             ftq.key`, give every replica of the cluster a copy, and say key-file = \"ftq.key\""
        );
        fields.wrong(0, "key-file", what);
    }
    if plain.is_none() {
        fields.wrong(0, "client-plain", "off, and there is no key-file: nobody could be served");
    }
}

/// How large datagrams between replicas are.
pub(super) fn datagram(fields: &mut Fields<'_, '_>, reached: &Reached<'_>, told: Option<Field<u64>>) -> usize {
    let (usual, max) = match reached.far() {
        Some(_) => (DATAGRAM, DATAGRAM_PATH_MAX),
        None => (DATAGRAM_LOOPBACK, DATAGRAM_LOOPBACK_MAX),
    };
    let min = (DATAGRAM_MIN + SEAL_BYTES) as u64;
    let Field { value, line } = told.unwrap_or(Field { value: usual, line: 0 });
    if !(min..=max).contains(&value) {
        fields.wrong(line, "datagram", format!("{value}: between these addresses it can be {min} to {max} bytes"));
    }
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// What is for all members may go to a group only where they can hear it.
pub(super) fn multicast(fields: &mut Fields<'_, '_>, reached: &Reached<'_>, group: Option<&Field<SocketAddrV4>>) {
    let Some(Field { value, line }) = group else { return };
    let hears = |address: &Address| address.is_far() && address.number().is_none_or(|number| number.is_ipv4());
    if let Some(member) = reached.seats.0.values().find(|seat| !hears(&seat.value)) {
        let what = format!("{value}: {} can't hear it: that is for members on several machines, by IPv4", member.value);
        fields.wrong(*line, "multicast", what);
    }
}
