//! Reading `config.json` so that no field goes unnoticed.

use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The fields of a `config.json`. Every field must be read, or be on the family's list of harmless ones: a switch that
/// plumb does not know could change the numbers.
#[derive(Debug)]
pub struct Config {
    path: PathBuf,
    fields: Map<String, Value>,
    read: RefCell<BTreeSet<String>>,
}

/// Fields that never change a forward pass: training, generation, bookkeeping.
const HARMLESS: &[&str] = &[
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_flash_attn_2_enabled",
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "attention_probs_dropout_prob",
    "attn_implementation",
    "attn_pdrop",
    "auto_map",
    "bos_token_id",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "cross_attention_hidden_size",
    "dropout",
    "dtype",
    "embd_pdrop",
    "embedding_dropout",
    "eos_token_id",
    "finetuning_task",
    "gradient_checkpointing",
    "hidden_dropout",
    "hidden_dropout_prob",
    "id2label",
    "initializer_range",
    "label2id",
    "language",
    "mask_token_id",
    "name",
    "num_labels",
    "model_type",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "pad_token_id",
    "problem_type",
    "resid_pdrop",
    "return_dict",
    "tokenizer_class",
    "torch_dtype",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "unk_token_id",
    "use_cache",
];

/// Blocks of a model, at most: ten times the deepest that were published. Each takes memory before the first weight is looked for, so one
/// damaged number would take all there is.
const MOST_BLOCKS: usize = 10_000;

/// Fields that say nothing as long as they have this value.
fn says_nothing(name: &str, value: &Value) -> bool {
    match name {
        "is_encoder_decoder" | "is_decoder" | "add_cross_attention" | "tie_encoder_decoder" => {
            *value == Value::Bool(false)
        }
        "pruned_heads" => value.as_object().is_some_and(Map::is_empty),
        _ => false,
    }
}

