//! Statements about the world that are true or false, in their affirmative, negated and questioning forms.

use super::World;
use super::places::Continent;

/// What a statement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Topic {
    Country,
    Continent,
    Capital,
    Direction,
    Border,
    River,
    Comparison,
}

impl Topic {
    /// As it stands in the column `topic`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Continent => "continent",
            Self::Capital => "capital",
            Self::Direction => "direction",
            Self::Border => "border",
            Self::River => "river",
            Self::Comparison => "comparison",
        }
    }
}

/// How a clause forms its negation and its question.
#[derive(Debug, Clone, Copy)]
enum Verb {
    Is,
    Does {
        base: &'static str,
        third: &'static str,
    },
}

/// A simple sentence before it is put into a form.
#[derive(Debug, Clone)]
pub(crate) struct Clause {
    subject: String,
    verb: Verb,
    rest: String,
}

impl Clause {
    /// `Paris is in France.`
    pub(crate) fn affirm(&self) -> String {
        let Self {
            subject,
            verb,
            rest,
        } = self;
        match verb {
            Verb::Is => sentence(&format!("{subject} is {rest}.")),
            Verb::Does { third, .. } => sentence(&format!("{subject} {third} {rest}.")),
        }
    }

    /// `Paris is not in France.`
    pub(crate) fn negate(&self) -> String {
        let Self {
            subject,
            verb,
            rest,
        } = self;
        match verb {
            Verb::Is => sentence(&format!("{subject} is not {rest}.")),
            Verb::Does { base, .. } => sentence(&format!("{subject} does not {base} {rest}.")),
        }
    }

    /// `Is Paris in France?`
    pub(crate) fn ask(&self) -> String {
        let Self {
            subject,
            verb,
            rest,
        } = self;
        match verb {
            Verb::Is => format!("Is {subject} {rest}?"),
            Verb::Does { base, .. } => format!("Does {subject} {base} {rest}?"),
        }
    }

    /// The part after the subject, for a sentence whose subject was named before: `It is in France.`
    pub(crate) fn affirm_of_it(&self) -> String {
        Self {
            subject: "it".to_owned(),
            ..self.clone()
        }
        .affirm()
    }
}

/// The text with a capital letter first.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// A clause, what it is about, and whether it holds.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) topic: Topic,
    /// The name by which statements are grouped.
    pub(crate) entity: String,
    pub(crate) clause: Clause,
    pub(crate) holds: bool,
}

fn is(topic: Topic, subject: &str, rest: String, holds: bool) -> Claim {
    Claim {
        topic,
        entity: subject.to_owned(),
        clause: Clause {
            subject: subject.to_owned(),
            verb: Verb::Is,
            rest,
        },
        holds,
    }
}

/// `Lyon is in France`
pub(crate) fn country(world: &World, city: usize, country: usize) -> Claim {
    let (city, said) = (&world.cities[city], &world.countries[country]);
    is(
        Topic::Country,
        city.name,
        format!("in {}", said.phrase),
        city.country == country,
    )
}

/// `Lyon is in Europe`
pub(crate) fn continent(world: &World, city: usize, continent: Continent) -> Claim {
    let city = &world.cities[city];
    is(
        Topic::Continent,
        city.name,
        format!("in {}", continent.name()),
        city.continent == continent,
    )
}

/// `Paris is the capital of France`
pub(crate) fn capital(world: &World, city: usize, country: usize) -> Claim {
    let said = &world.countries[country];
    is(
        Topic::Capital,
        world.cities[city].name,
        format!("the capital of {}", said.phrase),
        said.capital == Some(city),
    )
}

/// A direction on the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    North,
    South,
    East,
    West,
}

impl Direction {
    pub(crate) const ALL: [Self; 4] = [Self::North, Self::South, Self::East, Self::West];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::North => "north",
            Self::South => "south",
            Self::East => "east",
            Self::West => "west",
        }
    }

    /// The way back.
    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::North => Self::South,
            Self::South => Self::North,
            Self::East => Self::West,
            Self::West => Self::East,
        }
    }

    /// Whether the first city lies in this direction from the second: by its latitude or its longitude alone. `None` where the
    /// difference is below the margin, or where the short way round the Earth crosses the 180th meridian or nearly does, so that the map
    /// and the globe would disagree.
    pub(crate) fn holds(self, world: &World, a: usize, b: usize, margin: Margin) -> Option<bool> {
        let (a, b) = (&world.cities[a], &world.cities[b]);
        let (least_north, least_east) = margin.degrees();
        let north = a.latitude - b.latitude;
        let east = a.longitude - b.longitude;
        match self {
            Self::North | Self::South if north.abs() < least_north => None,
            Self::East | Self::West if !(least_east..=170.0).contains(&east.abs()) => None,
            Self::North => Some(north > 0.0),
            Self::South => Some(north < 0.0),
            Self::East => Some(east > 0.0),
            Self::West => Some(east < 0.0),
        }
    }
}

/// How far apart cities must lie for their direction to be spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Margin {
    /// To be stated as a fact: fine enough to learn the map from.
    Fact,
    /// To be judged true or false: so far apart that a reader who knows the map roughly is not asked about its last degree.
    Judgement,
}

impl Margin {
    /// The least difference in latitude and in longitude.
    fn degrees(self) -> (f64, f64) {
        match self {
            Self::Fact => (3.0, 5.0),
            Self::Judgement => (6.0, 10.0),
        }
    }
}

/// `Oslo is north of Rome`, or `None` where [`Direction::holds`] is.
pub(crate) fn direction(
    world: &World,
    direction: Direction,
    (a, b): (usize, usize),
    margin: Margin,
) -> Option<Claim> {
    let holds = direction.holds(world, a, b, margin)?;
    let rest = format!("{} of {}", direction.name(), world.cities[b].name);
    Some(is(Topic::Direction, world.cities[a].name, rest, holds))
}

/// `Lyon is near Geneva`, said of the nearest cities only.
pub(crate) fn near(world: &World, a: usize, b: usize) -> Clause {
    Clause {
        subject: world.cities[a].name.to_owned(),
        verb: Verb::Is,
        rest: format!("near {}", world.cities[b].name),
    }
}

/// `France borders Spain`
pub(crate) fn border(world: &World, a: usize, b: usize) -> Claim {
    let (first, second) = (&world.countries[a], &world.countries[b]);
    Claim {
        topic: Topic::Border,
        entity: first.name.to_owned(),
        clause: Clause {
            subject: first.phrase.to_owned(),
            verb: Verb::Does {
                base: "border",
                third: "borders",
            },
            rest: second.phrase.to_owned(),
        },
        holds: first.neighbours.contains(&b),
    }
}

/// `The Nile flows through Egypt`
pub(crate) fn river(world: &World, river: usize, country: usize) -> Claim {
    let river = &world.rivers[river];
    Claim {
        topic: Topic::River,
        entity: river.name.to_owned(),
        clause: Clause {
            subject: format!("the {}", river.name),
            verb: Verb::Does {
                base: "flow",
                third: "flows",
            },
            rest: format!("through {}", world.countries[country].phrase),
        },
        holds: river.countries.contains(&country),
    }
}

/// `57 is greater than 43`
pub(crate) fn comparison(a: usize, greater: bool, b: usize) -> Claim {
    let rest = format!("{} than {b}", if greater { "greater" } else { "less" });
    let holds = if greater { a > b } else { a < b };
    Claim {
        entity: format!("{} and {}", a.min(b), a.max(b)),
        ..is(Topic::Comparison, &a.to_string(), rest, holds)
    }
}
