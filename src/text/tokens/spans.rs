//! Character spans that are checked against the text before anyone trusts them.
//!
//! The tokenizer library tracks offsets through normalisation, and mostly gets them right; versions of it have returned empty or stale
//! ones (tokenizers issue 1553: whole words of Llama-3-style vocabularies at `(0, 0)`). What cannot be is thrown away here, and found
//! again where the neighbours leave one place for it.

use std::ops::Range;

/// The spans of an encoding after a check against the text: `None` for special tokens and wherever the place is not known.
///
/// A span is kept if it lies in the text, does not begin before an earlier token's, and is not empty while the token has letters.
/// (Normalisation may change what stands in between, so letters that differ are no proof of a wrong span.) A token without letters,
/// such as a space that the tokenizer trims from its span, keeps an empty one behind a token whose place is known.
pub(super) fn checked(
    text: &str,
    tokens: &[String],
    offsets: &[(usize, usize)],
    special: &[bool],
) -> Vec<Option<(u32, u32)>> {
    let text = Characters::new(text);
    // The token before, and whether its place is known.
    let (mut before, mut sure) = (0..0, true);
    let mut spans: Vec<Option<Range<usize>>> = offsets
        .iter()
        .zip(tokens)
        .zip(special)
        .map(|((&(start, end), token), special)| {
            if *special {
                return None;
            }
            let in_order = before.start <= start && start <= end && end <= text.len();
            let credible = match start == end {
                true => sure && before.end <= start && !has_letters(token),
                false => true,
            };
            sure = in_order && credible;
            if sure {
                before = start..end;
            }
            sure.then_some(start..end)
        })
        .collect();
    repair(&text, tokens, special, &mut spans);
    spans
        .into_iter()
        .map(|span| {
            let span = span?;
            Some((
                u32::try_from(span.start).ok()?,
                u32::try_from(span.end).ok()?,
            ))
        })
        .collect()
}

/// Fills every gap of unknown spans whose tokens spell, in order and white space aside, exactly the text between the neighbours.
fn repair(
    text: &Characters,
    tokens: &[String],
    special: &[bool],
    spans: &mut [Option<Range<usize>>],
) {
    let unknown: Vec<usize> = (0..spans.len())
        .filter(|i| special.get(*i) == Some(&false) && spans.get(*i).is_some_and(Option::is_none))
        .collect();
    for gap in unknown.chunk_by(|a, b| (a + 1..*b).all(|i| special.get(i) == Some(&true))) {
        let (Some(&first), Some(&last)) = (gap.first(), gap.last()) else {
            continue;
        };
        let known = |side: &[Option<Range<usize>>], from_end: bool| {
            let mut known = side.iter().flatten();
            let span = if from_end {
                known.next_back()
            } else {
                known.next()
            };
            span.cloned()
        };
        let (before, after) = (spans.get(..first), spans.get(last + 1..));
        let from = before.and_then(|s| known(s, true)).map_or(0, |s| s.end);
        let to = after
            .and_then(|s| known(s, false))
            .map_or(text.len(), |s| s.start);
        let found = [literal, byte_level].into_iter().find_map(|reading| {
            let words: Option<Vec<Vec<u8>>> = gap
                .iter()
                .map(|i| reading(tokens.get(*i)?).map(|w| w.trim_ascii().to_vec()))
                .collect();
            text.spell(from..to, &words?)
        });
        let Some(found) = found else {
            continue;
        };
        for (i, span) in gap.iter().zip(found) {
            if let Some(slot) = spans.get_mut(*i) {
                *slot = Some(span);
            }
        }
    }
}

/// A text that is addressed by character and read by byte.
struct Characters<'a> {
    text: &'a str,
    /// The byte at which each character begins, and the length of the text.
    starts: Vec<usize>,
}

impl<'a> Characters<'a> {
    fn new(text: &'a str) -> Self {
        let ends = std::iter::once(text.len());
        Self {
            text,
            starts: text.char_indices().map(|(at, _)| at).chain(ends).collect(),
        }
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The character that byte `at` is part of.
    fn character(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at) - 1
    }

    /// The spans of `words` if they spell the characters `range` one after another, white space aside and in either case. A word may
    /// begin or end within a character (byte-level pieces); its span then covers the character.
    fn spell(&self, range: Range<usize>, words: &[Vec<u8>]) -> Option<Vec<Range<usize>>> {
        let (mut at, end) = (*self.starts.get(range.start)?, *self.starts.get(range.end)?);
        let skip = |at: usize| match self.text.get(at..end) {
            Some(rest) => at + (rest.len() - rest.trim_start().len()),
            // Within a character: there is no white space to skip.
            None => at,
        };
        let spans = words
            .iter()
            .map(|word| {
                at = skip(at);
                let here = self.text.as_bytes().get(at..at + word.len())?;
                if word.is_empty() || at + word.len() > end || !here.eq_ignore_ascii_case(word) {
                    return None;
                }
                let first = self.character(at);
                at += word.len();
                Some(first..self.character(at - 1) + 1)
            })
            .collect::<Option<Vec<_>>>()?;
        (skip(at) == end).then_some(spans)
    }
}

