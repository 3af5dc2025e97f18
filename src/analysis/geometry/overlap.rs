//! Whether two spaces agree on who is near to whom.

use crate::analysis::neighbors::{Correction, Metric, Rows, Space, neighbor_graph};
use crate::error::Result;

/// Neighbours that are compared.
pub const OVERLAP_NEIGHBORS: usize = 10;

/// The 10 nearest rows of each row, by cosine, each list in ascending order.
#[derive(Debug, Clone)]
pub struct NeighborSets(Vec<Vec<u32>>);

impl NeighborSets {
    /// Of these rows. A row's copies are its nearest neighbours, those of lowest number first.
    ///
    /// # Errors
    /// Those of [`Space::new`]: a cosine needs rows that are not zero.
    pub(super) fn of(rows: &Rows, seed: u64) -> Result<Self> {
        let space = Space::new(rows, Metric::Cosine, Correction::None, seed)?;
        let graph = neighbor_graph(&space, OVERLAP_NEIGHBORS)?;
        let sets = (0..rows.rows()).map(|row| {
            let own = space.different_row(row).unwrap_or(0);
            let near = graph[own].iter().map(|n| n.row as usize);
            let members = std::iter::once(own).chain(near);
            let members = members.flat_map(|different| space.members(different));
            let others = members.copied().filter(|other| *other as usize != row);
            let mut set: Vec<u32> = others.take(OVERLAP_NEIGHBORS).collect();
            set.sort_unstable();
            set
        });
        Ok(Self(sets.collect()))
    }

    /// Mutual k-NN (Huh et al. 2024): the mean share of neighbours that a row has in both spaces, row `i` of this one being of the same
    /// thing as row `order[i]` of the other.
    pub(super) fn overlap(&self, other: &Self, order: &[usize]) -> f64 {
        let mut of_other = vec![0u32; order.len()];
        for (own, at) in order.iter().enumerate() {
            of_other[*at] = own as u32;
        }
        let shared: f64 = self
            .0
            .iter()
            .zip(order)
            .map(|(set, at)| {
                let there = other.0[*at].iter().map(|o| of_other[*o as usize]);
                let both = there.filter(|o| set.binary_search(o).is_ok()).count();
                both as f64 / set.len().max(1) as f64
            })
            .sum();
        shared / order.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::seq::SliceRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_space_agrees_with_itself_in_any_order_and_with_chance_otherwise() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let n = 400;
        let data: Vec<f32> = (0..n * 8).map(|_| rng.random_range(-1.0f32..1.0)).collect();
        let rows = Rows::new(8, data).unwrap();
        let sets = NeighborSets::of(&rows, 0).unwrap();
        let mut order: Vec<usize> = (0..n).collect();
        assert_eq!(sets.overlap(&sets, &order), 1.0);
        order.shuffle(&mut rng);
        // Row order[i] of the other space is row i of this one.
        let mut back = vec![0; n];
        order.iter().enumerate().for_each(|(i, at)| back[*at] = i);
        let moved = NeighborSets::of(&rows.select(&back), 0).unwrap();
        assert_eq!(sets.overlap(&moved, &order), 1.0);
        let chance = 10.0 / (n - 1) as f64;
        assert!((sets.overlap(&sets, &order) - chance).abs() < 0.02);
    }
}
