//! Sentences of CoNLL-U files (Universal Dependencies, <https://universaldependencies.org/format.html>).

use super::{Column, Content, Read, Table, Values, Word};

/// The columns that label words, and where they stand in a line.
const LABELS: [(&str, usize); 3] = [("upos", 3), ("xpos", 4), ("deprel", 7)];

/// Reads one row a sentence: `sent_id`, `text`, and the labels of its words. Words of a contraction (lines `1-2`) have their letters of it
/// where they spell it together (`do` and `n't`), and else share its place (`au` is `à` and `le`); empty nodes (lines `8.1`) have none and
/// are left out. `Err` says what is wrong and on which line.
pub(super) fn read(text: &str) -> Result<Table, String> {
    let mut sentences = Vec::new();
    let mut open: Option<Sentence> = None;
    for (number, line) in text.lines().enumerate() {
        let at_line = |problem: String| format!("line {}: {problem}", number + 1);
        if line.trim().is_empty() {
            sentences.extend(
                open.take()
                    .map(Sentence::closed)
                    .transpose()
                    .map_err(at_line)?,
            );
            continue;
        }
        let sentence = open.get_or_insert_with(Sentence::default);
        match line.strip_prefix('#') {
            Some(comment) => sentence.comment(comment),
            None => sentence.word(line).map_err(at_line)?,
        }
    }
    let last = open.map(Sentence::closed).transpose();
    sentences.extend(last.map_err(|problem| format!("the last sentence: {problem}"))?);
    Ok(table(sentences))
}

fn table(sentences: Vec<Sentence>) -> Table {
    let text_column = |name: &str, cells: Vec<Option<String>>| Read {
        name: name.to_owned(),
        content: Content::Typed(Column {
            name: name.to_owned(),
            values: Values::Text(cells),
        }),
    };
    let rows = sentences.len();
    let ids = sentences.iter().map(|s| s.id.clone()).collect();
    let texts = sentences.iter().map(|s| Some(s.text.clone())).collect();
    let mut columns = vec![text_column("sent_id", ids), text_column("text", texts)];
    for (i, (name, _)) in LABELS.iter().enumerate() {
        let words = sentences.iter().map(|s| s.words[i].clone()).collect();
        columns.push(Read {
            name: (*name).to_owned(),
            content: Content::Words(words),
        });
    }
    Table { columns, rows }
}

/// A sentence that is being read.
#[derive(Debug, Default)]
struct Sentence {
    id: Option<String>,
    text: String,
    /// The words under each of [`LABELS`].
    words: [Vec<Word>; LABELS.len()],
    /// How far the text is read, in bytes and in characters.
    byte: usize,
    character: u32,
    /// The contraction that is open.
    contraction: Option<Contraction>,
}

/// A contraction, as its own line says, and the forms of its words so far.
#[derive(Debug)]
struct Contraction {
    place: (u32, u32),
    surface: String,
    /// The number of its last word.
    last: usize,
    forms: Vec<String>,
}

impl Contraction {
    /// The places of its words, if they spell it together.
    fn places(&self) -> Option<Vec<(u32, u32)>> {
        let mut start = self.place.0;
        let places = self.forms.iter().map(|form| {
            let end = start + u32::try_from(form.chars().count()).ok()?;
            Some((std::mem::replace(&mut start, end), end))
        });
        (self.forms.concat() == self.surface).then(|| places.collect())?
    }
}

impl Sentence {
    fn comment(&mut self, comment: &str) {
        let Some((name, value)) = comment.split_once('=') else {
            return;
        };
        match name.trim() {
            "text" => self.text = value.trim().to_owned(),
            "sent_id" => self.id = Some(value.trim().to_owned()),
            _ => {}
        }
    }

