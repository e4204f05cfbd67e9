//! What a replica is told by its operator: one TOML file, every default in one place.
//!
//! A file becomes a [`Config`] that makes sense, or an error that says what does not; unknown keys are
//! refused. With no file there is a cluster of one, on loopback.

use crate::ending::Ending;
use ftq_core::ids::{ClusterId, MEMBERS_MAX, MemberId, MemberSet};
use ftq_core::link::DATAGRAM_MIN;
use ftq_core::replica::Order;
use ftq_net::CLIENT_DATAGRAM;
use ftq_net::keys::{self, Keys, Role};
use ftq_net::peer::SEAL_BYTES;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

/// Where clients are expected.
pub const CLIENT_PORT: u16 = 7410;
/// Where peers are expected.
pub const PEER_PORT: u16 = 7411;
/// What an ordinary path carries in one datagram between replicas: an Ethernet frame less IP and UDP, with room.
const DATAGRAM: usize = 1_400;
/// On loopback, whose packets are up to 65,536 bytes. Of much larger ones a socket's buffer would hold only a few.
const DATAGRAM_LOOPBACK: usize = 16_000;
/// The longest that loopback carries whole, and that a path of jumbo frames does.
const DATAGRAM_LOOPBACK_MAX: usize = 65_000;
const DATAGRAM_PATH_MAX: usize = 8_900;
/// Below this a piece of a large answer would not fit.
const CLIENT_DATAGRAM_MIN: usize = 1_024;
/// The cluster of a replica that was told nothing.
const ALONE: &str = "local";

