//! The block DAG: which transaction must wait for which.
//!
//! A vertex per transaction, in block order; an edge from an earlier to a later one. It is held as predecessors per
//! vertex, so it cannot have a cycle: every predecessor is smaller than its vertex. *Which* edges a block must have is
//! not known here; the scheduler's canonical builder says so.

use thiserror::Error;

use crate::crypto::CryptoSuite;
use crate::hash::{Domain, Hash};
use crate::limits;

/// Predecessors of every vertex, in compressed sparse rows. Well-formed by construction: each row is strictly
/// increasing and below its own vertex.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dag {
    /// `offsets[v]..offsets[v + 1]` is the row of vertex `v`; always one entry more than there are vertices.
    offsets: Vec<u32>,
    predecessors: Vec<u32>,
}

/// Why bytes or rows are not a DAG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DagError {
    /// The bytes end inside a number, or a number does not fit.
    #[error("the DAG's bytes are cut off or hold a number that is too large, at byte {at}")]
    Truncated {
        /// Offset in the input.
        at: usize,
    },
    /// A number is written with more bytes than it needs.
    #[error("the DAG holds a number that is not in its shortest form, at byte {at}")]
    NotCanonical {
        /// Offset in the input.
        at: usize,
    },
    /// Bytes are left over.
    #[error("the DAG has {count} bytes after its last vertex")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// More vertices or edges than a block may have.
    #[error("the DAG has more than {limit} {what}")]
    TooMany {
        /// Vertices or edges.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// A row is not strictly increasing, or reaches its own vertex or beyond.
    #[error("the DAG's vertex {vertex} has predecessor {predecessor}, which is out of order or not before it")]
    Row {
        /// The vertex.
        vertex: u32,
        /// Its predecessor.
        predecessor: u32,
    },
}

impl Dag {
    /// The DAG of no transactions.
    pub fn empty() -> Dag {
        Dag { offsets: vec![0], predecessors: Vec::new() }
    }

    /// A DAG of these rows of predecessors.
    ///
    /// # Errors
    /// If a row is not strictly increasing or not below its vertex, or a limit is passed.
    pub fn from_rows<R: AsRef<[u32]>>(rows: &[R]) -> Result<Dag, DagError> {
        let mut builder = DagBuilder::with_capacity(rows.len(), rows.iter().map(|row| row.as_ref().len()).sum());
        for row in rows {
            builder.push_row(row.as_ref())?;
        }
        Ok(builder.finish())
    }

    /// Number of vertices.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether it has no vertex.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of edges.
    pub fn edge_count(&self) -> usize {
        self.predecessors.len()
    }

    /// The predecessors of a vertex, strictly increasing.
    ///
    /// # Panics
    /// If there is no such vertex.
    pub fn predecessors(&self, vertex: usize) -> &[u32] {
        &self.predecessors[self.offsets[vertex] as usize..self.offsets[vertex + 1] as usize]
    }

    /// The canonical bytes: the number of vertices, then for each vertex the number of its predecessors and, from the
    /// greatest to the least, how far each lies before the one after it; all as LEB128. Near predecessors, the
    /// usual ones, take a byte each.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len() + 2 * self.edge_count() + 5);
        write_varint(&mut bytes, self.len() as u32);
        for vertex in 0..self.len() {
            let row = self.predecessors(vertex);
            write_varint(&mut bytes, row.len() as u32);
            let mut after = vertex as u32;
            for predecessor in row.iter().rev() {
                write_varint(&mut bytes, after - predecessor);
                after = *predecessor;
            }
        }
        bytes
    }

    /// The DAG of these canonical bytes.
    ///
    /// # Errors
    /// If they are not the encoding of a well-formed DAG within the limits. Memory is bounded by the input's length.
    pub fn decode(bytes: &[u8]) -> Result<Dag, DagError> {
        let mut reader = Reader { bytes, at: 0 };
        let count = reader.varint()? as usize;
        if count > limits::BLOCK_TRANSACTIONS {
            return Err(DagError::TooMany { what: "vertices", limit: limits::BLOCK_TRANSACTIONS });
        }
        let mut builder = DagBuilder::with_capacity(count.min(bytes.len()), bytes.len());
        let mut row = Vec::new();
        for vertex in 0..count as u32 {
            row.clear();
            let mut after = vertex;
            for _ in 0..reader.varint()? {
                let distance = reader.varint()?;
                let valid = distance != 0 && distance <= after;
                after = after.wrapping_sub(distance);
                if !valid {
                    return Err(DagError::Row { vertex, predecessor: after });
                }
                row.push(after);
            }
            row.reverse();
            builder.push_row(&row)?;
        }
        match bytes.len() - reader.at {
            0 => Ok(builder.finish()),
            count => Err(DagError::Trailing { count }),
        }
    }

    /// The digest that the header carries.
    pub fn digest(&self, suite: CryptoSuite) -> Hash {
        suite.hash(Domain::Dag, &self.encode())
    }
}

