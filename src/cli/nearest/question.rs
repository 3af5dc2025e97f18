//! What is asked for: from a token, a text, a row, a file or a sum to vectors.

use super::field::{Field, numbers, vocabulary};
use super::{Opened, SpaceArg};
use crate::analysis::neighbors::{Atom, Expression, Query, Space};
use crate::error::{Error, Result};
use crate::hook::{HookPoint, NoHook, Site};
use crate::model::Model;
use crate::store::{FileVectors, Pool, Run, TextVectors};
use crate::text::batch::Batch;
use candle_core::{Device, Tensor};
use std::path::Path;

/// One vector that is asked for.
pub(super) struct Question {
    pub(super) kind: &'static str,
    pub(super) label: String,
    parts: Vec<(f64, Vec<f32>)>,
    direction: bool,
    /// Given rows of the space that are part of the question.
    pub(super) without: Vec<usize>,
    pub(super) without_names: Vec<String>,
}

impl Question {
    fn new(kind: &'static str, label: String, vector: Vec<f32>) -> Self {
        Self {
            kind,
            label,
            parts: vec![(1.0, vector)],
            direction: false,
            without: Vec::new(),
            without_names: Vec::new(),
        }
    }

    fn leaves_out(mut self, row: Option<usize>, field: &Field) -> Self {
        if let Some(row) = row {
            self.without.push(row);
            self.without_names.push(field.name(row));
        }
        self
    }

    /// The vector in the coordinates of the space.
    pub(super) fn query(&self, space: &Space) -> Result<Query> {
        if self.direction {
            return space.direction(&self.parts[0].1);
        }
        let parts = self.parts.iter().map(|(f, v)| (*f, v.as_slice()));
        space.sum(&parts.collect::<Vec<_>>())
    }
}

/// The questions that were typed: one, or one a row of a file.
pub(super) fn read(opened: &Opened<'_>, field: &Field) -> Result<Vec<Question>> {
    let args = opened.args;
    if let Some(token) = &args.token {
        return Ok(vec![of_token(opened, field, token)?]);
    }
    if let Some(text) = &args.text {
        return Ok(vec![of_text(opened, text)?]);
    }
    if let Some(row) = args.row {
        return Ok(vec![of_row(opened, field, row)?]);
    }
    if let Some(expression) = &args.expr {
        return Ok(vec![of_sum(opened, field, expression)?]);
    }
    match &args.file {
        Some(file) => of_file(opened, file),
        None => Ok(Vec::new()),
    }
}

fn of_token(opened: &Opened<'_>, field: &Field, token: &str) -> Result<Question> {
    let mind = opened.mind()?;
    let id = mind.tokenizer.one_token(token)?;
    // In the space of a run's rows a token is what comes in.
    let space = opened.args.vocabulary().unwrap_or(SpaceArg::Embed);
    let (width, values) = vocabulary(mind, space)?;
    let first = id as usize * width;
    let vector = values.get(first..first + width);
    let vector = vector.ok_or_else(|| Error::BadParameter {
        name: "token",
        value: token.to_owned(),
        problem: format!("its id {id} is outside the model's vocabulary"),
    })?;
    let name = mind.tokenizer.id_to_token(id).unwrap_or_default();
    let label = match space {
        SpaceArg::Embed => format!("token “{name}”, input embedding"),
        SpaceArg::Unembed => format!("token “{name}”, output embedding"),
    };
    Ok(Question::new("token", label, vector.to_vec()).leaves_out(field.row_of_token(id), field))
}

