//! The MLP of a block, plain or gated.

use super::linear::Linear;
use super::ops;
use super::pass::Pass;
use super::spec::{Activation, ArchSpec, Mlp as Kind};
use super::weights::Weights;
use crate::error::Result;
use crate::hook::{Hook, Site};
use candle_core::Tensor;

/// `out(act(in(x)))`, or with a gate `out(act(gate(x)) * in(x))`.
#[derive(Debug, Clone)]
pub(super) struct Mlp {
    gate: Option<Linear>,
    into: Linear,
    out: Linear,
    activation: Activation,
}

impl Mlp {
    pub(super) fn load(name: &str, spec: &ArchSpec, weights: &mut dyn Weights) -> Result<Self> {
        let up = (spec.d_mlp, spec.d_model);
        let down = (spec.d_model, spec.d_mlp);
        let mut linear = |part: &str, shape| {
            Linear::load(&format!("{name}.{part}"), shape, spec.mlp_bias, weights)
        };
        Ok(Self {
            gate: match spec.mlp {
                Kind::Gated => Some(linear("gate", up)?),
                Kind::Plain => None,
            },
            into: linear("in", up)?,
            out: linear("out", down)?,
            activation: spec.activation,
        })
    }

    /// What each neuron adds to the stream, `[d_mlp, d_model]`.
    pub(super) fn values(&self) -> Result<Tensor> {
        Ok(self.out.weight()?.t()?.contiguous()?)
    }

    /// What the MLP adds to the stream, from what it reads; both `[tokens, d_model]`.
    pub(super) fn apply(&self, x: &Tensor, pass: &Pass<'_>, hook: &mut dyn Hook) -> Result<Tensor> {
        let into = self.into.apply(x)?;
        let post = match &self.gate {
            None => ops::activate(&pass.visit(Site::MlpPre, into, hook)?, self.activation)?,
            Some(gate) => {
                let pre = pass.visit(Site::MlpPre, gate.apply(x)?, hook)?;
                ops::gate(&pre, &into, self.activation)?
            }
        };
        self.out.apply(&pass.visit(Site::MlpPost, post, hook)?)
    }
}
