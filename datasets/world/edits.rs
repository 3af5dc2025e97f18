//! Pairs of a sentence and an edited one whose meaning is kept or changed, and the set `edits.csv`.

use super::claims::{self, Claim, Direction, Margin};
use super::draw::Draw;
use super::numbers::LIMIT;
use super::sentiment::Form;
use super::words::{FEELINGS, SYNONYMS};
use super::{SEED, Table, World};

/// What an edit does. The first half keeps the meaning.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Period,
    Case,
    Typo,
    Converse,
    Synonym,
    Order,
    Negation,
    Place,
    Role,
    Opposite,
    Number,
    Feeling,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Period,
        Self::Case,
        Self::Typo,
        Self::Converse,
        Self::Synonym,
        Self::Order,
        Self::Negation,
        Self::Place,
        Self::Role,
        Self::Opposite,
        Self::Number,
        Self::Feeling,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Period => "period dropped",
            Self::Case => "lower case",
            Self::Typo => "letters swapped",
            Self::Converse => "converse",
            Self::Synonym => "synonym",
            Self::Order => "other order",
            Self::Negation => "negation",
            Self::Place => "other place",
            Self::Role => "roles swapped",
            Self::Opposite => "opposite relation",
            Self::Number => "other number",
            Self::Feeling => "opposite feeling",
        }
    }

    fn keeps_meaning(self) -> bool {
        matches!(
            self,
            Self::Period | Self::Case | Self::Typo | Self::Converse | Self::Synonym | Self::Order
        )
    }

    /// A sentence and its edit, or `None` where the draw gave nothing to edit.
    fn pair(self, world: &World, draw: &mut Draw) -> Option<(String, String)> {
        match self {
            Self::Period => {
                plain(world, draw).map(|text| (text.clone(), text.trim_end_matches('.').to_owned()))
            }
            Self::Case => plain(world, draw).map(|text| (text.clone(), text.to_lowercase())),
            Self::Typo => {
                plain(world, draw).and_then(|text| Some((text.clone(), swap_letters(draw, &text)?)))
            }
            Self::Converse => turned(world, draw, true, true),
            Self::Role => turned(world, draw, true, false),
            Self::Opposite => turned(world, draw, false, true),
            Self::Synonym => {
                let &(one, other) = draw.pick(SYNONYMS);
                let (from, to) = if draw.percent(50) {
                    (one, other)
                } else {
                    (other, one)
                };
                said(draw, from, to)
            }
            Self::Feeling => {
                let &(good, bad) = draw.pick(FEELINGS);
                let (from, to) = if draw.percent(50) {
                    (good, bad)
                } else {
                    (bad, good)
                };
                said(draw, from, to)
            }
            Self::Order => order(world, draw),
            Self::Negation => {
                let claim = fact(world, draw)?;
                Some((claim.clause.affirm(), claim.clause.negate()))
            }
            Self::Place => {
                let city = draw.below(world.cities.len());
                let home = world.cities[city].country;
                let other = draw.below(world.countries.len());
                (other != home).then(|| {
                    let text = |country| claims::country(world, city, country).clause.affirm();
                    (text(home), text(other))
                })
            }
            Self::Number => {
                let (a, b, c) = (draw.below(LIMIT), draw.below(LIMIT), draw.below(LIMIT));
                // The edit turns a true comparison into a false one.
                (a > b && c > a).then(|| {
                    (
                        claims::comparison(a, true, b).clause.affirm(),
                        claims::comparison(a, true, c).clause.affirm(),
                    )
                })
            }
        }
    }
}

/// A true statement about places.
fn fact(world: &World, draw: &mut Draw) -> Option<Claim> {
    let city = draw.below(world.cities.len());
    match draw.below(3) {
        0 => Some(claims::country(world, city, world.cities[city].country)),
        1 => Some(claims::continent(world, city, world.cities[city].continent)),
        _ => {
            let other = draw.below(world.cities.len());
            claims::direction(
                world,
                *draw.pick(&Direction::ALL),
                (city, other),
                Margin::Judgement,
            )
            .filter(|claim| claim.holds)
        }
    }
}

fn plain(world: &World, draw: &mut Draw) -> Option<String> {
    fact(world, draw).map(|claim| claim.clause.affirm())
}

/// A direction between two cities with the cities exchanged, the direction turned, or both (which says the same again).
fn turned(world: &World, draw: &mut Draw, exchange: bool, turn: bool) -> Option<(String, String)> {
    let (a, b) = (
        draw.below(world.cities.len()),
        draw.below(world.cities.len()),
    );
    let direction = *draw.pick(&Direction::ALL);
    let original = claims::direction(world, direction, (a, b), Margin::Judgement)
        .filter(|claim| claim.holds)?;
    let (first, second) = if exchange { (b, a) } else { (a, b) };
    let said = if turn {
        direction.opposite()
    } else {
        direction
    };
    let edited = claims::direction(world, said, (first, second), Margin::Judgement)?;
    Some((original.clause.affirm(), edited.clause.affirm()))
}

fn said(draw: &mut Draw, from: &str, to: &str) -> Option<(String, String)> {
    let form = *draw.pick(&Form::ALL);
    let text = form.say(draw, from);
    let edited = text.replace(from, to);
    (edited != text).then_some((text, edited))
}

fn order(world: &World, draw: &mut Draw) -> Option<(String, String)> {
    let country = draw.below(world.countries.len());
    if draw.percent(50) {
        let city = world.countries[country].capital?;
        let text = claims::capital(world, city, country).clause.affirm();
        Some((text, capital_first(world, country)?))
    } else {
        let neighbours = &world.countries[country].neighbours;
        let other = *neighbours.get(draw.below(neighbours.len()))?;
        let text = |a, b| claims::border(world, a, b).clause.affirm();
        Some((text(country, other), text(other, country)))
    }
}

/// `The capital of France is Paris.`
pub(crate) fn capital_first(world: &World, country: usize) -> Option<String> {
    let country = &world.countries[country];
    let capital = &world.cities[country.capital?];
    Some(format!(
        "The capital of {} is {}.",
        country.phrase, capital.name
    ))
}

/// The text with two neighbouring letters inside its longest word exchanged.
fn swap_letters(draw: &mut Draw, text: &str) -> Option<String> {
    let word = text
        .split(' ')
        .map(|word| word.trim_end_matches('.'))
        .max_by_key(|word| word.len())
        .filter(|word| word.len() >= 5)?;
    let mut letters: Vec<char> = word.chars().collect();
    let at = draw.between(1, letters.len() - 3);
    letters.swap(at, at + 1);
    let swapped: String = letters.into_iter().collect();
    (swapped != word).then(|| text.replacen(word, &swapped, 1))
}

/// The set: the same number of pairs of every kind, all different.
pub(crate) fn table(world: &World) -> Table {
    let mut table = Table::new(&["original", "edited", "kind", "meaning"]);
    let mut draw = Draw::new(SEED, "edits");
    for kind in Kind::ALL {
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < 60 {
            let Some((original, edited)) = kind.pair(world, &mut draw) else {
                continue;
            };
            if seen.insert((original.clone(), edited.clone())) {
                let meaning = if kind.keeps_meaning() {
                    "kept"
                } else {
                    "changed"
                };
                table.push([original, edited, kind.name().to_owned(), meaning.to_owned()]);
            }
        }
    }
    table
}
