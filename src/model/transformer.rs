//! The forward pass, in three stages, pushing what passes each hook point to a hook.

use super::block::Block;
use super::head::{Head, Pooler};
use super::linear::Linear;
use super::norm::Norm;
use super::ops;
use super::pass::{Pass, visit};
use super::position::{Bias, Rotation, learned_rows};
use super::spec::{ArchSpec, Position, Project};
use super::weights::Weights;
use crate::error::{Error, Result};
use crate::hook::{At, Depth, Hook, HookPoint, Site};
use crate::text::batch::Batch;
use candle_core::{Device, Tensor};
use std::ops::Range;

/// What a forward pass leaves.
#[derive(Debug, Clone)]
pub struct Output {
    /// The stream after the final norm (or after the last block, where there is none), `[tokens, d_model]`.
    pub last: Tensor,
    /// The pooler's output, `[texts, d_model]`, texts in the order of the batch's segments; `None` without a pooler.
    pub pooled: Option<Tensor>,
    /// The head's output, `[tokens, vocab]` or `[texts, classes]`; `None` without a head, or when the hook needs none.
    pub logits: Option<Tensor>,
}

/// A transformer that can be run stage by stage: lenses, patching and restarts enter between the stages.
pub trait Model {
    /// What it is made of.
    fn spec(&self) -> &ArchSpec;

    /// From token ids to what block 0 reads, `[tokens, d_model]` (before the hook at `blocks.0.resid_pre`).
    ///
    /// # Errors
    /// [`Error::BadText`] for a token id outside the vocabulary, [`Error::TooLong`] for a text beyond the context.
    fn embed(&self, batch: &Batch, hook: &mut dyn Hook) -> Result<Tensor>;

    /// Runs some of the blocks on the stream.
    fn blocks(
        &self,
        resid: Tensor,
        layers: Range<usize>,
        batch: &Batch,
        hook: &mut dyn Hook,
    ) -> Result<Tensor>;

    /// The final norm and the head on the stream; the head only if the hook needs it.
    fn unembed(&self, resid: Tensor, batch: &Batch, hook: &mut dyn Hook) -> Result<Output>;

    /// All three stages, as far as the hook needs them: `None` if it stopped before the final norm.
    fn forward(&self, batch: &Batch, hook: &mut dyn Hook) -> Result<Option<Output>> {
        let depth = hook.depth();
        let resid = self.embed(batch, hook)?;
        let n_layers = self.spec().n_layers;
        let (layers, stop) = match depth {
            // What block 0 reads is pushed by the block.
            Depth::Embed => {
                let point = HookPoint::at(Some(0), Site::ResidPre);
                let segments = batch.segments();
                visit(At { point, segments }, resid, hook)?;
                return Ok(None);
            }
            Depth::Block(layer) => (0..n_layers.min(layer + 1), true),
            Depth::FinalNorm | Depth::Head => (0..n_layers, false),
        };
        let resid = self.blocks(resid, layers, batch, hook)?;
        match stop {
            true => Ok(None),
            false => Ok(Some(self.unembed(resid, batch, hook)?)),
        }
    }
}

/// The one implementation: blocks that an [`ArchSpec`] configures.
#[derive(Debug, Clone)]
pub struct Transformer {
    spec: ArchSpec,
    embed: Tensor,
    positions: Option<Tensor>,
    token_type: Option<Tensor>,
    embed_norm: Option<Norm>,
    project_in: Option<Linear>,
    score_bias: Option<Bias>,
    blocks: Vec<Block>,
    final_norm: Option<Norm>,
    project_out: Option<Linear>,
    pooler: Option<Pooler>,
    head: Head,
}

