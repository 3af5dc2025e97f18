//! Data files as the reader takes them, with what is wrong in them.

mod lists;

use super::*;
use proptest::prelude::*;

fn write(name: &str, bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Dataset> {
    let (_folder, path) = write(name, bytes);
    Dataset::read(&path)
}

fn message(name: &str, bytes: impl AsRef<[u8]>) -> String {
    let error = read(name, bytes).unwrap_err();
    assert!(
        matches!(error, Error::Malformed { .. }),
        "{error:?} should be Malformed"
    );
    error.to_string()
}

fn values(data: &Dataset, name: &str) -> Values {
    data.column(name).unwrap().values.clone()
}

fn text(cells: &[&str]) -> Values {
    let cell = |c: &&str| (!c.is_empty()).then(|| (*c).to_owned());
    Values::Text(cells.iter().map(cell).collect())
}

#[test]
fn quoted_fields_hold_separators_line_breaks_and_doubled_quotes() {
    let data = read(
        "a.csv",
        "text,label\r\n\"one, \"\"two\"\"\r\nthree\",x\r\n5\" pipe,\"\"\r\n\r\n\"\"\"\",y",
    )
    .unwrap();
    assert_eq!(data.len(), 3);
    assert_eq!(
        values(&data, "text"),
        text(&["one, \"two\"\r\nthree", "5\" pipe", "\""])
    );
    assert_eq!(values(&data, "label"), text(&["x", "", "y"]));
}

#[test]
fn a_byte_order_mark_and_the_case_of_the_extension_do_not_matter() {
    let data = read("a.TSV", "\u{feff}text\tn\ra, b\t1\rc\t2\r").unwrap();
    assert_eq!(data.names(), ["text", "n"]);
    assert_eq!(values(&data, "text"), text(&["a, b", "c"]));
    assert_eq!(values(&data, "n"), Values::Integer(vec![Some(1), Some(2)]));
}

#[test]
fn a_column_is_a_number_only_where_nothing_is_lost() {
    let kind = |cells: &[&str]| {
        let body: String = cells.iter().map(|c| format!("x,{c}\n")).collect();
        let data = read("a.csv", format!("a,b\n{body}")).unwrap();
        values(&data, "b").kind()
    };
    assert_eq!(kind(&["1", "-2", "", "9223372036854775807"]), "integers");
    assert_eq!(
        kind(&["1", "2.5", "-.5", "1e-3", "0.10", "-0.0"]),
        "numbers"
    );
    for odd in [
        "007",
        "+1",
        "-0",
        "9223372036854775808",
        "nan",
        "inf",
        "1e999",
        " 1",
        "1_000",
        "0x1",
        "01.5",
        "+1.5",
        "--1",
        ".",
        "-",
        "e5",
        "infinity",
        "1,5".replace(',', ";").as_str(),
    ] {
        assert_eq!(kind(&["1", odd]), "text", "{odd}");
    }
    assert_eq!(kind(&["", ""]), "text");
}

#[test]
fn the_last_row_decides_a_type_as_much_as_the_first() {
    let body: String = (0..5000).map(|i| format!("{i}\n")).collect();
    let data = read("a.csv", format!("n\n{body}none\n")).unwrap();
    assert_eq!(values(&data, "n").kind(), "text");
    assert_eq!(data.texts("n").unwrap()[12], "12");
}

#[test]
fn texts_are_as_they_stand_in_the_file() {
    let data = read("a.csv", "n,s\n1.50,007\n1e3, x \n").unwrap();
    assert_eq!(values(&data, "n").kind(), "numbers");
    assert_eq!(data.texts("n").unwrap(), ["1.50", "1e3"]);
    assert_eq!(data.texts("s").unwrap(), ["007", " x "]);
}

#[test]
fn an_empty_text_is_an_error_with_its_row() {
    for cell in ["", "\" \t\"", "\"\n\""] {
        let data = read("a.csv", format!("id,text\n1,a\n2,{cell}\n")).unwrap();
        let error = data.texts("text").unwrap_err();
        assert!(
            matches!(&error, Error::BadCell { row: 1, column, .. } if column == "text"),
            "{error}"
        );
    }
}

#[test]
fn a_malformed_table_names_the_line() {
    let short = message("a.csv", "a,b\n\"x\ny\",1\n\nz\n");
    assert!(
        short.contains("line 5 has 1 field(s) where the header has 2"),
        "{short}"
    );
    assert!(message("a.csv", "a,b\n1,2,3\n").contains("line 2 has 3 field(s)"));
    let open = message("a.csv", "a,b\n1,2\n\"x,3\n4,5\n");
    assert!(open.contains("on line 3 is never closed"), "{open}");
    let after = message("a.tsv", "a\tb\n\"good\" film\t1\n");
    assert!(
        after.contains("line 2: text follows the closing quotation mark"),
        "{after}"
    );
    let last = message("a.tsv", "a\tb\r\rx\t\"good\" film");
    assert!(
        last.contains("line 3: text follows the closing quotation mark"),
        "{last}"
    );
    let doubled = message("a.csv", "a\r\n\"\"\"x\"\"");
    assert!(doubled.contains("on line 2 is never closed"), "{doubled}");
    let twice = message("a.csv", "text,label,text\n1,2,3\n");
    assert!(
        twice.contains("two columns `text` (number 1 and 3)"),
        "{twice}"
    );
}

#[test]
fn a_file_without_rows_is_an_error() {
    for (name, content) in [
        ("a.csv", ""),
        ("a.csv", "\u{feff}"),
        ("a.csv", "text,label\n\n"),
        ("a.tsv", "text"),
        ("a.jsonl", ""),
        ("a.ndjson", "\n \n"),
    ] {
        let error = read(name, content).unwrap_err();
        assert!(
            matches!(error, Error::NoRows { .. }),
            "{name} {content:?}: {error}"
        );
    }
}

#[test]
fn what_is_no_data_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Dataset::read(&folder.path().join("none.csv")).unwrap_err();
    assert!(matches!(missing, Error::NoSuchFile { .. }), "{missing}");
    let is_folder = Dataset::read(folder.path()).unwrap_err().to_string();
    assert!(is_folder.contains("this is a folder"), "{is_folder}");
    let other = message("notes.txt", "text\na\n");
    assert!(
        other.contains("`txt`") && other.contains(".csv, .tsv"),
        "{other}"
    );
    message("noextension", "text\na\n");
}

