//! Is a run what its manifest says, and what its model computes?

use super::certificate::{relative_difference, tolerance, vectors};
use super::manifest::ShardCard;
use super::plan::Extraction;
use super::pool::Pool;
use super::reader::{Run, damaged};
use super::schema::{Dtype, Layout, item};
use super::shard::Shard;
use super::writer::hash;
use crate::error::{Error, Result};
use crate::text::tokens::Tokens;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::SeedableRng;
use rand::seq::index::sample;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::path::Path;

/// The rows that are computed again are drawn with this seed.
const SEED: u64 = 0;

/// What computing some rows again has shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recomputed {
    /// How many rows were computed again.
    pub rows: usize,
    /// How many of them are equal in every bit.
    pub equal: usize,
    /// The largest difference, relative to the largest number of its vector.
    pub largest_difference: f64,
}

/// Checks every shard against its hash, the schema and the number of rows that the manifest states.
///
/// # Errors
/// [`Error::NoSuchFile`] for a shard that is not there; [`Error::BadRun`] for one that is not what the manifest says.
pub fn check_shards(run: &Run) -> Result<()> {
    for shard in &run.manifest().shards {
        let path = run.path().join(&shard.file);
        let file = File::open(&path).map_err(|e| Error::io(&path, e))?;
        let (sha256, _) = hash(file).map_err(|e| Error::io(&path, e))?;
        if sha256 != shard.sha256 {
            return Err(Error::BadRun {
                path,
                problem: "its SHA-256 is not the one in the manifest: the shard was damaged or replaced; extract the run again".to_owned(),
            });
        }
        check_schema(run, shard, &path)?;
    }
    // Every shard says by now what the manifest says of it; together they must be the data.
    let examples: usize = run.manifest().shards.iter().map(|s| s.examples).sum();
    match examples == run.manifest().plan.data.examples {
        true => Ok(()),
        false => Err(Error::BadRun {
            path: run.path().to_owned(),
            problem: format!(
                "its shards hold {examples} of {} examples; extract the run again",
                run.manifest().plan.data.examples
            ),
        }),
    }
}

