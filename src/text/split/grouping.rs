//! Parts that keep the rows of a group together.
//!
//! Greedy, as in scikit-learn's `StratifiedGroupKFold`: the largest group first, each to the part whose class counts it brings nearest to
//! what they should be. Where that leaves a part without a class, a group is moved over.

use super::{SplitError, rows_of};
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Rows per class, by the class's place in order.
type Counts = Vec<usize>;

struct Group {
    rows: Vec<usize>,
    counts: Counts,
}

/// Divides the groups over parts of the given shares (which sum to 1); every part holds every class, its rows ascend.
pub(super) fn grouped(
    strata: &[usize],
    groups: &[usize],
    shares: &[f64],
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Vec<usize>>, SplitError> {
    let classes: Vec<usize> = rows_of(strata).into_keys().collect();
    let place: BTreeMap<usize, usize> = classes.iter().copied().zip(0..).collect();
    let mut groups: Vec<Group> = rows_of(groups)
        .into_values()
        .map(|rows| {
            let mut counts = vec![0; classes.len()];
            for class in rows.iter().filter_map(|row| strata.get(*row)) {
                if let Some(n) = place.get(class).and_then(|at| counts.get_mut(*at)) {
                    *n += 1;
                }
            }
            Group { rows, counts }
        })
        .collect();
    for (at, &class) in classes.iter().enumerate() {
        let found = groups.iter().filter(|g| holds(&g.counts, at)).count();
        if found < shares.len() {
            return Err(SplitError::TooFew {
                class,
                found,
                parts: shares.len(),
                grouped: true,
            });
        }
    }
    // Shuffled, then sorted stably: chance decides between groups of one size.
    groups.shuffle(rng);
    groups.sort_by_key(|g| std::cmp::Reverse(g.rows.len()));
    let mut division = Division::new(&groups, classes.len(), shares);
    division.fill();
    for (at, &class) in classes.iter().enumerate() {
        if !division.spread(at) {
            let parts = shares.len();
            return Err(SplitError::Entangled { class, parts });
        }
    }
    Ok(division.rows())
}

fn holds(counts: &Counts, class: usize) -> bool {
    counts.get(class).is_some_and(|n| *n > 0)
}

/// Groups on their way into parts.
struct Division<'a> {
    groups: &'a [Group],
    /// The part of each group.
    part: Vec<Option<usize>>,
    /// What each part holds.
    held: Vec<Counts>,
    /// What each part should hold.
    wanted: Vec<Vec<f64>>,
}

impl<'a> Division<'a> {
    fn new(groups: &'a [Group], classes: usize, shares: &[f64]) -> Self {
        let total =
            |class: usize| -> usize { groups.iter().filter_map(|g| g.counts.get(class)).sum() };
        Self {
            groups,
            part: vec![None; groups.len()],
            held: vec![vec![0; classes]; shares.len()],
            wanted: shares
                .iter()
                .map(|share| (0..classes).map(|c| share * total(c) as f64).collect())
                .collect(),
        }
    }

    /// How much nearer (negative) or farther (positive) a group brings a part to what it should hold: the change of the squared
    /// deviations, each relative to what is wanted.
    fn cost(&self, part: usize, group: &Counts) -> f64 {
        let (Some(held), Some(wanted)) = (self.held.get(part), self.wanted.get(part)) else {
            return f64::INFINITY;
        };
        let change = |((&held, &wanted), &more): ((&usize, &f64), &usize)| {
            let (before, more) = (held as f64 - wanted, more as f64);
            more * (2.0 * before + more) / wanted
        };
        held.iter().zip(wanted).zip(group).map(change).sum()
    }

    fn fill(&mut self) {
        for (at, group) in self.groups.iter().enumerate() {
            let costs = (0..self.held.len()).map(|p| (self.cost(p, &group.counts), p));
            let best = costs.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            if let Some((_, part)) = best {
                self.put(at, part);
            }
        }
    }

    /// Puts a group into a part, out of the one it was in.
    fn put(&mut self, group: usize, part: usize) {
        let (Some(counts), Some(slot)) = (
            self.groups.get(group).map(|g| &g.counts),
            self.part.get_mut(group),
        ) else {
            return;
        };
        let from = slot.replace(part);
        if let Some(held) = from.and_then(|f| self.held.get_mut(f)) {
            held.iter_mut().zip(counts).for_each(|(h, n)| *h -= n);
        }
        if let Some(held) = self.held.get_mut(part) {
            held.iter_mut().zip(counts).for_each(|(h, n)| *h += n);
        }
    }

    /// Moves groups until every part holds the class, never taking a part's last rows of any class; false if that cannot be.
    fn spread(&mut self, class: usize) -> bool {
        while let Some(part) = self.held.iter().position(|held| !holds(held, class)) {
            let spare = |group: &Group, from: usize| {
                let held = self.held.get(from).into_iter().flatten();
                held.zip(&group.counts).all(|(h, n)| *n == 0 || h > n)
            };
            let movable = self
                .groups
                .iter()
                .zip(&self.part)
                .enumerate()
                .filter(|(_, (group, from))| {
                    holds(&group.counts, class) && from.is_some_and(|from| spare(group, from))
                })
                .map(|(at, (group, _))| (self.cost(part, &group.counts), at));
            match movable.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))) {
                Some((_, group)) => self.put(group, part),
                None => return false,
            }
        }
        true
    }

    fn rows(&self) -> Vec<Vec<usize>> {
        let mut parts = vec![Vec::new(); self.held.len()];
        for (group, part) in self.groups.iter().zip(&self.part) {
            if let Some(rows) = part.and_then(|p| parts.get_mut(p)) {
                rows.extend(&group.rows);
            }
        }
        parts
            .iter_mut()
            .for_each(|p: &mut Vec<usize>| p.sort_unstable());
        parts
    }
}
