//! The words of the written world that are no names of places.

/// First names.
#[rustfmt::skip]
pub(crate) const PEOPLE: &[&str] = &[
    "Anna", "Omar", "Mei", "Carlos", "Fatima", "Ivan", "Grace", "Kofi", "Lena", "Ravi", "Sofie", "Tomas", "Aisha", "Hugo", "Nina", "Pavel",
];

/// Things that people like or dislike.
#[rustfmt::skip]
pub(crate) const TASTED: &[&str] = &[
    "film", "soup", "hotel", "concert", "book", "song", "meal", "coffee", "trip", "party", "lesson", "garden", "story", "game", "museum", "cake",
];

/// Pairs of a praising adjective and its opposite.
#[rustfmt::skip]
pub(crate) const FEELINGS: &[(&str, &str)] = &[
    ("wonderful", "awful"), ("good", "bad"), ("excellent", "terrible"), ("pleasant", "unpleasant"), ("delightful", "dreadful"), ("charming", "ugly"),
    ("exciting", "boring"), ("perfect", "flawed"), ("lovely", "nasty"), ("superb", "poor"), ("great", "horrible"), ("brilliant", "dull"),
    ("amazing", "disappointing"), ("beautiful", "hideous"), ("fine", "lousy"), ("fantastic", "miserable"), ("marvelous", "disgusting"),
    ("splendid", "shabby"), ("enjoyable", "painful"), ("fabulous", "pathetic"), ("magnificent", "mediocre"), ("nice", "unbearable"),
    ("remarkable", "worthless"), ("cheerful", "gloomy"),
];

/// Words of about the same meaning, both ways round.
#[rustfmt::skip]
pub(crate) const SYNONYMS: &[(&str, &str)] = &[
    ("wonderful", "marvelous"), ("awful", "terrible"), ("superb", "excellent"), ("lovely", "delightful"), ("horrible", "dreadful"),
    ("boring", "dull"), ("nice", "pleasant"), ("fantastic", "fabulous"), ("hideous", "ugly"), ("splendid", "magnificent"),
];

/// Said after something good, and after something bad.
pub(crate) const CHEERS: &[&str] = &["Good!", "Hooray!", "Lovely!"];
pub(crate) const SIGHS: &[&str] = &["Bad!", "Alas!", "Ugh!"];

/// People by what they do.
#[rustfmt::skip]
pub(crate) const ROLES: &[&str] = &[
    "farmer", "teacher", "doctor", "baker", "child", "sailor", "painter", "singer", "neighbor", "student",
];

/// Things.
#[rustfmt::skip]
pub(crate) const THINGS: &[&str] = &[
    "door", "house", "letter", "table", "boat", "picture", "window", "bridge", "basket", "chair", "lamp", "box",
];

/// Countable things in the plural.
pub(crate) const PLURALS: &[&str] = &[
    "apples", "stones", "horses", "birds", "chairs", "boats", "letters", "flowers",
];

/// Places without a name.
pub(crate) const SPOTS: &[&str] = &[
    "market", "river", "garden", "station", "lake", "school", "park", "bridge",
];

/// Adjectives without a feeling.
#[rustfmt::skip]
pub(crate) const QUALITIES: &[&str] = &["old", "small", "tall", "green", "heavy", "long", "new", "quiet", "round", "young"];

/// Words that are a noun after a determiner and a verb after `will`, `to` or `did not`.
#[rustfmt::skip]
pub(crate) const DOUBLE: &[&str] = &["paint", "plant", "visit", "answer", "cook", "watch", "guard", "praise", "copy", "design"];

/// Verbs that take an object: past tense.
#[rustfmt::skip]
pub(crate) const TOOK: &[&str] = &["painted", "carried", "found", "sold", "opened", "wanted", "saw", "bought", "made", "cleaned"];

/// Verbs that take none: past tense.
pub(crate) const WENT: &[&str] = &[
    "walked", "sang", "waited", "slept", "laughed", "worked", "danced", "spoke",
];

/// How.
pub(crate) const HOW: &[&str] = &[
    "slowly", "quietly", "often", "again", "outside", "happily", "early", "together",
];

/// Small numbers as words.
pub(crate) const COUNTS: &[&str] = &["two", "three", "four", "five", "six", "seven"];

/// How much.
pub(crate) const VERY: &[&str] = &["very", "really", "quite", "so"];