    fn word(&mut self, line: &str) -> Result<(), String> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [number, form, ..] = fields.as_slice() else {
            return Err("a word has 10 fields with tabs between".to_owned());
        };
        if fields.len() != 10 {
            return Err(format!(
                "a word has 10 fields with tabs between, and this line has {}",
                fields.len()
            ));
        }
        if self.text.is_empty() {
            return Err("the sentence has no comment `# text = …` before its words".to_owned());
        }
        if let Some((_, last)) = number.split_once('-') {
            let last = last.parse().map_err(|_| odd_number(number))?;
            self.contraction = Some(Contraction {
                place: self.place(form)?,
                surface: (*form).to_owned(),
                last,
                forms: Vec::new(),
            });
            return Ok(());
        }
        if number.contains('.') {
            return Ok(());
        }
        let number: usize = number.parse().map_err(|_| odd_number(number))?;
        if number != self.words[0].len() + 1 {
            return Err(format!(
                "the word has the number {number} where {} comes next",
                self.words[0].len() + 1
            ));
        }
        let (start, end) = match &mut self.contraction {
            Some(open) if number <= open.last => {
                open.forms.push((*form).to_owned());
                open.place
            }
            _ => self.place(form)?,
        };
        for (words, (_, field)) in self.words.iter_mut().zip(LABELS) {
            let label = fields.get(field).filter(|label| **label != "_");
            words.push(Word {
                start,
                end,
                label: label.map(|label| (*label).to_owned()),
            });
        }
        if self.contraction.as_ref().is_some_and(|c| c.last == number) {
            self.close_contraction();
        }
        Ok(())
    }

    /// Gives the words of a contraction that is read their own places.
    fn close_contraction(&mut self) {
        let Some(places) = self.contraction.take().and_then(|c| c.places()) else {
            return;
        };
        for words in &mut self.words {
            let first = words.len() - places.len();
            for (word, (start, end)) in words.iter_mut().skip(first).zip(&places) {
                (word.start, word.end) = (*start, *end);
            }
        }
    }

    /// Finds the next form in the text, behind white space.
    fn place(&mut self, form: &str) -> Result<(u32, u32), String> {
        let rest = self.text.get(self.byte..).unwrap_or_default();
        let found = rest.trim_start();
        let space = rest.get(..rest.len() - found.len()).unwrap_or_default();
        if form.is_empty() || !found.starts_with(form) {
            let found: String = found.chars().take(20).collect();
            return Err(format!(
                "the word `{form}` is not what the text goes on with (`{found}`)"
            ));
        }
        let count = |text: &str| {
            u32::try_from(text.chars().count()).map_err(|_| "the text is too long".to_owned())
        };
        let start = self.character + count(space)?;
        let end = start + count(form)?;
        self.byte += space.len() + form.len();
        self.character = end;
        Ok((start, end))
    }

    /// The sentence at its end, if it has words.
    fn closed(self) -> Result<Self, String> {
        let left = self.text.get(self.byte..).unwrap_or_default().trim();
        match (self.words[0].is_empty(), left.is_empty()) {
            (true, _) => Err("the sentence before has no words".to_owned()),
            (false, false) => Err(format!(
                "the words of the sentence before end ahead of its text (`{left}` is left)"
            )),
            (false, true) => Ok(self),
        }
    }
}

