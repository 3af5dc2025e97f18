//! Cells: counted, picked and put together.

use super::Values;

impl Values {
    /// The number of cells.
    pub fn len(&self) -> usize {
        match self {
            Values::Text(v) => v.len(),
            Values::Integer(v) => v.len(),
            Values::Number(v) => v.len(),
            Values::Boolean(v) => v.len(),
            Values::Tokens(v) => v.len(),
        }
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cells of some rows, in this order.
    pub fn select(&self, rows: &[usize]) -> Values {
        fn pick<T: Clone>(cells: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().map(|row| cells[*row].clone()).collect()
        }
        match self {
            Values::Text(v) => Values::Text(pick(v, rows)),
            Values::Integer(v) => Values::Integer(pick(v, rows)),
            Values::Number(v) => Values::Number(pick(v, rows)),
            Values::Boolean(v) => Values::Boolean(pick(v, rows)),
            Values::Tokens(v) => Values::Tokens(pick(v, rows)),
        }
    }

    /// Makes a cell a missing one.
    pub fn clear(&mut self, row: usize) {
        match self {
            Values::Text(v) => v[row] = None,
            Values::Integer(v) => v[row] = None,
            Values::Number(v) => v[row] = None,
            Values::Boolean(v) => v[row] = None,
            Values::Tokens(v) => v[row].clear(),
        }
    }

    /// These cells and then those of the same kind; `None` for another kind. Whole numbers and numbers together are numbers.
    pub fn followed_by(self, other: Values) -> Option<Values> {
        fn joined<T>(mut a: Vec<T>, b: Vec<T>) -> Vec<T> {
            a.extend(b);
            a
        }
        let numbers = |v: Vec<Option<i64>>| v.into_iter().map(|x| x.map(|x| x as f64)).collect();
        Some(match (self, other) {
            (Values::Text(a), Values::Text(b)) => Values::Text(joined(a, b)),
            (Values::Integer(a), Values::Integer(b)) => Values::Integer(joined(a, b)),
            (Values::Number(a), Values::Number(b)) => Values::Number(joined(a, b)),
            (Values::Integer(a), Values::Number(b)) => Values::Number(joined(numbers(a), b)),
            (Values::Number(a), Values::Integer(b)) => Values::Number(joined(a, numbers(b))),
            (Values::Boolean(a), Values::Boolean(b)) => Values::Boolean(joined(a, b)),
            (Values::Tokens(a), Values::Tokens(b)) => Values::Tokens(joined(a, b)),
            _ => return None,
        })
    }

    /// What the cells are, in the plural.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Values::Text(_) => "text",
            Values::Integer(_) => "integers",
            Values::Number(_) => "numbers",
            Values::Boolean(_) => "true and false",
            Values::Tokens(_) => "lists of token ids",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_kind_follow_each_other_and_whole_numbers_are_numbers() {
        let whole = Values::Integer(vec![Some(1), None]);
        let numbers = Values::Number(vec![Some(0.5)]);
        let both = whole.clone().followed_by(numbers.clone()).unwrap();
        assert_eq!(both, Values::Number(vec![Some(1.0), None, Some(0.5)]));
        let turned = numbers.followed_by(whole.clone()).unwrap();
        assert_eq!(
            turned.select(&[2, 0]),
            Values::Number(vec![None, Some(0.5)])
        );
        assert_eq!(whole.followed_by(Values::Text(vec![None])), None);
    }
}
