//! Attention scores, patterns and mixed values of equally long texts, in stages where somebody looks at them and in one go where nobody does.
//!
//! Both ways call the same kernels on the same numbers, so that looking changes no bit.

use super::kernel::{fits, values, widened};
use super::product::{Left, Packed};
use super::simd::dispatch;
use super::softmax::softmax_in_place;
use super::threads;
use crate::error::Result;
use crate::model::spec::Mask;
use crate::text::batch::Batch;
use candle_core::{Device, Tensor, bail};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Queries that one task takes, of all heads.
const QUERIES: usize = 48;

/// From products of queries and keys to scores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scoring {
    /// What products are multiplied by.
    pub scale: f64,
    /// Scores become `cap * tanh(scores / cap)`, before the mask.
    pub softcap: Option<f64>,
    /// Which keys a query sees.
    pub mask: Mask,
    /// Keys at this distance or farther are not seen.
    pub window: Option<usize>,
}

/// The scores of equally long texts, `[text, head, query, key]`, `-inf` where a query does not look: from `q` `[tokens, head, width]` and `k`
/// `[tokens, kv_head, width]` of the batch; `bias` `[head, query or 1, key]` is added to scaled products.
pub(crate) fn scores(
    q: &Tensor,
    k: &Tensor,
    texts: &[Range<usize>],
    scoring: Scoring,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    if !untracked(&[q, k]) || bias.is_some_and(|b| !untracked(&[b])) {
        return scores_composed(q, k, texts, scoring, bias);
    }
    let (q, k) = (q.contiguous()?, k.contiguous()?);
    let shape = Heads::of(q.dims(), &[&k], texts.last())?;
    let length = texts.first().map_or(0, Range::len);
    let (q, k) = (values(&q), values(&k));
    let (q, k) = (q.slice()?, k.slice()?);
    let bias = bias.map(Tensor::contiguous).transpose()?;
    let bias = bias.as_ref().map(values);
    let bias = bias.as_ref().map(|b| b.slice()).transpose()?;
    let square = length * length;
    let mut out = vec![0f32; texts.len() * shape.heads * square];
    threads::pieces(&mut out, shape.heads * square, |i, out| {
        let keys = shape.keys(&k[shape.kv_rows(&texts[i])], length);
        for (head, out) in out.chunks_exact_mut(square).enumerate() {
            let left = shape.queries(q, texts[i].start, head);
            keys[head / shape.shared].multiply(left, out, length);
            dispatch(Rows {
                bias: shape.bias_of(bias, head),
                first: 0,
                softmax: false,
                rows: out,
                scoring,
                length,
            });
        }
    });
    let shape = (texts.len(), shape.heads, length, length);
    Ok(Tensor::from_vec(out, shape, &Device::Cpu)?)
}

/// Values mixed by a pattern `[text, head, query, key]`: `[tokens of these texts, head, width]`, from `v` `[tokens, kv_head, width]` of the
/// batch.
pub(crate) fn mix(pattern: &Tensor, v: &Tensor, texts: &[Range<usize>]) -> Result<Tensor> {
    if !untracked(&[pattern, v]) {
        return mix_composed(pattern, v, texts);
    }
    let (count, heads, length, _) = pattern.dims4()?;
    let (pattern, v) = (pattern.contiguous()?, v.contiguous()?);
    let (tokens, _, width) = v.dims3()?;
    let shape = Heads::of(&[tokens, heads, width], &[&v], texts.last())?;
    let length = match texts.iter().all(|t| t.len() == length) && texts.len() == count {
        true => length,
        false => return mix_composed(&pattern, &v, texts),
    };
    let (pattern, v) = (values(&pattern), values(&v));
    let (pattern, v) = (pattern.slice()?, v.slice()?);
    let mut out = vec![0f32; texts.len() * length * shape.stride()];
    let square = length * length;
    threads::pieces(&mut out, length * shape.stride(), |i, out| {
        let packed = shape.values(&v[shape.kv_rows(&texts[i])], length);
        for head in 0..heads {
            let x = &pattern[(i * heads + head) * square..][..square];
            let left = Left { x, stride: length };
            let out = &mut out[head * width..];
            packed[head / shape.shared].multiply(left, out, shape.stride());
        }
    });
    let shape = (texts.len() * length, heads, width);
    Ok(Tensor::from_vec(out, shape, &Device::Cpu)?)
}

