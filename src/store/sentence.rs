//! What a sentence-transformers folder says of pooling.

use super::pool::Mode;
use crate::error::{Error, Result};
use crate::text::tokens::Files;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const MODULES: &str = "modules.json";

/// The files that the pooling of a model is read from, but for the `config.json` of its pooling module (`1_Pooling`, by custom).
pub const SENTENCE_FILES: [&str; 9] = [
    MODULES,
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// The switches of older folders, in the order in which their vectors are put together.
const SWITCHES: [(&str, Mode); 6] = [
    ("pooling_mode_cls_token", Mode::Cls),
    ("pooling_mode_max_tokens", Mode::Max),
    ("pooling_mode_mean_tokens", Mode::Mean),
    ("pooling_mode_mean_sqrt_len_tokens", Mode::MeanSqrtLenTokens),
    ("pooling_mode_weightedmean_tokens", Mode::Weightedmean),
    ("pooling_mode_lasttoken", Mode::Lasttoken),
];

/// The pooling of a sentence-transformers model: the last hidden state, pooled, gives its published embedding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentencePool {
    /// How tokens become a vector; the vectors of several modes are put together in this order.
    pub modes: Vec<Mode>,
    /// Whether the result is divided by its length (L2).
    pub normalize: bool,
    /// Texts are cut to so many tokens.
    pub max_tokens: usize,
}

impl SentencePool {
    /// Reads `modules.json` and what it leads to, for a model of this width and context.
    ///
    /// # Errors
    /// [`Error::NotPooled`] for a folder that is not of sentence-transformers, and for one whose embedding needs what plumb does not
    /// compute (another module, a prompt before each text), by its name; [`Error::Malformed`] for damaged files.
    pub fn read(files: &dyn Files, d_model: usize, context: usize) -> Result<Self> {
        let folder = Folder { files };
        let modules = folder.modules()?;
        let kinds: Vec<&str> = modules.iter().map(|m| m.kind.as_str()).collect();
        let (["Transformer", "Pooling", rest @ ..], [first, pooling, ..]) =
            (kinds.as_slice(), modules.as_slice())
        else {
            let found = kinds.join(", ");
            return Err(folder.refuse(format!(
                "modules.json lists {found} where plumb reads Transformer, Pooling and then Normalize"
            )));
        };
        if let Some(foreign) = modules.iter().skip(2).find(|m| m.kind != "Normalize") {
            return Err(folder.refuse(format!(
                "its module `{}` ({}) is not one that plumb computes",
                foreign.path, foreign.kind
            )));
        }
        if !first.path.is_empty() {
            return Err(folder.refuse(format!(
                "its transformer lies in the folder `{}`, and plumb reads it beside modules.json",
                first.path
            )));
        }
        folder.refuse_prompts()?;
        Ok(Self {
            modes: folder.modes(&pooling.path, d_model)?,
            normalize: !rest.is_empty(),
            max_tokens: folder.max_tokens(context)?,
        })
    }

    /// Pools some rows of a matrix whose rows are `width` long.
    pub(super) fn apply(&self, matrix: &[f32], width: usize, rows: &[usize]) -> Vec<f32> {
        let modes = self.modes.iter();
        let mut pooled: Vec<f32> = modes
            .flat_map(|mode| mode.apply(matrix, width, rows))
            .collect();
        if self.normalize {
            let square: f64 = pooled.iter().map(|v| f64::from(*v).powi(2)).sum();
            // The floor is that of torch.nn.functional.normalize.
            let length = square.sqrt().max(1e-12);
            for v in &mut pooled {
                *v = (f64::from(*v) / length) as f32;
            }
        }
        pooled
    }
}

struct Module {
    /// The class without its package.
    kind: String,
    path: String,
}

struct Folder<'a> {
    files: &'a dyn Files,
}

