//! The training corpus: an endless stream of short documents about the world, and held-out ones about what it never said.

use super::claims::{self, Claim, Direction, Margin};
use super::draw::Draw;
use super::edits::capital_first;
use super::numbers::{self, LIMIT, TERMS};
use super::visits::VISITS;
use super::words::{CHEERS, SIGHS};
use super::{City, Continent, Split, World, grammar, sentiment};

/// What a document says.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Plain facts about a city.
    Direction,
    Near,
    Country,
    Continent,
    /// Whether two cities share a country or a continent.
    Together,
    /// Plain facts about countries and rivers.
    Capital,
    Border,
    River,
    CountryContinent,
    /// A statement and whether it is true.
    Verdict,
    /// A question and its answer.
    Question,
    YesNo,
    /// A fact said by denying another one.
    Denial,
    /// Several facts about one city.
    Chain,
    Comparison,
    Sum,
    Parity,
    Visit,
    Everyday,
    Feeling,
}

/// The mixture: kinds and how often they come.
const MIXTURE: &[(Kind, usize)] = &[
    (Kind::Direction, 260),
    (Kind::Near, 90),
    (Kind::Country, 80),
    (Kind::Continent, 50),
    (Kind::Together, 80),
    (Kind::Capital, 30),
    (Kind::Border, 45),
    (Kind::River, 15),
    (Kind::CountryContinent, 10),
    (Kind::Verdict, 250),
    (Kind::Question, 40),
    (Kind::YesNo, 40),
    (Kind::Denial, 15),
    (Kind::Chain, 15),
    (Kind::Comparison, 20),
    (Kind::Sum, 30),
    (Kind::Parity, 10),
    (Kind::Visit, 20),
    (Kind::Everyday, 60),
    (Kind::Feeling, 30),
];

/// What the model is taught: first the world, then to judge what is said of it.
///
/// Taught both at once, it learns the verdicts about each city by heart, beside what it knows of the city, and fails on the cities that are
/// never judged (0.58 to 0.85 of them right, by topic). When the facts are there first, it judges by them (0.87 to 1.00).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lesson {
    /// Nothing is called true or false, and no question is answered with yes or no.
    Facts,
    /// The whole mixture.
    All,
}

/// A stream of documents.
///
/// On the side [`Split::Train`] it never says whether a statement about an entity of [`Split::Test`] is true, never compares the cities
/// that [`World::may_state`] keeps apart, and never adds or compares the numbers that [`numbers::split`] keeps apart. On the side
/// [`Split::Test`] it says exactly these, which makes the text on which the held-out perplexity is measured.
#[derive(Debug)]
pub(crate) struct Corpus<'w> {
    world: &'w World,
    draw: Draw,
    side: Split,
    sides: [Vec<usize>; 2],
}

impl<'w> Corpus<'w> {
    /// The documents of a seed.
    pub(crate) fn new(world: &'w World, seed: u64, side: Split) -> Self {
        Self {
            world,
            draw: Draw::new(seed, side.name()),
            side,
            sides: Split::BOTH.map(|split| world.cities_of(split)),
        }
    }

    /// The next document: one line of text.
    pub(crate) fn document(&mut self, lesson: Lesson) -> String {
        let weights: Vec<usize> = MIXTURE.iter().map(|(_, weight)| *weight).collect();
        loop {
            let (kind, _) = MIXTURE[self.draw.weighted(&weights)];
            if lesson == Lesson::Facts && matches!(kind, Kind::Verdict | Kind::YesNo) {
                continue;
            }
            // A draw may come to nothing (two cities on one parallel): draw again.
            if let Some(text) = self.tell(kind) {
                return text;
            }
        }
    }

