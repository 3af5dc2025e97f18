//! A trained probe as two files: its numbers as safetensors, and a card that says what they are of.

use super::probe::{RowsCard, SplitCard};
use crate::analysis::matrix::Matrix;
use crate::analysis::probe::{Link, Readout, Standardizer};
use crate::error::{Error, Result};
use crate::model::Precision;
use crate::store::{ModelCard, Pool, SpecialTokens};
use crate::text::dataset::sha256_hex;
use crate::text::tokens::Bos;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Version of the card.
pub const SCHEMA_VERSION: u32 = 1;

/// Larger files are no probes.
const MOST_BYTES: u64 = 1 << 30;

/// What the numbers of a probe are of, and how good it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeCard {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The program's version.
    pub plumb_version: String,
    /// The command that trained it.
    pub command: String,
    /// Where it reads; of a single head, with its number (`blocks.3.attn_z.h5`).
    pub hook_point: String,
    /// The kind of probe.
    pub kind: String,
    /// What its scores stand for.
    pub link: Link,
    /// The classes (of two, the second is the positive one) or the targets.
    pub names: Vec<String>,
    /// The label column, or the columns of several targets.
    pub label: Vec<String>,
    /// The penalty that it was trained with.
    pub lambda: f64,
    /// What a row is.
    pub rows: RowsCard,
    /// The model.
    pub model: ModelCard,
    /// What the model computed in.
    pub precision: Precision,
    /// Whether texts began with the beginning-of-sequence token; absent where the data were token ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bos: Option<Bos>,
    /// How tokens became vectors.
    pub pool: Pool,
    /// Whether special tokens counted.
    pub special_tokens: SpecialTokens,
    /// The data, as they were named, and the SHA-256 of their file; of training and, if that is another, of test.
    pub data: Vec<(String, String)>,
    /// How rows were divided.
    pub split: SplitCard,
    /// Scores on the test rows, with their intervals.
    pub metrics: serde_json::Value,
    /// What the scores must be read against.
    pub controls: serde_json::Value,
    /// What a reader of the numbers should know.
    pub warnings: Vec<String>,
    /// SHA-256 of the file with the numbers.
    #[serde(default)]
    pub tensors_sha256: String,
}

/// The two files of a probe, by their extension. The tensors are `weights` (`[scores, features]`, on standardised features), `bias`
/// (`[scores]`), `mean` and `scale` (`[features]`), in f64: `score = weights · (x − mean) / scale + bias`.
///
/// # Errors
/// [`Error::Malformed`] if the numbers cannot be encoded.
pub fn encode(readout: &Readout, card: &ProbeCard) -> Result<[(&'static str, Vec<u8>); 2]> {
    let (d, k) = (readout.features(), readout.outputs());
    let turned = Matrix::from_fn(k, d, |i, j| readout.weights().at(j, i));
    let (mean, scale) = (
        readout.standardizer().mean(),
        readout.standardizer().scale(),
    );
    let bytes = |values: &[f64]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let tensors = [
        ("bias", vec![k], bytes(readout.bias())),
        ("mean", vec![d], bytes(mean)),
        ("scale", vec![d], bytes(scale)),
        ("weights", vec![k, d], bytes(turned.as_slice())),
    ];
    let failed = |problem: String| Error::Malformed {
        path: PathBuf::from(&card.hook_point),
        problem: format!("the probe could not be encoded ({problem})"),
    };
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((*name, TensorView::new(Dtype::F64, shape.clone(), bytes)?)))
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| failed(e.to_string()))?;
    let numbers = safetensors::serialize(views, None).map_err(|e| failed(e.to_string()))?;
    let card = ProbeCard {
        tensors_sha256: sha256_hex(&numbers),
        ..card.clone()
    };
    let mut text = serde_json::to_string_pretty(&card).map_err(|e| failed(e.to_string()))?;
    text.push('\n');
    Ok([("safetensors", numbers), ("json", text.into_bytes())])
}