/// [`scores`], softmax and [`mix`] of all texts of a batch in one go, `[tokens, head, width]`, from tensors in f32 that track no graph;
/// `bias` gives that of texts of a length. `None` if that one tracks a graph.
pub(super) fn attend(
    [q, k, v]: [&Tensor; 3],
    batch: &Batch,
    scoring: Scoring,
    bias: Option<&dyn Fn(usize) -> Result<Tensor>>,
) -> Result<Option<Tensor>> {
    let shape = Heads::of(q.dims(), &[k, v], batch.segments().last())?;
    let out_shape = q.shape().clone();
    let (q, k, v) = (q.contiguous()?, k.contiguous()?, v.contiguous()?);
    let (q, k, v) = (values(&q), values(&k), values(&v));
    let all = [q.slice()?, k.slice()?, v.slice()?];
    let mut out = vec![0f32; out_shape.elem_count()];
    let mut rest = out.as_mut_slice();
    for group in batch.groups() {
        let texts = &batch.segments()[group.clone()];
        let length = texts.first().map_or(0, Range::len);
        let bias = bias.map(|of| of(length)).transpose()?;
        if bias.as_ref().is_some_and(|b| !untracked(&[b])) {
            return Ok(None);
        }
        let bias = bias.as_ref().map(Tensor::contiguous).transpose()?;
        let bias = bias.as_ref().map(values);
        let bias = bias.as_ref().map(|b| b.slice()).transpose()?;
        let numbers = texts.len() * length * shape.stride();
        let (out, others) = std::mem::take(&mut rest).split_at_mut(numbers);
        rest = others;
        threads::pieces(out, length * shape.stride(), |i, out| {
            shape.attend(all, &texts[i], scoring, bias, out);
        });
    }
    Ok(Some(Tensor::from_vec(out, out_shape, &Device::Cpu)?))
}

fn untracked(tensors: &[&Tensor]) -> bool {
    fits(tensors) && !tensors.iter().any(|t| t.track_op())
}

/// How the numbers of a token are divided among heads.
#[derive(Debug, Clone, Copy)]
struct Heads {
    heads: usize,
    /// Query heads that share a key head.
    shared: usize,
    width: usize,
}

impl Heads {
    /// Of queries `[tokens, head, width]` and keys or values `[tokens, kv_head, width]`; the texts lie within the tokens.
    fn of(
        q: &[usize],
        others: &[&Tensor],
        texts: Option<&Range<usize>>,
    ) -> candle_core::Result<Self> {
        let (&[tokens, heads, width], Some(other)) = (q, others.first()) else {
            bail!("attention of {q:?}, which is not [tokens, head, width]");
        };
        let (keys, kv_heads, key_width) = other.dims3()?;
        let shared = kv_heads > 0 && heads > 0 && heads % kv_heads == 0;
        let within = texts.is_some_and(|last| last.end <= tokens);
        let alike = others.iter().all(|x| x.dims() == other.dims());
        if !shared || !within || !alike || keys != tokens || key_width != width || width == 0 {
            bail!(
                "attention of {q:?} over {:?}, texts until {texts:?}",
                other.dims()
            );
        }
        Ok(Self {
            heads,
            shared: heads / kv_heads,
            width,
        })
    }

    fn kv_heads(self) -> usize {
        self.heads / self.shared.max(1)
    }

    /// Numbers in a token's queries.
    fn stride(self) -> usize {
        self.heads * self.width
    }

    /// The part of a bias `[head, ..]` that belongs to a head.
    fn bias_of(self, bias: Option<&[f32]>, head: usize) -> Option<&[f32]> {
        let each = bias?.len() / self.heads.max(1);
        bias?.get(head * each..(head + 1) * each)
    }

    /// Where the keys, or values, of a text lie.
    fn kv_rows(self, text: &Range<usize>) -> Range<usize> {
        let stride = self.kv_heads() * self.width;
        text.start * stride..text.end * stride
    }

    /// The queries of one head, from a token on.
    fn queries(self, q: &[f32], token: usize, head: usize) -> Left<'_> {
        Left {
            x: &q[token * self.stride() + head * self.width..],
            stride: self.stride(),
        }
    }

    /// The keys of a text, ready to be multiplied by queries: one for each key head.
    fn keys(self, k: &[f32], length: usize) -> Vec<Packed> {
        let stride = self.kv_heads() * self.width;
        let pack = |head| Packed::transposed(&k[head * self.width..], length, self.width, stride);
        (0..self.kv_heads()).map(pack).collect()
    }

    /// The values of a text, ready to be multiplied by patterns.
    fn values(self, v: &[f32], length: usize) -> Vec<Packed> {
        let stride = self.kv_heads() * self.width;
        let pack = |head| Packed::plain(&v[head * self.width..], length, self.width, stride);
        (0..self.kv_heads()).map(pack).collect()
    }

    /// The mixed values of one text.
    fn attend(
        self,
        [q, k, v]: [&[f32]; 3],
        text: &Range<usize>,
        scoring: Scoring,
        bias: Option<&[f32]>,
        out: &mut [f32],
    ) {
        let length = text.len();
        let keys = self.keys(&k[self.kv_rows(text)], length);
        let mixed = self.values(&v[self.kv_rows(text)], length);
        threads::pieces(out, QUERIES * self.stride(), |block, out| {
            let first = block * QUERIES;
            let queries = out.len() / self.stride();
            let mut pattern = vec![0f32; queries * length];
            for head in 0..self.heads {
                let left = self.queries(q, text.start + first, head);
                keys[head / self.shared].multiply(left, &mut pattern, length);
                dispatch(Rows {
                    bias: self.bias_of(bias, head),
                    softmax: true,
                    rows: &mut pattern,
                    scoring,
                    first,
                    length,
                });
                let left = Left {
                    x: &pattern,
                    stride: length,
                };
                let out = &mut out[head * self.width..];
                mixed[head / self.shared].multiply(left, out, self.stride());
            }
        });
    }
}

