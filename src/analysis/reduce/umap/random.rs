//! Random numbers of one point in one epoch: a generator for each of millions of such pairs must cost nothing to begin.

/// SplitMix64 (Steele, Lea & Flood 2014) of a seed and two numbers.
pub(super) fn hash(seed: u64, a: u64, b: u64) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |x: u64| {
        let mut z = x.wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    mix(mix(mix(seed) ^ a) ^ b)
}

/// Numbers by their place in a sequence, so that many can be drawn at once.
#[derive(Clone, Copy)]
pub(super) struct Draws(u32);

impl Draws {
    /// Those of a point in an epoch.
    #[inline(always)]
    pub(super) fn new(seed: u64, point: usize, epoch: usize) -> Self {
        Self((hash(seed, point as u64, epoch as u64) >> 32) as u32)
    }

    /// The `i`th, a whole number below `n`.
    #[inline(always)]
    pub(super) fn below(self, i: usize, n: usize) -> usize {
        // 32 bits suffice where numbers are below 2^24 or so, and vectors multiply them. The mixing function is Wellons's `lowbias32`.
        let mut x = self.0.wrapping_add((i as u32).wrapping_mul(0x9e37_79b9));
        x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
        x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
        x ^= x >> 16;
        ((u64::from(x) * n as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_evenly_drawn() {
        let (mut counts, mut pairs) = ([0usize; 10], [[0usize; 10]; 10]);
        for point in 0..500 {
            let draws = Draws::new(3, point, point / 7);
            for i in 0..40 {
                counts[draws.below(i, 10)] += 1;
                pairs[draws.below(i, 10)][draws.below(i + 1, 10)] += 1;
            }
        }
        // 2,000 each; four standard deviations are 170. Of two in a row 200 each; five are 71.
        assert!(counts.iter().all(|c| c.abs_diff(2000) < 170), "{counts:?}");
        let pairs = pairs.as_flattened();
        assert!(pairs.iter().all(|c| c.abs_diff(200) < 71), "{pairs:?}");
    }
}
