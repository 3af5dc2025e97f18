//! What a forward pass costs in arithmetic, from the architecture alone.

use super::spec::{ArchSpec, Head, Mlp};

impl ArchSpec {
    /// Floating-point operations of the matrix products of one token in a text of `length` tokens, a multiplication and an addition
    /// counted as two: projections and MLPs of the first `blocks` blocks, and products with all keys and values of the text.
    pub fn flops_per_token(&self, blocks: usize, length: usize) -> f64 {
        let (d, inner) = (self.d_model, self.n_heads * self.d_head);
        let projections = d * (2 * inner + 2 * self.n_kv_heads * self.d_head);
        let matrices = match self.mlp {
            Mlp::Plain => 2,
            Mlp::Gated => 3,
        };
        let seen = |window: Option<usize>| window.map_or(length, |w| w.min(length));
        let layers = self.layers.iter().take(blocks);
        let products: usize = layers
            .map(|l| projections + matrices * d * self.d_mlp + 2 * inner * seen(l.window))
            .sum();
        2.0 * products as f64
    }

    /// The same for the head: per token of a language model, per text of a classifier; 0 without a head.
    pub fn head_flops(&self) -> f64 {
        let (transform, out) = match self.head {
            Head::None => return 0.0,
            Head::Lm { transform, .. } => (transform, self.vocab),
            Head::Classifier {
                transform, classes, ..
            } => (transform, classes),
        };
        let last = self.last_width();
        let width = transform.map_or(last, |t| t.width);
        let through = if transform.is_some() { last * width } else { 0 };
        2.0 * (through + width * out) as f64
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Model, ModelSource, load};

    #[test]
    fn a_block_costs_twice_its_matrices_and_its_products_with_keys_and_values() {
        let loaded = load(&ModelSource::Builtin).unwrap();
        let spec = loaded.model.spec();
        let (d, inner) = (spec.d_model as f64, (spec.n_heads * spec.d_head) as f64);
        let kv = (spec.n_kv_heads * spec.d_head) as f64;
        let matrices = 2.0 * d * inner + 2.0 * d * kv + 3.0 * d * spec.d_mlp as f64;
        let one = spec.flops_per_token(1, 10);
        assert_eq!(one, 2.0 * matrices + 4.0 * inner * 10.0);
        assert_eq!(spec.flops_per_token(2, 10), 2.0 * one);
        assert_eq!(spec.head_flops(), 2.0 * d * spec.vocab as f64);
    }
}
