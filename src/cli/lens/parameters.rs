//! `plumb lens params`: what neurons and heads say, in the space of tokens.

use super::{Speaker, bad, train};
use crate::analysis::lens::{Circuit, Promoted, head_pairs, promoted, recovery};
use crate::cli::delivery::{Delivery, holds, json_of};
use crate::cli::model::model_source;
use crate::cli::output::{command_line, progress_bar};
use crate::error::Result;
use crate::model::{Model, ModelSource};
use crate::report::lens::{HeadTable, NeuronTable, ParameterReport, SCHEMA_VERSION, spelled};
use crate::text::dataset::Dataset;
use std::path::PathBuf;

/// Read neurons and heads in the space of tokens, without running the model.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb lens params --model builtin --block 3 --mlp-values
  plumb lens params --model builtin --block 1 --head 2 --ov --qk --data texts.csv
  plumb lens params --model builtin --mlp-values --data texts.csv --out params/

Dar et al. 2022. --mlp-values: the tokens that each neuron of the MLP promotes. --ov: from the token that a head attends to, to the one that it then
promotes. --qk: from the token that attends, to the one that it attends to; positions are left out. Norms are folded in. With --data, pairs are
of tokens that occur in it, and --mlp-values adds R@k: how many of the tokens that a block's own state says its most active neurons promote, beside
the neurons of another position.")]
#[command(mut_arg(
    "out",
    holds(
        "parameters.json and, with --data and --mlp-values, the chart (.svg, .png, and its numbers as .parquet)"
    )
))]
pub(super) struct Args {
    /// Folder of a model, GGUF file, name of one on the hub (org/name@rev), or `builtin`
    #[arg(long, value_name = "MODEL", value_parser = model_source)]
    model: ModelSource,
    /// Block, from 0; default: all
    #[arg(long, value_name = "L")]
    block: Option<usize>,
    /// Head, from 0; default: all
    #[arg(long, value_name = "H")]
    head: Option<usize>,
    /// Tokens that the neurons of MLPs promote
    #[arg(long)]
    mlp_values: bool,
    /// Pairs of tokens of the heads' OV circuits
    #[arg(long)]
    ov: bool,
    /// Pairs of tokens of the heads' QK circuits
    #[arg(long)]
    qk: bool,
    /// Tokens, or pairs, to list
    #[arg(long, value_name = "K", default_value_t = 10)]
    top: usize,
    /// Neurons to list, those first that point at tokens most clearly; with --data, the most active ones that count
    #[arg(long, value_name = "N", default_value_t = 10)]
    neurons: usize,
    /// Data file: its texts are what R@k is measured on, and its tokens those that pairs are made of
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Column that holds the texts
    #[arg(long, value_name = "C", default_value = "text")]
    text_column: String,
    /// Texts of the data that are run, from the first
    #[arg(long, value_name = "N", default_value_t = 100)]
    texts: usize,
    /// Seed of the shuffled control and the intervals
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    delivery: Delivery,
}

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    refuse_nothing(args)?;
    let out = args.delivery.open("parameters.json")?;
    let speaker = Speaker::load(&args.model, args.delivery.quiet)?;
    let corpus = Corpus::read(args, &speaker)?;
    let report = read(args, &speaker, corpus.as_ref())?;
    let chart = || report.chart().map(|c| ("chart", c)).into_iter().collect();
    Ok(out.deliver(json_of(&report)?, chart, |styled| report.table(styled))?)
}

/// Found out before a model is loaded.
fn refuse_nothing(args: &Args) -> Result<()> {
    if !(args.mlp_values || args.ov || args.qk) {
        return Err(bad("params", "nothing", "give --mlp-values, --ov or --qk"));
    }
    if args.top == 0 || args.neurons == 0 {
        return Err(bad("top", "0", "list at least one"));
    }
    if args.delivery.names_chart() && !(args.mlp_values && args.data.is_some()) {
        let problem = "the chart is of R@k; give --mlp-values and --data";
        return Err(bad("chart", "asked for", problem));
    }
    Ok(())
}

/// The texts of `--data`.
struct Corpus {
    sha256: String,
    /// Those that are run, as token ids.
    texts: Vec<Vec<u32>>,
    /// The tokens of all of them, each once.
    known: Vec<u32>,
}

impl Corpus {
    fn read(args: &Args, speaker: &Speaker) -> Result<Option<Self>> {
        let Some(path) = &args.data else {
            return Ok(None);
        };
        let data = Dataset::read(path)?;
        let mut texts = train::texts(speaker, &data, &args.text_column)?;
        let mut known: Vec<u32> = texts.iter().flatten().copied().collect();
        known.sort_unstable();
        known.dedup();
        texts.truncate(args.texts);
        Ok(Some(Self {
            sha256: data.sha256().to_owned(),
            texts,
            known,
        }))
    }
}

