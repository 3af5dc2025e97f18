//! RoBERTa (Liu et al. 2019) and its namesakes XLM-RoBERTa and CamemBERT: BERT with positions that skip the padding token.

use super::Family;
use super::bert::{HARMLESS, bias_name, classifier, encoder, masked_lm, reads_pooler, weights};
use super::common::prefix;
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILIES: [Family; 3] = [
    Family {
        name: "roberta",
        about: "RoBERTa encoders: base, masked-LM and sequence-classification heads, pooler",
        read,
    },
    Family {
        name: "xlm-roberta",
        about: "XLM-RoBERTa encoders: as RoBERTa",
        read,
    },
    Family {
        name: "camembert",
        about: "CamemBERT encoders: as RoBERTa",
        read,
    },
];

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let Some(pad) = config.token("pad_token_id", Some(1))? else {
        return Err(config.unsupported("pad_token_id", "positions are counted from it"));
    };
    let position = Position::Learned {
        offset: pad as usize + 1,
        skips: Some(pad),
    };
    let family = config.word("model_type", "roberta")?;
    let mut spec = encoder(config, family, position)?;
    spec.context = config.rows_beyond("max_position_embeddings", spec.context, pad as usize + 1)?;
    let prefix = prefix(has, "roberta.", "embeddings.word_embeddings.weight");
    let tied = config.flag("tie_word_embeddings", true)?;
    spec.head = match config.architecture() {
        Some(a) if a.ends_with("ForMaskedLM") => masked_lm(tied, spec.d_model, Activation::GeluErf),
        Some(a) if a.ends_with("ForSequenceClassification") => {
            classifier(config, Reads::First, Some((spec.d_model, Activation::Tanh)))?
        }
        _ => Head::None,
    };
    spec.pooler = reads_pooler(&spec.head) || has(&format!("{prefix}pooler.dense.weight"));
    config.finish(HARMLESS)?;
    let classifies = spec.classifies_texts();
    let transform = if classifies {
        "classifier.dense"
    } else {
        "lm_head.dense"
    };
    let map = weights(prefix)
        .also([
            ("head.transform", transform),
            ("head.norm", "lm_head.layer_norm"),
            (
                "head.bias",
                bias_name(tied, "lm_head.bias", "lm_head.decoder.bias"),
            ),
            ("head.unembed", "lm_head.decoder"),
            ("head.classifier", "classifier.out_proj"),
        ])
        .ignoring(&["lm_head.", "classifier.", "qa_outputs."]);
    Ok((spec, map))
}