/// What a replica is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The cluster's name.
    pub cluster: String,
    /// This member.
    pub me: MemberId,
    /// Every member's address for its peers, this one's too.
    pub members: BTreeMap<MemberId, SocketAddr>,
    /// Where clients are served.
    pub client: SocketAddr,
    /// What may be done on loopback without a key; nothing if none.
    pub client_plain: Option<Role>,
    /// The largest datagram to a client on another machine, in bytes of UDP payload.
    pub client_datagram: usize,
    /// The file with the keys of replicas and clients; none for a replica that is alone on loopback.
    pub key_file: Option<PathBuf>,
    /// The largest datagram between replicas, in bytes of UDP payload.
    pub datagram: usize,
    /// The group to which goes what is for several members; none: to each of them.
    pub multicast: Option<SocketAddrV4>,
    /// Where the store is.
    pub data_dir: PathBuf,
    /// Who takes turns.
    pub order: Order,
}

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    cluster: String,
    me: u8,
    #[serde(default = "client_default")]
    client: SocketAddr,
    #[serde(default)]
    client_plain: Plain,
    client_datagram: Option<usize>,
    key_file: Option<PathBuf>,
    datagram: Option<usize>,
    multicast: Option<SocketAddrV4>,
    data_dir: Option<PathBuf>,
    #[serde(default)]
    order: Turns,
    members: Vec<Seat>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Seat {
    id: u8,
    peer: SocketAddr,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Turns {
    #[default]
    Rotating,
    Fixed,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Plain {
    Off,
    Read,
    Write,
    #[default]
    Admin,
}

impl Config {
    /// A cluster of one, on loopback.
    pub fn alone() -> Result<Config, Ending> {
        let refused = |what| Ending::Config { file: None, what };
        let me = MemberId::new(1).ok_or_else(|| refused("there is no member 1".to_owned()))?;
        Ok(Config {
            cluster: ALONE.to_owned(),
            me,
            members: BTreeMap::from([(me, SocketAddr::from((Ipv4Addr::LOCALHOST, PEER_PORT)))]),
            client: client_default(),
            client_plain: Some(Role::Admin),
            client_datagram: CLIENT_DATAGRAM,
            key_file: None,
            datagram: DATAGRAM_LOOPBACK,
            multicast: None,
            data_dir: data_default(ALONE, me).map_err(refused)?,
            order: Order::default(),
        })
    }

    /// What a file says.
    pub fn read(path: &Path) -> Result<Config, Ending> {
        let refused = |what| Ending::Config { file: Some(path.to_owned()), what };
        let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        let mut config = Config::parse(&text).map_err(refused)?;
        // What a file names is found from where the file is, wherever the daemon was started.
        if let (Some(key_file), Some(directory)) = (&mut config.key_file, path.parent()) {
            *key_file = directory.join(&*key_file);
        }
        if let Some(directory) = path.parent() {
            config.data_dir = directory.join(&config.data_dir);
        }
        Ok(config)
    }

    /// The keys in its key file: none if it has none, and then needs none.
    pub fn keys(&self) -> Result<Keys, Ending> {
        let Some(path) = &self.key_file else { return Ok(Keys::default()) };
        let keys = keys::read(path).map_err(|problem| Ending::Config { file: None, what: problem.to_string() })?;
        let refused = |what: &str| Err(Ending::Config { file: Some(path.clone()), what: what.to_owned() });
        if keys.cluster.is_empty() && self.members.len() > 1 {
            return refused("there is no `cluster` key in it: `ftqctl key new --file FILE` adds one");
        }
        if keys.clients.is_empty() && (self.client_plain.is_none() || !is_loopback(&self.client)) {
            return refused(
                "there is no `client` key in it, so nobody could be served: `ftqctl key new --client NAME --file FILE` adds one",
            );
        }
        Ok(keys)
    }

    /// What the text of a file says, or what is wrong with it.
    pub fn parse(text: &str) -> Result<Config, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let name_is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if file.cluster.is_empty() || file.cluster.len() > 64 || !file.cluster.chars().all(name_is_plain) {
            return Err("cluster: a name is 1 to 64 letters, digits, '-' or '_'".to_owned());
        }
        let me = member(file.me)?;
        let mut members = BTreeMap::new();
        for Seat { id, peer } in file.members {
            if members.values().any(|taken| *taken == peer) {
                return Err(format!("members: two of them have the address {peer}"));
            }
            if members.insert(member(id)?, peer).is_some() {
                return Err(format!("members: {id} is there twice"));
            }
        }
        if members.len() > MEMBERS_MAX {
            return Err(format!("members: a cluster has at most {MEMBERS_MAX}"));
        }
        let Some(peer) = members.get(&me) else {
            return Err(format!("me = {me}, but that is none of the members"));
        };
        let others = members.values().find(|other| other.is_ipv4() != peer.is_ipv4());
        if let Some(other) = others {
            return Err(format!(
                "members: {peer} and {other} can't reach each other: use IPv4 for all or IPv6 for all"
            ));
        }
        let far = members.values().find(|address| !is_loopback(address));
        let reached = far.or(Some(&file.client).filter(|address| !is_loopback(address)));
        if file.key_file.is_none() && (members.len() > 1 || reached.is_some()) {
            return Err(no_key(members.len(), reached));
        }
        let client_plain = match file.client_plain {
            Plain::Off if file.key_file.is_none() => {
                return Err("client-plain: off, and there is no key-file: nobody could be served".to_owned());
            }
            Plain::Off => None,
            Plain::Read => Some(Role::Read),
            Plain::Write => Some(Role::Write),
            Plain::Admin => Some(Role::Admin),
        };
        let client_datagram = file.client_datagram.unwrap_or(CLIENT_DATAGRAM);
        if !(CLIENT_DATAGRAM_MIN..=DATAGRAM_PATH_MAX).contains(&client_datagram) {
            return Err(format!(
                "client-datagram = {client_datagram}: it can be {CLIENT_DATAGRAM_MIN} to {DATAGRAM_PATH_MAX} bytes"
            ));
        }
        if *peer == file.client {
            return Err(format!("client: {peer} is this member's address for its peers already"));
        }
        let datagram = datagram(file.datagram, far)?;
        if let Some(group) = file.multicast {
            multicast(group, members.values())?;
        }
        let data_dir = file.data_dir.map_or_else(|| data_default(&file.cluster, me), Ok)?;
        let order = match file.order {
            Turns::Rotating => Order::Rotating,
            Turns::Fixed => Order::Fixed,
        };
        let File { cluster, client, key_file, multicast, .. } = file;
        Ok(Config {
            cluster,
            me,
            members,
            client,
            client_plain,
            client_datagram,
            key_file,
            datagram,
            multicast,
            data_dir,
            order,
        })
    }

    /// The cluster's id: it follows from the name, so that all members come to the same.
    pub fn cluster_id(&self) -> ClusterId {
        ClusterId(xxh3_128(self.cluster.as_bytes()).to_le_bytes())
    }

    /// All members.
    pub fn member_set(&self) -> MemberSet {
        self.members.keys().copied().collect()
    }
}

fn member(id: u8) -> Result<MemberId, String> {
    MemberId::new(id).ok_or_else(|| format!("{id} can't be a member's id: those are 1 to 63"))
}

/// Whoever reaches a port where nothing is sealed could say anything.
fn no_key(members: usize, far: Option<&SocketAddr>) -> String {
    let why = match far {
        Some(far) => format!("{far} can be reached from other machines"),
        None => format!("the {members} replicas talk to each other"),
    };
    format!(
        "key-file: {why}, so what they say has to be sealed, and there is no key. Make one with `ftqctl key new --file \
         ftq.key`, give every replica of the cluster a copy, and say key-file = \"ftq.key\""
    )
}

fn datagram(told: Option<usize>, far: Option<&SocketAddr>) -> Result<usize, String> {
    let (usual, max) = match far {
        Some(_) => (DATAGRAM, DATAGRAM_PATH_MAX),
        None => (DATAGRAM_LOOPBACK, DATAGRAM_LOOPBACK_MAX),
    };
    let min = DATAGRAM_MIN + SEAL_BYTES;
    let datagram = told.unwrap_or(usual);
    if (min..=max).contains(&datagram) {
        return Ok(datagram);
    }
    Err(format!("datagram = {datagram}: between these addresses it can be {min} to {max} bytes"))
}

/// Whether what is for all members may go to a group.
fn multicast<'a>(group: SocketAddrV4, mut members: impl Iterator<Item = &'a SocketAddr>) -> Result<(), String> {
    if !group.ip().is_multicast() || group.port() == 0 {
        return Err(format!(
            "multicast = \"{group}\": a group is an address from 224.0.0.0 to 239.255.255.255, and a port"
        ));
    }
    match members.find(|address| !address.is_ipv4() || is_loopback(address)) {
        Some(member) => Err(format!(
            "multicast = \"{group}\": {member} can't hear it: that is for members on several machines, by IPv4"
        )),
        None => Ok(()),
    }
}

/// Whether only this machine can reach an address, in whichever notation.
fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn client_default() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, CLIENT_PORT))
}

/// Each member of each cluster has a directory of its own below the user's (or the service's) state.
fn data_default(cluster: &str, me: MemberId) -> Result<PathBuf, String> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("STATE_DIRECTORY")
        .or_else(|| Some(set("XDG_STATE_HOME")?.join("ftq")))
        .or_else(|| Some(set("HOME")?.join(".local/state/ftq")))
        .ok_or("there is no HOME to keep data below: set STATE_DIRECTORY, or data-dir in a configuration")?;
    Ok(state.join(format!("{cluster}-{me}")))
}
