//! What a result says in words and numbers: its tables, and where it comes from.

use super::values::{Cell, Cells, cells, flat};
use maud::{Markup, html};
use serde_json::Value;

/// A table shows this many rows and says how many there are.
const MOST_ROWS: usize = 300;

/// Every list of objects in the result as a table, every list of sentences as a list.
pub(super) fn tables(result: &Value, id: &str) -> Markup {
    let fields = result.as_object().into_iter().flatten();
    html! {
        @for (name, value) in fields {
            @match value {
                Value::Array(items) if items.iter().all(Value::is_object) => {
                    @if let Some(cells) = cells(&items[..items.len().min(MOST_ROWS)]) {
                        (table(&cells, &spoken(name), &format!("{id}-{name}")))
                        @if items.len() > MOST_ROWS {
                            p.note { "The first " (MOST_ROWS) " of " (items.len()) " rows." }
                        }
                    }
                }
                Value::Array(items) if name != "label" && items.iter().all(Value::is_string) => {
                    h3 { (spoken(name)) }
                    ul { @for item in items { li { (item.as_str().unwrap_or_default()) } } }
                }
                Value::Object(_) if name == "audit" => { (audit(value, id)) }
                _ => {}
            }
        }
    }
}

/// What was found before a probe was trained: leaks in words, and how much simple rules give away.
fn audit(found: &Value, id: &str) -> Markup {
    let leaks = found.get("leaks").and_then(Value::as_array);
    html! {
        h3 { "Leak audit" }
        @if leaks.is_none_or(Vec::is_empty) {
            p { "No leak was found." }
        }
        (tables(found, &format!("{id}-audit")))
    }
}

/// Everything else that the result says, folded away.
pub(super) fn provenance(result: &Value, folder: &str) -> Markup {
    let fields = result.as_object().into_iter().flatten();
    let rows = fields
        .filter(|(_, value)| !value.is_array())
        .flat_map(|(name, value)| flat(name, value));
    html! {
        details {
            summary { "How it was made" }
            dl {
                dt { "folder" } dd { (folder) }
                @for (name, cell) in rows { dt { (name) } dd { (cell.text) } }
            }
        }
    }
}

/// A table whose columns sort.
pub(super) fn table(cells: &Cells, caption: &str, id: &str) -> Markup {
    let numeric = |column: usize| cells.rows.iter().any(|r| r[column].number.is_some());
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby={ (id) "-caption" } {
            table.sortable {
                caption id={ (id) "-caption" } { (caption) }
                thead {
                    tr {
                        @for (i, column) in cells.columns.iter().enumerate() {
                            // The name once more for paper, where a browser does not repeat buttons on the next page.
                            th scope="col" class=[numeric(i).then_some("number")] data-name=(short(column)) {
                                button type="button" title=(column) { (short(column)) }
                            }
                        }
                    }
                }
                tbody {
                    @for row in &cells.rows {
                        tr {
                            @for cell in row {
                                td class=[class(cell)] data-sort=[cell.number] { (cell.text) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How a cell stands: numbers to the right, sentences with room.
fn class(cell: &Cell) -> Option<&'static str> {
    const SENTENCE: usize = 40;
    match cell.number {
        Some(_) => Some("number"),
        None if cell.text.chars().count() > SENTENCE => Some("sentence"),
        None => None,
    }
}

/// The name of a column in words, without the group that it is in.
fn short(column: &str) -> String {
    let group = ["metrics.", "controls.", "measures.", "counts.", "quality."];
    let name = group.iter().find_map(|group| column.strip_prefix(group));
    name.unwrap_or(column).replace(['_', '.'], " ")
}

/// `leak_audit` as words.
pub(super) fn spoken(name: &str) -> String {
    let mut words = name.replace(['_', '.'], " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}