#[test]
fn a_line_that_is_not_utf8_is_named() {
    for name in ["a.csv", "a.jsonl"] {
        let error = read(name, b"text\nabc\ncaf\xe9\n").unwrap_err();
        assert!(matches!(error, Error::NotUtf8 { line: 3, .. }), "{error}");
    }
}

#[test]
fn a_missing_column_suggests_the_nearest() {
    let data = read("a.csv", "text,label\na,b\n").unwrap();
    let error = data.texts("txt").unwrap_err();
    assert!(
        error.to_string().contains("did you mean `text`?"),
        "{error}"
    );
    assert!(error.is_usage());
}

#[test]
fn the_hash_is_that_of_the_bytes() {
    // printf 'text\na\n' | sha256sum
    let data = read("a.csv", "text\na\n").unwrap();
    assert_eq!(
        data.sha256(),
        "ef271522dd0a16c1b66bcbadc17474307a88dea874019dc4146b4789a09a8c2d"
    );
}

#[test]
fn json_lines_bring_their_types() {
    let data = read(
        "a.jsonl",
        "{\"text\":\"a\\nb\",\"n\":1,\"x\":1,\"ids\":[1,2],\"meta\":{\"a\":1}}\r\n\n{\"x\":2.5,\"ok\":true,\"text\":\"007\",\"ids\":[3]}\n{\"n\":null,\"text\":\"\"}",
    )
    .unwrap();
    assert_eq!(data.names(), ["text", "n", "x", "ids", "meta", "ok"]);
    assert_eq!(values(&data, "text"), text(&["a\nb", "007", ""]));
    assert_eq!(
        values(&data, "n"),
        Values::Integer(vec![Some(1), None, None])
    );
    assert_eq!(
        values(&data, "x"),
        Values::Number(vec![Some(1.0), Some(2.5), None])
    );
    assert_eq!(
        values(&data, "ok"),
        Values::Boolean(vec![None, Some(true), None])
    );
    assert_eq!(
        values(&data, "ids"),
        Values::Tokens(vec![vec![1, 2], vec![3], vec![]])
    );
    let nested = data.column("meta").unwrap_err().to_string();
    assert!(
        nested.contains("column `meta`") && nested.contains("nested objects"),
        "{nested}"
    );
    let empty = data.token_ids("ids").unwrap_err();
    assert!(matches!(empty, Error::BadCell { row: 2, .. }), "{empty}");
    let numbers = data.texts("n").unwrap_err().to_string();
    assert!(
        numbers.contains("the column holds integers, not text"),
        "{numbers}"
    );
}

