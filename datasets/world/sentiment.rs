//! Plain statements with a feeling, and the set `sentiment.csv`.

use super::claims::sentence;
use super::draw::Draw;
use super::words::{CHEERS, FEELINGS, PEOPLE, SIGHS, TASTED, VERY};
use super::{SEED, Split, Table};

/// The ways to say it; those that deny turn the feeling round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Strong,
    Found,
    Said,
    Not,
    DidNotFind,
}

impl Form {
    pub(crate) const ALL: [Self; 6] = [
        Self::Plain,
        Self::Strong,
        Self::Found,
        Self::Said,
        Self::Not,
        Self::DidNotFind,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Strong => "strong",
            Self::Found => "found",
            Self::Said => "said",
            Self::Not => "not",
            Self::DidNotFind => "did not find",
        }
    }

    fn denies(self) -> bool {
        matches!(self, Self::Not | Self::DidNotFind)
    }

    /// The sentence.
    pub(crate) fn say(self, draw: &mut Draw, adjective: &str) -> String {
        let (thing, person, very) = (draw.pick(TASTED), draw.pick(PEOPLE), draw.pick(VERY));
        sentence(&match self {
            Self::Plain => format!("the {thing} was {adjective}."),
            Self::Strong => format!("the {thing} was {very} {adjective}."),
            Self::Found => format!("{person} found the {thing} {adjective}."),
            Self::Said => format!("{person} said that the {thing} was {adjective}."),
            Self::Not => format!("the {thing} was not {adjective}."),
            Self::DidNotFind => format!("{person} did not find the {thing} {adjective}."),
        })
    }
}

/// A sentence with a feeling, and what is said after it.
pub(crate) fn reaction(draw: &mut Draw) -> String {
    let form = *draw.pick(&Form::ALL);
    let praise = draw.percent(50);
    let (good, bad) = *draw.pick(FEELINGS);
    let text = form.say(draw, if praise { good } else { bad });
    let after = draw.pick(if praise == form.denies() {
        SIGHS
    } else {
        CHEERS
    });
    format!("{text} {after}")
}

/// The set: every adjective in every form. The side is that of the pair of opposites.
pub(crate) fn table() -> Table {
    let mut table = Table::new(&[
        "text",
        "label",
        "polarity",
        "template",
        "adjective",
        "pair",
        "split",
    ]);
    let mut draw = Draw::new(SEED, "sentiment");
    let mut order: Vec<usize> = (0..FEELINGS.len()).collect();
    draw.shuffle(&mut order);
    let held = FEELINGS.len() * 3 / 10;
    for (pair, &(good, bad)) in FEELINGS.iter().enumerate() {
        let side = if order[pair] < held {
            Split::Test
        } else {
            Split::Train
        };
        for (adjective, praise) in [(good, true), (bad, false)] {
            for form in Form::ALL {
                // Twice as many for each of the two that deny: as many denied rows as not.
                let times = if form.denies() { 4 } else { 2 };
                let mut said = Vec::new();
                while said.len() < times {
                    let text = form.say(&mut draw, adjective);
                    if !said.contains(&text) {
                        said.push(text);
                    }
                }
                for text in said {
                    table.push([
                        text,
                        if praise == form.denies() {
                            "negative"
                        } else {
                            "positive"
                        }
                        .to_owned(),
                        if form.denies() {
                            "negated"
                        } else {
                            "affirmative"
                        }
                        .to_owned(),
                        form.name().to_owned(),
                        adjective.to_owned(),
                        format!("{good} and {bad}"),
                        side.name().to_owned(),
                    ]);
                }
            }
        }
    }
    table
}
