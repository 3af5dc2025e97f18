//! Recipes: a question to a model, written down whole.
//!
//! A recipe (`probes/*.toml`) names the concept, the data, the label, the position that is read and what the answer is checked against; it becomes
//! the command lines of `plumb extract` and `plumb probe`.

use crate::error::{Error, Result, nearest_name};
use serde::Deserialize;
use std::path::{Component, Path, PathBuf};

/// The keys of a recipe.
const KEYS: [&str; 23] = [
    "concept",
    "question",
    "model",
    "data",
    "text_column",
    "points",
    "position",
    "subwords",
    "words_column",
    "span_columns",
    "span_column",
    "per_head",
    "label",
    "kind",
    "kinds",
    "lambda",
    "group",
    "split_column",
    "where",
    "pair_column",
    "polarity_column",
    "seed",
    "controls",
];
/// The keys of its table `controls`.
const CONTROLS: [&str; 5] = ["shuffles", "control_tasks", "entity", "template", "only"];

/// What a probe is asked, of which model and texts, and how.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Recipe {
    /// What is looked for, in a word.
    pub concept: String,
    /// The question in a sentence.
    #[serde(default)]
    pub question: String,
    /// The model, as `--model` takes it.
    #[serde(default = "builtin")]
    pub model: String,
    /// The data file, from the recipe's folder.
    pub data: PathBuf,
    /// The column of the texts.
    #[serde(default)]
    pub text_column: Option<String>,
    /// Hook points, as `--points` takes them.
    #[serde(default)]
    pub points: Option<String>,
    /// What is read of a text: one vector (`last`, `mean`, `first`, `max`, `model`), or every `token`, `word` or `span`.
    pub position: String,
    /// How the tokens of a word or span become one vector.
    #[serde(default)]
    pub subwords: Option<String>,
    /// The column with the words of each text.
    #[serde(default)]
    pub words_column: Option<String>,
    /// The columns with the ends of the span.
    #[serde(default)]
    pub span_columns: Option<Names>,
    /// The column with the entity.
    #[serde(default)]
    pub span_column: Option<String>,
    /// Whether every head is read by itself.
    #[serde(default)]
    pub per_head: bool,
    /// The label column, or several numeric ones.
    pub label: Names,
    /// The kind of probe.
    #[serde(default)]
    pub kind: Option<String>,
    /// Several kinds.
    #[serde(default)]
    pub kinds: Option<Names>,
    /// The penalty; chosen by folds without one.
    #[serde(default)]
    pub lambda: Option<f64>,
    /// The column whose equal values stay together.
    #[serde(default)]
    pub group: Option<String>,
    /// The column with the split.
    #[serde(default)]
    pub split_column: Option<String>,
    /// Only rows with this value of a column (`column=value`).
    #[serde(default, rename = "where")]
    pub only: Option<String>,
    /// The column of pairs.
    #[serde(default)]
    pub pair_column: Option<String>,
    /// The column of polarity.
    #[serde(default)]
    pub polarity_column: Option<String>,
    /// The one seed.
    #[serde(default)]
    pub seed: Option<u64>,
    /// What the answer is checked against.
    #[serde(default)]
    pub controls: Controls,
}

/// One name or a list of them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Names {
    fn joined(&self) -> String {
        match self {
            Names::One(name) => name.clone(),
            Names::Several(names) => names.join(","),
        }
    }
}

/// The table `controls`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Controls {
    /// Probes on shuffled labels.
    #[serde(default)]
    pub shuffles: Option<usize>,
    /// Control tasks.
    #[serde(default)]
    pub control_tasks: Option<usize>,
    /// The column with what a row is about.
    #[serde(default)]
    pub entity: Option<String>,
    /// The column with the template of a text.
    #[serde(default)]
    pub template: Option<String>,
    /// The probes of something else to compare with, as `--controls` takes them; all of them without it.
    #[serde(default)]
    pub only: Option<Names>,
}

