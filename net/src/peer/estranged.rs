//! Members that speak and can't be opened: they have another key, or are of another cluster, and without a word
//! about it both sides would see nothing but silence.
//!
//! ```text
//!  heard ── refused at its address ──▶ refused since ── nothing opened for a while ──▶ estranged: said, and again
//!    ▲                                      │                                            after a longer while
//!    └────────────── opened ────────────────┴────────────────────────────────────────────────┘
//! ```
//! An address can be forged, so this is for telling a person, and nothing hangs on it.

use super::{Refused, is_same};
use ftq_core::ids::MemberId;
use ftq_core::time::{Span, Time};
use std::fmt;
use std::net::SocketAddr;

/// For so long a member may change its key or be started anew before it is said to be estranged.
const AFTER: Span = Span::secs(3);

/// It is said again after this, for who reads the end of a log only.
const AGAIN: Span = Span::secs(600);

/// The others, as far as they can be opened.
#[derive(Debug)]
pub struct Estranged {
    peers: Vec<Peer>,
}

#[derive(Debug)]
struct Peer {
    /// None where it is not known who is to be found at an address.
    member: Option<MemberId>,
    address: SocketAddr,
    refused: Option<Since>,
}

#[derive(Debug)]
struct Since {
    tell_at: Time,
    why: Refused,
    names: Names,
    due: bool,
}

/// What both sides call their keys and their clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The key that sealed it.
    pub key: String,
    /// The cluster that it says it is of.
    pub cluster: String,
    /// The keys here.
    pub own_keys: String,
    /// The cluster here.
    pub own_cluster: String,
}

/// Who can't be heard, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estrangement {
    /// The member that has this address; none for whoever is to be found there, by `join`.
    pub member: Option<MemberId>,
    /// The address.
    pub address: SocketAddr,
    /// What was wrong with the last that came from there.
    pub why: Refused,
    /// What both sides call their keys and their clusters.
    pub names: Names,
}

impl Estranged {
    /// Nothing is known yet of those who have these addresses.
    pub fn new(peers: impl IntoIterator<Item = (Option<MemberId>, SocketAddr)>) -> Estranged {
        let peers = peers.into_iter().map(|(member, address)| Peer { member, address, refused: None });
        Estranged { peers: peers.collect() }
    }

    /// Something of this member was opened, that came from there.
    pub fn opened(&mut self, member: MemberId, from: SocketAddr) {
        for peer in &mut self.peers {
            if peer.member.map_or_else(|| is_same(peer.address, from), |known| known == member) {
                peer.refused = None;
            }
        }
    }

    /// Something from this address was not opened.
    pub fn refused(&mut self, now: Time, from: SocketAddr, why: Refused, names: impl FnOnce() -> Names) {
        let Some(peer) = self.peers.iter_mut().find(|peer| is_same(peer.address, from)) else { return };
        let fresh = Since { tell_at: now + AFTER, why, names: Names::default(), due: false };
        let since = peer.refused.get_or_insert(fresh);
        since.why = why;
        if now >= since.tell_at {
            since.names = names();
            since.tell_at = now + AGAIN;
            since.due = true;
        }
    }

    /// What there is to say now.
    pub fn poll(&mut self) -> Option<Estrangement> {
        self.peers.iter_mut().find_map(|peer| {
            let since = peer.refused.as_mut().filter(|since| since.due)?;
            since.due = false;
            Some(Estrangement {
                member: peer.member,
                address: peer.address,
                why: since.why,
                names: since.names.clone(),
            })
        })
    }
}