impl Config {
    /// Parses the text of a `config.json`; `path` is named in errors.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is not a JSON object.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let fields = serde_json::from_str(text).map_err(|e| Error::Malformed {
            path: path.to_owned(),
            problem: format!("not a JSON object ({e})"),
        })?;
        Ok(Self {
            path: path.to_owned(),
            fields,
            read: RefCell::default(),
        })
    }

    /// A configuration of the same file without fields.
    pub fn nothing(&self) -> Self {
        Self {
            path: self.path.clone(),
            fields: Map::new(),
            read: RefCell::default(),
        }
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The file that this was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A field, or `None` where it is absent or null.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.read.borrow_mut().insert(field.to_owned());
        self.fields.get(field).filter(|v| !v.is_null())
    }

    /// The error for a field whose value plumb does not implement.
    pub fn unsupported(&self, field: &str, problem: impl Into<String>) -> Error {
        Error::UnsupportedConfig {
            path: self.path.clone(),
            field: field.to_owned(),
            value: self
                .fields
                .get(field)
                .map_or("(absent)".to_owned(), Value::to_string),
            problem: problem.into(),
        }
    }

    fn typed<T>(
        &self,
        field: &str,
        default: Option<T>,
        kind: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T> {
        match (self.get(field), default) {
            (Some(value), _) => {
                read(value).ok_or_else(|| self.unsupported(field, format!("it must be {kind}")))
            }
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.unsupported(field, format!("it must be there, {kind}"))),
        }
    }

    /// A size: a whole number from 1 to 2^31.
    pub fn size(&self, field: &str, default: Option<usize>) -> Result<usize> {
        self.typed(field, default, "a whole number from 1 to 2^31", |v| {
            usize::try_from(v.as_u64()?)
                .ok()
                .filter(|n| (1..=1 << 31).contains(n))
        })
    }

    /// A number of blocks, from 1 to 10,000.
    pub fn depth(&self, field: &str, default: Option<usize>) -> Result<usize> {
        let depth = self.size(field, default)?;
        self.bounded_depth(field, depth)
    }

    /// A number of blocks that a field and others make together, if it is one.
    pub fn bounded_depth(&self, field: &str, depth: usize) -> Result<usize> {
        match depth <= MOST_BLOCKS {
            true => Ok(depth),
            false => Err(self.unsupported(
                field,
                format!("that makes {depth} blocks; plumb reads at most {MOST_BLOCKS}"),
            )),
        }
    }

    /// A finite number.
    pub fn number(&self, field: &str, default: Option<f64>) -> Result<f64> {
        self.typed(field, default, "a number", |v| {
            v.as_f64().filter(|x| x.is_finite())
        })
    }

    /// A finite number, or `None` where the field is null: in a configuration, null and absent are not the same.
    pub fn nullable_number(&self, field: &str, default: Option<f64>) -> Result<Option<f64>> {
        match self.is_null(field) {
            true => Ok(None),
            false if self.get(field).is_none() => Ok(default),
            false => self.number(field, None).map(Some),
        }
    }

    /// A size, or `None` where the field is null.
    pub fn nullable_size(&self, field: &str, default: Option<usize>) -> Result<Option<usize>> {
        match self.is_null(field) {
            true => Ok(None),
            false if self.get(field).is_none() => Ok(default),
            false => self.size(field, None).map(Some),
        }
    }

    /// A token id, or `None` where the field is null.
    pub fn token(&self, field: &str, default: Option<u32>) -> Result<Option<u32>> {
        match self.is_null(field) {
            true => Ok(None),
            false => match self.get(field) {
                None => Ok(default),
                // -1 is how some configurations say that there is none.
                Some(v) if v.as_i64() == Some(-1) => Ok(None),
                Some(v) => match v.as_u64().and_then(|id| u32::try_from(id).ok()) {
                    Some(id) => Ok(Some(id)),
                    None => Err(self.unsupported(field, "it must be a token id")),
                },
            },
        }
    }

    /// A list, each element read by `read`, which gives `None` for what it cannot be; `None` where the field is absent or null.
    pub fn list<T>(
        &self,
        field: &str,
        kind: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let elements = value.as_array().map(|a| a.iter().map(read).collect());
        match elements.flatten() {
            Some(list) => Ok(Some(list)),
            None => Err(self.unsupported(field, format!("it must be a list of {kind}"))),
        }
    }

    /// Which of two names of one field is there; `first` if neither is.
    ///
    /// # Errors
    /// [`Error::UnsupportedConfig`] if both are there with different values.
    pub fn either<'a>(&self, first: &'a str, second: &'a str) -> Result<&'a str> {
        match (self.get(first), self.get(second)) {
            (Some(a), Some(b)) if a != b => {
                Err(self.unsupported(second, format!("`{first}` is {a}")))
            }
            (None, Some(_)) => Ok(second),
            _ => Ok(first),
        }
    }

    fn is_null(&self, field: &str) -> bool {
        self.read.borrow_mut().insert(field.to_owned());
        self.fields.get(field).is_some_and(Value::is_null)
    }

    /// `true` or `false`.
    pub fn flag(&self, field: &str, default: bool) -> Result<bool> {
        self.typed(field, Some(default), "true or false", Value::as_bool)
    }

    /// A word.
    pub fn word<'a>(&'a self, field: &str, default: &'a str) -> Result<&'a str> {
        match self.get(field) {
            None => Ok(default),
            Some(v) => v
                .as_str()
                .ok_or_else(|| self.unsupported(field, "it must be a string")),
        }
    }

    /// Insists that a field is absent or has this value.
    ///
    /// # Errors
    /// [`Error::UnsupportedConfig`] otherwise.
    pub fn only(&self, field: &str, value: impl Into<Value>) -> Result<()> {
        let value = value.into();
        match self.get(field) {
            None => Ok(()),
            Some(found) if *found == value => Ok(()),
            Some(_) => Err(self.unsupported(field, format!("only {value} is implemented"))),
        }
    }

    /// Insists that a field is absent, null or false.
    ///
    /// # Errors
    /// [`Error::UnsupportedConfig`] otherwise.
    pub fn refuse_true(&self, field: &str) -> Result<()> {
        self.only(field, false)
    }

    /// A field that is itself an object, with the same guarantees (names in errors become `field.inner`).
    pub fn object(&self, field: &str) -> Result<Option<Config>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Config {
                path: self.path.clone(),
                fields: fields.clone(),
                read: RefCell::default(),
            })),
            Some(_) => Err(self.unsupported(field, "it must be an object")),
        }
    }

    /// The error for sizes that do not fit together.
    pub fn multiple(&self, field: &str, value: usize, of: (&str, usize)) -> Result<()> {
        match value % of.1 {
            0 => Ok(()),
            _ => Err(self.unsupported(
                field,
                format!("it must be a multiple of {} ({})", of.0, of.1),
            )),
        }
    }

    /// How many of a table's rows lie beyond the first `used` ones, at least one.
    pub fn rows_beyond(&self, field: &str, rows: usize, used: usize) -> Result<usize> {
        match rows.checked_sub(used) {
            Some(rest) if rest > 0 => Ok(rest),
            _ => Err(self.unsupported(field, format!("it must be more than {used}"))),
        }
    }

    /// The first architecture named in `architectures` (the class that the weights were saved from).
    pub fn architecture(&self) -> Option<&str> {
        self.get("architectures")?.get(0)?.as_str()
    }

    /// Number of classes of a classification head: `num_labels`, or the length of `id2label`, or 2 as in transformers.
    pub fn classes(&self) -> Result<usize> {
        let from_names = self
            .get("id2label")
            .and_then(Value::as_object)
            .map(Map::len)
            .filter(|n| *n > 0);
        self.size("num_labels", Some(from_names.unwrap_or(2)))
    }

    /// Checks that every field was read or is harmless.
    ///
    /// # Errors
    /// [`Error::UnsupportedConfig`] names the first that is neither.
    pub fn finish(&self, harmless: &[&str]) -> Result<()> {
        let read = self.read.borrow();
        let unknown = self.fields.iter().find(|(name, value)| {
            !value.is_null()
                && !read.contains(*name)
                && !HARMLESS.contains(&name.as_str())
                && !harmless.contains(&name.as_str())
                && !says_nothing(name, value)
                // Generation settings were once saved here too; a forward pass does not read them.
                && !is_generation_setting(name)
        });
        match unknown {
            None => Ok(()),
            Some((name, _)) => Err(self.unsupported(
                name,
                "plumb does not know this field, and it might change the numbers",
            )),
        }
    }
}

