//! One block: attention and MLP around the residual stream.

use super::attention::Attention;
use super::mlp::Mlp;
use super::norm::Norm;
use super::pass::Pass;
use super::spec::{ArchSpec, Placement};
use super::weights::Weights;
use crate::error::Result;
use crate::hook::{Hook, Site};
use candle_core::Tensor;

/// Attention and MLP, each with its norm, before it or after its addition to the stream.
#[derive(Debug, Clone)]
pub(super) struct Block {
    attention: Attention,
    attn_norm: Norm,
    mlp: Mlp,
    mlp_norm: Norm,
    placement: Placement,
}

impl Block {
    pub(super) fn load(layer: usize, spec: &ArchSpec, weights: &mut dyn Weights) -> Result<Self> {
        let name = |part: &str| format!("blocks.{layer}.{part}");
        Ok(Self {
            attention: Attention::load(&name("attn"), spec, weights)?,
            attn_norm: Norm::load(&name("attn_norm"), spec.d_model, spec.norm, weights)?,
            mlp: Mlp::load(&name("mlp"), spec, weights)?,
            mlp_norm: Norm::load(&name("mlp_norm"), spec.d_model, spec.norm, weights)?,
            placement: spec.placement,
        })
    }

    /// The stream after this block, from the stream before it; both `[tokens, d_model]`.
    pub(super) fn apply(&self, x: Tensor, pass: &Pass<'_>, hook: &mut dyn Hook) -> Result<Tensor> {
        let pre = pass.visit(Site::ResidPre, x, hook)?;
        let attn_in = self.before(&self.attn_norm, &pre)?;
        let attn_out = self.attention.apply(&attn_in, pass, hook)?;
        let attn_out = pass.visit(Site::AttnOut, attn_out, hook)?;
        let mid = self.after(&self.attn_norm, (pre + attn_out)?)?;
        let mid = pass.visit(Site::ResidMid, mid, hook)?;

        let mlp_in = self.before(&self.mlp_norm, &mid)?;
        let mlp_out = self.mlp.apply(&mlp_in, pass, hook)?;
        let mlp_out = pass.visit(Site::MlpOut, mlp_out, hook)?;
        let post = self.after(&self.mlp_norm, (mid + mlp_out)?)?;
        pass.visit(Site::ResidPost, post, hook)
    }

    fn before(&self, norm: &Norm, x: &Tensor) -> Result<Tensor> {
        match self.placement {
            Placement::Pre => norm.apply(x),
            Placement::Post => Ok(x.clone()),
        }
    }

    fn after(&self, norm: &Norm, x: Tensor) -> Result<Tensor> {
        match self.placement {
            Placement::Pre => Ok(x),
            Placement::Post => norm.apply(&x),
        }
    }
}
