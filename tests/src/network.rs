//! The network: directed links between members and clients, each with its own ways to fail.
//!
//! ```text
//! send ─▶ cut? ─▶ too large? ─▶ lost? ─▶ altered? ─▶ delay ─▶ arrival     (and perhaps a second one)
//!                                                  └▶ sample ─▶ an old datagram arrives again
//! ```
//!
//! Every datagram is sealed with a keyed checksum when it is sent and opened when it arrives, in the
//! place of the real seal: what was altered on the way is dropped before anybody parses it.

use crate::counts::{Count, Counts};
use bytes::Bytes;
use ftq_core::chance::Chance;
use ftq_core::time::{Span, Time};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How many old datagrams of a link are kept, to be replayed.
const OLD_MAX: usize = 16;

/// One in so many datagrams is kept, so that the kept ones are of different ages.
const OLD_EVERY: u64 = 8;

/// How long a link that flaps is up, and how long it is down.
const FLAP: Span = Span::secs(1);

/// A member or a client, by its place: members first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint(pub usize);

/// What is on its way.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) from: Endpoint,
    pub(crate) to: Endpoint,
    pub(crate) bytes: Bytes,
    seal: u64,
}

/// What a link does to each datagram. Chances are per mille.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// How long a datagram takes at least.
    pub delay: Span,
    /// And at most this much longer.
    pub jitter: Span,
    /// How often one is lost.
    pub loss: u64,
    /// How often one comes twice.
    pub duplicate: u64,
    /// How often an old one comes again.
    pub replay: u64,
    /// How often one is altered.
    pub corrupt: u64,
    /// How often one is held up.
    pub hold: u64,
    /// For how long at most.
    pub hold_max: Span,
}

#[derive(Clone, Debug, Default)]
struct Link {
    behaviour: Behaviour,
    cut_until: Time,
    flaps_until: Time,
    mtu: usize,
    mtu_until: Time,
    loss: u64,
    loss_until: Time,
    last_arrival: Time,
    old: Vec<Datagram>,
}

/// All links.
#[derive(Debug)]
pub struct Network {
    endpoints: usize,
    links: Vec<Link>,
    key: u64,
    chance: Chance,
}

impl Network {
    /// A network between so many endpoints, on which every link behaves like this.
    pub fn new(endpoints: usize, behaviour: Behaviour, seed: u64) -> Network {
        let mut chance = Chance::new(seed);
        let link = Link { behaviour, ..Link::default() };
        Network { endpoints, links: vec![link; endpoints * endpoints], key: chance.draw(), chance }
    }

    /// Takes a datagram; says when which datagrams arrive because of it.
    pub(crate) fn send(
        &mut self,
        now: Time,
        from: Endpoint,
        to: Endpoint,
        bytes: Bytes,
        counts: &mut Counts,
        mut arrives: impl FnMut(Time, Datagram),
    ) {
        let key = self.key;
        let Network { links, chance, endpoints, .. } = self;
        let Some(link) = links.get_mut(from.0 * *endpoints + to.0) else { return };
        if link.is_down(now) {
            return counts.one(Count::CutOff);
        }
        if now < link.mtu_until && bytes.len() > link.mtu {
            return counts.one(Count::BlackHoled);
        }
        let mut happens = |per_mille: u64| per_mille > 0 && chance.below(1_000) < per_mille;
        let behaviour = link.behaviour;
        let lost = happens(if now < link.loss_until { link.loss.max(behaviour.loss) } else { behaviour.loss });
        let twice = happens(behaviour.duplicate);
        let replay = happens(behaviour.replay);
        let altered = happens(behaviour.corrupt);
        let seal = xxh3_64_with_seed(&bytes, key);
        let datagram = Datagram { from, to, bytes, seal };
        if behaviour.replay > 0 && chance.below(OLD_EVERY) == 0 {
            link.keep(datagram.clone(), chance);
        }
        if twice {
            counts.one(Count::Duplicated);
            arrives(link.arrival(now, chance, counts), datagram.clone());
        }
        if replay && !link.old.is_empty() {
            counts.one(Count::Replayed);
            let old = link.old[pick(chance, link.old.len())].clone();
            arrives(link.arrival(now, chance, counts), old);
        }
        if lost {
            counts.one(Count::Lost);
        } else if altered {
            arrives(link.arrival(now, chance, counts), alter(datagram, chance));
        } else {
            arrives(link.arrival(now, chance, counts), datagram);
        }
    }

