//! ELECTRA (Clark et al. 2020): BERT with embeddings that may be narrower than the stream.

use super::Family;
use super::bert::{HARMLESS, classifier, encoder, masked_lm, weights};
use super::common::prefix;
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "electra",
    about: "ELECTRA encoders: base, masked-LM (generator) and sequence-classification heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let mut spec = encoder(
        config,
        FAMILY.name,
        Position::Learned {
            offset: 0,
            skips: None,
        },
    )?;
    spec.embed.width = config.size("embedding_size", Some(128))?;
    if spec.embed.width != spec.d_model {
        spec.embed.project = Project::Sum;
    }
    let tied = config.flag("tie_word_embeddings", true)?;
    spec.head = match config.architecture() {
        Some("ElectraForMaskedLM") => masked_lm(tied, spec.embed.width, Activation::GeluErf),
        Some("ElectraForSequenceClassification") => classifier(
            config,
            Reads::First,
            Some((spec.d_model, Activation::GeluErf)),
        )?,
        _ => Head::None,
    };
    // `summary_*` belong to the multiple-choice head.
    config.finish(
        &[
            HARMLESS,
            &[
                "summary_type",
                "summary_use_proj",
                "summary_activation",
                "summary_last_dropout",
            ],
        ]
        .concat(),
    )?;
    let transform = match spec.classifies_texts() {
        true => "classifier.dense",
        false => "generator_predictions.dense",
    };
    let map = weights(prefix(has, "electra.", "embeddings.word_embeddings.weight"))
        .also([
            ("embed.project", "{p}embeddings_project"),
            ("head.transform", transform),
            ("head.norm", "generator_predictions.LayerNorm"),
            ("head.bias", "generator_lm_head.bias"),
            ("head.unembed", "generator_lm_head"),
            ("head.classifier", "classifier.out_proj"),
        ])
        .ignoring(&[
            "generator_predictions.",
            "generator_lm_head.",
            "discriminator_predictions.",
            "classifier.",
            "qa_outputs.",
        ]);
    Ok((spec, map))
}