fn odd_number(number: &str) -> String {
    format!("`{number}` is not the number of a word")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sentence from its words, each with the number, the form and the part of speech.
    fn file(text: &str, words: &[(&str, &str, &str)]) -> String {
        let line = |(number, form, upos): &(&str, &str, &str)| {
            format!("{number}\t{form}\t_\t{upos}\tX\t_\t0\troot\t_\t_\n")
        };
        let words: String = words.iter().map(line).collect();
        format!("# sent_id = s1\n# text = {text}\n{words}\n")
    }

    fn words(text: &str, words: &[(&str, &str, &str)]) -> Vec<(u32, u32, String)> {
        let table = read(&file(text, words)).unwrap();
        let Content::Words(rows) = &table.columns[2].content else {
            panic!("upos labels words");
        };
        let word = |w: &Word| (w.start, w.end, w.label.clone().unwrap_or_default());
        rows[0].iter().map(word).collect()
    }

    #[test]
    fn words_have_their_place_in_the_text() {
        let found = words(
            "Ça va,  déjà!",
            &[
                ("1", "Ça", "PRON"),
                ("2", "va", "VERB"),
                ("3", ",", "PUNCT"),
                ("4", "déjà", "ADV"),
                ("5", "!", "_"),
            ],
        );
        let places: Vec<_> = found.iter().map(|(s, e, _)| (*s, *e)).collect();
        assert_eq!(places, [(0, 2), (3, 5), (5, 6), (8, 12), (12, 13)]);
        assert_eq!((found[3].2.as_str(), found[4].2.as_str()), ("ADV", ""));
    }

    #[test]
    fn words_of_a_contraction_share_its_place_and_empty_nodes_have_none() {
        let found = words(
            "I don't.",
            &[
                ("1", "I", "PRON"),
                ("2-3", "don't", "_"),
                ("2", "do", "AUX"),
                ("3", "not", "PART"),
                ("3.1", "go", "VERB"),
                ("4", ".", "PUNCT"),
            ],
        );
        let expected = [
            (0, 1, "PRON"),
            (2, 7, "AUX"),
            (2, 7, "PART"),
            (7, 8, "PUNCT"),
        ];
        let expected = expected.map(|(s, e, l)| (s, e, l.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn words_that_spell_their_contraction_have_their_letters_of_it() {
        let found = words(
            "I don't.",
            &[
                ("1", "I", "PRON"),
                ("2-3", "don't", "_"),
                ("2", "do", "AUX"),
                ("3", "n't", "PART"),
                ("4", ".", "PUNCT"),
            ],
        );
        let places: Vec<_> = found.iter().map(|(s, e, _)| (*s, *e)).collect();
        assert_eq!(places, [(0, 1), (2, 4), (4, 7), (7, 8)]);
    }

    #[test]
    fn what_does_not_agree_names_the_line() {
        let problem = |text: &str| read(text).map(|_| ()).unwrap_err();
        let other = problem(&file(
            "the cat",
            &[("1", "the", "DET"), ("2", "dog", "NOUN")],
        ));
        assert!(
            other.starts_with("line 4: the word `dog`") && other.contains("`cat`"),
            "{other}"
        );
        let short = problem(&file("the cat", &[("1", "the", "DET")]));
        assert!(
            short.starts_with("line 4: ") && short.contains("`cat` is left"),
            "{short}"
        );
        let skipped = problem(&file(
            "the cat",
            &[("1", "the", "DET"), ("3", "cat", "NOUN")],
        ));
        assert!(
            skipped.contains("the number 3 where 2 comes next"),
            "{skipped}"
        );
        assert!(problem("# text = a\n1\ta\tb\n\n").contains("line 2: a word has 10 fields"));
        assert!(problem("1\ta\t_\tX\t_\t_\t_\t_\t_\t_\n\n").contains("no comment `# text"));
        assert!(problem("# text = a\n\n").contains("no words"));
    }

    #[test]
    fn the_english_web_treebank_is_read_whole() {
        let Some(shared) = std::env::var_os("PLUMB_SHARED").map(std::path::PathBuf::from) else {
            println!("skipped: PLUMB_SHARED does not name the folder with the real data sets");
            return;
        };
        for (file, lines) in [("dev", 25_147), ("test", 25_094)] {
            let path = shared.join(format!("datasets/ewt/en_ewt-ud-{file}.conllu"));
            let text = std::fs::read_to_string(path).unwrap();
            let table = read(&text).unwrap();
            // Counted with grep -cP '^\d+\t' and grep -c '^# text = '.
            assert_eq!(table.rows, text.matches("# text = ").count());
            let Content::Words(rows) = &table.columns[2].content else {
                panic!("upos labels words");
            };
            let words: usize = rows.iter().map(Vec::len).sum();
            println!("{file}: {} sentences, {words} words", table.rows);
            assert_eq!(words, lines, "{file}");
        }
    }
}