impl Controls {
    fn give(&self, words: &mut Line) {
        let number = |n: Option<usize>| n.map(|n| n.to_string());
        words.give("--shuffles", number(self.shuffles).as_ref());
        words.give("--control-tasks", number(self.control_tasks).as_ref());
        words.give("--entity", self.entity.as_ref());
        words.give("--template", self.template.as_ref());
        words.give("--controls", self.only.as_ref().map(Names::joined).as_ref());
    }
}

fn builtin() -> String {
    "builtin".to_owned()
}

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`], [`Error::Io`]; [`Error::Malformed`] for a file that is no TOML, an unknown key (with the nearest known one), a key of
    /// another type, or one that is missing.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let mut recipe = Self::parse(&text).map_err(|problem| Error::Malformed {
            path: path.to_owned(),
            problem,
        })?;
        if let Some(folder) = path.parent() {
            recipe.data = tidied(&folder.join(&recipe.data));
        }
        Ok(recipe)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| one_line(&e))?;
        known("", table.keys(), &KEYS)?;
        if let Some(toml::Value::Table(controls)) = table.get("controls") {
            known("controls.", controls.keys(), &CONTROLS)?;
        }
        if let Some(value) = table.iter().find(|(k, v)| v.is_table() && *k != "controls") {
            return Err(format!("`{}` is not a table", value.0));
        }
        let recipe: Self = table
            .try_into()
            .map_err(|e: toml::de::Error| one_line(&e))?;
        let positions = [
            "last", "mean", "first", "max", "model", "token", "word", "span",
        ]
        .map(str::to_owned);
        match positions.contains(&recipe.position) {
            true => Ok(recipe),
            false => Err(format!(
                "position = `{}`{}; the positions are {}",
                recipe.position,
                suggestion(&recipe.position, &positions),
                positions.join(", ")
            )),
        }
    }

    /// Whether every token of a text has a row.
    fn is_unpooled(&self) -> bool {
        matches!(self.position.as_str(), "token" | "word" | "span")
    }

    /// What follows `plumb extract`, to make the run in `out`.
    pub fn extract_arguments(&self, out: &Path) -> Vec<String> {
        let pool = if self.is_unpooled() {
            "none"
        } else {
            &self.position
        };
        let mut words = Line::default();
        words.give("--model", Some(&self.model));
        words.give("--data", Some(&self.data.display().to_string()));
        words.give("--text-column", self.text_column.as_ref());
        words.give("--points", self.points.as_ref());
        words.give("--pool", Some(&pool.to_owned()));
        words.give("--out", Some(&out.display().to_string()));
        words.0
    }

    /// What follows `plumb probe`, to probe the run in `run`.
    pub fn probe_arguments(&self, run: &Path, out: &Path) -> Vec<String> {
        let mut words = Line(vec![run.display().to_string()]);
        words.give("--label", Some(&self.label.joined()));
        words.give("--unit", self.is_unpooled().then_some(&self.position));
        words.give("--subwords", self.subwords.as_ref());
        words.give("--words-column", self.words_column.as_ref());
        words.give(
            "--span-columns",
            self.span_columns.as_ref().map(Names::joined).as_ref(),
        );
        words.give("--span-column", self.span_column.as_ref());
        if self.per_head {
            words.0.push("--per-head".to_owned());
        }
        words.give("--kind", self.kind.as_ref());
        words.give("--kinds", self.kinds.as_ref().map(Names::joined).as_ref());
        words.give("--lambda", self.lambda.map(|l| l.to_string()).as_ref());
        words.give("--group", self.group.as_ref());
        words.give("--split-column", self.split_column.as_ref());
        words.give("--where", self.only.as_ref());
        words.give("--pair-column", self.pair_column.as_ref());
        words.give("--polarity-column", self.polarity_column.as_ref());
        words.give("--seed", self.seed.map(|s| s.to_string()).as_ref());
        self.controls.give(&mut words);
        words.give("--out", Some(&out.display().to_string()));
        words.0
    }
}

/// `probes/../datasets/a.csv` as `datasets/a.csv`.
fn tidied(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        let named = matches!(tidy.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::ParentDir if named => {
                tidy.pop();
            }
            Component::CurDir => {}
            other => tidy.push(other),
        }
    }
    tidy
}

/// The words of a command line.
#[derive(Default)]
struct Line(Vec<String>);

impl Line {
    fn give(&mut self, option: &str, value: Option<&String>) {
        if let Some(value) = value {
            // With `=`, a value may begin with a dash.
            self.0.push(match value.starts_with('-') {
                true => format!("{option}={value}"),
                false => option.to_owned(),
            });
            self.0
                .extend((!value.starts_with('-')).then(|| value.clone()));
        }
    }
}

fn known<'a>(
    prefix: &str,
    keys: impl Iterator<Item = &'a String>,
    known: &[&str],
) -> Result<(), String> {
    let known: Vec<String> = known.iter().map(|k| (*k).to_owned()).collect();
    let mut unknown = keys.filter(|key| !known.contains(key));
    match unknown.next() {
        None => Ok(()),
        Some(key) => Err(format!(
            "there is no key `{prefix}{key}`{}; the keys are {}",
            suggestion(key, &known),
            known.join(", ")
        )),
    }
}

fn suggestion(word: &str, known: &[String]) -> String {
    nearest_name(word, known).map_or(String::new(), |near| format!(", did you mean `{near}`?"))
}

/// The parser's message without the picture of the place under it.
fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: &str =
        "concept = \"truth\"\ndata = \"truth.csv\"\nposition = \"last\"\nlabel = \"label\"\n";

    #[test]
    fn a_recipe_becomes_two_command_lines() {
        let text = format!("{TRUTH}group = \"entity\"\nlambda = 0.01\n[controls]\nshuffles = 3\n");
        let recipe = Recipe::parse(&text).unwrap();
        let (run, out) = (Path::new("o/run"), Path::new("o/probe"));
        assert_eq!(
            recipe.extract_arguments(run).join(" "),
            "--model builtin --data truth.csv --pool last --out o/run"
        );
        assert_eq!(
            recipe.probe_arguments(run, out).join(" "),
            "o/run --label label --lambda 0.01 --group entity --shuffles 3 --out o/probe"
        );
        let words = TRUTH
            .replace("last", "word")
            .replace("\"label\"", "[\"a\", \"b\"]");
        let recipe = Recipe::parse(&words).unwrap();
        assert!(
            recipe
                .extract_arguments(run)
                .join(" ")
                .contains("--pool none")
        );
        assert!(
            recipe
                .probe_arguments(run, out)
                .join(" ")
                .contains("--label a,b --unit word")
        );
    }

    #[test]
    fn paths_are_said_without_detours() {
        for (path, tidy) in [
            ("probes/../datasets/a.csv", "datasets/a.csv"),
            ("../a/./b.csv", "../a/b.csv"),
            ("a/../../b.csv", "../b.csv"),
            ("/x/../b.csv", "/b.csv"),
        ] {
            assert_eq!(tidied(Path::new(path)), Path::new(tidy));
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_meant() {
        let problem = |text: &str| Recipe::parse(text).unwrap_err();
        let unknown = problem(&format!("{TRUTH}grup = \"x\"\n"));
        assert!(
            unknown.starts_with("there is no key `grup`, did you mean `group`?"),
            "{unknown}"
        );
        let unknown = problem(&format!("{TRUTH}[controls]\nshufles = 1\n"));
        assert!(
            unknown.contains("`controls.shufles`, did you mean `shuffles`?"),
            "{unknown}"
        );
        assert!(problem(&TRUTH.replace("last", "lasst")).contains("did you mean `last`?"));
        assert!(problem("concept = \"truth\"\n").contains("missing field `data`"));
        assert!(problem(&format!("{TRUTH}lambda = \"much\"\n")).contains("invalid type"));
        assert!(problem("concept = ").len() > 5);
        assert!(problem(&format!("{TRUTH}[group]\nx = 1\n")).contains("`group` is not a table"));
        for text in [TRUTH, "concept = ", "concept = 3"] {
            let _ = Recipe::parse(text).map_err(|e| assert_eq!(e.lines().count(), 1));
        }
    }
}
