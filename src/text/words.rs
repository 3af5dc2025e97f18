//! Which tokens a word, or a span of characters, is made of.

use serde::{Deserialize, Serialize};

/// Where something begins and ends (exclusive) in a text, in characters, as the spans of tokens count.
pub type Place = (u32, u32);

/// How the tokens of a word or span become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subwords {
    /// The first token's.
    #[default]
    First,
    /// The last token's: in a decoder, the first that has read the whole word.
    Last,
    /// The mean of all.
    Mean,
}

/// The tokens of each place, ascending. A token counts for the place that it shares most characters with (the first of equals), so that
/// words which divide a token do not both take it; a place that no token counts for has those that touch it. What lies behind the last
/// token (a text that was cut) has none.
pub fn tokens_of(places: &[Place], spans: &[Option<Place>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|i| places[*i].0);
    // The farthest end among the first places: behind it nothing needs to be looked at.
    let mut reach = 0;
    let reaches: Vec<u32> = order
        .iter()
        .map(|i| {
            reach = reach.max(places[*i].1);
            reach
        })
        .collect();
    let touched = |span: Place| {
        let after = order.partition_point(|i| places[*i].0 < span.1);
        let reached = (0..after).rev().take_while(|at| reaches[*at] > span.0);
        let reached: Vec<usize> = reached.map(|at| order[at]).collect();
        let shares = |i: &usize| shared(places[*i], span) > 0;
        reached.into_iter().filter(shares).collect::<Vec<usize>>()
    };
    let mut own = vec![Vec::new(); places.len()];
    let mut touching = vec![Vec::new(); places.len()];
    for (token, span) in spans.iter().enumerate() {
        let Some(span) = *span else { continue };
        let found = touched(span);
        found.iter().for_each(|i| touching[*i].push(token));
        let nearest = |i: &&usize| (shared(places[**i], span), std::cmp::Reverse(**i));
        if let Some(best) = found.iter().max_by_key(nearest) {
            own[*best].push(token);
        }
    }
    let either = own.into_iter().zip(touching);
    either
        .map(|(own, touching)| if own.is_empty() { touching } else { own })
        .collect()
}

/// How many characters two places have in common.
fn shared(a: Place, b: Place) -> u32 {
    a.1.min(b.1).saturating_sub(a.0.max(b.0))
}

/// The places of words that follow each other in a text with nothing but white space between, and white space between them in `words`:
/// joined without spaces they are the text without spaces. `Err` names the word that the text does not go on with.
pub fn places_in_line(text: &str, words: &str) -> Result<Vec<Place>, String> {
    let letters: Vec<(u32, char)> = (0..).zip(text.chars()).collect();
    let mut rest = letters.iter().filter(|(_, c)| !c.is_whitespace());
    let mut places = Vec::new();
    for word in words.split_whitespace() {
        let mut place: Option<Place> = None;
        for letter in word.chars() {
            match rest.next() {
                Some((at, found)) if *found == letter => {
                    place = Some((place.map_or(*at, |p| p.0), at + 1));
                }
                _ => {
                    return Err(format!(
                        "the word `{word}` is not what the text goes on with"
                    ));
                }
            }
        }
        places.extend(place);
    }
    match rest.next() {
        None => Ok(places),
        Some((_, letter)) => Err(format!(
            "the words end where the text goes on with `{letter}`"
        )),
    }
}

