//! Which characters and tokens of an edited text are which of the original's.

use super::tokens::Tokens;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::BTreeMap;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// A stretch of both texts, in characters (Unicode scalar values, as the spans of tokens count).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it lies in the original; empty where something was put in.
    pub before: Range<usize>,
    /// Where it lies in the edited text; empty where something was taken out.
    pub after: Range<usize>,
    /// Whether the characters are the same.
    pub equal: bool,
}

/// Both texts as stretches that are equal and stretches that were changed, in turn.
///
/// Words are compared first (Myers 1986, on the word boundaries of UAX #29), so that letters which two different words happen to share do
/// not count as kept; where one word became another spelling of it, the two are compared letter by letter.
pub fn pieces(before: &str, after: &str) -> Vec<Piece> {
    let old: Vec<&str> = before.split_word_bounds().collect();
    let new: Vec<&str> = after.split_word_bounds().collect();
    let (from, to) = (places(&old), places(&new));
    let mut found = Pieces::default();
    for (range, into, equal) in hunks(&capture_diff_slices(Algorithm::Myers, &old, &new)) {
        let before = from[range.start]..from[range.end];
        let after = to[into.start]..to[into.end];
        match (equal, range.len(), into.len()) {
            (false, 1, 1) if alike(old[range.start], new[into.start]) => {
                letters(old[range.start], new[into.start], before, after, &mut found);
            }
            _ => found.push(before, after, equal),
        }
    }
    found.0
}

/// Where each segment begins, in characters, and where the last one ends.
fn places(segments: &[&str]) -> Vec<usize> {
    let mut places = vec![0];
    let mut end = 0;
    for segment in segments {
        end += segment.chars().count();
        places.push(end);
    }
    places
}

/// Operations as equal and changed stretches, a deletion and an insertion at one place as one change.
fn hunks(operations: &[DiffOp]) -> Vec<(Range<usize>, Range<usize>, bool)> {
    let mut hunks: Vec<(Range<usize>, Range<usize>, bool)> = Vec::new();
    // Lengths are counted, because after the library has moved an operation its place can be stale.
    let (mut i, mut j) = (0, 0);
    for operation in operations {
        let equal = matches!(operation, DiffOp::Equal { .. });
        let old = i..i + operation.old_range().len();
        let new = j..j + operation.new_range().len();
        (i, j) = (old.end, new.end);
        match hunks.last_mut() {
            Some(last) if last.2 == equal => {
                last.0.end = old.end;
                last.1.end = new.end;
            }
            _ => hunks.push((old, new, equal)),
        }
    }
    hunks
}

/// Whether one word is a spelling of the other rather than another word: more than half of the longer one's letters are kept.
fn alike(old: &str, new: &str) -> bool {
    let old: Vec<char> = old.chars().collect();
    let new: Vec<char> = new.chars().collect();
    let operations = capture_diff_slices(Algorithm::Myers, &old, &new);
    let kept = operations
        .iter()
        .filter(|o| matches!(o, DiffOp::Equal { .. }));
    let kept: usize = kept.map(|o| o.old_range().len()).sum();
    2 * kept > old.len().max(new.len())
}

/// One word against another, letter by letter.
fn letters(old: &str, new: &str, before: Range<usize>, after: Range<usize>, found: &mut Pieces) {
    let old: Vec<char> = old.chars().collect();
    let new: Vec<char> = new.chars().collect();
    for (range, into, equal) in hunks(&capture_diff_slices(Algorithm::Myers, &old, &new)) {
        found.push(
            before.start + range.start..before.start + range.end,
            after.start + into.start..after.start + into.end,
            equal,
        );
    }
}

#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    /// Adds a stretch, joined with the one before where both are of one kind.
    fn push(&mut self, before: Range<usize>, after: Range<usize>, equal: bool) {
        if before.is_empty() && after.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some(last) if last.equal == equal => {
                last.before.end = before.end;
                last.after.end = after.end;
            }
            _ => self.0.push(Piece {
                before,
                after,
                equal,
            }),
        }
    }
}

/// Tokens of the original and the tokens of the edited text that stand for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Tokens of the original; empty where tokens were put in.
    pub before: Range<usize>,
    /// Tokens of the edited text; empty where tokens were taken out.
    pub after: Range<usize>,
    /// One token that is the same on both sides: same characters, same id.
    pub same: bool,
    /// A token that the tokenizer adds.
    pub special: bool,
}

/// Matches the tokens of both texts through the edit. Every token is in exactly one link; links stand in the order of both texts.
///
/// A token is matched with the one that covers the same characters; what lies between two matches is one changed group on either side.
/// Special tokens are matched from both ends.
pub fn links(before: &Tokens, after: &Tokens, pieces: &[Piece]) -> Vec<Link> {
    let matches = matches(before, after, pieces);
    let mut links = Vec::with_capacity(matches.len() + 2);
    let (mut i, mut j) = (0, 0);
    let ends = std::iter::once((before.len(), after.len()));
    for (a, b) in matches.into_iter().chain(ends) {
        if a > i || b > j {
            links.push(Link {
                before: i..a,
                after: j..b,
                same: false,
                special: false,
            });
        }
        if a < before.len() {
            links.push(Link {
                before: a..a + 1,
                after: b..b + 1,
                same: before.ids[a] == after.ids[b],
                special: before.special[a],
            });
        }
        (i, j) = (a + 1, b + 1);
    }
    links
}