/// Block after block.
fn read(args: &Args, speaker: &Speaker, corpus: Option<&Corpus>) -> Result<ParameterReport> {
    let model = &speaker.loaded.model;
    let blocks = chosen("block", args.block, model.spec().n_layers)?;
    let heads = chosen("head", args.head, model.spec().n_heads)?;
    let known = corpus.map(|c| c.known.as_slice()).filter(|k| !k.is_empty());
    let bar = progress_bar(blocks.len() as u64, "blocks", args.delivery.quiet);
    let mut report = ParameterReport {
        schema_version: SCHEMA_VERSION,
        command: command_line(),
        source: speaker.source(),
        data_sha256: corpus.map(|c| c.sha256.clone()),
        neurons: Vec::new(),
        heads: Vec::new(),
        recovery: Vec::new(),
    };
    for block in blocks {
        if args.mlp_values {
            report.neurons.extend(neurons(speaker, block, args)?);
        }
        for circuit in circuits(args) {
            for head in &heads {
                let table = pairs(speaker, (block, *head), circuit, args.top, known)?;
                report.heads.push(table);
            }
        }
        if let Some(corpus) = corpus.filter(|_| args.mlp_values) {
            let counts = (args.top, args.neurons);
            let found = recovery(model, &corpus.texts, block, counts, args.seed)?;
            report.recovery.push(found);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    report.neurons.sort_by(|a, b| b.cosine.total_cmp(&a.cosine));
    report.neurons.truncate(args.neurons);
    Ok(report)
}

fn chosen(name: &'static str, one: Option<usize>, count: usize) -> Result<Vec<usize>> {
    match one {
        None => Ok((0..count).collect()),
        Some(one) if one < count => Ok(vec![one]),
        Some(one) => Err(bad(
            name,
            &one.to_string(),
            &format!(
                "the model has {count}, numbered 0 to {}",
                count.saturating_sub(1)
            ),
        )),
    }
}

fn circuits(args: &Args) -> Vec<Circuit> {
    let both = [(args.ov, Circuit::Ov), (args.qk, Circuit::Qk)];
    both.into_iter().filter(|c| c.0).map(|c| c.1).collect()
}

fn neurons(speaker: &Speaker, block: usize, args: &Args) -> Result<Vec<NeuronTable>> {
    let model = &speaker.loaded.model;
    let (values, vocabulary) = (model.mlp_values(block)?, model.output_directions()?);
    let promotes = promoted(&values, &vocabulary, args.top)?;
    let demotes = promoted(&values.neg()?, &vocabulary, args.top)?;
    let lengths = |t: &candle_core::Tensor| -> Result<Vec<f32>> {
        Ok(t.sqr()?.sum(1)?.sqrt()?.to_vec1::<f32>()?)
    };
    let (of_values, of_tokens) = (lengths(&values)?, lengths(&vocabulary)?);
    let words = |found: &[Promoted]| -> Vec<String> {
        let said = found
            .iter()
            .map(|p| spelled(&speaker.tokenizer, p.token_id));
        said.collect()
    };
    let both = promotes.iter().zip(&demotes).enumerate();
    Ok(both
        .map(|(neuron, (up, down))| {
            let cosines = up.iter().map(|p| {
                let lengths = of_values[neuron] * of_tokens[p.token_id as usize];
                f64::from(p.score / lengths.max(f32::MIN_POSITIVE))
            });
            NeuronTable {
                layer: block,
                neuron,
                cosine: cosines.sum::<f64>() / up.len().max(1) as f64,
                promotes: words(up),
                demotes: words(down),
            }
        })
        .collect())
}

fn pairs(
    speaker: &Speaker,
    (layer, head): (usize, usize),
    circuit: Circuit,
    top: usize,
    among: Option<&[u32]>,
) -> Result<HeadTable> {
    let model = &speaker.loaded.model;
    let found = head_pairs(model, (layer, head), circuit, top, among)?;
    let word = |id: u32| spelled(&speaker.tokenizer, id);
    Ok(HeadTable {
        layer,
        head,
        circuit,
        self_z: found.self_z,
        pairs: found
            .top
            .iter()
            .map(|p| format!("{} → {}", word(p.from), word(p.to)))
            .collect(),
        z: found.top.iter().map(|p| p.z).collect(),
    })
}
