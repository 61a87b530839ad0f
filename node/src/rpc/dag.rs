//! How parallel a block was, and why not more: figures of its DAG.

use std::collections::BTreeMap;

use hanse_client::views::{DagView, HotKeyView, VertexView};
use hanse_types::{Dag, Gas, Height, Receipt, RwSet, TxIndex};

use super::{limits, render};

/// The figures of a block, with so many of its vertices.
pub(super) fn view(height: Height, dag: &Dag, receipts: &[Receipt], rw_sets: &[RwSet], vertices: usize) -> DagView {
    let gas: Vec<u64> = receipts.iter().map(|receipt| receipt.gas_used.0).collect();
    let paths = paths(dag, &gas);
    let work: u64 = gas.iter().sum();
    let span = paths.iter().map(|path| path.gas).max().unwrap_or_default();
    let list = receipts.iter().zip(&paths).take(vertices).map(|(receipt, path)| VertexView {
        index: receipt.index,
        tx_id: receipt.tx_id.0,
        gas_used: receipt.gas_used,
        predecessors: dag.predecessors(receipt.index.as_usize()).iter().map(|index| TxIndex(*index)).collect(),
        depth: path.length,
    });
    DagView {
        height,
        transactions: dag.len() as u32,
        edges: dag.edge_count() as u64,
        work: Gas(work),
        span: Gas(span),
        parallelism: if span == 0 { 1.0 } else { work as f64 / span as f64 },
        depth: paths.iter().map(|path| path.length).max().unwrap_or_default(),
        roots: (0..dag.len()).filter(|vertex| dag.predecessors(*vertex).is_empty()).count() as u32,
        encoded_bytes: dag.encode().len() as u64,
        hot_keys: hot_keys(rw_sets),
        vertices: list.collect(),
    }
}

/// The heaviest and the longest way to a vertex, itself included.
#[derive(Clone, Copy, Default)]
struct Path {
    gas: u64,
    length: u32,
}

fn paths(dag: &Dag, gas: &[u64]) -> Vec<Path> {
    let mut paths: Vec<Path> = Vec::with_capacity(dag.len());
    for vertex in 0..dag.len() {
        let before = dag.predecessors(vertex).iter().map(|index| paths[*index as usize]);
        let most = before.fold(Path::default(), |most, path| Path {
            gas: most.gas.max(path.gas),
            length: most.length.max(path.length),
        });
        let own = gas.get(vertex).copied().unwrap_or_default();
        paths.push(Path { gas: most.gas + own, length: most.length + 1 });
    }
    paths
}

#[derive(Default)]
struct Touches {
    readers: u32,
    writers: u32,
    adders: u32,
}

impl Touches {
    /// How many pairs of transactions it sets in order, but for a factor: none if all read, or all add.
    fn weight(&self) -> u64 {
        let [readers, writers, adders] = [self.readers, self.writers, self.adders].map(u64::from);
        writers * (readers + writers + adders).saturating_sub(1) + readers * adders
    }
}

/// The keys that set most transactions in order.
fn hot_keys(rw_sets: &[RwSet]) -> Vec<HotKeyView> {
    let mut touches: BTreeMap<&[u8], Touches> = BTreeMap::new();
    for set in rw_sets {
        for write in &set.writes {
            touches.entry(&write.key).or_default().writers += 1;
        }
        for add in &set.adds {
            touches.entry(&add.key).or_default().adders += 1;
        }
        for read in set.reads.iter().filter(|read| !set.writes.iter().any(|write| write.key == read.key)) {
            touches.entry(&read.key).or_default().readers += 1;
        }
    }
    let mut hot: Vec<(&[u8], Touches)> = touches.into_iter().filter(|(_, touch)| touch.weight() > 0).collect();
    hot.sort_by_key(|(key, touch)| (std::cmp::Reverse(touch.weight()), *key));
    hot.truncate(limits::HOT_KEYS);
    let view = |(key, touch): (&[u8], Touches)| HotKeyView {
        key: render::key(key),
        readers: touch.readers,
        writers: touch.writers,
        adders: touch.adders,
    };
    hot.into_iter().map(view).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hanse_client::Bytes;
    use hanse_types::{Add, Address, Delta, Hash, Read, Status, TxId, Version, Write};

    fn receipt(index: u32, gas: u64) -> Receipt {
        Receipt {
            tx_id: TxId(Hash([index as u8; 32])),
            height: Height(3),
            index: TxIndex(index),
            status: Status::Success,
            gas_used: Gas(gas),
            output: Vec::new(),
            error_code: 0,
            message: String::new(),
            failed_in: Address::ZERO,
            events: Vec::new(),
            rw_set: Hash::ZERO,
        }
    }

    #[test]
    fn work_and_span_are_those_of_the_heaviest_path() {
        // 0 ← 2 ← 3, and 1 alone.
        let dag = Dag::from_rows::<&[u32]>(&[&[], &[], &[0], &[2]]).unwrap();
        let receipts = [receipt(0, 10), receipt(1, 60), receipt(2, 20), receipt(3, 50)];
        let view = view(Height(3), &dag, &receipts, &[], 10);
        assert_eq!((view.work, view.span, view.depth, view.roots, view.edges), (Gas(140), Gas(80), 3, 2, 2));
        assert!((view.parallelism - 1.75).abs() < 1e-9);
        assert_eq!(view.vertices.iter().map(|vertex| vertex.depth).collect::<Vec<_>>(), [1, 1, 2, 3]);
    }

    #[test]
    fn a_block_without_transactions_has_figures_too() {
        let view = view(Height(0), &Dag::empty(), &[], &[], 10);
        assert_eq!((view.work, view.span, view.depth, view.roots), (Gas(0), Gas(0), 0, 0));
    }

    #[test]
    fn keys_that_all_only_read_or_only_add_to_are_not_hot() {
        let key = |name: &str| hanse_abi::keys::full_key(&Address::native(1), name.as_bytes());
        let delta = Delta { amount: 1, width: 16, min: 0, max: u128::MAX };
        let set = RwSet {
            reads: vec![
                Read { key: key("read"), version: Version::Parent, present: true },
                Read { key: key("both"), version: Version::Parent, present: true },
            ],
            ranges: Vec::new(),
            writes: vec![Write { key: key("both"), value: None }],
            adds: vec![Add { key: key("added"), delta }],
        };
        let hot = hot_keys(&[set.clone(), set]);
        assert_eq!(hot.len(), 1);
        assert_eq!((hot[0].readers, hot[0].writers, hot[0].adders), (0, 2, 0));
        assert_eq!(hot[0].key.key, Bytes(b"both".to_vec()));
    }
}
