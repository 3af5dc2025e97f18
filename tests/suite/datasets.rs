//! The committed data sets are what the written world makes, and nothing in them gives the answer away.

#[path = "../../datasets/world/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the examples use the rest"
)]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use world::{Corpus, Lesson, SEED, Split, Table, World};

fn written() -> World {
    World::written().expect("the tables name only places of their own")
}

fn set(world: &World, wanted: &str) -> Table {
    let found = world::sets(world)
        .into_iter()
        .find(|(name, _)| *name == wanted);
    found.expect("a set of that name").1
}

/// The cells of some columns, row by row.
fn cells<const N: usize>(table: &Table, columns: [&str; N]) -> Vec<[String; N]> {
    let at = columns.map(|name| table.column(name).expect("a column of that name"));
    let pick = |row: &Vec<String>| at.map(|column| row[column].clone());
    table.rows().iter().map(pick).collect()
}

#[test]
fn the_committed_sets_are_the_ones_that_the_world_makes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets");
    for (name, table) in world::sets(&written()) {
        let committed = std::fs::read_to_string(folder.join(name)).expect("a committed set");
        assert!(
            committed == table.to_csv(),
            "datasets/{name} is not what the world makes; run `cargo run --release --example make_datasets -- datasets`"
        );
    }
}

#[test]
fn every_set_has_a_card_that_names_its_columns() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets");
    for (name, table) in world::sets(&written()) {
        let card = std::fs::read_to_string(folder.join(name).with_extension("md")).expect("a card");
        let count = format!("\n{} rows", table.rows().len());
        assert!(
            card.contains(&count),
            "the card of {name} does not say that it has {} rows",
            table.rows().len()
        );
        let header = table.to_csv();
        for column in header.lines().next().expect("a header").split(',') {
            assert!(
                card.contains(&format!("`{column}`")),
                "the card of {name} says nothing of `{column}`"
            );
        }
    }
}

#[test]
fn no_two_places_share_a_name() {
    let world = written();
    let mut seen = BTreeSet::new();
    let cities = world.cities.iter().map(|city| city.name);
    let countries = world.countries.iter().map(|country| country.name);
    let rivers = world.rivers.iter().map(|river| river.name);
    for name in cities.chain(countries).chain(rivers) {
        assert!(seen.insert(name), "{name} stands twice in the tables");
    }
}

#[test]
fn coordinates_and_distances_agree_with_an_atlas() {
    let world = written();
    let find = |name: &str| {
        world
            .cities
            .iter()
            .position(|city| city.name == name)
            .expect("a city")
    };
    // Great-circle distances as published for these pairs, in kilometres.
    for (a, b, kilometres) in [
        ("Paris", "London", 344.0),
        ("Moscow", "Vladivostok", 6430.0),
        ("Sydney", "Perth", 3290.0),
        ("Nairobi", "Cairo", 3530.0),
        ("Toronto", "Lima", 6310.0),
        ("Tokyo", "Beijing", 2100.0),
    ] {
        let distance = world.distance(find(a), find(b));
        assert!(
            (distance - kilometres).abs() < 0.02 * kilometres,
            "{a} to {b}: {distance} km"
        );
    }
    for city in &world.cities {
        assert!(
            (-90.0..=90.0).contains(&city.latitude) && (-180.0..=180.0).contains(&city.longitude),
            "{}",
            city.name
        );
    }
}

#[test]
fn no_city_lies_far_from_the_others_of_its_country() {
    let world = written();
    for country in world
        .countries
        .iter()
        .filter(|country| country.cities.len() > 1)
    {
        for &city in &country.cities {
            let others = country.cities.iter().filter(|&&other| other != city);
            let nearest = others
                .map(|&other| world.distance(city, other))
                .fold(f64::INFINITY, f64::min);
            // A slip of the pen in a coordinate or a sign puts a city farther out than Anchorage.
            assert!(
                nearest < 2400.0,
                "{}: {nearest} km",
                world.cities[city].name
            );
        }
    }
}

#[test]
fn no_word_of_a_statement_tells_whether_it_is_true() {
    let world = written();
    for name in ["truth.csv", "contrasts.csv"] {
        let statements = set(&world, name);
        let mut balance: BTreeMap<[String; 3], i64> = BTreeMap::new();
        let columns = ["text", "label", "polarity", "split"];
        for [text, label, polarity, split] in cells(&statements, columns) {
            let vote = if label == "true" { 1 } else { -1 };
            for word in text.trim_end_matches('.').split(' ') {
                let key = [split.clone(), polarity.clone(), word.to_owned()];
                *balance.entry(key).or_default() += vote;
            }
        }
        for (key, votes) in balance {
            assert_eq!(
                votes, 0,
                "{name}: {key:?} stands in {votes} more true statements than false ones"
            );
        }
    }
}

#[test]
fn of_a_pair_of_contrasts_one_is_true() {
    let mut pairs: BTreeMap<String, Vec<[String; 3]>> = BTreeMap::new();
    let columns = ["pair", "text", "label", "polarity"];
    for [pair, text, label, polarity] in cells(&set(&written(), "contrasts.csv"), columns) {
        pairs.entry(pair).or_default().push([text, label, polarity]);
    }
    for (pair, rows) in pairs {
        assert_eq!(rows.len(), 2, "pair {pair}: {rows:?}");
        assert!((0..3).all(|k| rows[0][k] != rows[1][k]), "{rows:?}");
    }
}

