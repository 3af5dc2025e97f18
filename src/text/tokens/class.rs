//! The tokenizer classes of transformers that plumb can build from a vocabulary.

use super::settings::Settings;
use serde_json::{Value, json};

/// How Qwen2 cuts text into words (transformers' `PRETOKENIZE_REGEX`).
const QWEN2_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A tokenizer class: what it does around the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// WordPiece between `[CLS]` and `[SEP]`.
    Bert,
    /// BERT's words between `<s>` and `</s>`.
    MpNet,
    /// Byte-level BPE, nothing added unless `add_bos_token` or `add_eos_token` says so. OPT has this class.
    Gpt2,
    /// GPT-2's on composed (NFC) text.
    GptNeoX,
    /// Byte-level BPE on composed text, digits one by one.
    Qwen2,
    /// GPT-2's bytes between `<s>` and `</s>`.
    Roberta,
}

/// Tokens by the role that they have where the files name no other.
type Roles = &'static [(&'static str, &'static str)];

impl Class {
    /// The class that the files name, or else the one of the model's family. `Err` is the name of another class, or of the family
    /// that has no class here.
    pub(super) fn of(settings: &Settings) -> Result<Self, Option<String>> {
        let generic = |class: &&String| {
            !matches!(
                class.as_str(),
                "PreTrainedTokenizer" | "PreTrainedTokenizerFast" | "TokenizersBackend"
            )
        };
        let found = match (settings.class.as_ref().filter(generic), &settings.family) {
            (Some(class), _) => Self::named(class).ok_or(class),
            (None, Some(family)) => Self::of_family(family).ok_or(family),
            (None, None) => return Err(None),
        };
        found.map_err(|name| Some(name.clone()))
    }

    fn named(class: &str) -> Option<Self> {
        Some(match class {
            "BertTokenizer" | "DistilBertTokenizer" | "ElectraTokenizer" => Class::Bert,
            "MPNetTokenizer" => Class::MpNet,
            "GPT2Tokenizer" => Class::Gpt2,
            "GPTNeoXTokenizer" => Class::GptNeoX,
            "Qwen2Tokenizer" => Class::Qwen2,
            "RobertaTokenizer" => Class::Roberta,
            _ => return None,
        })
    }

    fn of_family(family: &str) -> Option<Self> {
        Some(match family {
            "bert" | "distilbert" | "electra" | "nomic_bert" => Class::Bert,
            "mpnet" => Class::MpNet,
            "gpt2" | "gpt_neo" | "gptj" | "opt" | "phi" | "starcoder2" => Class::Gpt2,
            "gpt_neox" | "olmo" => Class::GptNeoX,
            "qwen2" | "qwen3" => Class::Qwen2,
            "roberta" => Class::Roberta,
            _ => return None,
        })
    }

    /// Whether the vocabulary is a list of words (`vocab.txt`) and not byte pairs (`vocab.json` and `merges.txt`).
    pub(super) fn has_words(self) -> bool {
        matches!(self, Class::Bert | Class::MpNet)
    }

