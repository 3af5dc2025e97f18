//! The rows of one run: which of its tokens make each, and what the data say of it.

use super::{RowArgs, UnitArg, unit_name};
use crate::analysis::probe::spelled;
use crate::error::{Error, Result};
use crate::store::{Run, TokenRows, Units, Vectors};
use crate::text::dataset::{Dataset, Values, Word};
use crate::text::words::{Place, occurrences, places_in_line, tokens_of};
use std::path::{Path, PathBuf};

/// The rows of one run.
pub(super) struct Part {
    pub(super) run: Run,
    unit: UnitArg,
    pub(super) units: Units,
    /// The text of each unit.
    pub(super) example: Vec<u32>,
    /// For each text, its first row; in runs without pooling.
    first_row: Vec<usize>,
    /// Labels of words by column, one cell a unit.
    labels: Vec<(String, Vec<Option<String>>)>,
    /// Words or spans that no token stands for: mostly those behind the end of a text that was cut.
    pub(super) without_tokens: usize,
}

/// The labelled words of every text, by column.
type Labelled = Vec<(String, Vec<Vec<Word>>)>;

impl Part {
    pub(super) fn open(
        run: Run,
        args: &RowArgs,
        data: Option<&Path>,
        unit: UnitArg,
        labels: &[String],
    ) -> Result<Self> {
        let mut part = Self {
            units: run.row_units(),
            example: Vec::new(),
            first_row: Vec::new(),
            labels: Vec::new(),
            without_tokens: 0,
            unit,
            run,
        };
        if unit == UnitArg::Text {
            return Ok(part);
        }
        let table = part.run.token_rows()?;
        let texts = part.run.manifest().plan.data.examples as u32;
        part.first_row = (0..texts).map(|e| table.of_example(e).start).collect();
        part.units.subwords = args.subwords();
        match unit {
            UnitArg::Span => part.span_units(&table, args, data)?,
            UnitArg::Word => {
                let words = part.words(args, data, labels)?;
                part.word_units(&table, &words);
            }
            _ => {
                let carried = &part.run.manifest().plan.data.columns;
                let of_words =
                    args.words_column.is_some() || !labels.iter().all(|l| carried.contains(l));
                let words = match of_words {
                    true => part.words(args, data, labels)?,
                    false => Vec::new(),
                };
                part.token_units(&table, &words);
            }
        }
        match part.units.rows.is_empty() {
            false => Ok(part),
            true => Err(Error::BadRun {
                path: part.run.path().to_owned(),
                problem: format!("it has no {} to probe", unit_name(unit)),
            }),
        }
    }

    /// The words with the labels of these columns, in the data file (CoNLL-U) or in columns where they stand in line.
    fn words(&self, args: &RowArgs, data: Option<&Path>, labels: &[String]) -> Result<Labelled> {
        match &args.words_column {
            Some(column) => self.words_in_line(column, labels, data),
            None => {
                let data = self.dataset(data)?;
                let named = labels
                    .iter()
                    .map(|name| Ok((name.clone(), data.words(name)?.to_vec())));
                named.collect()
            }
        }
    }

    fn words_in_line(
        &self,
        column: &str,
        labels: &[String],
        data: Option<&Path>,
    ) -> Result<Labelled> {
        let (texts, words) = (self.texts(data)?, self.cells(column)?);
        let mut places = Vec::new();
        for (row, (text, words)) in texts.iter().zip(&words).enumerate() {
            let found = places_in_line(text, words.as_deref().unwrap_or_default());
            places.push(found.map_err(|problem| self.bad_cell(row, column, problem))?);
        }
        let of_label = |name: &String| {
            let cells = self.cells(name)?.into_iter().zip(&places).enumerate();
            let each = cells.map(|(row, (cell, places))| {
                let cell = cell.unwrap_or_default();
                let labels: Vec<&str> = cell.split_whitespace().collect();
                let problem = format!(
                    "{} labels for {} words of column `{column}`",
                    labels.len(),
                    places.len()
                );
                if labels.len() != places.len() {
                    return Err(self.bad_cell(row, name, problem));
                }
                let word = |(place, label): (&Place, &str)| Word {
                    start: place.0,
                    end: place.1,
                    label: Some(label.to_owned()),
                };
                Ok(places.iter().zip(labels).map(word).collect())
            });
            Ok((name.clone(), each.collect::<Result<_>>()?))
        };
        labels.iter().map(of_label).collect()
    }

