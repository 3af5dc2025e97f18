//! Sums of vectors as they are typed: `"king" - "man" + "woman"`.

use crate::error::{Error, Result};

/// A vector that an expression names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Atom {
    /// A token, in quotes.
    Token(String),
    /// A row of the run: `row 17`.
    Row(usize),
}

/// A sum of vectors, each with its factor, in the order in which they were typed.
///
/// ```text
/// sum    = ["-"] term { ("+" | "-") term }
/// term   = [number "*"] vector [("*" | "/") number]
/// vector = quoted | "row" integer | "(" sum ")"
/// quoted = '"' … '"' or "'" … "'", in which a backslash takes the next character as it is
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Expression(Vec<(f64, Atom)>);

/// Brackets in brackets that are followed.
const MOST_NESTED: usize = 64;

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`Error::BadParameter`] with the character that is at fault (the first is 1).
    pub fn parse(text: &str) -> Result<Self> {
        let mut reader = Reader {
            text,
            chars: text.chars().collect(),
            at: 0,
            nested: 0,
        };
        let mut parts = Vec::new();
        reader.sum(1.0, &mut parts)?;
        match reader.peek() {
            None => Ok(Self(parts)),
            Some(c) => Err(reader.fault(&format!("expected `+`, `-` or the end, found `{c}`"))),
        }
    }

    /// The vectors with their factors.
    pub fn parts(&self) -> &[(f64, Atom)] {
        &self.0
    }
}

struct Reader<'a> {
    text: &'a str,
    chars: Vec<char>,
    at: usize,
    nested: usize,
}