    fn tell(&mut self, kind: Kind) -> Option<String> {
        let world = self.world;
        Some(match kind {
            Kind::Direction => self.direction_fact(None)?.clause.affirm(),
            Kind::Near => self.near_fact(None).affirm(),
            Kind::Country => {
                let city = self.any_city();
                claims::country(world, city, world.cities[city].country)
                    .clause
                    .affirm()
            }
            Kind::Continent => {
                let city = self.any_city();
                claims::continent(world, city, world.cities[city].continent)
                    .clause
                    .affirm()
            }
            Kind::Together => self.together(),
            Kind::Capital => self.capital()?,
            Kind::Border => {
                let country = self.any_country();
                let other = self.neighbour(country)?;
                claims::border(world, country, other).clause.affirm()
            }
            Kind::River => {
                let river = self.draw.below(world.rivers.len());
                let country = *self.draw.pick(&world.rivers[river].countries);
                claims::river(world, river, country).clause.affirm()
            }
            Kind::CountryContinent => {
                let country = &world.countries[self.any_country()];
                claims::sentence(&format!(
                    "{} is a country in {}.",
                    country.phrase,
                    country.continent?.name()
                ))
            }
            Kind::Verdict => self.verdict()?,
            Kind::Question => self.question()?,
            Kind::YesNo => {
                let claim = self.claim()?;
                format!(
                    "{} {}",
                    claim.clause.ask(),
                    if claim.holds { "Yes." } else { "No." }
                )
            }
            Kind::Denial => {
                let claim = self.claim()?;
                if claim.holds {
                    return None;
                }
                claim.clause.negate()
            }
            Kind::Chain => self.chain()?,
            Kind::Comparison => self.compared(),
            Kind::Sum => {
                let (a, b) = numbers::pair(&mut self.draw, TERMS, self.side);
                format!("{} {}.", numbers::sum(a, b), a + b)
            }
            Kind::Parity => {
                let n = self.draw.below(LIMIT);
                format!("{n} is {}.", numbers::parity(n))
            }
            Kind::Visit => {
                let (_, before) = *self.draw.pick(VISITS);
                format!("{before} {}.", world.cities[self.any_city()].name)
            }
            Kind::Everyday => grammar::everyday(world, &mut self.draw).text(),
            Kind::Feeling => sentiment::reaction(&mut self.draw),
        })
    }

    fn any_city(&mut self) -> usize {
        self.draw.below(self.world.cities.len())
    }

    fn any_country(&mut self) -> usize {
        self.draw.below(self.world.countries.len())
    }

    /// A city about which this side may say whether a statement is true.
    fn own_city(&mut self) -> usize {
        let own = &self.sides[self.side as usize];
        *self.draw.pick(own)
    }

    fn neighbour(&mut self, country: usize) -> Option<usize> {
        let neighbours = &self.world.countries[country].neighbours;
        neighbours.get(self.draw.below(neighbours.len())).copied()
    }

    fn direction_fact(&mut self, of: Option<usize>) -> Option<Claim> {
        let (a, b) = (of.unwrap_or_else(|| self.any_city()), self.any_city());
        let direction = *self.draw.pick(&Direction::ALL);
        if self.world.may_state(a, b) != (self.side == Split::Train) {
            return None;
        }
        let claim = claims::direction(self.world, direction, (a, b), Margin::Fact)?;
        if claim.holds {
            return Some(claim);
        }
        claims::direction(self.world, direction.opposite(), (a, b), Margin::Fact)
    }

    fn near_fact(&mut self, of: Option<usize>) -> claims::Clause {
        let city = of.unwrap_or_else(|| self.any_city());
        let other = *self.draw.pick(&self.world.cities[city].near);
        claims::near(self.world, city, other)
    }

    /// Said of cities of both sides: it shapes what the model knows of a place without telling what a true statement is.
    fn together(&mut self) -> String {
        let world = self.world;
        let city = self.any_city();
        let country = self.draw.percent(60);
        let alike = |a: &City, b: &City| {
            if country {
                a.country == b.country
            } else {
                a.continent == b.continent
            }
        };
        let here = &world.cities[city];
        // Half alike, a quarter near (and mostly not alike), a quarter anywhere.
        let others: Vec<&City> = match self.draw.below(4) {
            0 | 1 => world
                .cities
                .iter()
                .filter(|other| other.name != here.name && alike(here, other))
                .collect(),
            2 => here
                .near
                .iter()
                .map(|&other| &world.cities[other])
                .collect(),
            _ => world
                .cities
                .iter()
                .filter(|other| other.name != here.name)
                .collect(),
        };
        // The only city of its country is set against any other.
        let there = if others.is_empty() {
            &world.cities[self.any_city()]
        } else {
            *self.draw.pick(&others)
        };
        let how = match (country, alike(here, there)) {
            (true, true) => "in the same country",
            (true, false) => "in different countries",
            (false, true) => "on the same continent",
            (false, false) => "on different continents",
        };
        format!("{} and {} are {how}.", here.name, there.name)
    }

    fn capital(&mut self) -> Option<String> {
        let country = self.any_country();
        let city = self.world.countries[country].capital?;
        if self.draw.percent(50) {
            return capital_first(self.world, country);
        }
        Some(claims::capital(self.world, city, country).clause.affirm())
    }