    fn word_units(&mut self, table: &TokenRows, words: &Labelled) {
        let mut labels: Vec<Vec<Option<String>>> = vec![Vec::new(); words.len()];
        let (mut rows, mut examples) = (Vec::new(), Vec::new());
        let Some((_, of_text)) = words.first() else {
            return;
        };
        for (example, places) in (0u32..).zip(of_text) {
            let places: Vec<Place> = places.iter().map(|w| (w.start, w.end)).collect();
            let tokens = table.of_example(example);
            for (i, found) in tokens_of(&places, &table.spans[tokens.clone()])
                .into_iter()
                .enumerate()
            {
                if found.is_empty() {
                    self.without_tokens += 1;
                    continue;
                }
                rows.push(found.into_iter().map(|t| tokens.start + t).collect());
                examples.push(example);
                for (labels, (_, words)) in labels.iter_mut().zip(words) {
                    labels.push(words[example as usize].get(i).and_then(|w| w.label.clone()));
                }
            }
        }
        self.units.rows = rows;
        self.example = examples;
        self.labels = words
            .iter()
            .map(|(name, _)| name.clone())
            .zip(labels)
            .collect();
    }

    fn token_units(&mut self, table: &TokenRows, words: &Labelled) {
        let rows: Vec<usize> = (0..table.special.len())
            .filter(|row| !table.special[*row])
            .collect();
        for (name, of_text) in words {
            let mut of_row: Vec<Option<String>> = vec![None; table.special.len()];
            for (example, words) in (0u32..).zip(of_text) {
                let places: Vec<Place> = words.iter().map(|w| (w.start, w.end)).collect();
                let tokens = table.of_example(example);
                let found = tokens_of(&places, &table.spans[tokens.clone()]);
                // Of words that share a token, the first.
                for (word, found) in words.iter().zip(found).rev() {
                    found
                        .into_iter()
                        .for_each(|t| of_row[tokens.start + t] = word.label.clone());
                }
            }
            self.labels.push((
                name.clone(),
                rows.iter().map(|row| of_row[*row].clone()).collect(),
            ));
        }
        self.example = rows.iter().map(|row| table.example[*row]).collect();
        self.units.rows = rows.into_iter().map(|row| vec![row]).collect();
    }

    fn span_units(&mut self, table: &TokenRows, args: &RowArgs, data: Option<&Path>) -> Result<()> {
        let places = match (&args.span_columns, &args.span_column) {
            (Some(columns), _) => self.given_spans(columns)?,
            (_, Some(column)) => self.entities(column, data)?,
            _ => Vec::new(),
        };
        let (mut rows, mut examples) = (Vec::new(), Vec::new());
        for (example, place) in (0u32..).zip(places) {
            let Some(place) = place else { continue };
            let tokens = table.of_example(example);
            match tokens_of(&[place], &table.spans[tokens.clone()]).pop() {
                Some(found) if !found.is_empty() => {
                    rows.push(found.into_iter().map(|t| tokens.start + t).collect());
                    examples.push(example);
                }
                _ => self.without_tokens += 1,
            }
        }
        (self.units.rows, self.example) = (rows, examples);
        Ok(())
    }

    /// Spans from a column with their beginning and one with their end; a row without either has none.
    fn given_spans(&self, columns: &[String]) -> Result<Vec<Option<Place>>> {
        let numbers = |name: &String| match self.text_column(name)? {
            Values::Integer(cells) => Ok(cells),
            _ => Err(Error::BadLabel {
                column: name.clone(),
                problem: "the ends of spans are whole numbers: characters, counted from 0"
                    .to_owned(),
            }),
        };
        let [start, end] = columns else {
            return Ok(Vec::new());
        };
        let pairs = numbers(start)?.into_iter().zip(numbers(end)?).enumerate();
        pairs
            .map(|(row, (from, to))| {
                let Some((from, to)) = from.zip(to) else {
                    return Ok(None);
                };
                let place = u32::try_from(from).ok().zip(u32::try_from(to).ok());
                match place.filter(|(from, to)| from < to) {
                    Some(place) => Ok(Some(place)),
                    None => Err(self.bad_cell(
                        row,
                        end,
                        format!("{from} to {to} is not a span of characters"),
                    )),
                }
            })
            .collect()
    }

    /// Where the words of a column stand in their texts: each must stand there once.
    fn entities(&self, column: &str, data: Option<&Path>) -> Result<Vec<Option<Place>>> {
        let (texts, cells) = (self.texts(data)?, self.cells(column)?);
        let mut places = Vec::new();
        let mut at_fault: Option<(usize, String)> = None;
        let (mut absent, mut repeated) = (0, 0);
        for (row, (text, cell)) in texts.iter().zip(&cells).enumerate() {
            let Some(cell) = cell.as_deref().map(str::trim).filter(|c| !c.is_empty()) else {
                places.push(None);
                continue;
            };
            let found = occurrences(text, cell);
            if let [place] = found[..] {
                places.push(Some(place));
                continue;
            }
            match found.is_empty() {
                true => absent += 1,
                false => repeated += 1,
            }
            at_fault.get_or_insert_with(|| {
                (
                    row,
                    format!("`{cell}` stands {} times in the text", found.len()),
                )
            });
        }
        match at_fault {
            None => Ok(places),
            Some((row, problem)) => Err(self.bad_cell(
                row,
                column,
                format!(
                    "{problem} and must stand there once ({absent} row(s) lack theirs, {repeated} have it more than once); empty these cells, or give --span-columns"
                ),
            )),
        }
    }