fn of_text(opened: &Opened<'_>, text: &str) -> Result<Question> {
    let (mind, point) = (opened.mind()?, opened.point()?);
    let plan = opened.run.as_ref().map(|run| &run.manifest().plan);
    let pool = plan.map_or(&Pool::None, |plan| &plan.pool);
    let limit = pool.limit(mind.model.model.spec().context);
    let vectors = TextVectors::of(&mind.model, &mind.tokenizer, text, point, limit)?;
    let quoted = text.replace(char::is_control, " ");
    let (label, vector) = match (plan, opened.args.position) {
        (Some(plan), None) if plan.pool != Pool::None => (
            format!("“{quoted}” at {point}, pooled as the run"),
            vectors.pooled(&plan.pool, plan.special_tokens)?,
        ),
        (_, position) => {
            let (position, vector) = vectors.at(position.unwrap_or(-1))?;
            let token = &vectors.tokens.tokens[position];
            (
                format!("“{quoted}” at {point}, position {position} (“{token}”)"),
                vector.to_vec(),
            )
        }
    };
    Ok(Question::new("text", label, heard(opened, vector, point)?))
}

fn of_row(opened: &Opened<'_>, field: &Field, row: usize) -> Result<Question> {
    let (run, point) = (opened.run()?, opened.point()?);
    let vector = heard(opened, row_vector(opened, field, run, row)?, point)?;
    let label = format!("row {row} of {} at {point}", run.path().display());
    let own = opened.args.vocabulary().is_none().then_some(row);
    Ok(Question::new("row", label, vector).leaves_out(own, field))
}

/// A row of the run, from the space if it is that of the run.
fn row_vector(opened: &Opened<'_>, field: &Field, run: &Run, row: usize) -> Result<Vec<f32>> {
    if row >= run.rows() {
        return Err(Error::BadParameter {
            name: "row",
            value: row.to_string(),
            problem: format!("the run has {} rows, from 0", run.rows()),
        });
    }
    if opened.args.vocabulary().is_none() {
        return Ok(field.rows.row(row).to_vec());
    }
    let vectors = run.vectors(&opened.point()?.to_string())?;
    Ok(vectors.values[row * vectors.width..(row + 1) * vectors.width].to_vec())
}

fn of_sum(opened: &Opened<'_>, field: &Field, text: &str) -> Result<Question> {
    let expression = Expression::parse(text)?;
    let mut sum = Question::new(
        "expression",
        text.replace(char::is_control, " "),
        Vec::new(),
    );
    sum.parts.clear();
    for (factor, atom) in expression.parts() {
        let part = match atom {
            Atom::Token(token) => of_token(opened, field, token)?,
            Atom::Row(row) => of_row(opened, field, *row)?,
        };
        let vectors = part.parts.into_iter();
        sum.parts
            .extend(vectors.map(|(_, vector)| (*factor, vector)));
        sum.without.extend(part.without);
        sum.without_names.extend(part.without_names);
    }
    Ok(sum)
}

fn of_file(opened: &Opened<'_>, path: &Path) -> Result<Vec<Question>> {
    let file = FileVectors::read(path, opened.args.tensor.as_deref())?;
    let name = path.display();
    let several = file.vectors() > 1;
    let questions = file.values.chunks_exact(file.width).enumerate();
    Ok(questions
        .map(|(i, vector)| {
            let label = match several {
                true => format!("vector {i} of {name}"),
                false => format!("the vector of {name}"),
            };
            Question {
                direction: opened.args.direction,
                ..Question::new("file", label, vector.to_vec())
            }
        })
        .collect())
}

/// A vector of the model as its head hears it, where output embeddings are searched: the residual stream passes the final norm, and what
/// the head does before it compares. Everywhere else the vector is itself.
fn heard(opened: &Opened<'_>, vector: Vec<f32>, point: HookPoint) -> Result<Vec<f32>> {
    if opened.args.vocabulary() != Some(SpaceArg::Unembed) {
        return Ok(vector);
    }
    let model = &opened.mind()?.model.model;
    let x = Tensor::from_vec(vector.clone(), (1, vector.len()), &Device::Cpu)?;
    let normed = match point.site() {
        Site::ResidPre | Site::ResidMid | Site::ResidPost
            if vector.len() == model.spec().d_model =>
        {
            let batch = Batch::new(&[[0u32]])?;
            model.unembed(x, &batch, &mut NoHook)?.last
        }
        Site::FinalNorm => x,
        _ => return Ok(vector),
    };
    match model.head_input(&normed)? {
        Some(heard) => Ok(numbers(&heard)?.1),
        None => Ok(vector),
    }
}
