//! `plumb inspect`: what a model is made of, and where it can be looked at.

use super::model::{fetched, model_source};
use super::output::{bytes, count};
use crate::hook::{HookPoint, Site};
use crate::model::{ArchSpec, LoadedModel, Model, ModelSource, load};
use crate::report::table::{Align, Table, stdout_is_styled};
use serde_json::{Value, json};

/// Print a model's architecture, its hook points with shapes, and what extracting costs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb inspect builtin
  plumb inspect ./all-MiniLM-L6-v2 --json")]
pub(super) struct Args {
    /// Folder of a model, GGUF file, name of one on the hub (org/name@rev), or `builtin`
    #[arg(value_name = "MODEL", value_parser = model_source)]
    model: ModelSource,
    /// Length of the texts that costs are given for, in tokens
    #[arg(long, value_name = "N", default_value_t = 128)]
    length: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    let model = load(&fetched(&args.model, false)?)?;
    let spec = model.model.spec();
    let report = Report {
        name: args.model.to_string(),
        length: args.length.clamp(1, spec.context),
        model: &model,
        spec,
    };
    match args.json {
        true => Ok(format!(
            "{}\n",
            serde_json::to_string_pretty(&report.json())?
        )),
        false => Ok(report.text()),
    }
}

struct Report<'a> {
    name: String,
    length: usize,
    model: &'a LoadedModel,
    spec: &'a ArchSpec,
}

impl Report<'_> {
    /// The shape of what a hook sees at a site, with names for what varies.
    fn shape(&self, site: Site) -> String {
        match self.spec.row_shape(site) {
            Ok(shape) => {
                let rows = match site == Site::Logits && self.spec.classifies_texts() {
                    true => "text",
                    false => "token",
                };
                let widths: Vec<String> = shape.iter().map(usize::to_string).collect();
                format!("[{rows}, {}]", widths.join(", "))
            }
            Err(_) => format!("[text, {}, query, key]", self.spec.n_heads),
        }
    }

    /// Bytes in f32 that a site of one block gives for 1,000 tokens.
    fn bytes(&self, site: Site) -> u64 {
        let numbers: usize = match self.spec.row_shape(site) {
            Ok(shape) => shape.iter().product(),
            Err(_) => self.spec.n_heads * self.length,
        };
        let rows = match site == Site::Logits && self.spec.classifies_texts() {
            true => 1000.0 / self.length as f64,
            false => 1000.0,
        };
        (4.0 * numbers as f64 * rows) as u64
    }

    /// Bytes of the default hook points, Hugging Face's `hidden_states`, for 1,000 tokens.
    fn default_bytes(&self) -> u64 {
        let points = self.spec.default_points();
        points.iter().map(|p| self.bytes(p.site())).sum()
    }

    fn flops(&self) -> (f64, f64) {
        let per_text = match self.spec.classifies_texts() {
            true => 1.0 / self.length as f64,
            false => 1.0,
        };
        let blocks = self.spec.flops_per_token(self.spec.n_layers, self.length);
        (1000.0 * blocks, 1000.0 * self.spec.head_flops() * per_text)
    }

    fn sites(&self) -> impl Iterator<Item = (Site, Option<&'static str>)> + '_ {
        Site::ALL.into_iter().map(|s| (s, self.spec.absence(s)))
    }

    fn text(&self) -> String {
        let spec = self.spec;
        let mut table = Table::new([
            ("hook point", Align::Left),
            ("shape", Align::Left),
            ("bytes per 1,000 tokens", Align::Right),
        ])
        .styled(stdout_is_styled());
        for (site, absence) in self.sites() {
            if absence.is_none() {
                let name = match site.in_block() {
                    true if spec.n_layers == 1 => format!("blocks.0.{site}"),
                    true => format!("blocks.0-{}.{site}", spec.n_layers - 1),
                    false => HookPoint::at(None, site).to_string(),
                };
                table.row([name, self.shape(site), bytes(self.bytes(site))]);
            }
        }
        let (blocks, head) = self.flops();
        let absent: String = self
            .sites()
            .filter_map(|(site, why)| Some(format!("no {site}: {}\n", why?)))
            .collect();
        format!(
            "{}: {}, {} of width {}, {} of width {}{}, MLP of width {}, vocabulary of {}, context of {}\n\
             {} in {}; weights sha256 {}\n\n{table}\n{absent}\
             1,000 tokens in texts of {}: {:.2} GFLOP in the blocks{}; {} at the default hook points\n\
             the whole architecture: --json\n",
            self.name,
            spec.family,
            count(spec.n_layers, "block"),
            spec.d_model,
            count(spec.n_heads, "head"),
            spec.d_head,
            match spec.n_kv_heads == spec.n_heads {
                true => String::new(),
                false => format!(" ({} for keys and values)", spec.n_kv_heads),
            },
            spec.d_mlp,
            spec.vocab,
            spec.context,
            count(self.model.parameters, "parameter"),
            self.model.precision,
            &self.model.weights_sha256[..12.min(self.model.weights_sha256.len())],
            self.length,
            blocks / 1e9,
            match head > 0.0 {
                true => format!(", {:.2} in the head", head / 1e9),
                false => String::new(),
            },
            bytes(self.default_bytes()),
        )
    }

    fn json(&self) -> Value {
        let (blocks, head) = self.flops();
        let points: Vec<Value> = self
            .spec
            .points()
            .into_iter()
            .map(|p| {
                json!({
                    "name": p.to_string(),
                    "shape": self.shape(p.site()),
                    "bytes_per_1000_tokens": self.bytes(p.site()),
                })
            })
            .collect();
        let absent: Vec<Value> = self
            .sites()
            .filter_map(|(site, why)| Some(json!({"site": site.to_string(), "reason": why?})))
            .collect();
        json!({
            "schema_version": 1,
            "model": self.name,
            "weights_sha256": self.model.weights_sha256,
            "revision": self.model.revision,
            "parameters": self.model.parameters,
            "ignored_weights": self.model.ignored,
            "spec": self.spec,
            "hook_points": points,
            "absent_sites": absent,
            "per_1000_tokens": {
                "text_length": self.length,
                "flop_in_blocks": blocks,
                "flop_in_head": head,
                "bytes_at_default_points": self.default_bytes(),
            },
        })
    }
}
