//! The links of the index, layer by layer, in flat arrays.

/// Who is linked to whom. A node is on the layers from 0 to its level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Graph {
    /// Links of a node above layer 0, at most; on layer 0 twice as many.
    pub(super) m: usize,
    pub(super) levels: Vec<u8>,
    /// For each node, how many links it has on layer 0, and their ends; `1 + 2 m` numbers a node.
    pub(super) base: Vec<u32>,
    /// The same for each layer above of each node that is on it; `1 + m` numbers a layer.
    pub(super) upper: Vec<u32>,
    /// Where a node's layers begin in `upper`.
    pub(super) upper_start: Vec<usize>,
    /// Where walks begin, on the topmost layer.
    pub(super) entry: u32,
}

impl Graph {
    /// Nodes without links.
    pub(super) fn unlinked(m: usize, levels: Vec<u8>) -> Self {
        let mut upper_start = Vec::with_capacity(levels.len());
        let mut upper = 0;
        for level in &levels {
            upper_start.push(upper);
            upper += usize::from(*level) * (1 + m);
        }
        Self {
            m,
            base: vec![0; levels.len() * (1 + 2 * m)],
            upper: vec![0; upper],
            upper_start,
            levels,
            entry: 0,
        }
    }

    pub(super) fn nodes(&self) -> usize {
        self.levels.len()
    }

    pub(super) fn level(&self, node: u32) -> usize {
        usize::from(self.levels[node as usize])
    }

    /// The most links of a node on a layer.
    pub(super) fn room(&self, layer: usize) -> usize {
        match layer {
            0 => 2 * self.m,
            _ => self.m,
        }
    }

    /// The count of a node's links on a layer that it is on, and then their ends.
    fn slot(&self, node: u32, layer: usize) -> &[u32] {
        match layer {
            0 => &self.base[node as usize * (1 + 2 * self.m)..],
            _ => {
                let start = self.upper_start[node as usize] + (layer - 1) * (1 + self.m);
                &self.upper[start..]
            }
        }
    }

    /// How many links a node says it has on a layer.
    pub(super) fn count(&self, node: u32, layer: usize) -> usize {
        self.slot(node, layer)[0] as usize
    }

    /// The ends of a node's links on a layer that it is on.
    pub(super) fn links(&self, node: u32, layer: usize) -> &[u32] {
        let slot = self.slot(node, layer);
        &slot[1..1 + slot[0] as usize]
    }

    /// The memory of a node's links on layer 0.
    pub(super) fn base_slot(&self, node: u32) -> &[u32] {
        let room = 1 + 2 * self.m;
        &self.base[node as usize * room..(node as usize + 1) * room]
    }

    /// Replaces a node's links on a layer; `ends` are at most as many as there is room for.
    pub(super) fn link(&mut self, node: u32, layer: usize, ends: &[u32]) {
        let slot = match layer {
            0 => &mut self.base[node as usize * (1 + 2 * self.m)..],
            _ => {
                let start = self.upper_start[node as usize] + (layer - 1) * (1 + self.m);
                &mut self.upper[start..]
            }
        };
        slot[0] = ends.len() as u32;
        slot[1..=ends.len()].copy_from_slice(ends);
    }

    /// Which nodes links lead to, from the entry.
    pub(super) fn reached(&self) -> Vec<bool> {
        let mut reached = vec![false; self.nodes()];
        if self.nodes() > 0 {
            self.reach(self.entry, &mut reached);
        }
        reached
    }

    /// Marks a node and all that links lead to from it.
    pub(super) fn reach(&self, from: u32, reached: &mut [bool]) {
        let mut open = vec![from];
        reached[from as usize] = true;
        while let Some(node) = open.pop() {
            for layer in 0..=self.level(node) {
                for end in self.links(node, layer) {
                    if !std::mem::replace(&mut reached[*end as usize], true) {
                        open.push(*end);
                    }
                }
            }
        }
    }
}
