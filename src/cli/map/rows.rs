//! Which rows of a run become points, and what is known of them.

use super::Args;
use crate::analysis::neighbors::Rows;
use crate::analysis::probe::{group_ids, spelled};
use crate::analysis::reduce::Place;
use crate::error::{Error, Result};
use crate::report::map::{Layer, RowsCard};
use crate::store::{Pool, Run};
use crate::text::dataset::{Column, Values};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

/// Names that are written where none were asked for by name.
const NAMES: usize = 12;

/// The rows of each point, in the order of the run.
pub(super) struct Ground {
    members: Vec<Vec<usize>>,
    how: String,
    tokens: bool,
}

impl Ground {
    pub(super) fn read(args: &Args, run: &Run) -> Result<Self> {
        let tokens = run.manifest().plan.pool == Pool::None;
        if args.no_special && !tokens {
            return Err(Error::BadParameter {
                name: "no-special",
                value: "true".to_owned(),
                problem: "the run has one row a text, in which special tokens are pooled"
                    .to_owned(),
            });
        }
        let mut rows: Vec<usize> = (0..run.rows()).collect();
        let mut how = Vec::new();
        if args.no_special {
            let special = run.any_column("special")?;
            rows.retain(|row| spelled(&special, *row).as_deref() != Some("true"));
            how.push("without special tokens".to_owned());
        }
        let mut members: Vec<Vec<usize>> = match &args.mean_by {
            None => rows.into_iter().map(|row| vec![row]).collect(),
            Some(column) => {
                how.push(format!("means by {column}"));
                grouped(&group_ids(&run.any_column(column)?), &rows)
            }
        };
        if args.max_points < members.len() {
            let all = members.len();
            let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
            let mut drawn = index::sample(&mut rng, all, args.max_points).into_vec();
            drawn.sort_unstable();
            members = drawn
                .into_iter()
                .map(|i| std::mem::take(&mut members[i]))
                .collect();
            how.push(format!("drawn from {all} with the seed"));
        }
        Ok(Self {
            members,
            how: match how.is_empty() {
                true => "all".to_owned(),
                false => how.join(", "),
            },
            tokens,
        })
    }

    /// The number of points.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn card(&self, run: &Run) -> RowsCard {
        RowsCard {
            points: self.len(),
            of: run.rows(),
            how: self.how.clone(),
            unit: if self.tokens { "token" } else { "text" },
        }
    }

    /// The vector of each point: its row's, or the mean of its rows'.
    pub(super) fn vectors(&self, run: &Run, point: &str) -> Result<Rows> {
        let vectors = run.vectors(point)?;
        let width = vectors.width;
        let row = |row: usize| &vectors.values[row * width..(row + 1) * width];
        let mut data = Vec::with_capacity(self.len() * width);
        for members in &self.members {
            match members.as_slice() {
                [one] => data.extend_from_slice(row(*one)),
                many => data.extend((0..width).map(|i| {
                    let sum: f64 = many.iter().map(|m| f64::from(row(*m)[i])).sum();
                    (sum / many.len() as f64) as f32
                })),
            }
        }
        Rows::new(width, data)
    }

    /// The cell of each point; missing where its rows do not agree.
    pub(super) fn cells(&self, run: &Run, column: &str) -> Result<Values> {
        let values = run.any_column(column)?;
        let mut firsts: Vec<usize> = Vec::with_capacity(self.len());
        let mut mixed = Vec::new();
        for (point, members) in self.members.iter().enumerate() {
            firsts.push(members[0]);
            let first = spelled(&values, members[0]);
            if members.iter().any(|m| spelled(&values, *m) != first) {
                mixed.push(point);
            }
        }
        let mut cells = values.select(&firsts);
        mixed.into_iter().for_each(|point| cells.clear(point));
        Ok(cells)
    }

    /// The names of the points, where there is a column for them.
    pub(super) fn names(&self, args: &Args, run: &Run) -> Result<Vec<Option<String>>> {
        let column = match (&args.label_column, &args.labels) {
            (Some(column), _) => column,
            (None, Some(_)) if self.tokens => "token",
            (None, Some(_)) => {
                return Err(Error::BadParameter {
                    name: "labels",
                    value: args.labels.clone().unwrap_or_default(),
                    problem: "say which column holds the names: --label-column".to_owned(),
                });
            }
            (None, None) if self.tokens => "token",
            (None, None) => return Ok(vec![None; self.len()]),
        };
        let cells = self.cells(run, column)?;
        Ok((0..self.len()).map(|i| spelled(&cells, i)).collect())
    }

    /// What files say of each point: where it comes from, and the columns that were asked for.
    pub(super) fn about(&self, args: &Args, run: &Run) -> Result<Vec<Column>> {
        let mut names = match (self.tokens, &args.mean_by) {
            (_, Some(column)) => vec![column.clone()],
            (true, None) => ["example", "position", "token"].map(str::to_owned).into(),
            (false, None) => vec!["example".to_owned()],
        };
        for column in [&args.label_column, &args.color].into_iter().flatten() {
            if !names.contains(column) {
                names.push(column.clone());
            }
        }
        let column = |name: String| {
            Ok(Column {
                values: self.cells(run, &name)?,
                name,
            })
        };
        names.into_iter().map(column).collect()
    }
}