/// Reads a probe; `path` is one of its two files, or both names' common part.
///
/// # Errors
/// [`Error::NoSuchFile`]; [`Error::Malformed`] for files that are no probe, do not belong together or are of a newer plumb.
pub fn read(path: &Path) -> Result<(Readout, ProbeCard)> {
    let sibling = |extension: &str| match path.extension().and_then(|e| e.to_str()) {
        Some("json" | "safetensors") => path.with_extension(extension),
        _ => {
            let mut name = path.as_os_str().to_owned();
            name.push(".");
            name.push(extension);
            PathBuf::from(name)
        }
    };
    if path.is_dir() {
        return Err(malformed(
            path,
            "this is a folder; give one of the files in its probes/".to_owned(),
        ));
    }
    let (json, numbers) = (sibling("json"), sibling("safetensors"));
    let card = parse_card(&json, &bytes_of(&json)?)?;
    let readout = parse_numbers(&numbers, &bytes_of(&numbers)?, &card)?;
    Ok((readout, card))
}

fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    let size = std::fs::metadata(path)
        .map_err(|e| Error::io(path, e))?
        .len();
    match size > MOST_BYTES {
        true => Err(malformed(
            path,
            format!("{size} bytes are more than a probe has"),
        )),
        false => std::fs::read(path).map_err(|e| Error::io(path, e)),
    }
}

fn parse_card(path: &Path, bytes: &[u8]) -> Result<ProbeCard> {
    #[derive(Deserialize)]
    struct Version {
        schema_version: u32,
        #[serde(rename = "tensors_sha256")]
        _numbers: String,
    }
    let no_card =
        |e: serde_json::Error| malformed(path, format!("this is not the card of a probe ({e})"));
    let version: Version = serde_json::from_slice(bytes).map_err(no_card)?;
    if version.schema_version > SCHEMA_VERSION {
        return Err(malformed(
            path,
            format!(
                "its schema_version is {}, and this plumb reads up to {SCHEMA_VERSION}; use a newer plumb",
                version.schema_version
            ),
        ));
    }
    serde_json::from_slice(bytes).map_err(no_card)
}

fn parse_numbers(path: &Path, bytes: &[u8], card: &ProbeCard) -> Result<Readout> {
    if sha256_hex(bytes) != card.tensors_sha256 {
        return Err(malformed(
            path,
            "the numbers are not those that the card was written for (SHA-256 differs)".to_owned(),
        ));
    }
    let no_numbers = |e: safetensors::SafeTensorError| {
        malformed(path, format!("these are not the numbers of a probe ({e})"))
    };
    let file = SafeTensors::deserialize(bytes).map_err(no_numbers)?;
    let tensor = |name: &str, axes: usize| {
        let view = file.tensor(name).map_err(no_numbers)?;
        match view.dtype() == Dtype::F64 && view.shape().len() == axes {
            true => Ok((view.shape().to_vec(), floats(view.data()))),
            false => Err(malformed(
                path,
                format!("`{name}` should be f64 with {axes} axes"),
            )),
        }
    };
    let (shape, weights) = tensor("weights", 2)?;
    let [outputs, features] = shape[..] else {
        return Err(malformed(path, "`weights` should have 2 axes".to_owned()));
    };
    let weights = Matrix::new(outputs, features, weights)?;
    let weights = Matrix::from_fn(features, outputs, |j, k| weights.at(k, j));
    let standardizer = Standardizer::new(tensor("mean", 1)?.1, tensor("scale", 1)?.1)?;
    Readout::new(
        card.hook_point.clone(),
        card.link,
        card.names.clone(),
        weights,
        tensor("bias", 1)?.1,
        standardizer,
    )
    .map_err(|e| malformed(path, format!("the numbers do not fit the card: {e}")))
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    let eights = bytes.as_chunks::<8>().0;
    eights.iter().map(|b| f64::from_le_bytes(*b)).collect()
}

