//! Numbers from 0 to 99: sums and comparisons, and the set `number.csv`.

use super::draw::{Draw, pair_bucket};
use super::{SEED, Split, Table};

/// Numbers stop below this.
pub(crate) const LIMIT: usize = 100;
/// Terms of a sum stop below this, so that the sum is below [`LIMIT`].
pub(crate) const TERMS: usize = 50;

/// Whether the corpus may compare or add the two numbers.
pub(crate) fn split(a: usize, b: usize) -> Split {
    if pair_bucket(&a.to_string(), &b.to_string(), 10) < 3 {
        Split::Test
    } else {
        Split::Train
    }
}

/// Two different numbers below `limit` of one side.
pub(crate) fn pair(draw: &mut Draw, limit: usize, side: Split) -> (usize, usize) {
    loop {
        let (a, b) = (draw.below(limit), draw.below(limit));
        if a != b && split(a, b) == side {
            return (a, b);
        }
    }
}

/// `7 plus 5 is`
pub(crate) fn sum(a: usize, b: usize) -> String {
    format!("{a} plus {b} is")
}

/// `7 compared with 5 is`
pub(crate) fn compared(a: usize, b: usize) -> String {
    format!("{a} compared with {b} is")
}

/// `even` or `odd`
pub(crate) fn parity(n: usize) -> &'static str {
    if n.is_multiple_of(2) { "even" } else { "odd" }
}

fn magnitude(n: usize) -> &'static str {
    match n {
        0..33 => "small",
        33..66 => "medium",
        _ => "large",
    }
}

/// The set: each pair in both orders and in both templates, so that no single number decides the comparison.
pub(crate) fn table() -> Table {
    let mut table = Table::new(&[
        "text",
        "template",
        "first",
        "second",
        "sum",
        "parity",
        "magnitude",
        "comparison",
        "pair",
        "split",
    ]);
    let mut draw = Draw::new(SEED, "number");
    for (side, pairs) in [(Split::Train, 280), (Split::Test, 120)] {
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < pairs {
            let (a, b) = pair(&mut draw, TERMS, side);
            if !seen.insert((a.min(b), a.max(b))) {
                continue;
            }
            for (first, second) in [(a, b), (b, a)] {
                for (template, text) in [
                    ("sum", sum(first, second)),
                    ("compared", compared(first, second)),
                ] {
                    table.push([
                        text,
                        template.to_owned(),
                        first.to_string(),
                        second.to_string(),
                        (first + second).to_string(),
                        parity(first + second).to_owned(),
                        magnitude(first + second).to_owned(),
                        if first > second { "greater" } else { "less" }.to_owned(),
                        format!("{} and {}", a.min(b), a.max(b)),
                        side.name().to_owned(),
                    ]);
                }
            }
        }
    }
    table
}
