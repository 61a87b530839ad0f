//! The keys that set most transactions in order, and what could be done about them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use hanse_client::views::{AdviceView, HotKeyView};
use hanse_types::{Address, RwSet};

use super::super::abi::Abis;
use super::super::render;
use super::block::BlockData;
use super::joins::{Touch, touches};
use super::paths::Paths;

/// Methods that are named for one key.
const METHODS: usize = 5;
/// Senders that are told apart for one key.
const SENDERS: usize = 2;

/// Who touches which key, over one or several blocks.
#[derive(Default)]
pub(crate) struct HotKeys {
    keys: BTreeMap<Vec<u8>, Touches>,
    span: u64,
}

#[derive(Default)]
struct Touches {
    readers: u32,
    writers: u32,
    adders: u32,
    /// Writers that read it first and write a number.
    recomputed: u32,
    /// Pairs that it sets in order inside their blocks, but for a factor.
    weight: u64,
    /// Gas of the transactions on critical paths that waited for it.
    waited: u64,
    methods: BTreeMap<String, u32>,
    senders: BTreeSet<Address>,
}

impl HotKeys {
    /// Counts a block in.
    pub(crate) fn add(&mut self, block: &BlockData, paths: &Paths) {
        self.span = self.span.saturating_add(paths.span());
        let mut here: BTreeMap<&[u8], [u64; 3]> = BTreeMap::new();
        for set in &block.rw_sets {
            for (key, touch) in touches(set) {
                here.entry(key).or_default()[touch as usize] += 1;
            }
        }
        here.retain(|_, counts| weight(*counts) > 0);
        for (key, counts) in &here {
            let touches = self.keys.entry(key.to_vec()).or_default();
            touches.readers += counts[Touch::Read as usize] as u32;
            touches.adders += counts[Touch::Add as usize] as u32;
            touches.writers += counts[Touch::Write as usize] as u32;
            touches.weight = touches.weight.saturating_add(weight(*counts));
        }
        for (vertex, set) in block.rw_sets.iter().enumerate() {
            for key in touches(set).keys().filter(|key| here.contains_key(*key)) {
                if let Some(touches) = self.keys.get_mut(*key) {
                    touches.note(block, vertex, set, key);
                }
            }
        }
        let path = paths.critical();
        for pair in path.windows(2) {
            let join = block.join(pair[0], pair[1]);
            if let Some(touches) = join.and_then(|join| self.keys.get_mut(join.key)) {
                touches.waited = touches.waited.saturating_add(block.gas(pair[1]));
            }
        }
    }

    /// Counts a block in, of which nothing else is asked.
    pub(crate) fn add_block(&mut self, block: &BlockData) {
        self.add(block, &Paths::of(block));
    }

    /// The hottest: those that cost most of the span, then those that set most pairs in order.
    pub(crate) fn views(self, abis: &mut Abis<'_>, limit: usize) -> Vec<HotKeyView> {
        let mut hot: Vec<(Vec<u8>, Touches)> = self.keys.into_iter().collect();
        hot.sort_by(|(left_key, left), (right_key, right)| {
            let rank = |touches: &Touches| Reverse((touches.waited, touches.weight));
            rank(left).cmp(&rank(right)).then_with(|| left_key.cmp(right_key))
        });
        hot.truncate(limit);
        hot.into_iter().map(|(key, touches)| touches.view(abis, &key, self.span)).collect()
    }
}

/// How many pairs of transactions a key sets in order, but for a factor: none if all read, or all add.
fn weight(counts: [u64; 3]) -> u64 {
    let [readers, adders, writers] = counts;
    writers * (readers + writers + adders).saturating_sub(1) + readers * adders
}

impl Touches {
    fn note(&mut self, block: &BlockData, vertex: usize, set: &RwSet, key: &[u8]) {
        let number = |value: &[u8]| matches!(value.len(), 1 | 2 | 4 | 8 | 16);
        let written = set.writes.iter().find(|write| write.key == key).and_then(|write| write.value.as_ref());
        let read = set.reads.iter().any(|read| read.key == key);
        self.recomputed += u32::from(read && written.is_some_and(|value| number(value)));
        *self.methods.entry(block.call(vertex)).or_default() += 1;
        if let Some(signed) = block.transactions.get(vertex).filter(|_| self.senders.len() < SENDERS) {
            self.senders.insert(signed.transaction.sender);
        }
    }

    fn view(self, abis: &mut Abis<'_>, key: &[u8], span: u64) -> HotKeyView {
        let advice = self.advice();
        let mut methods: Vec<(String, u32)> = self.methods.into_iter().collect();
        methods.sort_by_key(|(_, count)| Reverse(*count));
        HotKeyView {
            key: render::key(abis, key),
            readers: self.readers,
            writers: self.writers,
            adders: self.adders,
            span_share: if span == 0 { 0.0 } else { self.waited as f64 / span as f64 },
            methods: methods.into_iter().take(METHODS).map(|(method, _)| method).collect(),
            advice,
        }
    }

    fn advice(&self) -> Option<AdviceView> {
        let advice = |name: &str, text: &str| Some(AdviceView { name: name.into(), text: text.into() });
        if self.senders.len() == 1 {
            return advice(
                "one_sender",
                "all of them are of one sender, each needs what the one before left: send from several accounts",
            );
        }
        if self.writers > 1 && self.recomputed * 2 >= self.writers {
            return advice(
                "add_instead_of_set",
                "written by set, could be add: a number that is only counted up or down need not be read, and adds do \
                 not wait for each other",
            );
        }
        if self.writers > 1 {
            return advice(
                "split",
                "written by many: split it per account, each with a key of its own, and put the parts together when read",
            );
        }
        if self.adders > 0 && self.readers > 0 {
            return advice(
                "read_elsewhere",
                "reads wait for the adds before them: read it by a view outside of transactions, or in fewer of them",
            );
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touches(readers: u32, writers: u32, adders: u32, recomputed: u32, senders: u8) -> Touches {
        let senders = (0..senders).map(|n| Address([n; 20])).collect();
        Touches { readers, writers, adders, recomputed, senders, ..Touches::default() }
    }

    #[test]
    fn keys_that_all_only_read_or_only_add_to_are_not_hot() {
        assert_eq!([weight([9, 0, 0]), weight([0, 9, 0]), weight([0, 0, 1])], [0, 0, 0]);
        assert_eq!([weight([0, 0, 2]), weight([1, 1, 0]), weight([1, 0, 1])], [2, 1, 1]);
    }

    #[test]
    fn advice_fits_what_is_done_with_the_key() {
        let name = |touches: Touches| touches.advice().map(|advice| advice.name);
        assert_eq!(name(touches(0, 9, 0, 9, 1)).as_deref(), Some("one_sender"));
        assert_eq!(name(touches(0, 9, 0, 9, 2)).as_deref(), Some("add_instead_of_set"));
        assert_eq!(name(touches(0, 9, 0, 0, 2)).as_deref(), Some("split"));
        assert_eq!(name(touches(3, 0, 9, 0, 2)).as_deref(), Some("read_elsewhere"));
        assert_eq!(name(touches(3, 1, 0, 0, 2)), None);
    }
}