    /// A cell of each text as people write it.
    fn cells(&self, column: &str) -> Result<Vec<Option<String>>> {
        let values = self.text_column(column)?;
        Ok((0..values.len()).map(|row| spelled(&values, row)).collect())
    }

    /// A column of the data that the run carries, one cell a text.
    fn text_column(&self, column: &str) -> Result<Values> {
        self.run.column_at(column, &self.first_row)
    }

    /// The texts, from the run where it carries them or else from the data file.
    fn texts(&self, data: Option<&Path>) -> Result<Vec<String>> {
        let card = &self.run.manifest().plan.data;
        let Some(column) = &card.text_column else {
            return Err(Error::BadRun {
                path: self.run.path().to_owned(),
                problem: "it was made of token ids, so words cannot be found in its texts"
                    .to_owned(),
            });
        };
        match card.columns.contains(column) {
            true => Ok(self
                .cells(column)?
                .into_iter()
                .map(Option::unwrap_or_default)
                .collect()),
            false => self.dataset(data)?.texts(column),
        }
    }

    /// The data file that the run was made of.
    fn dataset(&self, given: Option<&Path>) -> Result<Dataset> {
        let card = &self.run.manifest().plan.data;
        let path = given.map_or_else(|| PathBuf::from(&card.name), Path::to_owned);
        let data = Dataset::read(&path).map_err(|error| match error {
            Error::NoSuchFile { .. } if given.is_none() => Error::BadRun {
                path: self.run.path().to_owned(),
                problem: format!("the labels are in its data file, and {} is not there; say with --data where it lies", path.display()),
            },
            other => other,
        })?;
        match data.sha256() == card.sha256 {
            true => Ok(data),
            false => Err(Error::BadRun {
                path: self.run.path().to_owned(),
                problem: format!(
                    "{} is not the data file that the run was made of (its SHA-256 differs)",
                    path.display()
                ),
            }),
        }
    }

    pub(super) fn column(&self, name: &str) -> Result<Values> {
        if let Some((_, cells)) = self.labels.iter().find(|(n, _)| n == name) {
            return Ok(Values::Text(cells.clone()));
        }
        match self.unit {
            UnitArg::Text => self.run.column(name),
            _ => {
                let examples: Vec<usize> = self.example.iter().map(|e| *e as usize).collect();
                Ok(self.text_column(name)?.select(&examples))
            }
        }
    }

    pub(super) fn vectors(&self, point: &str, per_head: bool) -> Result<Vec<(String, Vectors)>> {
        self.run.unit_vectors(point, &self.units, per_head)
    }

    /// What each row spells: the characters from its first token's to its last one's.
    pub(super) fn spellings(&self, data: Option<&Path>) -> Result<Vec<String>> {
        let (table, texts) = (self.run.token_rows()?, self.texts(data)?);
        let mut of_text: Option<(u32, Vec<char>)> = None;
        let each = self.units.rows.iter().zip(&self.example);
        let words = each.map(|(rows, example)| {
            let chars = match of_text.take() {
                Some((of, chars)) if of == *example => chars,
                _ => texts
                    .get(*example as usize)
                    .map_or_else(Vec::new, |t| t.chars().collect()),
            };
            let spans = rows.iter().filter_map(|row| table.spans[*row]);
            let ends = spans.fold(None, |ends: Option<Place>, (start, end)| match ends {
                Some((first, last)) => Some((first.min(start), last.max(end))),
                None => Some((start, end)),
            });
            let word = ends.and_then(|(start, end)| chars.get(start as usize..end as usize));
            let word = word.unwrap_or_default().iter().collect();
            of_text = Some((*example, chars));
            word
        });
        Ok(words.collect())
    }

    /// Calls `take` with the vector of each row and the number of its head.
    pub(super) fn each_vector(
        &self,
        point: &str,
        per_head: bool,
        take: impl FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<()> {
        self.run.each_unit(point, &self.units, per_head, take)
    }

    fn bad_cell(&self, row: usize, column: &str, problem: String) -> Error {
        Error::BadCell {
            path: PathBuf::from(&self.run.manifest().plan.data.name),
            row,
            column: column.to_owned(),
            problem,
        }
    }
}
