//! `docs/json.md` against what the commands print: every field that is printed is documented with its type, and every field
//! that is documented is printed.

use crate::support::document::{commands, shell, tables};
use crate::support::json;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The fields of an object: their names, and the type as it is written.
type Fields = BTreeMap<String, String>;

/// What the page says, what was printed, and where the two differ.
struct Schema {
    objects: BTreeMap<String, Fields>,
    seen: BTreeSet<(String, String)>,
    wrong: BTreeSet<String>,
}

impl Schema {
    fn read(page: &str) -> Self {
        let plain = |cell: &str| {
            let mut text = String::new();
            let mut inside_target = false;
            for c in cell.chars() {
                match c {
                    '(' => inside_target = true,
                    ')' => inside_target = false,
                    '[' | ']' | '`' => {}
                    c if !inside_target => text.push(c),
                    _ => {}
                }
            }
            text.trim().to_owned()
        };
        let objects = tables(page).into_iter().map(|(name, rows)| {
            let fields = rows.iter().map(|row| (plain(&row[0]), plain(&row[1])));
            (name, fields.collect())
        });
        Self {
            objects: objects.collect(),
            seen: BTreeSet::new(),
            wrong: BTreeSet::new(),
        }
    }

    fn check(&mut self, value: &Value, kind: &str, place: &str) {
        let kind = kind.trim_end_matches(" ?");
        if let Some(kind) = kind.strip_suffix(" or null") {
            if !value.is_null() {
                self.check(value, kind, place);
            }
            return;
        }
        let right = match (kind, value) {
            ("anything", _) | ("text", Value::String(_)) | ("boolean", Value::Bool(_)) => true,
            ("integer", Value::Number(n)) => n.is_u64() || n.is_i64(),
            ("number", Value::Number(_)) => true,
            _ => return self.check_parts(value, kind, place),
        };
        if !right {
            self.wrong.insert(format!("{place} is no {kind}: {value}"));
        }
    }

    fn check_parts(&mut self, value: &Value, kind: &str, place: &str) {
        match (value, kind.split_once(" of "), self.objects.get(kind)) {
            (Value::Array(parts), Some(("list", inner)), _) => {
                for part in parts {
                    self.check(part, inner, &format!("{place}[]"));
                }
            }
            (Value::Object(parts), Some(("map", inner)), _) => {
                for part in parts.values() {
                    self.check(part, inner, &format!("{place}.*"));
                }
            }
            (Value::Object(parts), None, Some(fields)) => {
                let fields = fields.clone();
                for (field, part) in parts {
                    self.seen.insert((kind.to_owned(), field.clone()));
                    let place = format!("{place}.{field}");
                    match fields.get(field) {
                        Some(inner) => self.check(part, inner, &place),
                        None => {
                            self.wrong.insert(format!("{place} is not documented"));
                        }
                    }
                }
            }
            _ => {
                self.wrong.insert(format!("{place} is no {kind}: {value}"));
            }
        }
    }

    /// Documented fields that nothing printed, of those that the page says the commands print.
    fn never_printed(&self) -> Vec<String> {
        let fields = self.objects.iter().flat_map(|(object, fields)| {
            let promised = fields.iter().filter(|(_, kind)| !kind.ends_with(" ?"));
            promised.map(move |(field, _)| (object.clone(), field.clone()))
        });
        let missing = fields.filter(|field| !self.seen.contains(field));
        missing
            .map(|(object, field)| format!("{object}: {field}"))
            .collect()
    }
}

#[test]
fn the_page_says_what_the_commands_print_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/json.md")).unwrap();
    let mut schema = Schema::read(&page);
    let desk = tempfile::tempdir().unwrap();
    for (section, line) in commands(&page) {
        let printed = shell(desk.path(), &line);
        if line.ends_with(" --json") {
            let object = match section.as_str() {
                "plumb merge" => "plumb extract",
                other => other,
            };
            schema.check(&json(&printed), object, &section);
        }
    }
    assert_eq!(
        schema.wrong,
        BTreeSet::new(),
        "printed, but not as documented"
    );
    assert_eq!(
        schema.never_printed(),
        Vec::<String>::new(),
        "documented, but not printed"
    );
}

#[test]
fn every_command_with_json_has_a_section() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/json.md")).unwrap();
    let desk = tempfile::tempdir().unwrap();
    let help = shell(desk.path(), "plumb --help");
    let listed = help.lines().skip_while(|l| *l != "Commands:").skip(1);
    let names = listed
        .take_while(|l| l.starts_with("  "))
        .filter_map(|l| l.split_whitespace().next());
    let mut count = 0;
    for name in names.filter(|n| *n != "help") {
        let options = shell(desk.path(), &format!("plumb {name} --help"));
        if options.contains("--json") {
            count += 1;
            assert!(page.contains(&format!("\n## plumb {name}\n")), "{name}");
        }
    }
    assert!(count >= 13, "{count} commands print JSON");
}
