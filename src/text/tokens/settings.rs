//! What a model's folder says about its tokenizer beside the vocabulary.

use super::files::{Files, object};
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use tokenizers::AddedToken;

/// The tokens with a role, in the order in which transformers adds those that the vocabulary lacks.
const ROLES: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

const CONFIG: &str = "tokenizer_config.json";
const SPECIAL: &str = "special_tokens_map.json";
const ADDED: &str = "added_tokens.json";

/// `tokenizer_config.json`, with what older folders keep in `special_tokens_map.json` and `added_tokens.json`.
#[derive(Debug, Default)]
pub(super) struct Settings {
    fields: Map<String, Value>,
    /// The tokens that have a role, as far as the files name them.
    roles: Vec<(&'static str, AddedToken)>,
    /// Tokens beside the vocabulary with their ids.
    pub(super) added: Vec<(u32, AddedToken)>,
    /// Further special tokens.
    pub(super) extra: Vec<AddedToken>,
    /// `tokenizer_class`, without `Fast`.
    pub(super) class: Option<String>,
    /// `model_type` of config.json.
    pub(super) family: Option<String>,
}

impl Settings {
    /// Reads them all; a file that is not there says nothing.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::NotUtf8`].
    pub(super) fn read(files: &dyn Files) -> Result<Self> {
        let mut fields = object(files, CONFIG)?;
        let model = object(files, "config.json")?;
        let added = match fields.remove("added_tokens_decoder") {
            Some(decoder) => numbered(files, CONFIG, &decoder)?,
            None => {
                // As in transformers: the older files count only where the newer field is absent, and then they win.
                fields.extend(object(files, SPECIAL)?);
                legacy(files, &fields)?
            }
        };
        let mut settings = Self {
            class: name(&fields, "tokenizer_class").or_else(|| name(&model, "tokenizer_class")),
            family: model
                .get("model_type")
                .and_then(Value::as_str)
                .map(str::to_owned),
            added,
            ..Self::default()
        };
        for role in ROLES {
            if let Some(token) = token(files, &fields, role)? {
                settings.roles.push((role, settings.as_added(token)));
            }
        }
        for list in ["additional_special_tokens", "extra_special_tokens"] {
            for value in fields
                .get(list)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let token = special(value).ok_or_else(|| odd(files, list, value))?;
                settings.extra.push(settings.as_added(token));
            }
        }
        settings.fields = fields;
        Ok(settings)
    }

    /// The token of a role, if the files name it.
    pub(super) fn role(&self, role: &str) -> Option<&AddedToken> {
        self.roles
            .iter()
            .find(|(r, _)| *r == role)
            .map(|(_, token)| token)
    }

    /// Names the tokens of the roles that the files leave open.
    pub(super) fn default_roles(&mut self, defaults: &[(&'static str, &str)]) {
        for (role, content) in defaults {
            if self.role(role).is_none() && !self.is_null(role) {
                let token = self.as_added(AddedToken::from(*content, true));
                self.roles.push((role, token));
            }
        }
        self.roles
            .sort_by_key(|(role, _)| ROLES.iter().position(|r| r == role));
    }

    /// The tokens of all roles.
    pub(super) fn role_tokens(&self) -> impl Iterator<Item = &AddedToken> {
        self.roles.iter().map(|(_, token)| token)
    }

    /// A switch; `None` if the files do not set it (or set it to null).
    pub(super) fn switch(&self, field: &str) -> Option<bool> {
        self.fields.get(field).and_then(Value::as_bool)
    }

    fn is_null(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(Value::is_null)
    }

    /// The token with the properties that `added` gives it.
    fn as_added(&self, token: AddedToken) -> AddedToken {
        let listed = self.added.iter().map(|(_, t)| t);
        let mut listed = listed.filter(|t| t.content == token.content);
        listed.next().cloned().unwrap_or(token)
    }
}

fn name(fields: &Map<String, Value>, field: &str) -> Option<String> {
    let name = fields.get(field)?.as_str()?;
    Some(name.strip_suffix("Fast").unwrap_or(name).to_owned())
}

/// `added_tokens_decoder`: tokens by their ids.
fn numbered(files: &dyn Files, file: &str, decoder: &Value) -> Result<Vec<(u32, AddedToken)>> {
    let malformed = |problem: String| Error::Malformed {
        path: files.shown(file),
        problem,
    };
    let entries = decoder
        .as_object()
        .ok_or_else(|| malformed("added_tokens_decoder is not an object".to_owned()))?;
    let mut added = Vec::new();
    for (id, value) in entries {
        let id = id.parse().map_err(|_| {
            malformed(format!(
                "added_tokens_decoder has the key `{id}`, which is not a token id"
            ))
        })?;
        let token = value.as_object().and_then(|v| described(v, None));
        let token = token.ok_or_else(|| {
            malformed(format!(
                "added_tokens_decoder says {value} of id {id}, which is not a token"
            ))
        })?;
        added.push((id, token));
    }
    added.sort_by_key(|(id, _)| *id);
    Ok(added)
}

/// `added_tokens.json`: ids by their tokens. Those with a role are special; the others are normalised like text.
fn legacy(files: &dyn Files, fields: &Map<String, Value>) -> Result<Vec<(u32, AddedToken)>> {
    let mut added = Vec::new();
    for (content, id) in object(files, ADDED)? {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or_else(|| Error::Malformed {
            path: files.shown(ADDED),
            problem: format!("the id of `{content}` is not a token id"),
        })?;
        let has_role = ROLES.iter().any(|role| {
            let token = fields.get(*role).and_then(special);
            token.is_some_and(|t| t.content == content)
        });
        added.push((id, AddedToken::from(content, has_role)));
    }
    added.sort_by_key(|(id, _)| *id);
    Ok(added)
}

fn token(files: &dyn Files, fields: &Map<String, Value>, role: &str) -> Result<Option<AddedToken>> {
    match fields.get(role) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => special(value)
            .map(Some)
            .ok_or_else(|| odd(files, role, value)),
    }
}

fn odd(files: &dyn Files, field: &str, value: &Value) -> Error {
    Error::Malformed {
        path: files.shown(CONFIG),
        problem: format!("`{field}` holds {value}, which is not a token"),
    }
}

/// A special token, written as its letters or with its properties.
fn special(value: &Value) -> Option<AddedToken> {
    match value {
        Value::String(content) => Some(AddedToken::from(content, true)),
        Value::Object(fields) => described(fields, Some(true)),
        _ => None,
    }
}

/// A token with its properties. Those left out are off, except that a token that is not special is normalised like text.
fn described(fields: &Map<String, Value>, special: Option<bool>) -> Option<AddedToken> {
    let content = fields.get("content")?.as_str()?;
    let is = |field: &str| fields.get(field).and_then(Value::as_bool);
    let special = special.or(is("special")).unwrap_or(false);
    Some(AddedToken {
        content: content.to_owned(),
        single_word: is("single_word").unwrap_or(false),
        lstrip: is("lstrip").unwrap_or(false),
        rstrip: is("rstrip").unwrap_or(false),
        normalized: is("normalized").unwrap_or(!special),
        special,
    })
}
