//! How often something took how long, or was how much: counts in classes with fixed upper bounds.

/// Upper bounds of times, in microseconds: from what memory takes to what nobody waits for.
pub(crate) const TIMES: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// Upper bounds of numbers of requests in a batch.
pub(crate) const SIZES: &[u64] = &[0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096];

/// Counts in classes.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    pub(crate) bounds: &'static [u64],
    /// One more than there are bounds: the last one has none.
    pub(crate) classes: Vec<u64>,
    pub(crate) sum: u64,
}

impl Histogram {
    /// Nothing was seen yet.
    pub(crate) fn new(bounds: &'static [u64]) -> Histogram {
        Histogram { bounds, classes: vec![0; bounds.len() + 1], sum: 0 }
    }

    /// This was seen once.
    pub(crate) fn see(&mut self, value: u64) {
        let class = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len());
        self.classes[class] += 1;
        self.sum = self.sum.saturating_add(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_in_the_first_class_that_holds_it() {
        let mut histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11, 1_000] {
            histogram.see(value);
        }
        assert_eq!((histogram.classes, histogram.sum), (vec![2, 2, 2], 1_024));
    }
}
