//! A sliding window over the numbers of packets, so that each is taken once, in whatever order they come.
//!
//! What is so late that nobody can tell whether it was here before counts as a copy.

/// Which of the last packets have come: bit `n % (64 * WORDS)` for packet n.
#[derive(Clone, Debug)]
pub struct ReplayWindow<const WORDS: usize> {
    newest: u64,
    seen: [u64; WORDS],
}

impl<const WORDS: usize> Default for ReplayWindow<WORDS> {
    fn default() -> Self {
        ReplayWindow { newest: 0, seen: [0; WORDS] }
    }
}

impl<const WORDS: usize> ReplayWindow<WORDS> {
    const BITS: u64 = WORDS as u64 * 64;

    /// Whether `number` is new; from now on it is not.
    pub fn take(&mut self, number: u64) -> bool {
        if number > self.newest {
            self.slide(number);
        } else if self.newest - number >= Self::BITS {
            return false;
        }
        let (word, bit) = Self::place(number);
        let fresh = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        fresh
    }

    /// Forgets what leaves the window, so that its bits can stand for the numbers that enter.
    fn slide(&mut self, newest: u64) {
        if newest - self.newest >= Self::BITS {
            self.seen.fill(0);
        } else {
            for number in self.newest + 1..=newest {
                let (word, bit) = Self::place(number);
                self.seen[word] &= !bit;
            }
        }
        self.newest = newest;
    }

    fn place(number: u64) -> (usize, u64) {
        let at = number % Self::BITS;
        ((at / 64) as usize, 1 << (at % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW_BITS: u64 = 1_024;
    type Window = ReplayWindow<16>;

    #[test]
    fn each_number_passes_once_in_any_order() {
        let mut window = Window::default();
        assert!(window.take(5) && window.take(3) && window.take(4) && window.take(6));
        assert!(!window.take(5) && !window.take(3) && !window.take(6));
        assert!(window.take(6 + WINDOW_BITS - 1));
        assert!(!window.take(6) && window.take(7));
        assert!(!window.take(4));
        assert!(window.take(u64::MAX) && !window.take(u64::MAX) && !window.take(1));
    }

    #[test]
    fn a_jump_within_the_window_forgets_only_what_leaves() {
        let mut window = Window::default();
        for n in 1..=1_000 {
            assert!(window.take(n));
        }
        assert!(window.take(WINDOW_BITS + 500));
        assert!(!window.take(500), "left the window");
        assert!(!window.take(501) && !window.take(1_000), "still known");
        assert!(window.take(1_001));
    }
}