impl Reader<'_> {
    fn fault(&self, problem: &str) -> Error {
        Error::BadParameter {
            name: "expr",
            value: self.text.replace(char::is_control, " "),
            problem: format!("character {}: {problem}", self.at + 1),
        }
    }

    /// The next character that is no space.
    fn peek(&mut self) -> Option<char> {
        while self.chars.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
        self.chars.get(self.at).copied()
    }

    /// Steps over one of these characters, if it is next.
    fn take(&mut self, wanted: &[char]) -> Option<char> {
        let next = self.peek().filter(|c| wanted.contains(c))?;
        self.at += 1;
        Some(next)
    }

    fn sum(&mut self, factor: f64, parts: &mut Vec<(f64, Atom)>) -> Result<()> {
        let sign = |c: Option<char>| if c == Some('-') { -factor } else { factor };
        let first = self.take(&['-', '+']);
        self.term(sign(first), parts)?;
        while let Some(operator) = self.take(&['-', '+']) {
            self.term(sign(Some(operator)), parts)?;
        }
        Ok(())
    }

    fn term(&mut self, mut factor: f64, parts: &mut Vec<(f64, Atom)>) -> Result<()> {
        if let Some(number) = self.number()? {
            if self.take(&['*']).is_none() {
                return Err(self.fault("expected `*` between a number and its vector"));
            }
            factor *= number;
        }
        let first = parts.len();
        self.vector(factor, parts)?;
        while let Some(operator) = self.take(&['*', '/']) {
            let start = self.at;
            let number = self.number()?;
            let number = number.ok_or_else(|| self.fault("expected a number"))?;
            if operator == '/' && number == 0.0 {
                self.at = start;
                return Err(self.fault("a vector cannot be divided by 0"));
            }
            for part in &mut parts[first..] {
                part.0 = match operator {
                    '/' => part.0 / number,
                    _ => part.0 * number,
                };
            }
        }
        Ok(())
    }

    fn vector(&mut self, factor: f64, parts: &mut Vec<(f64, Atom)>) -> Result<()> {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => {
                let token = self.quoted(quote)?;
                parts.push((factor, Atom::Token(token)));
            }
            Some('(') => {
                self.nested += 1;
                if self.nested > MOST_NESTED {
                    return Err(self.fault("too many brackets in brackets"));
                }
                self.at += 1;
                self.sum(factor, parts)?;
                if self.take(&[')']).is_none() {
                    return Err(self.fault("expected `)`"));
                }
                self.nested -= 1;
            }
            Some(c) if c.is_alphabetic() => parts.push((factor, Atom::Row(self.row()?))),
            Some(c) => {
                return Err(self.fault(&format!(
                    "expected a token in quotes, `row N` or `(`, found `{c}`"
                )));
            }
            None => return Err(self.fault("expected a token in quotes, `row N` or `(`")),
        }
        Ok(())
    }

    fn quoted(&mut self, quote: char) -> Result<String> {
        let start = self.at;
        self.at += 1;
        let mut token = String::new();
        while let Some(c) = self.chars.get(self.at).copied() {
            self.at += 1;
            match c {
                c if c == quote => {
                    if token.is_empty() {
                        self.at = start;
                        return Err(self.fault("the token is empty"));
                    }
                    return Ok(token);
                }
                '\\' => {
                    token.extend(self.chars.get(self.at));
                    self.at += 1;
                }
                c => token.push(c),
            }
        }
        self.at = start;
        Err(self.fault("the quote does not end"))
    }

    fn row(&mut self) -> Result<usize> {
        let start = self.at;
        let word = self.while_chars(char::is_alphabetic);
        if word != "row" {
            self.at = start;
            return Err(self.fault(&format!(
                "`{word}` is nothing here; tokens stand in quotes, rows are `row N`"
            )));
        }
        self.peek();
        let start = self.at;
        let digits = self.while_chars(|c| c.is_ascii_digit());
        digits.parse().map_err(|_| {
            self.at = start;
            self.fault("expected the number of a row")
        })
    }

    /// A number without a sign, if one is next.
    fn number(&mut self) -> Result<Option<f64>> {
        match self.peek() {
            Some(c) if c.is_ascii_digit() || c == '.' => {}
            _ => return Ok(None),
        }
        let start = self.at;
        let digits = self.while_chars(|c| c.is_ascii_digit() || c == '.');
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => {
                self.at = start;
                Err(self.fault(&format!("`{digits}` is no number")))
            }
        }
    }

    fn while_chars(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let rest = self.chars[self.at.min(self.chars.len())..].iter();
        let word: String = rest.take_while(|c| wanted(**c)).collect();
        self.at += word.chars().count();
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> Vec<(f64, Atom)> {
        Expression::parse(text).unwrap().parts().to_vec()
    }

    fn fault(text: &str) -> String {
        Expression::parse(text).unwrap_err().to_string()
    }

    fn token(text: &str) -> Atom {
        Atom::Token(text.to_owned())
    }

    #[test]
    fn sums_brackets_factors_and_quotes() {
        assert_eq!(
            parts(r#""king" - "man" + "woman""#),
            [
                (1.0, token("king")),
                (-1.0, token("man")),
                (1.0, token("woman"))
            ]
        );
        assert_eq!(
            parts("-('a' - 2*'b')/4 + row 17"),
            [(-0.25, token("a")), (0.5, token("b")), (1.0, Atom::Row(17))]
        );
        assert_eq!(parts(r#"" Paris\"\\""#), [(1.0, token(" Paris\"\\"))]);
        assert_eq!(
            parts("1.5 * ('x' + 'y') * 2"),
            [(3.0, token("x")), (3.0, token("y"))]
        );
    }

    #[test]
    fn faults_name_the_character() {
        for (text, said) in [
            ("", "character 1: expected a token in quotes"),
            (
                "\"king\" \"man\"",
                "character 8: expected `+`, `-` or the end, found `\"`",
            ),
            ("\"king\" - ", "character 10: expected a token in quotes"),
            ("\"king\" - man", "character 10: `man` is nothing here"),
            ("\"king", "character 1: the quote does not end"),
            ("2 \"king\"", "character 3: expected `*`"),
            ("('a' + 'b'", "character 11: expected `)`"),
            ("row x", "character 5: expected the number of a row"),
            ("'a'/0", "character 5: a vector cannot be divided by 0"),
            ("1.2.3*'a'", "character 1: `1.2.3` is no number"),
            ("'é' + ''", "character 7: the token is empty"),
            ("3 - 'a'", "character 3: expected `*`"),
        ] {
            assert!(fault(text).contains(said), "{text}: {}", fault(text));
        }
        assert!(fault(&"(".repeat(10_000)).contains("too many brackets"));
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_panics(text in "[\"'()+*/. \\\\0-9arow-]{0,40}") {
            let _ = Expression::parse(&text);
        }
    }
}