    /// The tokens that have a role unless the files say otherwise.
    pub(super) fn roles(self) -> Roles {
        match self {
            Class::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Class::MpNet => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("unk_token", "[UNK]"),
                ("sep_token", "</s>"),
                ("pad_token", "<pad>"),
                ("cls_token", "<s>"),
                ("mask_token", "<mask>"),
            ],
            Class::Gpt2 => &[
                ("bos_token", "<|endoftext|>"),
                ("eos_token", "<|endoftext|>"),
                ("unk_token", "<|endoftext|>"),
            ],
            Class::GptNeoX => &[
                ("bos_token", "<|endoftext|>"),
                ("eos_token", "<|endoftext|>"),
                ("unk_token", "<|endoftext|>"),
                ("pad_token", "<|padding|>"),
            ],
            Class::Qwen2 => &[
                ("eos_token", "<|endoftext|>"),
                ("unk_token", "<|endoftext|>"),
                ("pad_token", "<|endoftext|>"),
            ],
            Class::Roberta => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
                ("sep_token", "</s>"),
                ("pad_token", "<pad>"),
                ("cls_token", "<s>"),
                ("mask_token", "<mask>"),
            ],
        }
    }

    /// What happens to the text before it is cut into words.
    pub(super) fn normalizer(self, settings: &Settings) -> Value {
        let switch = |field, otherwise| settings.switch(field).unwrap_or(otherwise);
        match self {
            Class::Bert | Class::MpNet => json!({
                "type": "BertNormalizer",
                "clean_text": true,
                "handle_chinese_chars": switch("tokenize_chinese_chars", true),
                // Undecided: accents go where capitals go.
                "strip_accents": settings.switch("strip_accents"),
                "lowercase": switch("do_lower_case", true),
            }),
            Class::GptNeoX | Class::Qwen2 => json!({"type": "NFC"}),
            Class::Gpt2 | Class::Roberta => Value::Null,
        }
    }

    /// How the text is cut into words.
    pub(super) fn pre_tokenizer(self, settings: &Settings) -> Value {
        let prefix = settings.switch("add_prefix_space").unwrap_or(false);
        let bytes = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": use_regex});
        match self {
            Class::Bert | Class::MpNet => json!({"type": "BertPreTokenizer"}),
            Class::Gpt2 | Class::GptNeoX | Class::Roberta => bytes(true),
            Class::Qwen2 => json!({"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": QWEN2_WORDS}, "behavior": "Isolated", "invert": false},
                bytes(false),
            ]}),
        }
    }

    /// How tokens become text again.
    pub(super) fn decoder(self) -> Value {
        match self.has_words() {
            true => json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
            false => {
                json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})
            }
        }
    }

    /// What is put around the text. `id` finds a token's id.
    ///
    /// # Errors
    /// The role of a token that is needed here and is not there.
    pub(super) fn post_processor(
        self,
        settings: &Settings,
        id: &dyn Fn(&str) -> Option<u32>,
    ) -> Result<Value, String> {
        let find = |role: &str| {
            let token = settings.role(role).ok_or_else(|| {
                format!(
                    "the tokenizer puts its {role} beside the text, and tokenizer_config.json says that it has none"
                )
            })?;
            let id = id(&token.content).ok_or_else(|| {
                format!(
                    "the vocabulary has no `{}`, which is the {role}",
                    token.content
                )
            })?;
            Ok::<_, String>((token.content.clone(), id))
        };
        match self {
            Class::Bert => Ok(template(Some(find("cls_token")?), Some(find("sep_token")?))),
            Class::MpNet | Class::Roberta => {
                let switch = |field, otherwise| settings.switch(field).unwrap_or(otherwise);
                let spaces = self == Class::Roberta;
                Ok(json!({
                    "type": "RobertaProcessing",
                    "sep": find("sep_token")?,
                    "cls": find("cls_token")?,
                    "trim_offsets": !spaces || switch("trim_offsets", true),
                    "add_prefix_space": spaces && switch("add_prefix_space", false),
                }))
            }
            Class::Gpt2 | Class::GptNeoX | Class::Qwen2 => {
                let wanted = |switch: &str, role: &str| {
                    let wanted = settings.switch(switch) == Some(true);
                    // As in transformers: a token that is not there is not added.
                    match wanted && settings.role(role).is_some() {
                        true => find(role).map(Some),
                        false => Ok(None),
                    }
                };
                Ok(template(
                    wanted("add_bos_token", "bos_token")?,
                    wanted("add_eos_token", "eos_token")?,
                ))
            }
        }
    }
}

/// A text between two tokens.
fn template(before: Option<(String, u32)>, after: Option<(String, u32)>) -> Value {
    let special =
        |token: &(String, u32)| json!({"SpecialToken": {"id": token.0.as_str(), "type_id": 0}});
    let text = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    let around = |name: &str| -> Vec<Value> {
        let (before, after) = (before.iter().map(special), after.iter().map(special));
        before.chain([text(name)]).chain(after).collect()
    };
    let known: serde_json::Map<String, Value> = before
        .iter()
        .chain(&after)
        .map(|(content, id)| {
            (
                content.clone(),
                json!({"id": content, "ids": [id], "tokens": [content]}),
            )
        })
        .collect();
    let pair = [around("A"), around("B")].concat();
    json!({"type": "TemplateProcessing", "single": around("A"), "pair": pair, "special_tokens": known})
}
