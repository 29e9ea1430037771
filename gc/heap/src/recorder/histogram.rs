//! How long pauses were: counts in buckets whose borders are fixed.
//!
//! Eight buckets for each power of two, so a quantile is at most an eighth above the truth, whatever was
//! counted, in 4 KiB and without sorting.

/// Bits of a number that its bucket keeps below the highest one.
const FINE: u32 = 3;
const BUCKETS: usize = ((64 - FINE) << FINE) as usize + (1 << FINE);

/// Counts of nanoseconds.
pub(crate) struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    total: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            counts: Box::new([0; BUCKETS]),
            total: 0,
            max: 0,
        }
    }
}

/// The bucket of `n`: small numbers have one each.
fn bucket(n: u64) -> usize {
    let high = 63 - (n | 1).leading_zeros();
    if high < FINE {
        return n as usize;
    }
    let shift = high - FINE;
    (((shift + 1) << FINE) as u64 + ((n >> shift) & ((1 << FINE) - 1))) as usize
}

/// The largest number in a bucket.
fn top(bucket: usize) -> u64 {
    let (row, fine) = ((bucket >> FINE) as u32, (bucket & ((1 << FINE) - 1)) as u64);
    match row.checked_sub(1) {
        None => fine,
        // One less than where the next bucket begins, which may be past the last number.
        Some(shift) => ((((1u128 << FINE) + u128::from(fine) + 1) << shift) - 1) as u64,
    }
}

impl Histogram {
    /// Counts `n`.
    pub(crate) fn add(&mut self, n: u64) {
        self.counts[bucket(n)] += 1;
        self.total += 1;
        self.max = self.max.max(n);
    }

    /// A number that at least `percent` of what was counted does not pass; 0 if there is nothing.
    pub(crate) fn quantile(&self, percent: u64) -> u64 {
        let wanted = (self.total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (i, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return top(i).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(top(BUCKETS - 1), u64::MAX);
        for i in 0..BUCKETS - 1 {
            assert_eq!(bucket(top(i)), i);
            assert_eq!(bucket(top(i) + 1), i + 1);
        }
    }

    #[test]
    fn quantiles_are_an_eighth_above_at_most() {
        let mut h = Histogram::default();
        assert_eq!((h.quantile(50), h.quantile(99)), (0, 0));
        (1..=1000).for_each(|n| h.add(n * 1000));
        for (percent, truth) in [(50, 500_000), (99, 990_000), (100, 1_000_000)] {
            let told = h.quantile(percent);
            assert!(
                told >= truth && told <= truth + truth / 8,
                "{percent} {told}"
            );
        }
    }

    #[test]
    fn one_pause_is_its_own_median() {
        let mut h = Histogram::default();
        h.add(1_234_567);
        assert_eq!((h.quantile(50), h.quantile(99)), (1_234_567, 1_234_567));
    }
}
