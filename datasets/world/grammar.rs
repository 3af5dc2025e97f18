//! Everyday sentences whose parts of speech are known because a frame made them, and the set `pos.csv`.

use super::draw::Draw;
use super::words::{
    COUNTS, DOUBLE, HOW, PEOPLE, PLURALS, QUALITIES, ROLES, SPOTS, THINGS, TOOK, VERY, WENT,
};
use super::{SEED, Split, Table, World};

/// A slot of a frame: a fixed word with its tag, or a list to draw from. Tags are those of Universal Dependencies (UPOS).
#[derive(Debug, Clone, Copy)]
enum Slot {
    Fixed(&'static str, &'static str),
    One(&'static [&'static str], &'static str),
    City,
}

use Slot::{City, Fixed, One};

const THE: Slot = One(&["the", "a", "this", "every"], "DET");
const OLD: Slot = One(QUALITIES, "ADJ");
const WHO: Slot = One(ROLES, "NOUN");
const WHAT: Slot = One(THINGS, "NOUN");
const WHERE: Slot = One(SPOTS, "NOUN");
const NAME: Slot = One(PEOPLE, "PROPN");
const THEY: Slot = One(&["she", "he", "they", "we", "I"], "PRON");
const MAY: Slot = One(&["will", "can", "must"], "AUX");
const TO_DO: Slot = One(DOUBLE, "VERB");
const A_DEED: Slot = One(DOUBLE, "NOUN");
const DID: Slot = One(TOOK, "VERB");
const WALKED: Slot = One(WENT, "VERB");
const SLOWLY: Slot = One(HOW, "ADV");
const IN: Slot = One(&["in", "near", "from", "behind"], "ADP");
const MANY: Slot = One(COUNTS, "NUM");
const SOME: Slot = One(PLURALS, "NOUN");
const SO: Slot = One(VERY, "ADV");
const WAS: Slot = Fixed("was", "AUX");
const STOP: Slot = Fixed(".", "PUNCT");

/// A kind of sentence.
#[derive(Debug)]
struct Frame {
    name: &'static str,
    /// The side of the set on which its sentences stand.
    split: Split,
    slots: &'static [Slot],
}

const fn frame(name: &'static str, split: Split, slots: &'static [Slot]) -> Frame {
    Frame { name, split, slots }
}

/// Words of [`DOUBLE`] are nouns in some frames and verbs in others, `that` is a determiner or a conjunction, `to` a preposition or a
/// particle, `her` stands before nothing: there the word alone does not give the tag.
#[rustfmt::skip]
const FRAMES: &[Frame] = &[
    frame("deed", Split::Train, &[THE, OLD, WHO, DID, THE, WHAT, STOP]),
    frame("walk", Split::Train, &[NAME, WALKED, SLOWLY, STOP]),
    frame("may", Split::Train, &[THEY, MAY, TO_DO, THE, WHAT, STOP]),
    frame("abstract", Split::Train, &[THE, A_DEED, WAS, SO, OLD, STOP]),
    frame("pair", Split::Train, &[NAME, Fixed("and", "CCONJ"), NAME, WALKED, IN, City, STOP]),
    frame("count", Split::Train, &[THEY, DID, MANY, SOME, STOP]),
    frame("denial", Split::Train, &[NAME, Fixed("did", "AUX"), Fixed("not", "PART"), TO_DO, THE, WHAT, STOP]),
    frame("place", Split::Train, &[THE, WHAT, IN, THE, WHERE, WAS, OLD, STOP]),
    frame("thought", Split::Train, &[NAME, Fixed("thinks", "VERB"), Fixed("that", "SCONJ"), THE, WHAT, WAS, OLD, STOP]),
    frame("that", Split::Train, &[Fixed("that", "DET"), A_DEED, WAS, OLD, STOP]),
    frame("wish", Split::Train, &[THEY, Fixed("wanted", "VERB"), Fixed("to", "PART"), TO_DO, THE, WHAT, STOP]),
    frame("journey", Split::Train, &[THE, WHO, WALKED, Fixed("to", "ADP"), City, STOP]),
    frame("question", Split::Train, &[Fixed("did", "AUX"), THEY, TO_DO, THE, WHAT, Fixed("?", "PUNCT")]),
    frame("that thing", Split::Train, &[NAME, DID, THAT, WHAT, STOP]),
    frame("those old", Split::Train, &[THE, WHO, DID, THAT, OLD, WHAT, IN, THE, WHERE, STOP]),
    frame("object", Split::Train, &[THEY, DID, THE, A_DEED, IN, City, STOP]),
    frame("report", Split::Train, &[NAME, Fixed("said", "VERB"), Fixed("that", "SCONJ"), NAME, WALKED, SLOWLY, STOP]),
    frame("asking leave", Split::Train, &[MAY, THEY, TO_DO, THE, WHAT, Fixed("?", "PUNCT")]),
    frame("good city", Split::Train, &[City, WAS, SO, OLD, STOP]),
    frame("new deed", Split::Test, &[THE, WHO, IN, THE, WHERE, DID, MANY, OLD, SOME, STOP]),
    frame("new wish", Split::Test, &[NAME, Fixed("wanted", "VERB"), Fixed("to", "PART"), TO_DO, THAT, OLD, WHAT, IN, City, STOP]),
    frame("new thought", Split::Test, &[THEY, Fixed("said", "VERB"), Fixed("that", "SCONJ"), THE, A_DEED, IN, City, WAS, SO, OLD, STOP]),
    frame("new question", Split::Test, &[MAY, NAME, Fixed("and", "CCONJ"), NAME, TO_DO, MANY, SOME, Fixed("?", "PUNCT")]),
];

