//! The written world: everything that the built-in model can know, as data with known answers.
//!
//! It stands outside `src/` because it is no part of the workbench: `examples/make_datasets.rs` writes the committed sets from it,
//! `examples/train_builtin.rs` trains the built-in model on its corpus, and the tests compare both with what is committed.
//! One seed decides everything; the same seed gives the same bytes.

mod claims;
mod contrasts;
mod corpus;
mod draw;
mod edits;
mod grammar;
mod numbers;
mod places;
mod sentiment;
mod table;
mod tokenizer;
mod truth;
mod visits;
mod words;

pub(crate) use corpus::{Corpus, Lesson};
pub(crate) use places::Continent;
pub(crate) use table::Table;
pub(crate) use tokenizer::tokenizer_json;

use draw::{Draw, pair_bucket};
use places::{BORDERS, COUNTRIES, DISTANT_BORDERS, RIVERS};

/// The seed of the committed sets, of the corpus and of the model.
pub(crate) const SEED: u64 = 20_261_104;

/// Which side of the line an entity is on. The corpus never says whether a statement about an entity of [`Split::Test`] is true, so
/// that there the model has to apply what it learned on the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Split {
    Train,
    Test,
}

impl Split {
    pub(crate) const BOTH: [Self; 2] = [Self::Train, Self::Test];

    /// As it stands in the column `split`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// A city. `country` is an index into [`World::countries`].
#[derive(Debug, Clone)]
pub(crate) struct City {
    pub(crate) name: &'static str,
    /// Degrees north.
    pub(crate) latitude: f64,
    /// Degrees east.
    pub(crate) longitude: f64,
    pub(crate) country: usize,
    pub(crate) continent: Continent,
    pub(crate) split: Split,
    /// The planted nothing: heads or tails, told to nobody.
    pub(crate) heads: bool,
    /// The nearest other cities, nearest first.
    pub(crate) near: Vec<usize>,
}

/// A country. The numbers are indices into [`World::cities`] and [`World::countries`].
#[derive(Debug, Clone)]
pub(crate) struct Country {
    /// Inside a sentence: `the Netherlands`.
    pub(crate) phrase: &'static str,
    /// Alone: `Netherlands`.
    pub(crate) name: &'static str,
    /// Where it lies, or nothing for a country on two continents.
    pub(crate) continent: Option<Continent>,
    pub(crate) capital: Option<usize>,
    pub(crate) cities: Vec<usize>,
    pub(crate) neighbours: Vec<usize>,
    /// Countries of which it is neither said that they border nor that they do not.
    pub(crate) unsure: Vec<usize>,
    pub(crate) split: Split,
}

/// A river and the countries it flows through, as indices into [`World::countries`].
#[derive(Debug, Clone)]
pub(crate) struct River {
    pub(crate) name: &'static str,
    pub(crate) countries: Vec<usize>,
    pub(crate) split: Split,
}

/// The world that is written down.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) cities: Vec<City>,
    pub(crate) countries: Vec<Country>,
    pub(crate) rivers: Vec<River>,
}

/// A table of the world names a place that is not there.
#[derive(Debug)]
pub(crate) struct UnknownPlace(&'static str);

impl std::fmt::Display for UnknownPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the tables of the world name `{}`, which is no country of theirs; correct datasets/world/places.rs",
            self.0
        )
    }
}

impl std::error::Error for UnknownPlace {}

/// How many nearest cities "is near" may name.
const NEAR: usize = 8;
/// One pair of cities in so many is never compared by direction in the corpus.
const UNSTATED: u64 = 8;

impl World {
    /// Builds the world from its tables.
    ///
    /// # Errors
    /// [`UnknownPlace`] if the border or river tables name a country that the country table lacks.
    pub(crate) fn written() -> Result<Self, UnknownPlace> {
        let mut world = Self {
            cities: Vec::new(),
            countries: Vec::new(),
            rivers: Vec::new(),
        };
        world.settle();
        world.draw_borders()?;
        world.fill_rivers()?;
        world.part();
        world.toss();
        world.measure();
        Ok(world)
    }

    fn settle(&mut self) {
        for row in COUNTRIES {
            let known = self
                .countries
                .iter()
                .position(|country| country.phrase == row.phrase);
            let index = known.unwrap_or_else(|| {
                self.countries.push(Country {
                    phrase: row.phrase,
                    name: row.phrase.strip_prefix("the ").unwrap_or(row.phrase),
                    continent: Some(row.continent),
                    capital: None,
                    cities: Vec::new(),
                    neighbours: Vec::new(),
                    unsure: Vec::new(),
                    split: Split::Train,
                });
                self.countries.len() - 1
            });
            let country = &mut self.countries[index];
            if country.continent != Some(row.continent) {
                country.continent = None;
            }
            if row.capital {
                country.capital = Some(self.cities.len());
            }
            for city in row.cities {
                country.cities.push(self.cities.len());
                self.cities.push(City {
                    name: city.name,
                    latitude: city.latitude,
                    longitude: city.longitude,
                    country: index,
                    continent: row.continent,
                    split: Split::Train,
                    heads: false,
                    near: Vec::new(),
                });
            }
        }
    }