/// Makes a [`Dag`] row by row.
#[derive(Debug)]
pub struct DagBuilder {
    dag: Dag,
}

impl DagBuilder {
    /// A builder with room for so many vertices and edges.
    pub fn with_capacity(vertices: usize, edges: usize) -> DagBuilder {
        let mut offsets = Vec::with_capacity(vertices + 1);
        offsets.push(0);
        DagBuilder { dag: Dag { offsets, predecessors: Vec::with_capacity(edges) } }
    }

    /// Number of vertices so far.
    pub fn len(&self) -> usize {
        self.dag.len()
    }

    /// Whether there is no vertex yet.
    pub fn is_empty(&self) -> bool {
        self.dag.is_empty()
    }

    /// Predecessors of a vertex, in order.
    pub fn predecessors(&self, vertex: usize) -> &[u32] {
        self.dag.predecessors(vertex)
    }

    /// Adds the next vertex with its predecessors.
    ///
    /// # Errors
    /// If they are not strictly increasing or not before the vertex, or a limit is passed.
    pub fn push_row(&mut self, row: &[u32]) -> Result<(), DagError> {
        let vertex = self.dag.len() as u32;
        if self.dag.len() >= limits::BLOCK_TRANSACTIONS {
            return Err(DagError::TooMany { what: "vertices", limit: limits::BLOCK_TRANSACTIONS });
        }
        if self.dag.predecessors.len() + row.len() > limits::DAG_EDGES {
            return Err(DagError::TooMany { what: "edges", limit: limits::DAG_EDGES });
        }
        if let Some(pair) = row.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(DagError::Row { vertex, predecessor: pair[1] });
        }
        if let Some(last) = row.last().filter(|last| **last >= vertex) {
            return Err(DagError::Row { vertex, predecessor: *last });
        }
        self.dag.predecessors.extend_from_slice(row);
        self.dag.offsets.push(self.dag.predecessors.len() as u32);
        Ok(())
    }

    /// The DAG.
    pub fn finish(self) -> Dag {
        self.dag
    }
}

fn write_varint(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn varint(&mut self) -> Result<u32, DagError> {
        let start = self.at;
        let mut number = 0u32;
        for shift in (0..32).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(DagError::Truncated { at: self.at })?;
            self.at += 1;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0xf {
                return Err(DagError::Truncated { at: start });
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(DagError::NotCanonical { at: start });
                }
                return Ok(number);
            }
        }
        Err(DagError::Truncated { at: start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_back() {
        let dag = Dag::from_rows(&[&[][..], &[0], &[], &[0, 2], &[1, 2, 3]]).expect("well-formed");
        assert_eq!(Dag::decode(&dag.encode()), Ok(dag.clone()));
        assert_eq!(dag.edge_count(), 6);
        assert_eq!(dag.predecessors(3), [0, 2]);
        assert_eq!(Dag::decode(&Dag::empty().encode()), Ok(Dag::empty()));
    }

    #[test]
    fn rows_that_are_no_dag_are_refused() {
        assert_eq!(Dag::from_rows(&[&[0][..]]), Err(DagError::Row { vertex: 0, predecessor: 0 }));
        assert_eq!(Dag::from_rows(&[&[][..], &[0, 0]]), Err(DagError::Row { vertex: 1, predecessor: 0 }));
        assert_eq!(Dag::from_rows(&[&[][..], &[], &[1, 0]]), Err(DagError::Row { vertex: 2, predecessor: 0 }));
    }

    #[test]
    fn bytes_that_are_no_dag_are_refused() {
        assert_eq!(Dag::decode(&[]), Err(DagError::Truncated { at: 0 }));
        assert_eq!(Dag::decode(&[1]), Err(DagError::Truncated { at: 1 }));
        assert_eq!(Dag::decode(&[1, 0, 0]), Err(DagError::Trailing { count: 1 }));
        assert_eq!(Dag::decode(&[0x81, 0x00, 0]), Err(DagError::NotCanonical { at: 0 }));
        assert!(matches!(Dag::decode(&[2, 0, 1, 2]), Err(DagError::Row { vertex: 1, .. })));
        assert!(matches!(Dag::decode(&[2, 0, 1, 0]), Err(DagError::Row { vertex: 1, .. })));
        assert!(matches!(Dag::decode(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Err(DagError::TooMany { .. })));
    }
}