/// Columns, their types and the number of rows.
fn check_schema(run: &Run, shard: &ShardCard, path: &Path) -> Result<()> {
    let failed = |source| Error::Parquet {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
    let plan = &run.manifest().plan;
    let column = |name: &str| {
        let field = builder.schema().field_with_name(name);
        field.map_err(|_| damaged(path, name))
    };
    let layout = match plan.pool {
        Pool::None => Layout::Tokens,
        _ => Layout::Examples,
    };
    for field in layout.fields() {
        if column(field.name())?.data_type() != field.data_type() {
            return Err(damaged(path, field.name()));
        }
    }
    plan.data
        .columns
        .iter()
        .try_for_each(|name| column(name).map(|_| ()))?;
    for point in &plan.points {
        let width: usize = point.shape.iter().product();
        let expected = DataType::FixedSizeList(item(plan.dtype), width as i32);
        if column(&point.name)?.data_type() != &expected {
            return Err(damaged(path, &point.name));
        }
    }
    let rows = builder.metadata().file_metadata().num_rows();
    match usize::try_from(rows) == Ok(shard.rows) {
        true => Ok(()),
        false => Err(Error::BadRun {
            path: path.to_owned(),
            problem: format!(
                "the shard has {rows} rows where the manifest says {}; extract the run again",
                shard.rows
            ),
        }),
    }
}

/// Computes some rows again, drawn at random, each with the texts that passed the model beside it, and compares them with those stored. On
/// the machine that made the run they are equal in every bit; on another one, up to rounding.
///
/// # Errors
/// [`Error::BadRun`] if the plan is not the run's (another model, other data: the field is named) or a row differs.
pub fn recompute(run: &Run, plan: &Extraction<'_>, rows: usize) -> Result<Recomputed> {
    refuse_other_plan(run, plan)?;
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(SEED);
    let mut drawn: Vec<usize> = sample(&mut rng, run.rows(), rows.min(run.rows())).into_vec();
    drawn.sort_unstable();
    let mut result = Recomputed {
        rows: drawn.len(),
        equal: 0,
        largest_difference: 0.0,
    };
    let mut first_row = 0;
    for (i, card) in run.manifest().shards.iter().enumerate() {
        let here: Vec<usize> = drawn
            .iter()
            .filter(|row| (first_row..first_row + card.rows).contains(*row))
            .map(|row| row - first_row)
            .collect();
        first_row += card.rows;
        if !here.is_empty() {
            check_rows(run, plan, (i, card), &here, &mut result)?;
        }
    }
    Ok(result)
}

/// Whether this model and these data, each with its name, are those of the run. Names may differ, hashes not.
///
/// # Errors
/// [`Error::BadRun`], naming the one that is another.
pub fn refuse_other_inputs(
    run: &Run,
    (model, weights_sha256): (&str, &str),
    (data, data_sha256): (&str, &str),
) -> Result<()> {
    let stored = &run.manifest().plan;
    let problem = if weights_sha256 != stored.model.weights_sha256 {
        format!(
            "{model} is another model than the one that made the run: its weights have another SHA-256"
        )
    } else if data_sha256 != stored.data.sha256 {
        format!("{data} does not hold the data of the run: its SHA-256 is another")
    } else {
        return Ok(());
    };
    Err(Error::BadRun {
        path: run.path().to_owned(),
        problem,
    })
}

/// What the model and the data make of the run's plan must be that plan.
fn refuse_other_plan(run: &Run, plan: &Extraction<'_>) -> Result<()> {
    let stored = &run.manifest().plan;
    let shards = plan.shards(&plan.widths()?, &stored.pieces);
    let mut now = plan.manifest(&shards, stored.pieces)?.plan;
    now.model.name.clone_from(&stored.model.name);
    now.data.name.clone_from(&stored.data.name);
    match stored.difference(&now) {
        None => Ok(()),
        Some(field) => Err(Error::BadRun {
            path: run.path().to_owned(),
            problem: format!("{field} is not what the model and the data say"),
        }),
    }
}

/// Computes rows of one shard again.
fn check_rows(
    run: &Run,
    plan: &Extraction<'_>,
    (index, card): (usize, &ShardCard),
    rows: &[usize],
    result: &mut Recomputed,
) -> Result<()> {
    let examples = card.first_example..card.first_example + card.examples;
    let batch_tokens = run.manifest().plan.pieces.batch_tokens;
    let shard = Shard::open(plan, index, examples, batch_tokens, &[])?;
    let computed = computed_rows(plan, &shard, rows)?;
    let mut equal = vec![true; rows.len()];
    for (point, name) in run.point_names().iter().enumerate() {
        let stored = run.vectors_in(std::slice::from_ref(card), name)?;
        for (k, row) in rows.iter().enumerate() {
            let stored = &stored.values[row * stored.width..(row + 1) * stored.width];
            let computed = as_stored(&computed[k][point], plan.dtype);
            let difference = relative_difference(&computed, stored);
            let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
            equal[k] &= bits(&computed) == bits(stored);
            result.largest_difference = result.largest_difference.max(difference);
            if difference > tolerance(plan) {
                return Err(Error::BadRun {
                    path: run.path().join(&card.file),
                    problem: format!(
                        "row {row} of `{name}` is not what the model computes: it differs by {difference:.1e} of its largest number"
                    ),
                });
            }
        }
    }
    result.equal += equal.into_iter().filter(|e| *e).count();
    Ok(())
}

/// For each of these rows, its vector at every hook point, computed in the batch that it passed the model in.
fn computed_rows(
    plan: &Extraction<'_>,
    shard: &Shard,
    rows: &[usize],
) -> Result<Vec<Vec<Vec<f32>>>> {
    let mut batches: BTreeMap<usize, Vec<Vec<Vec<f32>>>> = BTreeMap::new();
    let mut computed = Vec::with_capacity(rows.len());
    for row in rows {
        let (example, nth) = shard.example_of(*row);
        let places = shard.batches.iter().enumerate();
        let place = places
            .filter_map(|(b, examples)| Some((b, examples.iter().position(|e| *e == example)?)))
            .next();
        // Every example is in a batch.
        let Some((batch, place)) = place else {
            continue;
        };
        if let Entry::Vacant(slot) = batches.entry(batch) {
            let examples = shard.batches[batch].iter();
            let (examples, texts): (Vec<usize>, Vec<Tokens>) = examples
                .map(|e| (shard.examples.start + e, shard.tokens[*e].clone()))
                .unzip();
            slot.insert(vectors(plan, &examples, &texts)?.values);
        }
        let of_example = batches[&batch][place].iter();
        computed.push(
            plan.widths()?
                .iter()
                .zip(of_example)
                .map(|((_, width), values)| values[nth * width..(nth + 1) * width].to_vec())
                .collect(),
        );
    }
    Ok(computed)
}

/// The numbers as they would be read back.
fn as_stored(values: &[f32], dtype: Dtype) -> Vec<f32> {
    match dtype {
        Dtype::F32 => values.to_vec(),
        Dtype::F16 => values
            .iter()
            .map(|v| half::f16::from_f32(*v).to_f32())
            .collect(),
    }
}
