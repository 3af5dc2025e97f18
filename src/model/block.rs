//! One block: attention and MLP around the residual stream.

use super::attention::Attention;
use super::mlp::Mlp;
use super::norm::Norm;
use super::ops;
use super::pass::Pass;
use super::spec::{ArchSpec, Placement, Residual};
use super::weights::Weights;
use crate::error::Result;
use crate::hook::{Hook, Site};
use candle_core::Tensor;

/// Attention and MLP, each with its norms.
#[derive(Debug, Clone)]
pub(super) struct Block {
    attention: Attention,
    attn_norms: Norms,
    mlp: Mlp,
    mlp_norms: Norms,
    residual: Residual,
    residual_scale: f64,
    /// Whether the normed stream is what outputs are added to.
    normed_stream: bool,
}

/// The norms around attention or the MLP.
#[derive(Debug, Clone, Default)]
struct Norms {
    /// On what it reads.
    before: Option<Norm>,
    /// On what it gives.
    output: Option<Norm>,
    /// On the stream, after the addition.
    after: Option<Norm>,
}

impl Norms {
    /// `name` is the norm before or after, `name` with `_out` the one on the output.
    fn load(name: &str, first: bool, spec: &ArchSpec, weights: &mut dyn Weights) -> Result<Self> {
        let mut norm = |name: &str| Norm::load(name, spec.d_model, spec.norm, weights).map(Some);
        let mut norms = Self::default();
        match spec.placement {
            Placement::Pre | Placement::PreNormedStream | Placement::Sandwich if first => {
                norms.before = norm(name)?;
            }
            Placement::Post => norms.after = norm(name)?,
            _ => {}
        }
        if matches!(spec.placement, Placement::Output | Placement::Sandwich) {
            norms.output = norm(&format!("{}_out_norm", name.trim_end_matches("_norm")))?;
        }
        Ok(norms)
    }
}

fn normed(norm: &Option<Norm>, x: Tensor) -> Result<Tensor> {
    match norm {
        Some(norm) => norm.apply(&x),
        None => Ok(x),
    }
}

impl Block {
    pub(super) fn load(layer: usize, spec: &ArchSpec, weights: &mut dyn Weights) -> Result<Self> {
        let name = |part: &str| format!("blocks.{layer}.{part}");
        let own_mlp_norm = spec.residual != (Residual::Parallel { shared_norm: true });
        let here = spec.layers[layer];
        Ok(Self {
            attention: Attention::load(&name("attn"), here, spec, weights)?,
            attn_norms: Norms::load(&name("attn_norm"), here.attn_norm, spec, weights)?,
            mlp: Mlp::load(&name("mlp"), spec, weights)?,
            mlp_norms: match own_mlp_norm {
                true => Norms::load(&name("mlp_norm"), true, spec, weights)?,
                false => Norms::default(),
            },
            residual: spec.residual,
            residual_scale: spec.residual_scale,
            normed_stream: spec.placement == Placement::PreNormedStream,
        })
    }

    pub(super) fn attention(&self) -> &Attention {
        &self.attention
    }

    pub(super) fn mlp(&self) -> &Mlp {
        &self.mlp
    }

    /// The norm on what attention reads.
    pub(super) fn attention_norm(&self) -> Option<&Norm> {
        self.attn_norms.before.as_ref()
    }

    /// The norm on what attention gives.
    pub(super) fn attention_output_norm(&self) -> Option<&Norm> {
        self.attn_norms.output.as_ref()
    }

    /// The norm on what the MLP gives.
    pub(super) fn mlp_output_norm(&self) -> Option<&Norm> {
        self.mlp_norms.output.as_ref()
    }

    /// The stream after this block, from the stream before it; both `[tokens, d_model]`.
    pub(super) fn apply(&self, x: Tensor, pass: &Pass<'_>, hook: &mut dyn Hook) -> Result<Tensor> {
        let pre = pass.visit(Site::ResidPre, x, hook)?;
        let attn_in = normed(&self.attn_norms.before, pre.clone())?;
        let attn_out = self.attention.apply(&attn_in, pass, hook)?;
        let attn_out = self.output(&self.attn_norms, attn_out)?;
        let attn_out = pass.visit(Site::AttnOut, attn_out, hook)?;

        let (stream, mlp_in) = match self.residual {
            Residual::Serial => {
                let base = if self.normed_stream { attn_in } else { pre };
                let mid = normed(&self.attn_norms.after, ops::add(&base, &attn_out)?)?;
                let mid = pass.visit(Site::ResidMid, mid, hook)?;
                let mlp_in = normed(&self.mlp_norms.before, mid.clone())?;
                (
                    if self.normed_stream {
                        mlp_in.clone()
                    } else {
                        mid
                    },
                    mlp_in,
                )
            }
            Residual::Parallel { shared_norm: true } => (ops::add(&pre, &attn_out)?, attn_in),
            Residual::Parallel { shared_norm: false } => {
                let mlp_in = normed(&self.mlp_norms.before, pre.clone())?;
                (ops::add(&pre, &attn_out)?, mlp_in)
            }
        };
        let mlp_out = self.mlp.apply(&mlp_in, pass, hook)?;
        let mlp_out = self.output(&self.mlp_norms, mlp_out)?;
        let mlp_out = pass.visit(Site::MlpOut, mlp_out, hook)?;
        let post = normed(&self.mlp_norms.after, ops::add(&stream, &mlp_out)?)?;
        pass.visit(Site::ResidPost, post, hook)
    }

    /// What is added to the stream, from what attention or the MLP gives.
    fn output(&self, norms: &Norms, x: Tensor) -> Result<Tensor> {
        let x = normed(&norms.output, x)?;
        match self.residual_scale {
            1.0 => Ok(x),
            scale => Ok((x * scale)?),
        }
    }
}