impl Transformer {
    /// Takes the weights of this architecture from a source. Every weight that the architecture has is asked for, and no
    /// other.
    ///
    /// # Errors
    /// [`Error::MissingWeight`], [`Error::WrongShape`].
    pub fn build(spec: ArchSpec, weights: &mut dyn Weights) -> Result<Self> {
        ops::keep_buffers();
        let (d, summed) = (spec.d_model, spec.summed_width());
        let embed = weights.get("embed.tokens.weight", &[spec.vocab, spec.embed.width])?;
        let positions = match spec.embed.position {
            Position::None => None,
            Position::Learned { offset, .. } => {
                let shape = [spec.context + offset, summed];
                Some(weights.get("embed.positions.weight", &shape)?)
            }
        };
        let token_type = match spec.embed.types {
            0 => None,
            // Every text is of type 0, as transformers assumes where it is not told otherwise.
            n => Some(
                weights
                    .get("embed.types.weight", &[n, summed])?
                    .narrow(0, 0, 1)?,
            ),
        };
        let norm = |there: bool, name: &str, width, weights: &mut dyn Weights| match there {
            true => Norm::load(name, width, spec.norm, weights).map(Some),
            false => Ok(None),
        };
        let embed_norm = norm(spec.embed.norm, "embed.norm", summed, weights)?;
        let mut project =
            |name: &str, shape, bias| Linear::load(name, shape, bias, weights).map(Some);
        let project_in = match spec.embed.project {
            Project::None => None,
            Project::Tokens => project("embed.project", (d, spec.embed.width), false)?,
            Project::Sum => project("embed.project", (d, spec.embed.width), true)?,
        };
        let project_out = match spec.project_out {
            true => project("project_out", (spec.embed.width, d), false)?,
            false => None,
        };
        let score_bias = Bias::load(&spec, weights)?;
        let blocks = (0..spec.n_layers)
            .map(|layer| Block::load(layer, &spec, weights))
            .collect::<Result<_>>()?;
        let final_norm = norm(spec.final_norm, "final_norm", d, weights)?;
        let pooler = match spec.pooler {
            true => Some(Pooler::load(&spec, weights)?),
            false => None,
        };
        let head = Head::load(&spec, &embed, weights)?;
        Ok(Self {
            embed,
            positions,
            token_type,
            embed_norm,
            project_in,
            score_bias,
            blocks,
            final_norm,
            project_out,
            pooler,
            head,
            spec,
        })
    }

    /// The token embeddings, `[vocab, d_model]` (or another width, where they are factorised).
    pub fn embedding(&self) -> &Tensor {
        &self.embed
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    pub(super) fn final_norm(&self) -> Option<&Norm> {
        self.final_norm.as_ref()
    }

    /// A block by its number.
    pub(super) fn block(&self, layer: usize) -> Result<&Block> {
        self.blocks.get(layer).ok_or_else(|| Error::NoSuchPoint {
            point: format!("blocks.{layer}"),
            reason: format!(
                "it has {} blocks, numbered 0 to {}",
                self.blocks.len(),
                self.blocks.len().saturating_sub(1)
            ),
        })
    }

    /// What tokens come in as, the site `embed` of every id, `[vocab, d_model]` (or another width, where they are factorised).
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn token_vectors(&self) -> Result<Tensor> {
        self.embedded(self.embed.clone())
    }

    /// What the head compares its input with, `[vocab, width]`; `None` without a language-model head.
    pub fn unembedding(&self) -> Option<&Tensor> {
        self.head.unembedding()
    }

    /// What the head multiplies with [`Transformer::unembedding`], from the final norm's output `[rows, d_model]`: the same, or, in a
    /// masked-LM head, its transform. `None` without a language-model head.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn head_input(&self, last: &Tensor) -> Result<Option<Tensor>> {
        self.head.input(last)
    }

    /// Rows of the embedding matrix as block 0's sum takes them.
    fn embedded(&self, rows: Tensor) -> Result<Tensor> {
        let scaled = match self.spec.embed.scale {
            1.0 => rows,
            scale => (rows * scale)?,
        };
        match &self.project_in {
            Some(linear) if self.spec.embed.project == Project::Tokens => linear.apply(&scaled),
            _ => Ok(scaled),
        }
    }

