//! What a replica is told by its operator: one TOML file, a few flags and variables, every default in one place.
//!
//! A file becomes a [`Config`] that makes sense, or all that is wrong with it. With no file there is a cluster of
//! one, on loopback.

mod address;
mod check;
mod fields;
mod print;
mod problems;
mod reading;
#[cfg(test)]
mod tests;

pub use address::{Address, reachable};
pub(crate) use fields::format_bytes;
pub use problems::Problems;
pub(crate) use reading::level;

use crate::ending::Ending;
use ftq_core::ids::{ClusterId, MemberId, MemberSet};
use ftq_core::replica::Order;
use ftq_net::keys::{self, Keys, Role};
use log::LevelFilter;
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
/// Where metrics and health are to be seen.
pub const HTTP_PORT: u16 = 7412;
/// The file that is read if it is there and no other is named.
pub const FILE: &str = "/etc/ftq/ftqd.toml";
/// The cluster of a replica that was told nothing.
const ALONE: &str = "local";

/// What a replica is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The cluster's name.
    pub cluster: String,
    /// This member.
    pub me: MemberId,
    /// Every member's address for its peers, this one's too; of one that joins, this one's alone.
    pub members: BTreeMap<MemberId, Address>,
    /// Where members of a cluster that runs are to be found, for one that comes into it; none for who founds one.
    pub join: Vec<Address>,
    /// Where this member expects its peers.
    pub peer: Address,
    /// Where clients are served.
    pub client: Address,
    /// What may be done on loopback without a key; nothing if none.
    pub client_plain: Option<Role>,
    /// The largest datagram to a client on another machine, in bytes of UDP payload.
    pub client_datagram: usize,
    /// Where metrics and health are to be seen, if they are.
    pub http: Option<Address>,
    /// The file with the keys of replicas and clients; none for a replica that is alone on loopback.
    pub key_file: Option<PathBuf>,
    /// The largest datagram between replicas, in bytes of UDP payload.
    pub datagram: usize,
    /// The group to which goes what is for several members; none: to each of them.
    pub multicast: Option<SocketAddrV4>,
    /// Who takes turns.
    pub order: Order,
    /// Where the store is.
    pub data_dir: PathBuf,
    /// The size of the journal of a new store.
    pub journal: u64,
    /// How much of the delivered log is kept for members that were away.
    pub log_keep: u64,
    /// With less than this free the disk is nearly full.
    pub disk_low: u64,
    /// Which lines are written to the log.
    pub log: LevelFilter,
}

/// What the command line and the environment say, which counts for more than the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// This member.
    pub me: Option<u8>,
    /// Where the store is.
    pub data_dir: Option<PathBuf>,
    /// The file with the keys.
    pub key_file: Option<PathBuf>,
    /// Which lines are written to the log.
    pub log: Option<LevelFilter>,
}

impl Config {
    /// A cluster of one, on loopback.
    pub fn alone(told: &Told) -> Result<Config, Ending> {
        Config::parse("", told).map_err(|problems| Ending::Config(problems.of_file("without a configuration")))
    }

    /// What a file says.
    pub fn read(path: &Path, told: &Told) -> Result<Config, Ending> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| Ending::Config(format!("{name}: {error}")))?;
        let mut config = Config::parse(&text, told).map_err(|problems| Ending::Config(problems.of_file(&name)))?;
        // What a file names is found from where the file is, wherever the daemon was started.
        let directory = path.parent().unwrap_or(Path::new(""));
        if let (Some(key_file), None) = (&mut config.key_file, &told.key_file) {
            *key_file = directory.join(&*key_file);
        }
        if told.data_dir.is_none() {
            config.data_dir = directory.join(&config.data_dir);
        }
        Ok(config)
    }

    /// What the text of a file says, or all that is wrong with it.
    pub fn parse(text: &str, told: &Told) -> Result<Config, Problems> {
        reading::read(text, told)
    }

    /// The keys in its key file: none if it has none, and then needs none.
    pub fn keys(&self) -> Result<Keys, Ending> {
        let Some(path) = &self.key_file else { return Ok(Keys::default()) };
        let keys = keys::read(path).map_err(|problem| Ending::Config(problem.to_string()))?;
        let refused = |what: &str| Err(Ending::Config(format!("{}: {what}", path.display())));
        if keys.cluster.is_empty() && (self.members.len() > 1 || !self.join.is_empty()) {
            return refused("there is no `cluster` key in it: `ftqctl key new --file FILE` adds one");
        }
        if keys.clients.is_empty() && (self.client_plain.is_none() || self.client.is_far()) {
            return refused(
                "there is no `client` key in it, so nobody could be served: `ftqctl key new --client NAME --file FILE` adds one",
            );
        }
        Ok(keys)
    }

    /// A file that says the same, with each key explained.
    pub fn print(&self) -> String {
        print::print(self)
    }

    /// The keys whose values differ in `other` and can't change while the daemon runs.
    pub fn fixed_that_differ(&self, other: &Config) -> Vec<&'static str> {
        let differ = [
            ("cluster", self.cluster != other.cluster),
            ("me", self.me != other.me),
            ("members", self.members != other.members),
            ("join", self.join != other.join),
            ("peer", self.peer != other.peer),
            ("client", self.client != other.client),
            ("client-plain", self.client_plain != other.client_plain),
            ("client-datagram", self.client_datagram != other.client_datagram),
            ("http", self.http != other.http),
            ("datagram", self.datagram != other.datagram),
            ("multicast", self.multicast != other.multicast),
            ("order", self.order != other.order),
            ("data-dir", self.data_dir != other.data_dir),
            ("journal", self.journal != other.journal),
        ];
        differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    /// The cluster's id: it follows from the name, so that all members come to the same.
    pub fn cluster_id(&self) -> ClusterId {
        ClusterId(xxh3_128(self.cluster.as_bytes()).to_le_bytes())
    }

    /// Who founds the cluster: all configured members, or none by whom comes into one that there is.
    pub fn founders(&self) -> MemberSet {
        if self.join.is_empty() { self.members.keys().copied().collect() } else { MemberSet::EMPTY }
    }
}

fn loopback(port: u16) -> Address {
    Address::Number(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
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
