//! Room that many share: who has taken the most gives way, so that nobody can starve the others.
//!
//! It is shared between keys first, then between the channels of one key: who opens many channels with one
//! key takes it from the others with that key.
//!
//! Always: what all have taken together is known, and who has taken most is found without looking at all.

use ftq_core::replica::ClientId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Whose room it is: the name of a key, or nothing for all who have none.
pub(super) type Holder = Arc<str>;

/// What each channel has taken of one bounded room.
#[derive(Debug)]
pub(super) struct Shares {
    bytes_max: usize,
    bytes: usize,
    of_holder: BTreeMap<Holder, usize>,
    of_client: BTreeMap<ClientId, (Holder, usize)>,
    by_size: BTreeSet<(Holder, usize, ClientId)>,
}

impl Shares {
    /// A room of so many bytes.
    pub(super) fn new(bytes_max: usize) -> Shares {
        Shares { bytes_max, bytes: 0, of_holder: BTreeMap::new(), of_client: BTreeMap::new(), by_size: BTreeSet::new() }
    }

    /// A channel has taken so much by now.
    pub(super) fn set(&mut self, holder: &Holder, client: ClientId, bytes: usize) {
        let before = self.of_client.get(&client).map_or(0, |(_, bytes)| *bytes);
        if bytes == before {
            return;
        }
        self.by_size.remove(&(holder.clone(), before, client));
        self.of_client.remove(&client);
        self.bytes = self.bytes - before + bytes;
        let total = self.of_holder.entry(holder.clone()).or_default();
        *total = *total - before + bytes;
        if *total == 0 {
            self.of_holder.remove(holder);
        }
        if bytes > 0 {
            self.by_size.insert((holder.clone(), bytes, client));
            self.of_client.insert(client, (holder.clone(), bytes));
        }
    }

    /// Whether there is room for so much more.
    pub(super) fn has(&self, more: usize) -> bool {
        self.bytes + more <= self.bytes_max
    }

    /// Who is to give way so that this channel gets so much more; none if it would have more than any other then.
    pub(super) fn gives_way(&self, holder: &Holder, client: ClientId, more: usize) -> Option<ClientId> {
        let of = |holder| self.of_holder.get(holder).copied().unwrap_or(0);
        let heaviest = self.of_holder.iter().max_by_key(|(_, bytes)| **bytes).map(|(holder, _)| holder)?;
        if heaviest != holder && of(heaviest) > of(holder) + more {
            return self.largest(heaviest).map(|(_, client)| client);
        }
        let own = self.of_client.get(&client).map_or(0, |(_, bytes)| *bytes);
        let (bytes, largest) = self.largest(holder)?;
        (largest != client && bytes > own + more).then_some(largest)
    }

    /// How much is taken.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn largest(&self, holder: &Holder) -> Option<(usize, ClientId)> {
        let range = (holder.clone(), 0, ClientId(0))..=(holder.clone(), usize::MAX, ClientId(u64::MAX));
        self.by_size.range(range).next_back().map(|(_, bytes, client)| (*bytes, *client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ftq_core::chance::Chance;

    const MAX: usize = 1_000;

    /// Takes room as the port does; whether there was any.
    fn take(shares: &mut Shares, holder: &str, client: u64, bytes: usize) -> bool {
        let (holder, client) = (Holder::from(holder), ClientId(client));
        while !shares.has(bytes) {
            let Some(other) = shares.gives_way(&holder, client, bytes) else { return false };
            let (whose, theirs) = shares.of_client[&other].clone();
            shares.set(&whose, other, theirs.saturating_sub(100));
        }
        let own = shares.of_client.get(&client).map_or(0, |(_, bytes)| *bytes);
        shares.set(&holder, client, own + bytes);
        true
    }

    fn taken(shares: &Shares, client: u64) -> usize {
        shares.of_client.get(&ClientId(client)).map_or(0, |(_, bytes)| *bytes)
    }

    #[test]
    fn one_alone_may_take_all_and_no_more() {
        let mut shares = Shares::new(MAX);
        for _ in 0..10 {
            assert!(take(&mut shares, "app", 1, 100));
        }
        assert!(!take(&mut shares, "app", 1, 1));
    }

    #[test]
    fn who_comes_later_gets_an_equal_share() {
        let mut shares = Shares::new(MAX);
        (0..10).for_each(|_| assert!(take(&mut shares, "app", 1, 100)));
        for _ in 0..5 {
            assert!(take(&mut shares, "app", 2, 100));
        }
        assert_eq!((taken(&shares, 1), taken(&shares, 2)), (500, 500));
        assert!(!take(&mut shares, "app", 2, 100), "but not more");
    }

    #[test]
    fn many_channels_of_one_key_do_not_starve_another_key() {
        let mut shares = Shares::new(MAX);
        (0..1_000).for_each(|client| assert!(take(&mut shares, "flood", client, 1)));
        assert!(take(&mut shares, "app", 5_000, 400));
        assert_eq!((taken(&shares, 5_000), shares.bytes()), (400, MAX));
        assert!(!take(&mut shares, "flood", 999, 400), "who has more than the others gets nothing of theirs");
        assert_eq!(taken(&shares, 5_000), 400);
    }

    #[test]
    fn what_is_taken_is_known_whatever_happens() {
        let mut shares = Shares::new(MAX);
        let mut chance = Chance::new(1);
        for _ in 0..20_000 {
            let client = chance.below(20);
            let holder = ["app", "watch", ""][usize::try_from(client % 3).unwrap()];
            if chance.below(3) == 0 {
                shares.set(&holder.into(), ClientId(client), 0);
            } else {
                take(&mut shares, holder, client, usize::try_from(chance.below(300)).unwrap());
            }
            let sum: usize = shares.of_client.values().map(|(_, bytes)| bytes).sum();
            assert_eq!((shares.bytes(), shares.of_holder.values().sum::<usize>()), (sum, sum));
            assert!(sum <= MAX && shares.by_size.len() == shares.of_client.len());
        }
    }
}