    /// What is in a datagram that has arrived; nothing if it does not open.
    pub(crate) fn open(&self, datagram: &Datagram) -> Option<Bytes> {
        (xxh3_64_with_seed(&datagram.bytes, self.key) == datagram.seal).then(|| datagram.bytes.clone())
    }

    /// A datagram that nobody sent, but that opens.
    pub(crate) fn forge(&self, from: Endpoint, to: Endpoint, bytes: Bytes) -> Datagram {
        let seal = xxh3_64_with_seed(&bytes, self.key);
        Datagram { from, to, bytes, seal }
    }

    /// The link from `from` to `to` behaves like this from now on.
    pub fn set_behaviour(&mut self, from: Endpoint, to: Endpoint, behaviour: Behaviour) {
        if let Some(link) = self.link_mut(from, to) {
            link.behaviour = behaviour;
        }
    }

    /// How the link from `from` to `to` behaves.
    pub fn behaviour(&self, from: Endpoint, to: Endpoint) -> Behaviour {
        self.links.get(from.0 * self.endpoints + to.0).map(|link| link.behaviour).unwrap_or_default()
    }

    /// Nothing gets from `from` to `to` until then.
    pub fn cut(&mut self, from: Endpoint, to: Endpoint, until: Time) {
        if let Some(link) = self.link_mut(from, to) {
            link.cut_until = link.cut_until.max(until);
        }
    }

    /// The link from `from` to `to` is up and down by turns until then.
    pub fn flap(&mut self, from: Endpoint, to: Endpoint, until: Time) {
        if let Some(link) = self.link_mut(from, to) {
            link.flaps_until = link.flaps_until.max(until);
        }
    }

    /// Only datagrams of at most `mtu` bytes get from `from` to `to` until then.
    pub fn black_hole(&mut self, from: Endpoint, to: Endpoint, mtu: usize, until: Time) {
        if let Some(link) = self.link_mut(from, to) {
            link.mtu = mtu;
            link.mtu_until = until;
        }
    }

    /// The link from `from` to `to` loses at least this many in a thousand until then.
    pub fn lose(&mut self, from: Endpoint, to: Endpoint, per_mille: u64, until: Time) {
        if let Some(link) = self.link_mut(from, to) {
            link.loss = per_mille;
            link.loss_until = until;
        }
    }

    /// The link from `from` to `to` is neither cut nor does it flap, lose more than it does anyway or
    /// swallow large datagrams.
    pub fn mend(&mut self, from: Endpoint, to: Endpoint) {
        if let Some(link) = self.link_mut(from, to) {
            link.cut_until = Time(0);
            link.flaps_until = Time(0);
            link.mtu_until = Time(0);
            link.loss_until = Time(0);
        }
    }

    fn link_mut(&mut self, from: Endpoint, to: Endpoint) -> Option<&mut Link> {
        self.links.get_mut(from.0 * self.endpoints + to.0)
    }
}

impl Link {
    fn is_down(&self, now: Time) -> bool {
        now < self.cut_until || (now < self.flaps_until && (now.0 / FLAP.0) % 2 == 1)
    }

    fn arrival(&mut self, now: Time, chance: &mut Chance, counts: &mut Counts) -> Time {
        let Behaviour { delay, jitter, hold, hold_max, .. } = self.behaviour;
        let mut takes = Span(delay.0 + chance.below(jitter.0 + 1));
        if hold > 0 && chance.below(1_000) < hold {
            counts.one(Count::Delayed);
            takes = Span(takes.0 + chance.below(hold_max.0 + 1));
        }
        let at = now + takes;
        if at < self.last_arrival {
            counts.one(Count::Reordered);
        }
        self.last_arrival = self.last_arrival.max(at);
        at
    }

    fn keep(&mut self, datagram: Datagram, chance: &mut Chance) {
        if self.old.len() < OLD_MAX {
            self.old.push(datagram);
        } else {
            let at = pick(chance, OLD_MAX);
            self.old[at] = datagram;
        }
    }
}

/// Flips one to four bits.
fn alter(datagram: Datagram, chance: &mut Chance) -> Datagram {
    let mut bytes = datagram.bytes.to_vec();
    for _ in 0..=chance.below(4) {
        if !bytes.is_empty() {
            let at = pick(chance, bytes.len());
            bytes[at] ^= 1 << chance.below(8);
        }
    }
    Datagram { bytes: bytes.into(), ..datagram }
}

/// An index below `len`, which is not zero.
fn pick(chance: &mut Chance, len: usize) -> usize {
    usize::try_from(chance.below(len as u64)).unwrap_or(0)
}