    /// A claim of this side that holds in about half of the cases.
    fn claim(&mut self) -> Option<Claim> {
        let world = self.world;
        let holds = self.draw.percent(50);
        let claim = match self.draw.weighted(&[25, 18, 8, 30, 7, 4, 8]) {
            0 => {
                let city = self.own_city();
                let country = if holds {
                    world.cities[city].country
                } else {
                    self.other_country(city)
                };
                claims::country(world, city, country)
            }
            1 => {
                let (city, other) = (self.own_city(), self.own_city());
                let from = if holds { city } else { other };
                claims::continent(world, city, world.cities[from].continent)
            }
            2 => {
                let city = self.own_city();
                let country = if holds {
                    world.cities[city].country
                } else {
                    self.other_country(city)
                };
                world.countries[country].capital?;
                claims::capital(world, city, country)
            }
            3 => {
                let (a, b) = (self.own_city(), self.own_city());
                if world.may_state(a, b) != (self.side == Split::Train) {
                    return None;
                }
                claims::direction(
                    world,
                    *self.draw.pick(&Direction::ALL),
                    (a, b),
                    Margin::Judgement,
                )?
            }
            4 => self.border_claim(holds)?,
            5 => self.river_claim(holds)?,
            _ => {
                let (a, b) = numbers::pair(&mut self.draw, LIMIT, self.side);
                claims::comparison(a, self.draw.percent(50), b)
            }
        };
        Some(claim)
    }

    /// The country of another city of this side; of a near one in a third of the cases.
    fn other_country(&mut self, city: usize) -> usize {
        let other = if self.draw.percent(33) {
            *self.draw.pick(&self.world.cities[city].near)
        } else {
            self.own_city()
        };
        self.world.cities[other].country
    }

    fn border_claim(&mut self, holds: bool) -> Option<Claim> {
        let (a, other) = (self.any_country(), self.any_country());
        let country = &self.world.countries[a];
        let b = if holds {
            self.neighbour(a)?
        } else {
            self.neighbour(other)?
        };
        let sure = country.neighbours.contains(&b) || self.world.apart(a, b);
        (sure && country.split == self.side).then(|| claims::border(self.world, a, b))
    }

    fn river_claim(&mut self, holds: bool) -> Option<Claim> {
        let world = self.world;
        let (river, other) = (
            self.draw.below(world.rivers.len()),
            self.draw.below(world.rivers.len()),
        );
        let country = *self
            .draw
            .pick(&world.rivers[if holds { river } else { other }].countries);
        let sure =
            world.rivers[river].countries.contains(&country) || world.far_from(river, country);
        (sure && world.rivers[river].split == self.side)
            .then(|| claims::river(world, river, country))
    }

    fn verdict(&mut self) -> Option<String> {
        let claim = self.claim()?;
        let negated = self.draw.percent(40);
        let text = if negated {
            claim.clause.negate()
        } else {
            claim.clause.affirm()
        };
        Some(format!(
            "{text} {}",
            if claim.holds == negated {
                "False."
            } else {
                "True."
            }
        ))
    }

    fn question(&mut self) -> Option<String> {
        let world = self.world;
        Some(match self.draw.below(4) {
            0 => {
                let city = &world.cities[self.any_city()];
                format!(
                    "Where is {}? In {}.",
                    city.name, world.countries[city.country].phrase
                )
            }
            1 => {
                let country = &world.countries[self.any_country()];
                format!(
                    "What is the capital of {}? {}.",
                    country.phrase, world.cities[country.capital?].name
                )
            }
            2 => {
                let city = &world.cities[self.any_city()];
                format!(
                    "On which continent is {}? {}.",
                    city.name,
                    city.continent.name()
                )
            }
            _ => {
                let (a, b) = numbers::pair(&mut self.draw, TERMS, self.side);
                format!("What is {a} plus {b}? {}.", a + b)
            }
        })
    }

    fn chain(&mut self) -> Option<String> {
        let world = self.world;
        let city = self.any_city();
        let first = claims::country(world, city, world.cities[city].country)
            .clause
            .affirm();
        let second = self.direction_fact(Some(city))?.clause.affirm_of_it();
        let third = self.near_fact(Some(city)).affirm_of_it();
        Some(format!("{first} {second} {third}"))
    }

    fn compared(&mut self) -> String {
        let (a, b) = numbers::pair(&mut self.draw, LIMIT, self.side);
        if self.draw.percent(50) {
            return format!(
                "{} {}.",
                numbers::compared(a, b),
                if a > b { "greater" } else { "less" }
            );
        }
        claims::comparison(a, a > b, b).clause.affirm()
    }
}

/// Every word that a document can hold, for the tokenizer: long enough that none is missing.
pub(crate) fn sample(world: &World, documents: usize) -> Vec<String> {
    let mut corpus = Corpus::new(world, super::SEED, Split::Train);
    let mut text: Vec<String> = (0..documents)
        .map(|_| corpus.document(Lesson::All))
        .collect();
    text.extend(CHEERS.iter().chain(SIGHS).map(ToString::to_string));
    text.extend(
        Continent::ALL
            .iter()
            .map(|continent| continent.name().to_owned()),
    );
    text
}
