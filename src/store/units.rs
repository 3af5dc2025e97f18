//! What a run without pooling holds rows of, put together: words and spans from the vectors of their tokens.

use super::pool::Mode;
use super::reader::{Run, Vectors, damaged, read_values};
use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::text::dataset::Values;
use crate::text::words::{Place, Subwords};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use std::ops::Range;

/// The tokens of a run without pooling: which text each row is of, and where it stands there.
#[derive(Debug)]
pub struct TokenRows {
    /// The row of the data file, ascending.
    pub example: Vec<u32>,
    /// The token's place in the text; `None` for one that stands for no text.
    pub spans: Vec<Option<Place>>,
    /// Whether the tokenizer added it.
    pub special: Vec<bool>,
}

impl TokenRows {
    /// The rows of a text, in order; empty if the run has none.
    pub fn of_example(&self, example: u32) -> Range<usize> {
        let first = self.example.partition_point(|e| *e < example);
        let end = self.example.partition_point(|e| *e <= example);
        first..end
    }
}

/// Units that a probe reads (texts, tokens, words, spans), each the rows of the run that it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// For each unit, its rows, ascending and not empty; units are in the order of their first rows' texts.
    pub rows: Vec<Vec<usize>>,
    /// How the vectors of several rows become one.
    pub subwords: Subwords,
}

impl Run {
    /// The tokens of a run without pooling.
    ///
    /// # Errors
    /// [`Error::BadRun`] for a pooled or damaged run.
    pub fn token_rows(&self) -> Result<TokenRows> {
        if self.manifest().plan.pool != super::Pool::None {
            return Err(Error::BadRun {
                path: self.path().to_owned(),
                problem: "it has one row a text, and words or tokens need one row a token; extract it with --pool none".to_owned(),
            });
        }
        let numbers = |name: &'static str| -> Result<Vec<Option<u32>>> {
            let mut all: Vec<Option<u32>> = Vec::new();
            self.each_array(&self.manifest().shards, name, |path, array| {
                let array = array.as_primitive_opt::<UInt32Type>();
                all.extend(array.ok_or_else(|| damaged(path, name))?);
                Ok(())
            })?;
            Ok(all)
        };
        let (starts, ends) = (numbers("char_start")?, numbers("char_end")?);
        let mut special = Vec::new();
        self.each_array(&self.manifest().shards, "special", |path, array| {
            let array = array.as_boolean_opt().filter(|a| a.null_count() == 0);
            let array = array.ok_or_else(|| damaged(path, "special"))?;
            special.extend(array.values().iter());
            Ok(())
        })?;
        let example = self.examples()?;
        match example.is_sorted() {
            true => Ok(TokenRows {
                spans: starts
                    .into_iter()
                    .zip(ends)
                    .map(|(s, e)| s.zip(e))
                    .collect(),
                example,
                special,
            }),
            false => Err(damaged(self.path(), "example")),
        }
    }

    /// The vectors of units at a hook point, one row a unit; of a point whose vectors are `[head, d_head]`, with `per_head`, each head by
    /// itself, named `blocks.3.attn_z.h5`. Memory holds these and one shard.
    ///
    /// # Errors
    /// As [`Run::vectors`].
    pub fn unit_vectors(
        &self,
        point: &str,
        units: &Units,
        per_head: bool,
    ) -> Result<Vec<(String, Vectors)>> {
        let names = self.unit_names(point, per_head)?;
        let mut parts: Vec<Vec<f32>> = vec![Vec::new(); names.len()];
        self.each_unit(point, units, per_head, |head, vector| {
            parts[head].extend_from_slice(vector);
            Ok(())
        })?;
        let width = self.unit_width(point, per_head)?;
        let vectors = parts.into_iter().map(|values| Vectors { width, values });
        Ok(names.into_iter().zip(vectors).collect())
    }

    /// Calls `take` with the vector of each unit, in order, and the number of its head (0 without `per_head`). Memory holds one shard.
    ///
    /// # Errors
    /// As [`Run::vectors`], and those of `take`.
    pub fn each_unit(
        &self,
        point: &str,
        units: &Units,
        per_head: bool,
        mut take: impl FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<()> {
        let own = self.unit_width(point, per_head)?.max(1);
        let (mut first, mut next) = (0, 0);
        for shard in &self.manifest().shards {
            let vectors = self.vectors_in(std::slice::from_ref(shard), point)?;
            let end = first + vectors.rows();
            while let Some(unit) = units
                .rows
                .get(next)
                .filter(|u| u.iter().all(|row| *row < end))
            {
                let rows: Vec<usize> = match unit.iter().map(|row| row.checked_sub(first)).collect()
                {
                    Some(rows) => rows,
                    // A text is in one shard.
                    None => return Err(damaged(self.path(), "example")),
                };
                let pooled = mode(units.subwords).apply(&vectors.values, vectors.width, &rows);
                for (head, vector) in pooled.chunks_exact(own).enumerate() {
                    take(head, vector)?;
                }
                next += 1;
            }
            first = end;
        }
        match next < units.rows.len() {
            true => Err(damaged(self.path(), "example")),
            false => Ok(()),
        }
    }

    /// Numbers in a vector of [`Run::unit_vectors`].
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`].
    pub fn unit_width(&self, point: &str, per_head: bool) -> Result<usize> {
        let shape = &self.point_card(point)?.shape;
        Ok(match shape[..] {
            [heads, width] if per_head && heads > 0 => width,
            _ => {
                let width = shape.iter().try_fold(1, |n: usize, d| n.checked_mul(*d));
                width.ok_or_else(|| damaged(self.path(), point))?
            }
        })
    }

    /// The names of what [`Run::unit_vectors`] gives.
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`].
    pub fn unit_names(&self, point: &str, per_head: bool) -> Result<Vec<String>> {
        let card = self.point_card(point)?;
        Ok(match card.shape[..] {
            [heads, _] if per_head && heads > 0 => {
                (0..heads).map(|head| format!("{point}.h{head}")).collect()
            }
            _ => vec![point.to_owned()],
        })
    }

    /// The cells of a carried column at some rows, ascending; memory holds no others.
    ///
    /// # Errors
    /// As [`Run::column`].
    pub fn column_at(&self, name: &str, rows: &[usize]) -> Result<Values> {
        self.refuse_unknown(name)?;
        let (mut first, mut next) = (0, 0);
        let mut picked: Option<Values> = None;
        self.each_array(&self.manifest().shards, name, |path, array| {
            let end = first + array.len();
            let here = rows.get(next..).unwrap_or_default();
            let here: Vec<usize> = here
                .iter()
                .take_while(|row| **row < end)
                .map(|row| row - first)
                .collect();
            next += here.len();
            first = end;
            let cells = read_values(array)
                .ok_or_else(|| damaged(path, name))?
                .select(&here);
            picked = Some(match picked.take() {
                None => cells,
                Some(before) => before
                    .followed_by(cells)
                    .ok_or_else(|| damaged(path, name))?,
            });
            Ok(())
        })?;
        picked
            .filter(|p| p.len() == rows.len())
            .ok_or_else(|| damaged(self.path(), name))
    }

    /// Every row of the run as a unit.
    pub fn row_units(&self) -> Units {
        Units {
            rows: (0..self.rows()).map(|row| vec![row]).collect(),
            subwords: Subwords::First,
        }
    }
}