fn malformed(path: &Path, problem: String) -> Error {
    Error::Malformed {
        path: path.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn readout(d: usize, k: usize) -> Readout {
        let link = if k == 1 {
            Link::Logistic
        } else {
            Link::Softmax
        };
        Readout::new(
            "blocks.0.resid_post",
            link,
            (0..k.max(2)).map(|i| format!("class {i}")).collect(),
            Matrix::from_fn(d, k, |i, j| (i as f64 - 1.5) / (j + 1) as f64 + 0.1),
            vec![0.25; k],
            Standardizer::new(vec![0.5; d], vec![2.0; d]).unwrap(),
        )
        .unwrap()
    }

    fn card(readout: &Readout) -> ProbeCard {
        ProbeCard {
            schema_version: SCHEMA_VERSION,
            plumb_version: "0.1.0".to_owned(),
            command: "plumb probe run --label kind".to_owned(),
            hook_point: readout.point().to_owned(),
            kind: "logistic".to_owned(),
            link: readout.link(),
            names: readout.names().to_vec(),
            label: vec!["kind".to_owned()],
            lambda: 0.01,
            rows: RowsCard {
                unit: "text".to_owned(),
                subwords: None,
                without_tokens: 0,
                per_head: false,
            },
            model: ModelCard {
                name: "builtin".to_owned(),
                revision: None,
                family: "llama".to_owned(),
                n_layers: 1,
                d_model: readout.features(),
                context: 16,
                weights_sha256: "00".to_owned(),
                weights_format: BTreeMap::new(),
                tokenizer_sha256: None,
            },
            precision: Precision::F32,
            bos: Some(Bos::Auto),
            pool: Pool::Last,
            special_tokens: SpecialTokens::Included,
            data: vec![("a.csv".to_owned(), "11".to_owned())],
            split: SplitCard {
                how: "stratified".to_owned(),
                train: 3,
                test: 1,
                unlabelled: 0,
                left_out: vec![],
                train_rows: "0-2".to_owned(),
                test_rows: "3".to_owned(),
            },
            metrics: serde_json::json!({"accuracy": {"value": 1.0}}),
            controls: serde_json::json!({"majority": 0.5}),
            warnings: vec![],
            tensors_sha256: String::new(),
        }
    }

    fn written(folder: &Path, readout: &Readout) -> PathBuf {
        for (extension, bytes) in encode(readout, &card(readout)).unwrap() {
            std::fs::write(
                folder.join(format!("blocks.0.resid_post.{extension}")),
                bytes,
            )
            .unwrap();
        }
        folder.join("blocks.0.resid_post.json")
    }

    #[test]
    fn a_probe_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        for k in [1, 3] {
            let probe = readout(4, k);
            let path = written(folder.path(), &probe);
            for path in [
                &path,
                &path.with_extension("safetensors"),
                &path.with_extension(""),
            ] {
                let (read, card) = read(path).unwrap();
                assert_eq!(read, probe);
                assert_eq!(card.split.train_rows, "0-2");
            }
        }
    }

    #[test]
    fn numbers_of_another_probe_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), &readout(4, 1));
        let numbers = path.with_extension("safetensors");
        let other = encode(&readout(5, 1), &card(&readout(5, 1))).unwrap();
        std::fs::write(&numbers, &other[0].1).unwrap();
        assert!(
            read(&path)
                .unwrap_err()
                .to_string()
                .contains("not those that the card")
        );
        std::fs::remove_file(&numbers).unwrap();
        assert!(matches!(read(&path), Err(Error::NoSuchFile { .. })));
        assert!(
            read(folder.path())
                .unwrap_err()
                .to_string()
                .contains("this is a folder")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Foreign bytes end in an error, never in a panic, and never in another probe than was written.
        #[test]
        fn damaged_files_are_refused(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(), which in 0usize..2) {
            let folder = tempfile::tempdir().unwrap();
            let probe = readout(3, 1);
            let path = written(folder.path(), &probe);
            let file = [path.clone(), path.with_extension("safetensors")][which].clone();
            let mut bytes = std::fs::read(&file).unwrap();
            let place = at.index(bytes.len());
            bytes[place] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
            std::fs::write(&file, &bytes).unwrap();
            if let Ok((read, _)) = read(&path) {
                prop_assert_eq!(read.weights(), probe.weights());
            }
        }

        /// Numbers that were made to fit the hash of a card must still make a probe.
        #[test]
        fn numbers_are_checked_beyond_their_hash(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let probe = readout(3, 1);
            let mut numbers = encode(&probe, &card(&probe)).unwrap()[0].1.clone();
            let place = at.index(numbers.len());
            numbers[place] = byte;
            for bytes in [bytes, numbers] {
                let card = ProbeCard { tensors_sha256: sha256_hex(&bytes), ..card(&probe) };
                if let Ok(read) = parse_numbers(Path::new("p"), &bytes, &card) {
                    prop_assert_eq!(read.features(), 3);
                }
            }
        }
    }
}