#[test]
fn a_bad_json_line_is_named() {
    let bad = message("a.jsonl", "{\"a\":1}\n\n{\"a\":}\n");
    assert!(bad.contains("line 3, column 6"), "{bad}");
    assert!(message("a.jsonl", "[\n{\"a\":1}\n]").contains("line 1 is not a JSON object"));
    assert!(
        message("a.jsonl", "{\"a\":1,\"a\":2}").contains("line 1: the object has two fields `a`")
    );
    assert!(message("a.jsonl", "{\"a\":1} {\"a\":2}").contains("line 1"));
    message(
        "a.jsonl",
        format!("{{\"a\":{}1{}}}", "[".repeat(9000), "]".repeat(9000)),
    );
}

#[test]
fn a_json_column_of_two_types_is_an_error_at_its_row() {
    let data = read("a.jsonl", "{\"a\":1,\"b\":1}\n{\"a\":\"x\"}\n").unwrap();
    let error = data.column("a").unwrap_err();
    assert!(matches!(error, Error::BadCell { row: 1, .. }), "{error}");
    assert!(data.column("b").is_ok());
    let big = read("a.jsonl", "{\"a\":1}\n{\"a\":18446744073709551615}\n").unwrap();
    assert!(matches!(
        big.column("a"),
        Err(Error::BadCell { row: 1, .. })
    ));
}

/// The cells of every row, as Python's `csv` module reads them, hashed: each cell ends in 0x1F, each row in 0x1E.
#[test]
fn real_files_read_as_pythons_csv_module_reads_them() {
    let Some(shared) = std::env::var_os("PLUMB_SHARED").map(PathBuf::from) else {
        println!("skipped: PLUMB_SHARED does not name the folder with the real data sets");
        return;
    };
    let golden = [
        (
            "sst/sst.tsv",
            4870,
            "1c352e40ff681d1a36f76760c0af87e3981a1dcfbfa0d602d409b92fe2b5beca",
        ),
        (
            "cad/pairs.tsv",
            733,
            "6e230f3e18ea4c5286416d27c370eabbc23dc8c310bdff4075c02a220ab8ff61",
        ),
        (
            "places/places.csv",
            6000,
            "c8b1ecf379de0da709e775d795f9209f8c971edd04dce96abc7ba9b3986b13fe",
        ),
    ];
    for (file, rows, hash) in golden {
        let data = Dataset::read(&shared.join("datasets").join(file)).unwrap();
        assert_eq!(data.len(), rows, "{file}");
        let columns: Vec<Vec<String>> = data
            .names()
            .iter()
            .map(|n| data.texts(n).unwrap())
            .collect();
        let mut bytes = Vec::new();
        for row in 0..rows {
            for column in &columns {
                bytes.extend(column[row].as_bytes());
                bytes.push(0x1f);
            }
            bytes.push(0x1e);
        }
        assert_eq!(sha256_hex(&bytes), hash, "{file}");
    }
    let places = Dataset::read(&shared.join("datasets/places/places.csv")).unwrap();
    assert_eq!(values(&places, "latitude").kind(), "numbers");
}

proptest! {
    #[test]
    fn what_is_written_as_csv_reads_back(
        rows in prop::collection::vec(prop::collection::vec("[a-c0\",;\t\r\n \u{e9}\u{1f600}]{0,6}", 2), 1..12),
        crlf: bool,
        tsv: bool,
    ) {
        let quote = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let (separator, name) = if tsv { ("\t", "a.tsv") } else { (",", "a.csv") };
        let end = if crlf { "\r\n" } else { "\n" };
        let line = |cells: &Vec<String>| cells.iter().map(quote).collect::<Vec<_>>().join(separator) + end;
        let file: String = std::iter::once(format!("a{separator}b{end}")).chain(rows.iter().map(line)).collect();
        let data = read(name, file).unwrap();
        prop_assert_eq!(data.len(), rows.len());
        for (at, name) in ["a", "b"].iter().enumerate() {
            let expected: Vec<&str> = rows.iter().map(|r| r[at].as_str()).collect();
            match values(&data, name) {
                Values::Text(cells) => {
                    let cells: Vec<_> = cells.iter().map(|c| c.as_deref().unwrap_or("")).collect();
                    prop_assert_eq!(cells, expected);
                }
                Values::Integer(cells) => {
                    let cells: Vec<_> = cells.iter().map(|c| c.map_or(String::new(), |i| i.to_string())).collect();
                    prop_assert_eq!(cells, expected);
                }
                other => prop_assert!(false, "{:?} from {:?}", other, expected),
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(prop::sample::select(b"a\",\t\r\n{}[]:1 \xc3\xa9".to_vec()), 0..60)) {
        for name in ["a.csv", "a.tsv", "a.jsonl", "a.parquet"] {
            let _ = read(name, &bytes);
        }
    }
}