/// The hook point and the head of a name that [`Run::unit_vectors`] gives.
pub fn point_and_head(name: &str) -> (&str, Option<usize>) {
    let head = name
        .rsplit_once(".h")
        .and_then(|(point, head)| Some((point, head.parse().ok()?)));
    match head {
        Some((point, head)) if point.parse::<HookPoint>().is_ok() => (point, Some(head)),
        _ => (name, None),
    }
}

fn mode(subwords: Subwords) -> Mode {
    match subwords {
        Subwords::First => Mode::Cls,
        Subwords::Last => Mode::Lasttoken,
        Subwords::Mean => Mode::Mean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_named_after_their_hook_point() {
        assert_eq!(
            point_and_head("blocks.3.attn_z.h5"),
            ("blocks.3.attn_z", Some(5))
        );
        assert_eq!(point_and_head("blocks.3.attn_z"), ("blocks.3.attn_z", None));
        assert_eq!(point_and_head("final_norm.hx"), ("final_norm.hx", None));
        assert_eq!(point_and_head("nowhere.h5"), ("nowhere.h5", None));
    }

    #[test]
    fn the_rows_of_a_text_stand_together() {
        let rows = TokenRows {
            example: vec![0, 0, 2, 2, 2],
            spans: vec![None; 5],
            special: vec![false; 5],
        };
        assert_eq!(rows.of_example(2), 2..5);
        assert_eq!(rows.of_example(1), 2..2);
        assert_eq!(rows.of_example(3), 5..5);
    }
}
