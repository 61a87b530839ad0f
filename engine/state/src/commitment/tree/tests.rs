//! The tree agrees with one computed from nothing, whatever happened to it; proofs hold, and no others do.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use hanse_types::{Canonical, Value};
use proptest::prelude::*;

use super::*;
use crate::commitment::{MemoryNodes, PageOverlay, Proof, ProofError, prove};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;
type Block = Vec<(Vec<u8>, Option<Vec<u8>>)>;

const STANDARD: CryptoSuite = CryptoSuite::Standard;

/// A tree with what it should hold.
struct Tree {
    entries: Entries,
    nodes: MemoryNodes,
    root: Hash,
}

impl Tree {
    fn new(suite: CryptoSuite) -> Tree {
        Tree { entries: Entries::new(), nodes: MemoryNodes::new(suite), root: Hash::ZERO }
    }

    fn apply(&mut self, changes: &[(Vec<u8>, Option<Vec<u8>>)]) {
        for (key, value) in changes {
            match value {
                Some(value) => self.entries.insert(key.clone(), value.clone()),
                None => self.entries.remove(key),
            };
        }
        let update = update(&self.root, &self.nodes, &change_set(changes)).unwrap();
        self.nodes.apply(&update);
        self.root = update.root;
        assert_eq!(self.root, naive(self.nodes.suite(), &self.entries));
    }
}

fn change_set(changes: &[(Vec<u8>, Option<Vec<u8>>)]) -> ChangeSet {
    let last: BTreeMap<_, _> = changes.iter().cloned().collect();
    let entries = last.into_iter().map(|(key, value)| (key.into(), value.map(Value::from))).collect();
    ChangeSet::from_unsorted(entries)
}

fn naive(suite: CryptoSuite, entries: &Entries) -> Hash {
    root_of(suite, entries.iter().map(|(key, value)| (&key[..], &value[..])))
}

fn key(n: u32) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

fn filled(count: u32) -> Tree {
    let mut tree = Tree::new(STANDARD);
    tree.apply(&(0..count).map(|n| (key(n), Some(key(n * 7)))).collect::<Vec<_>>());
    tree
}

/// Computed by another program, from what the tree's front page says of it. A change of these is a change of the format of
/// headers and proofs.
#[test]
fn roots_are_what_the_format_says() {
    let standard = [
        (0, "0x0000000000000000000000000000000000000000000000000000000000000000"),
        (1, "0xfa2d52968b519422553308fea41474eab1dec2e4814c4ee9ea17999f8509dac6"),
        (2, "0x08f60cb5fbae46da7bc3da5af0ca38337a2d89ff3a76ea0ff1d09027da975cdc"),
        (300, "0x7f7b2599184fcc85943414111121b5b5bd2bf9bba474ebc7580b1f52e863e1c6"),
    ];
    let guomi = [
        (1, "0x177888fe6c023b3d302c09285944ce04229e380c2f8146237d73207f89ae201a"),
        (2, "0x37f388a726e3b688c96f190a446ebd282a38f3cf0af62b3f89552c4ee3a50a7e"),
        (300, "0xfd48873ebd4c5d6e99cbd5b40bdb12cb86a4b5bbe2d9c7b1914d6bb624b98d05"),
    ];
    let of = |suite| move |(count, root)| (suite, count, root);
    let roots = standard.into_iter().map(of(STANDARD)).chain(guomi.into_iter().map(of(CryptoSuite::Guomi)));
    for (suite, count, root) in roots {
        let entries: Entries = (0..count).map(|n| (key(n), key(n * 7))).collect();
        assert_eq!(naive(suite, &entries).to_string(), root);
        let mut tree = Tree::new(suite);
        tree.apply(&entries.into_iter().map(|(key, value)| (key, Some(value))).collect::<Vec<_>>());
        assert_eq!(tree.root.to_string(), root);
    }
}

#[test]
fn a_large_tree_grows_and_shrinks_to_nothing() {
    let mut tree = filled(5_000);
    let all_pages = tree.nodes.len();
    tree.apply(&(2_000..7_000).map(|n| (key(n), Some(key(n)))).collect::<Vec<_>>());
    tree.apply(&(100..6_900).map(|n| (key(n), None)).collect::<Vec<_>>());
    assert!(tree.nodes.len() < all_pages);
    tree.apply(&(0..7_000).map(|n| (key(n), None)).collect::<Vec<_>>());
    assert_eq!((tree.root, tree.nodes.len()), (Hash::ZERO, 0));
}

#[test]
fn writing_what_is_there_or_removing_what_is_not_changes_nothing() {
    let tree = filled(1_000);
    let same = [(key(5), Some(key(35))), (key(70_000), None), (key(70_001), None)];
    let update = update(&tree.root, &tree.nodes, &change_set(&same)).unwrap();
    assert_eq!(update, Update { root: tree.root, pages: Vec::new() });
}

#[test]
fn pages_survive_storage() {
    let tree = filled(3_000);
    let update = update(
        &Hash::ZERO,
        &MemoryNodes::new(STANDARD),
        &change_set(&(0..3_000).map(|n| (key(n), Some(key(n * 7)))).collect::<Vec<_>>()),
    )
    .unwrap();
    for (path, page) in &update.pages {
        let page = page.as_ref().unwrap();
        assert_eq!(Page::from_bytes(STANDARD, path, &page.to_bytes()).unwrap(), **page);
        for cut in [0, 3, page.to_bytes().len() - 1] {
            assert!(Page::from_bytes(STANDARD, path, &page.to_bytes()[..cut]).is_err());
        }
        assert!(Page::from_bytes(STANDARD, path, &[page.to_bytes(), vec![0]].concat()).is_err());
    }
    assert_eq!(update.root, tree.root);
}

