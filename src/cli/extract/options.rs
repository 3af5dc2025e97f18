//! How memory sizes, and parts of a run, are written on the command line.

use crate::store::{Budget, Part};

/// `1GiB`, `512MiB`, `2GB`, or a number of bytes.
pub(in crate::cli) fn memory(text: &str) -> Result<Budget, String> {
    let units: [(&str, usize); 7] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("", 1),
    ];
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = text[digits.len()..].trim();
    let size = units
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let number: Option<f64> = digits
        .parse()
        .ok()
        .filter(|n: &f64| n.is_finite() && *n > 0.0);
    match (number, size) {
        (Some(number), Some((_, size))) => {
            Budget::new((number * *size as f64) as usize).map_err(|e| e.to_string())
        }
        _ => Err("give a size such as 512MiB, 1GiB or 2GB".to_owned()),
    }
}

/// `2/5`: the second of five parts.
pub(super) fn part(text: &str) -> Result<Part, String> {
    let numbers = text
        .split_once('/')
        .and_then(|(index, of)| Some((index.parse::<usize>().ok()?, of.parse::<usize>().ok()?)));
    match numbers {
        Some((index, of)) if (1..=of).contains(&index) => Ok(Part { index, of }),
        _ => Err("give which part of how many, such as 1/4 up to 4/4".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_units() {
        let bytes = |n| Budget::new(n).unwrap();
        assert_eq!(memory("1GiB"), Ok(Budget::default()));
        assert_eq!(memory("1.5 gib"), Ok(bytes(3 << 29)));
        assert_eq!(memory("20MB"), Ok(bytes(20_000_000)));
        assert_eq!(memory("33554432"), Ok(bytes(32 << 20)));
        for wrong in ["", "GiB", "1XB", "-1GiB", "1GiB2", "nan", "1KiB"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_part_is_one_of_those_there_are() {
        assert_eq!(part("2/5"), Ok(Part { index: 2, of: 5 }));
        for wrong in ["0/2", "3/2", "1", "1/", "a/b", "-1/2", "1/0"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }
}