/// Turns rows of products into rows of scores, and those into patterns.
struct Rows<'a> {
    scoring: Scoring,
    /// The bias of this head: a row for each query of the text, or one for all.
    bias: Option<&'a [f32]>,
    /// The query of the first row.
    first: usize,
    length: usize,
    softmax: bool,
    rows: &'a mut [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let scale = self.scoring.scale as f32;
        for (i, row) in self.rows.chunks_exact_mut(self.length).enumerate() {
            let query = self.first + i;
            row.iter_mut().for_each(|x| *x *= scale);
            if let Some(bias) = self.bias {
                let at = (query * self.length) % bias.len();
                let bias = &bias[at..][..self.length];
                row.iter_mut().zip(bias).for_each(|(x, b)| *x += b);
            }
            if let Some(cap) = self.scoring.softcap {
                let cap = cap as f32;
                row.iter_mut().for_each(|x| *x = (*x / cap).tanh() * cap);
            }
            let seen = self.scoring.seen(query, self.length);
            row[..seen.start].fill(f32::NEG_INFINITY);
            row[seen.end..].fill(f32::NEG_INFINITY);
            if self.softmax {
                softmax_in_place(simd, row);
            }
        }
    }
}

impl Scoring {
    /// The keys that a query sees in a text of this length.
    fn seen(self, query: usize, length: usize) -> Range<usize> {
        let reach = self.window.unwrap_or(length).max(1);
        let start = (query + 1).saturating_sub(reach);
        let end = match self.mask {
            Mask::Causal => query + 1,
            Mask::Bidirectional => (query + reach).min(length),
        };
        start..end
    }

    /// 0 where a query (row) may look at a key (column), `-inf` where it may not; `None` if all look at all.
    fn mask(self, length: usize) -> Result<Option<Tensor>> {
        if (0..length).all(|query| self.seen(query, length) == (0..length)) {
            return Ok(None);
        }
        let values: Vec<f32> = (0..length)
            .flat_map(|query| (0..length).map(move |key| (self.seen(query, length), key)))
            .map(|(seen, key)| match seen.contains(&key) {
                true => 0.0,
                false => f32::NEG_INFINITY,
            })
            .collect();
        let mask = Tensor::from_vec(values, (length, length), &Device::Cpu)?;
        Ok(Some(mask))
    }
}

/// The reference, which keeps gradients. Patterns of a model in 16 bits are computed in f32, as torch's fused attention does.
pub(super) fn scores_composed(
    q: &Tensor,
    k: &Tensor,
    texts: &[Range<usize>],
    scoring: Scoring,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let (q, k) = (split(q, texts)?, split(k, texts)?);
    let heads = q.dim(1)?;
    let (length, dtype) = (q.dim(2)?, q.dtype());
    let scores = (q.matmul(&share(k, heads)?.t()?)? * scoring.scale)?;
    let scores = match bias {
        None => scores,
        Some(bias) => scores.broadcast_add(&bias.to_dtype(dtype)?)?,
    };
    let scores = match scoring.softcap {
        None => scores,
        Some(cap) => ((scores / cap)?.tanh()? * cap)?,
    };
    match scoring.mask(length)? {
        None => Ok(scores),
        Some(mask) => Ok(scores.broadcast_add(&mask.to_dtype(dtype)?)?),
    }
}

/// The reference, which keeps gradients.
pub(super) fn mix_composed(pattern: &Tensor, v: &Tensor, texts: &[Range<usize>]) -> Result<Tensor> {
    let (count, heads, length, _) = pattern.dims4()?;
    let shared = share(split(v, texts)?, heads)?;
    let z = pattern.matmul(&shared)?.transpose(1, 2)?;
    let z = z.reshape((count * length, heads, v.dim(2)?))?;
    Ok(z.to_dtype(v.dtype())?)
}

/// The rows of equally long texts, `[token, head, width]` to `[text, head, position, width]`.
fn split(x: &Tensor, texts: &[Range<usize>]) -> Result<Tensor> {
    let (start, length) = texts.first().map_or((0, 0), |t| (t.start, t.len()));
    let rows = x.narrow(0, start, texts.len() * length)?;
    let split = rows.reshape((texts.len(), length, x.dim(1)?, x.dim(2)?))?;
    Ok(widened(&split.transpose(1, 2)?)?.contiguous()?)
}

/// Repeats key or value heads so that each query head has one: `[text, kv_head, ..]` to `[text, head, ..]`.
fn share(x: Tensor, heads: usize) -> Result<Tensor> {
    let (texts, kv_heads, length, width) = x.dims4()?;
    let repeats = heads / kv_heads;
    if repeats == 1 {
        return Ok(x);
    }
    let x = x.unsqueeze(2)?;
    let x = x.broadcast_as((texts, kv_heads, repeats, length, width))?;
    Ok(x.contiguous()?.reshape((texts, heads, length, width))?)
}
