//! Where something is on the network: a number, or a name that may come to mean another number.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// An address as it is written: `192.0.2.7:7411`, `[::1]:7411` or `queue-2.example.org:7411`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A number.
    Number(SocketAddr),
    /// A name, with its port.
    Name(String),
}

/// The one name that means this machine everywhere.
const LOCALHOST: &str = "localhost";

impl Address {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Address, String> {
        if let Ok(number) = text.parse() {
            return Ok(Address::Number(number));
        }
        let shape = "an address is a number or a name with a port: 192.0.2.7:7411, [2001:db8::7]:7411, queue-2:7411";
        let (name, port) = text.rsplit_once(':').ok_or(shape)?;
        port.parse::<u16>().map_err(|_| shape)?;
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
        let is_name = !name.is_empty() && name.chars().all(is_letter) && name.chars().any(|c| c.is_ascii_alphabetic());
        if is_name { Ok(Address::Name(text.to_owned())) } else { Err(shape.to_owned()) }
    }

    /// The number, if it is one, or if everybody knows what the name means.
    pub fn number(&self) -> Option<SocketAddr> {
        match self {
            Address::Number(number) => Some(*number),
            Address::Name(_) => None,
        }
    }

    /// Whether other machines can reach it, as far as can be told without asking what a name means.
    pub fn is_far(&self) -> bool {
        match self {
            Address::Number(number) => !number.ip().to_canonical().is_loopback(),
            Address::Name(name) => name.rsplit_once(':').is_none_or(|(name, _)| name != LOCALHOST),
        }
    }

    /// What it means now. It may take as long as the name service does.
    pub fn resolve(&self) -> Result<Vec<SocketAddr>, String> {
        match self {
            Address::Number(number) => Ok(vec![*number]),
            Address::Name(name) => {
                let found: Vec<SocketAddr> = name.to_socket_addrs().map_err(|error| error.to_string())?.collect();
                if found.is_empty() { Err("the name has no address".to_owned()) } else { Ok(found) }
            }
        }
    }
}

/// Of several addresses the first that a socket bound to `from` can reach.
pub fn reachable(found: &[SocketAddr], from: IpAddr) -> Option<SocketAddr> {
    found.iter().find(|address| address.is_ipv4() == from.is_ipv4()).copied()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Number(number) => write!(f, "{number}"),
            Address::Name(name) => f.write_str(name),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(number: SocketAddr) -> Address {
        Address::Number(number)
    }
}