const THAT: Slot = Fixed("that", "DET");

/// The words of a sentence with their tags.
#[derive(Debug, Clone)]
pub(crate) struct Tagged(Vec<(String, &'static str)>);

impl Tagged {
    /// As it is written: a capital first, no space before the last mark.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (index, (word, tag)) in self.0.iter().enumerate() {
            if index > 0 && *tag != "PUNCT" {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }

    /// Its words and its tags, each with spaces between.
    fn columns(&self) -> [String; 2] {
        let (words, tags): (Vec<&str>, Vec<&str>) = self
            .0
            .iter()
            .map(|(word, tag)| (word.as_str(), *tag))
            .unzip();
        [words.join(" "), tags.join(" ")]
    }
}

fn fill(frame: &Frame, world: &World, draw: &mut Draw) -> Tagged {
    let mut words: Vec<(String, &'static str)> = frame
        .slots
        .iter()
        .map(|slot| match *slot {
            Fixed(word, tag) => (word.to_owned(), tag),
            One(words, tag) => ((*draw.pick(words)).to_owned(), tag),
            City => (draw.pick(&world.cities).name.to_owned(), "PROPN"),
        })
        .collect();
    // `a` before a vowel would be wrong; the frames never need to know.
    for at in 1..words.len() {
        if words[at - 1].0 == "a" && words[at].0.starts_with(['a', 'e', 'i', 'o', 'u']) {
            words[at - 1].0 = "an".to_owned();
        }
    }
    if let Some(first) = words.first_mut() {
        first.0 = super::claims::sentence(&first.0);
    }
    Tagged(words)
}

/// A sentence of any frame.
pub(crate) fn everyday(world: &World, draw: &mut Draw) -> Tagged {
    let frame = draw.pick(FRAMES);
    fill(frame, world, draw)
}

/// The set: the same number of sentences of every frame; whole frames are held out.
pub(crate) fn table(world: &World) -> Table {
    let mut table = Table::new(&["text", "words", "tags", "template", "split"]);
    let mut draw = Draw::new(SEED, "pos");
    for frame in FRAMES {
        let mut said = std::collections::BTreeSet::new();
        while said.len() < 40 {
            let tagged = fill(frame, world, &mut draw);
            if said.insert(tagged.text()) {
                let [words, tags] = tagged.columns();
                table.push([
                    tagged.text(),
                    words,
                    tags,
                    frame.name.to_owned(),
                    frame.split.name().to_owned(),
                ]);
            }
        }
    }
    table
}
