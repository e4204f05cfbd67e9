//! The words of a command line: what they have to look like, and what they become.

use ftq_client::{MemberId, QueueId, Receipt};
use ftq_net::keys::Role;
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// Where replicas serve clients, if nothing else is said.
pub(crate) const PORT: u16 = 7410;

/// The longest span that is taken: a year and a day.
const SECONDS_MAX: f64 = 366.0 * 86_400.0;

/// A queue, by its label or as @id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QueueName {
    Label(String),
    Id(QueueId),
}

/// How what is shown looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people, and for scripts that want a value a line.
    #[default]
    Table,
    /// One JSON document.
    Json,
}

/// Where an item ends and the next one begins, in a file or on standard input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Each line is an item, without its end.
    #[default]
    Line,
    /// Before each item stand its length in bytes, as a decimal number, and a line feed.
    Length,
    /// All of it is one item.
    Whole,
}

/// HOST, HOST:PORT, an IPv6 address with or without brackets, or [ADDRESS]:PORT.
pub(crate) fn server(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, PORT));
    }
    let with_port = if text.contains(':') { text.to_owned() } else { format!("{text}:{PORT}") };
    let mut found =
        with_port.to_socket_addrs().map_err(|error| format!("{text}: {error} (expected HOST or HOST:PORT)"))?;
    found.next().ok_or_else(|| format!("{text}: there is no such address"))
}

pub(crate) fn output(text: &str) -> Result<Output, String> {
    match text {
        "table" => Ok(Output::Table),
        "json" => Ok(Output::Json),
        _ => Err(format!("{text}: the output is table or json")),
    }
}

pub(crate) fn framing(text: &str) -> Result<Framing, String> {
    match text {
        "line" => Ok(Framing::Line),
        "length" => Ok(Framing::Length),
        "whole" => Ok(Framing::Whole),
        _ => Err(format!("{text}: items are told apart by line or by length, or it is one item as a whole")),
    }
}

pub(crate) fn member(text: &str) -> Result<MemberId, String> {
    let member = text.parse().ok().and_then(MemberId::new);
    member.ok_or_else(|| format!("{text}: the id of a member is a number from 1 to 63"))
}

pub(crate) fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| format!("{text}: a role is read, write or admin"))
}

/// For how long to try: more than nothing, at most an hour.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(Duration::from_secs_f64(seconds)),
        Ok(_) | Err(_) => Err(format!("{text}: expected a number of seconds above 0, at most 3600")),
    }
}

/// A span in seconds, which may have a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=SECONDS_MAX).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Ok(_) | Err(_) => Err(format!("{text}: expected a number of seconds, as 30 or 0.5")),
    }
}

pub(crate) fn queue(text: &str) -> Result<QueueName, String> {
    match text.strip_prefix('@') {
        None => Ok(QueueName::Label(text.to_owned())),
        Some(id) => match id.parse() {
            Ok(id) => Ok(QueueName::Id(QueueId(id))),
            Err(_) => Err(format!("{text}: after @ comes the id of a queue, a number")),
        },
    }
}

/// POSITION.TOKEN, as take prints it.
pub(crate) fn receipt(text: &str) -> Result<Receipt, String> {
    let parsed = text
        .split_once('.')
        .and_then(|(position, token)| Some(Receipt { position: position.parse().ok()?, token: token.parse().ok()? }));
    parsed.ok_or_else(|| format!("{text}: a receipt is POSITION.TOKEN, as take prints it"))
}

/// A number, or none.
pub(crate) fn bound(text: &str) -> Result<Option<u64>, String> {
    match text {
        "none" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| format!("{text}: expected a number, or none")),
    }
}

/// A queue, or none.
pub(crate) fn dead_letters(text: &str) -> Result<Option<QueueName>, String> {
    if text == "none" { Ok(None) } else { queue(text).map(Some) }
}

/// PRIORITY.POSITION, as browse prints it.
pub(crate) fn place(text: &str) -> Result<(u8, u64), String> {
    let parsed =
        text.split_once('.').and_then(|(priority, position)| Some((priority.parse().ok()?, position.parse().ok()?)));
    parsed.ok_or_else(|| format!("{text}: a place is PRIORITY.POSITION, as browse prints it"))
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueName::Label(label) => write!(f, "{label}"),
            QueueName::Id(id) => write!(f, "@{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_port_if_none_is_named() {
        let read = |text| server(text).map(|address| address.to_string());
        assert_eq!(read("127.0.0.1").as_deref(), Ok("127.0.0.1:7410"));
        assert_eq!(read("127.0.0.1:1").as_deref(), Ok("127.0.0.1:1"));
        assert_eq!(read("::1").as_deref(), Ok("[::1]:7410"));
        assert_eq!(read("[::1]").as_deref(), Ok("[::1]:7410"));
        assert_eq!(read("[::1]:1").as_deref(), Ok("[::1]:1"));
        assert!(read("localhost").is_ok_and(|address| address.ends_with(":7410")));
        for bad in ["127.0.0.1:", "127.0.0.1:70000", "", "no such host"] {
            assert!(read(bad).is_err_and(|what| what.starts_with(bad)), "{bad}");
        }
    }

    #[test]
    fn what_is_no_number_is_said_to_be_none() {
        for text in ["", "x", "-1", "inf", "NaN", "1e300"] {
            assert!(seconds(text).is_err() && timeout(text).is_err() && bound(text).is_err(), "{text}");
        }
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!((bound("none"), bound("7")), (Ok(None), Ok(Some(7))));
        assert_eq!(receipt("3.14"), Ok(Receipt { position: 3, token: 14 }));
        assert!(receipt("3").is_err() && receipt("3.x").is_err() && place("9000.1").is_err());
    }
}
