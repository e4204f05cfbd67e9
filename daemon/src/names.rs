//! What the names of members, and of `join`, mean, asked for on a thread of its own: a name service may be slow, a name may mean
//! nothing yet, and it may come to mean another address while the daemon runs.

use crate::config::{Address, Config, reachable};
use crate::ending::Ending;
use ftq_core::ids::MemberId;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// How often a name that means nothing yet is asked for, and one that does.
const UNKNOWN_EVERY: Duration = Duration::from_secs(1);
const KNOWN_EVERY: Duration = Duration::from_secs(30);

/// The names that are asked for; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Names {
    found: Receiver<Found>,
    /// The thread ends when it is dropped.
    _asked: Sender<()>,
}

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The member whose it is; none if it is one of `join`.
    pub(crate) member: Option<MemberId>,
    /// The name, with its port.
    pub(crate) name: String,
    /// The address.
    pub(crate) means: SocketAddr,
}

/// One name.
struct Name {
    member: Option<MemberId>,
    address: Address,
    means: Option<SocketAddr>,
    is_told: bool,
}

impl Names {
    /// Asks for those of `config`'s other members that are names; for addresses that a socket bound to `from` can
    /// reach. `wake` is called when there is something to find.
    pub(crate) fn ask(config: &Config, from: IpAddr, wake: impl Fn() + Send + 'static) -> Result<Names, Ending> {
        let others =
            config.members.iter().filter(|(id, _)| **id != config.me).map(|(id, address)| (Some(*id), address));
        let all = others.chain(config.join.iter().map(|address| (None, address)));
        let names = all.filter(|(_, address)| address.number().is_none());
        let mut names: Vec<Name> = names.map(|(id, address)| Name::new(id, address)).collect();
        let (find, found) = channel();
        let (_asked, until) = channel::<()>();
        if names.is_empty() {
            return Ok(Names { found, _asked });
        }
        let work = move || {
            loop {
                for name in &mut names {
                    let found = name.look(from);
                    if found.is_some_and(|found| find.send(found).is_ok()) {
                        wake();
                    }
                }
                let all_known = names.iter().all(|name| name.means.is_some());
                let pause = if all_known { KNOWN_EVERY } else { UNKNOWN_EVERY };
                if until.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        };
        let spawned = thread::Builder::new().name("ftq-names".to_owned()).spawn(work);
        spawned.map_err(|error| Ending::System { doing: "start a thread", error })?;
        Ok(Names { found, _asked })
    }

    /// A name, and what it means from now on.
    pub(crate) fn found(&self) -> Option<Found> {
        self.found.try_recv().ok()
    }
}

impl Name {
    fn new(member: Option<MemberId>, address: &Address) -> Name {
        Name { member, address: address.clone(), means: None, is_told: false }
    }

    /// Asks what it means; what that is if it is new.
    fn look(&mut self, from: IpAddr) -> Option<Found> {
        let Name { member, address, .. } = self;
        let whose = || member.map_or_else(|| "join".to_owned(), |member| format!("member {member}"));
        let meaning = address.resolve().and_then(|found| {
            reachable(&found, from).ok_or_else(|| format!("it means {found:?}, which {from} can't reach"))
        });
        match meaning {
            Ok(means) if self.means == Some(means) => None,
            Ok(means) => {
                log::info!("{}: {address} is {means}", whose());
                let found = Found { member: *member, name: address.to_string(), means };
                (self.means, self.is_told) = (Some(means), false);
                Some(found)
            }
            Err(why) => {
                if !self.is_told {
                    log::warn!("{}: {address} can't be found: {why}. It is asked for again and again", whose());
                    self.is_told = true;
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Told;

    #[test]
    fn an_address_to_join_by_may_be_a_name() {
        let text = "cluster = \"c\"\nme = 4\nkey-file = \"k\"\npeer = \"127.0.0.1:1\"\njoin = \"localhost:2\"\n";
        let config = Config::parse(text, &Told::default()).expect("a configuration");
        let (wake, woken) = channel();
        let wake = move || wake.send(()).unwrap_or_default();
        let names = Names::ask(&config, IpAddr::from([127, 0, 0, 1]), wake).expect("a thread");
        woken.recv_timeout(Duration::from_secs(30)).expect("localhost is known everywhere");
        let (name, means) = ("localhost:2".to_owned(), SocketAddr::from(([127, 0, 0, 1], 2)));
        assert_eq!(names.found(), Some(Found { member: None, name, means }));
    }

    #[test]
    fn a_name_is_found_for_the_right_family() {
        let text = "cluster = \"c\"\nme = 1\nkey-file = \"k\"\n[[members]]\nid = 1\npeer = \"127.0.0.1:1\"\n\
                    [[members]]\nid = 2\npeer = \"localhost:2\"\n[[members]]\nid = 3\npeer = \"no-such-host.invalid:3\"\n";
        let config = Config::parse(text, &Told::default()).expect("a configuration");
        let (wake, woken) = channel();
        let names = Names::ask(&config, IpAddr::from([127, 0, 0, 1]), move || {
            let _ = wake.send(());
        })
        .expect("a thread");
        woken.recv_timeout(Duration::from_secs(30)).expect("localhost is known everywhere");
        let (member, name) = (MemberId::new(2), "localhost:2".to_owned());
        assert_eq!(names.found(), Some(Found { member, name, means: SocketAddr::from(([127, 0, 0, 1], 2)) }));
        assert_eq!(names.found(), None);
    }
}
