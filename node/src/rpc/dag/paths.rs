//! The heaviest paths through a block's DAG.

use super::block::BlockData;

/// For each vertex the heaviest and the longest path that ends there, itself included.
pub(crate) struct Paths(Vec<Path>);

#[derive(Clone, Copy, Default)]
struct Path {
    gas: u64,
    length: u32,
    /// The predecessor on the heaviest path.
    blocker: Option<usize>,
}

impl Paths {
    /// Those of a block.
    pub(super) fn of(block: &BlockData) -> Paths {
        let mut paths: Vec<Path> = Vec::with_capacity(block.dag.len());
        for vertex in 0..block.dag.len() {
            let before = || block.dag.predecessors(vertex).iter().map(|index| *index as usize);
            // Of equally heavy ones the first.
            let blocker = before().max_by_key(|index| (paths[*index].gas, std::cmp::Reverse(*index)));
            let gas = blocker.map_or(0, |index| paths[index].gas).saturating_add(block.gas(vertex));
            let length = before().map(|index| paths[index].length).max().unwrap_or_default() + 1;
            paths.push(Path { gas, length, blocker });
        }
        Paths(paths)
    }

    /// Gas of the heaviest path to a vertex.
    pub(super) fn gas(&self, vertex: usize) -> u64 {
        self.0[vertex].gas
    }

    /// Vertices on the longest path to a vertex.
    pub(super) fn length(&self, vertex: usize) -> u32 {
        self.0[vertex].length
    }

    /// What a vertex waits for longest.
    pub(super) fn blocker(&self, vertex: usize) -> Option<usize> {
        self.0[vertex].blocker
    }

    /// Gas of the heaviest path.
    pub(super) fn span(&self) -> u64 {
        self.0.iter().map(|path| path.gas).max().unwrap_or_default()
    }

    /// Vertices on the longest path.
    pub(super) fn depth(&self) -> u32 {
        self.0.iter().map(|path| path.length).max().unwrap_or_default()
    }

    /// The heaviest path, from its first vertex on.
    pub(super) fn critical(&self) -> Vec<usize> {
        let end = (0..self.0.len()).max_by_key(|vertex| (self.gas(*vertex), std::cmp::Reverse(*vertex)));
        let mut path: Vec<usize> = std::iter::successors(end, |vertex| self.blocker(*vertex)).collect();
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hanse_types::{Address, Dag, Gas, Hash, Height, Receipt, Status, TxId, TxIndex};

    pub(super) fn block(dag: Dag, gas: &[u64]) -> BlockData {
        let receipt = |(index, gas): (usize, &u64)| Receipt {
            tx_id: TxId(Hash([index as u8; 32])),
            height: Height(3),
            index: TxIndex(index as u32),
            status: Status::Success,
            gas_used: Gas(*gas),
            output: Vec::new(),
            error_code: 0,
            message: String::new(),
            failed_in: Address::ZERO,
            events: Vec::new(),
            rw_set: Hash::ZERO,
        };
        let receipts = gas.iter().enumerate().map(receipt).collect();
        BlockData { height: Height(3), dag, receipts, rw_sets: Vec::new(), transactions: Vec::new() }
    }

    #[test]
    fn work_and_span_are_those_of_the_heaviest_path() {
        // 0 ← 2 ← 3 and 1 ← 3.
        let dag = Dag::from_rows::<&[u32]>(&[&[], &[], &[0], &[1, 2]]).unwrap();
        let block = block(dag, &[10, 60, 20, 50]);
        let paths = Paths::of(&block);
        assert_eq!((block.work(), paths.span(), paths.depth()), (140, 110, 3));
        assert_eq!(paths.critical(), [1, 3]);
        assert_eq!((paths.blocker(3), paths.length(3), paths.blocker(0)), (Some(1), 3, None));
    }

    #[test]
    fn a_block_without_transactions_has_figures_too() {
        let paths = Paths::of(&block(Dag::empty(), &[]));
        assert_eq!((paths.span(), paths.depth(), paths.critical()), (0, 0, Vec::new()));
    }
}