    fn check(&self, batch: &Batch) -> Result<()> {
        if batch.longest() > self.spec.context {
            return Err(Error::TooLong {
                row: batch.order().last().copied().unwrap_or(0),
                tokens: batch.longest(),
                context: self.spec.context,
            });
        }
        let wrong = |id: &u32| *id as usize >= self.spec.vocab;
        for (segment, rows) in batch.segments().iter().enumerate() {
            if let Some(id) = batch.ids()[rows.clone()].iter().copied().find(wrong) {
                return Err(unknown_id(batch.order()[segment], id, self.spec.vocab));
            }
        }
        Ok(())
    }
}

/// The error for a token id that the model has no embedding for.
pub fn unknown_id(row: usize, id: u32, vocab: usize) -> Error {
    Error::BadText {
        row,
        problem: format!(
            "token id {id} is outside the model's vocabulary of {vocab}; the tokenizer does not belong to this model"
        ),
    }
}

impl Model for Transformer {
    fn spec(&self) -> &ArchSpec {
        &self.spec
    }

    fn embed(&self, batch: &Batch, hook: &mut dyn Hook) -> Result<Tensor> {
        self.check(batch)?;
        let mut visit_at = |site, x| {
            let point = HookPoint::at(None, site);
            let segments = batch.segments();
            visit(At { point, segments }, x, hook)
        };
        let ids = Tensor::new(batch.ids(), &Device::Cpu)?;
        let tokens = self.embedded(self.embed.index_select(&ids, 0)?)?;
        let mut x = visit_at(Site::Embed, tokens)?;
        // transformers adds the type before the position; sums in f32 depend on the order.
        if let Some(token_type) = &self.token_type {
            x = ops::add(&x, token_type)?;
        }
        if let Some(positions) = &self.positions {
            let rows = learned_rows(self.spec.embed.position, batch);
            let rows = Tensor::new(rows, &Device::Cpu)?;
            let position = visit_at(Site::PosEmbed, positions.index_select(&rows, 0)?)?;
            x = ops::add(&x, &position)?;
        }
        if let Some(norm) = &self.embed_norm {
            x = norm.apply(&x)?;
        }
        match &self.project_in {
            Some(linear) if self.spec.embed.project == Project::Sum => linear.apply(&x),
            _ => Ok(x),
        }
    }

    fn blocks(
        &self,
        resid: Tensor,
        layers: Range<usize>,
        batch: &Batch,
        hook: &mut dyn Hook,
    ) -> Result<Tensor> {
        let rotations = self.spec.attention.rotary.iter();
        let rotations: Vec<Rotation> = rotations
            .map(|rotary| Rotation::new(batch, rotary))
            .collect::<Result<_>>()?;
        layers.into_iter().try_fold(resid, |resid, layer| {
            let pass = Pass {
                batch,
                rotations: &rotations,
                bias: self.score_bias.as_ref(),
                layer,
            };
            self.blocks[layer].apply(resid, &pass, hook)
        })
    }

    fn unembed(&self, resid: Tensor, batch: &Batch, hook: &mut dyn Hook) -> Result<Output> {
        let visit_at = |site, x, hook: &mut dyn Hook| {
            let point = HookPoint::at(None, site);
            let segments = batch.segments();
            visit(At { point, segments }, x, hook)
        };
        let last = match &self.final_norm {
            Some(norm) => norm.apply(&resid)?,
            None => resid,
        };
        let last = match &self.project_out {
            Some(linear) => linear.apply(&last)?,
            None => last,
        };
        let last = match self.spec.absence(Site::FinalNorm) {
            None => visit_at(Site::FinalNorm, last, hook)?,
            Some(_) => last,
        };
        if hook.depth() < Depth::Head {
            return Ok(Output {
                last,
                pooled: None,
                logits: None,
            });
        }
        let pooled = match &self.pooler {
            Some(pooler) => Some(pooler.apply(&last, batch)?),
            None => None,
        };
        let logits = match self.head.apply(&last, pooled.as_ref(), batch)? {
            Some(logits) => Some(visit_at(Site::Logits, logits, hook)?),
            None => None,
        };
        Ok(Output {
            last,
            pooled,
            logits,
        })
    }
}
