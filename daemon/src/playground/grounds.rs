//! Where a playground is: a directory that goes away with it, and addresses on loopback that nobody has.

use super::{command, seat::Seat};
use crate::config::{CLIENT_PORT, Config, HTTP_PORT, PEER_PORT, Told};
use crate::ending::Ending;
use ftq_net::keys::{SECRET_BYTES, Secret};
use log::LevelFilter;
use std::env;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// From one replica's ports to the next one's: as with the examples of several replicas on one machine.
const PORTS_APART: u16 = 10;

/// The last number of the addresses on loopback that are tried.
const HOSTS: std::ops::RangeInclusive<u8> = 1..=254;

/// The directory, which goes away when this is dropped, and the address.
pub(super) struct Grounds {
    directory: PathBuf,
    host: Ipv4Addr,
    replicas: u8,
}

impl Grounds {
    /// Finds an address and makes the directory.
    pub(super) fn make(replicas: u8) -> Result<Grounds, Ending> {
        let host = host(replicas)?;
        let mut random = [0; 4 + SECRET_BYTES];
        getrandom::fill(&mut random)
            .map_err(|error| Ending::System { doing: "draw random bytes", error: error.into() })?;
        let [a, b, c, d, secret @ ..] = random;
        let directory = env::temp_dir().join(format!("ftq-playground-{:08x}", u32::from_be_bytes([a, b, c, d])));
        let refused = |error| Ending::System { doing: "make a directory for data that goes away", error };
        DirBuilder::new().mode(0o700).create(&directory).map_err(refused)?;
        let grounds = Grounds { directory, host, replicas };
        grounds.write("keys", &format!("cluster {}\n", Secret::new(secret).digits())).map_err(refused)?;
        for me in grounds.numbers() {
            grounds.write(&format!("{me}.toml"), &grounds.configuration(me)).map_err(refused)?;
        }
        Ok(grounds)
    }

    /// What each replica is told.
    pub(super) fn configurations(&self, log: Option<LevelFilter>) -> Result<Vec<Config>, Ending> {
        let told = Told { log, ..Told::default() };
        self.numbers().map(|me| Config::read(&self.directory.join(format!("{me}.toml")), &told)).collect()
    }

    /// The first lines that a person sees.
    pub(super) fn greeting(&self, seats: &[Seat]) -> String {
        let mut lines = format!(
            "ftqd {}: a playground of {} on this machine\n  data     {}, which goes away at the end",
            env!("CARGO_PKG_VERSION"),
            if self.replicas == 1 { "one replica".to_owned() } else { format!("{} replicas", self.replicas) },
            self.directory.display()
        );
        let mut ctl = "ftqctl".to_owned();
        for Seat { config: Config { me, client, http, .. }, .. } in seats {
            let watched = http.as_ref().map_or_else(String::new, |http| format!(", http://{http}/readyz?verbose"));
            // Writing into a string can't fail, here and below.
            let _ = write!(lines, "\n  {me}        clients at {client} (UDP){watched}");
            let _ = write!(ctl, " --server {client}");
        }
        let _ = write!(lines, "\n  try      {ctl} create hello\n           {ctl} push hello world");
        let _ = write!(lines, "\n           {ctl} pop hello\n           {ctl} status");
        let _ = write!(lines, "\n  and then type here, one a line:\n{}", command::HELP);
        lines
    }

    /// What a file for one of them says.
    fn configuration(&self, me: u8) -> String {
        let mut text = format!(
            "cluster = \"playground\"\nme = {me}\nclient = \"{}\"\nhttp = \"{}\"\nkey-file = \"keys\"\n\
             data-dir = \"data-{me}\"\njournal = \"32 MiB\"\ndisk-low = 0\n",
            self.address(me, CLIENT_PORT),
            self.address(me, HTTP_PORT)
        );
        for id in self.numbers() {
            let _ = write!(text, "[[members]]\nid = {id}\npeer = \"{}\"\n", self.address(id, PEER_PORT));
        }
        text
    }

    fn address(&self, me: u8, first: u16) -> SocketAddr {
        address(self.host, me, first)
    }

    fn numbers(&self) -> impl Iterator<Item = u8> + use<> {
        1..=self.replicas
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path: &Path = &self.directory.join(name);
        File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
    }
}

impl Drop for Grounds {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            log::warn!("{} can't be removed: {error}", self.directory.display());
        }
    }
}

fn address(host: Ipv4Addr, me: u8, first: u16) -> SocketAddr {
    SocketAddr::from((host, first + PORTS_APART * u16::from(me - 1)))
}

/// The first address of this machine's own at which all ports are free: a replica that runs has its own.
fn host(replicas: u8) -> Result<Ipv4Addr, Ending> {
    let is_free = |host: Ipv4Addr| {
        (1..=replicas).try_for_each(|me| {
            let at = |first| address(host, me, first);
            let taken = |first: u16| move |error: io::Error| (at(first), error);
            UdpSocket::bind(at(CLIENT_PORT)).map_err(taken(CLIENT_PORT))?;
            UdpSocket::bind(at(PEER_PORT)).map_err(taken(PEER_PORT))?;
            TcpListener::bind(at(HTTP_PORT)).map(drop).map_err(taken(HTTP_PORT))
        })
    };
    let mut first_taken = None;
    for host in HOSTS.map(|last| Ipv4Addr::new(127, 0, 0, last)) {
        match is_free(host) {
            Ok(()) => return Ok(host),
            Err(taken) => first_taken = first_taken.or(Some(taken)),
        }
    }
    let (address, error) = first_taken.unwrap_or_else(|| unreachable!("there are addresses to try"));
    Err(Ending::Address { port: "a playground", address: address.into(), error })
}