/// Where `part` stands in a text, as a word or words of its own: not inside a longer word.
pub fn occurrences(text: &str, part: &str) -> Vec<Place> {
    let wordlike = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let (first, last) = (part.chars().next(), part.chars().next_back());
    let alone = |at: usize| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let behind = text.get(at + part.len()..).and_then(|t| t.chars().next());
        !(wordlike(before) && wordlike(first) || wordlike(behind) && wordlike(last))
    };
    let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let found = text
        .match_indices(part)
        .filter(|(at, _)| !part.is_empty() && alone(*at));
    found
        .map(|(at, _)| {
            let start = count(text.get(..at).unwrap_or_default());
            (start, start + count(part))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans(places: &[Place]) -> Vec<Option<Place>> {
        places.iter().copied().map(Some).collect()
    }

    #[test]
    fn words_that_divide_a_token_do_not_both_take_it() {
        // don't = do + n't, cut by BERT into don ' t; [CLS] stands for no text.
        let tokens = [None, Some((0, 3)), Some((3, 4)), Some((4, 5)), None];
        assert_eq!(tokens_of(&[(0, 2), (2, 5)], &tokens), [vec![1], vec![2, 3]]);
        // Two words of one token: both have it.
        assert_eq!(tokens_of(&[(0, 2), (2, 3)], &tokens), [vec![1], vec![1]]);
        // A contraction whose words have no letters of their own.
        assert_eq!(
            tokens_of(&[(0, 5), (0, 5)], &tokens),
            [vec![1, 2, 3], vec![1, 2, 3]]
        );
    }

    #[test]
    fn a_space_before_a_token_does_not_move_it() {
        // "a bc": SentencePiece counts the space to the token behind it.
        assert_eq!(
            tokens_of(&[(0, 1), (2, 4)], &spans(&[(0, 1), (1, 4)])),
            [vec![0], vec![1]]
        );
    }

    #[test]
    fn what_was_cut_off_has_no_tokens() {
        assert_eq!(
            tokens_of(&[(0, 3), (4, 9)], &spans(&[(0, 3)])),
            [vec![0], vec![]]
        );
        assert_eq!(tokens_of(&[], &spans(&[(0, 3)])), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn words_in_line_have_their_places() {
        assert_eq!(
            places_in_line("Ça va!", "Ça va !"),
            Ok(vec![(0, 2), (3, 5), (5, 6)])
        );
        let problem = places_in_line("the cat", "the dog").unwrap_err();
        assert!(problem.contains("`dog`"), "{problem}");
        assert!(
            places_in_line("the cat", "the")
                .unwrap_err()
                .contains("`c`")
        );
        assert!(
            places_in_line("the", "the cat")
                .unwrap_err()
                .contains("`cat`")
        );
    }

    #[test]
    fn an_entity_is_found_as_a_word_of_its_own() {
        assert_eq!(
            occurrences("é Niger, Nigeria and Niger's", "Niger"),
            [(2, 7), (21, 26)]
        );
        assert_eq!(occurrences("Nigeria", "Niger"), []);
        assert_eq!(occurrences("New York!", "New York"), [(0, 8)]);
        assert_eq!(occurrences("a", ""), []);
    }

    proptest! {
        #[test]
        fn every_token_counts_once_where_words_do_not_overlap(
            lengths in prop::collection::vec(1u32..6, 1..12), cuts in prop::collection::vec(1u32..4, 1..30), shuffle in any::<u64>()
        ) {
            let mut end = 0;
            let mut words: Vec<Place> = lengths.iter().map(|n| { end += n; (end - n, end) }).collect();
            let total = end;
            end = 0;
            let tokens: Vec<Option<Place>> = cuts.iter().map(|n| { end += n; Some((end - n, end)) }).collect();
            let turn = (shuffle as usize) % words.len();
            words.rotate_left(turn);
            let found = tokens_of(&words, &tokens);
            for (token, span) in tokens.iter().enumerate() {
                let (start, end) = span.unwrap();
                let best = words.iter().map(|w| shared(*w, (start, end))).max().unwrap();
                let owners: Vec<usize> = (0..words.len()).filter(|w| found[*w].contains(&token)).collect();
                prop_assert_eq!(owners.is_empty(), start >= total);
                // An owner with less than the most is a word that no token counts for.
                for w in owners {
                    let other = |t: &usize| {
                        let t = tokens[*t].unwrap();
                        words.iter().any(|o| *o != words[w] && shared(*o, t) >= shared(words[w], t))
                    };
                    let most = shared(words[w], (start, end)) == best;
                    prop_assert!(most || found[w].iter().all(other));
                }
            }
        }
    }
}
