//! The first lines that a person sees: what runs, where its data is, and what to try.

use crate::advice::{Here, Left};
use crate::config::{Address, CLIENT_PORT, Config};
use ftq_core::ids::{MemberId, MemberSet};
use ftq_core::store::{Condition, Opened};
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};

/// What the configuration comes to.
pub(crate) fn summary(config: &Config) -> String {
    let Config { cluster, me, members, join, client, client_plain, key_file, data_dir, .. } = config;
    let mut lines = format!("ftqd {}: replica {me} of cluster \"{cluster}\"", env!("CARGO_PKG_VERSION"));
    match members.len() {
        1 if !join.is_empty() => {
            let join: Vec<String> = join.iter().map(Address::to_string).collect();
            let _ = write!(lines, ", which joins it\n  peers    {} says who they are", join.join(", or "));
        }
        1 => lines.push_str(", alone"),
        n => {
            let others = members.iter().filter(|(id, _)| *id != me);
            let others: Vec<String> = others.map(|(id, peer)| format!("{id} at {peer}")).collect();
            // Writing into a string can't fail.
            let _ = write!(lines, ", one of {n}\n  peers    {}", others.join(", "));
        }
    }
    if let Some(key_file) = key_file {
        let _ = write!(lines, "\n  keys     {}", key_file.display());
    }
    let _ = write!(lines, "\n  data     {}", data_dir.display());
    let plain = match client_plain {
        Some(role) => format!("plain on this machine, with the role {role}"),
        None => "never plain".to_owned(),
    };
    let sealed = if key_file.is_some() { "sealed, or " } else { "" };
    let _ = write!(lines, "\n  clients  {client} (UDP, {sealed}{plain})");
    lines
}

/// If the store has lost something: what that means for this replica, and what to do. It `is_alone` if nobody else is known.
pub(crate) fn loss(opened: &Opened, config: &Config, is_alone: bool) -> Option<String> {
    let has_archive = opened.snapshot.is_some() || !opened.delivered.is_empty();
    let (lost, left) = match opened.condition {
        Condition::Whole => return None,
        Condition::Hollow { .. } => ("the delivered log and the queues", Left::Nothing),
        Condition::Forgetful if has_archive => ("the journal, with what this replica had promised", Left::Seatless),
        Condition::Forgetful => ("all that it held, with what this replica had promised", Left::Nothing),
    };
    let directory = &config.data_dir;
    let order = Here { me: config.me, directory, is_alone }.order(left);
    let then = if is_alone {
        let place = directory.display();
        format!(
            "Nobody else has it, so nothing is served. What was set aside is kept in {place}; to go on without it, stop this, \
             and {order}"
        )
    } else {
        format!(
            "Nothing is served from here until the other members have brought it back. Only if they can't, since all have lost \
             theirs: stop them all, and {order}"
        )
    };
    Some(format!("the store has lost {lost}. {then}"))
}

/// If a replica began a cluster alone, and others have come into it since: its file would have it begin another one.
pub(crate) fn forlorn(
    config: &Config,
    members: MemberSet,
    known: impl Iterator<Item = (MemberId, SocketAddr)>,
) -> Option<String> {
    let others = members.without(config.me);
    if config.members.len() > 1 || !config.join.is_empty() || others.is_empty() {
        return None;
    }
    let known: Vec<String> =
        known.filter(|(member, _)| others.contains(*member)).map(|(_, at)| format!("\"{at}\"")).collect();
    let join = if known.is_empty() { "their addresses".to_owned() } else { known.join(", ") };
    Some(format!(
        "the cluster has other members, {others}, and the configuration here names none: with a new disk this replica would \
         begin another cluster. Say join = [{join}] in it, and peer = \"{}\", in place of `members`",
        config.peer
    ))
}

/// What to try, as one line to copy.
pub(crate) fn invitation(client: &Address) -> String {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, CLIENT_PORT));
    let ctl = if *client == Address::Number(usual) { "ftqctl".to_owned() } else { format!("ftqctl --server {client}") };
    format!("  try      {ctl} create hello && {ctl} push hello world && {ctl} pop hello")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Told;
    use ftq_core::ids::{Digest, Slot};
    use ftq_core::store::Snapshot;

    fn id(n: u8) -> MemberId {
        MemberId::new(n).expect("an id")
    }

    #[test]
    fn who_joins_is_told_so() {
        let text = "cluster = \"c\"\nme = 4\npeer = \"192.0.2.4:7411\"\nkey-file = \"k\"\njoin = [\"192.0.2.1:7411\", \"b:7411\"]\n";
        let config = Config::parse(text, &Told::default()).expect("a configuration");
        let lines = summary(&config);
        assert!(lines.contains("replica 4 of cluster \"c\", which joins it\n"), "{lines}");
        assert!(lines.contains("peers    192.0.2.1:7411, or b:7411 says who they are"), "{lines}");
        assert_eq!(forlorn(&config, [id(1), id(4)].into_iter().collect(), std::iter::empty()), None);
    }

    #[test]
    fn who_began_alone_is_told_what_to_write_once_there_are_others() {
        let config = Config::parse("", &Told::default()).expect("a configuration");
        let known = [(id(2), "192.0.2.2:7411".parse().expect("an address"))];
        let line = forlorn(&config, [id(1), id(2)].into_iter().collect(), known.into_iter()).expect("a line");
        assert!(line.contains("Say join = [\"192.0.2.2:7411\"] in it, and peer = \"127.0.0.1:7411\""), "{line}");
        assert_eq!(forlorn(&config, MemberSet::of(id(1)), known.into_iter()), None, "it is alone");
    }

    /// With its archive it can go on, as the member that somebody says; without it there is nothing to go on with.
    #[test]
    fn a_loss_is_said_with_the_order_that_fits() {
        let config = Config::parse("", &Told::default()).expect("a configuration");
        assert_eq!(loss(&Opened::default(), &config, true), None);
        let hollow = Condition::Hollow { base: Slot(3), digest: Digest::default() };
        let archive = Opened { snapshot: Some(Snapshot::default()), ..Opened::default() };
        for (condition, of, lost, order) in [
            (hollow, Opened::default(), "the delivered log", "stop this, and run `ftqd start-anew "),
            (Condition::Forgetful, archive, "the journal, ", " --me 1`"),
            (Condition::Forgetful, Opened::default(), "all that it held", "stop this, and run `ftqd start-anew "),
        ] {
            let line = loss(&Opened { condition, ..of }, &config, true).expect("a line");
            assert!(line.starts_with(&format!("the store has lost {lost}")) && line.contains(order), "{line}");
            assert!(line.contains("Nobody else has it, so nothing is served"), "{line}");
        }
        let line = loss(&Opened { condition: hollow, ..Opened::default() }, &config, false).expect("a line");
        assert!(line.contains("stop them all, and if another member still has its archive"), "{line}");
    }
}