#[test]
fn threads_do_not_matter() {
    let tree = filled(4_000);
    let changes = change_set(&(3_000..6_000).map(|n| (key(n), (n % 5 != 0).then(|| key(n)))).collect::<Vec<_>>());
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| update(&tree.root, &tree.nodes, &changes)).unwrap()
    };
    assert_eq!(with(1), with(2));
}

#[test]
fn damaged_pages_are_refused_or_have_another_hash() {
    let tree = filled(600);
    let update = update(
        &Hash::ZERO,
        &MemoryNodes::new(STANDARD),
        &change_set(&(0..600).map(|n| (key(n), Some(key(n * 7)))).collect::<Vec<_>>()),
    )
    .unwrap();
    assert_eq!(update.root, tree.root);
    for (path, page) in update.pages.iter().take(12) {
        let page = page.as_ref().unwrap();
        let bytes = page.to_bytes();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let same = Page::from_bytes(STANDARD, path, &damaged).is_ok_and(|other| other.hash() == page.hash());
            assert!(!same, "byte {at} of page {path:?} does not matter");
        }
    }
}

#[test]
fn a_page_of_another_state_is_refused() {
    let mut tree = filled(2_000);
    let (old_root, old_nodes) = (tree.root, tree.nodes.clone());
    tree.apply(&[(key(3), Some(b"new".to_vec()))]);
    let changes = change_set(&[(key(3), Some(b"newer".to_vec()))]);
    assert!(matches!(update(&tree.root, &old_nodes, &changes), Err(StateError::Damaged { .. })));
    assert!(matches!(update(&old_root, &tree.nodes, &changes), Err(StateError::Damaged { .. })));
    assert!(matches!(update(&tree.root, &MemoryNodes::new(STANDARD), &changes), Err(StateError::Damaged { .. })));
}

#[test]
fn a_block_builds_on_a_parent_that_is_not_stored() {
    let mut tree = filled(2_000);
    let stored: Arc<dyn NodeView> = Arc::new(tree.nodes.clone());
    let first = change_set(&(1_500..2_500).map(|n| (key(n), (n % 3 != 0).then(|| key(n + 1)))).collect::<Vec<_>>());
    let parent = update(&tree.root, &*stored, &first).unwrap();
    let second: Vec<_> = (1_900..2_100).map(|n| (key(n), None)).collect();
    let child = update(&parent.root, &PageOverlay::new(&parent, stored), &change_set(&second)).unwrap();
    tree.apply(&(1_500..2_500).map(|n| (key(n), (n % 3 != 0).then(|| key(n + 1)))).collect::<Vec<_>>());
    tree.apply(&second);
    assert_eq!(child.root, tree.root);
}

fn check_proofs(tree: &Tree, key: &[u8]) {
    let (proof, suite) = (prove(&tree.nodes, key).unwrap(), tree.nodes.suite());
    let value = tree.entries.get(key).map(|value| &value[..]);
    proof.verify(suite, &tree.root, key, value).unwrap();
    assert_eq!(Proof::decode(&proof.encode()).unwrap(), proof);
    assert!(proof.verify(suite, &tree.root, key, Some(b"another value")).is_err());
    assert!(proof.verify(suite, &Hash([1; 32]), key, value).is_err());
    let bytes = proof.encode();
    for at in (0..bytes.len()).step_by(1 + bytes.len() / 61) {
        let mut mutated = bytes.clone();
        mutated[at] ^= 1 << (at % 8);
        let holds = Proof::decode(&mutated).is_ok_and(|proof| proof.verify(suite, &tree.root, key, value).is_ok());
        assert!(!holds, "byte {at} of the proof does not matter");
    }
    if value.is_some() {
        assert_eq!(proof.verify(suite, &tree.root, key, None), Err(ProofError::Present));
    }
}

#[test]
fn proofs_of_presence_and_absence_hold_and_others_do_not() {
    for count in [0, 1, 2, 30, 3_000] {
        let tree = filled(count);
        for n in (0..count).step_by(1 + count as usize / 10).chain(50_000..50_010) {
            check_proofs(&tree, &key(n));
        }
    }
    let tree = filled(300);
    let elsewhere = prove(&tree.nodes, &key(3)).unwrap();
    assert!(elsewhere.verify(STANDARD, &tree.root, &key(4), None).is_err());
    assert!(elsewhere.verify(STANDARD, &tree.root, b"absent", None).is_err());
}

fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let key = prop_oneof![(0..60u8).prop_map(|n| vec![n]), prop::collection::vec(any::<u8>(), 0..40)];
    let value = prop::option::weighted(0.6, prop::collection::vec(any::<u8>(), 0..200));
    prop::collection::vec(prop::collection::vec((key, value), 0..120), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_history_gives_the_tree_of_its_entries(blocks in blocks(), of in 0..CryptoSuite::ALL.len()) {
        let suite = CryptoSuite::ALL[of];
        let mut tree = Tree::new(suite);
        for block in &blocks {
            tree.apply(block);
        }
        let mut at_once = Tree::new(suite);
        at_once.apply(&tree.entries.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect::<Vec<_>>());
        prop_assert_eq!(at_once.root, tree.root);
        prop_assert_eq!(at_once.nodes.len(), tree.nodes.len());
        for (key, _) in blocks.iter().flatten().take(20) {
            check_proofs(&tree, key);
        }
    }
}