/// Pairs of tokens that are each other's, ascending on both sides.
fn matches(before: &Tokens, after: &Tokens, pieces: &[Piece]) -> Vec<(usize, usize)> {
    let twin =
        |a: usize, b: usize| before.special[a] && after.special[b] && before.ids[a] == after.ids[b];
    let shorter = before.len().min(after.len());
    let front = (0..shorter).take_while(|i| twin(*i, *i)).count();
    let back = (1..=shorter - front)
        .take_while(|i| twin(before.len() - i, after.len() - i))
        .count();
    let (inner, into) = (front..before.len() - back, front..after.len() - back);
    let mut of_span: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for j in into {
        if let Some((start, end)) = after.spans[j].filter(|_| !after.special[j]) {
            of_span
                .entry((start as usize, end as usize))
                .or_default()
                .push(j);
        }
    }
    let mut found: Vec<(usize, usize)> = (0..front).map(|i| (i, i)).collect();
    let mut next = front;
    for i in inner {
        let Some((start, end)) = before.spans[i].filter(|(s, e)| s < e && !before.special[i])
        else {
            continue;
        };
        let (start, end) = (start as usize, end as usize);
        let at = pieces.partition_point(|p| p.before.end <= start);
        let Some(piece) = pieces.get(at).filter(|p| p.equal && p.before.end >= end) else {
            continue;
        };
        let moved = |place: usize| place - piece.before.start + piece.after.start;
        let there = of_span.get(&(moved(start), moved(end)));
        // Several tokens can be pieces of one character: they are matched in their order.
        if let Some(j) = there.into_iter().flatten().find(|j| **j >= next) {
            found.push((i, *j));
            next = j + 1;
        }
    }
    let back = (1..=back)
        .rev()
        .map(|i| (before.len() - i, after.len() - i));
    found.extend(back);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(words: &[(&str, u32, u32)]) -> Tokens {
        let mut tokens = Tokens::default();
        let mut push = |name: &str, span, special| {
            tokens.ids.push(name.bytes().map(u32::from).sum());
            tokens.tokens.push(name.to_owned());
            tokens.spans.push(span);
            tokens.special.push(special);
        };
        push("[CLS]", None, true);
        for (word, start, end) in words {
            push(word, Some((*start, *end)), false);
        }
        push("[SEP]", None, true);
        tokens
    }

    fn shown(before: &Tokens, after: &Tokens, pieces: &[Piece]) -> Vec<String> {
        links(before, after, pieces)
            .iter()
            .map(|l| {
                let sign = if l.same { "=" } else { ">" };
                let (a, b) = (
                    &before.tokens[l.before.clone()],
                    &after.tokens[l.after.clone()],
                );
                format!("{}{sign}{}", a.join(" "), b.join(" "))
            })
            .collect()
    }

    #[test]
    fn unchanged_words_meet_themselves_when_the_count_of_tokens_changes() {
        let pieces = pieces("a happy film", "a hapy film");
        let before = tokens(&[("a", 0, 1), ("happy", 2, 7), ("film", 8, 12)]);
        let after = tokens(&[("a", 0, 1), ("ha", 2, 4), ("##py", 4, 6), ("film", 7, 11)]);
        assert_eq!(
            shown(&before, &after, &pieces),
            [
                "[CLS]=[CLS]",
                "a=a",
                "happy>ha ##py",
                "film=film",
                "[SEP]=[SEP]"
            ]
        );
    }

    #[test]
    fn what_was_put_in_has_no_counterpart() {
        let pieces = pieces("плохой фильм", "очень плохой фильм");
        let before = tokens(&[("плохой", 0, 6), ("фильм", 7, 12)]);
        let after = tokens(&[("очень", 0, 5), ("плохой", 6, 12), ("фильм", 13, 18)]);
        assert_eq!(
            shown(&before, &after, &pieces),
            [
                "[CLS]=[CLS]",
                ">очень",
                "плохой=плохой",
                "фильм=фильм",
                "[SEP]=[SEP]"
            ]
        );
    }

    #[test]
    fn different_words_are_not_kept_by_the_letters_that_they_share() {
        let found = pieces("the bad old film", "the rather good film");
        let equal: Vec<Range<usize>> = found
            .iter()
            .filter(|p| p.equal)
            .map(|p| p.before.clone())
            .collect();
        // Of what lies between, the space alone.
        assert_eq!(equal, [0..4, 7..8, 11..16]);
        assert_eq!(pieces("same", "same").len(), 1);
        assert!(pieces("", "").is_empty());
    }

    proptest! {
        #[test]
        fn pieces_cover_both_texts_in_order(a in "[ab c日]{0,24}", b in "[ab c日]{0,24}") {
            let (old, new): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            let (mut i, mut j) = (0, 0);
            for piece in pieces(&a, &b) {
                prop_assert_eq!((piece.before.start, piece.after.start), (i, j));
                if piece.equal {
                    prop_assert_eq!(&old[piece.before.clone()], &new[piece.after.clone()]);
                }
                (i, j) = (piece.before.end, piece.after.end);
            }
            prop_assert_eq!((i, j), (old.len(), new.len()));
        }
    }
}
