//! Sentences that end in the name of a city, and the set `places.csv`.

use super::{Table, World};

/// What may stand before the name. Every one ends in a word that only a place can follow.
pub(crate) const VISITS: &[(&str, &str)] = &[
    ("lives", "She lives in"),
    ("train", "The train goes to"),
    ("from", "My friend comes from"),
    ("moved", "They moved to"),
];

/// The set: every city in every sentence, with what is known of it and the coin that nobody was told.
pub(crate) fn table(world: &World) -> Table {
    let mut table = Table::new(&[
        "text",
        "name",
        "latitude",
        "longitude",
        "country",
        "continent",
        "coin",
        "template",
        "split",
    ]);
    for city in &world.cities {
        for (template, before) in VISITS {
            table.push([
                format!("{before} {}", city.name),
                city.name.to_owned(),
                format!("{:.1}", city.latitude),
                format!("{:.1}", city.longitude),
                world.countries[city.country].name.to_owned(),
                city.continent.name().to_owned(),
                if city.heads { "heads" } else { "tails" }.to_owned(),
                (*template).to_owned(),
                city.split.name().to_owned(),
            ]);
        }
    }
    table
}