impl fmt::Display for Estrangement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Estrangement { member, address, why, names } = self;
        let Names { key, cluster, own_keys, own_cluster } = names;
        match member {
            Some(member) => write!(f, "member {member} can't be heard, for what comes from {address} is ")?,
            None => write!(f, "whoever is at {address} (`join`) can't be heard, for what comes from there is ")?,
        }
        match why {
            Refused::Short => f.write_str("nothing that a replica says: does another program have that address?"),
            Refused::OtherKey => write!(
                f,
                "sealed with a key that is not in the key file here (theirs is called {key}, here is {own_keys}): give both \
                 the same file, or follow the steps for changing a key"
            ),
            Refused::OtherCluster => write!(
                f,
                "of another cluster (theirs is called {cluster}, this one {own_cluster}): `cluster` is not the same in both \
                 configurations, or only one of the two was started anew, or both with different codes (the line `anew` \
                 of the file `identity` of each store)"
            ),
            Refused::NotAuthentic => f.write_str("forged, or damaged on its way"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time(ms * 1_000)
    }

    fn estranged() -> (Estranged, MemberId, SocketAddr) {
        let (member, address) = (MemberId::new(2).unwrap(), "192.0.2.2:7411".parse().unwrap());
        (Estranged::new([(Some(member), address)]), member, address)
    }

    /// What was said, and when, if something is refused each 50 ms.
    fn said(estranged: &mut Estranged, from: SocketAddr, ms: std::ops::Range<u64>) -> Vec<(u64, Refused)> {
        let mut said = Vec::new();
        for ms in ms.step_by(50) {
            estranged.refused(at(ms), from, Refused::OtherKey, Names::default);
            said.extend(estranged.poll().map(|estrangement| (ms, estrangement.why)));
        }
        said
    }

    #[test]
    fn it_is_said_after_a_while_and_again_after_a_longer_one() {
        let (mut estranged, member, address) = estranged();
        assert_eq!(said(&mut estranged, address, 0..3_000), []);
        let times = said(&mut estranged, address, 3_000..1_400_000);
        assert_eq!(times, [3_000, 603_000, 1_203_000].map(|ms| (ms, Refused::OtherKey)));
        estranged.opened(member, address);
        assert_eq!(said(&mut estranged, address, 1_400_000..1_403_000), [], "it begins anew");
    }

    #[test]
    fn who_is_heard_in_between_is_not_estranged() {
        let (mut estranged, member, address) = estranged();
        for second in 0..20 {
            assert_eq!(said(&mut estranged, address, second * 1_000..second * 1_000 + 1_000), []);
            estranged.opened(member, address);
        }
    }

    #[test]
    fn strangers_are_nobody() {
        let (mut estranged, ..) = estranged();
        let elsewhere = "192.0.2.3:7411".parse().unwrap();
        assert_eq!(said(&mut estranged, elsewhere, 0..20_000), []);
    }

    #[test]
    fn the_notation_of_an_address_does_not_matter() {
        let (mut estranged, ..) = estranged();
        let mapped = "[::ffff:192.0.2.2]:7411".parse().unwrap();
        assert_eq!(said(&mut estranged, mapped, 0..4_000).len(), 1);
    }

    #[test]
    fn a_line_names_the_member_and_the_likely_cause() {
        let (_, member, address) = estranged();
        let [key, cluster, own_keys, own_cluster] = ["k1", "c1", "k2", "c2"].map(str::to_owned);
        let names = Names { key, cluster, own_keys, own_cluster };
        let estrangement = |member, why| Estrangement { member, address, why, names: names.clone() }.to_string();
        let line = |why| estrangement(Some(member), why);
        let begin = "member 2 can't be heard, for what comes from 192.0.2.2:7411 is ";
        let causes = [
            (Refused::OtherKey, "key file here (theirs is called k1, here is k2)"),
            (Refused::OtherCluster, "of another cluster (theirs is called c1, this one c2)"),
            (Refused::Short, "another program"),
            (Refused::NotAuthentic, "forged"),
        ];
        for (why, cause) in causes {
            assert!(line(why).starts_with(begin) && line(why).contains(cause), "{}", line(why));
        }
        let line = estrangement(None, Refused::OtherKey);
        assert!(line.starts_with("whoever is at 192.0.2.2:7411 (`join`) can't be heard, for"), "{line}");
    }
}
