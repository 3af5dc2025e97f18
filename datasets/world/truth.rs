//! The set `truth.csv`: statements that are true or false, balanced so that no word tells which.

use super::claims::{self, Claim, Direction, Margin};
use super::draw::Draw;
use super::numbers::{self, LIMIT};
use super::{SEED, Split, Table, World};
use std::collections::BTreeSet;

/// A claim that holds and one that does not, about the same entity.
pub(super) type Pair = [Claim; 2];

/// The most pairs of one topic, both sides together.
const MOST: usize = 300;

/// The set. On each side, and there in each polarity, every topic names every subject and every object as often truly as falsely.
pub(crate) fn table(world: &World) -> Table {
    let mut table = Table::new(&["text", "label", "polarity", "topic", "entity", "split"]);
    let mut draw = Draw::new(SEED, "truth");
    for split in Split::BOTH {
        for mut source in sources(world, split) {
            draw.shuffle(&mut source.facts);
            source.facts.truncate(most(split));
            let denied = source.facts.split_off(source.facts.len() / 2);
            for (facts, negated) in [(source.facts, false), (denied, true)] {
                for claim in source
                    .says
                    .pairs(world, facts, &mut draw)
                    .into_iter()
                    .flatten()
                {
                    push(&mut table, claim, negated, split);
                }
            }
        }
        for pairs in [
            directions(world, split, &mut draw),
            comparisons(split, &mut draw),
        ] {
            for (index, pair) in pairs.into_iter().enumerate() {
                for claim in pair {
                    push(&mut table, claim, index % 2 == 1, split);
                }
            }
        }
    }
    table
}

/// Three of four pairs stand on the training side.
fn most(split: Split) -> usize {
    match split {
        Split::Train => MOST * 3 / 4,
        Split::Test => MOST / 4,
    }
}

fn push(table: &mut Table, claim: Claim, negated: bool, split: Split) {
    let (text, polarity) = if negated {
        (claim.clause.negate(), "negated")
    } else {
        (claim.clause.affirm(), "affirmative")
    };
    table.push([
        text,
        if claim.holds == negated {
            "false"
        } else {
            "true"
        }
        .to_owned(),
        polarity.to_owned(),
        claim.topic.name().to_owned(),
        claim.entity,
        split.name().to_owned(),
    ]);
}

/// A relation between a subject and an object, both indices into a table of the world (continents: into their list).
#[derive(Debug, Clone, Copy)]
pub(super) enum Relation {
    Country,
    Continent,
    Capital,
    Border,
    River,
}

/// What holds of one relation.
pub(super) struct Source {
    pub(super) says: Relation,
    pub(super) facts: Vec<(usize, usize)>,
}

/// What holds of the entities of one side, relation by relation.
pub(super) fn sources(world: &World, split: Split) -> Vec<Source> {
    use super::Continent;
    let cities = world.cities_of(split);
    let country = |&city: &usize| (city, world.cities[city].country);
    let continent = |&city: &usize| {
        let there = world.cities[city].continent;
        (
            city,
            Continent::ALL
                .iter()
                .position(|&one| one == there)
                .unwrap_or_default(),
        )
    };
    let countries = (0..world.countries.len()).filter(|&a| world.countries[a].split == split);
    let rivers = (0..world.rivers.len()).filter(|&river| world.rivers[river].split == split);
    // Capitals only: were other cities denied to be capitals, the name alone would tell.
    let seats = cities
        .iter()
        .map(country)
        .filter(|&(city, country)| world.countries[country].capital == Some(city));
    let borders =
        countries.flat_map(|a| world.countries[a].neighbours.iter().map(move |&b| (a, b)));
    let flows = rivers.flat_map(|river| {
        world.rivers[river]
            .countries
            .iter()
            .map(move |&country| (river, country))
    });
    [
        (Relation::Country, cities.iter().map(country).collect()),
        (Relation::Continent, cities.iter().map(continent).collect()),
        (Relation::Capital, seats.collect()),
        (Relation::Border, borders.collect()),
        (Relation::River, flows.collect()),
    ]
    .map(|(says, facts)| Source { says, facts })
    .into()
}

impl Relation {
    fn claim(self, world: &World, subject: usize, object: usize) -> Claim {
        match self {
            Self::Country => claims::country(world, subject, object),
            Self::Continent => claims::continent(world, subject, super::Continent::ALL[object]),
            Self::Capital => claims::capital(world, subject, object),
            Self::Border => claims::border(world, subject, object),
            Self::River => claims::river(world, subject, object),
        }
    }

    /// Whether the world is sure that the relation does not hold.
    fn deniable(self, world: &World, subject: usize, object: usize) -> bool {
        match self {
            Self::Country | Self::Continent | Self::Capital => {
                !self.claim(world, subject, object).holds
            }
            Self::Border => world.apart(subject, object),
            Self::River => world.far_from(subject, object),
        }
    }

    /// Each fact beside its subject with the object of another fact: the same words, as often. A fact for which no other object is
    /// left is dropped, and the rest are paired again.
    pub(super) fn pairs(
        self,
        world: &World,
        mut facts: Vec<(usize, usize)>,
        draw: &mut Draw,
    ) -> Vec<Pair> {
        loop {
            let objects: Vec<usize> = facts.iter().map(|fact| fact.1).collect();
            let order = draw.deranged(&objects, |at, from| {
                !self.deniable(world, facts[at].0, objects[from])
            });
            let mut said = BTreeSet::new();
            let stuck = (0..facts.len()).find(|&at| {
                let (subject, object) = (facts[at].0, objects[order[at]]);
                !self.deniable(world, subject, object) || !said.insert((subject, object))
            });
            match stuck {
                Some(at) => facts.remove(at),
                None => {
                    let pair = |(&(subject, object), from): (&(usize, usize), usize)| {
                        [
                            self.claim(world, subject, object),
                            self.claim(world, subject, objects[from]),
                        ]
                    };
                    return facts.iter().zip(order).map(pair).collect();
                }
            };
        }
    }
}

/// Each pair of cities is compared both ways round: one of the two holds, and the words are the same. Only pairs that the corpus never
/// compares, by either name of the direction.
fn directions(world: &World, split: Split, draw: &mut Draw) -> Vec<Pair> {
    let cities = world.cities_of(split);
    let mut used = BTreeSet::new();
    let mut pairs: Vec<Pair> = Vec::new();
    while pairs.len() < most(split) {
        let (a, b) = (cities[pairs.len() % cities.len()], *draw.pick(&cities));
        let direction = *draw.pick(&Direction::ALL);
        if a == b || world.may_state(a, b) || used.contains(&(a.min(b), a.max(b))) {
            continue;
        }
        let there = claims::direction(world, direction, (a, b), Margin::Judgement);
        let back = claims::direction(world, direction, (b, a), Margin::Judgement);
        if let (Some(there), Some(back)) = (there, back) {
            used.insert((a.min(b), a.max(b)));
            let entity = there.entity.clone();
            pairs.push([there, Claim { entity, ..back }]);
        }
    }
    pairs
}

/// Pairs of numbers that the corpus never compares, both ways round.
fn comparisons(split: Split, draw: &mut Draw) -> Vec<Pair> {
    let mut used = BTreeSet::new();
    let mut pairs = Vec::new();
    while pairs.len() < most(split) {
        let (a, b) = numbers::pair(draw, LIMIT, split);
        if used.insert((a.min(b), a.max(b))) {
            let greater = draw.percent(50);
            pairs.push([
                claims::comparison(a, greater, b),
                claims::comparison(b, greater, a),
            ]);
        }
    }
    pairs
}
