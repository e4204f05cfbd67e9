//! What a snapshot has of many things, a stretch of them at a time: encoded when a snapshot is taken, and kept
//! until something of it changes, so that a snapshot costs what changed since the last one.
//!
//! A stretch is named by where it begins: at a multiple of positions or ids, or at a key whose hash says so; never
//! by counting, so that a change moves no other stretch. What is kept is bounded by a [`Budget`]: what is beyond
//! it is encoded each time.

use super::pieces;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;
use core::ops::Bound;

/// Stretches by where they begin: what each was encoded to, if that is kept and still so.
#[derive(Debug)]
pub struct Stretches<K> {
    encoded: BTreeMap<K, Option<Vec<Bytes>>>,
}

/// How many encoded bytes may still be kept.
#[derive(Debug)]
pub struct Budget(usize);

impl<K> Default for Stretches<K> {
    fn default() -> Stretches<K> {
        Stretches { encoded: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Stretches<K> {
    /// Something of the stretch that begins here has changed, or is new.
    pub fn touch(&mut self, start: K) {
        self.encoded.insert(start, None);
    }

    /// All pieces, in order. `encode` gives the bytes of the stretch from one key up to another one; one
    /// without bytes is no more.
    pub fn pieces(&mut self, budget: &mut Budget, mut encode: impl FnMut(&K, Option<&K>) -> Vec<u8>) -> Vec<Bytes> {
        let starts: Vec<K> = self.encoded.keys().cloned().collect();
        let mut all = Vec::with_capacity(starts.len());
        for (at, start) in starts.iter().enumerate() {
            let kept = self.encoded.get_mut(start).expect("a stretch for each start");
            let pieces = kept.take().unwrap_or_else(|| {
                let bytes = encode(start, starts.get(at + 1));
                if bytes.is_empty() { Vec::new() } else { pieces::cut(bytes) }
            });
            all.extend(pieces.iter().cloned());
            if pieces.is_empty() {
                self.encoded.remove(start);
            } else if budget.takes(&pieces) {
                *kept = Some(pieces);
            }
        }
        all
    }
}

/// Stretches that begin at some of their keys; the first one, which begins before all keys, at none.
impl<K: Ord + Clone> Stretches<Option<K>> {
    /// Something about a key has changed.
    pub fn change(&mut self, key: &K) {
        match self.encoded.range_mut(..=Some(key.clone())).next_back() {
            Some((_, kept)) => *kept = None,
            None => self.touch(None),
        }
    }

    /// A key is new; whether a stretch begins there.
    pub fn begin(&mut self, key: &K, begins: bool) {
        self.change(key);
        if begins {
            self.touch(Some(key.clone()));
        }
    }

    /// A key is gone, and with it the stretch that may have begun there.
    pub fn end(&mut self, key: &K) {
        self.encoded.remove(&Some(key.clone()));
        self.change(key);
    }
}

/// The keys from where one stretch begins up to where another one does.
pub fn between<'a, K>(from: &'a Option<K>, upto: Option<&'a Option<K>>) -> (Bound<&'a K>, Bound<&'a K>) {
    let from = from.as_ref().map_or(Bound::Unbounded, Bound::Included);
    (from, upto.and_then(Option::as_ref).map_or(Bound::Unbounded, Bound::Excluded))
}

impl Budget {
    /// So many bytes.
    pub fn new(bytes: u64) -> Budget {
        Budget(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Whether these may be kept; then they are counted.
    fn takes(&mut self, pieces: &[Bytes]) -> bool {
        let bytes = pieces.iter().map(Bytes::len).sum();
        let rest = self.0.checked_sub(bytes);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Which stretches were encoded anew, with what came of all of them.
    fn snapshot(stretches: &mut Stretches<Option<u64>>, budget: u64, keys: &[u64]) -> (Vec<Option<u64>>, Vec<u8>) {
        let mut encoded = Vec::new();
        let pieces = stretches.pieces(&mut Budget::new(budget), |from, upto| {
            encoded.push(*from);
            let within = |key: &&u64| Some(**key) >= *from && upto.is_none_or(|upto| Some(**key) < *upto);
            keys.iter().filter(within).map(|key| u8::try_from(*key).expect("a small key")).collect()
        });
        (encoded, pieces.concat())
    }

    #[test]
    fn only_what_changed_is_encoded() {
        let mut stretches = Stretches::default();
        let mut keys = vec![1, 5, 10, 12, 20];
        keys.iter().for_each(|key| stretches.begin(key, key % 10 == 0));
        assert_eq!(snapshot(&mut stretches, 100, &keys), (vec![None, Some(10), Some(20)], vec![1, 5, 10, 12, 20]));
        assert_eq!(snapshot(&mut stretches, 100, &keys), (vec![], vec![1, 5, 10, 12, 20]));
        stretches.change(&12);
        stretches.change(&12);
        assert_eq!(snapshot(&mut stretches, 100, &keys).0, [Some(10)]);
        stretches.end(&10);
        keys.remove(2);
        assert_eq!(snapshot(&mut stretches, 100, &keys), (vec![None], vec![1, 5, 12, 20]));
        stretches.end(&20);
        keys.pop();
        assert_eq!(snapshot(&mut stretches, 2, &keys).0, [None], "three bytes are beyond the budget");
        assert_eq!(snapshot(&mut stretches, 3, &keys).0, [None]);
        assert_eq!(snapshot(&mut stretches, 3, &keys), (vec![], vec![1, 5, 12]));
    }
}