fn is_generation_setting(name: &str) -> bool {
    const GENERATION: &[&str] = &[
        "bad_words_ids",
        "begin_suppress_tokens",
        "decoder_start_token_id",
        "diversity_penalty",
        "do_sample",
        "early_stopping",
        "encoder_no_repeat_ngram_size",
        "exponential_decay_length_penalty",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "length_penalty",
        "max_length",
        "min_length",
        "no_repeat_ngram_size",
        "num_beam_groups",
        "num_beams",
        "num_return_sequences",
        "output_scores",
        "prefix",
        "remove_invalid_values",
        "repetition_penalty",
        "return_dict_in_generate",
        "sep_token_id",
        "suppress_tokens",
        "task_specific_params",
        "temperature",
        "tf_legacy_loss",
        "top_k",
        "top_p",
        "typical_p",
        "use_bfloat16",
    ];
    GENERATION.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(Path::new("config.json"), text).unwrap()
    }

    #[test]
    fn a_field_that_nobody_reads_is_refused_by_name() {
        let config =
            config(r#"{"hidden_size": 8, "attn_logit_softcapping": 50.0, "use_cache": true}"#);
        assert_eq!(config.size("hidden_size", None).unwrap(), 8);
        assert_eq!(
            config.finish(&[]).unwrap_err().to_string(),
            "config.json: `attn_logit_softcapping` = 50.0 is not supported: plumb does not know this field, and it might change the numbers"
        );
        config.finish(&["attn_logit_softcapping"]).unwrap();
    }

    #[test]
    fn sizes_of_zero_and_absurd_ones_are_refused() {
        for bad in ["0", "-1", "1.5", "\"8\"", "99999999999"] {
            let config = config(&format!(r#"{{"hidden_size": {bad}}}"#));
            assert!(config.size("hidden_size", None).is_err(), "{bad}");
        }
    }
}