impl Folder<'_> {
    fn refuse(&self, problem: String) -> Error {
        Error::NotPooled {
            folder: self.files.shown(""),
            problem,
        }
    }

    fn malformed(&self, file: &str, problem: impl std::fmt::Display) -> Error {
        Error::Malformed {
            path: self.files.shown(file),
            problem: problem.to_string(),
        }
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, file: &str) -> Result<Option<T>> {
        let Some(bytes) = self.files.read_if_there(file)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            self.malformed(file, format!("this is not what the file should hold ({e})"))
        })
    }

    fn modules(&self) -> Result<Vec<Module>> {
        #[derive(Deserialize)]
        struct Entry {
            #[serde(rename = "type")]
            kind: String,
            path: String,
        }
        let entries: Option<Vec<Entry>> = self.json(MODULES)?;
        let entries = entries.ok_or_else(|| {
            self.refuse(
                "there is no modules.json, so that it is no sentence-transformers model".to_owned(),
            )
        })?;
        entries
            .into_iter()
            .map(|entry| {
                // The path leads to a file that is read.
                let plain = !entry.path.contains(['/', '\\', ':']) && !entry.path.starts_with('.');
                match plain {
                    true => Ok(Module {
                        kind: entry.kind.rsplit('.').next().unwrap_or_default().to_owned(),
                        path: entry.path,
                    }),
                    false => Err(self.malformed(
                        MODULES,
                        format!("the path `{}` is not a folder beside the file", entry.path),
                    )),
                }
            })
            .collect()
    }

    /// The modes of the pooling module, which says for which width it is.
    fn modes(&self, path: &str, d_model: usize) -> Result<Vec<Mode>> {
        let file = match path {
            "" => "config.json".to_owned(),
            path => format!("{path}/config.json"),
        };
        let config: Option<Map<String, Value>> = self.json(&file)?;
        let config = config.ok_or_else(|| self.refuse(format!("it has no {file}")))?;
        let width = ["embedding_dimension", "word_embedding_dimension"];
        let width = width.iter().find_map(|field| config.get(*field));
        match width.and_then(Value::as_u64) {
            Some(width) if width == d_model as u64 => {}
            found => {
                let found =
                    found.map_or("no width".to_owned(), |width| format!("the width {width}"));
                return Err(self.malformed(
                    &file,
                    format!("it has {found} where the model has {d_model}"),
                ));
            }
        }
        if let Some(modes) = config.get("pooling_mode") {
            return self.named_modes(&file, modes);
        }
        for (field, value) in &config {
            let known = SWITCHES.iter().any(|(switch, _)| switch == field);
            if field.starts_with("pooling_mode") && !known && value != &Value::Bool(false) {
                return Err(self.refuse(format!(
                    "`{field}` = {value} in {file} is not a pooling that plumb computes"
                )));
            }
        }
        let on = |switch: &str| config.get(switch).and_then(Value::as_bool) == Some(true);
        let modes = SWITCHES.iter().filter(|(switch, _)| on(switch));
        let modes: Vec<Mode> = modes.map(|(_, mode)| *mode).collect();
        Ok(match modes.is_empty() {
            true => vec![Mode::Mean],
            false => modes,
        })
    }

    /// One name, or a list of them.
    fn named_modes(&self, file: &str, modes: &Value) -> Result<Vec<Mode>> {
        let list = match modes {
            Value::Array(list) => list.clone(),
            one => vec![one.clone()],
        };
        let read: Option<Vec<Mode>> = list
            .into_iter()
            .map(|mode| serde_json::from_value(mode).ok())
            .collect();
        read.filter(|modes| !modes.is_empty()).ok_or_else(|| {
            self.refuse(format!(
                "`pooling_mode` = {modes} in {file} is not a pooling that plumb computes"
            ))
        })
    }

    /// Where texts are cut.
    fn max_tokens(&self, context: usize) -> Result<usize> {
        let (mut file, mut config) = ("", Map::new());
        // The first module's settings: the name of the file has changed with the families.
        for candidate in SENTENCE_FILES.into_iter().skip(2) {
            if let Some(found) = self.json(candidate)? {
                (file, config) = (candidate, found);
                break;
            }
        }
        for (field, harmless) in [
            ("do_lower_case", Value::Bool(false)),
            ("transformer_task", Value::from("feature-extraction")),
        ] {
            match config.get(field) {
                None | Some(Value::Null) => {}
                Some(value) if *value == harmless => {}
                Some(value) => {
                    return Err(
                        self.refuse(format!("its transformer module has `{field}` = {value}"))
                    );
                }
            }
        }
        let said = match config.get("max_seq_length") {
            None | Some(Value::Null) => self
                .json::<Map<String, Value>>("tokenizer_config.json")?
                // Where it is not known, transformers writes 1e30.
                .and_then(|config| config.get("model_max_length")?.as_u64()),
            Some(length) => Some(length.as_u64().filter(|n| *n > 0).ok_or_else(|| {
                self.malformed(
                    file,
                    format!("max_seq_length is {length}, which is no number of tokens"),
                )
            })?),
        };
        let said = said.and_then(|n| usize::try_from(n).ok());
        Ok(said.map_or(context, |n| n.min(context)))
    }

    /// A prompt that is put before every text is part of the published embedding.
    fn refuse_prompts(&self) -> Result<()> {
        let file = "config_sentence_transformers.json";
        let config: Map<String, Value> = self.json(file)?.unwrap_or_default();
        match config.get("default_prompt_name") {
            None | Some(Value::Null) => Ok(()),
            Some(name) => Err(self.refuse(format!(
                "it puts the prompt {name} of {file} before every text, which plumb does not"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