/// Whether a token stands for more than white space or a marker.
fn has_letters(token: &str) -> bool {
    let letters = |reading: Option<Vec<u8>>| reading.is_none_or(|r| !r.trim_ascii().is_empty());
    letters(literal(token)) && letters(byte_level(token))
}

/// The text that a token of a WordPiece or Metaspace vocabulary stands for, as far as its spelling tells.
fn literal(token: &str) -> Option<Vec<u8>> {
    let token = token.strip_prefix("##").unwrap_or(token);
    Some(token.replace('\u{2581}', " ").into_bytes())
}

/// The bytes that a token of a byte-level vocabulary stands for, if it can be from one.
pub(super) fn byte_level(token: &str) -> Option<Vec<u8>> {
    token.chars().map(byte).collect()
}

/// The byte that a character of a byte-level vocabulary stands for (GPT-2's `bytes_to_unicode`): printable bytes are themselves, the
/// other 68 follow one another from U+0100.
fn byte(c: char) -> Option<u8> {
    let printable = |b: &u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    match u32::from(c) {
        code @ 0..=0xff => u8::try_from(code).ok().filter(printable),
        code @ 0x100..=0x143 => (0..=0xff)
            .filter(|b| !printable(b))
            .nth(usize::try_from(code - 0x100).ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Offsets<'a> = &'a [(usize, usize)];

    fn spans(text: &str, tokens: &[&str], offsets: Offsets) -> Vec<Option<(u32, u32)>> {
        let special: Vec<bool> = tokens.iter().map(|t| t.starts_with('[')).collect();
        let tokens: Vec<String> = tokens.iter().map(|t| (*t).to_owned()).collect();
        checked(text, &tokens, offsets, &special)
    }

    #[test]
    fn spans_that_agree_with_the_text_are_kept() {
        let tokens = ["[CLS]", "naive", "##ly", "\u{2581}", "[SEP]"];
        let kept = spans(
            "naïvely ",
            &tokens,
            &[(0, 0), (0, 5), (5, 7), (8, 8), (0, 0)],
        );
        assert_eq!(kept, [None, Some((0, 5)), Some((5, 7)), Some((8, 8)), None]);
    }

    /// What tokenizers issue 1553 looks like.
    #[test]
    fn an_empty_span_is_found_again_between_its_neighbours() {
        let repaired = spans(
            "The Müller cat",
            &["The", "ĠMÃ¼ller", "Ġcat"],
            &[(0, 3), (0, 0), (10, 14)],
        );
        assert_eq!(repaired, [Some((0, 3)), Some((4, 10)), Some((10, 14))]);
        let all = spans("A b  c", &["[CLS]", "a", "Ġb", "Ġ", "Ġc"], &[(0, 0); 5]);
        // Which of the two spaces the lone `Ġ` is, nothing says.
        assert_eq!(all, [None; 5]);
        let run = spans("A bc", &["a", "Ġb", "c"], &[(0, 0); 3]);
        assert_eq!(run, [Some((0, 1)), Some((2, 3)), Some((3, 4))]);
    }

    #[test]
    fn a_span_that_the_neighbours_do_not_determine_is_unknown() {
        let tokens = ["The", "Ġdog", "Ġcat"];
        let offsets = [(0, 3), (0, 0), (7, 11)];
        assert_eq!(spans("The cow cat", &tokens, &offsets)[1], None);
        assert_eq!(
            spans("The dogs cat", &tokens, &[(0, 3), (0, 0), (8, 12)])[1],
            None
        );
    }

    #[test]
    fn a_span_outside_the_text_or_out_of_order_is_not_believed() {
        assert_eq!(
            spans("ab", &["ab", "x"], &[(0, 2), (2, 3)]),
            [Some((0, 2)), None]
        );
        assert_eq!(spans("ab", &["xy"], &[(2, 1)]), [None]);
        assert_eq!(
            spans("a bc d", &["a", "bc", "q"], &[(0, 1), (2, 4), (0, 1)]),
            [Some((0, 1)), Some((2, 4)), None]
        );
    }

    #[test]
    fn pieces_of_one_character_have_its_span() {
        let repaired = spans("x😀", &["x", "ðŁ", "ĺĢ"], &[(0, 1), (0, 0), (0, 0)]);
        assert_eq!(repaired, [Some((0, 1)), Some((1, 2)), Some((1, 2))]);
    }

    #[test]
    fn the_byte_alphabet_is_a_bijection() {
        let marks = (0u32..0x144).filter_map(char::from_u32);
        let mut bytes: Vec<u8> = marks.filter_map(byte).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
        assert_eq!(byte('Ġ'), Some(b' '));
        assert_eq!(byte('Ċ'), Some(b'\n'));
    }
}