#[test]
fn a_group_stands_on_one_side_only() {
    let world = written();
    for (name, group) in [
        ("truth.csv", "entity"),
        ("contrasts.csv", "entity"),
        ("contrasts.csv", "pair"),
        ("places.csv", "name"),
        ("number.csv", "pair"),
        ("sentiment.csv", "pair"),
        ("pos.csv", "template"),
    ] {
        let mut side: BTreeMap<String, String> = BTreeMap::new();
        for [group, split] in cells(&set(&world, name), [group, "split"]) {
            let known = side.entry(group.clone()).or_insert_with(|| split.clone());
            assert_eq!(*known, split, "{name}: `{group}` stands on both sides");
        }
        let sides: BTreeSet<&String> = side.values().collect();
        assert_eq!(sides.len(), 2, "{name} has no held-out side");
    }
}

#[test]
fn the_coin_says_nothing_about_the_map() {
    let world = written();
    let heads: Vec<f64> = world
        .cities
        .iter()
        .map(|city| if city.heads { 1.0 } else { -1.0 })
        .collect();
    for coordinate in [
        |city: &world::City| city.latitude,
        |city: &world::City| city.longitude,
    ] {
        let values: Vec<f64> = world.cities.iter().map(coordinate).collect();
        let r = correlation(&heads, &values);
        assert!(r.abs() < 0.12, "the coin correlates with a coordinate: {r}");
    }
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product: f64 = a
        .iter()
        .zip(b)
        .map(|(x, y)| (x - mean_a) * (y - mean_b))
        .sum();
    let spread = |values: &[f64], mean: f64| {
        values
            .iter()
            .map(|x| (x - mean).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    product / (spread(a, mean_a) * spread(b, mean_b))
}

#[test]
fn the_corpus_never_judges_a_statement_of_the_test_side() {
    let world = written();
    let statements = ["truth.csv", "contrasts.csv"].map(|name| set(&world, name));
    let judged: BTreeSet<String> = statements
        .iter()
        .flat_map(|set| cells(set, ["text", "split"]))
        .filter(|[_, split]| split == "test")
        .map(|[text, _]| text)
        .collect();
    let mut corpus = Corpus::new(&world, SEED, Split::Train);
    for _ in 0..200_000 {
        let document = corpus.document(Lesson::All);
        for verdict in [" True.", " False."] {
            if let Some(statement) = document.strip_suffix(verdict) {
                assert!(
                    !judged.contains(statement),
                    "`{document}` gives away a held-out answer"
                );
            }
        }
    }
}

#[test]
fn the_corpus_never_states_a_direction_that_is_asked_for() {
    let world = written();
    let asked: BTreeSet<String> = cells(&set(&world, "truth.csv"), ["text", "topic"])
        .into_iter()
        .filter(|[_, topic]| topic == "direction")
        .map(|[text, _]| text)
        .collect();
    let mut corpus = Corpus::new(&world, SEED, Split::Train);
    for _ in 0..200_000 {
        let document = corpus.document(Lesson::All);
        assert!(
            !asked.contains(&document),
            "`{document}` is asked for in truth.csv"
        );
    }
}

#[test]
fn every_city_is_one_token_and_any_text_comes_back() {
    let world = written();
    let json = world::tokenizer_json(&world)
        .expect("a tokenizer")
        .to_string();
    let again = world::tokenizer_json(&world)
        .expect("a tokenizer")
        .to_string();
    assert_eq!(json, again, "the tokenizer is not the same twice");
    let tokenizer: tokenizers::Tokenizer =
        json.parse().expect("the format of the tokenizers library");
    assert!(tokenizer.get_vocab_size(true) <= 2000);
    let tokens = |text: &str| {
        tokenizer
            .encode(text, true)
            .expect("tokens")
            .get_ids()
            .to_vec()
    };
    for city in &world.cities {
        // The start of the text, five words and the question mark.
        assert_eq!(
            tokens(&format!("Is {} near the lake?", city.name)).len(),
            7,
            "{}",
            city.name
        );
    }
    for text in [
        "Paris is in France.",
        "caf\u{e9} \u{1f600} \u{4e2d}",
        "1234 + x_y",
        "Xyzzy",
    ] {
        assert_eq!(tokenizer.decode(&tokens(text), true).expect("text"), text);
    }
}

#[test]
fn the_first_lesson_judges_nothing() {
    let world = written();
    let mut corpus = Corpus::new(&world, SEED, Split::Train);
    for _ in 0..20_000 {
        let document = corpus.document(Lesson::Facts);
        for verdict in [" True.", " False.", " Yes.", " No."] {
            assert!(!document.ends_with(verdict), "{document}");
        }
    }
}

#[test]
fn words_and_tags_of_a_sentence_are_as_many_and_spell_it() {
    for [text, words, tags] in cells(&set(&written(), "pos.csv"), ["text", "words", "tags"]) {
        assert_eq!(words.split(' ').count(), tags.split(' ').count(), "{text}");
        assert_eq!(words.replace(' ', ""), text.replace(' ', ""));
    }
}

#[test]
fn the_same_seed_tells_the_same_story_and_another_seed_another() {
    let world = written();
    let tell = |seed| {
        let mut corpus = Corpus::new(&world, seed, Split::Train);
        (0..50)
            .map(|_| corpus.document(Lesson::All))
            .collect::<Vec<_>>()
    };
    assert_eq!(tell(1), tell(1));
    assert_ne!(tell(1), tell(2));
}
