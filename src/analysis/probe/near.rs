//! Texts that are nearly equal, found without comparing all pairs.

use super::surface::words;
use std::collections::{BTreeSet, HashMap};

/// Texts with at least this Jaccard similarity of their shingles count as nearly equal.
pub(super) const NEAR: f64 = 0.8;
/// Characters of a shingle.
const SHINGLE: usize = 5;
/// Texts that share all hashes of a band are compared: at a similarity of 0.8 one pair in a thousand million is missed.
const BANDS: usize = 32;
const HASHES_OF_BAND: usize = 4;
/// Texts of one bucket that a text is compared with at most.
const MOST_COMPARED: usize = 64;

/// A text as it is compared: its words in lower case, one space between.
pub(super) fn normalized(text: &str) -> String {
    words(text).join(" ")
}

/// For each of the texts `of`, the first of the texts `among` that is nearly equal to it, both as [`normalized`] makes them. Equal ones are
/// no business of this function.
pub(super) fn near_duplicates(of: &[&str], among: &[&str]) -> Vec<Option<usize>> {
    let (of_shingles, among_shingles) = (shingles(of), shingles(among));
    let mut buckets: HashMap<(usize, u64), Vec<usize>> = HashMap::new();
    for (text, shingles) in among_shingles.iter().enumerate() {
        for band in bands(shingles) {
            let bucket = buckets.entry(band).or_default();
            if bucket.len() < MOST_COMPARED {
                bucket.push(text);
            }
        }
    }
    let find = |(text, shingles): (usize, &BTreeSet<u64>)| {
        let near = bands(shingles)
            .into_iter()
            .filter_map(|band| buckets.get(&band));
        let candidates: BTreeSet<usize> = near.flatten().copied().collect();
        candidates.into_iter().find(|other| {
            of[text] != among[*other] && jaccard(shingles, &among_shingles[*other]) >= NEAR
        })
    };
    of_shingles.iter().enumerate().map(find).collect()
}

fn shingles(texts: &[&str]) -> Vec<BTreeSet<u64>> {
    let of = |text: &&str| {
        let chars: Vec<char> = text.chars().collect();
        match chars.len() {
            0 => BTreeSet::new(),
            n if n < SHINGLE => BTreeSet::from([hash(&chars)]),
            _ => chars.windows(SHINGLE).map(hash).collect(),
        }
    };
    texts.iter().map(of).collect()
}

/// FNV-1a over code points, then the finaliser of SplitMix64.
fn hash(chars: &[char]) -> u64 {
    mix(chars.iter().fold(0xcbf2_9ce4_8422_2325, |h: u64, c| {
        (h ^ u64::from(u32::from(*c))).wrapping_mul(0x0100_0000_01b3)
    }))
}

fn mix(mut h: u64) -> u64 {
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

/// The bands of a MinHash signature (Broder 1997).
fn bands(shingles: &BTreeSet<u64>) -> Vec<(usize, u64)> {
    if shingles.is_empty() {
        return Vec::new();
    }
    let least = |function: usize| {
        let salt = mix(function as u64 + 1);
        shingles.iter().map(|s| mix(s ^ salt)).min().unwrap_or(0)
    };
    let band = |band: usize| {
        let hashes = (0..HASHES_OF_BAND).map(|h| least(band * HASHES_OF_BAND + h));
        (
            band,
            hashes.fold(0, |all: u64, h| mix(all.rotate_left(1) ^ h)),
        )
    };
    (0..BANDS).map(band).collect()
}

fn jaccard(a: &BTreeSet<u64>, b: &BTreeSet<u64>) -> f64 {
    let both = a.intersection(b).count() as f64;
    both / (a.len() as f64 + b.len() as f64 - both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_edits_are_found_and_other_texts_are_not() {
        let long = "the quick brown fox jumps over the lazy dog near the river bank today";
        let among = [
            long,
            "an entirely different sentence about the sea and its ships",
            "cat",
        ];
        let edited = long.replace("today", "todays");
        let of = [
            edited.as_str(),
            "a third sentence that nobody has written before",
            long,
            "cat",
            "",
        ];
        let found = near_duplicates(&of, &among);
        assert_eq!(found, [Some(0), None, None, None, None]);
        assert_eq!(normalized("  The CAT,\tsat!"), "the cat sat");
    }

    #[test]
    fn the_threshold_is_the_jaccard_similarity_of_shingles() {
        let text: String = (0..400)
            .map(|i| char::from(b'a' + (i * i % 23) as u8))
            .collect();
        for cut in [380, 330, 200] {
            let part = &text[..cut];
            let (a, b) = (&shingles(&[part])[0], &shingles(&[&text])[0]);
            let expected = jaccard(a, b) >= NEAR;
            assert_eq!(
                near_duplicates(&[part], &[&text])[0].is_some(),
                expected,
                "{cut}"
            );
        }
    }
}
