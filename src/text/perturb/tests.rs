//! Edits on texts of several scripts.

use super::*;
use crate::text::align::pieces;
use proptest::prelude::*;
use rand::SeedableRng;

const MEANS: Means<'static> = Means {
    mask: Some("[MASK]"),
    unk: Some("[UNK]"),
    synonyms: Some(&|word| (word == "film" || word == "фильм").then(|| "movie".to_owned())),
    prefix: "By the way,",
    suffix: "That is all.",
};

fn edited(edit: Edit, text: &str, seed: u64) -> Option<String> {
    edit.apply(text, &MEANS, &mut ChaCha8Rng::seed_from_u64(seed))
}

/// How many characters were changed: the larger of what went and what came, over all places.
fn changed(before: &str, after: &str) -> usize {
    let pieces = pieces(before, after);
    let changes = pieces.iter().filter(|p| !p.equal);
    changes.map(|p| p.before.len().max(p.after.len())).sum()
}

#[test]
fn every_edit_does_what_its_name_says() {
    let said = |edit, text: &str| edited(edit, text, 1).unwrap_or_else(|| "–".to_owned());
    assert_eq!(said(Edit::CaseUpper, "naïve фильм"), "NAÏVE ФИЛЬМ");
    assert_eq!(said(Edit::CaseLower, "no capitals"), "–");
    assert_eq!(said(Edit::CaseUpper, "电影很好"), "–");
    assert_eq!(said(Edit::Punctuation, "so, what"), "so what");
    assert_eq!(said(Edit::Punctuation, "电影很好"), "电影很好。");
    assert_eq!(said(Edit::Whitespace, "one two"), "one  two");
    assert_eq!(said(Edit::Whitespace, "电影"), "电 影");
    assert_eq!(said(Edit::Homoglyph, "o"), "о");
    assert_eq!(said(Edit::Homoglyph, "电影"), "–");
    assert_eq!(
        said(Edit::Diacritics, "Émile à l’école, мой ёж"),
        "Emile a l’ecole, мой еж"
    );
    assert_eq!(said(Edit::Diacritics, "b a d"), "b á d");
    assert_eq!(said(Edit::WordDrop, "two two"), "two");
    assert_eq!(said(Edit::WordSwap, "red, blue"), "blue, red");
    assert_eq!(said(Edit::WordOrder, "same same"), "–");
    assert_eq!(said(Edit::Negation, "It was good"), "It was not good");
    assert_eq!(said(Edit::Negation, "It was not good"), "It was good");
    assert_eq!(
        said(Edit::Negation, "Мне понравился фильм"),
        "Мне не понравился фильм"
    );
    assert_eq!(said(Edit::Negation, "这部电影很好"), "这部电影很不好");
    assert_eq!(said(Edit::Negation, "no verb here"), "–");
    assert_eq!(said(Edit::Synonym, "The Film ended"), "–");
    assert_eq!(said(Edit::Synonym, "the film ended"), "the movie ended");
    assert_eq!(said(Edit::Mask, "Word!"), "[MASK]!");
    assert_eq!(
        said(Edit::Truncate, "one two three, four."),
        "one two three"
    );
    assert_eq!(said(Edit::Truncate, "one"), "–");
    assert_eq!(said(Edit::Prefix, "x"), "By the way, x");
    assert_eq!(said(Edit::Number, "no digits"), "–");
    assert_eq!(said(Edit::TypoSwap, "aaa"), "–");
    assert_eq!(said(Edit::TypoKeyboard, "电影"), "–");
    assert_eq!(said(Edit::TypoSwap, "电影"), "影电");
    assert_eq!(said(Edit::TypoDouble, "ab").len(), 3);
    let renamed = said(Edit::Name, "ask Mary.");
    assert!(
        renamed.starts_with("ask ") && !renamed.contains("Mary"),
        "{renamed}"
    );
    let renamed = said(Edit::Name, "我叫小明。");
    assert!(
        !renamed.contains("小明") && renamed.chars().count() == 5,
        "{renamed}"
    );
    let other: u32 = said(Edit::Number, "in 1990")
        .trim_start_matches("in ")
        .parse()
        .unwrap();
    assert!((1000..10_000).contains(&other) && other != 1990);
}

#[test]
fn keyboards_know_what_lies_beside_a_key() {
    for seed in 0..20 {
        let typed = edited(Edit::TypoKeyboard, "gg", seed).unwrap();
        let new = typed.chars().find(|c| *c != 'g').unwrap();
        assert!("fhtyvb".contains(new), "{new}");
        let typed = edited(Edit::TypoKeyboard, "ПП", seed).unwrap();
        let new = typed.chars().find(|c| *c != 'П').unwrap();
        assert!("АРЕНМИ".contains(new), "{new}");
    }
}

#[test]
fn names_are_parsed_with_groups_and_suggestions() {
    assert_eq!(Edit::named("typo").unwrap().len(), 4);
    assert_eq!(Edit::named("all").unwrap(), Edit::ALL);
    for edit in Edit::ALL {
        assert_eq!(Edit::named(edit.name()).unwrap(), [edit]);
    }
    let error = Edit::named("tpyo-swap").unwrap_err().to_string();
    assert!(error.contains("did you mean `typo-swap`?"), "{error}");
}

#[test]
fn random_edits_change_as_many_characters_at_the_same_place() {
    let vocabulary = Vocabulary::of(["It is a bad film, it was 90 minutes", "плохой фильм"]);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (before, after) = ("It is a bad film", "It is a good film");
    let found = pieces(before, after);
    for _ in 0..20 {
        let random = vocabulary.random_edit(Null::Characters, before, after, &found, &mut rng);
        assert!(
            random.starts_with("It is a ") && random.ends_with(" film"),
            "{random}"
        );
        assert_eq!(random.chars().count(), after.chars().count());
        assert_ne!(random, after);
        let random = vocabulary.random_edit(Null::Words, before, after, &found, &mut rng);
        assert!(
            random.starts_with("It is a ") && random.ends_with(" film"),
            "{random}"
        );
        assert!(!random.contains("good"), "{random}");
    }
    // A word that was left out is exchanged, not left out.
    let found = pieces("плохой фильм", "фильм");
    let random =
        vocabulary.random_edit(Null::Characters, "плохой фильм", "фильм", &found, &mut rng);
    assert_eq!(random.chars().count(), 12);
    assert!(
        random.ends_with(" фильм") || random.ends_with("фильм"),
        "{random}"
    );
    assert_eq!(changed("плохой фильм", &random), 6);
}

proptest! {
    #[test]
    fn no_edit_breaks_a_text(text in "\\PC{0,40}", edit in 0usize..22, seed in 0u64..50) {
        let edit = Edit::ALL[edit];
        let made = edited(edit, &text, seed);
        prop_assert_eq!(&made, &edited(edit, &text, seed));
        if let Some(made) = made {
            prop_assert!(made != text && !made.trim().is_empty());
            let found = pieces(&text, &made);
            let vocabulary = Vocabulary::of([text.as_str()]);
            for null in [Null::Characters, Null::Words] {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                vocabulary.random_edit(null, &text, &made, &found, &mut rng);
            }
        }
    }
}