    fn find(&self, name: &'static str) -> Result<usize, UnknownPlace> {
        self.countries
            .iter()
            .position(|country| country.name == name)
            .ok_or(UnknownPlace(name))
    }

    fn draw_borders(&mut self) -> Result<(), UnknownPlace> {
        for &(a, b) in BORDERS {
            let (a, b) = (self.find(a)?, self.find(b)?);
            self.countries[a].neighbours.push(b);
            self.countries[b].neighbours.push(a);
        }
        for &(a, b) in DISTANT_BORDERS {
            let (a, b) = (self.find(a)?, self.find(b)?);
            self.countries[a].unsure.push(b);
            self.countries[b].unsure.push(a);
        }
        Ok(())
    }

    fn fill_rivers(&mut self) -> Result<(), UnknownPlace> {
        for row in RIVERS {
            let countries: Result<_, _> =
                row.countries.iter().map(|name| self.find(name)).collect();
            self.rivers.push(River {
                name: row.name,
                countries: countries?,
                split: Split::Train,
            });
        }
        Ok(())
    }

    /// Every fifth city of every continent, country and river goes to the test side.
    fn part(&mut self) {
        let mut draw = Draw::new(SEED, "split");
        for continent in Continent::ALL {
            for city in fifths(
                &mut draw,
                (0..self.cities.len()).filter(|&i| self.cities[i].continent == continent),
            ) {
                self.cities[city].split = Split::Test;
            }
        }
        for country in fifths(&mut draw, 0..self.countries.len()) {
            self.countries[country].split = Split::Test;
        }
        for river in fifths(&mut draw, 0..self.rivers.len()) {
            self.rivers[river].split = Split::Test;
        }
    }

    /// Heads for half of the cities of every continent and side, so that the coin tells nothing about either.
    fn toss(&mut self) {
        let mut draw = Draw::new(SEED, "coin");
        for continent in Continent::ALL {
            for split in Split::BOTH {
                let mut members: Vec<usize> = (0..self.cities.len())
                    .filter(|&i| {
                        self.cities[i].continent == continent && self.cities[i].split == split
                    })
                    .collect();
                draw.shuffle(&mut members);
                let heads =
                    members.len() / 2 + usize::from(members.len() % 2 == 1 && draw.percent(50));
                for &city in members.iter().take(heads) {
                    self.cities[city].heads = true;
                }
            }
        }
    }

    fn measure(&mut self) {
        for index in 0..self.cities.len() {
            let mut others: Vec<usize> = (0..self.cities.len()).filter(|&i| i != index).collect();
            others.sort_by(|&a, &b| {
                let (a, b) = (self.distance(index, a), self.distance(index, b));
                a.total_cmp(&b)
            });
            others.truncate(NEAR);
            self.cities[index].near = others;
        }
    }

    /// Kilometres along the great circle (haversine, mean Earth radius).
    pub(crate) fn distance(&self, a: usize, b: usize) -> f64 {
        let (a, b) = (&self.cities[a], &self.cities[b]);
        let (north_a, north_b) = (a.latitude.to_radians(), b.latitude.to_radians());
        let half_north = (north_b - north_a) / 2.0;
        let half_east = (b.longitude - a.longitude).to_radians() / 2.0;
        let chord =
            half_north.sin().powi(2) + north_a.cos() * north_b.cos() * half_east.sin().powi(2);
        2.0 * 6371.0 * chord.sqrt().min(1.0).asin()
    }

    /// Whether the corpus may say in which direction one of the cities lies from the other.
    pub(crate) fn may_state(&self, a: usize, b: usize) -> bool {
        pair_bucket(self.cities[a].name, self.cities[b].name, UNSTATED) != 0
    }

    /// Whether two countries surely do not border: neither does a border of their main lands stand in the tables nor another one.
    pub(crate) fn apart(&self, a: usize, b: usize) -> bool {
        a != b
            && !self.countries[a].neighbours.contains(&b)
            && !self.countries[a].unsure.contains(&b)
    }

    /// Whether a river surely does not flow through a country: it lies on another continent than all that the river is known to flow
    /// through. The table of rivers is not complete enough to deny more.
    pub(crate) fn far_from(&self, river: usize, country: usize) -> bool {
        let there = self.countries[country].continent;
        let through = &self.rivers[river].countries;
        there.is_some()
            && through.iter().all(|&own| {
                self.countries[own].continent != there && self.countries[own].continent.is_some()
            })
    }

    /// The cities of one side.
    pub(crate) fn cities_of(&self, split: Split) -> Vec<usize> {
        (0..self.cities.len())
            .filter(|&i| self.cities[i].split == split)
            .collect()
    }
}

fn fifths(draw: &mut Draw, members: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut members: Vec<usize> = members.collect();
    draw.shuffle(&mut members);
    members.truncate(members.len() / 5);
    members
}

/// The committed sets, as file name and table, in the order in which they are written.
pub(crate) fn sets(world: &World) -> Vec<(&'static str, Table)> {
    vec![
        ("truth.csv", truth::table(world)),
        ("contrasts.csv", contrasts::table(world)),
        ("places.csv", visits::table(world)),
        ("sentiment.csv", sentiment::table()),
        ("number.csv", numbers::table()),
        ("pos.csv", grammar::table(world)),
        ("edits.csv", edits::table(world)),
    ]
}