/// The rows of each group, groups in order of first appearance.
fn grouped(groups: &[usize], rows: &[usize]) -> Vec<Vec<usize>> {
    let count = groups.iter().max().map_or(0, |g| g + 1);
    let mut members = vec![Vec::new(); count];
    rows.iter().for_each(|row| members[groups[*row]].push(*row));
    members.retain(|m| !m.is_empty());
    members
}

/// Which points' names are written.
pub(super) enum Chosen {
    /// These points'.
    Points(Vec<usize>),
    /// Those of so many that are spread over the map.
    Spread(usize),
}

impl Chosen {
    /// What was asked for, with the points that have the names.
    pub(super) fn read(args: &Args, names: &[Option<String>]) -> Result<Self> {
        let Some(labels) = &args.labels else {
            let some = args.label_column.is_some();
            return Ok(Self::Spread(if some { NAMES } else { 0 }));
        };
        if let Ok(count) = labels.parse() {
            return Ok(Self::Spread(count));
        }
        let point = |wanted: &str| {
            let found = names.iter().position(|n| n.as_deref() == Some(wanted));
            found.ok_or_else(|| Error::BadParameter {
                name: "labels",
                value: wanted.to_owned(),
                problem: "no point has this name".to_owned(),
            })
        };
        let points = labels.split(',').map(|wanted| point(wanted.trim()));
        Ok(Self::Points(points.collect::<Result<_>>()?))
    }

    /// The names that are written, given all.
    pub(super) fn labels(&self, names: &[Option<String>], layer: &Layer) -> Vec<Option<String>> {
        let mut labels = vec![None; names.len()];
        let points = match self {
            Self::Points(points) => points.clone(),
            Self::Spread(count) => spread(names, &layer.places, *count),
        };
        for point in points {
            labels[point].clone_from(&names[point]);
        }
        labels
    }
}

/// Points with different names, the first the farthest from the middle, and each the farthest from all before it.
fn spread(names: &[Option<String>], places: &[Place], count: usize) -> Vec<usize> {
    let mut chosen = Vec::with_capacity(count.min(names.len()));
    let far = |a: Place, b: Place| (a[0] - b[0]).hypot(a[1] - b[1]);
    let n = places.len() as f32;
    let middle = [0, 1].map(|axis| places.iter().map(|p| p[axis]).sum::<f32>() / n);
    let mut distance: Vec<f32> = places.iter().map(|p| far(*p, middle)).collect();
    let mut taken = std::collections::HashSet::new();
    for step in 0..count {
        let free =
            (0..places.len()).filter(|i| names[*i].as_ref().is_some_and(|n| !taken.contains(n)));
        let Some(next) = free.max_by(|a, b| distance[*a].total_cmp(&distance[*b]).then(b.cmp(a)))
        else {
            break;
        };
        taken.extend(names[next].clone());
        chosen.push(next);
        for (d, place) in distance.iter_mut().zip(places) {
            let own = far(*place, places[next]);
            *d = if step == 0 { own } else { d.min(own) };
        }
    }
    chosen
}

/// What is said of each point on hover: its name, and what else is known.
pub(super) fn notes(names: &[Option<String>], about: &[Column]) -> Vec<Option<String>> {
    (0..names.len())
        .map(|i| {
            let cells = about.iter().filter_map(|column| {
                let cell = spelled(&column.values, i)?;
                Some(format!("{} {cell}", column.name))
            });
            let said: Vec<String> = names[i].clone().into_iter().chain(cells).collect();
            (!said.is_empty()).then(|| said.join(" · "))
        })
        .collect()
}
