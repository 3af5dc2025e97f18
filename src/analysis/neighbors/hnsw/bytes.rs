//! The index as bytes, and back: with a checksum, and nothing believed that is not checked.

use super::super::space::Space;
use super::codes::Codes;
use super::graph::Graph;
use super::{Certificate, Hnsw, Params, refuse};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The first bytes; the last digit is the version of the format.
const MAGIC: &[u8; 8] = b"PLUMBNN1";
const CHECKSUM: usize = 32;
const MOST_HEADER: usize = 1 << 20;

/// What stands before the links.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    /// Of which rows under which metric and correction, as whoever wrote it calls them.
    of: String,
    params: Params,
    nodes: usize,
    entry: u32,
    certificate: Certificate,
}

impl Hnsw {
    /// The index and its certificate as bytes: magic, length of a JSON header, header, levels, links, SHA-256 of all that. `of` says which
    /// rows they are, under which metric and correction; reading asks for it again. The rows themselves are not in it.
    pub fn to_bytes(&self, of: &str, certificate: &Certificate) -> Vec<u8> {
        let header = Header {
            of: of.to_owned(),
            params: self.params,
            nodes: self.graph.nodes(),
            entry: self.graph.entry,
            certificate: certificate.clone(),
        };
        let header = serde_json::to_vec(&header).unwrap_or_default();
        let mut bytes = MAGIC.to_vec();
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header);
        bytes.extend(&self.graph.levels);
        for number in self.graph.base.iter().chain(&self.graph.upper) {
            bytes.extend(number.to_le_bytes());
        }
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        bytes
    }

    /// Reads what [`Hnsw::to_bytes`] wrote of the rows of this space.
    ///
    /// # Errors
    /// What is wrong with the bytes, or that they are of other rows.
    pub fn from_bytes(
        bytes: &[u8],
        of: &str,
        space: &Space,
    ) -> std::result::Result<(Self, Certificate), String> {
        let damaged = || "it is cut or damaged".to_owned();
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or_else(damaged)?;
        let rest = body
            .strip_prefix(MAGIC)
            .ok_or("it is no index of this version of plumb")?;
        if Sha256::digest(body).as_slice() != checksum {
            return Err(damaged());
        }
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let length = u32::from_le_bytes(*length) as usize;
        if length > MOST_HEADER || length > rest.len() {
            return Err(damaged());
        }
        let (header, links) = rest.split_at(length);
        let header: Header = serde_json::from_slice(header).map_err(|_| damaged())?;
        if header.of != of || header.nodes != space.rows() {
            return Err("it is of other rows".to_owned());
        }
        refuse(space, header.params).map_err(|_| damaged())?;
        let graph = read_graph(links, &header).ok_or_else(damaged)?;
        Ok((
            Self {
                params: header.params,
                codes: Codes::of(space),
                graph,
            },
            header.certificate,
        ))
    }
}

/// The graph, if every link ends at a node that is on its layer.
fn read_graph(bytes: &[u8], header: &Header) -> Option<Graph> {
    let (levels, numbers) = bytes.split_at_checked(header.nodes)?;
    if levels.iter().any(|level| *level > 30) {
        return None;
    }
    let mut graph = Graph::unlinked(header.params.m, levels.to_vec());
    let (numbers, rest) = numbers.as_chunks::<4>();
    if !rest.is_empty() || numbers.len() != graph.base.len() + graph.upper.len() {
        return None;
    }
    let slots = graph.base.iter_mut().chain(&mut graph.upper);
    for (slot, number) in slots.zip(numbers) {
        *slot = u32::from_le_bytes(*number);
    }
    graph.entry = header.entry;
    graph.levels.get(header.entry as usize)?;
    for node in 0..header.nodes as u32 {
        for layer in 0..=graph.level(node) {
            if graph.count(node, layer) > graph.room(layer) {
                return None;
            }
            let on_layer = |end: &u32| {
                let level = graph.levels.get(*end as usize);
                level.is_some_and(|level| usize::from(*level) >= layer)
            };
            if !graph.links(node, layer).iter().all(on_layer) {
                return None;
            }
        }
    }
    Some(graph)
}
