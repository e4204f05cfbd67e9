//! What the members' names mean, asked for on a thread of its own: a name service may be slow, a name may mean
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
    found: Receiver<(MemberId, SocketAddr)>,
    /// The thread ends when it is dropped.
    _asked: Sender<()>,
}

/// One name.
struct Name {
    member: MemberId,
    address: Address,
    means: Option<SocketAddr>,
    is_told: bool,
}

impl Names {
    /// Asks for those of `config`'s other members that are names; for addresses that a socket bound to `from` can
    /// reach. `wake` is called when there is something to find.
    pub(crate) fn ask(config: &Config, from: IpAddr, wake: impl Fn() + Send + 'static) -> Result<Names, Ending> {
        let others = config.members.iter().filter(|(id, address)| **id != config.me && address.number().is_none());
        let mut names: Vec<Name> = others.map(|(id, address)| Name::new(*id, address)).collect();
        let (find, found) = channel();
        let (_asked, until) = channel::<()>();
        if names.is_empty() {
            return Ok(Names { found, _asked });
        }
        let work = move || {
            loop {
                for name in &mut names {
                    if let Some(address) = name.look(from)
                        && find.send((name.member, address)).is_ok()
                    {
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

    /// A member whose name means this from now on.
    pub(crate) fn found(&self) -> Option<(MemberId, SocketAddr)> {
        self.found.try_recv().ok()
    }
}

impl Name {
    fn new(member: MemberId, address: &Address) -> Name {
        Name { member, address: address.clone(), means: None, is_told: false }
    }

    /// Asks what it means; what that is if it is new.
    fn look(&mut self, from: IpAddr) -> Option<SocketAddr> {
        let Name { member, address, .. } = self;
        let meaning = address.resolve().and_then(|found| {
            reachable(&found, from).ok_or_else(|| format!("it means {found:?}, which {from} can't reach"))
        });
        match meaning {
            Ok(means) if self.means == Some(means) => None,
            Ok(means) => {
                log::info!("member {member}: {address} is {means}");
                (self.means, self.is_told) = (Some(means), false);
                Some(means)
            }
            Err(why) => {
                if !self.is_told {
                    log::warn!("member {member}: {address} can't be found: {why}. It is asked for again and again");
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
        let second = MemberId::new(2).expect("an id");
        assert_eq!(names.found(), Some((second, SocketAddr::from(([127, 0, 0, 1], 2)))));
        assert_eq!(names.found(), None);
    }
}
